// Finding and reading the configuration, for every command that needs one.
import { checkCron } from '../engine/cron.ts'
import { formatProblem, parseConfig, readConfig, type Loaded, type Problem } from '../config/load.ts'
import { isProblems, openDoors, type Doors } from '../server/doors.ts'
import type { Log } from '../model/log.ts'
import type { Context } from './context.ts'
import { printable } from '../views/printable.ts'
import type { Flag } from './options.ts'

export const CONFIG_FLAG: Readonly<Record<string, Flag>> = {
  'config.file': {
    value: 'FILE',
    kind: 'file',
    help: 'the configuration (YAML); without it, hosts are found through DNS',
  },
}

/** No file means every default: zero configuration. */
export function loadConfiguration(file: string | undefined): Loaded {
  return file === undefined ? parseConfig('', { file: '(none)', checkCron }) : readConfig(file, { checkCron })
}

export function problemsText({ problems }: { readonly problems: readonly Problem[] }): string {
  return problems.map((problem) => printable(formatProblem(problem))).join('\n')
}

/** What is wrong with the web configuration is printed; undefined then. */
export function loadDoors(
  file: string | undefined,
  log: Log,
  { err }: Pick<Context, 'err'>,
): Doors | undefined {
  const doors = openDoors(file, { log })
  if (!isProblems(doors)) return doors
  err(`${problemsText({ problems: doors })}\n`)
  return undefined
}
