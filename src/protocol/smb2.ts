// SMB2 NEGOTIATE and its answer (MS-SMB2 2.2.3, 2.2.4) in direct-TCP framing (MS-SMB2 2.1): the one exchange in which a
// Windows host tells its clock before anybody has logged on. No session, no tree, no authentication.
import { MalformedMessage } from '../model/failure.ts'
import { Reader } from './bytes.ts'
import { filetimeToUnixSeconds } from './time.ts'

/** `status` is an NTSTATUS; when it is not 0 the server declined, and the rest is unknown. */
export interface NegotiateAnswer {
  readonly status: number
  /** The dialect revision that the server chose: 0x0311 is SMB 3.1.1. */
  readonly dialect: number | undefined
  /** The host's clock, Unix seconds UTC. */
  readonly systemTimeSeconds: number | undefined
}

const DIALECTS = [0x0202, 0x0210, 0x0300, 0x0302, 0x0311]
const FRAME_HEADER_LENGTH = 4
const MAX_MESSAGE = 65_536
const SMB2_HEADER_LENGTH = 64
const SMB2_ID = 0xfe534d42
const SMB1_ID = 0xff534d42
const FLAG_SERVER_TO_CLIENT = 0x1
const SIGNING_ENABLED = 0x1
const PREAUTH_INTEGRITY = { type: 1, length: 38, saltLength: 32, sha512: 1 }

/**
 * A NEGOTIATE that offers SMB 2.0.2 to 3.1.1, so that a server hardened to one of them still answers. `clientGuid` has
 * 16 bytes, random for each exchange; it doubles as the salt of the integrity context. Throws RangeError otherwise.
 */
export function encodeNegotiate(clientGuid: Uint8Array): Uint8Array {
  if (clientGuid.length !== 16) throw new RangeError('a client GUID has 16 bytes')
  const body = FRAME_HEADER_LENGTH + SMB2_HEADER_LENGTH
  const dialectsEnd = SMB2_HEADER_LENGTH + 36 + 2 * DIALECTS.length
  const contextOffset = (dialectsEnd + 7) & ~7
  const length = contextOffset + 8 + PREAUTH_INTEGRITY.length
  const bytes = Buffer.alloc(FRAME_HEADER_LENGTH + length)
  bytes.writeUInt32BE(length, 0)
  bytes.writeUInt32BE(SMB2_ID, 4)
  bytes.writeUInt16LE(SMB2_HEADER_LENGTH, 8)
  bytes.writeUInt16LE(1, 18) // credits asked for
  bytes.writeUInt16LE(36, body)
  bytes.writeUInt16LE(DIALECTS.length, body + 2)
  bytes.writeUInt16LE(SIGNING_ENABLED, body + 4)
  bytes.set(clientGuid, body + 12)
  bytes.writeUInt32LE(contextOffset, body + 28)
  bytes.writeUInt16LE(1, body + 32)
  for (const [index, dialect] of DIALECTS.entries()) bytes.writeUInt16LE(dialect, body + 36 + 2 * index)
  const context = FRAME_HEADER_LENGTH + contextOffset
  bytes.writeUInt16LE(PREAUTH_INTEGRITY.type, context)
  bytes.writeUInt16LE(PREAUTH_INTEGRITY.length, context + 2)
  bytes.writeUInt16LE(1, context + 8) // one hash algorithm
  bytes.writeUInt16LE(PREAUTH_INTEGRITY.saltLength, context + 10)
  bytes.writeUInt16LE(PREAUTH_INTEGRITY.sha512, context + 12)
  bytes.set(clientGuid, context + 14)
  bytes.set(clientGuid, context + 30)
  return bytes
}

/**
 * How many bytes the message at the start of `bytesSoFar` has with its 4-byte length: 4 until that is there. Throws
 * MalformedMessage on anything but a session message of at most 64 KiB.
 */
export function frameNbss(bytesSoFar: Uint8Array): number {
  const [type = 0, high, middle, low] = bytesSoFar
  if (type !== 0) throw new MalformedMessage(`not a session message: first byte ${type}`, 0)
  if (high === undefined || middle === undefined || low === undefined) return FRAME_HEADER_LENGTH
  const length = high * 65_536 + middle * 256 + low
  if (length < 4 || length > MAX_MESSAGE) throw new MalformedMessage(`message of ${length} bytes`, 1)
  return FRAME_HEADER_LENGTH + length
}

/** Reads the answer to `encodeNegotiate`, its 4-byte length included. Throws MalformedMessage, also at SMB1. */
export function decodeNegotiate(bytes: Uint8Array): NegotiateAnswer {
  const length = frameNbss(bytes)
  if (bytes.length < length) throw new MalformedMessage(`ends early: ${length} bytes announced`, bytes.length)
  const reader = new Reader(bytes.subarray(0, length), FRAME_HEADER_LENGTH)
  const id = reader.u32be()
  if (id === SMB1_ID) throw new MalformedMessage('answers in SMB1', 4)
  if (id !== SMB2_ID) throw new MalformedMessage('not SMB2', 4)
  if (reader.u16le() !== SMB2_HEADER_LENGTH) throw new MalformedMessage('SMB2 header of another size', 8)
  reader.skip(2)
  const status = reader.u32le()
  const command = reader.u16le()
  reader.skip(2)
  const flags = reader.u32le()
  if (command !== 0) throw new MalformedMessage(`answers command ${command}, not NEGOTIATE`, 16)
  // Our own bytes coming back look like SMB2 too; this flag is what only a server sets.
  if ((flags & FLAG_SERVER_TO_CLIENT) === 0) throw new MalformedMessage('not from a server', 20)
  reader.skip(4)
  if (reader.u64le() !== 0n) throw new MalformedMessage('answers another message', 28)
  reader.skip(32)
  if (status !== 0) return { status, dialect: undefined, systemTimeSeconds: undefined }
  if (reader.u16le() !== 65) throw new MalformedMessage('NEGOTIATE answer of another size', 68)
  reader.skip(2)
  const dialect = reader.u16le()
  reader.skip(34)
  const systemTimeSeconds = filetimeToUnixSeconds(reader.u64le())
  // The start time and the security buffer's place; both are part of the answer's fixed size.
  reader.skip(16)
  return { status, dialect, systemTimeSeconds }
}
