// Probes asked by tests of bad peers: a table of what is wrong, all at once, and in what words each of it ends; besides a
// good peer that is asked meanwhile. Within time, within memory, and without a socket or a timer left.
import type { Socket } from 'node:net'
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
import {
  after,
  afterQuestion,
  atOnce,
  deaf,
  drip,
  dripped,
  edited,
  end,
  flood,
  relay,
  reset,
  silence,
  startDatagramProxy,
  startStreamProxy,
  type Act,
  type DatagramOptions,
  type Mischief,
  type Peer,
} from './proxy.ts'

/** Generous: the machine may be busy, and test/contract.test.ts is strict. */
const MOST_OVER_SECONDS = 10
const MOST_GROWTH_BYTES = 128 * 2 ** 20
const MOST_RESIDENT_GROWTH_BYTES = 512 * 2 ** 20
/** What is met by waiting is not waited for long; all else has time, for everything is asked at once. */
const WAITS = /timeout|silent|cut off/
const WAITED_SECONDS = 1.5
const TIMEOUT_SECONDS = 20

export function taskOf(probe: ProbeName, document: object): Task {
  const estate = estateOf(schema.parse(document), { resolvers: [], searchDomains: [] }, [])
  const [task, ...others] = plan(estate, [probes[probe]])
  if (task === undefined || others.length > 0) throw new Error(`not one task of ${probe}`)
  return task
}

interface Growth<T> {
  readonly value: T
  readonly bytes: number
  /** Of the process, with what libraries hold outside JavaScript's memory, and what is garbage. */
  readonly residentBytes: number
}

/** The most memory that was in use while `work` went on, over what was in use before. */
export async function growthDuring<T>(work: () => Promise<T>): Promise<Growth<T>> {
  const residentBefore = process.memoryUsage.rss()
  let mostResident = residentBefore
  const inUse = (): number => {
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = inUse()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, inUse())
    mostResident = Math.max(mostResident, process.memoryUsage.rss())
  }, 5)
  try {
    const value = await work()
    return { value, bytes: Math.max(most, inUse()) - before, residentBytes: mostResident - residentBefore }
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
  /** Twenty, unless a good answer takes all the time that it gets. */
  readonly timeoutSeconds?: number
}

interface Asked {
  readonly word: string
  readonly detail: string
}

/** How what is wrong ends: a reason of failure, or a word for the reading. */
export type Word = string | RegExp

/** What is wrong, by name: who does it, and how it ends. */
export type Wrongs = Readonly<Record<string, readonly [start: () => Promise<Peer>, ends: Word]>>

export async function expectEnds<Name extends ProbeName>(way: Way<Name>, wrongs: Wrongs): Promise<void> {
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
    const { probe, target, ...task } = taskOf(way.probe, way.document(at))
    const patient = { ...target, timeoutSeconds: mostSeconds }
    const result = await run({ ...task, probe, target: patient }, { io, log })
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

  const rows = Object.entries(wrongs)
  try {
    for (const [, [start]] of rows) started.push(await start())
    const { value, bytes, residentBytes } = await growthDuring(async () => {
      const good = ask('good', way.good, timeoutSeconds)
      const ends = rows.map(async ([name, [, word]], index) => {
        const seconds = WAITS.test(String(word)) ? WAITED_SECONDS : timeoutSeconds
        const { word: end } = await ask(name, started[index]?.at ?? way.good, seconds)
        return [name, end] as const
      })
      return { ends: Object.fromEntries(await Promise.all(ends)), good: await good }
    })
    expect(value.good, 'of the good peer, asked meanwhile').toEqual({ word: 'good', detail: '' })
    expect(breaches).toEqual([])
    expect(bytes).toBeLessThan(MOST_GROWTH_BYTES)
    expect(residentBytes).toBeLessThan(MOST_RESIDENT_GROWTH_BYTES)
    const expected = rows.map(([name, [, word]]) => [
      name,
      typeof word === 'string' ? word : expect.stringMatching(word),
    ])
    expect(value.ends).toEqual(Object.fromEntries(expected))
  } finally {
    io.close()
    await Promise.all(started.map((peer) => peer.stop()))
    await expectHandles(before, LEFT_OPEN)
  }
}

