// Everything that a runbook says, taken apart: prose, code within it, and commands with the place where they are run.
import { RUNBOOKS } from '../../src/runbooks/index.ts'
import { RUNBOOK_NAMES, type RunbookName } from '../../src/runbooks/names.ts'
import { partsOf } from '../../src/runbooks/prose.ts'
import type { Step } from '../../src/runbooks/runbook.ts'

export function stepsOf(name: RunbookName): readonly Step[] {
  const { confirm, fix } = RUNBOOKS[name]
  return [...confirm, ...fix]
}

/** All prose, without commands. */
export function proseOf(name: RunbookName): readonly string[] {
  const { meaning, clientsSee, fixed, tables = [], related } = RUNBOOKS[name]
  return [
    meaning,
    clientsSee,
    ...stepsOf(name).flatMap(({ says, changes, healthy, sick }) =>
      [says, changes, healthy, sick].filter((text) => text !== undefined),
    ),
    ...fixed,
    ...tables.flatMap(({ rows }) => rows.flat()),
    ...related.map(([, when]) => when),
  ]
}

/** Each line of each command. */
export function commandsOf(name: RunbookName): readonly { readonly line: string; readonly step: Step }[] {
  return stepsOf(name).flatMap((step) => (step.command?.split('\n') ?? []).map((line) => ({ line, step })))
}

/** What stands in backticks. */
export function codesOf(name: RunbookName): readonly string[] {
  return proseOf(name)
    .flatMap(partsOf)
    .flatMap((part) => (part.kind === 'code' ? [part.text] : []))
}

/** All of it, to look for words in. */
export function wordsOf(name: RunbookName): string {
  return [...proseOf(name), ...commandsOf(name).map(({ line }) => line)].join('\n')
}

export const each = RUNBOOK_NAMES.map((name) => [name] as const)
