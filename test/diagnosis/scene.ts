// Evidence about one host, built from the configuration that a user would write, so that targets are real ones.
import { parseConfig } from '../../src/config/load.ts'
import { estateOf, type Estate, type Host } from '../../src/config/targets.ts'
import { asksHost, type HostEvidence } from '../../src/diagnosis/evidence.ts'
import type { SrvRecord } from '../../src/kms/srv.ts'
import type { Reason } from '../../src/model/failure.ts'
import type { Interval } from '../../src/model/interval.ts'
import type { Answered, Unanswered } from '../../src/model/result.ts'
import type { Target } from '../../src/model/target.ts'
import type { ActivityReading } from '../../src/probes/activity.ts'
import type { ClientReading } from '../../src/probes/client.ts'
import type { ClockReading } from '../../src/probes/clock.ts'
import { probes } from '../../src/probes/index.ts'
import type { KmsProduct, KmsService } from '../../src/probes/license-facts.ts'
import type { LicensingReading } from '../../src/probes/licensing.ts'
import type { AddressOutcome } from '../../src/probes/port.ts'
import type { ServiceReading } from '../../src/probes/service.ts'
import type { SrvReading } from '../../src/probes/srv.ts'

export const NAME = 'kms01.corp.example'
export const ADDRESS = '192.0.2.10'

/** When everything was asked, unless the story says otherwise; answers came a second later. */
export const AT = 1_800_000_000

function base<T extends Target>(probe: string, target: T, at: number) {
  return {
    probe,
    target,
    startedAtSeconds: at,
    endedAtSeconds: at + 1,
    endedAtMonotonicSeconds: at + 1,
    durationSeconds: 1,
    stages: [],
  }
}

function answered<T extends Target, R>(probe: string, target: T, reading: R, at = AT): Answered<T, R> {
  return { ...base(probe, target, at), reading }
}

function failed<T extends Target>(
  probe: string,
  target: T,
  reason: Reason,
  stage = 'connect',
  at = AT,
): Unanswered<T> {
  return { ...base(probe, target, at), failure: { stage, reason, detail: `${reason} for the test` } }
}

const estates = new Map<string, Estate>()

function estate(yaml: string, discovered: readonly string[] = []): Estate {
  const key = [yaml, ...discovered].join('\0')
  const known = estates.get(key)
  if (known !== undefined) return known
  const { config, problems } = parseConfig(yaml, { file: 'test.yml', checkCron: () => undefined })
  if (config === undefined) throw new Error(JSON.stringify(problems))
  const machine = { resolvers: [{ address: '192.0.2.53', port: 53 }], searchDomains: [] }
  const made = estateOf(
    config,
    machine,
    discovered.map((name) => ({ name, port: 1688 })),
  )
  estates.set(key, made)
  return made
}

export const CONFIGURED = `
hosts: [{ name: ${NAME} }]
domains: [{ name: corp.example, expect: [${NAME}] }]
`

/** The only (or first) target of a probe: an empty list is an error of the test. */
function first<T>(targets: readonly T[]): T {
  const [target] = targets
  if (target === undefined) throw new Error('the scene has no such target')
  return target
}

export const kms: AddressOutcome = {
  address: ADDRESS,
  inDns: true,
  expected: undefined,
  connectSeconds: 0.001,
  listener: 'kms',
  bindSeconds: 0.001,
  says: 'the KMS RPC interface accepts a bind',
}

export function closed(reason: Reason, address = ADDRESS): AddressOutcome {
  return { address, inDns: true, expected: undefined, connectFailure: reason, says: reason }
}

export function record(target: string, changes: Partial<SrvRecord> = {}): SrvRecord {
  return { target, port: 1688, priority: 0, weight: 0, ttlSeconds: 3600, ...changes }
}

export function srvReading(records: readonly SrvRecord[], changes: Partial<SrvReading> = {}): SrvReading {
  return {
    rcode: 'NOERROR',
    records,
    recordCount: records.length,
    referral: false,
    truncatedWithoutTcp: false,
    misspelt: false,
    targets: new Map(records.map(({ target }) => [target, { addresses: [ADDRESS], alias: false }])),
    authoritative: true,
    overTcp: false,
    lookupSeconds: 0.001,
    ...changes,
  }
}

export function around(seconds: number, halfWidth = 0.01): Interval {
  return { low: seconds - halfWidth, high: seconds + halfWidth }
}

