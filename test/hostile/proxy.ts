// Stands in front of a good server of any protocol and does something to what it says: so that what is wrong is one thing
// at a time, and all else is right. Knows no protocol.
import { createSocket, type RemoteInfo, type Socket as DatagramSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { listenTcp, type Listener } from '../../src/lab/listener.ts'
import type { Endpoint } from '../../src/model/target.ts'
import { LOOPBACK } from '../io/support.ts'

/** `stop` may be called more than once. */
export interface Peer {
  readonly at: Endpoint
  readonly stop: () => Promise<void>
}

// ---- UDP

export interface DatagramOptions {
  /** Hears every question before it is answered. */
  readonly heard?: (question: Buffer, from: RemoteInfo) => void
  /** The datagrams that are sent in place of an answer. */
  readonly tell?: (answer: Buffer, question: Buffer) => readonly Uint8Array[]
  readonly lateMilliseconds?: number
  /** Whether the good server's TCP is to be had on the same port; it is, unless told. */
  readonly tcp?: boolean
}

export async function startDatagramProxy(good: Endpoint, options: DatagramOptions): Promise<Peer> {
  const { heard, tell = (answer) => [answer], lateMilliseconds = 0, tcp = true } = options
  const { front, overTcp } = await bindBoth((socket) => {
    const behind = connect(good.port, good.address)
    behind.on('error', () => socket.destroy())
    socket.on('close', () => behind.destroy())
    socket.pipe(behind).pipe(socket)
  })
  if (!tcp) await overTcp.stop()
  const late = new Set<NodeJS.Timeout>()
  const open = new Set([front])
  const stop = async (): Promise<void> => {
    for (const timer of late) clearTimeout(timer)
    for (const socket of open) socket.close()
    open.clear()
    if (tcp) await overTcp.stop()
  }
  onTestFinished(stop)
  front.on('message', (question, from) => {
    heard?.(question, from)
    const behind = createSocket('udp4')
    open.add(behind)
    behind.on('message', (answer) => {
      const send = (): void => {
        for (const bytes of tell(answer, question)) front.send(bytes, from.port, from.address)
      }
      if (lateMilliseconds === 0) send()
      else late.add(setTimeout(send, lateMilliseconds))
    })
    behind.send(question, good.port, good.address)
  })
  return { at: { address: overTcp.address, port: overTcp.port }, stop }
}

/** A port that is free over TCP may be taken over UDP. */
async function bindBoth(
  onConnection: (socket: Socket) => void,
): Promise<{ front: DatagramSocket; overTcp: Listener }> {
  for (let attempts = 1; ; attempts++) {
    const overTcp = await listenTcp(LOOPBACK, onConnection)
    const front = createSocket('udp4').bind(overTcp.port, overTcp.address)
    try {
      await once(front, 'listening')
      return { front, overTcp }
    } catch (error) {
      front.close()
      await overTcp.stop()
      if (attempts === 5) throw error
    }
  }
}

// ---- TCP

/** What becomes of a client's connection from now on. */
export type Act = (client: Socket) => void

/** A connection of a client, with one to the good server behind it; nothing passes but what the mischief passes on. */
export type Mischief = (client: Socket, server: Socket) => void

export const reset: Act = (client) => void client.resetAndDestroy()
/** FIN, and goes on reading. */
export const end: Act = (client) => void client.end()
/** Says nothing more, and goes on reading. */
export const silence: Act = () => {}
/** Says nothing more, and stops reading. */
export const deaf: Act = (client) => void client.pause()

/** As fast as the socket takes it, for ever. */
export function flood(chunk: Uint8Array): Act {
  return (client) => {
    const more = (): void => {
      while (!client.destroyed && client.writable && client.write(chunk));
    }
    client.on('drain', more)
    more()
  }
}

export function say(bytes: Uint8Array | string, then: Act = silence): Act {
  return (client) => {
    client.write(bytes)
    then(client)
  }
}

/** A piece every so many milliseconds; the last one for ever. */
export function drip(pieces: Iterable<Uint8Array | string>, milliseconds: number): Act {
  return (client) => {
    const iterator = pieces[Symbol.iterator]()
    let piece: Uint8Array | string = ''
    const timer = setInterval(() => {
      const next = iterator.next()
      if (next.done !== true) piece = next.value
      client.write(piece)
    }, milliseconds)
    client.on('close', () => clearInterval(timer))
  }
}

/** One byte at a time. */
export function bytesOf(bytes: Uint8Array | string): readonly Uint8Array[] {
  return Array.from(Buffer.from(bytes), (byte) => Uint8Array.of(byte))
}

/** All of it, as it is. */
export const relay: Mischief = (client, server) => {
  client.on('data', (chunk) => server.write(chunk))
  server.on('data', (chunk) => client.write(chunk))
}

/** Before a word was heard. */
export const atOnce =
  (act: Act): Mischief =>
  (client) =>
    act(client)

export const afterQuestion =
  (act: Act): Mischief =>
  (client) =>
    void client.once('data', () => act(client))

/** So many bytes of what the server says, and then the act. */
export const after =
  (bytes: number, act: Act): Mischief =>
  (client, server) => {
    let left = bytes
    client.on('data', (chunk) => server.write(chunk))
    server.on('data', (chunk: Buffer) => {
      if (left < 0) return
      client.write(chunk.subarray(0, left))
      left -= chunk.length
      if (left > 0) return
      left = -1
      act(client)
    })
  }

/** The answers, each turned into something else; they come in one piece, as the lab sends them. */
export const edited =
  (edit: (answer: Buffer, nth: number) => Uint8Array, then: Act = silence): Mischief =>
  (client, server) => {
    let nth = 0
    client.on('data', (chunk) => server.write(chunk))
    server.on('data', (chunk: Buffer) => say(edit(chunk, nth++), then)(client))
  }

/** The good answers, a byte at a time. */
export const dripped =
  (milliseconds: number): Mischief =>
  (client, server) => {
    client.on('data', (chunk) => server.write(chunk))
    server.once('data', (chunk: Buffer) => drip(bytesOf(chunk), milliseconds)(client))
  }

export async function startStreamProxy(good: Endpoint, mischief: Mischief): Promise<Listener> {
  const proxy = await listenTcp(
    LOOPBACK,
    (client) => {
      const server = connect({ host: good.address, port: good.port, noDelay: true })
      server.on('error', () => {})
      client.on('close', () => server.destroy())
      client.resume()
      mischief(client, server)
    },
    { allowHalfOpen: true },
  )
  onTestFinished(() => proxy.stop())
  return proxy
}
