// What the pages link to is there, and whoever begins at the README finds all of them. Links to elsewhere are read, and
// listed, but not followed: whether somebody else's page is there today proves nothing about this change.
import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { anchorsOf, linksOf, pages, ROOT } from './pages.ts'

const PAGES = pages()
const isExternal = (link: string): boolean => /^[a-z][a-z0-9+.-]*:/i.test(link)

interface Target {
  readonly path: string
  readonly anchor: string | undefined
}

function targetOf(page: string, link: string): Target {
  const [file = '', anchor] = link.split('#')
  return { path: file === '' ? page : join(dirname(page), decodeURI(file)), anchor }
}

/** What is wrong with it; undefined when nothing is. */
function fault(page: string, link: string): string | undefined {
  const { path, anchor } = targetOf(page, link)
  if (path.startsWith('..') || link.startsWith('/')) return `${link} leads out of the repository`
  const found = statSync(join(ROOT, path), { throwIfNoEntry: false })
  if (found === undefined) return `${link} is not there`
  if (anchor === undefined) return undefined
  if (!path.endsWith('.md')) return `${link} names a heading of what is no page`
  return anchorsOf(path).has(anchor) ? undefined : `${link}: there is no such heading`
}

describe('links within the repository', () => {
  it('are in the pages that people begin with', () => {
    expect(PAGES).toEqual(expect.arrayContaining(['README.md', 'docs/README.md', 'SECURITY.md']))
    expect(linksOf('README.md').length).toBeGreaterThan(20)
  })

  it.each(PAGES)('%s: each leads to a file, and to a heading in it', (page) => {
    const faults = linksOf(page)
      .filter((link) => !isExternal(link))
      .flatMap((link) => fault(page, link) ?? [])
    expect(faults).toEqual([])
  })

  it('lead from the README to every page', () => {
    const reached = new Set(['README.md'])
    for (const page of reached) {
      for (const link of linksOf(page).filter((each) => !isExternal(each))) {
        const { path } = targetOf(page, link)
        // A folder shows its README.
        const readme = join(path, 'README.md')
        for (const each of [path, readme]) if (PAGES.includes(each)) reached.add(each)
      }
    }
    expect(PAGES.filter((page) => !reached.has(page))).toEqual([])
  })
})

describe('links to elsewhere', () => {
  const external = PAGES.flatMap((page) =>
    linksOf(page)
      .filter(isExternal)
      .map((link) => ({ page, link })),
  )

  it('are addresses', () => {
    const hosts = new Map<string, number>()
    for (const { page, link } of external) {
      expect(URL.canParse(link), `${page}: ${link}`).toBe(true)
      const url = new URL(link)
      const here = url.hostname === '127.0.0.1' || url.hostname === 'localhost'
      expect(url.protocol, `${page}: ${link}`).toBe(here ? 'http:' : 'https:')
      expect(here || /^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(url.hostname), `${page}: ${link}`).toBe(true)
      expect(link, page).not.toMatch(/[.,;:]$|utm_|\s/)
      hosts.set(url.hostname, (hosts.get(url.hostname) ?? 0) + 1)
    }
    const listed = [...hosts].map(([host, count]) => `${host} (${count})`).toSorted()
    process.stdout.write(`links to elsewhere, not followed: ${listed.join(', ')}\n`)
    expect(external.length).toBeGreaterThan(0)
  })
})

describe('the reading of a page', () => {
  it('knows headings as GitHub spells them', () => {
    const anchors = anchorsOf('docs/permissions.md')
    expect([...anchors]).toEqual(
      expect.arrayContaining(['the-account-that-reads', 'the-rights-one-by-one', 'check-it-in-a-lab']),
    )
    // "# Why a stranger's name..." in a block of shell is no heading.
    expect(anchorsOf('CONTRIBUTING.md').has('writes-what-is-generated')).toBe(false)
  })

  it('tells what is missing', () => {
    expect(fault('README.md', 'docs/no-such-page.md')).toBe('docs/no-such-page.md is not there')
    expect(fault('README.md', 'docs/alerts.md#no-such')).toBe(
      'docs/alerts.md#no-such: there is no such heading',
    )
    expect(fault('docs/alerts.md', '../../etc/passwd')).toBe('../../etc/passwd leads out of the repository')
    expect(fault('README.md', 'docs/permissions.md#check-it-in-a-lab')).toBeUndefined()
  })
})
