// For each rule that alerts: what an exporter says when it has to fire, and what when all is well. A table; `rules.test.ts`
// lets promtool play it, with gaps, recoveries, pairs of exporters, and what is not known left out.
import { CAUSE_NAMES, rowOf } from '../../src/diagnosis/causes.ts'
import { LEVELS } from '../../src/kms/levels.ts'
import type { Severity } from '../../deploy/prometheus/rules/rule.ts'
import type { RunbookName } from '../../src/runbooks/names.ts'

/** By the minute since the beginning, whose time is 0; undefined while it is not told. */
export type Value = number | ((minute: number) => number | undefined)

export interface Said {
  /** `winkms_host_serving{host="a"}`, without the labels of a scrape. */
  readonly series: string
  readonly sick: Value
  /** The same as when sick unless given. */
  readonly well?: Value
  /** What is left out when it cannot be told. */
  readonly subject?: true
}

export interface Scene {
  readonly runbook: RunbookName
  readonly severity: Severity
  readonly said: readonly Said[]
  /** Of the alert, beside what its rule gives it. */
  readonly labels: Readonly<Record<string, string>>
  /** Minutes that have to be known before it can fire at all. */
  readonly after?: number
  /** Minutes that its windows still look back on, when all is well again. */
  readonly remembers?: number
  /** Values that fire as well, and that do not, in the place of those of the subject: for its threshold. */
  readonly also?: readonly Value[]
  readonly neither?: readonly Value[]
  /** A part of the text that a person gets. */
  readonly says: string
}

const DAY = 86_400
const inDomain = (host: string): Said => ({
  series: `winkms_host_domain_info{host="${host}",domain="d.example"}`,
  sick: 1,
})
const serving = (host: string, sick: number, well = 1): Said => ({
  series: `winkms_host_serving{host="${host}"}`,
  sick,
  well,
})
/** Another host of the domain. */
const OTHER = [inDomain('b'), serving('b', 1)]
const ALONE = [inDomain('a')]

const named = (cause: string): Said => ({
  series: `winkms_diagnosis{host="a",cause="${cause}"}`,
  sick: 1,
  well: 0,
  subject: true,
})

const causes: readonly Scene[] = CAUSE_NAMES.filter((cause) => cause !== 'exporter_clock_wrong').flatMap(
  (cause) => {
    const { stopsService, title } = rowOf(cause)
    const of = (severity: Severity, others: readonly Said[], says: string): Scene => ({
      runbook: cause,
      severity,
      said: [named(cause), serving('a', stopsService ? 0 : 1), ...ALONE, ...others],
      labels: { host: 'a' },
      says,
    })
    if (!stopsService) return [of('warning', [], title)]
    return [of('critical', [], 'No other host is known to serve'), of('warning', OTHER, 'Other hosts serve')]
  },
)

const product = (metric: string): string => `${metric}{host="a",product="ws2022"}`
const required = (count: number): Said => ({ series: product('winkms_required_clients'), sick: count })
const limit = (count: number): Said => ({ series: product('winkms_current_clients_limit'), sick: count })
const requests = (result: string, sick: Value, well: Value = sick): Said => ({
  series: `winkms_activation_requests_total{host="a",result="${result}",min_clients="25"}`,
  sick,
  well,
})
const SUCCESS = '0x00000000'
const DAYS_OF = {
  critical: LEVELS.dnsPublishFailedSeconds.critical / DAY,
  warning: LEVELS.dnsPublishFailedSeconds.warning / DAY,
}
const population = (clients: number): Said => ({
  series: 'winkms_distinct_clients{host="a",window="30d"}',
  sick: clients,
})

