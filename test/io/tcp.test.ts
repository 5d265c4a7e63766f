import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/io/clock.ts'
import { connect, dial, exchange, type Answer, type Frame } from '../../src/io/tcp.ts'
import { startBadPeer, type BadTcpPeer } from '../../src/lab/bad-peer.ts'
import { startFiltered } from '../../src/lab/filtered.ts'
import { MalformedMessage } from '../../src/model/failure.ts'
import type { Endpoint } from '../../src/model/target.ts'
import { during } from '../during.ts'
import {
  AMPLE_SECONDS,
  closedPort,
  deadlineOf,
  expectHandles,
  failureOf,
  LOOPBACK,
  settledHandles,
  reasonOf,
  tcpPeer,
} from './support.ts'

const HELLO = Buffer.from('hello')
/** The first byte says how long the message is. */
const lengthFirst: Frame = (bytes) => bytes[0] ?? 1
const never: Frame = (bytes) => bytes.length + 1
const bad = (kind: BadTcpPeer) => during(startBadPeer(kind, LOOPBACK, { dripMilliseconds: 20 }))

async function ask(endpoint: Endpoint, frame: Frame, seconds = AMPLE_SECONDS): Promise<Answer> {
  const deadline = deadlineOf(seconds)
  const connection = await dial(endpoint, deadline, systemClock)
  return exchange(connection, HELLO, frame, deadline, systemClock)
}

describe('connecting', () => {
  it('measures from SYN to connected', async () => {
    const peer = await tcpPeer(() => {})
    let now = 0
    const clock = { ...systemClock, monotonicSeconds: () => (now += 1.5) }
    const { connectSeconds, endpoint } = await connect(peer, deadlineOf(AMPLE_SECONDS), clock)
    expect([connectSeconds, endpoint]).toEqual([1.5, peer])
  })

  it('is refused by a closed port, long before the deadline', async () => {
    const deadline = deadlineOf(AMPLE_SECONDS)
    const failure = await failureOf(connect(await closedPort(), deadline, systemClock))
    expect(failure.reason).toBe('connect_refused')
    expect(failure.message).toMatch(/^127\.0\.0\.1:\d+: ECONNREFUSED$/)
    expect(deadline.ended).toBe(false)
  })

  it('times out at the deadline, and not before, where a firewall drops', async () => {
    await expectHandles({})
    const filtered = await during(startFiltered(LOOPBACK))
    const before = await settledHandles()
    const deadline = deadlineOf(0.3)
    const startedAt = performance.now()
    expect(await reasonOf(connect(filtered, deadline, systemClock))).toBe('connect_timeout')
    expect(deadline.ended).toBe(true)
    expect(performance.now() - startedAt).toBeGreaterThan(290)
    await expectHandles(before)
  })

  it('called off before its time is not said to have timed out', async () => {
    const filtered = await during(startFiltered(LOOPBACK))
    const deadline = deadlineOf(AMPLE_SECONDS)
    const attempt = reasonOf(connect(filtered, deadline, systemClock))
    deadline.close()
    expect(await attempt).toBe('timeout')
  })

  it('opens nothing once the deadline has ended', async () => {
    let connections = 0
    const peer = await tcpPeer(() => connections++)
    const deadline = deadlineOf(AMPLE_SECONDS)
    deadline.close()
    expect(await reasonOf(connect(peer, deadline, systemClock))).toBe('timeout')
    await once((await connect(peer, deadlineOf(AMPLE_SECONDS), systemClock)).socket.end(), 'close')
    expect(connections).toBe(1)
  })
})

describe('a process that is held up beyond a deadline', () => {
  /** Nothing is heard meanwhile, and no timer runs. */
  const holdUp = (milliseconds: number): void =>
    void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)

  it('hears who answered in time before it calls them silent', async () => {
    const peer = await tcpPeer(() => {})
    const attempt = connect(peer, deadlineOf(0.1), systemClock)
    // The kernel connects them by itself.
    holdUp(300)
    expect((await attempt).endpoint).toMatchObject({ port: peer.port })
  })

  it('says nothing of a peer that it had no time to ask', async () => {
    const filtered = await during(startFiltered(LOOPBACK))
    const deadline = deadlineOf(0.05)
    holdUp(100)
    await new Promise((resolve) => deadline.own(resolve))
    // Not connect_timeout: it was never tried.
    expect(await reasonOf(connect(filtered, deadline, systemClock))).toBe('timeout')
  })
})

