// A DCE/RPC listener that knows how to be bound to, and nothing else. C706 12.6.4 and MS-RPCE 2.2.2.
// There is no KMS reply here and no way to make one: a request PDU is answered with a fault.
import { randomInt } from 'node:crypto'
import { onFrames } from './frames.ts'
import { listenTcp } from './listener.ts'
import type { Listener, Where } from './listener.ts'

export const RPC_BEHAVIOURS = ['kms', 'other_rpc', 'accept_all', 'nak', 'fault'] as const

/**
 * `kms` accepts the KMS interface alone, `other_rpc` the endpoint mapper alone, `accept_all` whatever is proposed;
 * `nak` and `fault` refuse the bind itself.
 */
export type RpcBehaviour = (typeof RPC_BEHAVIOURS)[number]

// Syntax identifiers as they stand on the wire: UUID (first three fields little-endian), then major, minor.
// 51c82175-844e-4750-b0d8-ec255555bc06 v1.0
const KMS = Buffer.from('7521c8514e845047b0d8ec255555bc0601000000', 'hex')
// e1af8308-5d1f-11c9-91a4-08002b14a0fa v3.0
const ENDPOINT_MAPPER = Buffer.from('0883afe11f5dc91191a408002b14a0fa03000000', 'hex')
// 8a885d04-1ceb-11c9-9fe8-08002b104860 v2.0
const NDR32 = Buffer.from('045d888aeb1cc9119fe808002b10486002000000', 'hex')

const REQUEST = 0
const FAULT = 3
const BIND = 11
const BIND_ACK = 12
const BIND_NAK = 13

const FIRST_AND_LAST = 0x03
const DID_NOT_EXECUTE = 0x20
const NCA_S_OP_RNG_ERROR = 0x1c010002
const NCA_S_PROTO_ERROR = 0x1c01000b
const PROTOCOL_VERSION_NOT_SUPPORTED = 4
const MAX_FRAGMENT_BYTES = 5840

const SYNTAX_BYTES = 20
const PROVIDER_REJECTION = 2
const ABSTRACT_SYNTAX_NOT_SUPPORTED = 1
const TRANSFER_SYNTAXES_NOT_SUPPORTED = 2

export async function startRpc(behaviour: RpcBehaviour, where: Where): Promise<Listener> {
  return listenTcp(where, (socket) => {
    onFrames(socket, fragmentLength, (pdu) => {
      const answer = respond(pdu, behaviour, socket.localPort ?? where.port)
      if (answer === undefined) socket.destroy()
      else socket.write(answer)
    })
  })
}

function fragmentLength(received: Buffer): number | undefined | null {
  if (received[0] !== 4 && received[0] !== 5) return null
  if (received.length < 16) return undefined
  // Little-endian integers, ASCII: all that Windows ever sends.
  if (received[4] !== 0x10) return null
  const length = received.readUInt16LE(8)
  return length < 16 ? null : length
}

function respond(pdu: Buffer, behaviour: RpcBehaviour, port: number): Buffer | undefined {
  const callId = pdu.readUInt32LE(12)
  if (pdu[0] !== 5) return bindNak(callId)
  if (pdu[2] === REQUEST) return fault(callId, NCA_S_OP_RNG_ERROR)
  if (pdu[2] !== BIND) return undefined
  if (behaviour === 'nak') return bindNak(callId)
  if (behaviour === 'fault') return fault(callId, NCA_S_PROTO_ERROR)
  const results = judgeContexts(pdu, behaviour)
  return results && bindAck(pdu, results, port)
}

/** One 24-byte result for each proposed context, in order; nothing for a bind that is cut short. */
function judgeContexts(pdu: Buffer, behaviour: RpcBehaviour): Buffer[] | undefined {
  if (pdu.length < 28) return undefined
  const results: Buffer[] = []
  let at = 28
  for (let left = pdu.readUInt8(24); left > 0; left -= 1) {
    if (pdu.length < at + 4 + SYNTAX_BYTES) return undefined
    const transferCount = pdu.readUInt8(at + 2)
    const abstractSyntax = pdu.subarray(at + 4, at + 4 + SYNTAX_BYTES)
    const transfersAt = at + 4 + SYNTAX_BYTES
    at = transfersAt + transferCount * SYNTAX_BYTES
    if (pdu.length < at) return undefined
    const transfers: Buffer[] = []
    for (let i = transfersAt; i < at; i += SYNTAX_BYTES) transfers.push(pdu.subarray(i, i + SYNTAX_BYTES))
    results.push(judgeContext(abstractSyntax, transfers, behaviour))
  }
  return results
}

function judgeContext(abstractSyntax: Buffer, transfers: readonly Buffer[], behaviour: RpcBehaviour): Buffer {
  const result = Buffer.alloc(24)
  const anything = behaviour === 'accept_all'
  const known = anything || abstractSyntax.equals(behaviour === 'kms' ? KMS : ENDPOINT_MAPPER)
  const transfer = transfers.find((offered) => offered.equals(NDR32)) ?? (anything ? transfers[0] : undefined)
  if (known && transfer) {
    transfer.copy(result, 4)
  } else {
    result.writeUInt16LE(PROVIDER_REJECTION, 0)
    result.writeUInt16LE(known ? TRANSFER_SYNTAXES_NOT_SUPPORTED : ABSTRACT_SYNTAX_NOT_SUPPORTED, 2)
  }
  return result
}

function bindAck(bind: Buffer, results: readonly Buffer[], port: number): Buffer {
  const secondaryAddress = Buffer.from(`${port}\0`, 'latin1')
  const resultsAt = Math.ceil((26 + secondaryAddress.length) / 4) * 4
  const body = Buffer.alloc(resultsAt + 4 - 16)
  body.writeUInt16LE(MAX_FRAGMENT_BYTES, 0)
  body.writeUInt16LE(MAX_FRAGMENT_BYTES, 2)
  // Zero asks for a new association group; the server names it.
  body.writeUInt32LE(bind.readUInt32LE(20) || randomInt(1, 0x10000), 4)
  body.writeUInt16LE(secondaryAddress.length, 8)
  secondaryAddress.copy(body, 10)
  body.writeUInt8(results.length, resultsAt - 16)
  return pduOf(BIND_ACK, FIRST_AND_LAST, bind.readUInt32LE(12), Buffer.concat([body, ...results]))
}

function bindNak(callId: number): Buffer {
  const body = Buffer.from([0, 0, 1, 5, 0])
  body.writeUInt16LE(PROTOCOL_VERSION_NOT_SUPPORTED, 0)
  return pduOf(BIND_NAK, FIRST_AND_LAST, callId, body)
}

function fault(callId: number, status: number): Buffer {
  const body = Buffer.alloc(16)
  body.writeUInt32LE(status, 8)
  return pduOf(FAULT, FIRST_AND_LAST | DID_NOT_EXECUTE, callId, body)
}

function pduOf(type: number, flags: number, callId: number, body: Buffer): Buffer {
  const header = Buffer.from([5, 0, type, flags, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  header.writeUInt16LE(header.length + body.length, 8)
  header.writeUInt32LE(callId, 12)
  return Buffer.concat([header, body])
}
