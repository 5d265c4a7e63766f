// PromQL by Prometheus's own grammar: where it does not parse, and which selectors stand in it, around what.
import { parser } from '@prometheus-io/lezer-promql'
import type { SyntaxNode } from '@lezer/common'

export interface Selector {
  readonly name: string
  /** `job` and `=~"$job"`. */
  readonly matchers: Readonly<Record<string, string>>
  /** The duration in brackets, if there is one. */
  readonly range: string | undefined
  /** Functions and aggregations around it, from the inside outwards. */
  readonly within: readonly string[]
}

/** Where the text does not parse, with what stands there. */
export function mistakes(promql: string): readonly string[] {
  const found: string[] = []
  parser.parse(promql).iterate({
    enter(node) {
      if (node.type.isError)
        found.push(`at ${node.from}: ${promql.slice(Math.max(0, node.from - 20), node.to + 20)}`)
    },
  })
  return found
}

function textOf(promql: string, node: SyntaxNode | null): string {
  return node === null ? '' : promql.slice(node.from, node.to)
}

function surroundings(promql: string, start: SyntaxNode): readonly string[] {
  const within: string[] = []
  for (let node = start.parent; node !== null; node = node.parent) {
    if (node.name === 'FunctionCall') within.push(textOf(promql, node.getChild('FunctionIdentifier')))
    if (node.name === 'AggregateExpr') within.push(textOf(promql, node.getChild('AggregateOp')))
  }
  return within
}

export function selectorsOf(promql: string): readonly Selector[] {
  const found: Selector[] = []
  parser.parse(promql).iterate({
    enter(reference) {
      if (reference.name !== 'VectorSelector') return
      const { node } = reference
      const matchers: Record<string, string> = {}
      const braces = textOf(promql, node.getChild('LabelMatchers'))
      for (const [, label = '', rest = ''] of braces.matchAll(
        /(\w+)\s*((?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*")/g,
      )) {
        matchers[label] = rest
      }
      const range = node.parent?.name === 'MatrixSelector' ? textOf(promql, node.parent) : undefined
      found.push({
        name: textOf(promql, node.getChild('Identifier')),
        matchers,
        range: range && /\[([^\]]*)\]$/.exec(range)?.[1],
        within: surroundings(promql, node),
      })
    },
  })
  return found
}

/** Labels in `by`, `without`, `on`, `ignoring` and `group_left`. */
export function groupingLabelsOf(promql: string): readonly string[] {
  const lists = promql.matchAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g)
  return [...lists]
    .flatMap(([, labels = '']) => labels.split(',').map((label) => label.trim()))
    .filter(Boolean)
}
