// The page of the estate: well-formed, worst first, whole without a script, and dead to whatever peers write into it.
import { describe, expect, it } from 'vitest'
import { named, ruledOut } from '../../src/diagnosis/evidence.ts'
import { probes } from '../../src/probes/index.ts'
import { estatePage } from '../../src/views/html-estate.ts'
import { filterOf } from '../../src/views/html-filter.ts'
import { ICON, type Site } from '../../src/views/html-frame.ts'
import { STYLE } from '../../src/views/html-style.ts'
import { SCRIPT } from '../../src/views/page-script.ts'
import type { Snapshot } from '../../src/views/snapshot.ts'
import { around, canaryReading, kms, licensingReading, product, srvReading } from '../diagnosis/scene.ts'
import { checkPage, rowWith, textOf } from './html-check.ts'
import {
  answered,
  AT,
  diagnosis,
  estate,
  evidence,
  EVERYTHING,
  failed,
  first,
  HEALTHY,
  host,
  snapshot,
  STOPPED,
  UNKNOWN,
  view,
} from './scenes.ts'

const SITE: Site = { prefix: '/kms', telemetryPath: '/metrics', version: '1.2.3' }
const all = estate(EVERYTHING)
const srvTarget = first(probes.srv.targets(all))
const clientTarget = first(probes.client.targets(all))
const portTarget = first(probes.port.targets(all))
const licensingTarget = first(probes.licensing.targets(all))

function pageOf(changes: Partial<Snapshot>, query = ''): string {
  const page = estatePage(snapshot(changes), filterOf(query), SITE)
  checkPage(page)
  return page
}

