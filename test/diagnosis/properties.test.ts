// Over arbitrary outcomes, the diagnosis never contradicts itself; over arbitrary clocks, a lying minority moves nothing.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CAUSE_NAMES, rowOf } from '../../src/diagnosis/causes.ts'
import { diagnose } from '../../src/diagnosis/diagnose.ts'
import { beyond, reconcile } from '../../src/diagnosis/rules/drift.ts'
import { REASONS } from '../../src/model/failure.ts'
import type { Interval } from '../../src/model/interval.ts'
import { LISTENERS } from '../../src/probes/port.ts'
import { SERVICE_STATES } from '../../src/probes/service.ts'
import { clockReading, NAME, record, srvReading, tell, type Story } from './scene.ts'

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

const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined })

const ownStory = fc.record({
  yaml,
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
})

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
      fc.property(fc.oneof(ownStory, strangerStory), (raw) => {
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
        expect(reconcile(all.toReversed()).interval).toEqual(reconcile(all).interval)
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
