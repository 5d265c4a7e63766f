// Is sppsvc running? Asks Windows, by way of a windows_exporter on the host. Without one, the state is inferred from
// the other probes' readings, which asks nothing and so is no probe (diagnosis/rules/reach.ts).
// On a machine that is no KMS host, sppsvc stops itself when idle: "stopped" is only bad news where 1688 should answer.
import type { Host } from '../config/targets.ts'
import { readWindowsExporter, type WindowsPage } from '../io/windows/windows-exporter.ts'
import { emitState } from '../model/metric.ts'
import type { Target } from '../model/target.ts'
import { offsetMetrics, type ClockSample } from './clock.ts'
import type { Probe } from './probe.ts'
import { offsetInterval } from './time-sources.ts'

/** windows_exporter's own words, with the blanks made underscores. */
export const SERVICE_STATES = [
  'stopped',
  'start_pending',
  'stop_pending',
  'running',
  'continue_pending',
  'pause_pending',
  'paused',
  'unknown',
] as const

export type ServiceState = (typeof SERVICE_STATES)[number]

const START_MODES = ['boot', 'system', 'auto', 'manual', 'disabled'] as const

type StartMode = (typeof START_MODES)[number]

export interface ServiceReading {
  /** `unknown` when the page does not speak of sppsvc: filtered out, or a missing right. Never "stopped" for that. */
  readonly state: ServiceState
  readonly source: 'windows_exporter'
  readonly startMode: StartMode | undefined
  readonly os: { readonly caption: string; readonly build: string; readonly ubr: string } | undefined
  readonly clock: readonly ClockSample[]
}

export interface ServiceTarget extends Target {
  readonly host: Host
}

const SERVICE = 'sppsvc'
const WANTED = new Set([
  'windows_service_state',
  'windows_service_start_mode',
  'windows_os_info',
  'windows_time_current_timestamp_seconds',
])

export const serviceStateFamily = {
  name: 'winkms_service_state',
  type: 'gauge',
  help: 'State of the Software Protection service (sppsvc): 1 on the current one. Source windows_exporter asked Windows (windows_service_state); inferred follows from the port and the clock.',
  labels: ['host', 'state', 'source'],
} as const

function currentOf<T extends string>(
  { samples }: WindowsPage,
  name: string,
  label: string,
  known: readonly T[],
): T | undefined {
  const current = samples.find(
    (s) => s.name === name && s.labels['name']?.toLowerCase() === SERVICE && s.value === 1,
  )
  const said = current?.labels[label]?.toLowerCase().replaceAll(' ', '_')
  return known.find((each) => each === said)
}

function readPage(page: WindowsPage): ServiceReading {
  const os = page.samples.find(({ name }) => name === 'windows_os_info')?.labels
  const time = page.samples.find(({ name }) => name === 'windows_time_current_timestamp_seconds')?.value
  return {
    state: currentOf(page, 'windows_service_state', 'state', SERVICE_STATES) ?? 'unknown',
    source: 'windows_exporter',
    startMode: currentOf(page, 'windows_service_start_mode', 'start_mode', START_MODES),
    os: os && { caption: os['product'] ?? '', build: os['build_number'] ?? '', ubr: os['revision'] ?? '' },
    clock:
      time === undefined || !Number.isFinite(time)
        ? []
        : [{ source: 'windows_exporter', offset: offsetInterval(time, 0, page.answer) }],
  }
}

export const service: Probe<'service', ServiceTarget, ServiceReading> = {
  name: 'service',
  question: 'Does Windows say that the Software Protection service runs?',
  stages: ['resolve', 'connect', 'read'],
  identity: ['host'],

  targets: ({ hosts }) =>
    hosts
      .filter((host) => host.windows !== undefined)
      .map((host) => ({
        key: host.name,
        labels: { host: host.name },
        schedule: host.probes.service.schedule,
        timeoutSeconds: host.probes.service.timeout,
        group: host.name,
        host,
      })),

  // `windows.via` names the way; windows_exporter is the one there is.
  measure: async ({ host }, visit) => readPage(await readWindowsExporter(host, WANTED, visit)),

  metrics: [
    {
      ...serviceStateFamily,
      samples: ({ state, source }, emit) => emitState(emit, SERVICE_STATES, state, source),
    },
    {
      name: 'winkms_service_start_mode',
      type: 'gauge',
      help: 'Start mode of sppsvc: 1 on the current one (windows_service_start_mode).',
      labels: ['host', 'mode'],
      samples: ({ startMode }, emit) => emitState(emit, START_MODES, startMode),
    },
    {
      name: 'winkms_host_os_info',
      type: 'gauge',
      help: 'Windows product, build and update revision (windows_os_info); always 1.',
      labels: ['host', 'caption', 'build', 'ubr'],
      samples: ({ os }, emit) => {
        if (os !== undefined) emit(1, os.caption, os.build, os.ubr)
      },
    },
    ...offsetMetrics((reading: ServiceReading) => reading.clock),
  ],
}
