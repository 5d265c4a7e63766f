// Answers of a forger who knows much and sends fast: never believed. RFC 5452: he may know the server, its port, ours and
// the question; what he does not know is the id, and which of the question's letters we have asked in the other case.
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest'
import { createIo, type Io } from '../../src/io/io.ts'
import { startDns } from '../../src/lab/dns.ts'
import type { ProbeFailure } from '../../src/model/failure.ts'
import type { Endpoint } from '../../src/model/target.ts'
import { during } from '../during.ts'
import { deadlineOf, LOOPBACK } from '../io/support.ts'
import { startForger, type Forger } from './forger.ts'
import { startDatagramProxy } from './proxy.ts'

const NAME = 'kms01.corp.example'
const TRUE_ADDRESS = '192.0.2.1'
const FORGED_ADDRESS = Buffer.of(203, 0, 113, 66)
const LATE_MILLISECONDS = 200
const QUERIES = 8

function ioOf(): Io {
  const io = createIo()
  onTestFinished(() => io.close())
  return io
}

/** The answer that a forger would like us to believe: the query with one A record to it. */
function forgedAnswer(query: Buffer): Buffer {
  const question = query.subarray(12, query.length - 11)
  const record = Buffer.concat([Buffer.of(0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4), FORGED_ADDRESS])
  const head = Buffer.from(query.subarray(0, 12))
  head.writeUInt16BE(0x8580, 2)
  head.writeUInt32BE(0x0001_0001, 4)
  head.writeUInt32BE(0, 8)
  return Buffer.concat([head, question, record])
}

/** As everybody would write the name. */
function inLowerCase(answer: Buffer): Buffer {
  const lower = Buffer.from(answer)
  for (let at = 12; at < 12 + NAME.length + 2; at++) {
    const byte = lower[at] ?? 0
    if (byte >= 0x41 && byte <= 0x5a) lower[at] = byte | 0x20
  }
  return lower
}

function ofAnotherName(answer: Buffer): Buffer {
  const other = Buffer.from(answer)
  other.write('x', 13)
  return other
}

interface Attack {
  /** In whose name; the server's own unless told. */
  readonly as?: (server: Endpoint) => Endpoint
  readonly ids: 'all' | 'all but the right one' | 'the right one'
  readonly payload: (answer: Buffer) => Buffer
  readonly tcp?: boolean
}

async function attacked(
  context: TestContext,
  attack: Attack,
): Promise<{ io: Io; at: Endpoint; forger: Forger }> {
  const { as = (server) => server, ids, payload, tcp = true } = attack
  const zone = [{ name: NAME, type: 'A', data: TRUE_ADDRESS } as const]
  const good = await during(startDns({ zones: { 'corp.example': zone } }, LOOPBACK))
  let forger: Forger | undefined
  const { at } = await startDatagramProxy(good, {
    lateMilliseconds: LATE_MILLISECONDS,
    tcp,
    heard(query, { port }) {
      const id = query.readUInt16BE(0)
      forger?.flood({
        to: port,
        offset: 0,
        width: ids === 'the right one' ? 0 : 2,
        payload: payload(forgedAnswer(query)),
        ...(ids === 'all but the right one' && { out: id }),
      })
    },
  })
  forger = startForger(context, as(at))
  return { io: ioOf(), at, forger }
}

async function addressesTold({ dns }: Io, at: Endpoint): Promise<readonly string[]> {
  const told: string[] = []
  for (let query = 0; query < QUERIES; query++) {
    const deadline = deadlineOf(5)
    const { reply } = await dns.ask(at, { name: NAME, type: 'A' }, deadline)
    deadline.close()
    told.push(...reply.addresses.map(({ address }) => address))
  }
  return [...new Set(told)]
}

const asItIs = (answer: Buffer): Buffer => answer

describe('no forged answer is believed', () => {
  it.for<[string, Attack]>([
    ['with wrong ids, all else right, as fast as can be', { ids: 'all but the right one', payload: asItIs }],
    ['with every id in turn, the letters not as asked', { ids: 'all', payload: inLowerCase }],
    [
      'with every id in turn, from another port',
      { as: ({ address, port }) => ({ address, port: port ^ 1 }), ids: 'all', payload: asItIs },
    ],
    [
      'with every id in turn, from another address',
      { as: ({ port }) => ({ address: '127.0.0.77', port }), ids: 'all', payload: asItIs },
    ],
    ['with the right id, to another question', { ids: 'the right one', payload: ofAnotherName }],
    ['with the right id, the letters not as asked', { ids: 'the right one', payload: inLowerCase }],
  ])('%s', async ([, attack], context) => {
    const { io, at, forger } = await attacked(context, attack)
    expect(await addressesTold(io, at)).toEqual([TRUE_ADDRESS])
    await expect.poll(() => forger.sent, { timeout: 5_000 }).toBeGreaterThan(1000)
    // Who guesses at the server's own address soon has nobody left to guess at.
    if (attack.as === undefined) expect(io.dns.counts.strays).toBeLessThan(QUERIES * 1000)
  })

  it('where TCP is not to be had either: the true one, or none', async (context) => {
    const { io, at } = await attacked(context, { ids: 'all but the right one', payload: asItIs, tcp: false })
    for (let query = 0; query < QUERIES; query++) {
      const told = await io.dns.ask(at, { name: NAME, type: 'A' }, deadlineOf(2)).then(
        ({ reply }) => reply.addresses.map(({ address }) => address).join(),
        (error: unknown) => (error as ProbeFailure).reason,
      )
      expect([TRUE_ADDRESS, 'resolve_timeout']).toContain(told)
    }
  })
})
