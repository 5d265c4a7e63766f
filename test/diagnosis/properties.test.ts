// Over arbitrary outcomes, the diagnosis never contradicts itself; over arbitrary clocks, a lying minority moves nothing.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CAUSE_NAMES, rowOf } from '../../src/diagnosis/causes.ts'
import { diagnose } from '../../src/diagnosis/diagnose.ts'
import type { HostEvidence } from '../../src/diagnosis/evidence.ts'
import { giveTime, renewed, weighsTheSame } from '../../src/diagnosis/renew.ts'
import { beyond, reconcile } from '../../src/diagnosis/rules/drift.ts'
import { REASONS } from '../../src/model/failure.ts'
import type { Interval } from '../../src/model/interval.ts'
import { LICENSE_STATUSES } from '../../src/probes/licensing.ts'
import { LISTENERS } from '../../src/probes/port.ts'
import { SERVICE_STATES } from '../../src/probes/windows-facts.ts'
import {
  activityReading,
  asleep,
  AT,
  BY_WINRM,
  canaryReading,
  clockReading,
  eventLog,
  licensingReading,
  NAME,
  product,
  record,
  srvReading,
  tell,
  type Story,
} from './scene.ts'

const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined })

const reason = fc.constantFrom(...REASONS)
const OTHER = 'old.corp.example'

const interval = fc
  .tuple(fc.integer({ min: -30_000, max: 30_000 }), fc.integer({ min: 0, max: 9_000 }))
  .map(([low, width]): Interval => ({ low, high: low + width }))

const outcome = fc.oneof(
  fc.record({
    address: fc.constantFrom('192.0.2.10', '192.0.2.11', '2001:db8::1'),
    inDns: fc.constantFrom(true, false, undefined),
    expected: fc.constantFrom(true, false, undefined),
    connectFailure: fc.constantFrom(
      'connect_refused',
      'connect_timeout',
      'connect_unreachable',
      'connect_reset',
    ),
    says: fc.constant('fails'),
  }),
  fc.record({
    address: fc.constantFrom('192.0.2.10', '192.0.2.11', '2001:db8::1'),
    inDns: fc.constantFrom(true, false, undefined),
    expected: fc.constantFrom(true, false, undefined),
    connectSeconds: fc.constant(0.001),
    listener: fc.constantFrom(...LISTENERS),
    says: fc.constant('answers'),
  }),
)

const records = fc.array(
  fc
    .tuple(fc.constantFrom(NAME, OTHER, 'kms02.corp.example', '.'), fc.constantFrom(1688, 1689))
    .map(([target, port]) => record(target, { port })),
  { maxLength: 4 },
)

const lookup = fc.oneof(
  fc.constant(undefined),
  reason,
  fc
    .tuple(records, fc.constantFrom('NOERROR', 'NXDOMAIN', 'SERVFAIL', 'REFUSED'), fc.boolean())
    .map(([some, rcode, referral]) => srvReading(some, { rcode, referral })),
)

const HOST = `{ name: ${NAME}, windows: { via: windows_exporter, url: "http://${NAME}:9182/metrics" } }`
const yaml = fc.constantFrom(
  `hosts: [${HOST}]\ndomains: [{ name: corp.example, resolvers: [192.0.2.1, 192.0.2.2], expect: [${NAME}] }]\nprobes: { clock: { references: [a.example, b.example] } }`,
  `hosts: [${HOST}]\ndomains: [{ name: corp.example, resolvers: [192.0.2.1, 192.0.2.2], unexpected: ignore }]`,
  `hosts: [${HOST}]\ndomains: []`,
  `hosts: [{ name: ${NAME}, addresses: [192.0.2.10], windows: { via: windows_exporter, url: "http://${NAME}:9182/metrics" } }]\ndomains: [{ name: corp.example, resolvers: [192.0.2.1, 192.0.2.2], expect: [kms02.corp.example] }]`,
)

