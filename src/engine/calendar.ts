// What is due when, from a tick a second: items wait in a bucket for their second; those of the second at hand stand sorted
// before one timer.
import type { Clock } from '../io/clock.ts'

export interface Calendar<T> {
  /** `dueAt` in monotonic seconds; what is in the past fires at once. */
  put(item: T, dueAt: number): void
  /** To be called about once a second. Late ticks are made up for. */
  tick(): void
  /** When what is next is due, of what stands before the timer; Infinity when nothing does. */
  earliest(): number
  /** Forgets the others now, rather than when they are due: that may be a day away. */
  keep(wanted: (item: T) => boolean): void
  stop(): void
}

/**
 * What is due within so long of each other is woken for once. To wake a process that sleeps costs about what a connection
 * costs, and so does every answer that finds it asleep: of many hosts, the next is begun while the last one answers.
 */
const WAKE_SECONDS = 0.005

export function createCalendar<T>(clock: Clock, fire: (item: T, dueAt: number) => void): Calendar<T> {
  const buckets = new Map<number, { item: T; dueAt: number }[]>()
  let soon: { item: T; dueAt: number }[] = []
  let opened = Math.floor(clock.monotonicSeconds())
  let timer: NodeJS.Timeout | undefined
  let turn: NodeJS.Immediate | undefined
  let stopped = false

  function arm(): void {
    clearTimeout(timer)
    const [next] = soon
    if (next === undefined || stopped) return
    const wakeAt = Math.ceil(next.dueAt / WAKE_SECONDS) * WAKE_SECONDS
    // Whole milliseconds: Node.js cuts a fraction off, and would wake twice for one item.
    timer = setTimeout(fireDue, Math.max(0, Math.round((wakeAt - clock.monotonicSeconds()) * 1000)))
  }

  /** Each in a turn of the event loop of its own: what was begun before is not measured as slow for those behind it. */
  function fireDue(): void {
    clearImmediate(turn)
    // A timer may fire a fraction of a millisecond early; half of one is no reason to sleep once more.
    const now = clock.monotonicSeconds() + 0.0005
    const isDue = (): boolean => soon[0] !== undefined && soon[0].dueAt <= now
    const next = isDue() ? soon.shift() : undefined
    if (next !== undefined) fire(next.item, next.dueAt)
    if (isDue() && !stopped) turn = setImmediate(fireDue)
    else arm()
  }

  return {
    put(item, dueAt) {
      const second = Math.floor(dueAt)
      if (second > opened) {
        const bucket = buckets.get(second)
        if (bucket === undefined) buckets.set(second, [{ item, dueAt }])
        else bucket.push({ item, dueAt })
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
      for (const [second, bucket] of buckets) {
        if (second > until) continue
        soon.push(...bucket)
        buckets.delete(second)
      }
      opened = until
      soon.sort((a, b) => a.dueAt - b.dueAt)
      arm()
    },
    earliest: () => soon[0]?.dueAt ?? Infinity,
    keep(wanted) {
      const kept = (bucket: { item: T; dueAt: number }[]) => bucket.filter(({ item }) => wanted(item))
      for (const [second, bucket] of buckets) {
        const left = kept(bucket)
        if (left.length === 0) buckets.delete(second)
        else if (left.length < bucket.length) buckets.set(second, left)
      }
      soon = kept(soon)
      arm()
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      clearImmediate(turn)
      buckets.clear()
      soon = []
    },
  }
}
