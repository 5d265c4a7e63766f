// Six hours to look at: one scrape of the demo as every series' last value, and what happened before it by a plot: kms01
// has an outage, loses a record, drifts, and cannot be asked for a while; kms02 is stopped; clients come and go.
import { freeNetwork, build, causesByHost, get, start, until } from '../e2e/built.ts'
import { freePort } from '../real/servers/ports.ts'
import { startOnHistory, type History, type Written } from '../grafana/ask.ts'
import { BOARDS, panelsOf, substitute } from '../grafana/committed.ts'
import { selectorsOf } from '../grafana/promql.ts'

const MINUTE = 60
const HOURS = 6
const STEP = MINUTE
const REQUESTS_AN_HOUR = 40
const ONE = 'kms01.corp.example'
const TWO = 'kms02.corp.example'

type Labels = Readonly<Record<string, string>>

/** Hours since the beginning. */
type At = (hours: number) => number | undefined

interface Line {
  readonly name: string
  readonly labels: Labels
  readonly value: number
}

/** What Prometheus would have stored, and is asked for by a panel. */
function linesOf(exposition: string): readonly Line[] {
  const exprs = BOARDS.flatMap((board) => panelsOf(board)).flatMap(({ targets = [] }) => targets)
  const wanted = new Set(exprs.flatMap(({ expr }) => selectorsOf(substitute(expr)).map(({ name }) => name)))
  return exposition.split('\n').flatMap((line) => {
    const [, name = '', pairs = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (!wanted.has(name) && name !== 'winkms_exporter_external_url_info') return []
    const labels = [...pairs.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, key, text]) => [key, text] as const,
    )
    return [{ name, labels: Object.fromEntries(labels) as Labels, value: Number(value) }]
  })
}

function between(hours: number, from: number, to: number): boolean {
  return hours >= from && hours < to
}

/** The same at each run: a number from 0 to 1. */
function noise(seed: string, hours: number): number {
  let hash = 2166136261
  for (const letter of `${seed}${hours.toFixed(3)}`) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619)
  return ((hash >>> 0) % 1000) / 1000
}

const isStopped = (host: string, hours: number): boolean =>
  (host === ONE && between(hours, 1, 1.6)) || (host === TWO && between(hours, 2.5, 3.2))
const recordIsLost = (hours: number): boolean => between(hours, 2.4, 2.9)
const cannotBeAsked = (host: string, hours: number): boolean => host === ONE && between(hours, 5, 5.4)
/** Seconds ahead: a slow drift, until somebody sets the clock. */
const driftOf = (hours: number): number => (between(hours, 3, 4.6) ? 3_400 * (hours - 3) : 0)

const WINDOWS_CAUSES = new Set([
  'kms_not_enabled',
  'host_not_licensed',
  'count_below_threshold',
  'version_mismatch',
  'event_log_unreadable',
])