const unwell = fc.record({
  failure: reason,
  stage: fc.constantFrom('resolve', 'connect', 'logon', 'ask'),
  at: fc.constantFrom(AT - 60, AT, AT + 60),
})

const count = fc.constantFrom(undefined, 0, 4, 5, 10, 24, 25, 50)

const products = fc.array(
  fc
    .record({
      product: fc.constantFrom('ws2025', 'ws2019', 'office2021', 'what-nobody-knows'),
      application: fc.constantFrom('windows', 'office', 'other'),
      licenseStatus: fc.constantFrom(undefined, ...LICENSE_STATUSES),
      currentClients: count,
      requiredClients: fc.constantFrom(undefined, 5, 25),
      clientsLimit: fc.constantFrom(undefined, 10, 50),
    })
    .map(product),
  { maxLength: 2 },
)

const licensing = fc.oneof(
  unwell,
  fc.constant(asleep),
  fc
    .tuple(
      fc.record({
        kmsEnabled: fc.constantFrom(true, true, false, undefined),
        listeningPort: fc.constantFrom(undefined, 1688, 1689),
        dnsPublishing: fc.constantFrom(true, false, undefined),
        renewalIntervalSeconds: fc.constantFrom(undefined, 604_800, 900_000),
      }),
      products,
      fc.constantFrom(...SERVICE_STATES),
      fc.constantFrom(undefined, 1, 9999),
      fc.array(interval, { maxLength: 1 }),
    )
    .map(([settings, keys, state, ubr, offsets]) =>
      licensingReading(
        { service: settings, products: keys },
        {
          service: { state, startMode: 'auto' },
          os: ubr === undefined ? undefined : { caption: '', build: 17_763, ubr, productType: 'server' },
          clock: offsets.map((offset) => ({ source: 'cim', offset })),
        },
      ),
    ),
)

const moment = fc.constantFrom(undefined, AT - 100, AT - 200_000)

const activity = fc.oneof(
  unwell,
  fc
    .record({
      requests: fc.constantFrom([], [{ result: 'other', minClients: '25', count: 1 } as const]),
      lastRequestSeconds: moment,
      lastMismatchSeconds: moment,
      lastWrongProductSeconds: moment,
      distinctClients: fc.constantFrom(
        { '1h': 0, '24h': 0, '7d': 0, '30d': 0 },
        { '1h': 1, '24h': 2, '7d': 20, '30d': 60 },
      ),
      dnsPublishing: fc.constantFrom(
        [],
        [{ domain: 'corp.example', success: false, atSeconds: AT - 100, code: undefined }],
        [{ domain: 'corp.example', success: true, atSeconds: AT - 100, code: undefined }],
      ),
      logs: fc.constantFrom([], [eventLog()], [eventLog({ sizeBytes: 2 ** 30, overwrites: 'never' })]),
      caughtUp: fc.boolean(),
    })
    .map(activityReading),
)

const canary = fc.oneof(
  unwell,
  fc
    .record({
      clientOs: fc.constantFrom(undefined, 'windows_10', 'windows_server_2025'),
      kms: fc.constantFrom(undefined, { host: NAME, port: 1688, discoveredBy: 'configured' } as const),
      lastActivation: fc.constantFrom(
        undefined,
        ...['0x00000000', '0xC004F038', '0xC004F041', '0xC004F042'].map((code) => ({
          atSeconds: AT - 100,
          code,
          answered: true,
          host: undefined,
        })),
      ),
    })
    .map(canaryReading),
)

/** How Windows is asked by WinRM, with a configuration that wants more of the host than others do. */
const windowsWords = {
  yaml: fc.constantFrom(
    BY_WINRM,
    BY_WINRM.replace(`{ name: ${NAME},`, `{ name: ${NAME}, serves: [windows_server_2022, windows_11],`),
    BY_WINRM.replace('via: winrm, credentials: reader', 'via: local'),
  ),
  licensing: optional(licensing),
  licensingAt: fc.constantFrom(AT - 60, AT, AT + 60),
  activity: optional(activity),
  clients: fc.array(canary, { maxLength: 2 }),
}

