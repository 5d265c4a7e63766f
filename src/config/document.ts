// The YAML text as plain values, and where in the text each of them stands. YAML 1.2 core schema: no merge keys, no
// tags, text keys only, and anchors only as far as they cannot grow the file without bound. Never quotes the text.
import {
  Composer,
  Lexer,
  LineCounter,
  Parser,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type CST,
  type ErrorCode,
} from 'yaml'

import type { Path } from './problem.ts'

interface Position {
  readonly line: number
  readonly column: number
}

/** What makes the text no configuration, before anyone asks what it says. */
interface TextFault {
  readonly offset: number
  /** Empty where there is no telling. */
  readonly path: Path
  readonly message: string
}

export interface YamlText {
  /** Undefined when nothing was written, or when the faults leave no tree to speak of. */
  readonly value: unknown
  readonly faults: readonly TextFault[]
  positionOf(offset: number): Position
  /** Where the value at `path`, or its key, begins; where its nearest existing parent does, if there is none. */
  offsetOf(path: Path, at: 'key' | 'value'): number
}

// Ours nests 6 deep. yaml's composer recurses, and past some thousands takes the whole process down with it; its parser
// does too, where a bracket ends more than was begun.
const MAX_DEPTH = 32
// After aliases are followed; 10,000 hosts with everything set stay under half of it.
const MAX_VALUES = 1_000_000

const OPTIONS = {
  schema: 'core',
  merge: false,
  resolveKnownTags: false,
  stringKeys: true,
  // Its own way of finding them compares each with each.
  uniqueKeys: false,
  prettyErrors: false,
  logLevel: 'error',
} as const

const SYNTAX: Readonly<Partial<Record<ErrorCode, string>>> = {
  BAD_ALIAS: 'is not the name of an anchor',
  BAD_DIRECTIVE: 'is a directive that this file does not need',
  BAD_DQ_ESCAPE: 'is not an escape sequence of YAML; in single quotes a backslash stands for itself',
  BAD_INDENT: 'is indented wrongly, or a bracket is not closed',
  BAD_SCALAR_START: 'starts with a character that needs quotes',
  BLOCK_AS_IMPLICIT_KEY: 'has a second colon on the line: put the value in quotes',
  BLOCK_IN_FLOW: 'is a block inside brackets',
  KEY_OVER_1024_CHARS: 'is a key of more than 1024 characters',
  MISSING_CHAR: 'lacks a character before this place: a space, comma, colon, quote or bracket',
  MULTILINE_IMPLICIT_KEY: 'lacks a colon and a space, or a closing quote or bracket',
  MULTIPLE_DOCS: 'starts a second document; there can be only one',
  NON_STRING_KEY: 'is a key that is not text',
  TAB_AS_INDENT: 'is indented with a tab; use spaces',
  TAG_RESOLVE_FAILED: 'carries a tag; there are none in this file',
  UNEXPECTED_TOKEN: 'is not expected here',
}

/** Never throws, whatever the text. */
export function readYaml(text: string): YamlText {
  const lines = new LineCounter()
  lines.addNewLine(0)
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1)
  const positionOf = (offset: number): Position => {
    const { line, col } = lines.linePos(Math.min(offset, text.length))
    return { line, column: col }
  }
  const stopAt = (faults: readonly TextFault[]): YamlText => {
    return { value: undefined, faults, positionOf, offsetOf: () => 0 }
  }

  const { tokens, tooDeep } = tokensOf(text)
  if (tooDeep !== undefined) {
    return stopAt([{ offset: tooDeep, path: [], message: `nests more than ${MAX_DEPTH} levels` }])
  }
  // Of an empty text there is one as well.
  const [document, second] = new Composer(OPTIONS).compose(tokens, true, text.length)
  const complaints: Complaint[] = [...(document?.errors ?? []), ...(document?.warnings ?? [])].map(
    ({ code, pos }) => ({ code, offset: pos[0] }),
  )
  if (second !== undefined) complaints.push({ code: 'MULTIPLE_DOCS', offset: second.range[0] })
  const broken = complaints.filter(({ code }) => code !== 'TAG_RESOLVE_FAILED')
  if (broken.length > 0) return stopAt(broken.map(syntaxFault))

  const root = document?.contents
  const { value, targets, faults, fatal } = valueOf(root)
  const all = [...complaints.map(syntaxFault), ...faults]
  if (fatal) return stopAt(all)
  const offsetOf = (path: Path, at: 'key' | 'value') => offsetIn(root, targets, path, at)
  return { value, faults: all, positionOf, offsetOf }
}

interface Complaint {
  readonly code: ErrorCode
  readonly offset: number
}

function syntaxFault({ code, offset }: Complaint): TextFault {
  return { offset, path: [], message: `YAML: ${SYNTAX[code] ?? 'is not understood'}` }
}