export function streams(
  good: Endpoint,
  mischiefs: Readonly<Record<string, readonly [Mischief, Word]>>,
): Wrongs {
  const start = (mischief: Mischief) => async (): Promise<Peer> => {
    const proxy = await startStreamProxy(good, mischief)
    return { at: proxy, stop: () => proxy.stop() }
  }
  return Object.fromEntries(
    Object.entries(mischiefs).map(([name, [mischief, word]]) => [name, [start(mischief), word]]),
  )
}

export function datagrams(
  good: Endpoint,
  tells: Readonly<Record<string, readonly [NonNullable<DatagramOptions['tell']>, Word]>>,
  options: DatagramOptions = {},
): Wrongs {
  return Object.fromEntries(
    Object.entries(tells).map(([name, [tell, word]]) => [
      name,
      [() => startDatagramProxy(good, { ...options, tell }), word],
    ]),
  )
}

/** What every protocol over TCP meets; in what words that ends differs. */
export function usual(
  good: Endpoint,
  ends: Readonly<Record<'silent' | 'closed' | 'zeros', string>> & { readonly afterwards?: Word },
): Wrongs {
  const { silent, closed, zeros, afterwards = 'good' } = ends
  const asItIs = (answer: Buffer): Buffer => answer
  return streams(good, {
    'nothing at all': [atOnce(silence), silent],
    'no reading': [atOnce(deaf), silent],
    'a good answer, a byte at a time': [dripped(150), silent],
    'zeros, a byte at a time': [
      afterQuestion(drip([Buffer.of(0)], 50)),
      new RegExp(`^(?:${silent}|${zeros})$`),
    ],
    'zeros without end': [afterQuestion(flood(Buffer.alloc(65_536))), zeros],
    'zeros before the question': [
      atOnce(flood(Buffer.alloc(65_536))),
      new RegExp(`^(?:${zeros}|connect_reset)$`),
    ],
    // Before or after the connection stands, as the client sees it.
    'a reset at once': [atOnce(reset), new RegExp(`^(?:${closed}|connect_reset)$`)],
    'a reset after the question': [afterQuestion(reset), closed],
    'a FIN at once, reading on': [atOnce(end), closed],
    'a FIN after the question, reading on': [afterQuestion(end), closed],
    'a good answer, and a FIN': [edited(asItIs, end), afterwards],
    'a good answer, and a reset': [edited(asItIs, reset), afterwards],
    'a good answer, and a flood behind it': [edited(asItIs, flood(Buffer.alloc(65_536))), afterwards],
  })
}

interface CutOptions {
  /** Of the last bytes, so many that a whole answer is whole without them; none unless told. */
  readonly spare?: number
  /** About so many places; 200 unless told. */
  readonly most?: number
  /** Brings a peer into the shape in which it is asked. */
  readonly through?: (start: () => Promise<Peer>) => Promise<Peer>
}

/** The same act at one byte of the answer after another. */
export async function cuts<Name extends ProbeName>(
  way: Way<Name>,
  act: Act,
  word: Word,
  { most, spare = 0, through = (start) => start() }: CutOptions = {},
): Promise<Wrongs> {
  const orWhole = new RegExp(`^good$|${typeof word === 'string' ? word : word.source}`)
  const length = await lengthOfAnswer(way, through)
  const rows = offsets(length, most).map(
    (cut) => [`${cut} of ${length}`, [after(cut, act), cut >= length - spare ? orWhole : word]] as const,
  )
  return streams(way.good, Object.fromEntries(rows))
}

/** How many bytes a good server says on the first connection of a visit. */
async function lengthOfAnswer<Name extends ProbeName>(
  way: Way<Name>,
  through: NonNullable<CutOptions['through']>,
): Promise<number> {
  let length = 0
  let first: Socket | undefined
  const mischief: Mischief = (client, server) => {
    first ??= client
    relay(client, server)
    server.on('data', (chunk) => (length += first === client ? chunk.length : 0))
  }
  const whole = async (): Promise<Peer> => {
    const proxy = await startStreamProxy(way.good, mischief)
    return { at: proxy, stop: () => proxy.stop() }
  }
  await expectEnds(way, { whole: [() => through(whole), 'good'] })
  return length
}

/** Every offset, or about `most` of them, the first and the last few among them. */
function offsets(length: number, most = 200): readonly number[] {
  const step = Math.max(1, Math.floor(length / most))
  const all = Array.from({ length }, (_, offset) => offset)
  return all.filter((offset) => offset % step === 0 || offset < 20 || offset > length - 20)
}
