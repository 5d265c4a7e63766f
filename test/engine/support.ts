// What the tests of the engine share: tasks made of a few words, and a ticker that ticks by the test's own clock. No
// network.
import type { Ticker } from '../../src/engine/cron.ts'
import type { Task } from '../../src/engine/plan.ts'
import { createScheduler, type Limits, type Scheduler, type SkipReason } from '../../src/engine/schedule.ts'
import { systemClock, type Clock } from '../../src/io/clock.ts'
import type { Schedule } from '../../src/model/target.ts'
import type { Visit } from '../../src/probes/probe.ts'

export interface TaskWords {
  readonly key: string
  readonly group?: string
  /** Seconds, or a cron expression. */
  readonly every?: number | string
  readonly timeoutSeconds?: number
  readonly stages?: readonly string[]
  readonly measure?: (visit: Visit) => Promise<unknown>
}

export function taskOf(words: TaskWords): Task {
  const { key, group = key, every = 15, timeoutSeconds = 5, stages = ['ask'], measure } = words
  const schedule: Schedule =
    typeof every === 'string' ? { kind: 'cron', expression: every } : { kind: 'every', seconds: every }
  const target = { key, labels: { host: key }, schedule, timeoutSeconds, group }
  return {
    key: `port/${key}`,
    target,
    fingerprint: JSON.stringify(target),
    probe: {
      name: 'port',
      question: 'Is this a question?',
      stages,
      identity: ['host'],
      targets: () => [],
      measure: (_target, visit) => measure?.(visit) ?? Promise.resolve('answered'),
      metrics: [],
    },
  }
}

/** Ticks by setInterval, which the test fakes; cron expressions fire when the test says so. */
export interface FakeTicker extends Ticker {
  fire(expression: string): void
  /** Expressions that somebody listens to now. */
  listening(): readonly string[]
}

export function fakeTicker(gapSeconds = 3600): FakeTicker {
  const ticks = new Set<{ readonly expression: string; readonly tick: () => void }>()
  return {
    every(expression, tick) {
      const entry = { expression, tick }
      ticks.add(entry)
      return () => void ticks.delete(entry)
    },
    everySecond(tick) {
      const timer = setInterval(tick, 1_000)
      return () => clearInterval(timer)
    },
    gapSeconds: () => gapSeconds,
    longestGapSeconds: () => gapSeconds,
    fire(expression) {
      for (const entry of ticks) if (entry.expression === expression) entry.tick()
    },
    listening: () => [...ticks].map(({ expression }) => expression),
  }
}

export interface Started {
  readonly key: string
  readonly atSeconds: number
  readonly lagSeconds: number
}

export interface Rig {
  readonly scheduler: Scheduler
  readonly ticker: FakeTicker
  readonly started: Started[]
  readonly skipped: { readonly key: string; readonly why: SkipReason }[]
  set(tasks: readonly Task[], limits?: Partial<Limits>): void
  startsOf(key: string): readonly number[]
}

/** A scheduler whose runs take as long as `run` says; at once unless told. Wants faked timers. */
export function rigOf(
  run: (task: Task) => Promise<void> = () => Promise.resolve(),
  { clock = systemClock, ticker = fakeTicker() }: { clock?: Clock; ticker?: FakeTicker } = {},
): Rig {
  const started: Started[] = []
  const skipped: { key: string; why: SkipReason }[] = []
  const scheduler = createScheduler(clock, ticker, {
    run,
    started: ({ target }, lagSeconds) =>
      started.push({ key: target.key, atSeconds: clock.monotonicSeconds(), lagSeconds }),
    skipped: ({ target }, why) => skipped.push({ key: target.key, why }),
  })
  return {
    scheduler,
    ticker,
    started,
    skipped,
    set: (tasks, limits = {}) => scheduler.set(tasks, { concurrency: 1_000, perGroup: 10, ...limits }),
    startsOf: (key) => started.filter((each) => each.key === key).map(({ atSeconds }) => atSeconds),
  }
}

export function lasting(seconds: number): () => Promise<void> {
  return () => new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}
