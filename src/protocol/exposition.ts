// Sample lines of the Prometheus text format 0.0.4 and of OpenMetrics, as windows_exporter writes them.
// Only the names asked for are parsed; comments, types and everybody else's lines are stepped over.
import { MalformedMessage } from '../model/failure.ts'

export interface ParsedSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** May be NaN or an infinity: that is what the line says. */
  readonly value: number
}

const MAX_SAMPLES = 10_000
const QUOTE = 0x22
const BACKSLASH = 0x5c
const LETTER_N = 0x6e
const LINE_FEED = 0x0a
const SAMPLE_NAME = /[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*)/y
const OPEN_LABELS = /[ \t]*\{[ \t]*/y
const LABEL_NAME = /([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"/y
const COMMA = /[ \t]*,[ \t]*/y
const CLOSE_LABELS = /[ \t]*\}/y
const NUMBER = '[+-]?(?:\\d+(?:\\.\\d*)?|\\.\\d+)(?:[eE][+-]?\\d+)?'
const VALUE = new RegExp(
  `[ \\t]*(${NUMBER}|[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[nN][aA][nN])(?![^ \\t\\r\\n])`,
  'y',
)
// A timestamp in ms or seconds, and OpenMetrics' exemplar, whose content is nobody's business here.
const REST = new RegExp(`(?:[ \\t]+${NUMBER})?[ \\t]*(?:#[^\\n]*|\\r)?(?=\\n|$)`, 'y')

/**
 * The samples in `text` whose name (with `_total` and the like, as it stands on the line) is in `wanted`, in order.
 * Throws MalformedMessage, its offset in characters, when such a line is malformed or there are more than 10,000.
 */
export function parseExposition(text: string, wanted: ReadonlySet<string>): readonly ParsedSample[] {
  const samples: ParsedSample[] = []
  let start = 0
  while (start < text.length) {
    const name = match(SAMPLE_NAME, text, start)
    if (name?.[1] !== undefined && wanted.has(name[1])) {
      if (samples.length === MAX_SAMPLES)
        throw new MalformedMessage(`more than ${MAX_SAMPLES} samples`, start)
      samples.push(parseSample(text, start + name[0].length, name[1]))
    }
    const end = text.indexOf('\n', start)
    start = end < 0 ? text.length : end + 1
  }
  return samples
}

function parseSample(text: string, afterName: number, name: string): ParsedSample {
  const { labels, end } = parseLabels(text, afterName)
  // Without labels, a blank is all that keeps the value from being part of the name.
  if (end === afterName && !/[ \t]/.test(text.charAt(end))) throw malformed('no value after the name', end)
  const value = match(VALUE, text, end)
  if (value?.[1] === undefined) throw malformed('no value', end)
  const afterValue = end + value[0].length
  if (match(REST, text, afterValue) === undefined)
    throw malformed('more than a timestamp after the value', afterValue)
  return { name, labels, value: toNumber(value[1]) }
}

function parseLabels(text: string, start: number): { labels: Record<string, string>; end: number } {
  const open = match(OPEN_LABELS, text, start)
  if (open === undefined) return { labels: {}, end: start }
  const labels = new Map<string, string>()
  let at = start + open[0].length
  let close = match(CLOSE_LABELS, text, at)
  while (close === undefined) {
    const name = match(LABEL_NAME, text, at)
    if (name?.[1] === undefined) throw malformed('not a label', at)
    if (labels.has(name[1])) throw malformed('label twice', at)
    const { value, end } = parseQuoted(text, at + name[0].length)
    labels.set(name[1], value)
    const comma = match(COMMA, text, end)
    at = end + (comma?.[0].length ?? 0)
    close = match(CLOSE_LABELS, text, at)
    if (close === undefined && comma === undefined) throw malformed('labels without an end', at)
  }
  // fromEntries defines properties, so that a label named __proto__ is only a label.
  return { labels: Object.fromEntries(labels), end: at + close[0].length }
}

/**
 * The label value whose opening quote is just before `start`, and where the text goes on after the closing one. Read by
 * hand: as one pattern, V8 runs out of stack on a value of some million characters.
 */
function parseQuoted(text: string, start: number): { value: string; end: number } {
  let escapes = false
  for (let at = start; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (character === QUOTE) {
      const value = text.slice(start, at)
      return { value: escapes ? unescape(value) : value, end: at + 1 }
    }
    if (character === LINE_FEED) break
    if (character !== BACKSLASH) continue
    escapes = true
    if (!isEscape(text.charCodeAt(++at))) throw malformed('unknown escape', at - 1)
  }
  throw malformed('label value without an end', start)
}

function isEscape(character: number): boolean {
  return character === BACKSLASH || character === QUOTE || character === LETTER_N
}

/** Between the escaped backslashes, no other backslash is anything but the start of an escape. */
function unescape(value: string): string {
  const parts = value.split('\\\\').map((part) => part.replaceAll('\\n', '\n').replaceAll('\\"', '"'))
  return parts.join('\\')
}

function toNumber(text: string): number {
  if (/^[+-]?inf/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  return Number(text)
}

/** A sticky match: at exactly this place or not at all, so that no line is searched twice. */
function match(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at
  return pattern.exec(text) ?? undefined
}

function malformed(detail: string, offset: number): MalformedMessage {
  return new MalformedMessage(detail, offset)
}
