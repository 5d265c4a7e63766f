import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { systemClock } from '../../src/io/clock.ts'
import { askOnce } from '../../src/io/udp.ts'
import { createUdpPool, type UdpPool } from '../../src/io/udp-pool.ts'
import { MalformedMessage } from '../../src/model/failure.ts'
import type { Endpoint } from '../../src/model/target.ts'
import {
  AMPLE_SECONDS,
  closedPort,
  deadlineOf,
  expectHandles,
  failureOf,
  reasonOf,
  udpPeer,
} from './support.ts'

type OnMessage = (message: Buffer, from: RemoteInfo, socket: Socket) => void

/** A server that sees who asks: its endpoint, and its socket. */
async function server(
  onMessage: OnMessage,
  address = '127.0.0.1',
): Promise<{ at: Endpoint; socket: Socket }> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  socket.on('message', (message, from) => onMessage(message, from, socket))
  socket.bind(0, address)
  await once(socket, 'listening')
  onTestFinished(() => void socket.close())
  return { at: { address, port: socket.address().port }, socket }
}

const answer: OnMessage = (message, from, socket) => socket.send(message, from.port, from.address)
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
const PING = Buffer.from('ping')

function pong(bytes: Uint8Array): string {
  if (text(bytes) !== 'pong') throw new MalformedMessage('not the answer', 0)
  return text(bytes)
}

describe('one question over a socket of its own', () => {
  it('ignores what is no answer, and takes the right one after it', async () => {
    const peer = await udpPeer((message, reply) => {
      for (const said of ['', 'nonsense', text(message), 'pong', 'pong', 'more']) reply(Buffer.from(said))
    })
    const { value, sent, received } = await askOnce(peer, PING, pong, deadlineOf(AMPLE_SECONDS), systemClock)
    expect(value).toBe('pong')
    expect(received.monotonicSeconds).toBeGreaterThanOrEqual(sent.monotonicSeconds)
  })

  it('never hears a stranger', async () => {
    const stranger = createSocket('udp4')
    onTestFinished(() => void stranger.close())
    const { at } = await server((_message, from, socket) => {
      stranger.send('pong', from.port, from.address, () => socket.send('not you', from.port, from.address))
    })
    const failure = await failureOf(askOnce(at, PING, pong, deadlineOf(0.2), systemClock))
    expect(failure).toMatchObject({
      reason: 'timeout',
      message: `127.0.0.1:${at.port}: no answer (1 datagrams that do not answer the request)`,
    })
  })

  it('is refused by a closed port, long before the deadline', async () => {
    const deadline = deadlineOf(AMPLE_SECONDS)
    expect(await reasonOf(askOnce(await closedPort(), PING, pong, deadline, systemClock))).toBe(
      'connect_refused',
    )
    expect(deadline.ended).toBe(false)
  })

  it('times out at the deadline', async () => {
    const peer = await udpPeer(() => {})
    const failure = await failureOf(askOnce(peer, PING, pong, deadlineOf(0.1), systemClock))
    expect([failure.reason, failure.message]).toEqual(['timeout', `127.0.0.1:${peer.port}: no answer`])
  })

  it('passes on what is not about the message', async () => {
    const peer = await udpPeer((_message, reply) => reply(PING))
    const defect = new TypeError('a defect')
    const attempt = askOnce(
      peer,
      PING,
      () => {
        throw defect
      },
      deadlineOf(AMPLE_SECONDS),
      systemClock,
    )
    await expect(attempt).rejects.toBe(defect)
  })

  it('leaves no socket, however it ends', async () => {
    await expectHandles({})
    const ended = deadlineOf(AMPLE_SECONDS)
    ended.close()
    const silent = await udpPeer(() => {})
    const talking = await udpPeer((_message, reply) => reply(Buffer.from('pong')))
    const closed = await closedPort()
    const calledOff = deadlineOf(AMPLE_SECONDS)
    const reasons = Promise.all([
      reasonOf(askOnce(silent, PING, pong, ended, systemClock)),
      reasonOf(askOnce(silent, PING, pong, deadlineOf(0.05), systemClock)),
      reasonOf(askOnce(closed, PING, pong, deadlineOf(AMPLE_SECONDS), systemClock)),
      reasonOf(askOnce(silent, PING, pong, calledOff, systemClock)),
      askOnce(talking, PING, pong, deadlineOf(AMPLE_SECONDS), systemClock).then(({ value }) => value),
    ])
    calledOff.close()
    expect(await reasons).toEqual(['timeout', 'timeout', 'connect_refused', 'timeout', 'pong'])
    await Promise.all([silent.stop(), talking.stop()])
    await expectHandles({})
  })
})

