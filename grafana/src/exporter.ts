// The watch itself: whether the exporter runs, asks on time, and knows what time it is.
import { EXPORTER_CLOCK_LIMIT_SECONDS } from '../../src/kms/thresholds.ts'
import { dashboard } from './frame.ts'
import { EXPORTER_PAGES } from './links.ts'
import { BAD, beyond, from, GOOD, PLAIN, UNKNOWN, WARNING, words } from './look.ts'
import { lines, painted, shaded, stat, timeline, type Query } from './panels.ts'
import { series, SPAN } from './query.ts'
import { table } from './table.ts'

const PROBE = 'probe=~"$probe"'
const MINUTE = 60

const rateOf = (name: string, ...matchers: readonly string[]): string =>
  `rate(${series(name, ...matchers)}${SPAN})`

/** Over all replicas: each asks on its own account. */
function quantiles(histogram: string): readonly Query[] {
  return [0.5, 0.99].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (le, probe) (${rateOf(`${histogram}_bucket`, PROBE)}))`,
    legend: `{{probe}} p${quantile * 100}`,
  }))
}

const PROBLEMS = series('winkms_exporter_storage_problems_total')
/** As the alert counts: what is born with 1 has never increased. */
const NEW_PROBLEMS = `increase(${PROBLEMS}[$__range]) > 0 or ${PROBLEMS} unless on (kind, job, instance) last_over_time(${PROBLEMS}[1h] offset $__range)`

const health = [
  timeline({
    id: 1,
    title: 'Scraped',
    description: 'Whether Prometheus reached each exporter.',
    width: 12,
    height: 5,
    unit: 'none',
    mappings: words({ 1: ['up', GOOD], 0: ['down', BAD] }, ['no scrape', UNKNOWN]),
    queries: [{ expr: `max by (job, instance) (${series('up')})`, legend: '{{job}} {{instance}}' }],
  }),
  stat({
    id: 2,
    title: 'Configuration',
    description: 'Whether the last attempt to load it succeeded; if not, the one before is still in force.',
    width: 4,
    height: 5,
    unit: 'none',
    mappings: words({ 1: ['loaded', GOOD], 0: ['refused', BAD] }),
    queries: [{ expr: `min(${series('winkms_exporter_config_last_reload_successful')})` }],
  }),
  stat({
    id: 3,
    title: 'Storage problems',
    description: 'Files under --storage.path that could not be used or written, within the last hours shown.',
    width: 4,
    height: 5,
    unit: 'none',
    decimals: 0,
    thresholds: from(1, BAD),
    mappings: words({ 0: ['none', PLAIN] }),
    queries: [
      {
        expr: `sum(${NEW_PROBLEMS}) or 0 * count(${series('winkms_exporter_build_info')})`,
      },
    ],
  }),
  stat({
    id: 4,
    title: 'Runs in flight',
    description: 'Runs that have begun and not ended.',
    width: 4,
    height: 5,
    unit: 'none',
    queries: [{ expr: `sum(${series('winkms_exporter_probes_in_flight')})` }],
  }),
  table({
    id: 5,
    title: 'Exporters',
    description: 'Version, start and last load of the configuration of each instance.',
    width: 24,
    height: 5,
    sort: ['Instance'],
    queries: [
      {
        expr: `max by (job, instance, version, revision, node) (${series('winkms_exporter_build_info')})`,
      },
      { expr: `time() - max by (job, instance) (${series('process_start_time_seconds')})` },
      {
        expr: `time() - max by (job, instance) (${series('winkms_exporter_config_last_reload_success_timestamp_seconds')})`,
      },
    ],
    columns: [
      { title: 'Job', of: 'job', width: 160 },
      { title: 'Instance', of: 'instance' },
      { title: 'Version', of: 'version', width: 120 },
      { title: 'Revision', of: 'revision', width: 140 },
      { title: 'Node.js', of: 'node', width: 120 },
      { title: 'Started', of: 1, unit: 's', decimals: 0, width: 130 },
      { title: 'Configuration loaded', of: 2, unit: 's', decimals: 0, width: 170 },
    ],
  }),
]

const runs = [
  lines({
    id: 11,
    title: 'Runs by outcome',
    description: 'Per minute, over all exporters chosen. Answered, or the reason why not.',
    width: 12,
    height: 9,
    unit: 'suffix:/min',
    min: 0,
    stacked: true,
    queries: [
      {
        expr: `${MINUTE} * sum by (outcome) (${rateOf('winkms_exporter_probes_total', PROBE, 'outcome="answered"')})`,
        legend: '{{outcome}}',
        properties: [painted(PLAIN)],
      },
      {
        expr: `${MINUTE} * sum by (outcome) (${rateOf('winkms_exporter_probes_total', PROBE, 'outcome!="answered"')})`,
        legend: '{{outcome}}',
        properties: [shaded(WARNING)],
      },
    ],
  }),
  lines({
    id: 12,
    title: 'Runs skipped',
    description:
      'Per minute: due, and not begun, because the one before had not ended (overlap) or too much was going on (overloaded).',
    width: 12,
    height: 9,
    unit: 'suffix:/min',
    min: 0,
    softMax: 1,
    nothing: 'none so far',
    queries: [
      {
        expr: `${MINUTE} * sum by (probe, why) (${rateOf('winkms_exporter_probes_skipped_total', PROBE)})`,
        legend: '{{probe}}: {{why}}',
        properties: [shaded(WARNING)],
      },
    ],
  }),
  lines({
    id: 13,
    title: 'How long runs take',
    description: 'Half of the runs of each probe, and 99 in 100, take no longer.',
    width: 12,
    height: 9,
    unit: 's',
    min: 0,
    queries: quantiles('winkms_exporter_probe_duration_seconds'),
  }),
  lines({
    id: 14,
    title: 'How late runs begin',
    description: 'The lag behind the schedule that 99 in 100 runs do not exceed.',
    width: 12,
    height: 9,
    unit: 's',
    min: 0,
    queries: [
      {
        expr: `histogram_quantile(0.99, sum by (le, probe) (${rateOf('winkms_exporter_schedule_lag_seconds_bucket', PROBE)}))`,
        legend: '{{probe}}',
      },
    ],
  }),
  table({
    id: 15,
    title: 'Schedule',
    description:
      'How many targets each probe asks, how often, and how old the oldest result is. Of several exporters, the worst.',
    width: 24,
    height: 9,
    sort: ['Probe'],
    queries: [
      { expr: `max by (probe) (${series('winkms_exporter_targets', PROBE)})` },
      { expr: `max by (probe) (${series('winkms_exporter_probe_interval_seconds', PROBE)})` },
      { expr: `time() - min by (probe) (${series('winkms_probe_timestamp_seconds', PROBE)})` },
      {
        expr: `(time() - min by (probe) (${series('winkms_probe_timestamp_seconds', PROBE)})) / max by (probe) (${series('winkms_exporter_probe_interval_seconds', PROBE)})`,
      },
    ],
    columns: [
      { title: 'Probe', of: 'probe' },
      { title: 'Targets', of: 0, width: 140 },
      { title: 'Interval', of: 1, unit: 's', width: 140 },
      { title: 'Oldest result', of: 2, unit: 's', decimals: 0, width: 160 },
      { title: 'In intervals', of: 3, unit: 'none', decimals: 1, width: 160 },
    ],
  }),
]

const machine = [
  lines({
    id: 21,
    title: "The exporter's own clock",
    description: `Minus each reference; positive when the exporter is ahead. Beyond the lines, at ${EXPORTER_CLOCK_LIMIT_SECONDS} s, no host is blamed for its clock.`,
    width: 12,
    height: 8,
    unit: 's',
    levels: true,
    thresholds: beyond({ warning: EXPORTER_CLOCK_LIMIT_SECONDS, critical: EXPORTER_CLOCK_LIMIT_SECONDS }),
    nothing: 'unknown: no reference is configured, or none answers',
    queries: [
      {
        expr: `max by (instance, reference) (${series('winkms_exporter_clock_offset_seconds')})`,
        legend: '{{instance}} by {{reference}}',
      },
    ],
  }),
  lines({
    id: 22,
    title: 'Memory',
    description: 'Resident memory, and heap in use.',
    width: 12,
    height: 8,
    unit: 'bytes',
    min: 0,
    queries: [
      {
        expr: `max by (instance) (${series('process_resident_memory_bytes')})`,
        legend: 'resident {{instance}}',
      },
      { expr: `max by (instance) (${series('nodejs_heap_size_used_bytes')})`, legend: 'heap {{instance}}' },
    ],
  }),
  lines({
    id: 23,
    title: 'Delay of the event loop',
    description:
      'While it is delayed, latencies that the exporter measures are too long. 10 ms is the resolution.',
    width: 12,
    height: 8,
    unit: 's',
    min: 0,
    queries: [
      {
        expr: `max by (instance) (${series('nodejs_eventloop_lag_p99_seconds')})`,
        legend: 'p99 {{instance}}',
      },
    ],
  }),
  lines({
    id: 24,
    title: 'Requests served',
    description: 'HTTP requests per minute, by route and status.',
    width: 12,
    height: 8,
    unit: 'suffix:/min',
    min: 0,
    queries: [
      {
        expr: `${MINUTE} * sum by (route, code) (${rateOf('winkms_exporter_http_requests_total')})`,
        legend: '{{route}} {{code}}',
      },
      {
        expr: `${MINUTE} * sum(${rateOf('winkms_exporter_probe_targets_refused_total')})`,
        legend: 'targets refused',
      },
    ],
  }),
  lines({
    id: 25,
    title: 'Turned away',
    description:
      'Per minute: callers that were not let in, or asked too much, by why. Many of them are guessed passwords, a flood, or a scraper that is set up wrongly.',
    width: 12,
    height: 8,
    unit: 'suffix:/min',
    min: 0,
    softMax: 1,
    nothing: 'none so far',
    queries: [
      {
        expr: `${MINUTE} * sum by (why) (${rateOf('winkms_exporter_http_refused_total')})`,
        legend: '{{why}}',
        properties: [shaded(WARNING)],
      },
    ],
  }),
  lines({
    id: 26,
    title: 'DNS: not believed, and asked again by TCP',
    description:
      'Per minute. Datagrams that answer nothing we asked are forged, late, or of a resolver that answers from elsewhere; after four of them TCP is asked.',
    width: 12,
    height: 8,
    unit: 'suffix:/min',
    min: 0,
    softMax: 1,
    nothing: 'none so far',
    queries: [
      {
        expr: `${MINUTE} * sum by (instance) (${rateOf('winkms_exporter_dns_stray_answers_total')})`,
        legend: 'not believed by {{instance}}',
        properties: [shaded(WARNING)],
      },
      {
        expr: `${MINUTE} * sum by (why) (${rateOf('winkms_exporter_dns_tcp_queries_total')})`,
        legend: 'by TCP: {{why}}',
      },
    ],
  }),
]

export const exporter = dashboard({
  uid: 'winkms-exporter',
  title: 'KMS exporter',
  description: 'The watch itself: whether the exporter runs, asks on time, and knows what time it is.',
  choices: ['probe'],
  since: 'now-6h',
  pages: [EXPORTER_PAGES.status, EXPORTER_PAGES.runbooks],
  sections: [
    { id: 101, title: 'Health', panels: health },
    { id: 102, title: 'Runs', panels: runs },
    { id: 103, title: 'Machine', panels: machine },
  ],
})