/** `tooDeep`: the offset of what nests below MAX_DEPTH levels; then the tokens are no use. */
function tokensOf(text: string): {
  readonly tokens: readonly CST.Token[]
  readonly tooDeep: number | undefined
} {
  const parser = new Parser()
  const tokens: CST.Token[] = []
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme))
    // What is open: the document, and then a level each.
    if (parser.stack.length > 2 * MAX_DEPTH) return { tokens, tooDeep: parser.stack[MAX_DEPTH + 2]?.offset }
  }
  tokens.push(...parser.end())
  return { tokens, tooDeep: firstDeeper(tokens, MAX_DEPTH) }
}

/** The offset of the first token below `limit` levels; by a stack of our own, since the depth is the question. */
function firstDeeper(tokens: readonly CST.Token[], limit: number): number | undefined {
  const open = tokens.map((token) => ({ token, depth: 0 }))
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next
    if (depth > limit) return token.offset
    if (token.type === 'document' && token.value !== undefined) open.push({ token: token.value, depth })
    if (!('items' in token)) continue
    for (const { key, value } of token.items) {
      if (key) open.push({ token: key, depth: depth + 1 })
      if (value) open.push({ token: value, depth: depth + 1 })
    }
  }
  return undefined
}

interface Seen {
  readonly value: unknown
  /** How many values it holds, aliases followed. */
  readonly size: number
}

/**
 * Plain values from nodes. An alias stands for the very same object as its anchor, so following it costs nothing;
 * what it would cost those who walk the result is counted. `fatal`: there is no usable value.
 */
function valueOf(root: unknown) {
  const faults: TextFault[] = []
  const anchors = new Map<string, (Seen & { node: unknown }) | 'open'>()
  const targets = new Map<unknown, unknown>()
  let fatal = false

  const fail = (node: unknown, path: Path, message: string): Seen => {
    faults.push({ offset: startOf(node), path, message })
    fatal = true
    return { value: undefined, size: 1 }
  }

  const read = (node: unknown, path: Path): Seen => {
    if (isAlias(node)) {
      const found = anchors.get(node.source)
      if (found === undefined) return fail(node, path, 'refers to an anchor that is not above it')
      if (found === 'open') return fail(node, path, 'refers to an anchor that it is part of')
      targets.set(node, found.node)
      return found
    }
    const anchor = isMap(node) || isSeq(node) || isScalar(node) ? node.anchor : undefined
    if (anchor !== undefined) anchors.set(anchor, 'open')
    const seen = readContent(node, path)
    if (anchor !== undefined) anchors.set(anchor, { ...seen, node })
    return seen
  }

  const readContent = (node: unknown, path: Path): Seen => {
    let size = 1
    if (isSeq(node)) {
      const list = node.items.map((item, index) => {
        const seen = read(item, [...path, index])
        size += seen.size
        return seen.value
      })
      return { value: list, size }
    }
    if (!isMap(node)) return { value: isScalar(node) ? node.value : null, size }
    const mapping: Record<string, unknown> = {}
    const names = new Set<string>()
    for (const { key, value } of node.items) {
      const name = keyText(key)
      const below = [...path, name]
      if (names.size === names.add(name).size)
        faults.push({ offset: startOf(key), path: below, message: 'is given twice' })
      const seen = read(value, below)
      size += seen.size
      if (name === '__proto__')
        faults.push({ offset: startOf(key), path: below, message: 'is not a known key' })
      else mapping[name] = seen.value
    }
    return { value: mapping, size }
  }

  const { value, size } = read(root, [])
  if (size > MAX_VALUES) fail(root, [], `holds more than ${MAX_VALUES} values`)
  return { value, targets, faults, fatal }
}

function keyText(key: unknown): string {
  return isScalar(key) ? String(key.value) : ''
}

function startOf(node: unknown): number {
  return isMap(node) || isSeq(node) || isScalar(node) || isAlias(node) ? (node.range?.[0] ?? 0) : 0
}

/** `targets`: what each alias stands for. */
function offsetIn(
  root: unknown,
  targets: ReadonlyMap<unknown, unknown>,
  path: Path,
  at: 'key' | 'value',
): number {
  let node = root
  let offset = startOf(root)
  for (const [index, part] of path.entries()) {
    const container = targets.get(node) ?? node
    if (isSeq(container) && typeof part === 'number') {
      node = container.items[part]
      offset = startOf(node)
      continue
    }
    // Of a key given twice the last counts, as it does for the value.
    const pair = isMap(container) ? container.items.findLast(({ key }) => keyText(key) === part) : undefined
    if (pair === undefined) return offset
    node = pair.value
    const keyWanted = at === 'key' && index === path.length - 1
    offset = startOf(keyWanted || node === null ? pair.key : node)
  }
  return offset
}
