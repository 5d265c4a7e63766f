// The pages of this repository, taken apart: which there are, what they link to, which headings can be linked to, and what
// stands in their fenced blocks. GitHub's reading of Markdown, as far as these pages use it.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const NOT_OURS = new Set(['node_modules', 'dist', 'coverage', '.git'])

/** Every page, by its path from the root. */
export function pages(folder = ''): readonly string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter(({ name }) => !NOT_OURS.has(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return pages(path)
      return entry.name.endsWith('.md') ? [path] : []
    })
    .toSorted()
}

export function readPage(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8')
}

export interface Block {
  /** `docs/alerts.md:12`, where it begins. */
  readonly at: string
  readonly language: string
  readonly text: string
}

const FENCED = /^( *)```(\w*)[^\n]*\n([\s\S]*?)^\1```[ ]*$/gm

export function blocksOf(page: string): readonly Block[] {
  const whole = readPage(page)
  return [...whole.matchAll(FENCED)].map(({ index, 1: indent = '', 2: language = '', 3: text = '' }) => ({
    at: `${page}:${whole.slice(0, index).split('\n').length}`,
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }))
}

/** What is for people: neither fenced blocks nor `code`. */
function proseOf(page: string): string {
  return readPage(page)
    .replaceAll(FENCED, '')
    .replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[^`]/g, 'x'))
}

/** What stands between backticks, in prose and tables. */
export function codeOf(page: string): readonly string[] {
  return [
    ...readPage(page)
      .replaceAll(FENCED, '')
      .matchAll(/`([^`\n]+)`/g),
  ].map(([, code = '']) => code)
}

/** Targets as they are written, of links and pictures alike. */
export function linksOf(page: string): readonly string[] {
  const prose = proseOf(page)
  return [...prose.matchAll(/\]\(\s*([^)\s]+)[^)]*\)|<(https?:[^>\s]+)>/g)].map(
    ([, inline, bare]) => inline ?? bare ?? '',
  )
}

/** What a `#` may name: headings in GitHub's spelling, the second of two alike with -1. */
export function anchorsOf(page: string): ReadonlySet<string> {
  const anchors = new Set<string>()
  const headings = readPage(page)
    .replaceAll(FENCED, '')
    .matchAll(/^#{1,6} +(.+?) *#*$/gm)
  for (const [, heading = ''] of headings) {
    const slug = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, '')
      .replaceAll(' ', '-')
    let name = slug
    for (let again = 1; anchors.has(name); again += 1) name = `${slug}-${again}`
    anchors.add(name)
  }
  return anchors
}
