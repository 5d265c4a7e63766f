// What is due when, to the millisecond, from a tick a second: items wait in a bucket for their second, or for the same
// second of a later round; those of the second at hand stand sorted before one timer.
import type { Clock } from '../io/clock.ts'

export interface Calendar<T> {
  /** `dueAt` in monotonic seconds; what is in the past fires at once. */
  put(item: T, dueAt: number): void
  /** To be called about once a second. Late ticks are made up for. */
  tick(): void
  stop(): void
}

/** The seconds of a round. As many as the usual interval has: what is due later is looked at once a round. */
const ROUND = 60

interface Place<T> {
  readonly item: T
  readonly dueAt: number
}

export function createCalendar<T>(clock: Clock, fire: (item: T, dueAt: number) => void): Calendar<T> {
  const buckets: Place<T>[][] = Array.from({ length: ROUND }, () => [])
  let soon: Place<T>[] = []
  let opened = Math.floor(clock.monotonicSeconds())
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  function arm(): void {
    clearTimeout(timer)
    const [next] = soon
    if (next === undefined || stopped) return
    // Whole milliseconds: Node.js cuts a fraction off, and would wake twice for one item.
    timer = setTimeout(fireDue, Math.max(0, Math.round((next.dueAt - clock.monotonicSeconds()) * 1000)))
  }

  function fireDue(): void {
    // A timer may fire a fraction of a millisecond early; half of one is no reason to sleep once more.
    const now = clock.monotonicSeconds() + 0.0005
    const due = soon.findIndex(({ dueAt }) => dueAt > now)
    const fired = soon.splice(0, due === -1 ? soon.length : due)
    for (const { item, dueAt } of fired) fire(item, dueAt)
    arm()
  }

  return {
    put(item, dueAt) {
      const second = Math.floor(dueAt)
      if (second > opened) {
        buckets[second % ROUND]?.push({ item, dueAt })
        return
      }
      const at = soon.findIndex((other) => other.dueAt > dueAt)
      soon.splice(at === -1 ? soon.length : at, 0, { item, dueAt })
      if (at === 0 || soon.length === 1) arm()
    },
    tick() {
      // One second ahead, so that nothing has to wait for a tick that comes a little late.
      const until = Math.floor(clock.monotonicSeconds()) + 1
      if (until <= opened) return
      const first = Math.max(opened + 1, until - ROUND + 1)
      for (let second = first; second <= until; second += 1) {
        const bucket = buckets[second % ROUND] ?? []
        buckets[second % ROUND] = bucket.filter(({ dueAt }) => dueAt >= until + 1)
        for (const place of bucket) if (place.dueAt < until + 1) soon.push(place)
      }
      opened = until
      soon.sort((a, b) => a.dueAt - b.dueAt)
      arm()
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      buckets.length = 0
      soon = []
    },
  }
}
