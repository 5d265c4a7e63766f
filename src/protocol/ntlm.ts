// The first two messages of NTLM (MS-NLMP 2.2.1.1, 2.2.1.2). The second tells the server's clock, which is all that the
// clock source asks for; logging on takes a third (ntlm-authenticate.ts).
import { MalformedMessage } from '../model/failure.ts'
import { Reader, equalBytes } from './bytes.ts'
import { filetimeToUnixSeconds } from './time.ts'

export const SIGNATURE = Buffer.from('NTLMSSP\0', 'latin1')
const MESSAGE_NEGOTIATE = 1
const MESSAGE_CHALLENGE = 2
export const FLAG_TARGET_INFO = 0x0080_0000
export const AV_END = 0
export const AV_FLAGS = 6
export const AV_TIMESTAMP = 7
const MAX_HEADER_CHARACTERS = 65_536
const MAX_TOKEN_CHARACTERS = 16_384

// Unicode, OEM, request target, NTLM, always sign, extended session security, 128 and 56 bit: what makes a server send
// the target information that its clock is in.
const NEGOTIATE_FLAGS = 0xa008_8207

/** An id of MS-NLMP 2.2.2.1, and its value as it came. */
export interface AvPair {
  readonly id: number
  readonly value: Uint8Array
}

export interface Challenge {
  /** The server's clock, Unix seconds UTC; undefined when it sent none. */
  readonly timestampSeconds: number | undefined
  readonly flags: number
  /** 8 bytes. */
  readonly serverChallenge: Uint8Array
  /** Without the end; undefined when the server sent none. */
  readonly targetInfo: readonly AvPair[] | undefined
}

/**
 * A NEGOTIATE message (type 1) that names neither the client nor its domain; by default that of a client which means to
 * go no further. The version at its end is there even when its flag is not, as zeros: gss-ntlmssp takes no message
 * without.
 */
export function encodeNegotiateMessage(flags = NEGOTIATE_FLAGS, version = new Uint8Array(8)): Uint8Array {
  const bytes = Buffer.alloc(40)
  bytes.set(SIGNATURE)
  bytes.writeUInt32LE(MESSAGE_NEGOTIATE, 8)
  bytes.writeUInt32LE(flags, 12)
  bytes.set(version, 32)
  return bytes
}

/** Reads a CHALLENGE message (type 2); bytes after it are ignored. Throws MalformedMessage. */
export function decodeChallenge(bytes: Uint8Array): Challenge {
  const reader = new Reader(bytes)
  if (!equalBytes(reader.bytes(8), SIGNATURE)) throw new MalformedMessage('not NTLMSSP', 0)
  const type = reader.u32le()
  if (type !== MESSAGE_CHALLENGE) throw new MalformedMessage(`NTLM message ${type}, not a challenge`, 8)
  payload(reader) // the target's name, checked and not kept
  const flags = reader.u32le()
  const serverChallenge = reader.bytes(8)
  if ((flags & FLAG_TARGET_INFO) === 0)
    return { timestampSeconds: undefined, flags, serverChallenge, targetInfo: undefined }
  reader.skip(8)
  const targetInfo = avPairs(payload(reader))
  const time = targetInfo.find(({ id }) => id === AV_TIMESTAMP)?.value
  const timestampSeconds = time && filetimeToUnixSeconds(new Reader(time).u64le())
  return { timestampSeconds, flags, serverChallenge, targetInfo }
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

/** MS-NLMP 2.2.2.1: id, length, value, and so on until id 0. */
function avPairs({ start: reader, length }: { start: Reader; length: number }): readonly AvPair[] {
  const end = reader.offset + length
  const pairs: AvPair[] = []
  while (reader.offset + 4 <= end) {
    const id = reader.u16le()
    const size = reader.u16le()
    if (id === AV_END) return pairs
    if (reader.offset + size > end) throw reader.malformed('target information value reaches past its end')
    if (id === AV_TIMESTAMP && size !== 8) throw reader.malformed(`timestamp of ${size} bytes`)
    if (id === AV_FLAGS && size !== 4) throw reader.malformed(`flags of ${size} bytes`)
    pairs.push({ id, value: reader.bytes(size) })
  }
  if (length === 0) return pairs
  throw reader.malformed('target information without an end')
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
