// What stands around the hosts on the page of the estate: domains with their resolvers, and canary clients.
import { describe, expect, it } from 'vitest'
import { probes } from '../../src/probes/index.ts'
import { estatePage } from '../../src/views/html-estate.ts'
import { filterOf } from '../../src/views/html-filter.ts'
import type { Snapshot } from '../../src/views/snapshot.ts'
import { canaryReading, record, srvReading } from '../diagnosis/scene.ts'
import { checkPage, rowWith, textOf } from './html-check.ts'
import { answered, AT, diagnosis, estate, EVERYTHING, failed, first, host, snapshot, view } from './scenes.ts'

const SITE = { prefix: '/kms', telemetryPath: '/metrics', version: '1.2.3' }
const all = estate(EVERYTHING)
const srvTarget = first(probes.srv.targets(all))
const clientTarget = first(probes.client.targets(all))

function pageOf(changes: Partial<Snapshot>, query = ''): string {
  const page = estatePage(snapshot(changes), filterOf(query), SITE)
  checkPage(page)
  return page
}

describe('the SRV records', () => {
  const right = srvReading([record('kms01.corp.example')])

  it('say of each resolver what it answered', () => {
    const results = [
      answered('srv', srvTarget, right),
      answered('srv', srvTarget, srvReading([], { rcode: 'NXDOMAIN' })),
      failed('srv', srvTarget),
    ]
    const page = pageOf({ domains: [{ name: 'corp.example', consistent: false, results }] })
    const text = textOf(page.slice(page.indexOf('SRV records')))
    expect(text).toContain(
      'corp.example resolvers disagree no host is known for it 192.0.2.53:53 correct 1 record (NOERROR)',
    )
    expect(text).toContain('kms01.corp.example:1688')
    expect(text).toContain('wrong 0 records (NXDOMAIN); clients see 0x8007232B')
    expect(text).toContain('no answer connect_timeout: nobody is there')
    expect(page).toContain('<span class="badge unknown">no answer</span>')
  })

  it.each([
    [true, '<span class="badge good">resolvers agree</span>'],
    [false, '<span class="badge bad">resolvers disagree</span>'],
    [undefined, 'nothing to compare'],
  ])('say whether the resolvers agree: %s', (consistent, words) => {
    const results = [answered('srv', srvTarget, right)]
    expect(pageOf({ domains: [{ name: 'corp.example', consistent, results }] })).toContain(words)
  })

  it.each([
    [[true, false], '1 of 2 hosts serve it'],
    [[true], '1 of 1 host serves it'],
    [[false, undefined], 'cannot tell whether a host serves it: nothing is known of 1 of 2'],
    [[false, false], 'no host serves it of 2'],
    [[], 'no host is known for it'],
  ])('say whether a host serves the domain: %j', (servings, says) => {
    const hosts = servings.map((serving, index) =>
      view(diagnosis({ host: host({ name: `h${index}.example` }), serving, domains: ['corp.example'] })),
    )
    const results = [answered('srv', srvTarget, right)]
    const page = pageOf({ hosts, domains: [{ name: 'corp.example', consistent: true, results }] })
    expect(textOf(page)).toContain(`corp.example resolvers agree ${says}`)
    expect(page.includes('No KMS host serves corp.example</a>')).toBe(says === 'no host serves it of 2')
  })

  it.each([
    [[true, false], '1 of 2 serve in shard 0/3; other shards may have more'],
    [[false], '0 of 1 serve in shard 0/3; other shards may have more'],
    [[], 'none of its hosts is in shard 0/3; other shards may have more'],
  ])('say of a shard no more than it knows: %j', (servings, says) => {
    const hosts = servings.map((serving, index) =>
      view(diagnosis({ host: host({ name: `h${index}.example` }), serving, domains: ['corp.example'] })),
    )
    const results = [answered('srv', srvTarget, right)]
    const page = pageOf({
      hosts,
      shard: '0/3',
      domains: [{ name: 'corp.example', consistent: true, results }],
    })
    expect(textOf(page)).toContain(`corp.example resolvers agree ${says}`)
    expect(page).not.toContain('No KMS host serves')
    expect(textOf(page)).toMatch(/Shard 0\/3: (?:All|No|The|\d+ of \d+) /)
    expect(page).toContain('<title>Shard 0/3: ')
  })

  it('have the worst domains first, and a bounded number of them', () => {
    const domains = Array.from({ length: 70 }, (_, index) => ({
      name: `d${String(index).padStart(2, '0')}.example`,
      consistent: index !== 60,
      results: [answered('srv', srvTarget, index === 65 ? srvReading([]) : right)],
    }))
    const page = pageOf({ domains })
    const names = [...page.matchAll(/<h3>(d\d\d)/g)].map(([, name]) => name)
    expect(names.slice(0, 3)).toEqual(['d65', 'd60', 'd00'])
    expect(names).toHaveLength(50)
    expect(page).toContain('And 20 more that are no worse')
    expect(
      [...pageOf({ domains }, 'domain=d69.example').matchAll(/<h3>(d\d\d)/g)].map(([, name]) => name),
    ).toEqual(['d69'])
  })
})

describe('the canaries', () => {
  const canaryRun = (...changes: Parameters<typeof canaryReading>) =>
    answered('client', clientTarget, canaryReading(...changes))
  const rowOf = (result: ReturnType<typeof canaryRun> | ReturnType<typeof failed> | undefined): string =>
    rowWith(pageOf({ clients: [{ name: 'pc1.corp.example', result: result as never }] }), 'pc1')

  it('have a row each, with licence, host and last attempt', () => {
    const lastActivation = { atSeconds: AT, code: '0x00000000', answered: true, host: undefined }
    expect(rowOf(canaryRun({ lastActivation }))).toBe(
      'pc1.corp.example licensed kms01.corp.example:1688 found in DNS success 2027-01-15 08:00:00 UTC Windows 10 Enterprise 19045.5000',
    )
    expect(rowOf(canaryRun({ lastActivation: { ...lastActivation, code: '0xC004F038' } }))).toContain(
      '0xC004F038',
    )
    expect(rowOf(canaryRun({ lastActivation: { ...lastActivation, answered: false } }))).toContain(
      'no answer',
    )
  })

  it('say what is not known of them', () => {
    const unknown = { lastActivation: undefined, kms: undefined, os: undefined } as const
    expect(rowOf(canaryRun(unknown))).toBe('pc1.corp.example licensed none none unknown')
    expect(rowOf(canaryRun({ ...unknown, eventsReadable: false }))).toContain('cannot be read')
    const ad = { host: '', port: undefined, discoveredBy: 'active_directory' } as const
    expect(rowOf(canaryRun({ kms: ad }))).toContain('Active Directory')
    expect(rowOf(undefined)).toBe('pc1.corp.example not asked yet')
    expect(rowOf(failed('client', clientTarget))).toBe(
      'pc1.corp.example no answer connect_timeout: nobody is there',
    )
    expect(pageOf({})).not.toContain('Canary')
  })

  it('have the worst first', () => {
    const clients = [
      { name: 'a', result: canaryRun({}) },
      { name: 'b', result: undefined },
      { name: 'c', result: canaryRun({ licenseStatus: 'unlicensed' }) },
    ]
    const names = [...pageOf({ clients }).matchAll(/data-title="Client">(.)</g)].map(([, name]) => name)
    expect(names).toEqual(['c', 'b', 'a'])
  })
})
