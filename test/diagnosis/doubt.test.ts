// What is not evidence: a resolver's trouble, our own, an answer cut short, a service between two states. Nothing is
// named on account of these, and what is named all the same does not cite them.
import { describe, expect, it } from 'vitest'
import type { Cause } from '../../src/diagnosis/causes.ts'
import { diagnose } from '../../src/diagnosis/diagnose.ts'
import type { HostEvidence } from '../../src/diagnosis/evidence.ts'
import { sayInterval, sayOffset } from '../../src/diagnosis/rules/clock.ts'
import type { Finding } from '../../src/model/finding.ts'
import { ADDRESS, around, clockReading, closed, kms, NAME, record, srvReading, tell } from './scene.ts'

const windows = `
hosts: [{ name: ${NAME}, windows: { via: windows_exporter, url: "http://${NAME}:9182/metrics" } }]
domains: [{ name: corp.example, resolvers: [192.0.2.1, 192.0.2.2], expect: [${NAME}] }]
`
const twoResolvers = `
hosts: [{ name: ${NAME} }]
domains: [{ name: corp.example, resolvers: [192.0.2.1, 192.0.2.2], expect: [${NAME}] }]
`
const withAddresses = `
hosts: [{ name: ${NAME}, addresses: [${ADDRESS}], windows: { via: windows_exporter, url: "http://${NAME}/" } }]
domains: []
`
const silent = [closed('connect_timeout')]
const refusing = [closed('connect_refused')]

/** The same, but that the clock and windows_exporter failed before the host itself was asked. */
function whileResolving(known: HostEvidence): HostEvidence {
  const { clock, service } = known
  return {
    ...known,
    clock:
      clock?.failure === undefined ? clock : { ...clock, failure: { ...clock.failure, stage: 'resolve' } },
    service:
      service?.failure === undefined
        ? service
        : { ...service, failure: { ...service.failure, stage: 'resolve' } },
  }
}

function namedIn(known: HostEvidence): readonly Cause[] {
  return diagnose(known)
    .findings.filter(({ verdict }) => verdict === 'named')
    .map(({ cause }) => cause)
}

function findingOf(cause: Cause, known: HostEvidence): Finding<Cause> {
  const found = diagnose(known).findings.find((finding) => finding.cause === cause)
  if (found === undefined) throw new Error(`no finding about ${cause}`)
  return found
}

describe('a resolver that fails', () => {
  const confused = { port: refusing, clock: 'protocol_error' } as const

  it('is no sign of life of the host', () => {
    expect(namedIn(tell(confused))).toEqual(['service_stopped'])
    expect(namedIn(whileResolving(tell(confused)))).toEqual([])
  })

  it('is no silence of the host', () => {
    expect(namedIn(tell({ port: silent, clock: 'timeout' }))).toEqual(['host_unreachable'])
    const known = whileResolving(tell({ port: silent, clock: 'resolve_timeout' }))
    expect(namedIn(known)).toEqual([])
    expect(findingOf('host_unreachable', known).missing).toContain('nothing but the KMS port')
  })

  it('is no word of windows_exporter either', () => {
    const story = { yaml: windows, port: silent, service: { failure: 'connect_refused' } } as const
    expect(namedIn(tell(story))).toEqual(['port_blocked'])
    expect(namedIn(whileResolving(tell(story)))).toEqual([])
  })
})

describe("the exporter's own trouble", () => {
  it.each(['internal_error', 'exporter_overloaded', 'not_configured'] as const)(
    '%s does not make a host unreachable',
    (reason) => {
      expect(namedIn(tell({ port: silent, clock: reason }))).toEqual([])
      expect(namedIn(tell({ yaml: windows, port: silent, service: { failure: reason } }))).toEqual([])
    },
  )
})

describe('silence', () => {
  it('of windows_exporter counts as silence of the host, and is cited', () => {
    const known = tell({ yaml: windows, port: silent, service: { failure: 'connect_timeout' } })
    expect(namedIn(known)).toEqual(['host_unreachable'])
    expect(findingOf('host_unreachable', known).for.map(({ source }) => source)).toEqual([
      `port ${NAME}`,
      `service ${NAME}`,
    ])
  })

  it('of the port alone names nothing', () => {
    const known = tell({ port: silent })
    expect(namedIn(known)).toEqual([])
    expect(diagnose(known).serving).toBe(false)
  })
})

