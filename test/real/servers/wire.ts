// The smallest clients that can prove a server, in bytes written by hand from the specifications. They share nothing with
// the code under test, so a misread specification cannot agree with itself. RPC: bind only; there is no request PDU.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Endpoint } from '../../../src/model/target.ts'

const ANSWER_MILLISECONDS = 5_000

/** Sends `request`, collects until `enough`, hangs up. Rejects on errors, on an early end and after five seconds. */
async function exchangeTcp({ address, port }: Endpoint, request: Buffer, enough: (sofar: Buffer) => boolean) {
  const socket = connect({ host: address, port })
  socket.setTimeout(ANSWER_MILLISECONDS, () => socket.destroy(new Error('no answer')))
  try {
    socket.write(request)
    let received: Buffer = Buffer.alloc(0)
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer])
      if (enough(received)) return received
    }
    throw new Error(`hung up after ${received.length} bytes`)
  } finally {
    socket.destroy()
  }
}

/** The connection's fate: `connected`, Node's error code, or `timeout` after `seconds`. */
export async function tryConnect({ address, port }: Endpoint, seconds: number): Promise<string> {
  const socket = connect({ host: address, port })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(seconds * 1000) })
    return 'connected'
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    return error.code === 'ABORT_ERR' ? 'timeout' : String(error.code)
  } finally {
    socket.on('error', () => undefined)
    socket.destroy()
  }
}

export interface RpcInterface {
  readonly uuid: string
  readonly major: number
  readonly minor: number
}

/** A UUID as RPC sends it: the first three fields little-endian (C706, appendix A). */
function uuidBytes(uuid: string): Buffer {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex')
  bytes.subarray(0, 4).reverse()
  bytes.subarray(4, 6).reverse()
  bytes.subarray(6, 8).reverse()
  return bytes
}

const NDR32 = '8a885d04-1ceb-11c9-9fe8-08002b104860'
const BIND_ACK = 12

/** Binds one interface and hangs up (C706 12.6.4.3). Result 0 accepted; 2 refused, reason 1: no such interface here. */
export async function bindInterface(
  endpoint: Endpoint,
  { uuid, major, minor }: RpcInterface,
): Promise<{ readonly result: number; readonly reason: number }> {
  const request = Buffer.concat([
    Buffer.from('05000b03100000004800000001000000d016d016000000000100000000000100', 'hex'),
    uuidBytes(uuid),
    Buffer.from(Uint16Array.of(major, minor).buffer),
    uuidBytes(NDR32),
    Buffer.from('02000000', 'hex'),
  ])
  const answer = await exchangeTcp(
    endpoint,
    request,
    (sofar) => sofar.length >= 10 && sofar.length >= sofar.readUInt16LE(8),
  )
  if (answer[2] !== BIND_ACK) throw new Error(`not a bind_ack: ${answer.toString('hex')}`)
  // The secondary address, a counted string, is padded so that the results begin at a multiple of four.
  const results = Math.ceil((26 + answer.readUInt16LE(24)) / 4) * 4
  return { result: answer.readUInt16LE(results + 4), reason: answer.readUInt16LE(results + 6) }
}

/** Negotiates SMB 2.0.2 or 2.1 and hangs up (MS-SMB2 2.2.3, 2.2.4). The server's clock, Unix seconds. */
export async function smb2Time(endpoint: Endpoint): Promise<number> {
  const request = Buffer.alloc(4 + 64 + 40)
  request.writeUInt32BE(request.length - 4, 0)
  request.write('fe534d4240', 4, 'hex')
  request.writeUInt16LE(1, 4 + 14)
  request.writeUInt16LE(36, 68)
  request.writeUInt16LE(2, 70)
  request.writeUInt16LE(1, 72)
  request.fill(0x5a, 80, 96)
  request.writeUInt16LE(0x0202, 104)
  request.writeUInt16LE(0x0210, 106)
  const answer = await exchangeTcp(
    endpoint,
    request,
    (sofar) => sofar.length >= 4 && sofar.length >= 4 + sofar.readUInt32BE(0),
  )
  if (answer.readUInt32BE(4) !== 0xfe534d42) throw new Error(`not SMB2: ${answer.toString('hex')}`)
  // FILETIME: 100 ns units since 1601.
  return Number(answer.readBigUInt64LE(4 + 64 + 40) - 116_444_736_000_000_000n) / 1e7
}

export interface SntpAnswer {
  /** 3: the server's clock is not set. */
  readonly leap: number
  readonly stratum: number
  /** The server's transmit timestamp, Unix seconds. */
  readonly unixSeconds: number
}

/** Asks once, as an SNTP client (RFC 5905, mode 3). Rejects after five seconds. */
export async function sntp({ address, port }: Endpoint): Promise<SntpAnswer> {
  const socket = createSocket('udp4')
  try {
    socket.connect(port, address)
    await once(socket, 'connect')
    const request = Buffer.alloc(48)
    request[0] = 0x23
    socket.send(request)
    const [answer] = (await once(socket, 'message', {
      signal: AbortSignal.timeout(ANSWER_MILLISECONDS),
    })) as [Buffer]
    const seconds = answer.readUInt32BE(40) - 2_208_988_800 + answer.readUInt32BE(44) / 2 ** 32
    return { leap: answer.readUInt8(0) >> 6, stratum: answer.readUInt8(1), unixSeconds: seconds }
  } finally {
    socket.close()
  }
}
