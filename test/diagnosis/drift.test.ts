// Clocks reconciled, against a slow and plain oracle: the points that more than half of the intervals cover.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { beyond, corrected, reconcile } from '../../src/diagnosis/rules/drift.ts'
import type { Interval } from '../../src/model/interval.ts'

const TRUTH = 100

// Whole numbers, so that edges often meet.
const interval = fc
  .tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 60 }))
  .map(([low, width]): Interval => ({ low, high: low + width }))
const honest = fc
  .tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 }))
  .map(([before, after]): Interval => ({ low: TRUTH - before, high: TRUTH + after }))

function covers({ low, high }: Interval, point: number): boolean {
  return low <= point && point <= high
}

/** Intervals are closed, so the outermost points that most of them cover are edges. */
function oracle(intervals: readonly Interval[]): Interval | undefined {
  const points = intervals
    .flatMap(({ low, high }) => [low, high])
    .filter((point) => intervals.filter((each) => covers(each, point)).length * 2 > intervals.length)
  return points.length === 0 ? undefined : { low: Math.min(...points), high: Math.max(...points) }
}

function reconciled(intervals: readonly Interval[]): Interval {
  const { interval: found } = reconcile(intervals)
  if (found === undefined) throw new Error('no majority')
  return found
}

describe('reconcile', () => {
  it('spans the points that more than half cover, and is undefined where there are none', () => {
    fc.assert(
      fc.property(fc.array(interval, { maxLength: 7 }), (all) => {
        expect(reconcile(all).interval).toEqual(oracle(all))
      }),
      { numRuns: 2_000 },
    )
  })

  it('takes sources in any order, and says of each whether it agrees', () => {
    const shuffled = fc
      .array(interval, { minLength: 1, maxLength: 6 })
      .chain((all) =>
        fc.tuple(
          fc.constant(all),
          fc.shuffledSubarray([...all.keys()], { minLength: all.length, maxLength: all.length }),
        ),
      )
    fc.assert(
      fc.property(shuffled, ([all, order]) => {
        const given = reconcile(all)
        const moved = reconcile(order.flatMap((index) => all.slice(index, index + 1)))
        expect(moved.interval).toEqual(given.interval)
        expect(moved.agrees).toEqual(order.map((index) => given.agrees[index]))
        expect(given.agrees).toEqual(
          all.map(
            ({ low, high }) => given.interval && low <= given.interval.high && high >= given.interval.low,
          ),
        )
      }),
    )
  })

  it('is not moved out of what the others say by one source among three or more', () => {
    fc.assert(
      fc.property(fc.array(honest, { minLength: 2, maxLength: 6 }), interval, fc.nat(6), (good, liar, at) => {
        const { low, high } = reconciled(good.toSpliced(at, 0, liar))
        expect(low).toBeGreaterThanOrEqual(Math.min(...good.map((each) => each.low)))
        expect(high).toBeLessThanOrEqual(Math.max(...good.map((each) => each.high)))
        expect(covers({ low, high }, TRUTH)).toBe(true)
      }),
    )
  })

  it('is not even widened by one that touches none of the others, and says who it was', () => {
    const faraway = fc.constantFrom<Interval>({ low: -9_000, high: -8_000 }, { low: 7_000, high: 7_000 })
    fc.assert(
      fc.property(fc.array(honest, { minLength: 2, maxLength: 6 }), faraway, (good, liar) => {
        const alone = reconciled(good)
        const { interval: found, agrees } = reconcile([...good, liar])
        expect(found && found.low >= alone.low && found.high <= alone.high).toBe(true)
        expect(agrees.at(-1)).toBe(false)
      }),
    )
  })

  it('takes no side between two', () => {
    const apart = [
      { low: 0, high: 1 },
      { low: 1.001, high: 2 },
    ]
    expect(reconcile(apart)).toEqual({ interval: undefined, agrees: [undefined, undefined] })
  })
})

describe('beyond', () => {
  it.each([
    ['just within', { low: -4, high: 4 }, 'within'],
    ['on the limit is within: more than the limit is refused', { low: 4, high: 4 }, 'within'],
    ['touching the limit from above is not wholly beyond', { low: 4, high: 5 }, 'straddles'],
    ['wholly above', { low: 4.001, high: 5 }, 'beyond'],
    ['wholly below', { low: -5, high: -4.001 }, 'beyond'],
    ['wider than both limits', { low: -5, high: 5 }, 'straddles'],
  ] as const)('%s', (_sentence, given, verdict) => {
    expect(beyond(given, 4)).toBe(verdict)
  })

  it('treats ahead and behind alike, and never tells more of a wider interval', () => {
    fc.assert(
      fc.property(interval, fc.integer({ min: 1, max: 200 }), fc.nat(50), ({ low, high }, limit, wider) => {
        const verdict = beyond({ low, high }, limit)
        expect(beyond({ low: -high, high: -low }, limit)).toBe(verdict)
        expect([verdict, 'straddles']).toContain(beyond({ low: low - wider, high: high + wider }, limit))
      }),
    )
  })
})

describe('corrected', () => {
  it('holds the true difference of host and reference', () => {
    fc.assert(
      fc.property(honest, honest, fc.integer({ min: -500, max: 500 }), (host, there, shift) => {
        const reference = { low: there.low + shift, high: there.high + shift }
        expect(covers(corrected(host, reference), TRUTH - (TRUTH + shift))).toBe(true)
      }),
    )
  })

  it("is the host's offset itself without a reference", () => {
    expect(corrected({ low: 1, high: 2 }, undefined)).toEqual({ low: 1, high: 2 })
  })
})
