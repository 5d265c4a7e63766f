// Everything known about a host → whether it serves, and if not, why. Pure; the same for metrics, pages and the shell.
import type { Host } from '../config/targets.ts'
import { clientErrorOf } from '../kms/srv.ts'
import type { Finding } from '../model/finding.ts'
import type { Interval } from '../model/interval.ts'
import type { ServiceState } from '../probes/service.ts'
import { CAUSE_NAMES, rowOf, type Cause } from './causes.ts'
import { cannotTell, expects, type HostEvidence } from './evidence.ts'
import { judgeClock } from './rules/clock.ts'
import { judgeReach } from './rules/reach.ts'
import { judgeHostRecord, judgeMissing, judgePort, judgeStale, lacksRecord } from './rules/records.ts'

export interface Diagnosis {
  readonly host: Host
  /** Every known precondition of a client's activation holds; undefined when that cannot be told. */
  readonly serving: boolean | undefined
  /** One a cause, in the order of CAUSES. */
  readonly findings: readonly Finding<Cause>[]
  readonly service: { readonly state: ServiceState; readonly source: 'windows_exporter' | 'inferred' }
  /** Host minus the references (without any: minus the exporter), over the sources that agree. */
  readonly drift: Interval | undefined
  readonly clockSources: readonly { readonly source: string; readonly agrees: boolean | undefined }[]
  /** What clients show, by named cause. */
  readonly clientErrors: readonly { readonly cause: Cause; readonly code: string }[]
  /** A watched domain that names or expects the host. */
  readonly domain: string | undefined
}

function clientErrorFor(cause: Cause, { host, srv }: HostEvidence): string | undefined {
  if (cause === 'srv_missing') {
    for (const result of srv) {
      const code = result.reading && lacksRecord(result, host) ? clientErrorOf(result.reading) : undefined
      if (code !== undefined) return code
    }
    // Other hosts are named: clients go there, and nobody shows an error on account of this one.
    return undefined
  }
  return rowOf(cause).clientError
}

export function diagnose(known: HostEvidence): Diagnosis {
  const reach = judgeReach(known)
  const clock = judgeClock(known)
  const judged = new Map(
    [
      ...reach.findings,
      judgeMissing(known),
      judgeStale(known, reach.bound),
      judgePort(known),
      judgeHostRecord(known, reach.bound),
      ...clock.findings,
    ].map((finding) => [finding.cause, finding]),
  )
  const findings = CAUSE_NAMES.map(
    (cause) =>
      judged.get(cause) ??
      cannotTell(cause, `not asked: that takes ${rowOf(cause).needs ?? 'another probe'}`),
  )
  const namedCauses = findings.filter(({ verdict }) => verdict === 'named').map(({ cause }) => cause)
  const stopping = namedCauses.some((cause) => rowOf(cause).stopsService)
  const domain = known.srv.find(
    ({ target, reading }) =>
      expects(target.domain, known.host) ||
      reading?.records.some(({ target: name }) => name === known.host.name),
  )
  return {
    host: known.host,
    serving: stopping || reach.bound === false ? false : reach.bound,
    findings,
    service: reach.service,
    drift: clock.drift,
    clockSources: clock.sources,
    clientErrors: namedCauses.flatMap((cause) => {
      const code = clientErrorFor(cause, known)
      return code === undefined ? [] : [{ cause, code }]
    }),
    domain: domain?.target.domain.name,
  }
}
