// One client-mode SNTP exchange (RFC 5905 figure 8, RFC 4330 section 5): what a server says about its clock.
// No filtering, no association and no verdict on whether the answer is to be believed.
import { MalformedMessage } from '../model/failure.ts'
import { Reader, equalBytes, printableAscii } from './bytes.ts'
import { ntpToUnixSeconds } from './time.ts'

export interface NtpReply {
  /** 0 none, 1 and 2 a leap second to come, 3 the server's clock is not synchronised. */
  readonly leap: number
  readonly version: number
  /** Always 4, server. */
  readonly mode: number
  /** 0 unspecified (see `kissCode`), 1 primary, 2 to 15 secondary, 16 unsynchronised. */
  readonly stratum: number
  /** Four characters at stratum 0 and 1, else in dotted form; empty when the field is zero. Printable ASCII. */
  readonly referenceId: string
  readonly rootDelaySeconds: number
  readonly rootDispersionSeconds: number
  /** The resolution of the server's clock. */
  readonly precisionSeconds: number
  /** The server's clock when the request came in, Unix seconds UTC. */
  readonly receiveSeconds: number | undefined
  /** The server's clock when the reply left, Unix seconds UTC. */
  readonly transmitSeconds: number | undefined
  /** `RATE`, `DENY`, ...: why the server refuses to serve. An unsynchronised server's zero is not one. */
  readonly kissCode: string | undefined
}

const MESSAGE_LENGTH = 48
const MODE_CLIENT = 3
const MODE_SERVER = 4
const VERSION = 4

/**
 * A request whose transmit timestamp is `nonce`, 8 random bytes for the server to send back: our clock stays private,
 * and a reply that was not made for this request cannot guess them. Throws RangeError on another length.
 */
export function encodeRequest(nonce: Uint8Array): Uint8Array {
  if (nonce.length !== 8) throw new RangeError('an NTP timestamp has 8 bytes')
  const bytes = new Uint8Array(MESSAGE_LENGTH)
  bytes[0] = (VERSION << 3) | MODE_CLIENT
  bytes.set(nonce, 40)
  return bytes
}

/** Reads the reply to the request with this nonce; a MAC or extensions after it are ignored. Throws MalformedMessage. */
export function decodeReply(bytes: Uint8Array, nonce: Uint8Array): NtpReply {
  const reader = new Reader(bytes)
  const first = reader.u8()
  const mode = first & 7
  if (mode !== MODE_SERVER) throw new MalformedMessage(`mode ${mode}, not a server's`, 0)
  const stratum = reader.u8()
  reader.skip(1)
  const precision = signed(reader.u8(), 8)
  const rootDelaySeconds = signed(reader.u32be(), 32) / 65_536
  const rootDispersionSeconds = reader.u32be() / 65_536
  const reference = reader.bytes(4)
  reader.skip(8)
  if (!equalBytes(reader.bytes(8), nonce)) throw new MalformedMessage('not the reply to this request', 24)
  const receiveSeconds = ntpToUnixSeconds(reader.u32be(), reader.u32be())
  const transmitSeconds = ntpToUnixSeconds(reader.u32be(), reader.u32be())
  const referenceId = formatReference(stratum, reference)
  return {
    leap: first >> 6,
    version: (first >> 3) & 7,
    mode,
    stratum,
    referenceId,
    rootDelaySeconds,
    rootDispersionSeconds,
    precisionSeconds: 2 ** precision,
    receiveSeconds,
    transmitSeconds,
    kissCode: stratum === 0 && /^[A-Z0-9]{4}$/.test(referenceId) ? referenceId : undefined,
  }
}

function formatReference(stratum: number, reference: Uint8Array): string {
  if (reference.every((byte) => byte === 0)) return ''
  if (stratum > 1) return reference.join('.')
  const end = reference.findLastIndex((byte) => byte !== 0)
  return printableAscii(reference.subarray(0, end + 1))
}

function signed(value: number, bits: number): number {
  return value >= 2 ** (bits - 1) ? value - 2 ** bits : value
}
