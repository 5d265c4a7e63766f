// What is known about one host when it is judged: its own outcomes, and those of the domains and references it shares
// with others. Pure data; and the small words that the rules have in common.
import type { Domain, Host } from '../config/targets.ts'
import type { Evidence, Finding } from '../model/finding.ts'
import type { Result } from '../model/result.ts'
import type { ResultOf } from '../probes/index.ts'
import type { Cause } from './causes.ts'

export interface HostEvidence {
  readonly host: Host
  readonly port: ResultOf<'port'> | undefined
  readonly clock: ResultOf<'clock'> | undefined
  readonly service: ResultOf<'service'> | undefined
  /** Of every domain and resolver that is watched. */
  readonly srv: readonly ResultOf<'srv'>[]
  readonly references: readonly ResultOf<'reference'>[]
}

export function cite(result: Result, says: string): Evidence {
  return { source: `${result.probe} ${result.target.key}`, says, atSeconds: result.endedAtSeconds }
}

export function unanswered(result: Result): string {
  const { failure } = result
  return failure === undefined ? '' : `no answer: ${failure.reason} at ${failure.stage} (${failure.detail})`
}

type Sides = { for?: readonly Evidence[]; against?: readonly Evidence[] }

export function named(
  cause: Cause,
  evidence: readonly Evidence[],
  against: readonly Evidence[] = [],
): Finding<Cause> {
  return { cause, verdict: 'named', for: evidence, against }
}

export function ruledOut(cause: Cause, against: readonly Evidence[]): Finding<Cause> {
  return { cause, verdict: 'ruled_out', for: [], against }
}

export function cannotTell(cause: Cause, missing: string, sides: Sides = {}): Finding<Cause> {
  return { cause, verdict: 'unknown', for: sides.for ?? [], against: sides.against ?? [], missing }
}

export function expects(domain: Domain, host: Host): boolean {
  return domain.expect.some(({ target }) => target === host.name)
}

/** Nobody configured this host, and a domain whose list is complete does not expect it. */
export function isUninvited({ host, srv }: HostEvidence): boolean {
  if (!host.discovered) return false
  const naming = srv.filter((result) => result.reading?.records.some(({ target }) => target === host.name))
  return naming.length > 0 && naming.every(({ target: { domain } }) => domain.exact && !expects(domain, host))
}
