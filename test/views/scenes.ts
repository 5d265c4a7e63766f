// Views to render: diagnoses put together by hand, so that what a page says can be written down word by word, whatever
// the rules become. And text as an enemy would write it.
import { parseConfig } from '../../src/config/load.ts'
import { estateOf, type Estate, type Host } from '../../src/config/targets.ts'
import { CAUSE_NAMES, type Cause } from '../../src/diagnosis/causes.ts'
import type { Diagnosis } from '../../src/diagnosis/diagnose.ts'
import { cannotTell, named, ruledOut } from '../../src/diagnosis/evidence.ts'
import type { Evidence, Finding } from '../../src/model/finding.ts'
import type { Result } from '../../src/model/result.ts'
import type { Target } from '../../src/model/target.ts'
import { probes } from '../../src/probes/index.ts'
import type { HostView, Snapshot } from '../../src/views/snapshot.ts'

/** 2027-01-15 08:00:00 UTC. */
export const AT = 1_800_000_000
const NAME = 'kms01.corp.example'

/** A terminal's escape sequences (7 and 8 bit), markup, writing turned round in four ways, NUL, half a character. */
export const HOSTILE = `\u001b[2J\u009b31m<script>alert("1")</script>'&amp;\u202e\u2066\u200f\u061c\0\r\n\ud800`

/** What must not be left of it anywhere, line feeds of our own aside. */
export const HARMFUL =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\p{Surrogate}/u

export function estate(yaml: string): Estate {
  const { config, problems } = parseConfig(yaml, { file: 'test.yml', checkCron: () => undefined })
  if (config === undefined) throw new Error(JSON.stringify(problems))
  return estateOf(config, { resolvers: [{ address: '192.0.2.53', port: 53 }], searchDomains: [] }, [])
}

/** Every kind of target, once. */
export const EVERYTHING = `
hosts:
  - name: ${NAME}
    addresses: [192.0.2.10]
    labels: { site: berlin }
    windows: { via: windows_exporter, url: "https://${NAME}:9182/metrics" }
  - name: kms02.corp.example
    windows: { via: winrm, credentials: reader }
clients:
  - { name: pc1.corp.example, labels: { site: berlin }, windows: { via: winrm, credentials: reader } }
credentials: { reader: { auth: kerberos } }
domains:
  - name: corp.example
    expect: [{ target: ${NAME}, port: 1688, priority: 0, weight: 0 }]
probes: { clock: { references: [ntp.corp.example] } }
`

/** The only (or first) of a list: an empty one is a mistake of the test. */
export function first<T>(list: readonly T[]): T {
  const [one] = list
  if (one === undefined) throw new Error('there is nothing to take')
  return one
}

export function host(changes: Partial<Host> = {}): Host {
  return { ...first(estate(EVERYTHING).hosts), ...changes }
}

export function evidence(says: string, source = `port ${NAME}`): Evidence {
  return { source, says, atSeconds: AT }
}

/** What is not given has not been asked yet. */
export function diagnosis(changes: Partial<Diagnosis> = {}, ...given: readonly Finding<Cause>[]): Diagnosis {
  const byCause = new Map(given.map((finding) => [finding.cause, finding]))
  return {
    host: host(),
    serving: undefined,
    findings: CAUSE_NAMES.map((cause) => byCause.get(cause) ?? cannotTell(cause, 'not asked yet')),
    service: { state: 'unknown', source: 'inferred' },
    drift: undefined,
    clockSources: [],
    forecastClients: undefined,
    clientErrors: [],
    domains: ['corp.example'],
    ...changes,
  }
}

function run<T extends Target>(probe: string, target: T) {
  const stages = [{ stage: 'connect', seconds: 0.25 }]
  return {
    probe,
    target,
    startedAtSeconds: AT - 0.5,
    endedAtSeconds: AT,
    endedAtMonotonicSeconds: AT,
    durationSeconds: 0.5,
    stages,
  }
}

export function answered<T extends Target, Reading>(probe: string, target: T, reading: Reading) {
  return { ...run(probe, target), reading }
}

export function failed<T extends Target>(probe: string, target: T, detail = 'nobody is there') {
  return { ...run(probe, target), failure: { stage: 'connect', reason: 'connect_timeout', detail } } as const
}

export function portResult(changes: Partial<Target> = {}): Result {
  return failed('port', { ...first(probes.port.targets(estate(EVERYTHING))), ...changes })
}

export function view(of: Diagnosis, results: readonly Result[] = []): HostView {
  return { diagnosis: of, sinceSeconds: AT - 3600, results }
}

export function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    atSeconds: AT,
    hosts: [],
    domains: [],
    clients: [],
    failures: [],
    nothingFound: undefined,
    ...changes,
  }
}

const bound = evidence('192.0.2.10 the KMS RPC interface accepts a bind')
const clocks = evidence("ntp says +1.2 ms ± 0.4 ms from the exporter's clock", `clock ${NAME}`)
const refused = evidence('192.0.2.10 refuses connections: the machine answers, nobody listens there')
const windows = evidence('Windows says that sppsvc is stopped', `service ${NAME}`)
const srvNames = evidence('the record at 192.0.2.53:53 names the host', 'srv corp.example @ 192.0.2.53:53')

const NO_WINDOWS = 'not asked: that takes read access'
const WINDOWS_CAUSES: readonly Cause[] = [
  'kms_not_enabled',
  'host_not_licensed',
  'count_below_threshold',
  'version_mismatch',
  'event_log_unreadable',
]
const notAsked = WINDOWS_CAUSES.map((cause) => cannotTell(cause, NO_WINDOWS))

export const HEALTHY = diagnosis(
  {
    serving: true,
    service: { state: 'running', source: 'windows_exporter' },
    drift: { low: 0.0008, high: 0.0016 },
    clockSources: [{ source: 'ntp', agrees: true }],
  },
  ...(['host_unreachable', 'port_blocked', 'service_stopped', 'not_kms_listener', 'srv_stale'] as const).map(
    (cause) => ruledOut(cause, [bound]),
  ),
  ...(['srv_missing', 'srv_wrong_port', 'host_record_wrong'] as const).map((cause) =>
    ruledOut(cause, [srvNames]),
  ),
  ruledOut('clock_skew', [clocks]),
  cannotTell('exporter_clock_wrong', 'no reference clock is configured'),
  ...notAsked,
)

export const STOPPED = diagnosis(
  {
    serving: false,
    service: { state: 'stopped', source: 'windows_exporter' },
    clientErrors: [{ cause: 'service_stopped', code: '0xC004F074' }],
  },
  ruledOut('host_unreachable', [refused]),
  cannotTell('port_blocked', 'a port cannot be tested while its service is stopped'),
  named('service_stopped', [windows, refused], [clocks]),
  cannotTell('not_kms_listener', 'no connection to the port succeeds'),
  ruledOut('srv_missing', [srvNames]),
  ...notAsked,
)

export const UNKNOWN = diagnosis({ host: host({ name: 'kms02.corp.example' }) })
