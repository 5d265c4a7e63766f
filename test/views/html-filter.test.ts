// Which hosts the estate page shows: what the URL asks for, what that leaves, and what anybody can write into a URL.
import { describe, expect, it } from 'vitest'
import { named, ruledOut } from '../../src/diagnosis/evidence.ts'
import { estatePage } from '../../src/views/html-estate.ts'
import { candidatesOf, filterHref, filterOf, isFiltered } from '../../src/views/html-filter.ts'
import type { Site } from '../../src/views/html-frame.ts'
import { checkPage } from './html-check.ts'
import { diagnosis, evidence, host, HOSTILE, snapshot, view } from './scenes.ts'

const SITE: Site = { prefix: '/kms', telemetryPath: '/metrics', version: '1.2.3' }
const NOTHING = filterOf('')

const of = (name: string, serving: boolean | undefined, labels = {}, domain = 'corp.example') => ({
  host: host({ name, labels }),
  serving,
  domains: [domain],
})
const HOSTS = [
  view(diagnosis(of('d.example', true, { site: 'berlin' }))),
  view(diagnosis(of('c.example', undefined, { site: 'rome' }))),
  view(diagnosis(of('b.example', true, { site: 'rome', tier: '1' }, 'lab.example'))),
  view(diagnosis(of('z.example', false), named('port_blocked', []))),
  view(diagnosis(of('a.example', false), named('service_stopped', []))),
  view(diagnosis(of('w.example', true), { ...ruledOut('clock_skew', [evidence('x')]), warning: 'soon' })),
]