export function clockReading(...offsets: readonly Interval[]): ClockReading {
  const sources = ['smb2', 'ntp', 'ntlm', 'http', 'windows_exporter']
  return {
    address: ADDRESS,
    samples: offsets.map((offset, index) => ({ source: sources[index] ?? `source${index}`, offset })),
    failures: [],
  }
}

function serviceReading(
  state: ServiceReading['state'],
  source: ServiceReading['source'] = 'windows_exporter',
): ServiceReading {
  return {
    state,
    source,
    startMode: 'auto',
    exitCode: undefined,
    processStartSeconds: undefined,
    os: undefined,
    clock: [],
  }
}

/** A host whose Windows is asked by WinRM, and two canaries. */
export const BY_WINRM = `
credentials: { reader: { auth: kerberos } }
hosts: [{ name: ${NAME}, windows: { via: winrm, credentials: reader } }]
clients:
  - { name: pc1.corp.example, windows: { via: winrm, credentials: reader } }
  - { name: pc2.corp.example, windows: { via: winrm, credentials: reader } }
domains: [{ name: corp.example, expect: [${NAME}] }]
`

/** A key for Windows Server 2022, licensed, with as many clients as are ever counted. */
export function product(changes: Partial<KmsProduct> = {}): KmsProduct {
  return {
    id: '11111111-2222-3333-4444-555555555555',
    product: 'ws2022',
    application: 'windows',
    licenseStatus: 'licensed',
    licenseReason: undefined,
    graceSeconds: undefined,
    currentClients: 50,
    requiredClients: 25,
    clientsLimit: 50,
    requestsReceived: 1000,
    requestsFailed: 1,
    requests: { licensed: 900, oob_grace: 100 },
    ...changes,
  }
}

interface KmsStory {
  readonly service?: Partial<KmsService>
  readonly products?: readonly KmsProduct[]
}

/** Windows Server 2022, all well, but for the changes. */
export function licensingReading(
  { service = {}, products = [product()] }: KmsStory = {},
  changes: Partial<LicensingReading> = {},
): LicensingReading {
  return {
    service: { state: 'running', startMode: 'auto' },
    kms: {
      service: {
        version: '10.0.20348.1',
        kmsEnabled: true,
        currentClients: 50,
        requiredClients: 25,
        listeningPort: 1688,
        dnsPublishing: true,
        lowPriority: false,
        hostCaching: true,
        activationIntervalSeconds: 7200,
        renewalIntervalSeconds: 604_800,
        ...service,
      },
      products,
    },
    os: {
      caption: 'Windows Server 2022 Datacenter',
      build: 20_348,
      ubr: 2322,
      ubrSource: 'registry',
      productType: 'server',
    },
    publishList: undefined,
    clock: [],
    roundTrips: 4,
    ...changes,
  }
}

/** Its service is not running, so that nothing else may be asked. */
export const asleep = licensingReading(
  {},
  { service: { state: 'stopped', startMode: 'auto' }, kms: undefined },
)

type Log = ActivityReading['logs'][number]

export function eventLog(changes: Partial<Log> = {}): Log {
  return {
    log: 'key_management_service',
    records: 4000,
    sizeBytes: 2 ** 20,
    mostBytes: 20 * 2 ** 20,
    overwrites: 'when_needed',
    gaps: { cleared: 0, overwritten: 0, restarted: 0 },
    lost: 0,
    lostAtSeconds: undefined,
    ...changes,
  }
}

/** Clients ask every hour, and nothing goes wrong, but for the changes. */
export function activityReading(changes: Partial<ActivityReading> = {}): ActivityReading {
  return {
    requests: [{ result: '0x00000000', minClients: '5', count: 100 }],
    lastRequestSeconds: AT - 600,
    lastClientSystemSeconds: undefined,
    distinctClients: { '1h': 5, '24h': 20, '7d': 60, '30d': 60 },
    sampledOneIn: 1,
    duplicateClientIds: 0,
    skew: { bounds: [60], counts: [100, 0], sum: 1000 },
    earliestExpirySeconds: 100 * 86_400,
    lastMismatchSeconds: undefined,
    lastWrongProductSeconds: undefined,
    lastWrongClientSystemSeconds: undefined,
    dnsPublishing: [],
    lastInitFailure: undefined,
    lastTimerFailure: undefined,
    logs: [eventLog()],
    caughtUp: true,
    roundTrips: 3,
    ...changes,
  }
}

