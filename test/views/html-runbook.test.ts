// The pages of runbooks: well-formed, escaped, complete, and linked to what exists.
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { describe, expect, it } from 'vitest'
import { RUNBOOKS } from '../../src/runbooks/index.ts'
import { alertNameOf, RUNBOOK_NAMES, type RunbookName } from '../../src/runbooks/names.ts'
import { partsOf } from '../../src/runbooks/prose.ts'
import { runbookHtml, runbooksIndexHtml } from '../../src/views/html-runbook.ts'
import { each, proseOf, stepsOf } from '../runbooks/spoken.ts'
import { HARMFUL } from './scenes.ts'

const TAGS = new Set(
  'article section h1 h2 p ol ul li dl dt dd pre code strong a table thead tbody tr th td span'.split(' '),
)
const ATTRIBUTES = ['class', 'id', 'aria-labelledby', 'href', 'scope', 'data-title']

const UNESCAPED: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', amp: '&', '#39': "'" }

function textOf(html: string): string {
  return html
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll(/&(lt|gt|quot|amp|#39);/g, (all, name: string) => UNESCAPED[name] ?? all)
}

/** As the page shows it. */
function shown(prose: string): string {
  return partsOf(prose)
    .map((part) => (part.kind === 'runbook' ? RUNBOOKS[part.name].title : part.text))
    .join('')
}

function check(html: string): void {
  expect(XMLValidator.validate(html)).toBe(true)
  expect(html).not.toMatch(HARMFUL)
  expect(html).not.toMatch(/undefined|\[object|NaN/)
  for (const [, slash, tag = '', attributes = ''] of html.matchAll(/<(\/?)([a-z0-9]+)([^>]*)>/g)) {
    expect(TAGS).toContain(tag)
    const names = [...attributes.matchAll(/ ([a-z-]+)="[^"]*"/g)].map(([, name = '']) => name)
    for (const name of names) expect(ATTRIBUTES).toContain(name)
    expect(attributes.replaceAll(/ [a-z-]+="[^"]*"/g, '')).toBe('')
    if (slash === '/') expect(attributes).toBe('')
  }
  // Outside tags nothing is left unescaped.
  const between = html.replaceAll(/<\/?[a-z0-9]+(?: [a-z-]+="[^"<>]*")*>/g, '')
  expect(between).not.toMatch(/[<>"']/)
  expect(between.replaceAll(/&(lt|gt|quot|amp|#39);/g, '')).not.toContain('&')
  // No heading, list, cell or item is empty, but for cells of a table's body.
  expect(html).not.toMatch(
    /<(h1|h2|p|ol|ul|li|dl|dt|dd|pre|code|strong|a|thead|tbody|tr|section)[^>]*>\s*<\/\1>/,
  )
  const ids = [...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id)
  expect(new Set(ids).size).toBe(ids.length)
  const labels = [...html.matchAll(/ aria-labelledby="([^"]*)"/g)].map(([, id]) => id)
  expect(labels.filter((id) => !ids.includes(id))).toEqual([])
}

function hrefs(html: string): readonly string[] {
  return [...html.matchAll(/ href="([^"]*)"/g)].map(([, href = '']) => href)
}

describe('the page of a runbook', () => {
  it.each(each)('%s is well-formed, and nothing in it is markup that is not ours', (name) => {
    check(runbookHtml(name))
  })

  it.each(each)('%s shows everything that the runbook says', (name) => {
    const html = runbookHtml(name)
    const text = textOf(html)
    const { title, cause, sources } = RUNBOOKS[name]
    for (const said of [title, alertNameOf(name), ...sources.map(({ says }) => says)])
      expect(text).toContain(said)
    for (const prose of proseOf(name)) expect(text).toContain(shown(prose))
    for (const { command } of stepsOf(name)) if (command !== undefined) expect(text).toContain(command)
    if (cause === undefined) return
    for (const said of [cause.remedy, cause.command, cause.clientError?.code, cause.clientError?.meaning])
      if (said !== undefined) expect(text).toContain(said)
  })

  it.each(each)('%s links to runbooks beside it, and to nothing else', (name) => {
    const links = hrefs(runbookHtml(name))
    expect(links.length).toBeGreaterThan(0)
    for (const href of links) expect(RUNBOOK_NAMES).toContain(href)
  })

  it.each(each)('%s numbers its steps, and leaves commands as they are', (name) => {
    const parser = new XMLParser({ ignoreAttributes: false, trimValues: false, preserveOrder: true })
    expect(() => parser.parse(runbookHtml(name)) as unknown).not.toThrow()
    const { confirm, fix } = RUNBOOKS[name]
    const items = [...runbookHtml(name).matchAll(/<ol>([^]*?)<\/ol>/g)].map(
      ([, inner = '']) => inner.split(/^<li>|\n<li>/).length - 1,
    )
    expect(items).toEqual([confirm.length, fix.length])
  })
})

describe('the index', () => {
  it.each([[''], ['/kms'], ['/a/b']])('links to each runbook below the prefix %j', (prefix) => {
    const html = runbooksIndexHtml(prefix)
    check(html)
    expect(hrefs(html).toSorted()).toEqual(
      RUNBOOK_NAMES.map((name) => `${prefix}/runbooks/${name}`).toSorted(),
    )
    for (const name of RUNBOOK_NAMES) {
      expect(textOf(html)).toContain(RUNBOOKS[name].title)
      expect(textOf(html)).toContain(alertNameOf(name))
    }
  })

  it('cannot be given a prefix that breaks out', () => {
    check(runbooksIndexHtml('"><script>'))
    expect(runbooksIndexHtml('"><script>')).not.toContain('<script>')
  })

  it('says what clients see where one code is known', () => {
    const row = (name: RunbookName): string =>
      runbooksIndexHtml('')
        .split('\n')
        .find((line) => line.includes(`/runbooks/${name}"`)) ?? ''
    expect(row('clock_skew')).toContain('<code>0xC004F06C</code>')
    expect(row('runs_skipped')).not.toContain('0x')
  })
})