function namesOn(page: string): readonly (string | undefined)[] {
  return [...page.matchAll(/\/kms\/hosts\/([^"]+)"/g)].map(([, name]) => name)
}

function shown(query: string): string {
  const page = estatePage(snapshot({ hosts: HOSTS }), filterOf(query), SITE)
  checkPage(page)
  return page
}

const letters = (query: string): string =>
  namesOn(shown(query))
    .map((name) => name?.charAt(0))
    .join('')

describe('the hosts', () => {
  it('are the worst first: not serving, cannot tell, with a warning, serving; by name within', () => {
    expect(
      candidatesOf(HOSTS)
        .map(({ host: { diagnosis: each } }) => each.host.name.charAt(0))
        .join(''),
    ).toBe('azcwbd')
    expect(letters('')).toBe('azcwbd')
  })

  it.each([
    ['state=not_serving', 'az'],
    ['state=unknown', 'c'],
    ['state=warning', 'w'],
    ['state=serving', 'bd'],
    ['cause=port_blocked', 'z'],
    ['domain=lab.example', 'b'],
    ['label=site%3Drome', 'cb'],
    ['label=site%3Drome&state=serving', 'b'],
    ['q=B.EXAMPLE', 'b'],
    ['q=site%3Drome', 'cb'],
    ['q=site%3D++tier', 'b'],
    ['q=+', 'azcwbd'],
    // What is none of a closed list is not asked for.
    ['state=fine', 'azcwbd'],
    ['cause=__proto__', 'azcwbd'],
    ['nonsense=1&%3Cscript%3E=2', 'azcwbd'],
    // Of a name that stands there twice the first counts; and lists are none.
    ['q=a.&q=z.', 'a'],
    ['q[]=a&state[]=serving', 'azcwbd'],
    ['page=0', 'azcwbd'],
    ['page=-1', 'azcwbd'],
    ['page=1e9', 'azcwbd'],
    ['page=999999', 'azcwbd'],
  ])('that %s leaves', (query, names) => {
    expect(letters(query)).toBe(names)
  })

  it('that nobody is: says so, and how many there are', () => {
    expect(shown('q=nobody')).toContain('No host matches.')
    expect(shown('q=nobody')).toContain('<p id="matches" class="quiet">0 of 6 match, worst first</p>')
    expect(shown('')).toContain('<p id="matches" class="quiet">6 in all, worst first</p>')
  })

  it('come a hundred at a time, and the links keep the filter', () => {
    const many = Array.from({ length: 250 }, (_, index) =>
      view(diagnosis(of(`h${String(index).padStart(3, '0')}.example`, index % 25 !== 0))),
    )
    const at = (query: string): string => {
      const page = estatePage(snapshot({ hosts: many }), filterOf(query), SITE)
      checkPage(page)
      return page
    }
    expect(namesOn(at(''))).toHaveLength(100)
    expect(namesOn(at('')).slice(0, 2)).toEqual(['h000.example', 'h025.example'])
    expect(namesOn(at('page=3'))).toHaveLength(50)
    expect(namesOn(at('page=77'))).toEqual(namesOn(at('page=3')))
    expect(at('page=2')).toContain('250 in all, 101 to 200 shown, worst first')
    expect(at('state=serving&q=h&page=2')).toContain(
      'href="/kms/?state=serving&amp;q=h&amp;page=3" rel="next"',
    )
    expect(at('page=2')).toContain('href="/kms/" rel="prev"')
    expect(at('state=not_serving')).not.toContain('class="pager"')
    expect(new Set(['', 'page=2', 'page=3'].flatMap((query) => namesOn(at(query)))).size).toBe(250)
  })
})

describe('the form', () => {
  it('has what is asked for, and everything that there is to ask for', () => {
    const page = shown('state=serving&cause=port_blocked&domain=lab.example&label=site%3Drome&q=b%22')
    expect(page).toContain('name="q" type="search" value="b&quot;"')
    for (const option of [
      '<option value="serving" selected>serving (2)</option>',
      '<option value="not_serving">not serving (2)</option>',
      '<option value="port_blocked" selected>port_blocked (1)</option>',
      '<option value="lab.example" selected>lab.example (1)</option>',
      '<option value="site=rome" selected>site=rome (2)</option>',
    ])
      expect(page).toContain(option)
    expect(page).toContain('<a href="/kms/">Clear</a>')
    expect(shown('')).not.toContain('Clear')
  })

  it('keeps what nobody has any more', () => {
    expect(shown('domain=gone.example')).toContain(
      '<option value="gone.example" selected>gone.example (0)</option>',
    )
    expect(shown('cause=srv_stale')).toContain('<option value="srv_stale" selected>srv_stale (0)</option>')
  })
})

describe('links', () => {
  it('are short, escaped, and begin again at the first page', () => {
    expect(filterHref(NOTHING, {}, SITE)).toBe('/kms/')
    const filter = filterOf('state=serving&q=%3Cb%3E%26&page=4')
    expect(isFiltered(filter)).toBe(true)
    expect(isFiltered(NOTHING)).toBe(false)
    expect(filterHref(filter, { state: '' }, SITE)).toBe('/kms/?q=%3Cb%3E%26')
    expect(filterHref(filter, { page: 2 }, SITE)).toBe('/kms/?state=serving&amp;q=%3Cb%3E%26&amp;page=2')
  })
})

describe('what strangers write into a URL', () => {
  const HARM = ['"><script>alert(1)</script>', "'onmouseover='x", HOSTILE, 'javascript:alert(1)', '\u202e']

  it.each(HARM)('is text on the page: %j', (text) => {
    for (const name of ['q', 'domain', 'label', 'state', 'cause', 'page']) {
      const page = shown(`${name}=${encodeURIComponent(text.toWellFormed())}`)
      expect(page).not.toContain('<script>')
      expect(page).not.toMatch(/href="javascript/)
    }
  })

  it.each(['%', '%zz', '%ff%fe', '&&&===', '?', '#', '%00', 'q', 'q=%C0%80'])(
    'may be malformed: %s',
    (query) => {
      expect(namesOn(shown(query)).length).toBeLessThanOrEqual(6)
      expect(namesOn(shown(`q=${query}`)).length).toBeLessThanOrEqual(6)
    },
  )

  it('is cut, and is not much work', () => {
    const filter = filterOf(`q=${'x '.repeat(50_000)}&domain=${'y'.repeat(50_000)}`)
    expect(filter.q.length).toBeLessThanOrEqual(255)
    expect(filter.domain).toBe('y'.repeat(255))
    const many = filterOf(Array.from({ length: 5_000 }, (_, index) => `q=${index}`).join('&'))
    expect(many.q).toBe('0')
  })
})
