// A log that whatever can happen to happens to, against its reader: nothing is counted twice; what is not counted is in
// `lost`, exactly, as long as its numbers go on; and whatever happens, `lostAtSeconds` says that something may be missing.
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Deadline } from '../../src/io/deadline.ts'
import { emptyActivity, type LogState } from '../../src/kms/activity.ts'
import { stateFrom, stateJson } from '../../src/kms/activity-file.ts'
import { readOn } from '../../src/probes/event-log.ts'
import { readLogFiles, type LogRecord } from '../../src/probes/event-records.ts'
import { MemoryWindows, type MemoryRecord } from './memory-log.ts'

const BEGAN = Date.UTC(2026, 4, 4, 10) / 1000
const YEARS = 20 * 365 * 86_400
const EMPTY = emptyActivity('salt')

/** As the file has it. */
function kept(state: LogState): LogState {
  const logs = { ...EMPTY.logs, key_management_service: state }
  const read = stateFrom(JSON.parse(JSON.stringify(stateJson({ ...EMPTY, logs }))))
  if (read === undefined) throw new Error('not to be read again')
  return read.logs.key_management_service
}

class Killed extends Error {}

class World {
  readonly windows = new MemoryWindows()
  readonly #written = new Map<string, { atSeconds: number; excused: boolean; exact: boolean }>()
  readonly counted: string[] = []
  state: LogState = EMPTY.logs.key_management_service
  #now = BEGAN
  #hostAhead = 0
  #saved: { records: MemoryRecord[]; next: number } | undefined
  #setBack = false

  write(count: number): void {
    for (let n = 0; n < count; n += 1) {
      const id = `event ${this.#written.size}`
      this.#written.set(id, { atSeconds: this.#now, excused: false, exact: true })
      this.windows.kms.append({
        code: 12_290,
        source: 'SPP',
        timeSeconds: Math.floor(this.#now + this.#hostAhead),
        strings: [id],
      })
    }
  }

  pass(seconds: number): void {
    this.#now += seconds
  }

  stepHost(seconds: number): void {
    this.#hostAhead += seconds
  }

  /** What goes before the first read is nobody's loss; where nothing was seen yet, nobody can say how many went. */
  #remove(records: readonly MemoryRecord[]): void {
    const { bookmark } = this.state
    for (const { strings } of records) {
      const event = this.#written.get(strings[0] ?? '')
      if (event === undefined) continue
      event.excused ||= bookmark === undefined
      event.exact &&= bookmark !== undefined && bookmark.record > 0
    }
  }

  /** Nothing is left by which anybody could tell that there was more than was read. */
  #forget(): void {
    const counted = new Set(this.counted)
    for (const [id, event] of this.#written) event.excused ||= !counted.has(id)
  }

  clear(): void {
    this.#remove(this.windows.kms.records)
    this.windows.kms.clear()
  }

  wrap(share: number): void {
    const { kms } = this.windows
    const keep = Math.ceil(kms.records.length * share)
    this.#remove(kms.records.slice(0, kms.records.length - keep))
    if (keep === 0) kms.clear()
    else kms.wrap(keep)
  }

  /**
   * When the log was seen empty, and is begun anew before it is seen again, nothing tells of what was between. (And of a log
   * before this one nothing is remembered, should it be brought back.)
   */
  restart(): void {
    this.#setBack = true
    this.#saved = undefined
    this.#remove(this.windows.kms.records)
    if (this.state.bookmark?.gone === true) this.#forget()
    this.windows.kms.restart()
  }

  save(): void {
    const { records, next } = this.windows.kms
    this.#saved = { records: [...records], next }
  }

  /** The same if it is set back to a state that has the bookmark: its numbers are given again. */
  revert(): void {
    const { kms } = this.windows
    const saved = this.#saved
    if (saved === undefined) return
    this.#setBack = true
    const { bookmark } = this.state
    const still = saved.records.some(({ record }) => record === bookmark?.record)
    const stays = new Set(saved.records.map(({ strings }) => strings[0]))
    const goes = kms.records.filter(({ strings }) => !stays.has(strings[0]))
    this.#remove(goes)
    if (still || bookmark?.gone === true) this.#forget()
    kms.records = [...saved.records]
    kms.next = saved.next
  }

