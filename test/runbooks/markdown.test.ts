// docs/runbooks/: sound Markdown, complete, and what the repository holds.
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { runbookFiles, strayRunbooks } from '../../scripts/runbooks.ts'
import { RUNBOOKS } from '../../src/runbooks/index.ts'
import { RUNBOOK_NAMES } from '../../src/runbooks/names.ts'
import { partsOf } from '../../src/runbooks/prose.ts'
import { runbookMarkdown, runbooksIndexMarkdown, tableMarkdown } from '../../src/views/runbook-markdown.ts'
import { each, proseOf, stepsOf } from './spoken.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

interface Read {
  readonly fences: readonly { readonly language: string; readonly text: string }[]
  /** What is left without them, line by line. */
  readonly lines: readonly string[]
}

/** Fences as CommonMark reads them: what is within is nobody's markup. */
function readFences(markdown: string): Read {
  const fences: { language: string; text: string }[] = []
  const lines: string[] = []
  let open: { language: string; indent: string; text: string[] } | undefined
  for (const line of markdown.split('\n')) {
    const [, indent = '', language = ''] = /^( *)```(\w*)$/.exec(line) ?? []
    const isFence = /^ *```\w*$/.test(line)
    if (open === undefined && isFence) open = { language, indent, text: [] }
    else if (open === undefined) lines.push(line)
    else if (isFence && language === '' && indent === open.indent) {
      fences.push({ language: open.language, text: open.text.join('\n') })
      open = undefined
    } else {
      expect(line.startsWith(open.indent)).toBe(true)
      open.text.push(line.slice(open.indent.length))
    }
  }
  expect(open).toBeUndefined()
  return { fences, lines }
}

