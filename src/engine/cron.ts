// node-cron, behind all that the scheduler needs of it: something that ticks. Overlap, spreading and deadlines are ours.
// It goes by the wall clock, and when that is set back by an hour, node-cron by itself sleeps for an hour.
import { createTask, schedule, setLogger, validate } from 'node-cron'
import { now, systemClock } from '../io/clock.ts'
import type { Log } from '../model/log.ts'

export interface Ticker {
  /** Calls `tick` once a second, whatever the wall clock does. Returns what stops it. */
  everySecond(tick: () => void): () => void
  /** Calls `tick` at the times that the expression names, in UTC. Returns what stops it. */
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

/** The wall clock was set, not slewed. */
const STEP_SECONDS = 1

/** More than a week of working hours. */
const GAPS_AHEAD = 64

/** Seconds between firings, from the next one on; none where the expression never fires. */
function nextGaps(expression: string, count: number): readonly number[] {
  const task = createTask(expression, () => {}, { timezone: 'UTC' })
  const runs = task.getNextRuns(count + 1).map((run) => run.getTime() / 1000)
  void task.destroy()
  const gaps = runs.slice(1).map((run, index) => run - (runs[index] ?? run))
  return gaps
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
  const tasks = new Set<{ again(): void }>()
  return {
    everySecond(tick) {
      let before = now(systemClock)
      const timer = setInterval(() => {
        const moment = now(systemClock)
        const wall = moment.wallSeconds - before.wallSeconds
        const stepped = Math.abs(wall - (moment.monotonicSeconds - before.monotonicSeconds)) > STEP_SECONDS
        before = moment
        if (stepped) for (const task of tasks) task.again()
        tick()
      }, 1_000)
      return () => clearInterval(timer)
    },
    /** Only while somebody has each second, a wall clock that is set is noticed. */
    every(expression, tick) {
      const start = () => schedule(expression, tick, { timezone: 'UTC', suppressMissedWarning: true })
      let own = start()
      const task = {
        again() {
          void own.destroy()
          own = start()
        },
      }
      tasks.add(task)
      return () => {
        tasks.delete(task)
        void own.destroy()
      }
    },
    gapSeconds: (expression) => nextGaps(expression, 1)[0] ?? 60,
    longestGapSeconds: (expression) => Math.max(0, ...nextGaps(expression, GAPS_AHEAD)) || 60,
  }
}
