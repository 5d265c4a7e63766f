// Is sppsvc running? Asks Windows: itself where there is a way to it, else a windows_exporter on the host. Without either,
// the state is inferred from the other probes' readings, which asks nothing and so is no probe (diagnosis/rules/reach.ts).
// On a machine that is no KMS host, sppsvc stops itself when idle: "stopped" is only bad news where 1688 should answer.
import type { Host } from '../config/targets.ts'
import { openWindows } from '../io/windows/open.ts'
import { readWindowsExporter, type WindowsPage } from '../io/windows/windows-exporter.ts'
import { detached } from '../model/detached.ts'
import { emitState } from '../model/metric.ts'
import { offsetMetrics, type ClockSample } from './clock.ts'
import { hostTarget, type HostTarget } from './host-target.ts'
import type { Probe, Visit } from './probe.ts'
import { offsetInterval } from './time-sources.ts'
import {
  osInfoMetric,
  SERVICE_STATES,
  START_MODES,
  type OsFacts,
  type ServiceSource,
  type ServiceState,
  type StartMode,
} from './windows-facts.ts'
import { askProcessStart, askSppsvc, optional } from './windows-queries.ts'

export interface ServiceReading {
  /** `unknown` when nothing is said of sppsvc: filtered out, or a missing right. Never "stopped" for that. */
  readonly state: ServiceState
  readonly source: Exclude<ServiceSource, 'inferred'>
  readonly startMode: StartMode | undefined
  /** Win32 exit code of a service that is not running; 1066 stands for the service's own, which is given instead. */
  readonly exitCode: number | undefined
  /** When its process started, Unix seconds; undefined when it does not run or that cannot be seen. */
  readonly processStartSeconds: number | undefined
  /** Both of windows_exporter's page only: asking Windows itself for them is the business of `licensing` and `clock`. */
  readonly os: OsFacts | undefined
  readonly clock: readonly ClockSample[]
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
  help: 'State of the Software Protection service (sppsvc): 1 on the current one. Sources winrm and local asked Windows (Win32_Service), windows_exporter did too (windows_service_state); inferred follows from the port and the clock.',
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

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

function readPage(page: WindowsPage): ServiceReading {
  const os = page.samples.find(({ name }) => name === 'windows_os_info')?.labels
  const time = page.samples.find(({ name }) => name === 'windows_time_current_timestamp_seconds')?.value
  return {
    state: currentOf(page, 'windows_service_state', 'state', SERVICE_STATES) ?? 'unknown',
    source: 'windows_exporter',
    startMode: currentOf(page, 'windows_service_start_mode', 'start_mode', START_MODES),
    exitCode: undefined,
    processStartSeconds: undefined,
    os: os && {
      caption: os['product'] ?? '',
      build: wholeNumber(os['build_number']),
      ubr: wholeNumber(os['revision']),
      ubrSource: 'registry',
      productType: undefined,
    },
    clock:
      time === undefined || !Number.isFinite(time)
        ? []
        : [{ source: 'windows_exporter', offset: offsetInterval(time, 0, page.answer) }],
  }
}

async function askWindows(host: Host, visit: Visit): Promise<ServiceReading> {
  const windows = await openWindows(host, visit)
  const { state, startMode, exitCode, processId } = await askSppsvc(windows)
  const start = processId === undefined ? undefined : await optional(askProcessStart(windows, processId))
  return {
    state,
    source: windows.via,
    startMode,
    exitCode,
    processStartSeconds: start,
    os: undefined,
    clock: [],
  }
}

export const service: Probe<'service', HostTarget, ServiceReading> = {
  name: 'service',
  question: 'Does Windows say that the Software Protection service runs?',
  stages: ['resolve', 'connect', 'logon', 'ask', 'read'],
  identity: ['host'],

  targets: ({ hosts }) =>
    hosts.filter((host) => host.windows !== undefined).map((host) => hostTarget(host, 'service')),

  measure: async ({ host }, visit) =>
    detached(
      host.windows?.via === 'windows_exporter'
        ? readPage(await readWindowsExporter(host, WANTED, visit))
        : await askWindows(host, visit),
    ),

  metrics: [
    {
      ...serviceStateFamily,
      samples: ({ state, source }, emit) => emitState(emit, SERVICE_STATES, state, source),
    },
    {
      name: 'winkms_service_start_mode',
      type: 'gauge',
      help: 'Start mode of sppsvc: 1 on the current one.',
      labels: ['host', 'mode'],
      samples: ({ startMode }, emit) => emitState(emit, START_MODES, startMode),
    },
    {
      name: 'winkms_service_exit_code',
      type: 'gauge',
      help: "Exit code of sppsvc while it is stopped: Win32's, or the service's own where it left one. Not from windows_exporter.",
      labels: ['host'],
      samples: ({ exitCode }, emit) => emit(exitCode),
    },
    {
      name: 'winkms_service_process_start_timestamp_seconds',
      type: 'gauge',
      help: "When the process of sppsvc started, Unix time by the host's clock. Not from windows_exporter.",
      labels: ['host'],
      samples: ({ processStartSeconds }, emit) => emit(processStartSeconds),
    },
    osInfoMetric((reading: ServiceReading) => reading.os),
    ...offsetMetrics((reading: ServiceReading) => reading.clock),
  ],
}