  async visit({ queries, at, act, kill }: { queries: number; at: number; act: Act; kill: number }) {
    let asked = 0
    this.windows.beforeQuery = () => {
      asked += 1
      if (asked === at) act(this)
    }
    const deadline = { remainingSeconds: () => Math.max(0, queries - asked) } as unknown as Deadline
    const { files } = await readLogFiles(this.windows, ['Key Management Service'])
    let commits = 0
    try {
      const { caughtUp } = await readOn({
        name: 'key_management_service',
        filter: undefined,
        file: files.get('key management service'),
        state: this.state,
        firstReadSeconds: YEARS,
        nowSeconds: this.#now,
        reader: this.windows,
        deadline,
        commit: async (records: readonly LogRecord[], state: LogState) => {
          commits += 1
          if (commits === kill) throw new Killed()
          this.state = kept(state)
          this.counted.push(...records.map(({ strings }) => strings[0] ?? ''))
        },
      })
      return caughtUp
    } catch (error) {
      if (error instanceof Killed) return false
      throw error
    } finally {
      this.windows.beforeQuery = () => {}
    }
  }

  async check(): Promise<void> {
    // What comes next shows by its number what is missing before it.
    this.write(1)
    let visits = 0
    while (!(await this.visit({ queries: 40, at: 0, act: () => {}, kill: 0 }))) {
      visits += 1
      expect(visits).toBeLessThan(20)
    }
    expect(new Set(this.counted).size).toBe(this.counted.length)
    const counted = new Set(this.counted)
    const missing = [...this.#written].filter(([id, { excused }]) => !counted.has(id) && !excused)
    for (const [, { atSeconds }] of missing)
      expect(this.state.lostAtSeconds).toBeGreaterThanOrEqual(atSeconds)
    if (!this.#setBack && [...this.#written.values()].every(({ exact, excused }) => exact || excused))
      expect(this.state.lost).toBe(missing.length)
  }
}

type Act = (world: World) => unknown

const happening: fc.Arbitrary<readonly [string, Act]> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .oneof(fc.integer({ min: 1, max: 12 }), fc.constantFrom(150, 1300))
      .map((count) => [`write ${count}`, (world: World) => world.write(count)] as const),
  },
  fc
    .integer({ min: 0, max: 100_000 })
    .map((seconds) => [`pass ${seconds}`, (world: World) => world.pass(seconds)] as const),
  fc
    .constantFrom(-90 * 86_400, -3600, -1, 1, 3600, 90 * 86_400)
    .map((seconds) => [`step ${seconds}`, (world: World) => world.stepHost(seconds)] as const),
  fc.constant(['clear', (world: World) => world.clear()] as const),
  fc.constant(['restart', (world: World) => world.restart()] as const),
  fc
    .constantFrom(0, 0.1, 0.5, 0.9)
    .map((share) => [`wrap ${share}`, (world: World) => world.wrap(share)] as const),
  fc.constant(['save', (world: World) => world.save()] as const),
  fc.constant(['revert', (world: World) => world.revert()] as const),
)

const visiting = fc
  .record({
    queries: fc.constantFrom(6, 9, 40),
    at: fc.integer({ min: 1, max: 9 }),
    during: happening,
    kill: fc.constantFrom(0, 0, 1, 2, 3),
  })
  .map(
    ({ queries, at, during: [name, act], kill }) =>
      [
        `visit ${queries}, ${name} at ${at}, kill ${kill}`,
        (world: World) => world.visit({ queries, at, act, kill }),
      ] as const,
  )

it('counts each event once, or says that it was lost', async () => {
  const runs = Number(process.env['MODEL_RUNS'] ?? 300)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(happening, visiting), { minLength: 2, maxLength: 14 }),
      async (acts) => {
        const world = new World()
        for (const [, act] of acts) await act(world)
        await world.check()
      },
    ),
    { numRuns: runs },
  )
}, 300_000)
