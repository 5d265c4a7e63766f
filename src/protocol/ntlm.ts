// The first two messages of NTLM (MS-NLMP 2.2.1.1, 2.2.1.2), because the second tells the server's clock.
// No third message and no credentials: nothing here can log on anywhere.
import { MalformedMessage } from '../model/failure.ts'
import { Reader, equalBytes } from './bytes.ts'
import { filetimeToUnixSeconds } from './time.ts'

const SIGNATURE = Buffer.from('NTLMSSP\0', 'latin1')
const MESSAGE_NEGOTIATE = 1
const MESSAGE_CHALLENGE = 2
const FLAG_TARGET_INFO = 0x0080_0000
const AV_END = 0
const AV_TIMESTAMP = 7
const MAX_HEADER_CHARACTERS = 65_536
const MAX_TOKEN_CHARACTERS = 16_384

// Unicode, OEM, request target, NTLM, always sign, extended session security, 128 and 56 bit: what makes a server send
// the target information that its clock is in.
const NEGOTIATE_FLAGS = 0xa008_8207

/**
 * The NEGOTIATE message (type 1) of a client that names neither itself nor its domain. The version at its end is there
 * even when its flag is not, as zeros: gss-ntlmssp takes no message without.
 */
export function encodeNegotiateMessage(): Uint8Array {
  const bytes = Buffer.alloc(40)
  bytes.set(SIGNATURE)
  bytes.writeUInt32LE(MESSAGE_NEGOTIATE, 8)
  bytes.writeUInt32LE(NEGOTIATE_FLAGS, 12)
  return bytes
}

/**
 * Reads a CHALLENGE message (type 2); bytes after it are ignored. `timestampSeconds` is the server's clock, Unix
 * seconds UTC, undefined when it sent none. Throws MalformedMessage.
 */
export function decodeChallenge(bytes: Uint8Array): { timestampSeconds: number | undefined; flags: number } {
  const reader = new Reader(bytes)
  if (!equalBytes(reader.bytes(8), SIGNATURE)) throw new MalformedMessage('not NTLMSSP', 0)
  const type = reader.u32le()
  if (type !== MESSAGE_CHALLENGE) throw new MalformedMessage(`NTLM message ${type}, not a challenge`, 8)
  payload(reader) // the target's name, checked and not kept
  const flags = reader.u32le()
  reader.skip(8)
  if ((flags & FLAG_TARGET_INFO) === 0) return { timestampSeconds: undefined, flags }
  reader.skip(8)
  return { timestampSeconds: findTimestamp(payload(reader)), flags }
}

/** A length, an allocated length and an offset from the message's start (MS-NLMP 2.2.1): a reader for what they span. */
function payload(reader: Reader): { start: Reader; length: number } {
  const length = reader.u16le()
  reader.skip(2)
  const start = reader.u32le()
  if (length === 0) return { start: reader.at(reader.offset), length }
  reader.at(start).skip(length)
  return { start: reader.at(start), length }
}

/** MS-NLMP 2.2.2.1: id, length, value; AvId 7 is a FILETIME. */
function findTimestamp({ start: pairs, length }: { start: Reader; length: number }): number | undefined {
  const end = pairs.offset + length
  let timestamp: number | undefined
  while (pairs.offset + 4 <= end) {
    const id = pairs.u16le()
    const size = pairs.u16le()
    if (id === AV_END) return timestamp
    if (pairs.offset + size > end) throw pairs.malformed('target information value reaches past its end')
    if (id === AV_TIMESTAMP) {
      if (size !== 8) throw pairs.malformed(`timestamp of ${size} bytes`)
      timestamp = filetimeToUnixSeconds(pairs.at(pairs.offset).u64le())
    }
    pairs.skip(size)
  }
  if (length === 0) return undefined
  throw pairs.malformed('target information without an end')
}

/**
 * The NTLM message within `WWW-Authenticate`: the first `Negotiate` or `NTLM` token that has one in it, raw or wrapped
 * in SPNEGO. Undefined when there is none; never throws. Headers beyond 64 KiB and tokens beyond 16 KiB are ignored.
 */
export function challengeFromHeader(
  wwwAuthenticate: string | readonly string[] | undefined,
): Uint8Array | undefined {
  const headers = typeof wwwAuthenticate === 'string' ? [wwwAuthenticate] : (wwwAuthenticate ?? [])
  let characters = 0
  for (const header of headers) {
    characters += header.length
    if (characters > MAX_HEADER_CHARACTERS) return undefined
    for (const challenge of header.split(',')) {
      const token = /^\s*(?:negotiate|ntlm) +([a-z0-9+/]+={0,2})\s*$/i.exec(challenge)?.[1]
      if (token === undefined || token.length > MAX_TOKEN_CHARACTERS) continue
      const blob = Buffer.from(token, 'base64')
      const start = blob.indexOf(SIGNATURE)
      if (start >= 0) return blob.subarray(start)
    }
  }
  return undefined
}
