// Connection-oriented DCE/RPC (C706 chapter 12, MS-RPCE 2.2.2): a bind, and the three PDUs that can answer it.
// There is no request PDU here on purpose: asking whether an interface is served is all that this code can say.
import { MalformedMessage } from '../model/failure.ts'
import { Reader, printableAscii } from './bytes.ts'

export interface RpcInterface {
  /** In the usual text form, `51c82175-844e-4750-b0d8-ec255555bc06`. */
  readonly uuid: string
  readonly major: number
  readonly minor: number
}

/** The interface that a KMS host registers on its listening port. */
export const KMS_INTERFACE: RpcInterface = {
  uuid: '51c82175-844e-4750-b0d8-ec255555bc06',
  major: 1,
  minor: 0,
}

/** What became of one presentation context. `reason` (C706 12.6.3.1) only means something in a rejection. */
export interface ContextResult {
  readonly result: 'acceptance' | 'user_rejection' | 'provider_rejection' | 'negotiate_ack' | 'other'
  readonly reason: number
}

/** `results` are in the order of the contexts that were offered; `status` is an NCA or Win32 status code. */
export type BindAnswer =
  | { readonly kind: 'ack'; readonly secondaryAddress: string; readonly results: readonly ContextResult[] }
  | { readonly kind: 'nak'; readonly reason: number }
  | { readonly kind: 'fault'; readonly status: number }

const HEADER_LENGTH = 16
const MAX_FRAGMENT = 5840
const PTYPE_FAULT = 3
const PTYPE_BIND = 11
const PTYPE_BIND_ACK = 12
const PTYPE_BIND_NAK = 13
const FIRST_AND_LAST_FRAGMENT = 0x03
const LITTLE_ENDIAN_ASCII = 0x10
const NDR32 = { uuid: '8a885d04-1ceb-11c9-9fe8-08002b104860', version: 2 }
const RESULTS = ['acceptance', 'user_rejection', 'provider_rejection', 'negotiate_ack'] as const

/**
 * A bind PDU that offers each interface in a presentation context of its own, ids 0..n-1, over NDR32. Throws RangeError
 * unless there are 1 to 100 interfaces and their UUIDs are UUIDs.
 */
export function encodeBind({
  callId,
  interfaces,
}: {
  callId: number
  interfaces: readonly RpcInterface[]
}): Uint8Array {
  if (interfaces.length < 1 || interfaces.length > 100)
    throw new RangeError('a bind offers 1 to 100 interfaces')
  const length = HEADER_LENGTH + 12 + 44 * interfaces.length
  const bytes = Buffer.alloc(length)
  bytes.set([5, 0, PTYPE_BIND, FIRST_AND_LAST_FRAGMENT, LITTLE_ENDIAN_ASCII])
  bytes.writeUInt16LE(length, 8)
  bytes.writeUInt32LE(callId, 12)
  bytes.writeUInt16LE(MAX_FRAGMENT, 16)
  bytes.writeUInt16LE(MAX_FRAGMENT, 18)
  bytes.writeUInt8(interfaces.length, 24)
  for (const [index, { uuid, major, minor }] of interfaces.entries()) {
    const start = HEADER_LENGTH + 12 + 44 * index
    bytes.writeUInt16LE(index, start)
    bytes.writeUInt8(1, start + 2)
    writeUuid(bytes, start + 4, uuid)
    bytes.writeUInt16LE(major, start + 20)
    bytes.writeUInt16LE(minor, start + 22)
    bytes.set(NDR32_BYTES, start + 24)
    bytes.writeUInt32LE(NDR32.version, start + 40)
  }
  return bytes
}

const HEX_UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** The first three fields of a UUID are integers, and so in the sender's byte order; the rest are bytes. */
function writeUuid(bytes: Buffer, at: number, text: string): void {
  if (!HEX_UUID.test(text)) throw new RangeError(`not a UUID: ${text}`)
  bytes.writeUInt32LE(parseInt(text.slice(0, 8), 16), at)
  bytes.writeUInt16LE(parseInt(text.slice(9, 13), 16), at + 4)
  bytes.writeUInt16LE(parseInt(text.slice(14, 18), 16), at + 6)
  bytes.writeUInt16BE(parseInt(text.slice(19, 23), 16), at + 8)
  bytes.writeUIntBE(parseInt(text.slice(24), 16), at + 10, 6)
}

const NDR32_BYTES = Buffer.alloc(16)
writeUuid(NDR32_BYTES, 0, NDR32.uuid)

