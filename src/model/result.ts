// What one run of one probe left behind: plain frozen data, shared by metrics, pages, reports and the diagnosis.
import type { Reason } from './failure.ts'
import type { Target } from './target.ts'

export interface Failure {
  readonly stage: string
  readonly reason: Reason
  /** For people; never a label. */
  readonly detail: string
}

/** Seconds spent in one stage of a run, in the order the stages were entered. */
export interface StageTime {
  readonly stage: string
  readonly seconds: number
}

interface Run<T extends Target> {
  readonly probe: string
  readonly target: T
  /** Wall clock, Unix seconds UTC. */
  readonly startedAtSeconds: number
  readonly endedAtSeconds: number
  /** When it ended by the monotonic clock: which of two is newer, whatever the wall clock was set to between them. */
  readonly endedAtMonotonicSeconds: number
  /** Monotonic. */
  readonly durationSeconds: number
  readonly stages: readonly StageTime[]
}

export interface Answered<T extends Target, Reading> extends Run<T> {
  readonly reading: Reading
  readonly failure?: undefined
}

export interface Unanswered<T extends Target> extends Run<T> {
  readonly reading?: undefined
  readonly failure: Failure
}

/** Either a reading (be it bad news) or the reason why there is none; never both, never neither. */
export type Result<T extends Target = Target, Reading = unknown> = Answered<T, Reading> | Unanswered<T>