const words = {
  port: optional(fc.oneof(reason, fc.array(outcome, { maxLength: 3 }))),
  clock: optional(
    fc.oneof(
      reason,
      fc.array(interval, { minLength: 1, maxLength: 4 }).map((all) => clockReading(...all)),
    ),
  ),
  service: optional(
    fc.oneof(
      fc.constantFrom(...SERVICE_STATES),
      reason.map((failure) => ({ failure })),
    ),
  ),
  srv: fc.array(lookup, { maxLength: 2 }),
  references: fc.array(interval, { maxLength: 2 }),
}

const ownStory = fc.record({ ...words, yaml })
const windowsStory = fc.record({ ...words, ...windowsWords })

const strangerStory = ownStory.map(({ service: _service, ...story }) => ({
  ...story,
  host: OTHER,
  discovered: [OTHER],
}))

/** exactOptionalPropertyTypes: what is undefined is left out. */
function storyOf(raw: object): Story {
  return Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== undefined))
}

describe('the diagnosis of anything', () => {
  it('never contradicts itself', () => {
    fc.assert(
      fc.property(fc.oneof(ownStory, windowsStory, windowsStory, strangerStory), (raw) => {
        const known = tell(storyOf(raw))
        const diagnosis = diagnose(known)
        const { findings, serving } = diagnosis
        expect(findings.map(({ cause }) => cause)).toEqual(CAUSE_NAMES)
        for (const finding of findings) {
          if (finding.verdict === 'named') expect(finding.for, finding.cause).not.toHaveLength(0)
          if (finding.verdict === 'ruled_out') expect(finding.against, finding.cause).not.toHaveLength(0)
          if (finding.verdict === 'unknown') expect(finding.missing, finding.cause).toMatch(/\w/)
        }
        const named = findings.filter(({ verdict }) => verdict === 'named').map(({ cause }) => cause)
        const reach = named.filter((cause) =>
          ['host_unreachable', 'port_blocked', 'service_stopped', 'not_kms_listener'].includes(cause),
        )
        expect(reach.length).toBeLessThanOrEqual(1)
        if (named.includes('srv_stale')) expect(reach).toEqual([])
        if (named.includes('kms_not_enabled')) {
          expect(named).not.toContain('service_stopped')
          expect(named).not.toContain('port_blocked')
        }
        // A refusal that the clock explains says nothing about the version.
        if (named.includes('clock_skew'))
          expect(diagnosis.clientErrors).not.toContainEqual({ cause: 'version_mismatch', code: '0xC004F06C' })
        for (const { verdict, warning } of findings)
          if (verdict !== 'ruled_out') expect(warning).toBeUndefined()
        const stopping = named.filter((cause) => rowOf(cause).stopsService)
        if (stopping.length > 0) expect(serving).toBe(false)
        if (serving === true) {
          expect(known.port?.reading?.addresses.some(({ listener }) => listener === 'kms')).toBe(true)
        }
        for (const { cause } of diagnosis.clientErrors) expect(named).toContain(cause)
        expect(diagnose(known)).toEqual(diagnosis)
      }),
      { numRuns: 3_000 },
    )
  })

  it('says of Windows nothing but what Windows said', () => {
    fc.assert(
      fc.property(fc.record({ ...words, yaml: windowsWords.yaml, clients: windowsWords.clients }), (raw) => {
        const { findings, forecastClients } = diagnose(tell(storyOf(raw)))
        expect(forecastClients).toBeUndefined()
        for (const { cause, verdict, missing } of findings) {
          if (rowOf(cause).needs === undefined) continue
          expect([cause, verdict, missing]).toEqual([cause, 'unknown', 'Windows has not been asked yet'])
        }
      }),
    )
  })

  it('names no cause from nothing, and takes silence about one thing for no evidence about another', () => {
    fc.assert(
      fc.property(fc.array(lookup, { maxLength: 2 }), yaml, (srv, text) => {
        const { findings } = diagnose(tell(storyOf({ yaml: text, srv })))
        for (const cause of [
          'host_unreachable',
          'port_blocked',
          'service_stopped',
          'not_kms_listener',
          'clock_skew',
        ]) {
          expect(findings.find((finding) => finding.cause === cause)?.verdict).toBe('unknown')
        }
      }),
    )
  })
})