/**
 * How many bytes the answer at the start of `bytesSoFar` has: 16 until its header is there, then its length. Throws
 * MalformedMessage at the first byte that no answer to a bind can have, so that a peer that speaks something else is
 * told apart without waiting for 16 bytes of it.
 */
export function frameRpc(bytesSoFar: Uint8Array): number {
  const [version = 5, minorVersion = 0, type = PTYPE_BIND_ACK, , drep = 0] = bytesSoFar
  if (version !== 5) throw new MalformedMessage(`not DCE/RPC version 5: first byte ${version}`, 0)
  if (minorVersion > 1) throw new MalformedMessage(`not DCE/RPC 5.0 or 5.1: minor ${minorVersion}`, 1)
  if (type !== PTYPE_BIND_ACK && type !== PTYPE_BIND_NAK && type !== PTYPE_FAULT) {
    throw new MalformedMessage(`packet type ${type} does not answer a bind`, 2)
  }
  if (drep >> 4 > 1) throw new MalformedMessage(`unknown integer representation ${drep >> 4}`, 4)
  if (bytesSoFar.length < 10) return HEADER_LENGTH
  const length =
    ((drep >> 4 === 1 ? bytesSoFar[8] : bytesSoFar[9]) ?? 0) +
    256 * ((drep >> 4 === 1 ? bytesSoFar[9] : bytesSoFar[8]) ?? 0)
  if (length < HEADER_LENGTH || length > MAX_FRAGMENT) {
    throw new MalformedMessage(`fragment length ${length} is not within ${HEADER_LENGTH}..${MAX_FRAGMENT}`, 8)
  }
  return bytesSoFar.length < HEADER_LENGTH ? HEADER_LENGTH : length
}

/** Reads the answer to the bind with this call id; one whole PDU, as `frameRpc` cuts it. Throws MalformedMessage. */
export function decodeBindAnswer(bytes: Uint8Array, callId: number): BindAnswer {
  const length = frameRpc(bytes)
  if (bytes.length < length) throw new MalformedMessage(`ends early: ${length} bytes announced`, bytes.length)
  const reader = new Reader(bytes.subarray(0, length))
  reader.skip(2)
  const type = reader.u8()
  // None of the three comes in pieces (MS-RPCE 2.2.2).
  if ((reader.u8() & FIRST_AND_LAST_FRAGMENT) !== FIRST_AND_LAST_FRAGMENT)
    throw new MalformedMessage('a piece of an answer', 3)
  const integers = reader.u8() >> 4 === 1 ? littleEndian(reader) : bigEndian(reader)
  reader.skip(5)
  if (integers.u16() !== 0) throw new MalformedMessage('authenticates itself, which nobody asked for', 10)
  const answered = integers.u32()
  if (answered !== callId) throw new MalformedMessage(`answers call ${answered}, not ${callId}`, 12)
  if (type === PTYPE_BIND_ACK) return decodeAck(reader, integers)
  if (type === PTYPE_BIND_NAK) return { kind: 'nak', reason: integers.u16() }
  // Allocation hint, context id, cancel count and a reserved byte come before the status: C706 12.6.4.7.
  reader.skip(8)
  return { kind: 'fault', status: integers.u32() }
}

interface Integers {
  u16(): number
  u32(): number
}

function littleEndian(reader: Reader): Integers {
  return { u16: () => reader.u16le(), u32: () => reader.u32le() }
}

function bigEndian(reader: Reader): Integers {
  return { u16: () => reader.u16be(), u32: () => reader.u32be() }
}

/** C706 12.6.4.4: fragment sizes, association group, secondary address, padding, results of 24 bytes each. */
function decodeAck(reader: Reader, integers: Integers): BindAnswer {
  reader.skip(8)
  const secondaryAddress = printableAscii(withoutNul(reader.bytes(integers.u16())))
  reader.skip(-reader.offset & 3)
  const count = reader.u8()
  reader.skip(3)
  if (count === 0) throw reader.malformed('acknowledges no context at all')
  if (count * 24 > reader.remaining)
    throw reader.malformed(`announces ${count} results that it does not have`)
  const results: ContextResult[] = []
  for (let index = 0; index < count; index++) {
    results.push({ result: RESULTS[integers.u16()] ?? 'other', reason: integers.u16() })
    reader.skip(20)
  }
  return { kind: 'ack', secondaryAddress, results }
}

/** The length of a secondary address counts its final NUL. */
function withoutNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}
