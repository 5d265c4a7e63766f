// Everything known about a host → whether it serves, and if not, why. Pure; the same for metrics, pages and the shell.
import type { Host } from '../config/targets.ts'
import { clientErrorOf } from '../kms/srv.ts'
import type { Finding } from '../model/finding.ts'
import type { Interval } from '../model/interval.ts'
import type { ServiceSource, ServiceState } from '../probes/windows-facts.ts'
import { CAUSE_NAMES, rowOf, type Cause } from './causes.ts'
import { belongsIn, cannotTell, type HostEvidence } from './evidence.ts'
import { judgeClock } from './rules/clock.ts'
import { judgeCount } from './rules/count.ts'
import { judgeEventLog } from './rules/event-log.ts'
import { judgeEnabled, judgeLicensed } from './rules/licence.ts'
import { judgeReach } from './rules/reach.ts'
import { judgeHostRecord, judgeMissing, judgePort, judgeStale, lacksRecord } from './rules/records.ts'
import { judgeVersions } from './rules/versions.ts'

export interface Diagnosis {
  readonly host: Host
  /** Every known precondition of a client's activation holds; undefined when that cannot be told. */
  readonly serving: boolean | undefined
  /** One a cause, in the order of CAUSES. */
  readonly findings: readonly Finding<Cause>[]
  readonly service: { readonly state: ServiceState; readonly source: ServiceSource }
  /** Host minus the references (without any: minus the exporter), over the sources that agree. */
  readonly drift: Interval | undefined
  readonly clockSources: readonly { readonly source: string; readonly agrees: boolean | undefined }[]
  /** The host's count once it has forgotten whoever is silent today; undefined when that cannot be told. */
  readonly forecastClients: number | undefined
  /** What clients show, by named cause. */
  readonly clientErrors: readonly { readonly cause: Cause; readonly code: string }[]
  /** Watched domains that expect the host, or whose SRV records name it; or that it is told to publish itself in. */
  readonly domains: readonly string[]
}

function clientErrorFor(cause: Cause, known: HostEvidence): string | undefined {
  if (cause === 'srv_missing') {
    for (const result of known.srv) {
      const code = result.reading && lacksRecord(result, known) ? clientErrorOf(result.reading) : undefined
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
  const [clockSkew] = clock.findings
  const count = judgeCount(known)
  const versions = judgeVersions(known, clockSkew.verdict)
  const judged = [
    ...reach.findings,
    judgeMissing(known),
    judgeStale(known, reach.bound),
    judgePort(known, reach.bound),
    judgeHostRecord(known, reach.bound),
    ...clock.findings,
    judgeEnabled(known, reach.bound),
    judgeLicensed(known),
    count.finding,
    versions.finding,
    judgeEventLog(known),
  ]
  const findings = CAUSE_NAMES.map(
    (cause) =>
      judged.find((finding) => finding.cause === cause) ?? cannotTell(cause, 'there is no rule for it'),
  )
  const namedCauses = findings.filter(({ verdict }) => verdict === 'named').map(({ cause }) => cause)
  const stopping = namedCauses.some((cause) => rowOf(cause).stopsService)
  const related = known.srv.filter(
    ({ target, reading }) =>
      belongsIn(known, target.domain) ||
      reading?.records.some(({ target: name }) => name === known.host.name),
  )
  return {
    host: known.host,
    serving: stopping || reach.bound === false ? false : reach.bound,
    findings,
    service: reach.service,
    drift: clock.drift,
    clockSources: clock.sources,
    forecastClients: count.forecastClients,
    clientErrors: namedCauses.flatMap((cause) => {
      const code = cause === 'version_mismatch' ? versions.clientError : clientErrorFor(cause, known)
      return code === undefined ? [] : [{ cause, code }]
    }),
    domains: [...new Set(related.map(({ target }) => target.domain.name))],
  }
}
