// Counters into JavaScript, so that a fuzzer sees which way an input took: one for each function, branch, loop and case.
// V8 counts too, but takes a millisecond to say what it counted; reading these takes a microsecond.
import { parse, type AnyNode, type Literal } from 'acorn'

/** What instrumented code counts into. One for all files of a bundle; see bundle.ts. */
export interface Counters {
  /** How often each place was reached. */
  readonly counts: Uint32Array
  /** 1 for each file that anything was called in. */
  readonly touched: Uint8Array
  /** Where not undefined, the unequal sides of each comparison are noted in it. */
  pairs: [unknown, unknown][] | undefined
}

export interface Instrumented {
  readonly code: string
  /** How many counters it has. */
  readonly places: number
  /** The texts and numbers that it compares with: a fuzzer's dictionary. */
  readonly texts: readonly string[]
  readonly numbers: readonly (number | bigint)[]
}

const HEADER =
  ';const $k=globalThis.$fuzz,$c=$k.counts,$f=$k.touched,$eq=(a,b)=>{if(a===b)return true;if($k.pairs!==undefined&&$k.pairs.length<256)$k.pairs.push([a,b]);return false};'

/** `firstPlace` and `file`: the numbers that its counters and it itself have among all. */
export function instrument(source: string, firstPlace: number, file: number): Instrumented {
  const program = parse(source, { ecmaVersion: 'latest', sourceType: 'module', preserveParens: true })
  const edits: { readonly at: number; readonly upTo: number; readonly text: string }[] = []
  const texts = new Set<string>()
  const numbers = new Set<number | bigint>()
  let places = 0

  const insert = (at: number, text: string, upTo = at): void => void edits.push({ at, upTo, text })
  const count = (): string => `$c[${firstPlace + places++}]++`

  function wrap(node: AnyNode, before: string, after: string): void {
    insert(node.start, before)
    visit(node)
    insert(node.end, after)
  }

  const expression = (node: AnyNode, more = ''): void => wrap(node, `(${more}${count()},`, ')')

  function statement(node: AnyNode): void {
    if (node.type !== 'BlockStatement') return wrap(node, `{${count()};`, '}')
    insert(node.start + 1, `${count()};`)
    visit(node)
  }

  function body(node: AnyNode): void {
    const called = `$f[${file}]=1,`
    if (node.type !== 'BlockStatement') return expression(node, called)
    const directives = node.body.filter((each) => each.type === 'ExpressionStatement' && 'directive' in each)
    insert(directives.at(-1)?.end ?? node.start + 1, `;${called}${count()};`)
    visit(node)
  }

  function literal({ value, regex }: Literal): void {
    if (regex !== undefined && regex !== null) {
      for (const [run] of regex.pattern.matchAll(/[\w .:=;,<>"'/!@#-]{2,}/g)) texts.add(run)
    } else if (typeof value === 'string') texts.add(value)
    else if (typeof value === 'number' || typeof value === 'bigint') numbers.add(value)
  }

  function visit(node: AnyNode): void {
    // All others are gone through below.
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check
    switch (node.type) {
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        for (const each of node.params) visit(each)
        return body(node.body)
      case 'IfStatement':
        visit(node.test)
        statement(node.consequent)
        if (node.alternate) statement(node.alternate)
        else insert(node.end, ` else{${count()}}`)
        return
      case 'ForStatement':
      case 'WhileStatement':
      case 'DoWhileStatement':
      case 'ForInStatement':
      case 'ForOfStatement':
        for (const each of childrenOf(node)) {
          if (each === node.body) statement(each)
          else visit(each)
        }
        return
      case 'ConditionalExpression':
        visit(node.test)
        expression(node.consequent)
        return expression(node.alternate)
      case 'LogicalExpression':
        visit(node.left)
        return expression(node.right)
      case 'AssignmentPattern':
        visit(node.left)
        return expression(node.right)
      case 'SwitchCase':
        if (node.test) visit(node.test)
        insert(node.consequent[0]?.start ?? node.end, `${count()};`)
        for (const each of node.consequent) visit(each)
        return
      case 'CatchClause':
        return statement(node.body)
      case 'BinaryExpression':
        if (node.operator !== '===' && node.operator !== '!==') break
        insert(node.start, node.operator === '===' ? '$eq(' : '!$eq(')
        visit(node.left)
        insert(node.left.end, ',', node.right.start)
        visit(node.right)
        return insert(node.end, ')')
      case 'Literal':
        return literal(node)
      case 'TemplateElement':
        return void texts.add(node.value.cooked ?? '')
      case 'ImportDeclaration':
      case 'ExportAllDeclaration':
        return
      default:
    }
    for (const each of childrenOf(node)) visit(each)
  }

  const directives = program.body.filter((each) => 'directive' in each)
  insert(directives.at(-1)?.end ?? 0, HEADER)
  for (const each of program.body) visit(each)
  return {
    code: edited(source, edits),
    places,
    texts: [...texts].filter((text) => text.length > 0 && text.length <= 64),
    numbers: [...numbers],
  }
}

function childrenOf(node: AnyNode): readonly AnyNode[] {
  const isNode = (value: unknown): value is AnyNode =>
    typeof value === 'object' && value !== null && 'type' in value && 'start' in value
  return Object.entries(node)
    .filter(([key]) => !(node.type === 'Property' && node.shorthand && key === 'key'))
    .flatMap(([, value]: [string, unknown]) =>
      Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : [],
    )
}

/** The edits at one place stand there in their own order. */
function edited(
  source: string,
  edits: readonly { readonly at: number; readonly upTo: number; readonly text: string }[],
): string {
  let at = 0
  let text = ''
  for (const edit of edits.toSorted((a, b) => a.at - b.at)) {
    text += source.slice(at, edit.at) + edit.text
    at = edit.upTo
  }
  return text + source.slice(at)
}
