// When is what asked. node-cron ticks once a second (and at each firing of a cron expression); from there on:
// - runs of one probe are spread over its interval by a stable hash of the target, never bunched at the tick;
// - a target is never asked the same question twice at once;
// - at most so many runs are in flight in all, and so many for one group (a host);
// - at the start, and for a target new after a reload, everything is asked once within a few seconds.
// What is late is measured; what is skipped is counted.
import type { Clock } from '../io/clock.ts'
import { createCalendar } from './calendar.ts'
import type { Ticker } from './cron.ts'
import type { Task } from './plan.ts'
import { phaseOf } from './shard.ts'

export interface Limits {
  readonly concurrency: number
  readonly perGroup: number
}

/** `overlap`: the run before has not ended. `overloaded`: it has not even begun. */
export type SkipReason = 'overlap' | 'overloaded'

export interface ScheduleEvents {
  /** Never rejects. */
  run(task: Task): Promise<void>
  started(task: Task, lagSeconds: number): void
  skipped(task: Task, why: SkipReason): void
}

export interface Scheduler {
  readonly inFlight: number
  /** Replaces the tasks. Those that ask the same as before keep their place in time; the others are asked soon. */
  set(tasks: readonly Task[], limits: Limits): void
  /** What is wrong when something is due, or ought to have ended, and nothing has happened for much too long. */
  standstill(): string | undefined
  /** Nothing new begins; what is in flight ends by itself. */
  stop(): void
}

interface Entry {
  task: Task
  readonly phase: number
  state: 'idle' | 'waiting' | 'running'
  /** Monotonic seconds; of the run that is waiting or running. */
  dueAt: number
  /** Of the run that is running, or of the last one. */
  beganAt: number
  /** Of its place in the calendar; Infinity when it has none. */
  nextAt: number
  /** Outdated places in the calendar are known by their number. */
  place: number
}

interface Cron {
  readonly stop: () => void
  readonly gapSeconds: number
  firedAt: number
}

interface Group {
  running: number
  readonly waiting: Entry[]
}

/** In the calendar; out of date once its entry has got another place. */
interface Placed {
  readonly entry: Entry
  readonly place: number
}

const START_SPREAD_SECONDS = 3
const CRON_SPREAD_SECONDS = 10
/** A machine that is overloaded is late too, and no better for a restart. */
const STANDSTILL_SECONDS = 30

/** The first moment after `after` that has this phase (0 to 1) within the interval. */
export function nextInPhase(phase: number, seconds: number, after: number): number {
  const next = (Math.floor(after / seconds - phase) + 1 + phase) * seconds
  return next > after ? next : next + seconds
}

