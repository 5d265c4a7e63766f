// What docs/runbooks/ holds: a page for each runbook, and an index. And what is there that belongs to none of them.
import { existsSync, readdirSync } from 'node:fs'
import { RUNBOOK_NAMES } from '../src/runbooks/names.ts'
import { runbookMarkdown, runbooksIndexMarkdown } from '../src/views/runbook-markdown.ts'

const FOLDER = 'docs/runbooks'
const folder = new URL(`../${FOLDER}/`, import.meta.url)

/** Path below the project's root → text. */
export function runbookFiles(): Readonly<Record<string, string>> {
  return Object.fromEntries([
    [`${FOLDER}/README.md`, runbooksIndexMarkdown()],
    ...RUNBOOK_NAMES.map((name) => [`${FOLDER}/${name}.md`, runbookMarkdown(name)]),
  ])
}

/** Files whose runbook is gone, or was given another name. */
export function strayRunbooks(files: Readonly<Record<string, string>>): readonly string[] {
  if (!existsSync(folder)) return []
  const there = readdirSync(folder).map((file) => `${FOLDER}/${file}`)
  return there.filter((file) => !Object.hasOwn(files, file)).toSorted()
}