/** Text without code spans, and with what was escaped taken out. */
function bareOf(line: string): string {
  return line.replaceAll(/(`+) ?[^]*?[^`]\1(?!`)/g, 'code').replaceAll(/\\[\\`*[\]<>|#~_]/g, '')
}

/** As a reader sees it: code without its backticks, links by their text, escapes undone. */
function shownOf(markdown: string): string {
  return markdown
    .split(/(`[^`]+`)/)
    .map((piece) =>
      piece.startsWith('`')
        ? piece.slice(1, -1).replaceAll(String.raw`\|`, '|')
        : piece
            .replaceAll(/(?<!\\)\[((?:[^\]\\]|\\.)*)\]\([^)]*\)/g, '$1')
            .replaceAll(/\\([\\`*[\]<>|#~_])/g, '$1')
            .replaceAll('&amp;', '&'),
    )
    .join('')
}

function cellsOf(line: string): number {
  return line.split(/(?<!\\)\|/).length - 2
}

function check(markdown: string): void {
  const { lines } = readFences(markdown)
  expect(markdown.endsWith('\n')).toBe(true)
  expect(markdown).not.toMatch(/\n\n\n|[ \t]\n|undefined|\[object|NaN/)
  expect(lines.filter((line) => line.startsWith('# '))).toHaveLength(1)
  const full = lines.filter((line) => line !== '')
  for (const [index, line] of full.entries()) {
    // A heading is followed by what it is about.
    if (line.startsWith('#')) expect(full[index + 1] ?? '#').not.toMatch(/^#/)
    expect(line).not.toMatch(/^ *(?:\d+\.|-)\s*$/)
    const bare = bareOf(line)
    expect(bare.replace(/^ *(?:\d+\. )?/, '')).not.toMatch(/[<>]|\[\[|`|(?<!\w)_|_(?!\w)/)
    expect(bare.replaceAll(/\*\*[^*]+\*\*/g, '')).not.toContain('*')
    if (!line.startsWith('|')) expect(bare).not.toContain('|')
  }
  for (const [index, line] of lines.entries()) {
    if (!line.startsWith('| --- ')) continue
    const width = cellsOf(line)
    expect(lines[index - 2]).toBe('')
    expect(cellsOf(lines[index - 1] ?? '')).toBe(width)
    let row = index + 1
    for (; lines[row]?.startsWith('|') === true; row++)
      expect(cellsOf(lines[row] ?? ''), lines[row]).toBe(width)
    expect(row).toBeGreaterThan(index + 1)
  }
}

describe('the Markdown of a runbook', () => {
  it.each(each)('%s is sound', (name) => {
    check(runbookMarkdown(name))
  })

  it.each(each)('%s holds all that the runbook says', (name) => {
    const { fences, lines } = readFences(runbookMarkdown(name))
    const text = shownOf(lines.join('\n'))
    for (const prose of proseOf(name)) {
      const said = partsOf(prose).map((part) =>
        part.kind === 'runbook' ? RUNBOOKS[part.name].title : part.text,
      )
      expect(text).toContain(said.join(''))
    }
    const commands = stepsOf(name).filter(({ command }) => command !== undefined)
    expect(fences).toEqual(
      commands.map(({ command, at }) => ({
        text: command,
        language: at === 'prometheus' ? 'promql' : at === 'exporter' ? 'sh' : 'powershell',
      })),
    )
    const { title, cause } = RUNBOOKS[name]
    for (const said of [title, cause?.remedy, cause?.command, cause?.clientError?.code])
      if (said !== undefined) expect(text).toContain(said)
  })

  it.each(each)('%s numbers its steps', (name) => {
    const { lines } = readFences(runbookMarkdown(name))
    const numbers = lines.flatMap((line) => /^(\d+)\. \S/.exec(line)?.[1] ?? []).map(Number)
    const { confirm, fix } = RUNBOOKS[name]
    const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
    expect(numbers).toEqual([...upTo(confirm.length), ...upTo(fix.length)])
  })

  it('escapes what Markdown would swallow', () => {
    // A remedy is no prose of ours, and holds underscores at the edges of words.
    expect(runbookMarkdown('srv_missing')).toContain(
      String.raw`Publish the host in \_vlmcs.\_tcp of the domain`,
    )
    expect(runbookMarkdown('kms_not_enabled')).toContain('`slmgr /ipk <KMS host key>`')
  })
})

describe('a table', () => {
  it('keeps its cells, whatever stands in them', () => {
    const rows = [
      ['`a | b`', 'c | <d> & *e* #'],
      ['', '[[host_idle]] \\'],
    ]
    expect(tableMarkdown({ title: 'T', head: ['one', 'two'], rows })).toBe(
      [
        '| one | two |',
        '| --- | --- |',
        String.raw`| \`a \| b\` | c \| \<d\> &amp; \*e\* \# |`.replaceAll('\\`', '`'),
        String.raw`|  | [Nobody asks a KMS host any more](host_idle.md) \\ |`,
      ].join('\n'),
    )
  })
})

describe('the index', () => {
  it('is sound, and leads to each runbook', () => {
    const index = runbooksIndexMarkdown()
    check(index)
    const links = [...index.matchAll(/\]\((\w+)\.md\)/g)].map(([, name = '']) => name)
    expect(links.toSorted()).toEqual(RUNBOOK_NAMES.toSorted())
  })
})

describe('docs/runbooks', () => {
  const files = runbookFiles()

  it.each(Object.keys(files).map((file) => [file] as const))(
    '%s is what the repository holds',
    async (file) => {
      expect(await readFile(join(ROOT, file), 'utf8')).toBe(files[file])
    },
  )

  it('holds nothing else', () => {
    expect(Object.keys(files)).toHaveLength(RUNBOOK_NAMES.length + 1)
    expect(strayRunbooks(files)).toEqual([])
  })

  it('would be said to, if it did', () => {
    const { 'docs/runbooks/host_idle.md': taken, ...others } = files
    expect(taken).toBeDefined()
    expect(strayRunbooks(others)).toEqual(['docs/runbooks/host_idle.md'])
  })
})

/** A project of its own, in which documents may be spoilt. */
describe('npm run docs -- --check', () => {
  let copy: string | undefined
  afterAll(async () => {
    if (copy !== undefined) await rm(copy, { recursive: true, force: true })
  })

  const run = (folder: string, ...args: string[]): Promise<{ code: number; says: string }> =>
    new Promise((resolve) => {
      const command = [join(ROOT, 'node_modules/tsx/dist/cli.mjs'), 'scripts/docs.ts', ...args]
      execFile(process.execPath, command, { cwd: folder }, (error, _out, says) =>
        resolve({ code: error === null ? 0 : 1, says }),
      )
    })

  it('names a runbook that is out of date, one that is missing, and one that belongs to nobody', async () => {
    copy = await mkdtemp(join(tmpdir(), 'winkms-docs-'))
    for (const folder of ['src', 'scripts', 'docs', 'grafana', 'deploy']) {
      if (existsSync(join(ROOT, folder)))
        await cp(join(ROOT, folder), join(copy, folder), { recursive: true })
    }
    for (const file of ['package.json', 'tsconfig.json']) await cp(join(ROOT, file), join(copy, file))
    await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
    const { code: writing } = await run(copy)
    expect(writing).toBe(0)
    expect((await run(copy, '--check')).code).toBe(0)
    await writeFile(join(copy, 'docs/runbooks/clock_skew.md'), '# Something else\n')
    await rm(join(copy, 'docs/runbooks/host_idle.md'))
    await writeFile(join(copy, 'docs/runbooks/of_old.md'), '# Of old\n')
    const { code, says } = await run(copy, '--check')
    expect(code).toBe(1)
    for (const name of ['clock_skew', 'host_idle', 'of_old'])
      expect(says).toContain(`docs/runbooks/${name}.md`)
    expect(says).not.toContain('service_stopped')
    expect(says).toContain('belongs to nothing any more: docs/runbooks/of_old.md')
  }, 60_000)
})
