// One moment's view of everything, from which pages, API and reports are rendered, so that they all say the same.
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import type { Result } from '../model/result.ts'
import type { ResultOf } from '../probes/index.ts'

export interface HostView {
  readonly diagnosis: Diagnosis
  /** When it began to serve, or ceased to, Unix seconds. */
  readonly sinceSeconds: number
  readonly results: readonly Result[]
}

export interface DomainView {
  readonly name: string
  readonly consistent: boolean | undefined
  readonly results: readonly ResultOf<'srv'>[]
}

export interface Snapshot {
  readonly atSeconds: number
  readonly hosts: readonly HostView[]
  readonly domains: readonly DomainView[]
  /** Newest first. */
  readonly failures: readonly Result[]
  /** What to tell a person while there is no host at all. */
  readonly nothingFound: string | undefined
}

/** Worst first: not serving, cannot tell, serving; by name within. */
export function worstFirst(hosts: readonly HostView[]): readonly HostView[] {
  const rank = ({ diagnosis: { serving } }: HostView): number => (serving === undefined ? 1 : serving ? 2 : 0)
  return hosts.toSorted(
    (a, b) => rank(a) - rank(b) || (a.diagnosis.host.name < b.diagnosis.host.name ? -1 : 1),
  )
}
