// One alert a cause, made from the diagnosis table: what the pager says is what the page, the shell and the runbook say.
import { CAUSE_NAMES, rowOf, type Cause } from '../../../src/diagnosis/causes.ts'
import { CLIENT_ERRORS, type ClientErrorCode } from '../../../src/kms/error-codes.ts'
import { EXPORTER, fillInLater, HOST, known, type AlertRule, type Group } from './rule.ts'

/** How long a cause has to stand. A service that is restarted, a record that is replicated, a count that grows are none. */
const FOR: Readonly<Record<Cause, string>> = {
  host_unreachable: '5m',
  host_record_wrong: '15m',
  srv_missing: '15m',
  srv_stale: '30m',
  srv_wrong_port: '15m',
  port_blocked: '5m',
  service_stopped: '5m',
  not_kms_listener: '5m',
  clock_skew: '10m',
  kms_not_enabled: '10m',
  host_not_licensed: '15m',
  count_below_threshold: '30m',
  version_mismatch: '30m',
  event_log_unreadable: '30m',
  exporter_clock_wrong: '10m',
}

function clientsSee(code: ClientErrorCode | undefined): string {
  return code === undefined ? '' : `Clients that ask it show ${code}: ${CLIENT_ERRORS[code].meaning}. `
}

function remedyOf(cause: Cause): string {
  const { remedy, command } = rowOf(cause)
  return `${fillInLater(remedy)} Command: ${fillInLater(command)}`
}

function alertsOf(cause: Cause): readonly AlertRule[] {
  const { title, clientError, stopsService } = rowOf(cause)
  const named = `winkms:cause:named{cause="${cause}"} == 1`
  const common = {
    runbook: cause,
    scope: 'host',
    cause,
    for: FOR[cause],
    // As long as the other severity of the same alert takes to fire in its place.
    keepFiringFor: FOR[cause] === '5m' ? '10m' : FOR[cause],
    summary: `${title}: KMS host {{ $labels.host }}.`,
  } as const
  const says = `${clientsSee(clientError)}${remedyOf(cause)}`
  if (!stopsService) return [{ ...common, severity: 'warning', expr: named, description: says }]
  return [
    {
      ...common,
      when: 'no other host serves a domain of this one',
      severity: 'critical',
      expr: `${named} unless on (${HOST}) winkms:host:others_serving > 0`,
      description: `No other host is known to serve its clients. ${says}`,
    },
    {
      ...common,
      when: 'other hosts serve all its domains',
      severity: 'warning',
      expr: `(${named}) and on (${HOST}) winkms:host:others_serving > 0`,
      description: `Other hosts serve its domains meanwhile. ${says}`,
    },
  ]
}

/** Of the exporter, not of twenty hosts. */
const exporterClock: AlertRule = {
  runbook: 'exporter_clock_wrong',
  severity: 'warning',
  scope: 'exporter',
  cause: 'exporter_clock_wrong',
  expr: `max by (${EXPORTER}) (${known('winkms_diagnosis{cause="exporter_clock_wrong"}')}) == 1`,
  for: FOR.exporter_clock_wrong,
  keepFiringFor: '10m',
  summary: `${rowOf('exporter_clock_wrong').title}: {{ $labels.instance }}.`,
  description: `It is off by {{ with printf "winkms_exporter_clock_offset_seconds{instance=%q}" $labels.instance | query }}{{ . | first | value | humanizeDuration }}{{ else }}more than it may{{ end }} against its references. ${remedyOf('exporter_clock_wrong')}`,
}

export const causes: Group = {
  name: 'winkms-causes',
  rules: CAUSE_NAMES.flatMap((cause) =>
    cause === 'exporter_clock_wrong' ? [exporterClock] : alertsOf(cause),
  ),
}
