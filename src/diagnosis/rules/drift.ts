// Several clocks' readings → one interval, so that a lying minority cannot move it (Marzullo 1984; RFC 5905 11.2.1).
import { minus, type Interval } from '../../model/interval.ts'

export interface Agreement {
  /** Where the truth lies if no more than a minority lies; undefined when the sources leave no such place. */
  readonly interval: Interval | undefined
  /** For each input, whether it overlaps that interval; all undefined without one. */
  readonly agrees: readonly (boolean | undefined)[]
}

/**
 * The hull of all points that more than half of the intervals cover. While the honest ones are more than half, the
 * truth is such a point, and every such point lies in an honest interval: so the truth is inside, and the result is
 * no wider than what honest sources span.
 */
export function reconcile(intervals: readonly Interval[]): Agreement {
  const majority = Math.floor(intervals.length / 2) + 1
  const edges = intervals
    .flatMap(({ low, high }) => [
      { at: low, step: 1 },
      { at: high, step: -1 },
    ])
    // Intervals are closed: where one begins and another ends, both cover the point.
    .toSorted((a, b) => a.at - b.at || b.step - a.step)
  let covered = 0
  let low: number | undefined
  let high: number | undefined
  for (const { at, step } of edges) {
    if (step === 1 && covered + 1 === majority) low ??= at
    if (step === -1 && covered === majority) high = at
    covered += step
  }
  if (low === undefined || high === undefined)
    return { interval: undefined, agrees: intervals.map(() => undefined) }
  const interval = { low, high }
  return { interval, agrees: intervals.map((each) => each.low <= interval.high && each.high >= interval.low) }
}

/** Whether the whole interval lies beyond the limit, the whole within, or neither. */
export function beyond({ low, high }: Interval, limitSeconds: number): 'beyond' | 'within' | 'straddles' {
  if (low > limitSeconds || high < -limitSeconds) return 'beyond'
  return low >= -limitSeconds && high <= limitSeconds ? 'within' : 'straddles'
}

/** Host minus reference, from host minus exporter and reference minus exporter. */
export function corrected(host: Interval, reference: Interval | undefined): Interval {
  return reference === undefined ? host : minus(host, reference)
}
