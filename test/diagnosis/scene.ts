// Evidence about one host, built from the configuration that a user would write, so that targets are real ones.
import { parseConfig } from '../../src/config/load.ts'
import { estateOf, type Estate } from '../../src/config/targets.ts'
import type { HostEvidence } from '../../src/diagnosis/evidence.ts'
import type { SrvRecord } from '../../src/kms/srv.ts'
import type { Reason } from '../../src/model/failure.ts'
import type { Interval } from '../../src/model/interval.ts'
import type { Answered, Unanswered } from '../../src/model/result.ts'
import type { Target } from '../../src/model/target.ts'
import type { ClockReading } from '../../src/probes/clock.ts'
import { probes } from '../../src/probes/index.ts'
import type { AddressOutcome } from '../../src/probes/port.ts'
import type { ServiceReading } from '../../src/probes/service.ts'
import type { SrvReading } from '../../src/probes/srv.ts'

export const NAME = 'kms01.corp.example'
export const ADDRESS = '192.0.2.10'

const AT = 1_800_000_000

function base<T extends Target>(probe: string, target: T) {
  return { probe, target, startedAtSeconds: AT, endedAtSeconds: AT + 1, durationSeconds: 1, stages: [] }
}

function answered<T extends Target, R>(probe: string, target: T, reading: R): Answered<T, R> {
  return { ...base(probe, target), reading }
}

function failed<T extends Target>(
  probe: string,
  target: T,
  reason: Reason,
  stage = 'connect',
): Unanswered<T> {
  return { ...base(probe, target), failure: { stage, reason, detail: `${reason} for the test` } }
}

function estate(yaml: string, discovered: readonly string[] = []): Estate {
  const { config, problems } = parseConfig(yaml, { file: 'test.yml', checkCron: () => undefined })
  if (config === undefined) throw new Error(JSON.stringify(problems))
  const machine = { resolvers: [{ address: '192.0.2.53', port: 53 }], searchDomains: [] }
  return estateOf(
    config,
    machine,
    discovered.map((name) => ({ name, port: 1688 })),
  )
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

function serviceReading(state: ServiceReading['state']): ServiceReading {
  return { state, source: 'windows_exporter', startMode: 'auto', os: undefined, clock: [] }
}

export interface Story {
  readonly yaml?: string
  readonly discovered?: readonly string[]
  readonly host?: string
  readonly port?: readonly AddressOutcome[] | Reason
  readonly clock?: ClockReading | Reason
  readonly service?: ServiceReading['state'] | { readonly failure: Reason }
  /** One a domain and resolver, in the order of the estate's targets. */
  readonly srv?: readonly (SrvReading | Reason | undefined)[]
  readonly references?: readonly Interval[]
}

/** A story told in outcomes; what is left out has not been asked. */
export function tell(story: Story): HostEvidence {
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
          ? answered('service', first(probes.service.targets(only)), serviceReading(service))
          : failed('service', first(probes.service.targets(only)), service.failure),
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