describe('reconciling clocks', () => {
  const truth = 1_234.5
  const honest = fc
    .tuple(fc.double({ min: 0, max: 50, noNaN: true }), fc.double({ min: 0, max: 50, noNaN: true }))
    .map(([before, after]): Interval => ({ low: truth - before, high: truth + after }))
  const liar = fc
    .tuple(fc.double({ min: -9_999, max: 9_999, noNaN: true }), fc.double({ min: 0, max: 500, noNaN: true }))
    .map(([low, width]): Interval => ({ low, high: low + width }))

  it('keeps the truth inside while fewer than half lie, and within what honest sources span', () => {
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 5 })
          .chain((count) =>
            fc.tuple(
              fc.array(honest, { minLength: count, maxLength: count }),
              fc.array(liar, { maxLength: count - 1 }),
            ),
          ),
        fc.infiniteStream(fc.nat()),
        ([good, bad], dice) => {
          const all = [...good, ...bad].toSorted(() => ((dice.next().value ?? 0) % 2 === 0 ? 1 : -1))
          const { interval: found } = reconcile(all)
          expect(found).toBeDefined()
          if (found === undefined) return
          expect(found.low).toBeLessThanOrEqual(truth)
          expect(found.high).toBeGreaterThanOrEqual(truth)
          expect(found.low).toBeGreaterThanOrEqual(Math.min(...good.map(({ low }) => low)))
          expect(found.high).toBeLessThanOrEqual(Math.max(...good.map(({ high }) => high)))
        },
      ),
      { numRuns: 3_000 },
    )
  })

  it('gives the same for any order', () => {
    fc.assert(
      fc.property(fc.array(liar, { maxLength: 6 }), (all) => {
        // -0 and 0 are the same time.
        const hull = ({ interval }: ReturnType<typeof reconcile>) =>
          interval && [interval.low + 0, interval.high + 0]
        expect(hull(reconcile(all.toReversed()))).toEqual(hull(reconcile(all)))
      }),
    )
  })

  it.each<readonly [string, readonly Interval[], Interval | undefined]>([
    ['nothing from nothing', [], undefined],
    ['one source is all there is', [{ low: 1, high: 2 }], { low: 1, high: 2 }],
    [
      'two that agree narrow each other',
      [
        { low: 0, high: 2 },
        { low: 1, high: 3 },
      ],
      { low: 1, high: 2 },
    ],
    [
      'two that touch agree on the point',
      [
        { low: 0, high: 1 },
        { low: 1, high: 2 },
      ],
      { low: 1, high: 1 },
    ],
    [
      'two that contradict are no majority',
      [
        { low: 0, high: 1 },
        { low: 2, high: 3 },
      ],
      undefined,
    ],
    [
      'the third is outvoted',
      [
        { low: 0, high: 1 },
        { low: 0.5, high: 1.5 },
        { low: 9, high: 10 },
      ],
      { low: 0.5, high: 1 },
    ],
    [
      'a small lie inside a wide source cannot cut off the truth',
      [
        { low: -0.001, high: 0.001 },
        { low: -0.5, high: 0.5 },
        { low: 0.0005, high: 0.002 },
      ],
      { low: -0.001, high: 0.002 },
    ],
  ])('%s', (_sentence, intervals, expected) => {
    expect(reconcile(intervals).interval).toEqual(expected)
  })

  it('marks who disagrees', () => {
    expect(
      reconcile([
        { low: 0, high: 1 },
        { low: 0, high: 1 },
        { low: 9, high: 10 },
      ]).agrees,
    ).toEqual([true, true, false])
  })

  it('judges only by the whole interval', () => {
    expect(beyond({ low: 14_401, high: 14_500 }, 14_400)).toBe('beyond')
    expect(beyond({ low: -14_500, high: -14_401 }, 14_400)).toBe('beyond')
    expect(beyond({ low: 14_399, high: 14_401 }, 14_400)).toBe('straddles')
    expect(beyond({ low: -20_000, high: 20_000 }, 14_400)).toBe('straddles')
    expect(beyond({ low: -14_400, high: 14_400 }, 14_400)).toBe('within')
  })
})