export function createScheduler(clock: Clock, ticker: Ticker, events: ScheduleEvents): Scheduler {
  const entries = new Map<string, Entry>()
  /** By key; those that were removed meanwhile included. */
  const running = new Map<string, Entry>()
  const groups = new Map<string, Group>()
  const crons = new Map<string, Cron>()
  const isPlaced = ({ entry, place }: Placed): boolean => entry.place === place
  const calendar = createCalendar<Placed>(clock, (placed, dueAt) => {
    if (isPlaced(placed)) fire(placed.entry, dueAt)
  })
  let stopTicking: (() => void) | undefined
  let tickedAt = clock.monotonicSeconds()
  const queue: Entry[] = []
  let limits: Limits = { concurrency: 1, perGroup: 1 }
  let inFlight = 0
  let stopped = false

  function tick(): void {
    tickedAt = clock.monotonicSeconds()
    calendar.tick()
  }

  function placeAt(entry: Entry, dueAt: number): void {
    entry.nextAt = dueAt
    calendar.put({ entry, place: ++entry.place }, dueAt)
  }

  function fire(entry: Entry, dueAt: number): void {
    const { schedule } = entry.task.target
    entry.nextAt = Infinity
    if (schedule.kind === 'every') {
      // The start is spread otherwise than the regular runs: between the two lies at least half an interval. Slots
      // that went by while the process was suspended are not made up for.
      const after = Math.max(dueAt + schedule.seconds / 2, clock.monotonicSeconds())
      placeAt(entry, nextInPhase(entry.phase, schedule.seconds, after))
    }
    if (entry.state === 'idle') {
      entry.state = 'waiting'
      entry.dueAt = dueAt
      admit(entry)
    } else {
      events.skipped(entry.task, entry.state === 'running' ? 'overlap' : 'overloaded')
    }
  }

  function groupOf(entry: Entry): Group {
    const name = entry.task.target.group
    let group = groups.get(name)
    if (group === undefined) groups.set(name, (group = { running: 0, waiting: [] }))
    return group
  }

  function admit(entry: Entry): void {
    const group = groupOf(entry)
    if (group.running >= limits.perGroup) group.waiting.push(entry)
    else if (inFlight >= limits.concurrency) queue.push(entry)
    else void begin(entry, group)
  }

  async function begin(entry: Entry, group: Group): Promise<void> {
    const { task } = entry
    if (stopped || entries.get(task.key) !== entry) {
      entry.state = 'idle'
      makeRoom(group, task.target.group)
      return
    }
    inFlight++
    group.running++
    entry.state = 'running'
    running.set(task.key, entry)
    entry.beganAt = clock.monotonicSeconds()
    events.started(task, Math.max(0, entry.beganAt - entry.dueAt))
    await events.run(task)
    inFlight--
    group.running--
    entry.state = 'idle'
    running.delete(task.key)
    // Another question came meanwhile, and may have been skipped as an overlap.
    if (entry.task.fingerprint !== task.fingerprint) placeAt(entry, clock.monotonicSeconds())
    makeRoom(group, task.target.group)
    drain()
  }

  /** Those that waited for their group line up behind all others: a busy group must not keep the rest waiting. */
  function makeRoom(group: Group, name: string): void {
    queue.push(...group.waiting.splice(0, Math.max(0, limits.perGroup - group.running)))
    if (group.running === 0 && group.waiting.length === 0) groups.delete(name)
  }

  function drain(): void {
    while (inFlight < limits.concurrency) {
      const next = queue.shift()
      if (next === undefined) return
      admit(next)
    }
  }

  function fireCron(expression: string): void {
    const cron = crons.get(expression)
    if (cron !== undefined) cron.firedAt = clock.monotonicSeconds()
    const spread = Math.min(CRON_SPREAD_SECONDS, ticker.gapSeconds(expression) / 2)
    for (const entry of entries.values()) {
      const { schedule } = entry.task.target
      if (schedule.kind !== 'cron' || schedule.expression !== expression) continue
      placeAt(entry, clock.monotonicSeconds() + entry.phase * spread)
    }
  }

  return {
    get inFlight() {
      return inFlight
    },

    set(tasks, newLimits) {
      if (stopped) return
      stopTicking ??= ticker.everySecond(tick)
      limits = newLimits
      const wanted = new Map(tasks.map((task) => [task.key, task]))
      for (const [key, entry] of entries) {
        if (wanted.has(key)) continue
        entries.delete(key)
        entry.place++
      }
      const now = clock.monotonicSeconds()
      for (const [key, task] of wanted) {
        const known = entries.get(key)
        const phase = known?.phase ?? phaseOf(key)
        if (known?.task.fingerprint === task.fingerprint) {
          known.task = task
          continue
        }
        if (known !== undefined) known.place++
        // One that comes back before its last run has ended goes on from there: it is not asked twice at once.
        const entry: Entry = known ??
          running.get(key) ?? {
            task,
            phase,
            state: 'idle',
            dueAt: now,
            beganAt: -Infinity,
            nextAt: Infinity,
            place: 0,
          }
        entry.task = task
        entries.set(key, entry)
        const { schedule } = task.target
        const spread =
          schedule.kind === 'every' ? Math.min(START_SPREAD_SECONDS, schedule.seconds) : START_SPREAD_SECONDS
        // Whose question changes again and again is neither asked at every change, nor put off by every change.
        placeAt(entry, Math.max(Math.min(entry.nextAt, now + phase * spread), entry.beganAt + spread / 2))
      }
      const expressions = new Set(
        tasks.flatMap(({ target: { schedule } }) => (schedule.kind === 'cron' ? [schedule.expression] : [])),
      )
      for (const [expression, { stop }] of crons) {
        if (expressions.has(expression)) continue
        stop()
        crons.delete(expression)
      }
      for (const expression of expressions) {
        if (!crons.has(expression))
          crons.set(expression, {
            stop: ticker.every(expression, () => fireCron(expression)),
            // As long a gap as it may have, and one more: it is by the wall clock, which may be set back.
            gapSeconds: 2 * ticker.longestGapSeconds(expression),
            firedAt: now,
          })
      }
      calendar.keep(isPlaced)
      tick()
      drain()
    },

    standstill() {
      if (stopped || entries.size === 0) return undefined
      const now = clock.monotonicSeconds()
      const ago = (since: number): string => `${Math.round(now - since)} s`
      const late = now - STANDSTILL_SECONDS
      if (tickedAt < late) return `the schedule has not ticked for ${ago(tickedAt)}`
      const dueAt = calendar.earliest()
      if (dueAt < late) return `what was due ${ago(dueAt)} ago has not begun`
      for (const { task, beganAt } of running.values()) {
        const { timeoutSeconds } = task.target
        if (beganAt + timeoutSeconds < late)
          return `a run of ${task.probe.name} began ${ago(beganAt)} ago and has not ended; its timeout is ${timeoutSeconds} s`
      }
      const [next] = queue
      if (next !== undefined && inFlight === 0 && next.dueAt < late)
        return `what was due ${ago(next.dueAt)} ago waits for nothing`
      for (const [expression, { firedAt, gapSeconds }] of crons)
        if (firedAt + gapSeconds < late) return `"${expression}" has not fired for ${ago(firedAt)}`
      return undefined
    },

    stop() {
      stopped = true
      stopTicking?.()
      for (const { stop } of crons.values()) stop()
      calendar.stop()
      queue.length = 0
    },
  }
}
