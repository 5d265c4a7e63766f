// Sockets for the lab's tests: sends bytes, collects what comes back. Shares no code with the lab or the product.
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'

interface Where {
  readonly address: string
  readonly port: number
}

/** What a TCP peer did with a connection. */
export interface Conversation {
  readonly received: Buffer
  /** `open`: still connected when we had enough. */
  readonly end: 'open' | 'closed' | 'refused' | 'reset' | 'hangs'
}

export interface TalkOptions {
  /** Stop as soon as so many bytes are there. */
  readonly enough?: number | 'one RPC fragment'
  readonly patienceMilliseconds?: number
  /** Send one byte at a time. */
  readonly split?: boolean
}

export function talk(where: Where, bytes: Uint8Array, options: TalkOptions = {}): Promise<Conversation> {
  return new Promise((resolve) => {
    const socket = connect({ host: where.address, port: where.port, noDelay: true })
    const chunks: Buffer[] = []
    let receivedBytes = 0
    let connected = false
    const finish = (end: Conversation['end']): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ received: Buffer.concat(chunks), end })
    }
    const enough = (): boolean => {
      if (options.enough !== 'one RPC fragment') return receivedBytes >= (options.enough ?? Infinity)
      const start = Buffer.concat(chunks)
      return start.length >= 16 && start.length >= start.readUInt16LE(8)
    }
    const timer = setTimeout(() => finish(connected ? 'open' : 'hangs'), options.patienceMilliseconds ?? 3000)
    socket.on('connect', () => {
      connected = true
      if (bytes.length === 0) return
      if (options.split) for (const byte of bytes) socket.write(Uint8Array.of(byte))
      else socket.write(bytes)
    })
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      receivedBytes += chunk.length
      if (enough()) finish('open')
    })
    socket.on('error', (error) =>
      finish('code' in error && error.code === 'ECONNREFUSED' ? 'refused' : 'reset'),
    )
    socket.on('end', () => finish('closed'))
    socket.on('close', () => finish('closed'))
  })
}

/** The first datagram that comes back, or nothing. */
export function ask(
  where: Where,
  bytes: Uint8Array,
  patienceMilliseconds = 3000,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    const finish = (answer?: Buffer): void => {
      clearTimeout(timer)
      socket.close()
      resolve(answer)
    }
    const timer = setTimeout(() => finish(), patienceMilliseconds)
    socket.on('message', (message) => finish(message))
    socket.send(bytes, where.port, where.address)
  })
}

export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
}

export const LOOPBACK: Where = { address: '127.0.0.1', port: 0 }
