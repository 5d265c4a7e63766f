// Peers that misbehave, for every protocol alike: a probe must survive all of them before its deadline.
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { listenTcp, listenUdp } from './listener.ts'
import type { Listener, Where } from './listener.ts'

export const BAD_TCP_PEERS = [
  'silent',
  'hangs_up',
  'resets',
  'garbage',
  'drip',
  'endless',
  'echo',
  'http',
  'half_close',
] as const

export type BadTcpPeer = (typeof BAD_TCP_PEERS)[number]

export interface BadPeerOptions {
  /** What `drip` and `endless` begin with. Unless told, the head of an RPC bind_ack of the greatest length. */
  readonly prefix?: Uint8Array
  /** Milliseconds between two bytes of `drip`; 1000 unless told. */
  readonly dripMilliseconds?: number
}

// bind_ack, first and last fragment, frag_length 65535, call 1.
const PLAUSIBLE_PREFIX = Buffer.from('05000c0310000000ffff000001000000', 'hex')

const BAD_REQUEST =
  'HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'

export async function startBadPeer(
  kind: BadTcpPeer,
  where: Where,
  options: BadPeerOptions = {},
): Promise<Listener> {
  const allowHalfOpen = kind === 'half_close'
  return listenTcp(where, (socket) => misbehave(kind, socket, options), { allowHalfOpen })
}

function misbehave(kind: BadTcpPeer, socket: Socket, options: BadPeerOptions): void {
  const prefix = options.prefix ?? PLAUSIBLE_PREFIX
  // Reading on, even if nobody cares, lets the end of the other side be noticed.
  socket.resume()
  switch (kind) {
    case 'silent':
      return
    case 'hangs_up':
      socket.destroy()
      return
    case 'resets':
      socket.resetAndDestroy()
      return
    case 'garbage':
      socket.write(randomBytes(512))
      socket.on('data', () => socket.write(randomBytes(512)))
      return
    case 'drip':
      drip(socket, prefix, options.dripMilliseconds ?? 1000)
      return
    case 'endless':
      socket.write(prefix)
      flood(socket, randomBytes(1 << 16))
      return
    case 'echo':
      socket.pipe(socket)
      return
    case 'http':
      socket.once('data', () => socket.end(BAD_REQUEST))
      return
    case 'half_close':
      socket.end()
  }
}

/** After the prefix its last byte goes on for ever: a length never reached, a header line never ended. */
function drip(socket: Socket, prefix: Uint8Array, milliseconds: number): void {
  let at = 0
  const timer = setInterval(() => {
    socket.write(Uint8Array.of(prefix[Math.min(at, prefix.length - 1)] ?? 0))
    at += 1
  }, milliseconds)
  socket.on('close', () => clearInterval(timer))
}

function flood(socket: Socket, chunk: Buffer): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(chunk));
  }
  socket.on('drain', more)
  more()
}

export const BAD_UDP_PEERS = ['silent', 'garbage', 'echo', 'wrong_id'] as const

/** `wrong_id` returns the question as a DNS answer with another id. */
export type BadUdpPeer = (typeof BAD_UDP_PEERS)[number]

export async function startBadUdpPeer(kind: BadUdpPeer, where: Where): Promise<Listener> {
  return listenUdp(where, (message, reply) => {
    switch (kind) {
      case 'silent':
        return
      case 'garbage':
        reply(randomBytes(96))
        return
      case 'echo':
        reply(message)
        return
      case 'wrong_id': {
        const answer = Buffer.from(message)
        if (answer.length > 2) {
          answer[0] = ~(answer[0] ?? 0)
          answer[2] = (answer[2] ?? 0) | 0x80
        }
        reply(answer)
      }
    }
  })
}