describe('a judgement renewed', () => {
  /** The same outcomes, each so much later. */
  function later(known: HostEvidence, seconds: readonly number[]): HostEvidence {
    let turn = 0
    const age = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(age)
      if (typeof value !== 'object' || value === null || !('endedAtSeconds' in value)) return value
      return {
        ...value,
        endedAtSeconds: Number(value.endedAtSeconds) + (seconds[turn++ % seconds.length] ?? 0),
      }
    }
    return Object.fromEntries(Object.entries(known).map(([key, value]) => [key, age(value)])) as never
  }
  const story = fc.oneof(ownStory, windowsStory, strangerStory).map(storyOf)
  const shifts = fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 5 })

  it('is the new one to the letter, whatever the one before was', () => {
    fc.assert(
      fc.property(story, story, shifts, (one, other, seconds) => {
        const known = tell(one)
        for (const next of [later(known, seconds), tell(other), later(tell(other), seconds)])
          expect(renewed(diagnose(known), diagnose(next))).toEqual(diagnose(next))
        const twice = renewed(renewed(diagnose(known), diagnose(later(known, seconds))), diagnose(known))
        expect(twice).toEqual(diagnose(known))
      }),
      { numRuns: 400 },
    )
  })

  it('is the one before where only time has passed', () => {
    fc.assert(
      fc.property(story, (one) => {
        const known = tell(one)
        const before = diagnose(known)
        expect(renewed(before, diagnose(later(known, [7])))).toBe(before)
      }),
    )
  })

  /** The same outcome, later, and after another time. */
  const laterPort = (port: NonNullable<HostEvidence['port']>): typeof port => {
    const times = { endedAtSeconds: port.endedAtSeconds + 7, durationSeconds: 5 }
    if (port.reading === undefined) return { ...port, ...times }
    const took = { connectSeconds: 3, bindSeconds: 4 }
    const addresses = port.reading.addresses.map((each) => ({ ...each, ...took }))
    return { ...port, ...times, reading: { ...port.reading, addresses } }
  }

  it('is not made where a port answers as before: the one before is given its time', () => {
    fc.assert(
      fc.property(story, (one) => {
        const known = tell(one)
        const { port } = known
        fc.pre(port?.reading !== undefined)
        const next = laterPort(port)
        expect(weighsTheSame(port, next)).toBe(true)
        const judged = diagnose(known)
        giveTime(judged, next)
        expect(judged).toEqual(diagnose({ ...known, port: next }))
      }),
      { numRuns: 1_000 },
    )
  })

  it('is made where it might be another for what the port has answered', () => {
    let differing = 0
    fc.assert(
      fc.property(story, story, (one, other) => {
        const known = tell(one)
        const { port } = known
        const given = tell(other).port
        fc.pre(port !== undefined && given !== undefined)
        const next = { ...laterPort(given), target: port.target }
        const judged = diagnose(known)
        const fresh = diagnose({ ...known, port: next })
        giveTime(judged, next)
        if (weighsTheSame(port, next)) expect(judged).toEqual(fresh)
        else differing += 1
      }),
      { numRuns: 1_000 },
    )
    expect(differing).toBeGreaterThan(100)
  })
})
