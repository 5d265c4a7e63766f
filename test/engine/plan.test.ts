import { describe, expect, it } from 'vitest'
import { schema } from '../../src/config/schema.ts'
import { estateOf } from '../../src/config/targets.ts'
import { plan, type Task } from '../../src/engine/plan.ts'
import { probes } from '../../src/probes/index.ts'

const MACHINE = { resolvers: [{ address: '192.0.2.53', port: 53 }], searchDomains: ['corp.example'] }

function tasksOf(document: unknown): readonly Task[] {
  return plan(estateOf(schema.parse(document), MACHINE, []), Object.values(probes))
}

const HOST = { name: 'kms01.corp.example', addresses: ['192.0.2.1'] }
const DOCUMENT = {
  hosts: [
    { ...HOST, windows: { via: 'windows_exporter', url: 'http://kms01.corp.example:9182/metrics' } },
    { name: 'kms02.corp.example' },
    { name: 'kms03.corp.example', windows: { via: 'winrm', credentials: 'reader' } },
  ],
  clients: [{ name: 'pc1.corp.example', windows: { via: 'winrm', credentials: 'reader' } }],
  credentials: { reader: { auth: 'kerberos' } },
  domains: [{ name: 'corp.example', resolvers: ['192.0.2.1', '192.0.2.2:5353'] }],
  probes: { clock: { references: ['ntp.corp.example'] } },
}

describe('the plan', () => {
  it('has a task for each question to each target, by keys that are unique', () => {
    const keys = tasksOf(DOCUMENT).map(({ key }) => key)
    expect(keys.toSorted()).toEqual(
      [
        'port/kms01.corp.example',
        'port/kms02.corp.example',
        'service/kms01.corp.example',
        'clock/kms01.corp.example',
        'clock/kms02.corp.example',
        'srv/corp.example @ 192.0.2.1:53',
        'srv/corp.example @ 192.0.2.2:5353',
        'reference/ntp.corp.example',
        ...['port', 'service', 'clock', 'licensing', 'activity'].map(
          (probe) => `${probe}/kms03.corp.example`,
        ),
        'client/pc1.corp.example',
      ].toSorted(),
    )
  })

  it('has every probe in it', () => {
    expect(new Set(tasksOf(DOCUMENT).map(({ probe }) => probe.name))).toEqual(new Set(Object.keys(probes)))
  })

  it('has what does not matter to a probe change nothing about its questions', () => {
    const fingerprints = (document: unknown): readonly string[] =>
      tasksOf(document).map(({ key, fingerprint }) => `${key} ${fingerprint}`)
    expect(fingerprints(structuredClone(DOCUMENT))).toEqual(fingerprints(DOCUMENT))
  })

  it.each([
    ['another port', { port: 1700 }],
    ['another address', { connect_to: '192.0.2.7' }],
    ['other addresses expected', { addresses: ['192.0.2.8'] }],
    ['another timeout', { probes: { port: { timeout: '1s' } } }],
  ])('tells %s from the question as it was', (_what, change) => {
    const fingerprintOf = (host: object): string | undefined =>
      tasksOf({ hosts: [host] }).find(({ key }) => key === 'port/kms01.corp.example')?.fingerprint
    expect(fingerprintOf({ ...HOST })).toBeDefined()
    expect(fingerprintOf({ ...HOST, ...change })).not.toBe(fingerprintOf({ ...HOST }))
  })

  it('tells apart what a map holds: the addresses that a domain should have for its hosts', () => {
    const srvOf = (address: string): string | undefined =>
      tasksOf({ hosts: [{ ...HOST, addresses: [address] }] }).find(({ probe }) => probe.name === 'srv')
        ?.fingerprint
    expect(srvOf('192.0.2.1')).toBeDefined()
    expect(srvOf('192.0.2.1')).not.toBe(srvOf('192.0.2.2'))
  })

  it('takes time in proportion to the hosts and domains, not to their product', () => {
    const all = Array.from({ length: 3000 }, (_, index) => index)
    const document = {
      hosts: all.map((index) => ({ name: `kms${index}.d${index}.example`, addresses: ['192.0.2.1'] })),
      domains: all.map((index) => ({ name: `d${index}.example` })),
    }
    const started = performance.now()
    const tasks = tasksOf(document)
    // 9,000,000 addresses written out would take many times as long.
    expect(performance.now() - started).toBeLessThan(3000)
    expect(new Set(tasks.map(({ fingerprint }) => fingerprint)).size).toBe(tasks.length)
  })
})
