// node-cron, behind all that the scheduler needs of it: something that ticks. Overlap, spreading and deadlines are ours.
import { createTask, schedule, setLogger, validate } from 'node-cron'
import type { Log } from '../model/log.ts'

export interface Ticker {
  /** Calls `tick` at the times that the expression names, in UTC. Returns what stops it. */
  every(expression: string, tick: () => void): () => void
  /** Seconds from the next firing to the one after it. */
  gapSeconds(expression: string): number
}

/** What is wrong with the expression; undefined when nothing is. */
export function checkCron(expression: string): string | undefined {
  return validate(expression) ? undefined : `"${expression}" is not a cron expression that node-cron knows`
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
    every(expression, tick) {
      const task = schedule(expression, tick, { timezone: 'UTC', suppressMissedWarning: true })
      return () => void task.destroy()
    },
    gapSeconds(expression) {
      const task = createTask(expression, () => {}, { timezone: 'UTC' })
      const [first, second] = task.getNextRuns(2)
      void task.destroy()
      return first === undefined || second === undefined ? 60 : (second.getTime() - first.getTime()) / 1000
    },
  }
}
