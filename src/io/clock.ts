// The two clocks, which never mix: durations come from the monotonic one, points in time from the wall.

export interface Clock {
  /** Unix seconds UTC, truncated to a millisecond. May step. */
  wallSeconds(): number
  /** Seconds since some moment in the past; never steps. */
  monotonicSeconds(): number
}

export const systemClock: Clock = {
  wallSeconds: () => Date.now() / 1000,
  monotonicSeconds: () => performance.now() / 1000,
}

/** Of two readings of the monotonic clock, to the nanosecond, as it tells them: what is beyond, the subtraction makes up. */
export function secondsBetween(begin: number, end: number): number {
  return Math.round((end - begin) * 1e9) / 1e9
}

/** What Date.now() cuts off: the true time is up to this much later than the wall clock says. */
export const WALL_RESOLUTION_SECONDS = 0.001

/**
 * The wall clock may be slewed while a sample is taken, and the process held up between two readings; beyond this it
 * has stepped, and the sample is worthless.
 */
const STEP_SECONDS = 0.05

export interface Moment {
  readonly wallSeconds: number
  readonly monotonicSeconds: number
}

/**
 * The monotonic clock is read first: should the process be held up between the two, the time that passed since the
 * wall clock was read comes out too long, never too short, and bounds made from it stay bounds.
 */
export function now(clock: Clock): Moment {
  const monotonicSeconds = clock.monotonicSeconds()
  return { wallSeconds: clock.wallSeconds(), monotonicSeconds }
}

/** True when the local wall clock was set between the two moments. */
export function steppedBetween(before: Moment, after: Moment): boolean {
  const wall = after.wallSeconds - before.wallSeconds
  const monotonic = after.monotonicSeconds - before.monotonicSeconds
  return Math.abs(wall - monotonic) > STEP_SECONDS
}