/** A value now as one through the hours, which end a little later than now. */
function plot({ name, labels, value }: Line, lateSeconds: number): At {
  const { host = '', cause = '' } = labels
  const serves = (hours: number): boolean => !isStopped(host, hours) && !(host === ONE && recordIsLost(hours))
  if (name === 'winkms_host_serving') return (hours) => Math.min(value, Number(serves(hours)))
  if (name === 'winkms_diagnosis') return (hours) => verdictOf(host, cause, value, hours)
  if (name === 'winkms_service_state' && (host === ONE || host === TWO)) {
    return (hours) => Number(labels['state'] === (isStopped(host, hours) ? 'stopped' : 'running'))
  }
  if (name === 'winkms_rpc_bound' || name.startsWith('winkms_rpc_bind')) {
    return (hours) => (isStopped(host, hours) ? undefined : wobbling(name, host, value, hours))
  }
  if (name === 'winkms_port_open') return (hours) => (isStopped(host, hours) ? 0 : value)
  if (name === 'winkms_port_connect_duration_seconds') {
    return (hours) => (isStopped(host, hours) ? undefined : wobbling(name, host, value, hours))
  }
  if (
    name === 'winkms_srv_record_info' &&
    labels['target'] === ONE &&
    labels['resolver']?.includes('.0.54:')
  ) {
    return (hours) => (recordIsLost(hours) ? undefined : value)
  }
  if (name === 'winkms_clock_drift_seconds' && host === ONE) return (hours) => value + driftOf(hours)
  if (name === 'winkms_clock_drift_uncertainty_seconds' && host === ONE) {
    return (hours) => (driftOf(hours) > 0 ? 300 + 200 * noise(name, Math.floor(hours * 4)) : value)
  }
  if (name === 'winkms_probe_success' && labels['probe'] === 'licensing') {
    return (hours) => (cannotBeAsked(host, hours) ? 0 : value)
  }
  if (name === 'winkms_current_clients' && labels['host']?.startsWith('kms-clones')) {
    return (hours) => Math.round(value * (0.5 + hours / 12))
  }
  if (name === 'winkms_current_clients' && labels['host']?.startsWith('kms-2016') && value > 25) {
    return (hours) => Math.round(34 - hours)
  }
  if (name.endsWith('_timestamp_seconds')) return timestampOf(name, value, lateSeconds)
  if (/_(total|bucket)$/.test(name)) return grown(name, labels, value)
  if (name === 'process_resident_memory_bytes') return (hours) => value * (0.9 + 0.1 * noise(name, hours))
  if (name === 'nodejs_heap_size_used_bytes') return (hours) => value * (0.7 + 0.3 * noise(name, hours))
  if (name === 'nodejs_eventloop_lag_p99_seconds') return (hours) => value * (1 + 0.2 * noise(name, hours))
  if (name === 'winkms_exporter_clock_offset_seconds') return (hours) => value + 0.004 * noise(name, hours)
  return () => value
}

function wobbling(name: string, host: string, value: number, hours: number): number {
  return name.endsWith('_seconds') ? value * (1 + 3 * noise(name + host, hours) ** 8) : value
}

function verdictOf(host: string, cause: string, value: number, hours: number): number | undefined {
  if (cannotBeAsked(host, hours) && WINDOWS_CAUSES.has(cause)) return undefined
  if (host !== ONE && host !== TWO) return value
  if (cause === 'service_stopped') return Number(isStopped(host, hours))
  if (isStopped(host, hours) && (WINDOWS_CAUSES.has(cause) || cause === 'not_kms_listener')) return undefined
  if (cause === 'srv_missing' && host === ONE) return Number(recordIsLost(hours))
  return value
}

/** What is repeated goes along with the time; what happened once stays. */
function timestampOf(name: string, value: number, late: number): At {
  const long = /process_start|config_last_reload/.test(name)
  if (long) return () => value - 3 * 86_400
  const once = /dns_publish|init_failure|last_activation/.test(name)
  return (hours) => (once ? value : value + late - (HOURS - hours) * 3600)
}

/** Counters, so that they end above what they are. The less there is of a kind, the slower it grows. */
function grown(name: string, labels: Labels, value: number): At {
  if (name.startsWith('winkms_exporter_')) return (hours) => value * (1 + 6 * hours)
  // Buckets have to agree with one another, so they share a wave.
  const { le: _le, ...kind } = labels
  const wave = 0.4 + 0.6 * noise(JSON.stringify(kind), 0)
  const fails = labels['result'] !== undefined && labels['result'] !== '0x00000000'
  const perHour = Math.min(REQUESTS_AN_HOUR, value / 4)
  if (fails) return (hours) => Math.round(value + 8 * Math.max(0, Math.min(hours - 3.5, 0.7)))
  return (hours) => Math.round(value + perHour * (hours + wave * Math.sin(hours * 1.7) * 0.5))
}

