// What becomes a cause if nobody acts, and what clients tell of a host.
import { LEVELS } from '../../../src/kms/levels.ts'
import { CLIENT_THRESHOLD, FORGOTTEN_AFTER_SECONDS, RENEWAL_SECONDS } from '../../../src/kms/thresholds.ts'
import { CLIENT, HOST, known, SUCCESS, type AlertRule, type Group } from './rule.ts'

const { count, clientExpirySeconds: expiry, driftSeconds: drift, failingRequests: failing, idle } = LEVELS
const publishing = LEVELS.dnsPublishFailedSeconds
const margin = {
  clients: count.clients.warning - count.clients.critical,
  servers: count.servers.warning - count.servers.critical,
}
const DAY = 86_400

const firstExpiry = `min by (${HOST}) (${known('winkms_earliest_client_expiry_seconds')})`
const servedLately = `max by (${HOST}) (sum without (result, min_clients) (increase(winkms_activation_requests_total{result="${SUCCESS}"}[${RENEWAL_SECONDS / DAY}d]))) > 0`
/** For so long Prometheus has known the host: before that, it cannot say that nobody was served. */
const requestsRead = `max by (${HOST}) (sum without (result, min_clients) (last_over_time(winkms_activation_requests_total[1h] offset ${RENEWAL_SECONDS / DAY}d)))`
const asks = `max by (host, ${CLIENT}) (${known('winkms_client_kms_info{host!=""}')})`
/** While a client changes its host, a pair may see it at two: then it is told of neither. */
const itsHost = `(${asks} and on (${CLIENT}) count by (${CLIENT}) (${asks}) == 1)`
const ofReader = `{{ range printf "winkms_client_last_activation_result_info{client=%q}" $labels.client | query }}{{ .Labels.code }} {{ end }}`

/**
 * For so long every answer has been that it failed, and it was known before. Not by `for`, which begins anew when the log
 * cannot be read once.
 */
function publishFailed(seconds: number): string {
  const long = `${seconds / 3600}h`
  const by = 'host, domain, vantage'
  return `max by (${by}) (max_over_time(winkms_dns_publish_success[${long}])) == 0
and on (${by}) max by (${by}) (last_over_time(winkms_dns_publish_success[1h]))
and on (${by}) max by (${by}) (last_over_time(winkms_dns_publish_success[1h] offset ${long}))
unless on (${HOST}) max by (${HOST}) (${known('winkms_dns_publishing_enabled')}) == 0`
}
const unpublished = {
  runbook: 'dns_publishing_failed',
  scope: 'host',
  for: '15m',
  keepFiringFor: '1h',
  summary: 'KMS host {{ $labels.host }} cannot publish itself in {{ $labels.domain }}.',
  description:
    'Event 12293 and no 12294 since. 0x80072338 there: another host owns the record; give this one the right to change _vlmcs. Then Restart-Service sppsvc, which publishes again.',
} as const

