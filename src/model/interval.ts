// A measured time is an interval: the truth lies within, whatever the network did.

/** Seconds; positive when what was measured is ahead of us. */
export interface Interval {
  readonly low: number
  readonly high: number
}

export function midpoint({ low, high }: Interval): number {
  return (low + high) / 2
}

export function halfWidth({ low, high }: Interval): number {
  return (high - low) / 2
}

/** The difference of two measured quantities: what is uncertain in either is uncertain in it. */
export function minus(a: Interval, b: Interval): Interval {
  return { low: a.low - b.high, high: a.high - b.low }
}
