// Stands in front of a good server of any protocol and does something to what it says: so that what is wrong is one thing
// at a time, and all else is right. Knows no protocol.
import { createSocket, type RemoteInfo, type Socket as DatagramSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { listenTcp, type Listener } from '../../src/lab/listener.ts'
import type { Endpoint } from '../../src/model/target.ts'
import { LOOPBACK } from '../io/support.ts'

// ---- UDP

interface DatagramOptions {
  /** Hears every question before it is answered. */
  readonly heard?: (question: Buffer, from: RemoteInfo) => void
  /** The datagrams that are sent in place of an answer. */
  readonly tell?: (answer: Buffer, question: Buffer) => readonly Uint8Array[]
  readonly lateMilliseconds?: number
  /** Whether the good server's TCP is to be had on the same port; it is, unless told. */
  readonly tcp?: boolean
}

export async function startDatagramProxy(good: Endpoint, options: DatagramOptions): Promise<Endpoint> {
  const { heard, tell = (answer) => [answer], lateMilliseconds = 0, tcp = true } = options
  const { front, overTcp } = await bindBoth((socket) => {
    const behind = connect(good.port, good.address)
    behind.on('error', () => socket.destroy())
    socket.on('close', () => behind.destroy())
    socket.pipe(behind).pipe(socket)
  })
  if (tcp) onTestFinished(() => overTcp.stop())
  else await overTcp.stop()
  const late = new Set<NodeJS.Timeout>()
  const open = new Set([front])
  onTestFinished(() => {
    for (const timer of late) clearTimeout(timer)
    for (const socket of open) socket.close()
  })
  front.on('message', (question, from) => {
    heard?.(question, from)
    const behind = createSocket('udp4')
    open.add(behind)
    behind.on('message', (answer) => {
      const send = (): void => {
        for (const bytes of tell(answer, question)) front.send(bytes, from.port, from.address)
      }
      late.add(setTimeout(send, lateMilliseconds))
    })
    behind.send(question, good.port, good.address)
  })
  return { address: overTcp.address, port: overTcp.port }
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
      await overTcp.stop()
      if (attempts === 5) throw error
    }
  }
}