describe('none of the configured addresses was tried', () => {
  const elsewhere = [{ ...closed('connect_refused', '192.0.2.99'), expected: false }]

  it('says nothing about the host, but about its records', () => {
    const known = tell({ yaml: withAddresses, port: elsewhere, clock: clockReading(around(0)) })
    expect(namedIn(known)).toEqual(['host_record_wrong'])
    expect(findingOf('port_blocked', known).missing).toBe('there was no address to try')
  })

  it('leaves what Windows says', () => {
    const known = tell({ yaml: withAddresses, port: elsewhere, service: 'stopped' })
    expect(namedIn(known)).toEqual(['host_record_wrong', 'service_stopped'])
  })
})

describe('a service between running and stopped', () => {
  it.each(['start_pending', 'continue_pending', 'pause_pending', 'paused'] as const)(
    '%s is called neither stopped nor blocked, whatever the port does',
    (state) => {
      for (const port of [silent, refusing]) {
        const known = tell({ yaml: windows, port, service: state })
        expect(namedIn(known)).toEqual([])
        expect(diagnose(known).serving).toBe(false)
        expect(findingOf('service_stopped', known).for.map(({ says }) => says)).toEqual([
          `Windows says that sppsvc is ${state.replace('_', ' ')}`,
        ])
      }
    },
  )

  it('stop_pending counts as stopped, whatever the port does', () => {
    for (const port of [
      silent,
      refusing,
      [{ ...kms, listener: 'closes' as const }],
      'resolve_timeout' as const,
    ]) {
      expect(namedIn(tell({ yaml: windows, port, service: 'stop_pending' }))).toEqual(['service_stopped'])
    }
  })
})

describe('an SRV answer that is not whole', () => {
  const other = record('kms02.corp.example')

  it.each([
    ['cut off, and TCP does not answer', srvReading([other], { truncatedWithoutTcp: true })],
    ['cut off to nothing', srvReading([], { truncatedWithoutTcp: true })],
    ['longer than what is read of it', srvReading([other], { recordCount: 2 })],
    ['a referral', srvReading([], { referral: true })],
  ])('%s: whether the record is missing cannot be told', (_sentence, reading) => {
    const finding = findingOf('srv_missing', tell({ srv: [reading] }))
    expect(finding).toMatchObject({ verdict: 'unknown', missing: 'no resolver gives a whole answer' })
    expect(finding.for).toHaveLength(1)
  })

  it('names the host all the same, where it does', () => {
    const reading = srvReading([record(NAME)], { truncatedWithoutTcp: true })
    expect(findingOf('srv_missing', tell({ srv: [reading] })).verdict).toBe('ruled_out')
  })
})

describe('the client error of a missing record', () => {
  const gone = srvReading([], { rcode: 'NXDOMAIN' })

  it.each([
    [
      'names the host, at no address',
      srvReading([record(NAME)], { targets: new Map([[NAME, { addresses: [], alias: false }]]) }),
    ],
    ['refers elsewhere', srvReading([], { referral: true })],
    ['is cut off', srvReading([], { truncatedWithoutTcp: true })],
  ])('is not taken from a resolver that %s', (_sentence, reading) => {
    const { clientErrors } = diagnose(tell({ yaml: twoResolvers, srv: [reading, gone] }))
    expect(clientErrors).toEqual([{ cause: 'srv_missing', code: '0x8007232B' }])
  })

  it('is none where clients find another host', () => {
    const known = tell({ srv: [srvReading([record('kms02.corp.example')])] })
    expect(namedIn(known)).toEqual(['srv_missing'])
    expect(diagnose(known).clientErrors).toEqual([])
  })
})

describe('an offset for people', () => {
  it.each([
    [0, '+0.0 ms'],
    [-0.0008, '-0.8 ms'],
    [0.9999, '+999.9 ms'],
    [0.99999, '+1.00 s'],
    [59.99, '+59.99 s'],
    [59.999, '+1 min 0 s'],
    [-61, '-1 min 1 s'],
    [3599.4, '+59 min 59 s'],
    [3599.6, '+1 h 0 min'],
    [17_999.9, '+5 h 0 min'],
    [-86_400, '-24 h 0 min'],
  ])('%d seconds are %s', (seconds, text) => {
    expect(sayOffset(seconds)).toBe(text)
  })

  it('an interval is its middle, give or take', () => {
    expect(sayInterval({ low: 0.0008, high: 0.0016 })).toBe('+1.2 ms ± 0.4 ms')
    expect(sayInterval({ low: -7203, high: -7197 })).toBe('-2 h 0 min ± 3.00 s')
  })
})
