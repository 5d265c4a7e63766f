// The pages: well-formed, without script, worst first, and dead to whatever peers write into them.
import { describe, expect, it } from 'vitest'
import { cannotTell, named, ruledOut } from '../../src/diagnosis/evidence.ts'
import { probes } from '../../src/probes/index.ts'
import { estatePage, hostPage, STYLE, type Site } from '../../src/views/html.ts'
import { worstFirst } from '../../src/views/snapshot.ts'
import { record, srvReading } from '../diagnosis/scene.ts'
import {
  answered,
  diagnosis,
  estate,
  evidence,
  EVERYTHING,
  failed,
  first,
  HARMFUL,
  HEALTHY,
  host,
  HOSTILE,
  portResult,
  snapshot,
  STOPPED,
  UNKNOWN,
  view,
} from './scenes.ts'

const SITE: Site = { prefix: '/kms', telemetryPath: '/metrics', version: '1.2.3' }
const srvTarget = first(probes.srv.targets(estate(EVERYTHING)))

const VOID = ['meta', 'link', 'br']
const TAGS =
  'html head meta title link body header nav a main h1 h2 p pre div span table thead tbody tr th td ul li strong small code br footer'.split(
    ' ',
  )
const ATTRIBUTES = ['lang', 'charset', 'name', 'content', 'http-equiv', 'rel', 'href', 'class']
const TAG = /<(\/?)([a-z0-9]+)((?: [a-z-]+="[^"<>]*")*)>/g

/** Reads the page as a browser would, but forgives nothing: only known tags, balanced, and known attributes. */
function checkPage(page: string): void {
  expect(page.startsWith('<!doctype html>\n<html lang="en">')).toBe(true)
  expect(page).not.toMatch(HARMFUL)
  const body = page.slice('<!doctype html>'.length)
  const open: string[] = []
  for (const [, slash, tag = '', attributes = ''] of body.matchAll(TAG)) {
    expect(TAGS).toContain(tag)
    for (const [, name = '', value = ''] of attributes.matchAll(/ ([a-z-]+)="([^"]*)"/g)) {
      expect(ATTRIBUTES).toContain(name)
      if (name === 'href') expect(value).toMatch(/^\/kms\//)
    }
    if (slash === '/') expect(open.pop()).toBe(tag)
    else if (!VOID.includes(tag)) open.push(tag)
  }
  expect(open).toEqual([])
  const text = body.replaceAll(TAG, '')
  expect(text).not.toMatch(/[<>"']/)
  expect(text.replaceAll(/&(?:amp|lt|gt|quot|#39);/g, '')).not.toContain('&')
}

describe('the page of all hosts', () => {
  it.each([
    [
      'a healthy host',
      HEALTHY,
      `<tr><td><a href="/kms/hosts/kms01.corp.example">kms01.corp.example</a></td><td><span class="good">serving</span><br><small>since 2027-01-15 07:00:00 UTC</small></td><td></td>
<td>running <small>windows_exporter</small></td><td>+1.2 ms ± 0.4 ms</td></tr>`,
    ],
    [
      'a stopped service',
      STOPPED,
      `<tr><td><a href="/kms/hosts/kms01.corp.example">kms01.corp.example</a></td><td><span class="bad">not serving</span><br><small>since 2027-01-15 07:00:00 UTC</small></td><td><div><strong>The Software Protection service is stopped</strong> <small>service_stopped; clients see <code>0xC004F074</code></small><br>Start the Software Protection service (sppsvc) on the host, and read its event log for why it stopped.</div></td>
<td>stopped <small>windows_exporter</small></td><td>unknown</td></tr>`,
    ],
    [
      'cannot tell',
      UNKNOWN,
      `<tr><td><a href="/kms/hosts/kms02.corp.example">kms02.corp.example</a></td><td><span class="unknown">cannot tell</span><br><small>since 2027-01-15 07:00:00 UTC</small></td><td></td>
<td>unknown <small>inferred</small></td><td>unknown</td></tr>`,
    ],
  ])('has a row for %s', (_what, of, row) => {
    const page = estatePage(snapshot({ hosts: [view(of)] }), SITE)
    checkPage(page)
    expect(page).toContain(`<tbody>${row}</tbody>`)
  })

  it('lists the worst first, and by name within', () => {
    const named = (name: string, serving: boolean | undefined) =>
      view(diagnosis({ host: host({ name }), serving }))
    const hosts = [
      named('d.example', true),
      named('c.example', undefined),
      named('b.example', true),
      named('z.example', false),
      named('a.example', false),
    ]
    const names = ['a.example', 'z.example', 'c.example', 'b.example', 'd.example']
    expect(worstFirst(hosts).map(({ diagnosis }) => diagnosis.host.name)).toEqual(names)
    const page = estatePage(snapshot({ hosts }), SITE)
    expect([...page.matchAll(/\/hosts\/([a-z.]+)"/g)].map(([, name]) => name)).toEqual(names)
    expect(page).toContain('<title>2 of 5 KMS hosts do not serve</title>')
    expect(page).toContain('<h1>2 of 5 KMS hosts do not serve</h1>')
  })

  it('says where a host that nobody configured comes from', () => {
    const found = diagnosis({ host: host({ discovered: true }) })
    expect(estatePage(snapshot({ hosts: [view(found)] }), SITE)).toContain('<small>found in DNS</small>')
  })

  it('tells of each resolver what it answered', () => {
    const right = srvReading([record('kms01.corp.example')])
    const results = [
      answered('srv', srvTarget, right),
      answered('srv', srvTarget, srvReading([], { rcode: 'NXDOMAIN' })),
      failed('srv', srvTarget),
    ]
    const page = estatePage(
      snapshot({ domains: [{ name: 'corp.example', consistent: false, results }] }),
      SITE,
    )
    checkPage(page)
    expect(page).toContain(
      '<td>192.0.2.53:53</td><td><span class="good">correct</span>, 1 records (NOERROR)</td>',
    )
    expect(page).toContain(
      '<span class="bad">wrong</span>, 0 records (NXDOMAIN) clients see <code>0x8007232B</code><ul><li>',
    )
    expect(page).toContain('<span class="unknown">no answer</span> connect_timeout: nobody is there')
    expect(page.match(/resolvers disagree/g)).toHaveLength(3)
  })

  it('tells what was asked when there is no host', () => {
    const page = estatePage(snapshot({ nothingFound: 'No KMS host is known.\n  <asked> "here"' }), SITE)
    checkPage(page)
    expect(page).toContain('<pre>No KMS host is known.\n  &lt;asked&gt; &quot;here&quot;</pre>')
    expect(page).toContain('<h1>0 KMS hosts</h1>')
    expect(estatePage(snapshot(), SITE)).not.toContain('<pre>')
  })
})

describe('the page of one host', () => {
  it.each([
    ['a healthy host', HEALTHY, '<h1>kms01.corp.example: <span class="good">serving</span></h1>'],
    ['a stopped service', STOPPED, '<h1>kms01.corp.example: <span class="bad">not serving</span></h1>'],
    ['cannot tell', UNKNOWN, '<h1>kms02.corp.example: <span class="unknown">cannot tell</span></h1>'],
  ])('is well-formed: %s', (_what, of, heading) => {
    const page = hostPage(view(of, [portResult()]), SITE)
    checkPage(page)
    expect(page).toContain(heading)
  })

  it('shows the verdicts, on what they rest, and the command', () => {
    const page = hostPage(view(STOPPED, [portResult(), answered('port', srvTarget, {})]), SITE)
    expect(page)
      .toContain(`<tr><td>The Software Protection service is stopped<br><small>service_stopped</small></td><td class="bad">this is it</td>
<td><ul><li>Windows says that sppsvc is stopped <small>service kms01.corp.example, 2027-01-15 08:00:00 UTC</small></li><li>192.0.2.10 refuses connections: the machine answers, nobody listens there <small>port kms01.corp.example, 2027-01-15 08:00:00 UTC</small></li></ul>although<ul><li>ntp says +1.2 ms ± 0.4 ms from the exporter&#39;s clock <small>clock kms01.corp.example, 2027-01-15 08:00:00 UTC</small></li></ul><br><code>net start sppsvc</code></td></tr>`)
    expect(page)
      .toContain(`<tr><td>The KMS port is blocked<br><small>port_blocked</small></td><td class="unknown">cannot tell</td>
<td>a port cannot be tested while its service is stopped</td></tr>`)
    expect(page).toContain(`<tr><td>port</td><td>connect_timeout at connect: nobody is there</td>
<td>2027-01-15 08:00:00 UTC</td><td>500.0 ms</td></tr><tr><td>port</td><td>answered</td>`)
  })
})

describe('the last failures', () => {
  it('are listed, the newest ten', () => {
    const failures = Array.from({ length: 12 }, (_, index) =>
      failed('srv', srvTarget, `failure number ${index}`),
    )
    const page = estatePage(snapshot({ failures }), SITE)
    checkPage(page)
    expect(page).toContain('connect_timeout: failure number 0<')
    expect([...page.matchAll(/failure number/g)]).toHaveLength(10)
    expect(estatePage(snapshot(), SITE)).not.toContain('Last failures')
  })
})

describe('hostile text on a page', () => {
  const said = evidence(HOSTILE, HOSTILE)
  const sick = diagnosis(
    { host: host({ name: HOSTILE, discovered: true }), domain: HOSTILE, serving: false },
    named('srv_missing', [said], [said]),
    ruledOut('port_blocked', [said]),
    cannotTell('clock_skew', HOSTILE),
  )
  const target = { ...srvTarget, key: HOSTILE, labels: { domain: HOSTILE, resolver: HOSTILE } }
  const results = [
    answered('srv', target, srvReading([record(HOSTILE)], { rcode: HOSTILE })),
    failed('srv', target, HOSTILE),
  ]

  it('is text, wherever it stands', () => {
    const domains = [{ name: HOSTILE, consistent: false, results }]
    const pages = [
      estatePage(
        snapshot({ hosts: [view(sick)], domains, nothingFound: HOSTILE, failures: results.slice(1) }),
        SITE,
      ),
      hostPage(view(sick, [portResult(), failed('port', target, HOSTILE)]), SITE),
    ]
    for (const page of pages) {
      checkPage(page)
      expect(page).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;amp;')
    }
  })

  it('is encoded in links, so that they lead to the host', () => {
    const page = estatePage(
      snapshot({ hosts: [view(diagnosis({ host: host({ name: 'a/b?c#d%"e' }) }))] }),
      SITE,
    )
    const [, link = ''] = /href="\/kms\/hosts\/([^"]*)"/.exec(page) ?? []
    expect(decodeURIComponent(link)).toBe('a/b?c#d%"e')
    expect(link).not.toMatch(/[/?#]/)
  })
})

describe('all pages', () => {
  it('take links, and the style, from where the browser sees the exporter', () => {
    const site = { ...SITE, prefix: '', telemetryPath: '/m' }
    const page = estatePage(snapshot({ hosts: [view(HEALTHY)] }), site)
    expect([...page.matchAll(/href="([^"]*)"/g)].map(([, link]) => link)).toEqual([
      '/style.css',
      '/',
      '/m',
      '/config',
      '/hosts/kms01.corp.example',
    ])
  })

  it('have a style that loads nothing', () => {
    expect(STYLE).not.toMatch(/url\(|@import|expression|</)
  })
})
