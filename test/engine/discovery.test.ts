import { describe, expect, it } from 'vitest'
import { createDiscovery } from '../../src/engine/discovery.ts'
import type { Failure } from '../../src/model/result.ts'
import type { ResultOf } from '../../src/probes/index.ts'

type Srv = ResultOf<'srv'>
type Named = readonly [target: string, port: number]

const RESOLVER = { address: '192.0.2.53', port: 53 }

function runAt(resolver: string): Pick<Srv, 'target'> & Omit<Srv, 'target' | 'reading' | 'failure'> {
  return {
    probe: 'srv',
    startedAtSeconds: 0,
    endedAtSeconds: 0,
    endedAtMonotonicSeconds: 0,
    durationSeconds: 0,
    stages: [],
    target: {
      key: `corp.example @ ${resolver}`,
      labels: { domain: 'corp.example', resolver },
      schedule: { kind: 'every', seconds: 60 },
      timeoutSeconds: 5,
      group: resolver,
      resolver: RESOLVER,
      domain: {
        name: 'corp.example',
        resolvers: [RESOLVER],
        expect: [],
        exact: false,
        probe: { schedule: { kind: 'every', seconds: 60 }, timeout: 5 },
        addresses: new Map(),
      },
    },
  }
}

function answered(resolver: string, records: readonly Named[], how: Partial<Srv['reading']> = {}): Srv {
  return {
    ...runAt(resolver),
    reading: {
      rcode: records.length > 0 ? 'NOERROR' : 'NXDOMAIN',
      authoritative: true,
      referral: false,
      overTcp: false,
      truncatedWithoutTcp: false,
      records: records.map(([target, port]) => ({ target, port, priority: 0, weight: 0, ttlSeconds: 60 })),
      recordCount: records.length,
      misspelt: false,
      targets: new Map(),
      lookupSeconds: 0.001,
      ...how,
    },
  }
}

function unanswered(resolver: string): Srv {
  const failure: Failure = { stage: 'lookup', reason: 'resolve_timeout', detail: 'no answer' }
  return { ...runAt(resolver), failure }
}

describe('discovery', () => {
  it('begins with nobody', () => {
    expect(createDiscovery().hosts()).toEqual([])
  })

  it('finds the hosts that records name, in one order, and says whether that is news', () => {
    const discovery = createDiscovery()
    expect(
      discovery.learn(
        answered('a', [
          ['kms02.corp.example', 1688],
          ['kms01.corp.example', 1700],
        ]),
      ),
    ).toBe(true)
    expect(discovery.hosts()).toEqual([
      { name: 'kms01.corp.example', port: 1700 },
      { name: 'kms02.corp.example', port: 1688 },
    ])
    expect(
      discovery.learn(
        answered('a', [
          ['kms01.corp.example', 1700],
          ['kms02.corp.example', 1688],
        ]),
      ),
    ).toBe(false)
    expect(
      discovery.learn(
        answered('a', [
          ['kms01.corp.example', 1701],
          ['kms02.corp.example', 1688],
        ]),
      ),
    ).toBe(true)
  })

  it('takes no host from a record that names none', () => {
    const discovery = createDiscovery()
    expect(
      discovery.learn(
        answered('a', [
          ['.', 0],
          ['192.0.2.1', 1688],
          ['2001:db8::1', 1688],
        ]),
      ),
    ).toBe(false)
    expect(discovery.hosts()).toEqual([])
  })

  it('lets a host go once no resolver names it any more', () => {
    const discovery = createDiscovery()
    discovery.learn(answered('a', [['kms01.corp.example', 1688]]))
    expect(discovery.learn(answered('b', [['kms01.corp.example', 1688]]))).toBe(false)
    expect(discovery.learn(answered('a', []))).toBe(false)
    expect(discovery.hosts()).toHaveLength(1)
    expect(discovery.learn(answered('b', []))).toBe(true)
    expect(discovery.hosts()).toEqual([])
  })

  it('loses nobody over a resolver that says nothing', () => {
    const discovery = createDiscovery()
    discovery.learn(answered('a', [['kms01.corp.example', 1688]]))
    expect(discovery.learn(unanswered('a'))).toBe(false)
    expect(discovery.hosts()).toEqual([{ name: 'kms01.corp.example', port: 1688 }])
  })

  it.each([
    ['fails', { rcode: 'SERVFAIL' }],
    ['refuses', { rcode: 'REFUSED' }],
    ['sends us elsewhere', { rcode: 'NOERROR', referral: true }],
    ['cuts its answer off', { rcode: 'NOERROR', truncatedWithoutTcp: true }],
  ])('loses nobody over a resolver that %s', (_what, how) => {
    const discovery = createDiscovery()
    discovery.learn(answered('a', [['kms01.corp.example', 1688]]))
    expect(discovery.learn(answered('a', [], how))).toBe(false)
    expect(discovery.hosts()).toEqual([{ name: 'kms01.corp.example', port: 1688 }])
  })

  it('forgets what resolvers said that are no longer asked', () => {
    const discovery = createDiscovery()
    const one = answered('a', [['kms01.corp.example', 1688]])
    const other = answered('b', [['kms02.corp.example', 1688]])
    discovery.learn(one)
    discovery.learn(other)
    expect(discovery.keep(new Set([one.target.key, other.target.key]))).toBe(false)
    expect(discovery.keep(new Set([other.target.key]))).toBe(true)
    expect(discovery.hosts()).toEqual([{ name: 'kms02.corp.example', port: 1688 }])
  })

  it('names a host once where resolvers disagree about its port', () => {
    const discovery = createDiscovery()
    discovery.learn(answered('a', [['kms01.corp.example', 1688]]))
    expect(discovery.learn(answered('b', [['kms01.corp.example', 1700]]))).toBe(false)
    expect(discovery.hosts()).toEqual([{ name: 'kms01.corp.example', port: 1688 }])
  })
})
