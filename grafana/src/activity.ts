// What hosts have been doing, by their event logs: results, clocks of clients, copied machines, publishing, the logs.
import { CLIENT_THRESHOLD, CLOCK_LIMIT_SECONDS, LEAST_THRESHOLD } from '../../src/kms/thresholds.ts'
import { LEVELS } from '../../src/kms/levels.ts'
import { dashboard } from './frame.ts'
import { EXPORTER_PAGES, toHost } from './links.ts'
import { BAD, from, GOOD, PLAIN, WARNING, words, YES_NO } from './look.ts'
import { bars, heatmap, lines, painted, shaded } from './panels.ts'
import { CHOSEN, here, least, rate, series, SPAN, worst } from './query.ts'
import { table } from './table.ts'

const HOUR = 3_600
const SUCCESS = '0x00000000'
const BY_RESULT = 'host, result, min_clients'
const REQUESTS = 'winkms_activation_requests_total'

const DRIFT = `avg by (host) (${series('winkms_clock_drift_seconds', CHOSEN)})`

/** How long ago by true time: logs have the host's own, of which the drift is taken out as far as it is known. */
function ago(labels: string, name: string): string {
  const drift = `(${DRIFT} or on (host) 0 * ${worst('host', 'winkms_host_info', CHOSEN)})`
  return here(`clamp_min(time() - ${worst(labels, name, CHOSEN)} + on (host) group_left () ${drift}, 0)`)
}

const requests = [
  lines({
    id: 1,
    title: 'Requests by result',
    description: 'Per hour, from the event logs. 0x00000000 is success.',
    width: 12,
    height: 9,
    unit: 'suffix:/h',
    min: 0,
    step: '15m',
    drawn: 'bars',
    stacked: true,
    queries: [
      {
        expr: `${HOUR} * sum by (result) (${here(rate(BY_RESULT, REQUESTS, CHOSEN, `result="${SUCCESS}"`))})`,
        legend: '{{result}} (success)',
        properties: [painted(GOOD)],
      },
      {
        expr: `${HOUR} * sum by (result) (${here(rate(BY_RESULT, REQUESTS, CHOSEN, `result!="${SUCCESS}"`))})`,
        legend: '{{result}}',
      },
    ],
  }),
  lines({
    id: 2,
    title: 'Requests by how many clients the product needs',
    description: `Per hour. ${CLIENT_THRESHOLD}: client systems; ${LEAST_THRESHOLD}: servers and Office.`,
    width: 12,
    height: 9,
    unit: 'suffix:/h',
    min: 0,
    step: '15m',
    drawn: 'bars',
    stacked: true,
    queries: [
      {
        expr: `${HOUR} * sum by (min_clients) (${here(rate(BY_RESULT, REQUESTS, CHOSEN))})`,
        legend: 'needs {{min_clients}}',
      },
    ],
  }),
  lines({
    id: 3,
    title: 'Part of the requests that fails, by result',
    description: `Of all requests of a host. The line is where the alert is, once at least ${LEVELS.failingRequests.least} have failed.`,
    width: 12,
    height: 9,
    unit: 'percentunit',
    min: 0,
    softMax: 2 * LEVELS.failingRequests.ratio,
    step: '1h',
    levels: true,
    thresholds: from(LEVELS.failingRequests.ratio, BAD),
    nothing: 'no request has failed, or no event log is read',
    queries: [
      {
        expr: `sum by (host, result) (${here(rate(BY_RESULT, REQUESTS, CHOSEN, `result!="${SUCCESS}"`))}) / on (host) group_left () (sum by (host) (${rate(BY_RESULT, REQUESTS, CHOSEN)}) > 0)`,
        legend: '{{host}} {{result}}',
        properties: [shaded(BAD)],
      },
    ],
  }),
  bars({
    id: 4,
    title: 'Since the last request',
    description: `From the event log; the drift of the host's clock is taken out. The colour changes after ${LEVELS.idle.leastSeconds / 86_400} days, a long weekend; the alert waits longer where few clients ask.`,
    width: 12,
    height: 9,
    unit: 's',
    decimals: 0,
    most: LEVELS.idle.leastSeconds,
    thresholds: from(LEVELS.idle.leastSeconds, WARNING),
    links: [toHost('${__field.labels.host}')],
    queries: [
      {
        expr: ago('host', 'winkms_last_request_timestamp_seconds'),
        legend: '{{host}}',
      },
    ],
  }),
]

