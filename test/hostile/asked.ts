// Probes asked by tests of bad peers: a table of what is wrong, all at once, and in what words each of it ends; besides a
// good peer that is asked meanwhile. Within time, within memory, and without a socket or a timer left.
import { expect } from 'vitest'
import { schema } from '../../src/config/schema.ts'
import { estateOf } from '../../src/config/targets.ts'
import { plan, type Task } from '../../src/engine/plan.ts'
import { run } from '../../src/engine/run.ts'
import { createIo } from '../../src/io/io.ts'
import { REASONS } from '../../src/model/failure.ts'
import { silentLog } from '../../src/model/log.ts'
import type { Endpoint } from '../../src/model/target.ts'
import { probes, type ProbeName, type ResultOf } from '../../src/probes/index.ts'
import { expectHandles, settledHandles } from '../io/support.ts'
import { counted, startStreamProxy, type Mischief } from './proxy.ts'

const MOST_OVER_SECONDS = 1.5
const MOST_GROWTH_BYTES = 128 * 2 ** 20
/** Time for all at once on a busy machine, and little to wait for where waiting is all there is. */
const TIMEOUT_SECONDS = 1.5
const GOOD_TIMEOUT_SECONDS = 6

export function taskOf(probe: ProbeName, document: object): Task {
  const estate = estateOf(schema.parse(document), { resolvers: [], searchDomains: [] }, [])
  const [task, ...others] = plan(estate, [probes[probe]])
  if (task === undefined || others.length > 0) throw new Error(`not one task of ${probe}`)
  return task
}

/** The most memory that was in use while `work` went on, over what was in use before. */
export async function growthDuring<T>(work: () => Promise<T>): Promise<{ value: T; bytes: number }> {
  const inUse = (): number => {
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = inUse()
  let most = before
  const timer = setInterval(() => (most = Math.max(most, inUse())), 5)
  try {
    return { value: await work(), bytes: Math.max(most, inUse()) - before }
  } finally {
    clearInterval(timer)
  }
}

export const LEFT_OPEN = /TCP|UDP|TLS|Connect|SendWrap|WriteWrap|Timeout|Immediate/

/** A way to ask: which probe, how it is led to a peer, and what its reading says in one word (`good` is good). */
export interface Way<Name extends ProbeName> {
  readonly probe: Name
  readonly document: (at: Endpoint) => object
  readonly word: (reading: NonNullable<ResultOf<Name>['reading']>) => string
  readonly good: Endpoint
  readonly timeoutSeconds?: number
}

interface Asked {
  readonly word: string
  readonly detail: string
}

interface Peer {
  readonly at: Endpoint
  readonly stop: () => Promise<void>
}

/** A name of what is wrong, and who does it. */
export type Wrongs = Readonly<Record<string, () => Promise<Peer>>>

/** How each ends: a reason of failure, or a word for the reading. */
export async function endsOf<Name extends ProbeName>(
  way: Way<Name>,
  wrongs: Wrongs,
): Promise<Readonly<Record<string, string>>> {
  const before = await settledHandles()
  const started: Peer[] = []
  const io = createIo()
  const breaches: string[] = []
  const { timeoutSeconds = TIMEOUT_SECONDS } = way

  async function ask(name: string, at: Endpoint, mostSeconds: number): Promise<Asked> {
    const log = {
      ...silentLog,
      error: (_fields: unknown, message: string) => breaches.push(`${name}: ${message}`),
    }
    const startedAt = performance.now()
    const result = await run(taskOf(way.probe, way.document(at)), { io, log, mostSeconds })
    const seconds = (performance.now() - startedAt) / 1000
    if (seconds > mostSeconds + MOST_OVER_SECONDS) breaches.push(`${name}: took ${seconds} s`)
    if (result.failure === undefined)
      return { word: way.word(result.reading as NonNullable<ResultOf<Name>['reading']>), detail: '' }
    const { reason, detail } = result.failure
    if (!REASONS.includes(reason) || reason === 'internal_error')
      breaches.push(`${name}: ${reason}: ${detail}`)
    if (detail === '') breaches.push(`${name}: ${reason}, without a word to it`)
    return { word: reason, detail }
  }

  const names = Object.keys(wrongs)
  try {
    for (const start of Object.values(wrongs)) started.push(await start())
    const { value, bytes } = await growthDuring(async () => {
      const good = ask('good', way.good, GOOD_TIMEOUT_SECONDS)
      const ends = await Promise.all(
        started.map(({ at }, index) => ask(names[index] ?? '', at, timeoutSeconds)),
      )
      return { ends, good: await good }
    })
    expect(value.good, 'of the good peer, asked meanwhile').toEqual({ word: 'good', detail: '' })
    expect(breaches).toEqual([])
    expect(bytes).toBeLessThan(MOST_GROWTH_BYTES)
    return Object.fromEntries(names.map((name, index) => [name, value.ends[index]?.word ?? '']))
  } finally {
    io.close()
    await Promise.all(started.map((peer) => peer.stop()))
    await expectHandles(before, LEFT_OPEN)
  }
}

/** Wrongs of a stream. */
export function streams(good: Endpoint, mischiefs: Readonly<Record<string, Mischief>>): Wrongs {
  return Object.fromEntries(
    Object.entries(mischiefs).map(([name, mischief]) => [
      name,
      async () => {
        const proxy = await startStreamProxy(good, mischief)
        return { at: proxy, stop: () => proxy.stop() }
      },
    ]),
  )
}

/** How many bytes a good server says in one visit. */
export async function lengthOfAnswer<Name extends ProbeName>(way: Way<Name>): Promise<number> {
  let length = 0
  const ends = await endsOf(way, streams(way.good, { whole: counted((bytes) => (length += bytes)) }))
  expect(ends).toEqual({ whole: 'good' })
  return length
}

/** Every offset, or about `most` of them, the first and the last few among them. */
export function offsets(length: number, most = 400): readonly number[] {
  const step = Math.max(1, Math.floor(length / most))
  const all = Array.from({ length }, (_, offset) => offset)
  return all.filter((offset) => offset % step === 0 || offset < 20 || offset > length - 20)
}