describe('an exchange', () => {
  it('gets what was framed, with the moments of sending and receiving', async () => {
    const peer = await tcpPeer((socket) =>
      socket.on('data', (bytes) => socket.write(Buffer.concat([Buffer.of(6), bytes]))),
    )
    const { bytes, sent, received } = await ask(peer, lengthFirst)
    expect(Buffer.from(bytes)).toEqual(Buffer.from('\x06hello'))
    expect(received.monotonicSeconds).toBeGreaterThanOrEqual(sent.monotonicSeconds)
    expect(Math.abs(received.wallSeconds - Date.now() / 1000)).toBeLessThan(60)
  })

  it('puts an answer together that comes byte by byte', async () => {
    const message = Buffer.from([40, ...Array.from({ length: 39 }, (_, index) => index)])
    const peer = await tcpPeer((socket) => void trickle(socket, message))
    const seen: number[] = []
    const { bytes } = await ask(peer, (soFar) => {
      seen.push(soFar.length)
      return lengthFirst(soFar)
    })
    expect(Buffer.from(bytes)).toEqual(message)
    expect(seen.length).toBeGreaterThan(1)
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
  })

  it('leaves alone what comes after the message', async () => {
    const peer = await tcpPeer((socket) => socket.write('\x03ab\x05more'))
    expect(Buffer.from((await ask(peer, lengthFirst)).bytes)).toEqual(Buffer.from('\x03ab'))
  })

  it('takes what a peer says before it is asked for the beginning of its answer', async () => {
    let ours: Socket | undefined
    const peer = await tcpPeer((socket) => void (ours = socket).write('\x06he'))
    const deadline = deadlineOf(AMPLE_SECONDS)
    const line = await dial(peer, deadline, systemClock)
    await vi.waitFor(() => expect(line.inbox.early).toHaveLength(3))
    // This, too, before anybody listens: it stays where it is.
    ours?.write('llo')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(line.inbox.early).toHaveLength(3)
    const { bytes } = await exchange(line, HELLO, lengthFirst, deadline, systemClock)
    expect(Buffer.from(bytes).toString()).toBe('\x06hello')
  })

  it('does not mix what comes at the same time from many', async () => {
    const peers = Array.from({ length: 60 }, async (_, index) => {
      const message = Buffer.alloc(30 + index, index)
      message[0] = message.length
      return { message, peer: await tcpPeer((socket) => void trickle(socket, message)) }
    })
    const answers = await Promise.all(
      peers.map(async (each) => {
        const { message, peer } = await each
        const { bytes } = await ask(peer, lengthFirst)
        // Looked at only after all others have had a turn.
        await new Promise((resolve) => setTimeout(resolve, 100))
        return Buffer.from(bytes).equals(message)
      }),
    )
    expect(new Set(answers)).toEqual(new Set([true]))
  })

  it.each([
    ['answered', '\x03ab', true],
    ['not answered in full', '\x09ab', false],
  ])('%s, closes the connection, and lets go of the deadline', async (_how, said, answered) => {
    let closed: Promise<unknown> | undefined
    const peer = await tcpPeer((socket) => {
      closed = once(socket.resume(), 'close')
      socket.write(said)
      if (!answered) socket.end()
    })
    const deadline = deadlineOf(AMPLE_SECONDS)
    const connection = await dial(peer, deadline, systemClock)
    const attempt = exchange(connection, HELLO, lengthFirst, deadline, systemClock)
    expect(
      await attempt.then(
        () => true,
        () => false,
      ),
    ).toBe(answered)
    expect(connection.socket.destroyed).toBe(true)
    await closed
    expect(deadline.ended).toBe(false)
  })

  it('does not begin once the deadline has ended', async () => {
    const peer = await tcpPeer(() => {})
    const deadline = deadlineOf(AMPLE_SECONDS)
    const connection = await dial(peer, deadline, systemClock)
    deadline.close()
    const attempt = exchange(connection, HELLO, lengthFirst, deadline, systemClock)
    expect(await reasonOf(attempt)).toBe('timeout')
    expect(connection.socket.destroyed).toBe(true)
  })

  it.each([
    ['hangs_up', 0],
    ['resets', 0],
    ['half_close', 0],
    ['http', undefined],
  ] as const)('with a peer that %s ends as connect_reset, not at the deadline', async (kind, got) => {
    const failure = await failureOf(ask(await bad(kind), never))
    expect(failure.reason).toBe('connect_reset')
    if (got !== undefined)
      expect(failure.message).toMatch(/closed after 0 bytes of an answer|ECONNRESET|EPIPE/)
  })

  it('that is broken off midway says after how many bytes', async () => {
    const peer = await tcpPeer((socket) => socket.once('data', () => socket.end('\x0ahalf')))
    const failure = await failureOf(ask(peer, lengthFirst))
    expect([failure.reason, failure.message]).toEqual([
      'connect_reset',
      `127.0.0.1:${peer.port}: closed after 5 bytes of an answer`,
    ])
  })

  it('over a connection that the peer ended meanwhile does not wait for the deadline', async () => {
    for (const how of ['destroy', 'resetAndDestroy', 'end'] as const) {
      let ours: Socket | undefined
      const peer = await tcpPeer((socket) => (ours = socket), { allowHalfOpen: true })
      const deadline = deadlineOf(AMPLE_SECONDS)
      const connection = await dial(peer, deadline, systemClock)
      await vi.waitFor(() => expect(ours).toBeDefined())
      const gone = new Promise((resolve) =>
        connection.socket.resume().on('end', resolve).on('close', resolve),
      )
      ours?.[how]()
      await gone
      const attempt = exchange(connection, HELLO, lengthFirst, deadline, systemClock)
      expect([how, await reasonOf(attempt), deadline.ended]).toEqual([how, 'connect_reset', false])
    }
  })

  it('times out at the deadline when the peer is silent, or not done', async () => {
    const silent = await failureOf(ask(await bad('silent'), lengthFirst, 0.2))
    expect(silent).toMatchObject({ reason: 'timeout', message: expect.stringMatching(/: no answer$/) })
    const drip = await failureOf(ask(await bad('drip'), never, 0.2))
    expect(drip).toMatchObject({ reason: 'timeout', message: expect.stringMatching(/: only \d+ bytes/) })
  })

  it('with an endless peer ends at the message, or at the bound, with bounded memory', async () => {
    const peer = await bad('endless')
    const before = process.memoryUsage()
    expect((await ask(peer, () => 65_535)).bytes).toHaveLength(65_535)
    expect(await reasonOf(ask(peer, never))).toBe('too_large')
    expect(await reasonOf(ask(peer, () => 1 << 20))).toBe('too_large')
    expect(await reasonOf(ask(peer, () => Infinity))).toBe('too_large')
    const after = process.memoryUsage()
    expect(after.rss - before.rss).toBeLessThan(64 * 2 ** 20)
  })

  it('passes on what the framing throws', async () => {
    const malformed = new MalformedMessage('not ours', 3)
    const attempt = ask(await bad('garbage'), () => {
      throw malformed
    })
    await expect(attempt).rejects.toBe(malformed)
  })
})

it('the deadline takes every socket with it', async () => {
  await expectHandles({})
  const sockets: Socket[] = []
  const peer = await tcpPeer((socket) => {
    sockets.push(socket)
    if (sockets.length % 2 === 0) socket.write('\x02a')
  })
  const deadline = deadlineOf(AMPLE_SECONDS)
  const outcomes = await Promise.all(
    Array.from({ length: 10 }, async () => dial(peer, deadline, systemClock)),
  )
  const waiting = outcomes.map((connection) =>
    exchange(connection, HELLO, lengthFirst, deadline, systemClock).then(
      () => 'answered',
      () => 'not answered',
    ),
  )
  await Promise.race(waiting)
  deadline.close()
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['answered', 'not answered']))
  expect(outcomes.map(({ socket }) => socket.destroyed)).toEqual(outcomes.map(() => true))
  await peer.stop()
  await expectHandles({})
})

async function trickle(socket: Socket, message: Uint8Array): Promise<void> {
  for (const byte of message) {
    await new Promise((resolve) => socket.write(Uint8Array.of(byte), resolve))
    await new Promise((resolve) => setImmediate(resolve))
  }
}
