// Whatever is noted of whom and when: the last hours are those that a plain list of all that was noted would tell.
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { createHistory, type Observation } from '../../src/engine/history.ts'
import { bounds, seconds, within } from './minutes.ts'

const POINTS = 360
const SERIES = [
  'connectSeconds',
  'bindSeconds',
  'driftSeconds',
  'driftUncertaintySeconds',
  'clients',
  'requiredClients',
] as const

interface Noted {
  readonly minute: number
  readonly seen: Observation
}

const BADNESS = [true, undefined, false] as const

function longest(all: readonly (number | undefined)[]): number | undefined {
  const known = all.flatMap((each) => each ?? [])
  return known.length === 0 ? undefined : Math.max(...known)
}

/** A point a minute, from the first that was noted, slowly. */
function told(noted: readonly Noted[], now: number): readonly Observation[] {
  const first = noted[0]?.minute ?? now
  const from = Math.max(first, now - POINTS + 1)
  return Array.from({ length: now - from + 1 }, (_, index) => {
    const minute = from + index
    const before = noted.findLast((each) => each.minute < minute)?.seen
    const here = noted.filter((each) => each.minute === minute).map(({ seen }) => seen)
    const latest = here.at(-1) ?? before
    if (latest === undefined) throw new Error('nothing was noted yet')
    const states = [...(before === undefined ? [] : [before]), ...here].map(({ serving }) => serving)
    const latencies = here.length === 0 ? [latest] : here
    return {
      ...latest,
      serving: BADNESS.findLast((each) => states.includes(each)),
      connectSeconds: longest(latencies.map(({ connectSeconds }) => connectSeconds)),
      bindSeconds: longest(latencies.map(({ bindSeconds }) => bindSeconds)),
    }
  })
}

const orUnknown = <T>(known: fc.Arbitrary<T>) => fc.option(known, { nil: undefined, freq: 4 })
const count = orUnknown(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 9_999_999 })))
const observation: fc.Arbitrary<Observation> = fc.record({
  serving: fc.constantFrom(...BADNESS),
  connectSeconds: orUnknown(seconds.latency),
  bindSeconds: orUnknown(seconds.latency),
  driftSeconds: orUnknown(seconds.drift),
  driftUncertaintySeconds: orUnknown(seconds.uncertainty),
  clients: count,
  requiredClients: count,
})

const host = fc.constantFrom('a', 'b', 'c')
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ host, seen: observation }) },
  {
    weight: 4,
    arbitrary: fc.record({
      passSeconds: fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: 1, max: 200 }) },
        { weight: 1, arbitrary: fc.integer({ min: 1, max: 400 * 60 }) },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ forget: host }) },
)

it('the last hours are what a list of all that was noted tells', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 100_000 }),
      fc.array(step, { maxLength: 60 }),
      (startSeconds, steps) => {
        let elapsed = startSeconds
        const clock = { monotonicSeconds: () => elapsed, wallSeconds: () => 1_800_000_000 + elapsed }
        const history = createHistory(clock)
        const model = new Map<string, Noted[]>()
        const minuteOf = (): number => Math.floor(elapsed / 60)

        function check(name: string): void {
          const noted = model.get(name)
          const trail = history.trail(name)
          if (noted === undefined) {
            expect(trail).toBeUndefined()
            return
          }
          const points = told(noted, minuteOf())
          expect(trail?.serving).toEqual(points.map(({ serving }) => serving))
          expect(trail?.fromSeconds).toBe(1_800_000_000 + (minuteOf() - points.length + 1) * 60)
          for (const series of SERIES) {
            const values = trail?.values[series] ?? []
            const wanted = Float32Array.from(points, (point) => point[series] ?? NaN)
            // Counts and now are exact; a Float32Array has its own rounding as well.
            const share = series in bounds ? bounds[series as keyof typeof bounds] : 0
            const wrong = [...values].flatMap((value, at) => {
              const isNow = at === values.length - 1
              return within(value, wanted[at] ?? NaN, isNow ? 0 : share) ? [] : [[at, value, wanted[at]]]
            })
            expect({ series, wrong, length: values.length }).toEqual({
              series,
              wrong: [],
              length: points.length,
            })
          }
        }

        for (const each of steps) {
          if ('passSeconds' in each) elapsed += each.passSeconds
          else if ('forget' in each) {
            history.forget(each.forget)
            model.delete(each.forget)
          } else {
            history.note(each.host, each.seen)
            const noted = model.get(each.host) ?? []
            noted.push({ minute: minuteOf(), seen: each.seen })
            model.set(each.host, noted)
            // Now and then in between, for what asking might do.
            if (noted.length % 7 === 0) check(each.host)
          }
        }
        for (const name of ['a', 'b', 'c']) check(name)
      },
    ),
    { numRuns: 300 },
  )
})

it('a minute each for longer than is kept: the oldest go, and nothing else is torn', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1_000 }),
      fc.integer({ min: 355, max: 760 }),
      fc.array(observation, { minLength: 1, maxLength: 9 }),
      (startMinute, minutes, all) => {
        let elapsed = startMinute * 60
        const history = createHistory({ monotonicSeconds: () => elapsed, wallSeconds: () => elapsed })
        const noted: Noted[] = []
        for (let index = 0; index < minutes; index += 1) {
          const seen = all[index % all.length]
          if (seen === undefined) continue
          history.note('a', seen)
          noted.push({ minute: startMinute + index, seen })
          elapsed += 60
        }
        elapsed -= 60
        const points = told(noted, startMinute + minutes - 1)
        const trail = history.trail('a')
        expect(trail?.serving).toEqual(points.map(({ serving }) => serving))
        expect(trail?.values.clients).toEqual(Float32Array.from(points, ({ clients }) => clients ?? NaN))
        const drifts = [...(trail?.values.driftSeconds ?? [])]
        expect(
          drifts.filter((each, at) => !within(each, points[at]?.driftSeconds ?? NaN, bounds.driftSeconds)),
        ).toEqual([])
      },
    ),
    { numRuns: 40 },
  )
})