/** What the demo is too young or too healthy to have. */
function added(exporters: readonly Labels[]): readonly Written[] {
  const hoursOf = (time: number): number => (time - beginning) / 3600
  const all = (name: string, labels: Labels, at: At): readonly Written[] =>
    exporters.map((own) => ({ name, labels: { ...own, ...labels }, at: (time) => at(hoursOf(time)) }))
  const alert = (alertname: string, severity: string, host: string, at: At): Written => ({
    name: 'ALERTS',
    labels: { alertname, alertstate: 'firing', severity, host },
    at: (time) => at(hoursOf(time)),
  })
  const always: At = () => 1
  return [
    ...all('winkms_forecast_clients', { host: ONE }, (hours) => 46 - Math.round(hours / 2)),
    ...all(
      'winkms_forecast_clients',
      { host: 'kms-2016.lab.example' },
      (hours) => 31 - Math.round(hours * 1.5),
    ),
    ...all('winkms_exporter_probes_skipped_total', { probe: 'clock', why: 'overlap' }, (hours) =>
      Math.round(Math.max(0, Math.min(hours - 2, 1)) * 30),
    ),
    ...all(
      'winkms_event_log_gap_total',
      { host: 'kms-clock.plant.example', log: 'key_management_service', why: 'overwritten' },
      (hours) => Number(hours > 2.2) + Number(hours > 4.1),
    ),
    ...all(
      'winkms_probe_failure_info',
      { host: ONE, probe: 'licensing', stage: 'ask', reason: 'timeout' },
      (hours) => (cannotBeAsked(ONE, hours) ? 1 : undefined),
    ),
    alert('WinkmsServiceStopped', 'critical', 'kms-stopped.plant.example', always),
    alert('WinkmsServiceStopped', 'critical', 'kms-stopped-w.plant.example', always),
    alert('WinkmsHostUnreachable', 'critical', 'kms-down.plant.example', always),
    alert('WinkmsVersionMismatch', 'warning', 'kms-2016.lab.example', always),
    alert('WinkmsServiceStopped', 'critical', ONE, (hours) => (isStopped(ONE, hours - 0.08) ? 1 : undefined)),
    alert('WinkmsDriftHigh', 'warning', ONE, (hours) => (driftOf(hours) > 3_600 ? 1 : undefined)),
  ]
}

let beginning = 0

export interface Story extends History {
  /** Unix seconds. */
  readonly end: number
}

/** A Prometheus with those six hours in it. */
export async function startStory(): Promise<Story> {
  await build()
  const port = await freePort()
  const address = `127.0.0.1:${port}`
  const demo = start(['demo', `--demo.network=${await freeNetwork()}`, `--web.listen-address=${address}`])
  const exposition = await until(60, 'the demo has named its causes', async () => {
    const { body = '' } = (await get(`http://${address}/metrics`)) ?? {}
    return Object.values(causesByHost(body)).flat().length >= 19 ? body : undefined
  })
  await demo.stop()
  const now = Date.now() / 1000
  const end = Math.ceil(now / STEP) * STEP
  beginning = end - HOURS * 3600
  const exporters = ['winkms-a:11688', 'winkms-b:11688'].map((instance) => ({ job: 'winkms', instance }))
  const scraped = linesOf(exposition).flatMap((line): readonly Written[] => {
    const at = plot(line, end - now)
    return exporters.map((own) => ({
      name: line.name,
      labels: { ...own, ...line.labels },
      at: (time) => at((time - beginning) / 3600),
    }))
  })
  const up = exporters.map((labels, index): Written => ({
    name: 'up',
    labels,
    at: (time) => Number(index === 0 || !between((time - beginning) / 3600, 4, 4.2)),
  }))
  const taken = new Set(added([{}]).map(({ name, labels }) => `${name}${JSON.stringify(labels)}`))
  const own = scraped.filter(({ name, labels }) => {
    const { job: _job, instance: _instance, ...others } = labels
    return !taken.has(`${name}${JSON.stringify(others)}`)
  })
  const history = await startOnHistory([...own, ...up, ...added(exporters)], {
    start: beginning,
    end,
    step: STEP,
  })
  return { ...history, end }
}
