// One moment's view of everything, from which pages, API and reports are rendered, so that they all say the same.
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import type { Trail } from '../engine/history.ts'
import type { Result } from '../model/result.ts'
import type { ProbeName, ResultOf } from '../probes/index.ts'

export interface HostView {
  readonly diagnosis: Diagnosis
  /** When it began to serve, or ceased to, Unix seconds. */
  readonly sinceSeconds: number
  readonly results: readonly Result[]
  /** Its last hours, unwound when somebody looks at them. */
  readonly trail?: () => Trail | undefined
}

export interface DomainView {
  readonly name: string
  readonly consistent: boolean | undefined
  readonly results: readonly ResultOf<'srv'>[]
}

/** A canary. */
export interface ClientView {
  readonly name: string
  /** The latest; undefined before the first. */
  readonly result: ResultOf<'client'> | undefined
}

export interface Snapshot {
  readonly atSeconds: number
  readonly hosts: readonly HostView[]
  readonly domains: readonly DomainView[]
  readonly clients: readonly ClientView[]
  /** Newest first. */
  readonly failures: readonly Result[]
  /** What to tell a person while there is no host at all. */
  readonly nothingFound: string | undefined
  /** Set where other exporters watch other hosts of the same domains: `0/3`. */
  readonly shard?: string | undefined
}

/** A host has one result of each probe at most, and it has that probe's shape. */
export function resultOf<Name extends ProbeName>(
  results: readonly Result[],
  probe: Name,
): ResultOf<Name> | undefined {
  return results.find((result) => result.probe === probe) as ResultOf<Name> | undefined
}
