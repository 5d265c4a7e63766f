// The exporter's own counters and histograms, kept by prom-client (the only place that knows it). They are rendered by
// our own lines: prom-client renames counters for good once it has rendered OpenMetrics, and prints NaN as "Nan".
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { familyText, sampleLine, type Format } from './lines.ts'

export interface SelfMetrics {
  readonly registry: Registry
  readonly probeDuration: Histogram<'probe'>
  readonly probes: Counter<'probe' | 'outcome'>
  readonly skipped: Counter<'probe' | 'why'>
  readonly lag: Histogram<'probe'>
  readonly requests: Counter<'route' | 'code'>
  readonly refused: Counter<'why'>
  readonly refusedTargets: Counter<never>
  readonly internalErrors: Counter<'where'>
  readonly logLinesLost: Counter<never>
  readonly storageProblems: Counter<'kind'>
  readonly targets: Gauge<'probe'>
  readonly interval: Gauge<'probe'>
  readonly externalUrl: Gauge<'url'>
  readonly shards: Gauge<'shard'>
  readonly reloadSuccessful: Gauge<never>
  readonly reloadTimestamp: Gauge<never>
  render(format: Format): Promise<string>
}

export interface BuildInfo {
  readonly version: string
  readonly revision: string
}

/** As the resolver counts it, looked at whenever it is told. */
interface DnsCounts {
  readonly strays: number
  readonly overTcp: Readonly<Record<string, number>>
}

/** Gauges that prom-client names `_total`, which promtool rightly objects to. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

export function createSelfMetrics(
  build: BuildInfo,
  inFlight: () => number,
  {
    processMetrics = true,
    dns = { strays: 0, overTcp: {} },
  }: { processMetrics?: boolean; dns?: DnsCounts } = {},
): SelfMetrics {
  const registry = new Registry()
  const registers = [registry]
  if (processMetrics) {
    collectDefaultMetrics({ register: registry })
    for (const name of MISNAMED) registry.removeSingleMetric(name)
  }
  new Gauge({
    name: 'winkms_exporter_build_info',
    help: 'Version, source revision and Node.js version of the exporter; always 1.',
    labelNames: ['version', 'revision', 'node'],
    registers,
  }).set({ ...build, node: process.version }, 1)
  const probesInFlight = new Gauge({
    name: 'winkms_exporter_probes_in_flight',
    help: 'Runs that have begun and not ended.',
    registers,
  })
  const internalErrors = new Counter({
    name: 'winkms_exporter_internal_errors_total',
    help: 'Defects of the exporter itself that a run (probe) or a request (request) ended with; the log has their stacks.',
    labelNames: ['where'],
    registers,
  })
  for (const where of ['probe', 'request']) internalErrors.inc({ where }, 0)
  const strays = new Counter({
    name: 'winkms_exporter_dns_stray_answers_total',
    help: 'Datagrams that came to a socket of a DNS query and answer none: forged, or from a broken resolver.',
    registers,
  })
  const overTcp = new Counter({
    name: 'winkms_exporter_dns_tcp_queries_total',
    help: 'DNS queries repeated over TCP, by reason: cut_off (the answer did not fit), strays (too many datagrams that answer nothing), case (the question was not given back letter by letter).',
    labelNames: ['why'],
    registers,
  })
  return {
    registry,
    internalErrors,
    logLinesLost: new Counter({
      name: 'winkms_exporter_log_lines_lost_total',
      help: 'Log lines that could not be written: nobody reads them, or the disk is full.',
      registers,
    }),
    probeDuration: new Histogram({
      name: 'winkms_exporter_probe_duration_seconds',
      help: 'How long runs take.',
      labelNames: ['probe'],
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 20],
      registers,
    }),
    probes: new Counter({
      name: 'winkms_exporter_probes_total',
      help: 'Runs that ended, by outcome: answered, or the reason why not.',
      labelNames: ['probe', 'outcome'],
      registers,
    }),
    skipped: new Counter({
      name: 'winkms_exporter_probes_skipped_total',
      help: 'Runs that were due and did not begin: overlap (the one before had not ended) or overloaded (nor even begun).',
      labelNames: ['probe', 'why'],
      registers,
    }),
    lag: new Histogram({
      name: 'winkms_exporter_schedule_lag_seconds',
      help: 'How late runs begin.',
      labelNames: ['probe'],
      buckets: [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
      registers,
    }),
    requests: new Counter({
      name: 'winkms_exporter_http_requests_total',
      help: 'HTTP requests served, by route and status code.',
      labelNames: ['route', 'code'],
      registers,
    }),
    refused: new Counter({
      name: 'winkms_exporter_http_refused_total',
      help: 'HTTP requests and connections turned away, by why: rate_limit, requests, connections, password, password_check, handshake, certificate, host, origin, probe_rate, probes.',
      labelNames: ['why'],
      registers,
    }),
    refusedTargets: new Counter({
      name: 'winkms_exporter_probe_targets_refused_total',
      help: 'Requests for /probe whose target is not among those allowed.',
      registers,
    }),
    targets: new Gauge({
      name: 'winkms_exporter_targets',
      help: 'Targets that are probed on schedule.',
      labelNames: ['probe'],
      registers,
    }),
    interval: new Gauge({
      name: 'winkms_exporter_probe_interval_seconds',
      help: 'The longest time between two runs for one target that the schedule of a probe has; without targets absent.',
      labelNames: ['probe'],
      registers,
    }),
    externalUrl: new Gauge({
      name: 'winkms_exporter_external_url_info',
      help: 'Where browsers reach the exporter: --web.external-url, or the first address it listens on; always 1. For links in alerts.',
      labelNames: ['url'],
      registers,
    }),
    shards: new Gauge({
      name: 'winkms_exporter_shards',
      help: 'How many shards share the hosts (--shard), by the one of them, from 0, that this exporter is; absent for an exporter that watches all of them.',
      labelNames: ['shard'],
      registers,
    }),
    reloadSuccessful: new Gauge({
      name: 'winkms_exporter_config_last_reload_successful',
      help: 'Whether the last attempt to load the configuration succeeded, and that of --web.config.file.',
      registers,
    }),
    reloadTimestamp: new Gauge({
      name: 'winkms_exporter_config_last_reload_success_timestamp_seconds',
      help: 'When the configuration was last loaded successfully, Unix time.',
      registers,
    }),
    storageProblems: new Counter({
      name: 'winkms_exporter_storage_problems_total',
      help: 'Files under --storage.path that could not be used or written, by kind: unusable, not_written.',
      labelNames: ['kind'],
      registers,
    }),
    async render(format) {
      probesInFlight.set(inFlight())
      strays.reset()
      strays.inc(dns.strays)
      overTcp.reset()
      for (const [why, count] of Object.entries(dns.overTcp)) overTcp.inc({ why }, count)
      const metrics = await registry.getMetricsAsJSON()
      return metrics.map((metric) => renderMetric(metric, format)).join('')
    },
  }
}

type JsonMetric = Awaited<ReturnType<Registry['getMetricsAsJSON']>>[number]

export function renderMetric({ name, help, type, values }: JsonMetric, format: Format): string {
  const samples = (values ?? []).map((value) => {
    const labels = Object.fromEntries(
      Object.entries(value.labels).flatMap(([label, text]) =>
        text === undefined ? [] : [[label, String(text)]],
      ),
    )
    const sampleName = 'metricName' in value && typeof value.metricName === 'string' ? value.metricName : name
    return sampleLine(sampleName, labels, value.value)
  })
  return familyText({ name, help, type: String(type) }, samples.join(''), format)
}