export const SCENES: readonly Scene[] = [
  ...causes,
  {
    runbook: 'exporter_clock_wrong',
    severity: 'warning',
    said: [
      named('exporter_clock_wrong'),
      { series: 'winkms_exporter_clock_offset_seconds{reference="r"}', sick: 7_200 },
    ],
    labels: { job: 'winkms', instance: 'one:11688' },
    says: 'It is off by 2h 0m 0s',
  },

  {
    runbook: 'domain_not_served',
    severity: 'critical',
    said: [{ ...serving('a', 0), subject: true }, inDomain('a'), inDomain('c'), serving('c', 0)],
    labels: { domain: 'd.example' },
    says: 'Hosts: a; c;',
  },
  {
    runbook: 'host_not_serving',
    severity: 'critical',
    said: [{ ...serving('a', 0), subject: true }, ...ALONE],
    labels: { host: 'a' },
    says: 'winkms-exporter diagnose a',
  },
  {
    runbook: 'host_not_serving',
    severity: 'warning',
    said: [{ ...serving('a', 0), subject: true }, ...ALONE, ...OTHER],
    labels: { host: 'a' },
    says: 'Other hosts serve',
  },
  {
    runbook: 'srv_inconsistent',
    severity: 'warning',
    said: [
      { series: 'winkms_srv_consistent{domain="d.example"}', sick: 0, well: 1, subject: true },
      { series: 'winkms_srv_records{domain="d.example",resolver="r1"}', sick: 2 },
    ],
    labels: { domain: 'd.example' },
    says: 'r1 has 2 records;',
  },
  {
    runbook: 'srv_unexpected_target',
    severity: 'warning',
    said: [
      {
        series: 'winkms_srv_findings{domain="d.example",resolver="r1",finding="unexpected_target"}',
        sick: 1,
        well: 0,
        subject: true,
      },
    ],
    labels: { domain: 'd.example' },
    says: 'nslookup -type=srv _vlmcs._tcp.d.example',
  },
  {
    runbook: 'srv_incorrect',
    severity: 'warning',
    said: [
      {
        series: 'winkms_srv_findings{domain="d.example",resolver="r1",finding="wrong_priority"}',
        sick: 1,
        well: 0,
        subject: true,
      },
    ],
    labels: { domain: 'd.example', finding: 'wrong_priority' },
    says: 'At: r1 .',
  },

  {
    runbook: 'drift_high',
    severity: 'warning',
    said: [
      { series: 'winkms_clock_drift_seconds{host="a"}', sick: -4_000, well: 5, subject: true },
      { series: 'winkms_clock_drift_uncertainty_seconds{host="a"}', sick: 100 },
    ],
    labels: { host: 'a' },
    also: [LEVELS.driftSeconds.warning + 101],
    // It may be less, by what is not known of it.
    neither: [LEVELS.driftSeconds.warning + 99, -LEVELS.driftSeconds.warning],
    says: 'It is off by -1h 6m 40s',
  },
  {
    runbook: 'count_near_threshold',
    severity: 'warning',
    said: [
      { series: product('winkms_current_clients'), sick: 27, well: 44, subject: true },
      required(25),
      limit(50),
    ],
    labels: { host: 'a', product: 'ws2022' },
    also: [25, LEVELS.count.clients.warning - 1],
    // Below, it is a cause.
    neither: [24, LEVELS.count.clients.warning, 50],
    says: 'It counts 27, and it takes 25',
  },
  {
    runbook: 'count_near_threshold',
    severity: 'warning',
    said: [
      { series: product('winkms_current_clients'), sick: 6, well: 9, subject: true },
      required(5),
      limit(10),
    ],
    labels: { host: 'a', product: 'ws2022' },
    also: [5],
    // 10 is full, and as many as it ever counts where only servers ask.
    neither: [4, LEVELS.count.servers.warning, 10],
    says: 'It counts 6, and it takes 5',
  },
  {
    runbook: 'count_forecast_low',
    severity: 'warning',
    said: [{ series: 'winkms_forecast_clients{host="a"}', sick: 20, well: 40, subject: true }, required(25)],
    labels: { host: 'a' },
    also: [24],
    neither: [25],
    says: 'it counts 20 in 23 days, where it takes 25',
  },
  {
    runbook: 'host_idle',
    severity: 'warning',
    said: [
      {
        series: 'winkms_last_request_timestamp_seconds{host="a"}',
        sick: -5 * DAY,
        well: (minute) => minute * 60 - 600,
        subject: true,
      },
      population(200),
      { series: 'winkms_renewal_interval_seconds{host="a"}', sick: 7 * DAY },
      { series: 'winkms_event_log_caught_up{host="a"}', sick: 1 },
    ],
    labels: { host: 'a' },
    also: [-3.1 * DAY],
    // A long weekend.
    neither: [-2.5 * DAY],
    says: 'one is due every 50m 24s',
  },
  {
    // Two clients: one is due every three and a half days, and ten times that has to go by.
    runbook: 'host_idle',
    severity: 'warning',
    said: [
      {
        series: 'winkms_last_request_timestamp_seconds{host="a"}',
        sick: -31 * DAY,
        well: (minute) => minute * 60,
        subject: true,
      },
      population(2),
      { series: 'winkms_event_log_caught_up{host="a"}', sick: 1 },
    ],
    labels: { host: 'a' },
    neither: [-29 * DAY],
    says: 'one is due every 3d 12h',
  },
  {
    runbook: 'client_expiry',
    severity: 'critical',
    said: [
      {
        series: 'winkms_earliest_client_expiry_seconds{host="a"}',
        sick: 20 * DAY,
        well: 100 * DAY,
        subject: true,
      },
      requests('0xC004F042', (minute) => minute),
    ],
    after: 7 * 24 * 60,
    labels: { host: 'a' },
    also: [-DAY],
    neither: [LEVELS.clientExpirySeconds.critical],
    says: 'ends in 20d',
  },
  {
    runbook: 'client_expiry',
    severity: 'warning',
    said: [
      {
        series: 'winkms_earliest_client_expiry_seconds{host="a"}',
        sick: 50 * DAY,
        well: 100 * DAY,
        subject: true,
      },
      requests(SUCCESS, (minute) => minute),
    ],
    labels: { host: 'a' },
    neither: [LEVELS.clientExpirySeconds.warning],
    says: 'ends in 50d',
  },
  {
    runbook: 'requests_failing',
    severity: 'warning',
    said: [
      { ...requests('0xC004F06C', (minute) => minute, 0), subject: true },
      requests(SUCCESS, (minute) => 9 * minute),
    ],
    labels: { host: 'a', result: '0xC004F06C' },
    remembers: 60,
    also: [(minute) => minute * 0.6],
    // Less than a twentieth; and two an hour, whatever part that is.
    neither: [(minute) => minute * 0.4],
    says: '10% of the requests',
  },
  ...(['critical', 'warning'] as const).map((severity): Scene => ({
    runbook: 'dns_publishing_failed',
    severity,
    said: [
      {
        series: 'winkms_dns_publish_success{host="a",domain="d.example"}',
        sick: 0,
        well: 1,
        subject: true,
      },
      { series: 'winkms_dns_publishing_enabled{host="a"}', sick: 1 },
      ...ALONE,
    ],
    after: DAYS_OF[severity] * 24 * 60,
    remembers: 60,
    labels: { host: 'a', domain: 'd.example' },
    // It worked once in the meantime.
    neither: [(minute) => (minute === 600 ? 1 : 0)],
    says: '0x80072338',
  })),
  {
    runbook: 'canary_failing',
    severity: 'warning',
    said: [
      {
        series: 'winkms_client_license_status{client="pc",status="licensed"}',
        sick: 0,
        well: 1,
        subject: true,
      },
      { series: 'winkms_client_kms_info{client="pc",host="a",discovered_by="dns"}', sick: 1 },
      { series: 'winkms_client_last_activation_result_info{client="pc",code="0x00000000"}', sick: 1 },
    ],
    labels: { client: 'pc', host: 'a' },
    says: 'at a.',
  },
  {
    runbook: 'canary_failing',
    severity: 'warning',
    said: [
      {
        series: 'winkms_client_last_activation_result_info{client="pc",code="0xC004F074"}',
        sick: 1,
        well: 0,
        subject: true,
      },
    ],
    labels: { client: 'pc' },
    says: '0xC004F074',
  },
  {
    runbook: 'event_log_losing',
    severity: 'warning',
    said: [
      {
        series: 'winkms_event_log_gap_total{host="a",log="key_management_service",why="overwritten"}',
        sick: (minute) => minute,
        well: 0,
        subject: true,
      },
      { series: 'winkms_event_log_lost_records_total{host="a",log="key_management_service"}', sick: 0 },
    ],
    labels: { host: 'a', log: 'key_management_service' },
    remembers: 60,
    says: 'The log key_management_service was cleared',
  },

  ...(
    [
      ['host="a",probe="port"', { host: 'a', probe: 'port' }, 'KMS host a'],
      [
        'domain="d",resolver="r",probe="srv"',
        { domain: 'd', resolver: 'r', probe: 'srv' },
        'resolver r about d',
      ],
      ['client="pc",probe="client"', { client: 'pc', probe: 'client' }, 'canary pc'],
      ['reference="r",probe="reference"', { reference: 'r', probe: 'reference' }, 'reference clock r'],
    ] as const
  ).flatMap(([labels, expected, who]): readonly Scene[] => [
    {
      runbook: 'probe_stale',
      severity: 'warning',
      said: [
        {
          series: `winkms_probe_timestamp_seconds{${labels}}`,
          sick: 0,
          well: (minute) => minute * 60,
          subject: true,
        },
        { series: `winkms_exporter_probe_interval_seconds{probe="${expected.probe}"}`, sick: 60 },
      ],
      labels: expected,
      neither: [(minute) => minute * 60 - 235],
      also: [(minute) => minute * 60 - 245],
      says: `of ${who} is not run any more`,
    },
    {
      runbook: 'probe_unanswered',
      severity: 'warning',
      said: [
        { series: `winkms_probe_success{${labels}}`, sick: 0, well: 1, subject: true },
        { series: `winkms_probe_failure_info{${labels},stage="ask",reason="access_denied"}`, sick: 1 },
      ],
      labels: expected,
      says: 'access_denied at ask',
    },
  ]),
  {
    runbook: 'runs_skipped',
    severity: 'warning',
    said: [
      {
        series: 'winkms_exporter_probes_skipped_total{probe="port",why="overlap"}',
        sick: (minute) => 2 * minute,
        well: 0,
        subject: true,
      },
      {
        series: 'winkms_exporter_probes_total{probe="port",outcome="answered"}',
        sick: (minute) => 10 * minute,
      },
    ],
    labels: { probe: 'port', why: 'overlap', job: 'winkms', instance: 'one:11688' },
    remembers: 15,
    neither: [(minute) => minute * 0.9],
    says: 'overlap: the run before had not ended',
  },
  {
    runbook: 'shard_missing',
    severity: 'critical',
    said: [{ series: 'winkms_exporter_shards{shard="1"}', sick: 2, well: 1, subject: true }],
    labels: {},
    says: 'Of 2 shards 1 cannot be scraped, or are of another division. There are: 1/2 at one:11688;',
  },
  {
    runbook: 'config_reload_failed',
    severity: 'warning',
    said: [{ series: 'winkms_exporter_config_last_reload_successful', sick: 0, well: 1, subject: true }],
    labels: { job: 'winkms', instance: 'one:11688' },
    says: 'config check FILE',
  },
  {
    runbook: 'storage_failing',
    severity: 'warning',
    said: [
      {
        series: 'winkms_exporter_storage_problems_total{kind="not_written"}',
        sick: (minute) => minute,
        well: 0,
        subject: true,
      },
    ],
    labels: { kind: 'not_written', job: 'winkms', instance: 'one:11688' },
    remembers: 60,
    says: '--storage.path',
  },
]