const clients = [
  heatmap({
    id: 11,
    title: "Clients' clocks",
    description: `The host's time of a request minus the client's, which is cut to a minute: 0 to 60 s is no difference. Beyond ${CLOCK_LIMIT_SECONDS} s either way KMS refuses.`,
    width: 16,
    height: 9,
    unit: 's',
    step: '15m',
    queries: [
      {
        expr: `sum by (le) (${here(`max by (host, le) (increase(${series('winkms_client_clock_skew_seconds_bucket', CHOSEN)}${SPAN}))`)})`,
        legend: '{{le}}',
      },
    ],
  }),
  bars({
    id: 12,
    title: 'Copied clients',
    description:
      'CMIDs that machines of different names have used within 30 days: copied without Sysprep, they count as one client.',
    width: 8,
    height: 9,
    unit: 'none',
    decimals: 0,
    thresholds: from(1, WARNING, GOOD),
    links: [toHost('${__field.labels.host}')],
    queries: [{ expr: here(worst('host', 'winkms_duplicate_client_ids', CHOSEN)), legend: '{{host}}' }],
  }),
]

const logs = [
  table({
    id: 21,
    title: 'Publishing in DNS',
    description: 'Whether the last publishing succeeded, and when it was; hosts publish once a day.',
    width: 12,
    height: 9,
    sort: ['Succeeded', 'Host'],
    nothing: 'No event log tells of publishing.',
    queries: [
      { expr: here(least('host, domain', 'winkms_dns_publish_success', CHOSEN)) },
      { expr: ago('host, domain', 'winkms_dns_publish_timestamp_seconds') },
    ],
    columns: [
      { title: 'Host', of: 'host', links: [toHost('${__value.raw}')] },
      { title: 'Domain', of: 'domain', width: 140 },
      { title: 'Succeeded', of: 0, width: 100, paint: 'cell', mappings: YES_NO },
      {
        title: 'Ago',
        of: 1,
        unit: 's',
        decimals: 0,
        width: 110,
        paint: 'text',
        thresholds: from(LEVELS.dnsPublishFailedSeconds.critical, BAD),
      },
    ],
  }),
  bars({
    id: 22,
    title: 'How full the event logs are',
    description: 'A full log overwrites its oldest events, or, with the policy Never, takes no new ones.',
    width: 12,
    height: 9,
    unit: 'percentunit',
    decimals: 1,
    most: 1,
    thresholds: from(1, WARNING),
    queries: [
      { expr: here(worst('host, log', 'winkms_event_log_fill_ratio', CHOSEN)), legend: '{{host}} {{log}}' },
    ],
  }),
  lines({
    id: 23,
    title: 'Gaps in the event logs, and records lost',
    description:
      'What was cleared, overwritten before it was read, or restarted; and records that are known to have gone unread.',
    width: 12,
    height: 8,
    unit: 'none',
    decimals: 0,
    min: 0,
    softMax: 1,
    step: '15m',
    drawn: 'bars',
    queries: [
      {
        expr: `sum by (host, log, why) (${here(`max by (host, log, why) (increase(${series('winkms_event_log_gap_total', CHOSEN)}${SPAN}))`)}) > 0`,
        legend: '{{host}} {{log}}: {{why}}',
        properties: [shaded(WARNING)],
      },
      {
        expr: `sum by (host, log) (${here(`max by (host, log) (increase(${series('winkms_event_log_lost_records_total', CHOSEN)}${SPAN}))`)}) > 0`,
        legend: '{{host}} {{log}}: records lost',
        properties: [shaded(BAD)],
      },
    ],
    nothing: 'no gap, or no event log is read',
  }),
  table({
    id: 24,
    title: 'Reading of the event logs',
    description: 'While a long log is still being read, what is counted from it is behind.',
    width: 12,
    height: 8,
    sort: ['Caught up', 'Host'],
    queries: [
      { expr: here(least('host', 'winkms_event_log_caught_up', CHOSEN)) },
      { expr: here(worst('host', 'winkms_event_log_records', CHOSEN, 'log="key_management_service"')) },
      { expr: ago('host', 'winkms_kms_init_failure_timestamp_seconds') },
      { expr: ago('host', 'winkms_kms_timer_init_failure_timestamp_seconds') },
    ],
    columns: [
      { title: 'Host', of: 'host', links: [toHost('${__value.raw}')] },
      { title: 'Caught up', of: 0, width: 110, paint: 'cell', mappings: YES_NO },
      { title: 'Records', of: 1, width: 100 },
      {
        title: 'KMS failed to start',
        of: 2,
        unit: 's',
        decimals: 0,
        width: 160,
        mappings: words({}, ['not in the log', PLAIN]),
      },
      {
        title: 'Its timer failed to start',
        of: 3,
        unit: 's',
        decimals: 0,
        width: 180,
        mappings: words({}, ['not in the log', PLAIN]),
      },
    ],
  }),
]

export const activity = dashboard({
  uid: 'winkms-activity',
  title: 'KMS activity',
  description: 'What KMS hosts have been doing, by their event logs.',
  choices: ['site', 'hosts'],
  since: 'now-24h',
  pages: [EXPORTER_PAGES.status, EXPORTER_PAGES.runbooks],
  sections: [
    { id: 101, title: 'Requests', panels: requests },
    { id: 102, title: 'Clients', panels: clients },
    { id: 103, title: 'Publishing and event logs', panels: logs },
  ],
})
