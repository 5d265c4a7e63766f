// One task → one Result. The only broad catch: whatever a probe throws becomes a failure with a reason, and what we do
// not recognise is our own fault, never the host's.
import { secondsBetween } from '../io/clock.ts'
import type { Io } from '../io/io.ts'
import { createDeadline, type Deadline } from '../io/deadline.ts'
import { detached } from '../model/detached.ts'
import { MalformedMessage, ProbeFailure } from '../model/failure.ts'
import type { Log } from '../model/log.ts'
import type { Failure, Result, StageTime } from '../model/result.ts'
import type { Task } from './plan.ts'

/** A probe ends with its deadline. One that does not, being defective, is left behind after this. */
const GRACE_SECONDS = 0.5

export interface RunOptions {
  readonly io: Io
  readonly log: Log
  /** Shorter than the target's own timeout: what is left of a scrape's time. */
  readonly mostSeconds?: number | undefined
  /** What is still asked when this ends is given up at once; its Result says nothing about the target. */
  readonly end?: Deadline | undefined
}

export async function run(
  { probe, target }: Task,
  { io, log, mostSeconds, end }: RunOptions,
): Promise<Result> {
  const { clock } = io
  const startedAtSeconds = clock.wallSeconds()
  const begin = clock.monotonicSeconds()
  const stages: StageTime[] = []
  let stage = probe.stages[0] ?? probe.name
  let stageBegan = begin
  const closeStage = (): void => {
    const now = clock.monotonicSeconds()
    const known = stages.findIndex((each) => each.stage === stage)
    const seconds = secondsBetween(stageBegan, now + (stages[known]?.seconds ?? 0))
    if (known === -1) stages.push({ stage, seconds })
    else stages[known] = { stage, seconds }
    stageBegan = now
  }
  const seconds = Math.min(target.timeoutSeconds, mostSeconds ?? Infinity)
  const deadline = createDeadline(seconds)
  const letGo = end?.own(() => deadline.close())
  let grace: NodeJS.Timeout | undefined
  let over = false
  const enter = (next: string): void => {
    // One that was left behind has no say in what was told already.
    if (over || next === stage) return
    closeStage()
    stage = next
  }

  let outcome: { reading: unknown; failure?: undefined } | { failure: Failure }
  try {
    const reading = await new Promise((resolve, reject) => {
      deadline.own((ending) => {
        if (end?.ended === true) reject(new ProbeFailure('timeout', 'called off'))
        if (ending !== 'expired') return
        grace = setTimeout(
          () => reject(new ProbeFailure('timeout', `no end within ${seconds} s`)),
          GRACE_SECONDS * 1000,
        )
      })
      probe.measure(target, { io, deadline, log, enter }).then(resolve, reject)
    })
    outcome = { reading }
  } catch (error) {
    outcome = { failure: { stage, ...explain(error, log, probe.name, target.key) } }
  }
  clearTimeout(grace)
  letGo?.()
  deadline.close()
  closeStage()
  over = true
  const endedAtMonotonicSeconds = clock.monotonicSeconds()
  return Object.freeze({
    probe: probe.name,
    target,
    startedAtSeconds,
    endedAtSeconds: clock.wallSeconds(),
    endedAtMonotonicSeconds,
    durationSeconds: secondsBetween(begin, endedAtMonotonicSeconds),
    // An array that grew has room for many more, and this one is kept.
    stages: stages.slice(),
    ...outcome,
  })
}

function explain(
  error: unknown,
  log: Log,
  probe: string,
  target: string,
): Pick<Failure, 'reason' | 'detail'> {
  if (error instanceof ProbeFailure) {
    if (error.reason === 'internal_error')
      log.error({ probe, target, err: error }, 'a probe failed by our own fault')
    return { reason: error.reason, detail: detached(error.message) }
  }
  if (error instanceof MalformedMessage) return { reason: 'protocol_error', detail: detached(error.message) }
  log.error({ probe, target, err: error }, 'a probe failed by our own fault')
  return { reason: 'internal_error', detail: error instanceof Error ? error.message : String(error) }
}