describe('the row of a host', () => {
  it.each([
    [
      'a healthy host',
      HEALTHY,
      'kms01.corp.example site=berlin serving for 1 h 0 min, since 2027-01-15 07:00:00 UTC running windows exporter +1.2 ms ± 0.4 ms not known not known',
    ],
    [
      'a stopped service',
      STOPPED,
      'kms01.corp.example site=berlin not serving for 1 h 0 min, since 2027-01-15 07:00:00 UTC The Software Protection service is stopped service_stopped clients see 0xC004F074 no KMS host could be contacted Start the Software Protection service (sppsvc) on the host, and read its event log for why it stopped. Runbook stopped windows exporter not known not known not known',
    ],
    [
      'cannot tell',
      UNKNOWN,
      'kms02.corp.example site=berlin cannot tell for 1 h 0 min, since 2027-01-15 07:00:00 UTC missing not asked yet not known not known not known not known',
    ],
  ])('says it all: %s', (_what, of, row) => {
    expect(rowWith(pageOf({ hosts: [view(of)] }), of.host.name)).toBe(row)
  })

  it('is never green for what is not known', () => {
    const page = pageOf({ hosts: [view(UNKNOWN), view(diagnosis({ serving: false }))] })
    const rows = page.slice(page.indexOf('<tbody>'), page.indexOf('</tbody>'))
    expect(rows).not.toMatch(/class="[^"]*good/)
    expect(pageOf({ hosts: [view(HEALTHY)] })).toContain('<span class="badge good">serving</span>')
  })

  it('leads to the host and to the runbook', () => {
    const page = pageOf({ hosts: [view(STOPPED)] })
    expect(page).toContain('href="/kms/hosts/kms01.corp.example"')
    expect(page).toContain(
      'href="/kms/runbooks/service_stopped" aria-label="Runbook for service_stopped">Runbook</a>',
    )
  })

  it('says where a host that nobody configured comes from', () => {
    const found = diagnosis({ host: host({ discovered: true }) })
    expect(rowWith(pageOf({ hosts: [view(found)] }), 'kms01')).toContain('found in DNS')
  })

  it('says that nobody knows why', () => {
    const page = pageOf({ hosts: [view(diagnosis({ serving: false }))] })
    expect(page).toContain('<strong class="unknown">cannot tell why</strong>')
    for (const of of [STOPPED, UNKNOWN]) expect(pageOf({ hosts: [view(of)] })).not.toContain('tell why')
  })

  it('warns, where all is well still', () => {
    const warned = {
      ...ruledOut('count_below_threshold', [evidence('50')]),
      warning: 'in 23 days <it> is too low',
    }
    const row = rowWith(pageOf({ hosts: [view(diagnosis({ serving: true }, warned))] }), 'kms01')
    expect(row).toContain('serving warning for')
    expect(row).toContain('warning in 23 days <it> is too low count_below_threshold Runbook')
  })

  it.each([
    [0.001, '', '+1.0 ms'],
    [3_700, '', '+1 h 2 min ± 500.0 ms far off'],
    [-3_700, '', '-1 h 2 min ± 500.0 ms far off'],
    [18_000, 'clock_skew', '+5 h 0 min ± 500.0 ms too far off'],
  ] as const)('says in words how far off a clock is: %d', (seconds, cause, says) => {
    const of = diagnosis({ drift: around(seconds, 0.5) }, ...(cause === '' ? [] : [named(cause, [])]))
    expect(rowWith(pageOf({ hosts: [view(of)] }), 'kms01')).toContain(says)
  })

  it('has the count beside what it takes, and says when that is few', () => {
    const row = (changes: Parameters<typeof product>[0], ...causes: readonly 'count_below_threshold'[]) => {
      const licensing = answered(
        'licensing',
        licensingTarget,
        licensingReading({ products: [product(changes)] }),
      )
      const of = diagnosis({ serving: true }, ...causes.map((cause) => named(cause, [])))
      return rowWith(pageOf({ hosts: [view(of, [licensing])] }), 'kms01')
    }
    expect(row({})).toContain(' 50 25 required')
    expect(row({ currentClients: 28 })).toContain(' 28 few 25 required')
    expect(row({ currentClients: 3, requiredClients: 5 }, 'count_below_threshold')).toContain(
      ' 3 too few 5 required',
    )
    expect(row({ currentClients: 10, requiredClients: 5 })).toContain(' 10 5 required')
  })

  it('has the latency, and its last hours as a small plot that says what it shows', () => {
    const port = answered('port', portTarget, { addresses: [{ ...kms, bindSeconds: 0.0123 }] })
    const none = new Float32Array(3).fill(NaN)
    const bindSeconds = Float32Array.from([0.001, NaN, 0.003])
    const values = {
      bindSeconds,
      connectSeconds: none,
      driftSeconds: none,
      driftUncertaintySeconds: none,
      clients: none,
      requiredClients: none,
    }
    const trail = () => ({ fromSeconds: AT - 180, stepSeconds: 60, serving: [true, undefined, true], values })
    const page = pageOf({ hosts: [{ ...view(HEALTHY, [port]), trail }] })
    expect(rowWith(page, 'kms01')).toContain('12 ms')
    expect(page).toContain(
      'aria-label="bind latency of the last hours: median 2.0\u00a0ms, most 3.0\u00a0ms"',
    )
    // Two pieces: what is not known in between is a gap.
    expect(/<svg class="spark".*?<\/svg>/s.exec(page)?.[0].match(/M/g)).toHaveLength(2)
  })
})

describe('the headline', () => {
  const of = (...servings: readonly (boolean | undefined)[]) =>
    servings.map((serving, index) => view(diagnosis({ host: host({ name: `h${index}.example` }), serving })))

  it.each([
    [[false, true, true], 'bad', '1 of 3 KMS hosts does not serve'],
    [[false, false, undefined], 'bad', '2 of 3 KMS hosts do not serve'],
    [[undefined, true], 'unknown', 'Cannot tell whether 1 of 2 KMS hosts serves'],
    [[true, true], 'good', 'All 2 KMS hosts serve'],
    [[true], 'good', 'The KMS host serves'],
    [[], 'unknown', 'No KMS host is known'],
  ] as const)('of %j', (servings, tone, says) => {
    const page = pageOf({ hosts: of(...servings) })
    expect(page).toContain(`<title>${says}</title>`)
    expect(page).toContain(`<h1 class="headline ${tone}">${says}</h1>`)
  })

  it('is not green while a domain or a canary is not well', () => {
    const wrong = answered('srv', srvTarget, srvReading([], { rcode: 'NXDOMAIN' }))
    const domains = [{ name: 'corp.example', consistent: undefined, results: [wrong] }]
    const licence = answered('client', clientTarget, canaryReading({ licenseStatus: 'notification' }))
    const clients = [{ name: 'pc1.corp.example', result: licence }]
    const page = pageOf({ hosts: of(true), domains, clients })
    expect(page).toContain('<h1 class="headline warning">The KMS host serves</h1>')
    expect(textOf(page)).toContain('1 domain has wrong or differing SRV records 1 canary client is not well')
  })

  it('is not green while a host serves with a warning', () => {
    const page = pageOf({ hosts: [view(diagnosis({ serving: true }, named('version_mismatch', [])))] })
    expect(page).toContain('<h1 class="headline warning">The KMS host serves</h1>')
    expect(page).toContain('<a href="/kms/?state=warning">1 host serves, with a warning</a>')
  })

  it("says when the exporter's own clock is wrong", () => {
    const hosts = [view(diagnosis({ serving: true }, named('exporter_clock_wrong', [])))]
    expect(textOf(pageOf({ hosts }))).toContain(
      "The exporter's own clock is wrong. Correct the time of the machine",
    )
  })
})

