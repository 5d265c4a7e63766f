// From what is wrong at a path to what is wrong on a line.
import type { YamlText } from './document.ts'
import type { Unreadable } from './files.ts'
import { formatPath, type Fault, type Path, type Problem } from './problem.ts'

/** What is wrong with the text before anyone asks what it says. */
export function textProblems(yaml: YamlText, file: string): readonly Problem[] {
  return yaml.faults.map(({ offset, ...fault }) => problemAt(yaml, offset, fault, file))
}

export function placed(yaml: YamlText, fault: Fault, file: string): Problem {
  const offset = yaml.offsetOf(fault.path, fault.at ?? 'value')
  const firstLine = fault.first && yaml.positionOf(yaml.offsetOf(fault.first, 'value')).line
  const hint = firstLine === undefined ? fault.hint : `the first one is on line ${firstLine}`
  return problemAt(yaml, offset, { ...fault, hint }, file)
}

/** A file that there is no text of: on its first line. */
export function unreadable({ problem: message, hint }: Unreadable, file: string): Problem {
  return { file, line: 1, column: 1, key: '', message, ...(hint !== undefined && { hint }) }
}

function problemAt(
  yaml: YamlText,
  offset: number,
  { path, message, hint }: { path: Path; message: string; hint?: string | undefined },
  file: string,
): Problem {
  const { line, column } = yaml.positionOf(offset)
  return { file, line, column, key: formatPath(path), message, ...(hint !== undefined && { hint }) }
}

/** In the order of the text. What several aliases of one fault say, or two checks of one key, is said once. */
export function inOrder(problems: readonly Problem[]): readonly Problem[] {
  const once = new Map<string, Problem>()
  for (const problem of problems) {
    const same = `${problem.line}:${problem.column}:${problem.message}`
    if (!once.has(same)) once.set(same, problem)
  }
  return [...once.values()].sort((a, b) => a.line - b.line || a.column - b.column)
}
