// TCP: connect once, say one thing, read one framed answer. No retry, no happy eyeballs: a probe that hides a
// half-broken host behind a second attempt hides what it was asked to find.
import { Socket } from 'node:net'
import { ProbeFailure } from '../model/failure.ts'
import { formatEndpoint, type Endpoint } from '../model/target.ts'
import { now, secondsBetween, type Clock, type Moment } from './clock.ts'
import type { Deadline } from './deadline.ts'
import { socketFailure } from './errno.ts'

const NOTHING = new Uint8Array(0)
/** No answer that we ask for over plain TCP is longer. */
const MOST_BYTES = 128 * 1024

/** What comes over any socket that is not read as a stream comes in here, and is copied before more can come. */
const landing = Buffer.allocUnsafeSlow(64 * 1024)

export interface Connection {
  readonly endpoint: Endpoint
  readonly socket: Socket
  /** SYN to connected. */
  readonly connectSeconds: number
  /** From now on the socket outlives the deadline. */
  readonly release: () => void
}

/** A connection for one exchange. */
export interface Line extends Connection {
  readonly inbox: Inbox
}

interface Inbox {
  /** The bytes hold until it returns. */
  take: ((bytes: Uint8Array) => void) | undefined
  /** From a peer that speaks unasked; what it says beyond that waits in the kernel. */
  early: Uint8Array
}

export interface Answer {
  readonly bytes: Uint8Array
  readonly sent: Moment
  readonly received: Moment
}

/** How long the message that begins with these bytes is; more than their number while that is not known yet. */
export type Frame = (bytesSoFar: Uint8Array) => number

/** Rejects with ProbeFailure `connect_*`, or `timeout` where no time was left to try. The deadline closes the socket. */
export function connect(endpoint: Endpoint, deadline: Deadline, clock: Clock): Promise<Connection> {
  return open(new Socket(), undefined, endpoint, deadline, clock)
}

/** The same for one exchange: without a stream and buffers for each socket, of which most are read once, a hundred bytes. */
export function dial(endpoint: Endpoint, deadline: Deadline, clock: Clock): Promise<Line> {
  const inbox: Inbox = { take: undefined, early: NOTHING }
  const callback = (length: number): boolean => {
    const bytes = landing.subarray(0, length)
    if (inbox.take === undefined) inbox.early = Buffer.from(bytes)
    else inbox.take(bytes)
    return inbox.take !== undefined
  }
  // But for `onread`, what Socket sets in its own copy of these. What it has to add there has V8 (11.3) make hidden classes
  // for every copy, and with them all sockets outlive the collections of young objects.
  const options = {
    onread: { buffer: landing, callback },
    allowHalfOpen: false,
    emitClose: false,
    autoDestroy: true,
    decodeStrings: false,
  }
  return open(new Socket(options), inbox, endpoint, deadline, clock)
}

function open<I>(
  socket: Socket,
  inbox: I,
  endpoint: Endpoint,
  deadline: Deadline,
  clock: Clock,
): Promise<Connection & { readonly inbox: I }> {
  return new Promise((resolve, reject) => {
    if (deadline.ended) {
      reject(new ProbeFailure('timeout', `${formatEndpoint(endpoint)}: no time was left to connect`))
      return
    }
    const startedAt = clock.monotonicSeconds()
    let connected = false
    socket.on('error', (error) => reject(socketFailure(error, formatEndpoint(endpoint))))
    socket.on('connect', () => {
      connected = true
      const connectSeconds = secondsBetween(startedAt, clock.monotonicSeconds())
      resolve({ endpoint, socket, connectSeconds, release: letGo, inbox })
    })
    const letGo = deadline.own((ending) => {
      socket.destroy()
      // An error costs a stack trace, and every visit ends here.
      if (connected) return
      reject(
        new ProbeFailure(
          ending === 'expired' ? 'connect_timeout' : 'timeout',
          `${formatEndpoint(endpoint)}: no answer to the connection attempt`,
        ),
      )
    })
    socket.on('close', letGo)
    socket.connect(endpoint.port, endpoint.address)
  })
}

/**
 * Sends `request` and resolves with the bytes that `frame` asks for; nothing comes after them, for the connection is
 * closed, however it ends. Rejects with ProbeFailure `timeout`, `connect_reset` (closed or reset before a whole answer)
 * or `too_large`, or with whatever `frame` throws.
 */
export function exchange(
  { socket, endpoint, inbox }: Line,
  request: Uint8Array,
  frame: Frame,
  deadline: Deadline,
  clock: Clock,
): Promise<Answer> {
  const where = formatEndpoint(endpoint)
  return new Promise((resolve, reject) => {
    let buffer: Uint8Array = NOTHING
    let length = 0
    let over = false
    let letGo = (): void => {}
    const sent = now(clock)

    const end = (): void => {
      over = true
      letGo()
      socket.destroy()
    }
    const fail = (failure: unknown): void => {
      end()
      reject(failure)
    }
    const onError = (error: unknown): void => fail(socketFailure(error, where))
    const onEnd = (): void => {
      if (over) return
      fail(new ProbeFailure('connect_reset', `${where}: closed after ${length} bytes of an answer`))
    }
    const onData = (chunk: Uint8Array): void => {
      if (over) return
      // Most answers come in one piece.
      if (length === 0) buffer = Buffer.from(chunk)
      else if (length + chunk.length > buffer.length) {
        const grown = new Uint8Array(
          Math.min(MOST_BYTES * 2, Math.max(buffer.length * 2, length + chunk.length)),
        )
        grown.set(buffer.subarray(0, length))
        buffer = grown
      }
      if (length > 0) buffer.set(chunk.subarray(0, buffer.length - length), length)
      length = Math.min(buffer.length, length + chunk.length)
      try {
        const wanted = frame(buffer.subarray(0, length))
        if (wanted > MOST_BYTES) fail(new ProbeFailure('too_large', `${where}: announces ${wanted} bytes`))
        else if (length >= wanted) {
          const received = now(clock)
          end()
          resolve({ bytes: buffer.subarray(0, wanted), sent, received })
        }
      } catch (malformed) {
        fail(malformed)
      }
    }

    letGo = deadline.own(() =>
      fail(
        new ProbeFailure(
          'timeout',
          `${where}: ${length === 0 ? 'no answer' : `only ${length} bytes of an answer`}`,
        ),
      ),
    )
    if (deadline.ended) return
    // What ended before we listen does not end again.
    if (socket.destroyed || socket.readableEnded) {
      onEnd()
      return
    }
    socket.on('error', onError).on('end', onEnd).on('close', onEnd)
    inbox.take = onData
    socket.write(request)
    if (inbox.early.length > 0) onData(inbox.early)
    socket.resume()
  })
}
