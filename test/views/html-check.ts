// Reads a page as a browser would, but forgives nothing: only known tags, balanced, known attributes, nothing inline.
import { expect } from 'vitest'
import { HARMFUL } from './scenes.ts'

const VOID = ['meta', 'link', 'br', 'wbr', 'input']
const TAGS = new Set(
  [
    'html head meta title link script noscript body a header nav main footer section figure figcaption h1 h2 h3 h4 p pre div',
    'span strong small b code time ul ol li dl dt dd details summary table thead tbody tr th td br wbr',
    'form label input select option button svg path rect',
  ]
    .join(' ')
    .split(' '),
)
const ATTRIBUTES = new Set(
  [
    'lang charset name content http-equiv rel type href src defer class id hidden role tabindex title',
    'for value maxlength autocomplete spellcheck method action selected colspan scope datetime',
    'viewBox preserveAspectRatio d x y width height vector-effect',
  ]
    .join(' ')
    .split(' '),
)
const TAG = /<(\/?)([a-z0-9]+)((?: [a-zA-Z-]+(?:="[^"<>]*")?)*)\/?>/g

function checkAttribute(name: string, value: string): void {
  if (!/^(?:aria|data)-[a-z-]+$/.test(name)) expect(ATTRIBUTES).toContain(name)
  // Links lead into the exporter, or to a place on the same page.
  if (['href', 'src', 'action'].includes(name)) expect(value).toMatch(/^(?:\/kms\/|#[a-z])/)
}

/** Of a page under the prefix `/kms`. */
export function checkPage(page: string): void {
  expect(page.startsWith('<!doctype html>\n<html lang="en">')).toBe(true)
  expect(page).not.toMatch(HARMFUL)
  const body = page.slice('<!doctype html>'.length)
  const open: string[] = []
  const ids: string[] = []
  for (const [whole, slash, tag = '', attributes = ''] of body.matchAll(TAG)) {
    expect(TAGS).toContain(tag)
    for (const [, name = '', value = ''] of attributes.matchAll(/ ([a-zA-Z-]+)(?:="([^"]*)")?/g)) {
      checkAttribute(name, value)
      if (name === 'id') ids.push(value)
    }
    if (slash === '/') expect(open.pop()).toBe(tag)
    else if (!VOID.includes(tag) && !whole.endsWith('/>')) open.push(tag)
  }
  expect(open).toEqual([])
  expect(ids).toEqual([...new Set(ids)])
  const text = body.replaceAll(TAG, '')
  expect(text).not.toMatch(/[<>"']/)
  expect(text.replaceAll(/&(?:amp|lt|gt|quot|#39);/g, '')).not.toContain('&')
  // One h1, and no level of headings is jumped over.
  const levels = [...body.matchAll(/<h([1-6])[ >]/g)].map(([, level]) => Number(level))
  expect(levels.filter((level) => level === 1)).toEqual([1])
  for (const [index, level] of levels.entries())
    expect(level).toBeLessThanOrEqual((levels[index - 1] ?? 0) + 1)
}

/** What a person reads: no tags, one space for any blank, the five entities as characters. */
export function textOf(html: string): string {
  const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
  return html
    .replaceAll(/<wbr>/g, '')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => entities[name] ?? '')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

/** The first row of a table that has this text in it, as a person reads it. */
export function rowWith(page: string, part: string): string {
  const rows = [...page.matchAll(/<tr[ >].*?<\/tr>/gs)].map(([row]) => textOf(row))
  const found = rows.find((row) => row.includes(part))
  if (found === undefined) throw new Error(`no row has ${part}: ${rows.join('\n')}`)
  return found
}
