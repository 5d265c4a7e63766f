// The page of windows_exporter 0.31 on a simulated host: service, os and time collectors, as its docs/collector.*.md
// list them, in the style of its client library (sorted labels, Go's exponents).
import type { Clock } from './clock.ts'

const SERVICE_STATES = [
  'continue pending',
  'pause pending',
  'paused',
  'running',
  'start pending',
  'stop pending',
  'stopped',
  'unknown',
] as const

export type ServiceState = (typeof SERVICE_STATES)[number]

const START_MODES = ['auto', 'boot', 'disabled', 'manual', 'system'] as const

interface Service {
  readonly name: string
  readonly state: ServiceState
  readonly startMode: (typeof START_MODES)[number]
}

const OTHER_SERVICES: readonly Service[] = [
  { name: 'Dnscache', state: 'running', startMode: 'auto' },
  { name: 'EventLog', state: 'running', startMode: 'auto' },
  { name: 'LanmanServer', state: 'running', startMode: 'auto' },
  { name: 'RpcSs', state: 'running', startMode: 'auto' },
  { name: 'Spooler', state: 'stopped', startMode: 'disabled' },
  { name: 'W32Time', state: 'running', startMode: 'auto' },
  { name: 'WinRM', state: 'running', startMode: 'auto' },
  { name: 'wuauserv', state: 'stopped', startMode: 'manual' },
]

interface Family {
  readonly name: string
  readonly help: string
  readonly samples: readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[]
}

export function renderWindowsPage(name: string, sppsvc: ServiceState, clock: Clock): string {
  const services: readonly Service[] = [
    ...OTHER_SERVICES,
    { name: 'sppsvc', state: sppsvc, startMode: 'auto' },
  ]
  return [...aboutExporter(), ...aboutSystem(name), ...aboutServices(services), aboutTime(clock)]
    .map(renderFamily)
    .join('')
}

function aboutExporter(): Family[] {
  const build = {
    branch: 'HEAD',
    goarch: 'amd64',
    goos: 'windows',
    goversion: 'go1.25.0',
    revision: 'unknown',
    tags: 'unknown',
    version: '0.31.3',
  }
  return [
    {
      name: 'windows_exporter_build_info',
      help: "A metric with a constant '1' value labeled by version, revision, branch, goversion from which windows_exporter was built, and the goos and goarch for the build.",
      samples: [[build, 1]],
    },
    {
      name: 'windows_exporter_collector_success',
      help: 'windows_exporter: Whether the collector was successful.',
      samples: ['os', 'service', 'time'].map((collector) => [{ collector }, 1] as const),
    },
  ]
}

function aboutSystem(name: string): Family[] {
  const [hostname = '', ...rest] = name.split('.')
  const info = {
    build_number: '20348',
    installation_type: 'Server',
    major_version: '10',
    minor_version: '0',
    product: 'Windows Server 2022 Standard',
    revision: '2655',
    version: '10.0.20348',
  }
  return [
    {
      name: 'windows_os_hostname',
      help: 'Labelled system hostname information as provided by ComputerSystem.DNSHostName and ComputerSystem.Domain',
      samples: [[{ domain: rest.join('.'), fqdn: name, hostname }, 1]],
    },
    {
      name: 'windows_os_info',
      help: 'Contains full product name & version in labels. Note that the "major_version" for Windows 11 is \\\\"10\\\\"; a build number greater than 22000 represents Windows 11.',
      samples: [[info, 1]],
    },
  ]
}

function aboutServices(services: readonly Service[]): Family[] {
  return [
    {
      name: 'windows_service_start_mode',
      help: 'The start mode of the service (StartMode)',
      samples: services.flatMap(({ name, startMode }) =>
        START_MODES.map((mode) => [{ name, start_mode: mode }, mode === startMode ? 1 : 0] as const),
      ),
    },
    {
      name: 'windows_service_state',
      help: 'The state of the service (State)',
      samples: services.flatMap(({ name, state }) =>
        SERVICE_STATES.map((each) => [{ name, state: each }, each === state ? 1 : 0] as const),
      ),
    },
  ]
}

function aboutTime(clock: Clock): Family {
  return {
    name: 'windows_time_current_timestamp_seconds',
    help: 'OperatingSystem.LocalDateTime',
    samples: [[{}, Math.floor(clock() / 1000)]],
  }
}

function renderFamily({ name, help, samples }: Family): string {
  const lines = samples.map(([labels, value]) => {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${text}"`)
    return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${goNumber(value)}\n`
  })
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('')}`
}

/** Go writes large numbers as 1.754e+09; JavaScript would not. */
function goNumber(value: number): string {
  return Math.abs(value) < 1e6 ? String(value) : value.toExponential().replace(/e\+(\d)$/, 'e+0$1')
}
