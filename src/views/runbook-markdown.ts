// Runbooks as Markdown, for docs/runbooks/. Whatever Markdown would take for markup is escaped.
import { groupTable, HOW_TO_READ, RUNBOOK_GROUPS, RUNBOOKS } from '../runbooks/index.ts'
import { alertNameOf, type RunbookName } from '../runbooks/names.ts'
import { partsOf } from '../runbooks/prose.ts'
import { PLACES, type Runbook, type Source, type Step, type Table } from '../runbooks/runbook.ts'

const GENERATED =
  'Generated from `src/runbooks/` and `src/diagnosis/causes.ts` by `npm run docs`; do not edit.'

/** Underscores within words are left alone: Markdown does so, too. */
function escaped(text: string): string {
  return text
    .replaceAll(/[\\`*[\]<>|#~]/g, String.raw`\$&`)
    .replaceAll(/(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, String.raw`\_`)
    .replaceAll('&', '&amp;')
}

/** A code span in a fence that is longer than any run of backticks in it. */
function code(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  return longest === 0 ? `${fence}${text}${fence}` : `${fence} ${text} ${fence}`
}

function link(name: RunbookName): string {
  return `[${escaped(RUNBOOKS[name].title)}](${name}.md)`
}

function prose(text: string): string {
  return partsOf(text)
    .map((part) => {
      if (part.kind === 'runbook') return link(part.name)
      return part.kind === 'code' ? code(part.text) : escaped(part.text)
    })
    .join('')
}

/** In a cell a pipe ends it, even within a code span. */
function cell(text: string): string {
  return partsOf(text)
    .map((part) => {
      if (part.kind === 'runbook') return link(part.name)
      return part.kind === 'code' ? code(part.text).replaceAll('|', String.raw`\|`) : escaped(part.text)
    })
    .join('')
}

/** Without the title. */
export function tableMarkdown({ head, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map((row) => line(row.map(cell)))].join('\n')
}

function languageOf({ at }: Step): string {
  if (at === 'prometheus') return 'promql'
  return at === 'exporter' ? 'sh' : 'powershell'
}

function stepText(step: Step, index: number): string {
  const { at, says, command, changes, healthy, sick } = step
  const place = at === undefined ? '' : `**${PLACES[at]}.** `
  const number = `${index + 1}. `
  const indent = ' '.repeat(number.length)
  const notes = [
    ['What it changes', changes],
    ['Healthy', healthy],
    ['Sick', sick],
  ].flatMap(([what, text]) => (text === undefined ? [] : [`- ${what}: ${prose(text)}`]))
  const blocks = [
    `${place}${prose(says)}`,
    ...(command === undefined ? [] : [`\`\`\`${languageOf(step)}\n${command}\n\`\`\``]),
    ...(notes.length === 0 ? [] : [notes.join('\n')]),
  ]
  const lines = blocks.join('\n\n').split('\n')
  return lines.map((line, place) => (place === 0 ? number : line === '' ? '' : indent) + line).join('\n')
}

function sourceText({ says, file }: Source): string {
  return file === undefined ? `- ${escaped(says)}` : `- [${escaped(says)}](../${file})`
}

function inShort({ cause }: Runbook): readonly string[] {
  if (cause === undefined) return []
  const { remedy, command, needs } = cause
  const told = needs === undefined ? '' : `\n- It can be told only with ${code(needs)}.`
  return [`- Do this: ${escaped(remedy)}\n- Command: ${code(command)}${told}`]
}

/** What clients show of a cause, before the prose. */
function clientsSee({ cause, clientsSee: text }: Runbook): string {
  if (cause?.clientError === undefined) return prose(text)
  const { code: error, meaning } = cause.clientError
  return `${code(error)}: ${escaped(meaning)}. ${prose(text)}`
}

/** The whole of docs/runbooks/NAME.md. */
export function runbookMarkdown(name: RunbookName): string {
  const runbook = RUNBOOKS[name]
  const { title, cause, meaning, confirm, fix, fixed, tables = [], related, sources } = runbook
  const what = cause === undefined ? '' : `, cause ${code(name)}`
  const blocks = [
    `# ${escaped(title)}`,
    GENERATED,
    `Alert ${code(alertNameOf(name))}${what}. [All runbooks](README.md)`,
    ...inShort(runbook),
    '## What is wrong',
    prose(meaning),
    '## What clients see',
    clientsSee(runbook),
    '## Confirm',
    confirm.map(stepText).join('\n\n'),
    '## Fix',
    fix.map(stepText).join('\n\n'),
    '## How to know that it is fixed',
    fixed.map((text) => `- ${prose(text)}`).join('\n'),
    ...tables.flatMap((table) => [`## ${escaped(table.title)}`, tableMarkdown(table)]),
    '## If it is not this',
    related.map(([other, when]) => `- ${link(other)}: ${prose(when)}.`).join('\n'),
    '## Sources',
    sources.map(sourceText).join('\n'),
  ]
  return `${blocks.join('\n\n')}\n`
}

/** docs/runbooks/README.md. */
export function runbooksIndexMarkdown(): string {
  const groups = RUNBOOK_GROUPS.flatMap((group) => [`## ${group.title}`, tableMarkdown(groupTable(group))])
  return `${['# Runbooks', GENERATED, ...HOW_TO_READ.map(prose), ...groups].join('\n\n')}\n`
}