const rules: readonly AlertRule[] = [
  {
    runbook: 'drift_high',
    severity: 'warning',
    scope: 'host',
    // Beyond the critical level it is a cause: clock_skew.
    expr: `(abs(winkms:host:drift_seconds) - on (${HOST}) winkms:host:drift_uncertainty_seconds > ${drift.warning})
unless on (${HOST}) winkms:cause:named{cause="clock_skew"} == 1`,
    for: '10m',
    keepFiringFor: '10m',
    summary: 'The clock of KMS host {{ $labels.host }} drifts.',
    description: `It is off by {{ with printf "winkms:host:drift_seconds{host=%q}" $labels.host | query }}{{ . | first | value | humanizeDuration }}{{ end }} (positive: ahead). Beyond ${drift.critical / 3600} hours the host refuses its clients with 0xC004F06C. On the host: w32tm /query /status, then w32tm /resync.`,
  },
  {
    runbook: 'count_near_threshold',
    severity: 'warning',
    scope: 'host',
    // A count at its limit is full, whatever the number: 10 where only servers have asked, 50 where clients have.
    expr: `(
  winkms:product:clients >= winkms:product:required_clients
  and winkms:product:clients < winkms:product:required_clients + ${margin.servers}
  or (winkms:product:clients >= winkms:product:required_clients and winkms:product:required_clients >= ${CLIENT_THRESHOLD})
  and winkms:product:clients < winkms:product:required_clients + ${margin.clients}
)
unless winkms:product:clients >= winkms:product:clients_limit`,
    for: '1h',
    keepFiringFor: '1h',
    summary: 'KMS host {{ $labels.host }} counts hardly more clients than {{ $labels.product }} takes.',
    description:
      'It counts {{ $value }}, and it takes {{ with printf "winkms:product:required_clients{host=%q,product=%q}" $labels.host $labels.product | query }}{{ . | first | value }}{{ end }}. Below that it activates nobody (0xC004F038). See the Capacity dashboard: is the fleet shrinking, split over hosts, or cloned with one CMID?',
  },
  {
    runbook: 'count_forecast_low',
    severity: 'warning',
    scope: 'host',
    expr: `max by (${HOST}) (${known('winkms_forecast_clients')})
< on (${HOST}) max by (${HOST}) (winkms:product:required_clients)
unless on (${HOST}) winkms:cause:named{cause="count_below_threshold"} == 1`,
    for: '1h',
    keepFiringFor: '1h',
    summary: 'The count of KMS host {{ $labels.host }} will fall below what it takes.',
    description: `If those who have been silent for ${RENEWAL_SECONDS / DAY} days do not come back, it counts {{ $value }} in ${(FORGOTTEN_AFTER_SECONDS - RENEWAL_SECONDS) / DAY} days, where it takes {{ with printf "max by (host) (winkms:product:required_clients{host=%q})" $labels.host | query }}{{ . | first | value }}{{ end }}.`,
  },
  {
    runbook: 'host_idle',
    severity: 'warning',
    scope: 'host',
    // When a client is due, its population tells; but whoever is silent for longer than it is remembered is gone.
    expr: `(
  winkms:host:idle_seconds
  > on (${HOST}) clamp(${idle.timesExpectedGap} * winkms:host:expected_gap_seconds, ${idle.leastSeconds}, ${FORGOTTEN_AFTER_SECONDS})
)
and on (${HOST}) min by (${HOST}) (${known('winkms_event_log_caught_up')}) == 1`,
    for: '1h',
    keepFiringFor: '10m',
    summary: 'No client asks KMS host {{ $labels.host }} any more.',
    description: `The last request came {{ $value | humanizeDuration }} ago. By how many clients it has, one is due every {{ with printf "winkms:host:expected_gap_seconds{host=%q}" $labels.host | query }}{{ . | first | value | humanizeDuration }}{{ end }}. Do clients find it, and does the port let them through?`,
  },
  {
    runbook: 'client_expiry',
    when: 'and the host has answered nobody with success for 7 days',
    severity: 'critical',
    scope: 'host',
    expr: `${firstExpiry} < ${expiry.critical}
and on (${HOST}) ${requestsRead}
unless on (${HOST}) ${servedLately}`,
    for: '1h',
    keepFiringFor: '1h',
    summary:
      'A client of KMS host {{ $labels.host }} is about to lose its activation, and none has been renewed lately.',
    description:
      'The first licence or grace period ends in {{ $value | humanizeDuration }}. The activity of the host, by result, says what its clients are answered.',
  },
  {
    runbook: 'client_expiry',
    when: 'for one client at least',
    severity: 'warning',
    scope: 'host',
    expr: `${firstExpiry} < ${expiry.warning}`,
    for: '1h',
    keepFiringFor: '1h',
    summary: 'A client of KMS host {{ $labels.host }} is not renewed.',
    description: `The first licence or grace period ends in {{ $value | humanizeDuration }}; one that is renewed has 180 days. Its user is warned from ${expiry.critical / DAY} days on.`,
  },
  {
    runbook: 'requests_failing',
    severity: 'warning',
    scope: 'host',
    expr: `winkms:host:results_1h{result!="${SUCCESS}"} / on (${HOST}) group_left () winkms:host:requests_1h > ${failing.ratio}
and winkms:host:results_1h >= ${failing.least}`,
    for: '15m',
    keepFiringFor: '30m',
    summary: 'KMS host {{ $labels.host }} answers clients with {{ $labels.result }}.',
    description:
      '{{ $value | humanizePercentage }} of the requests of the last hour. The runbook has the codes, and what each takes.',
  },
  {
    ...unpublished,
    when: `for ${publishing.critical / 3600} hours, and no other host serves a domain of this one`,
    severity: 'critical',
    expr: `(${publishFailed(publishing.critical)}) unless on (${HOST}) winkms:host:others_serving > 0`,
  },
  {
    ...unpublished,
    when: `for ${publishing.warning / 3600} hours`,
    severity: 'warning',
    expr: publishFailed(publishing.warning),
  },
  {
    runbook: 'canary_failing',
    severity: 'warning',
    scope: 'client',
    expr: `winkms:client:failing * on (${CLIENT}) group_left (host) ${itsHost}
or winkms:client:failing unless on (${CLIENT}) ${itsHost}`,
    for: '30m',
    keepFiringFor: '10m',
    summary: 'Activation fails on canary {{ $labels.client }}.',
    description: `Its last attempt ended with ${ofReader}{{ with $labels.host }}at {{ . }}{{ end }}. What it meets, other clients meet too.`,
  },
  {
    runbook: 'event_log_losing',
    severity: 'warning',
    scope: 'host',
    expr: `max by (host, log, vantage) (sum without (why) (increase(winkms_event_log_gap_total[1h])))
+ max by (host, log, vantage) (increase(winkms_event_log_lost_records_total[1h])) > 0`,
    for: '0s',
    keepFiringFor: '6h',
    summary: 'Events of KMS host {{ $labels.host }} are gone before they are read.',
    description:
      'The log {{ $labels.log }} was cleared, or old records are overwritten before they are read: what is counted from it is too low. Make the log larger, or read it more often.',
  },
]

export const hosts: Group = { name: 'winkms-hosts', rules }