/** A canary that was activated by the host an hour ago. */
export function canaryReading(changes: Partial<ClientReading> = {}): ClientReading {
  return {
    licenseStatus: 'licensed',
    licenseReason: undefined,
    graceSeconds: 170 * 86_400,
    isKmsClient: true,
    kms: { host: NAME, port: 1688, discoveredBy: 'dns' },
    lastActivation: { atSeconds: AT - 3600, code: '0x00000000', answered: true, host: NAME },
    eventsReadable: true,
    os: { caption: 'Windows 10 Enterprise', build: 19_045, ubr: 5000, productType: 'workstation' },
    clientOs: 'windows_10',
    roundTrips: 4,
    ...changes,
  }
}

interface Unwell {
  readonly failure: Reason
  /** `connect` unless told. */
  readonly stage?: string
  readonly at?: number
}

export interface Story {
  readonly yaml?: string
  readonly discovered?: readonly string[]
  readonly host?: string
  readonly port?: readonly AddressOutcome[] | Reason
  readonly clock?: ClockReading | Reason
  readonly service?: ServiceReading['state'] | Unwell
  readonly licensing?: LicensingReading | Unwell
  readonly licensingAt?: number
  /** What it told before that; the same unless told, where it tells of licences at all. */
  readonly lastLicences?: LicensingReading
  readonly activity?: ActivityReading | Unwell
  /** In the order of the estate's clients. */
  readonly clients?: readonly (ClientReading | Unwell)[]
  /** One a domain and resolver, in the order of the estate's targets. */
  readonly srv?: readonly (SrvReading | Reason | undefined)[]
  readonly references?: readonly Interval[]
}

function sourceOf({ windows }: Host): ServiceReading['source'] {
  return windows?.via ?? 'windows_exporter'
}

function outcome<T extends Target, R extends object>(
  probe: string,
  targets: readonly T[],
  told: R | Unwell | undefined,
  at?: number,
): Answered<T, R> | Unanswered<T> | undefined {
  if (told === undefined) return undefined
  if ('failure' in told) return failed(probe, first(targets), told.failure, told.stage, told.at)
  return answered(probe, first(targets), told, at)
}

/** A story told in outcomes; what is left out has not been asked. */
export function tell(story: Story): HostEvidence {
  const reading = story.licensing && 'service' in story.licensing ? story.licensing : undefined
  const all = estate(story.yaml ?? CONFIGURED, story.discovered)
  const name = story.host ?? NAME
  const host = all.hosts.find((each) => each.name === name)
  if (host === undefined) throw new Error(`the scene has no host ${name}`)
  const only = { ...all, hosts: [host] }
  const { port, clock, service } = story
  const portTarget = first(probes.port.targets(only))
  const clockTarget = first(probes.clock.targets(only))
  return {
    host,
    port:
      port === undefined
        ? undefined
        : typeof port === 'string'
          ? failed('port', portTarget, port, 'resolve')
          : answered('port', portTarget, { addresses: port }),
    clock:
      clock === undefined
        ? undefined
        : typeof clock === 'string'
          ? failed('clock', clockTarget, clock, 'ask')
          : answered('clock', clockTarget, clock),
    service:
      service === undefined
        ? undefined
        : typeof service === 'string'
          ? answered('service', first(probes.service.targets(only)), serviceReading(service, sourceOf(host)))
          : failed(
              'service',
              first(probes.service.targets(only)),
              service.failure,
              service.stage,
              service.at,
            ),
    licensing: outcome('licensing', probes.licensing.targets(only), story.licensing, story.licensingAt),
    lastLicences: outcome(
      'licensing',
      probes.licensing.targets(only),
      story.lastLicences ?? (reading?.kms && reading),
      story.licensingAt,
    ),
    activity: outcome('activity', probes.activity.targets(only), story.activity),
    clients: probes.client.targets(all).flatMap((target, index) => {
      const result = outcome('client', [target], story.clients?.[index])
      return result !== undefined && asksHost(result, host) ? [result] : []
    }),
    srv: probes.srv.targets(all).flatMap((target, index) => {
      const outcome = story.srv?.[index]
      if (outcome === undefined) return []
      return [
        typeof outcome === 'string'
          ? failed('srv', target, outcome, 'lookup')
          : answered('srv', target, outcome),
      ]
    }),
    references: probes.reference.targets(all).flatMap((target, index) => {
      const offset = story.references?.[index]
      return offset === undefined ? [] : [answered('reference', target, { address: '192.0.2.123', offset })]
    }),
  }
}
