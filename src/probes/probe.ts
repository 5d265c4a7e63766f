// The one interface: a question, asked of one target, answered before one deadline.
//
// A probe is an annotated constant. It keeps nothing between visits, retries nothing, and catches nothing that it
// does not turn into a part of its answer: unanswered is not answered badly. A refused bind or an NXDOMAIN resolves,
// being a good answer about a sick host; silence rejects.
import type { Estate } from '../config/targets.ts'
import type { Deadline } from '../io/deadline.ts'
import type { Io } from '../io/io.ts'
import type { Log } from '../model/log.ts'
import type { Metric } from '../model/metric.ts'
import type { Target } from '../model/target.ts'

export interface Visit {
  readonly io: Io
  readonly deadline: Deadline
  readonly log: Log
  /** Whatever goes wrong next is stamped with this stage; the time until the next one is its own. */
  enter(stage: string): void
}

export interface Probe<Name extends string, T extends Target, Reading> {
  /** Label, log field and configuration key. */
  readonly name: Name
  /** One sentence, for `--help`, documents and pages. */
  readonly question: string
  /** Where it can fail, in the order in which the stages are entered. */
  readonly stages: readonly string[]
  /** The identity labels of its targets, in order. */
  readonly identity: readonly string[]
  /** Pure: whom to ask. */
  targets(estate: Estate): readonly T[]
  /** The only I/O. Rejects with ProbeFailure or MalformedMessage. */
  measure(target: T, visit: Visit): Promise<Reading>
  /** Pure: what the reading says. */
  readonly metrics: readonly Metric<T, Reading>[]
}