describe('the counts', () => {
  it('are by state and by cause, and lead to these', () => {
    const hosts = [
      view(HEALTHY),
      view({ ...STOPPED, host: host({ name: 'b.example' }) }),
      view({ ...STOPPED, host: host({ name: 'c.example' }) }),
      view(UNKNOWN),
    ]
    const page = pageOf({ hosts })
    const links = [...page.matchAll(/<a class="(?:tile|chip)[^>]*href="([^"]*)"[^>]*>(.*?)<\/a>/g)]
    expect(links.map(([, href, text = '']) => [href, textOf(text)])).toEqual([
      ['/kms/?state=not_serving', '2 not serving'],
      ['/kms/?state=unknown', '1 cannot tell'],
      ['/kms/?state=warning', '0 serving, with a warning'],
      ['/kms/?state=serving', '1 serving'],
      ['/kms/?cause=service_stopped', 'The Software Protection service is stopped 2'],
    ])
    // Chosen, they say so, and lead back.
    const chosen = pageOf({ hosts }, 'state=unknown&cause=service_stopped&q=kms')
    expect(chosen).toContain('href="/kms/?cause=service_stopped&amp;q=kms" aria-current="true"><b>1</b>')
  })
})

describe('the last failures', () => {
  it('are listed, the newest ten', () => {
    const failures = Array.from({ length: 12 }, (_, index) =>
      failed('srv', srvTarget, `failure number ${index}`),
    )
    const page = pageOf({ failures })
    expect(rowWith(page, 'number 0')).toContain('connect_timeout at connect: failure number 0')
    expect([...page.matchAll(/failure number/g)]).toHaveLength(10)
    expect(pageOf({})).not.toContain('Last failures')
  })
})

describe('an estate without a host', () => {
  it('tells what was asked', () => {
    const page = pageOf({ nothingFound: 'No KMS host is known.\n  <asked> "here"' })
    expect(page).toContain('No KMS host is known.\n  &lt;asked&gt; &quot;here&quot;</pre>')
    expect(pageOf({})).not.toContain('<pre')
  })
})

describe('all pages', () => {
  it('take links, style and script from where the browser sees the exporter', () => {
    const site = { ...SITE, prefix: '', telemetryPath: '/m' }
    const page = estatePage(snapshot({ hosts: [view(STOPPED)] }), filterOf(''), site)
    const links = [...page.matchAll(/(?:href|src|action)="([^"]*)"/g)].map(([, link]) => link)
    expect(links).toEqual([
      '/icon.svg',
      expect.stringMatching(/^\/style\.css\?v=[0-9a-f]{12}$/),
      expect.stringMatching(/^\/page\.js\?v=[0-9a-f]{12}$/),
      '#main',
      '/',
      '/runbooks',
      '/m',
      '/config',
      ...['not_serving', 'unknown', 'warning', 'serving'].map((state) => `/?state=${state}`),
      '/?cause=service_stopped',
      '/',
      '/hosts/kms01.corp.example',
      '/runbooks/service_stopped',
    ])
  })

  it('load themselves again where there is no script, and only there', () => {
    const page = pageOf({})
    expect(page).toContain('<noscript><meta http-equiv="refresh" content="30"></noscript>')
    expect(page.match(/http-equiv/g)).toHaveLength(1)
  })

  it('have a style, a script and an icon that load nothing from elsewhere', () => {
    expect(STYLE).not.toMatch(/url\(|@import|expression|</)
    expect(SCRIPT).not.toMatch(/https?:|innerHTML|eval|Function\(|import\(|document\.write/)
    expect(ICON).not.toMatch(/href|<script|<style/)
  })
})
