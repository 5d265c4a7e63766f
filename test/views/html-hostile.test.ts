// The pages are dead to whatever peers write into them.
import { describe, expect, it } from 'vitest'
import { cannotTell, named, ruledOut } from '../../src/diagnosis/evidence.ts'
import { probes } from '../../src/probes/index.ts'
import { estatePage } from '../../src/views/html-estate.ts'
import { filterOf } from '../../src/views/html-filter.ts'
import type { Site } from '../../src/views/html-frame.ts'
import { hostPage } from '../../src/views/html-host.ts'
import { canaryReading, licensingReading, product, record, srvReading } from '../diagnosis/scene.ts'
import { checkPage, textOf } from './html-check.ts'
import {
  answered,
  AT,
  diagnosis,
  estate,
  evidence,
  EVERYTHING,
  failed,
  first,
  host,
  HOSTILE,
  portResult,
  snapshot,
  view,
} from './scenes.ts'

const SITE: Site = { prefix: '/kms', telemetryPath: '/metrics', version: '1.2.3' }
const all = estate(EVERYTHING)
const srvTarget = first(probes.srv.targets(all))
const licensingTarget = first(probes.licensing.targets(all))
const clientTarget = first(probes.client.targets(all))

describe('hostile text on a page', () => {
  const LONG = `${HOSTILE}${'<b>\u202e'.repeat(3_000)}`

  it.each([
    ['short', HOSTILE],
    ['long', LONG],
  ])('is text, wherever it stands, and of bearable length: %s', (_what, hostile) => {
    const said = evidence(hostile, hostile)
    const sick = diagnosis(
      {
        host: host({ name: hostile, discovered: true, labels: { a: hostile } }),
        domains: [hostile],
        serving: false,
      },
      named('srv_missing', [said], [said]),
      ruledOut('port_blocked', [said]),
      cannotTell('clock_skew', hostile),
      { ...ruledOut('count_below_threshold', [said]), warning: hostile },
    )
    const target = { ...srvTarget, key: hostile, labels: { domain: hostile, resolver: hostile } }
    const results = [
      answered('srv', target, srvReading([record(hostile)], { rcode: hostile })),
      failed('srv', target, hostile),
    ]
    const os = { caption: hostile, build: 1, ubr: 1, productType: undefined }
    const kms = { host: hostile, port: 1, discoveredBy: 'configured' } as const
    const lastActivation = { atSeconds: AT, code: hostile, answered: true, host: hostile }
    const reading = canaryReading({
      licenseReason: hostile,
      licenseStatus: 'unlicensed',
      kms,
      os,
      lastActivation,
    })
    const clients = [
      { name: hostile, result: answered('client', clientTarget, reading) },
      { name: `${hostile}2`, result: failed('client', clientTarget, hostile) },
    ]
    const key = product({ product: hostile, licenseStatus: 'unlicensed', licenseReason: hostile })
    const licensed = answered('licensing', licensingTarget, licensingReading({ products: [key] }, { os }))
    const domains = [{ name: hostile, consistent: false, results }]
    const seen = snapshot({
      hosts: [view(sick)],
      domains,
      clients,
      nothingFound: hostile,
      failures: results.slice(1),
    })
    const pages = [
      estatePage(seen, filterOf(''), SITE),
      hostPage(view(sick, [portResult(), failed('port', target, hostile), licensed]), AT, SITE),
    ]
    for (const page of pages) {
      checkPage(page)
      expect(page).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;amp;')
      expect(textOf(page).length).toBeLessThan(25_000)
    }
  })

  it('is encoded in links, so that they lead to the host', () => {
    const hosts = [view(diagnosis({ host: host({ name: 'a/b?c#d%"e' }) }))]
    const page = estatePage(snapshot({ hosts }), filterOf(''), SITE)
    const [, link = ''] = /href="\/kms\/hosts\/([^"]*)"/.exec(page) ?? []
    expect(decodeURIComponent(link)).toBe('a/b?c#d%"e')
    expect(link).not.toMatch(/[/?#]/)
  })

  it('may be a time that there is not', () => {
    const lastActivation = { atSeconds: 1e30, code: '0x00000000', answered: true, host: undefined }
    const result = answered('client', clientTarget, canaryReading({ lastActivation }))
    expect(estatePage(snapshot({ clients: [{ name: 'pc1', result }] }), filterOf(''), SITE)).toContain(
      'at no time that there is',
    )
  })
})