function poolOf(): UdpPool {
  const pool = createUdpPool()
  onTestFinished(() => pool.close())
  return pool
}

function query(id: number, what: string): Buffer {
  return Buffer.concat([Buffer.of(id >> 8, id & 0xff), Buffer.from(what, 'latin1')])
}

/** Asks for an echo; whatever else comes back is no answer. */
function echo(pool: UdpPool, at: Endpoint, what = 'x', seconds = AMPLE_SECONDS): Promise<string> {
  return pool.ask(
    at,
    (id) => query(id, what),
    (bytes, id) => {
      if (!query(id, what).equals(bytes)) throw new MalformedMessage('another answer', 0)
      return what
    },
    seconds,
    deadlineOf(AMPLE_SECONDS),
  )
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('the shared sockets', () => {
  it('give everybody the right answer, in whatever order they come', async () => {
    const held: (() => void)[] = []
    const { at } = await server((message, from, socket) => {
      held.push(() => answer(message, from, socket))
      if (held.length === 100) for (const send of held.splice(0).toReversed()) send()
    })
    const pool = poolOf()
    const names = Array.from({ length: 100 }, (_, index) => `name ${index}`)
    expect(await Promise.all(names.map((name) => echo(pool, at, name)))).toEqual(names)
  })

  it('ignore answers from another port, with another id, or too short, and take the right one after them', async () => {
    const forger = createSocket('udp4')
    onTestFinished(() => void forger.close())
    const { at } = await server((message, from, socket) => {
      forger.send(message, from.port, from.address, () => {
        const otherId = Buffer.from(message)
        otherId[1] = ~(otherId[1] ?? 0)
        for (const bytes of [otherId, message.subarray(0, 1), Buffer.alloc(0), message.subarray(0, 2)])
          socket.send(bytes, from.port, from.address)
        setTimeout(() => answer(message, from, socket), 50)
      })
    })
    const startedAt = performance.now()
    expect(await echo(poolOf(), at)).toBe('x')
    expect(performance.now() - startedAt).toBeGreaterThan(45)
  })

  it('never end a query by a forged answer alone', async () => {
    const forger = createSocket('udp4')
    onTestFinished(() => void forger.close())
    const { at } = await server((message, from) => forger.send(message, from.port, from.address))
    expect(await reasonOf(echo(poolOf(), at, 'x', 0.2))).toBe('resolve_timeout')
  })

  it('have no two queries in flight to one server with the same id and source port', async () => {
    const seen: string[] = []
    const { at } = await server((message, from) => seen.push(`${from.port} ${message.readUInt16BE(0)}`))
    const pool = poolOf()
    const asked: Promise<string>[] = []
    for (let round = 0; round < 50; round++) {
      for (let each = 0; each < 40; each++) asked.push(reasonOf(echo(pool, at)))
      await turn()
      await turn()
    }
    pool.close()
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['resolve_timeout']))
    expect(seen.length).toBe(2_000)
    expect(new Set(seen).size).toBe(seen.length)
    expect(new Set(seen.map((each) => each.split(' ')[0])).size).toBeLessThanOrEqual(4)
  })

  it('are replaced after 2,000 queries, and no query is lost over it', async () => {
    const perPort = new Map<number, number>()
    const { at } = await server((message, from, socket) => {
      perPort.set(from.port, (perPort.get(from.port) ?? 0) + 1)
      answer(message, from, socket)
    })
    const pool = poolOf()
    for (let round = 0; round < 100; round++) {
      const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => echo(pool, at, `${index}`)))
      expect(answers).toHaveLength(100)
    }
    expect([...perPort.values()].reduce((sum, count) => sum + count)).toBe(10_000)
    expect(Math.max(...perPort.values())).toBeLessThanOrEqual(2_000)
    expect(perPort.size).toBeGreaterThan(4)
  })

  it('are replaced after five seconds too', async () => {
    const ports = new Set<number>()
    const { at } = await server((message, from, socket) => {
      ports.add(from.port)
      answer(message, from, socket)
    })
    const pool = poolOf()
    const started = performance.now()
    const clock = vi.spyOn(performance, 'now')
    onTestFinished(() => clock.mockRestore())
    for (const seconds of [0, 4, 6, 10, 12]) {
      clock.mockReturnValue(started + seconds * 1000)
      for (let each = 0; each < 50; each++) await echo(pool, at)
      expect(ports.size).toBe(seconds < 6 ? 4 : seconds < 12 ? 8 : 12)
    }
  })

  it('end at once when closed, replaced ones too, and those who wait are told', async () => {
    await expectHandles({})
    const silent = await udpPeer(() => {})
    const talking = await udpPeer((message, reply) => reply(message))
    const pool = createUdpPool()
    const waiting = Array.from({ length: 12 }, () => reasonOf(echo(pool, silent)))
    for (let round = 0; round < 90; round++)
      await Promise.all(Array.from({ length: 100 }, () => echo(pool, talking)))
    waiting.push(reasonOf(echo(pool, silent)))
    const startedAt = performance.now()
    pool.close()
    pool.close()
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['resolve_timeout']))
    expect(performance.now() - startedAt).toBeLessThan(1_000)
    expect(await reasonOf(echo(pool, talking))).toBe('resolve_timeout')
    await Promise.all([silent.stop(), talking.stop()])
    await expectHandles({})
  })

  it('wait as long as they were told, and no longer than the deadline', async () => {
    const silent = await udpPeer(() => {})
    const pool = poolOf()
    const startedAt = performance.now()
    const deadline = deadlineOf(0.1)
    const never = (): never => {
      throw new MalformedMessage('never', 0)
    }
    const failures = await Promise.all([
      failureOf(echo(pool, silent, 'x', 0.1)),
      failureOf(pool.ask(silent, (id) => query(id, 'x'), never, AMPLE_SECONDS, deadline)),
    ])
    expect(failures.map(({ reason }) => reason)).toEqual(['resolve_timeout', 'resolve_timeout'])
    expect(performance.now() - startedAt).toBeLessThan(AMPLE_SECONDS * 500)
    expect(await reasonOf(pool.ask(silent, (id) => query(id, 'x'), never, 1, deadline))).toBe(
      'resolve_timeout',
    )
  })

  it('take a late answer for nothing', async () => {
    const late: (() => void)[] = []
    const { at } = await server((message, from, socket) => late.push(() => answer(message, from, socket)))
    const pool = poolOf()
    expect(await reasonOf(echo(pool, at, 'x', 0.05))).toBe('resolve_timeout')
    for (const send of late) send()
    const second = echo(pool, at, 'y', 0.1)
    expect(await reasonOf(second)).toBe('resolve_timeout')
  })

  it('pass on what is not about the message, and what cannot be encoded', async () => {
    const talking = await udpPeer((message, reply) => reply(message))
    const pool = poolOf()
    const raise = (error: Error) => (): never => {
      throw error
    }
    const ask = (encode: (id: number) => Uint8Array, accept: () => never): Promise<never> =>
      pool.ask(talking, encode, accept, AMPLE_SECONDS, deadlineOf(AMPLE_SECONDS))
    const defect = new TypeError('a defect')
    const unspeakable = new MalformedMessage('no name', 0)
    await expect(ask((id) => query(id, 'x'), raise(defect))).rejects.toBe(defect)
    await expect(ask(raise(unspeakable), raise(defect))).rejects.toBe(unspeakable)
    expect(await echo(pool, talking)).toBe('x')
  })

  it('say why a datagram cannot even be sent', async () => {
    const talking = await udpPeer((message, reply) => reply(message))
    const tooLarge = echo(poolOf(), talking, 'x'.repeat(70_000))
    await expect(tooLarge).rejects.toMatchObject({ message: expect.stringContaining('EMSGSIZE') })
  })

  it('serve IPv6 as well', async () => {
    const { at } = await server(answer, '::1')
    expect(await echo(poolOf(), at)).toBe('x')
  })
})
