// node-cron, behind all that the scheduler needs of it: when an expression fires. Ticking is ours, for node-cron's own
// timers wait for the wall clock: set back by hours, it rests for hours; set ahead, it goes through all that it missed,
// one by one, and on a machine that boots in 1970 it never comes to an end. Overlap, spreading and deadlines are ours too.
import { createTask, setLogger, validate } from 'node-cron'
import type { Log } from '../model/log.ts'

export interface Ticker {
  /** About once a second, whatever becomes of the wall clock. Returns what stops it. */
  everySecond(tick: () => void): () => void
  /**
   * Calls `tick` at the times that the expression names, in UTC. Times that the wall clock jumps over are not made up for;
   * those that it comes back to are times again. Returns what stops it.
   */
  every(expression: string, tick: () => void): () => void
  /** Seconds from the next firing to the one after it. */
  gapSeconds(expression: string): number
  /** The longest time between two of the next firings: as over a weekend, where it fires on working days. */
  longestGapSeconds(expression: string): number
}

/** What is wrong with the expression; undefined when nothing is. */
export function checkCron(expression: string): string | undefined {
  return validate(expression) ? undefined : `"${expression}" is not a cron expression that node-cron knows`
}

/** More than a week of working hours. */
const GAPS_AHEAD = 64

/** How late a firing may be and still be one: the process was busy, or suspended for a moment. */
const MOST_LATE_MILLISECONDS = 10_000

/** From now on, in milliseconds; none where the expression never fires again. */
function nextFirings(expression: string, count: number): readonly number[] {
  const task = createTask(expression, () => {}, { timezone: 'UTC' })
  const runs = task.getNextRuns(count).map((run) => run.getTime())
  void task.destroy()
  return runs
}

/** Seconds between firings, from the next one on. */
function nextGaps(expression: string, count: number): readonly number[] {
  const runs = nextFirings(expression, count + 1)
  return runs.slice(1).map((run, index) => (run - (runs[index] ?? run)) / 1000)
}

export function createTicker(log: Log): Ticker {
  const say = (write: (fields: object, message: string) => void) => (message: string | Error) =>
    write({ from: 'node-cron' }, String(message))
  setLogger({
    info: say((fields, message) => log.debug({ ...fields }, message)),
    warn: say((fields, message) => log.debug({ ...fields }, message)),
    error: say((fields, message) => log.error({ ...fields }, message)),
    debug: () => {},
  })
  return {
    everySecond(tick) {
      const timer = setInterval(tick, 1_000)
      return () => clearInterval(timer)
    },
    every(expression, tick) {
      let timer: NodeJS.Timeout
      let looked = Date.now()
      let next = nextFirings(expression, 1)[0] ?? Infinity
      // Looked at each second, for nobody tells when the clock is set.
      const arm = (): void => {
        timer = setTimeout(look, Math.min(1_000, Math.max(1, next - looked)))
      }
      const look = (): void => {
        const now = Date.now()
        const isDue = now >= next
        const isLate = now > next + MOST_LATE_MILLISECONDS
        if (isDue || now < looked) next = nextFirings(expression, 1)[0] ?? Infinity
        looked = now
        arm()
        if (isDue && !isLate) tick()
      }
      arm()
      return () => clearTimeout(timer)
    },
    gapSeconds: (expression) => nextGaps(expression, 1)[0] ?? 60,
    longestGapSeconds: (expression) => Math.max(0, ...nextGaps(expression, GAPS_AHEAD)) || 60,
  }
}
