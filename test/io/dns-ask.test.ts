// When one server's UDP answers are not taken at their word, and what comes of it: TCP, where there is some.
import { expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/io/clock.ts'
import { createResolver, type Resolver } from '../../src/io/dns.ts'
import { createUdpPool } from '../../src/io/udp-pool.ts'
import { startDns } from '../../src/lab/dns.ts'
import type { Endpoint } from '../../src/model/target.ts'
import { during } from '../during.ts'
import { startDatagramProxy } from '../hostile/proxy.ts'
import { AMPLE_SECONDS, deadlineOf, failureOf, LOOPBACK } from './support.ts'

const NAME = 'kms01.corp.example'
const LETTERS = /[a-z]/gi

function resolverOf(): Resolver {
  const pool = createUdpPool()
  onTestFinished(() => pool.close())
  return createResolver(pool, systemClock)
}

interface Server {
  readonly at: Endpoint
  /** The name as it was asked, question by question. */
  readonly asked: string[]
}

/** The lab's server, whose UDP answers become what `tell` makes of them. */
async function serverThat(tell: (answer: Buffer) => readonly Buffer[], tcp = true): Promise<Server> {
  const zones = { 'corp.example': [{ name: NAME, type: 'A', data: '192.0.2.1' } as const] }
  const good = await during(startDns({ zones }, LOOPBACK))
  const asked: string[] = []
  const heard = (question: Buffer): number => asked.push(question.toString('latin1', 13, 13 + NAME.length))
  const { at } = await startDatagramProxy(good, { heard, tell, tcp })
  return { at, asked }
}

async function addressesAt({ at }: Server, resolver: Resolver): Promise<readonly string[]> {
  const { reply } = await resolver.ask(at, { name: NAME, type: 'A' }, deadlineOf(AMPLE_SECONDS))
  return reply.addresses.map(({ address }) => address)
}

function inLowerCase(answer: Buffer): Buffer {
  const lower = Buffer.from(answer)
  lower.write(answer.toString('latin1', 12, 13 + NAME.length).toLowerCase(), 12, 'latin1')
  return lower
}

function withOtherId(answer: Buffer, by: number): Buffer {
  const other = Buffer.from(answer)
  other.writeUInt16BE((answer.readUInt16BE(0) + by) & 0xffff, 0)
  return other
}

it('every question is written otherwise', async () => {
  const server = await serverThat((answer) => [answer])
  const resolver = resolverOf()
  for (let query = 0; query < 20; query++) expect(await addressesAt(server, resolver)).toEqual(['192.0.2.1'])
  expect(new Set(server.asked.map((name) => name.replaceAll('\x05', '.').toLowerCase())).size).toBe(1)
  // Of 15 letters: that two of twenty are written alike happens once in 170 times, that three are never.
  expect(new Set(server.asked).size).toBeGreaterThanOrEqual(18)
  const capitals = server.asked.join('').match(/[A-Z]/g)?.length ?? 0
  expect(capitals / (server.asked.join('').match(LETTERS)?.length ?? 1)).toBeGreaterThan(0.3)
  expect(resolver.counts).toEqual({ strays: 0, overTcp: { cut_off: 0, strays: 0, case: 0 } })
})

it('a server that gives the question back in lower case is asked over TCP', async () => {
  const server = await serverThat((answer) => [inLowerCase(answer)])
  const resolver = resolverOf()
  for (let query = 0; query < 3; query++) expect(await addressesAt(server, resolver)).toEqual(['192.0.2.1'])
  expect(resolver.counts.overTcp.case).toBe(3)
})

it('where it has no TCP, it is taken as it is, and asked in lower case from then on', async () => {
  const server = await serverThat((answer) => [inLowerCase(answer)], false)
  const resolver = resolverOf()
  for (let query = 0; query < 3; query++) expect(await addressesAt(server, resolver)).toEqual(['192.0.2.1'])
  expect(resolver.counts.overTcp.case).toBe(1)
  expect(server.asked.slice(1).join('')).toBe(server.asked.slice(1).join('').toLowerCase())
})

it('three wrong answers are passed over, the fourth has TCP asked', async () => {
  const resolver = resolverOf()
  const wrong = (answer: Buffer, count: number): Buffer[] =>
    Array.from({ length: count }, (_, index) => withOtherId(answer, index + 1))
  const three = await serverThat((answer) => [...wrong(answer, 3), answer])
  expect(await addressesAt(three, resolver)).toEqual(['192.0.2.1'])
  expect(resolver.counts).toMatchObject({ strays: 3, overTcp: { strays: 0 } })
  const four = await serverThat((answer) => [...wrong(answer, 4), answer])
  expect(await addressesAt(four, resolver)).toEqual(['192.0.2.1'])
  expect(resolver.counts.overTcp.strays).toBe(1)
})

it('an answer that comes twice, or late, is nobody’s guess', async () => {
  const resolver = resolverOf()
  const twice = await serverThat((answer) => Array.from({ length: 10 }, () => answer))
  for (let query = 0; query < 5; query++) expect(await addressesAt(twice, resolver)).toEqual(['192.0.2.1'])
  expect(resolver.counts).toEqual({ strays: 0, overTcp: { cut_off: 0, strays: 0, case: 0 } })
})

it('without TCP, too many wrong answers are no answer, and it is said how many there were', async () => {
  const server = await serverThat(
    (answer) => Array.from({ length: 4 }, (_, index) => withOtherId(answer, index + 1)),
    false,
  )
  const resolver = resolverOf()
  const failure = await failureOf(
    resolver.ask(server.at, { name: NAME, type: 'A' }, deadlineOf(AMPLE_SECONDS)),
  )
  expect(failure.reason).toBe('resolve_timeout')
  expect(failure.message).toMatch(
    /no answer \(4 datagrams that do not answer the query\); over TCP: .*ECONNREFUSED/,
  )
})
