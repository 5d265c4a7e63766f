// Samples as lines of the exposition format, written once when a result arrives and joined when Prometheus asks.
// Text 0.0.4 and OpenMetrics 1.0 differ only in a family's head lines and at the end, so that one set of lines serves both.
import type { Family, Metric } from '../model/metric.ts'
import type { Labels } from '../model/target.ts'
import { BEYOND_C0, printable } from './printable.ts'

export type Format = 'text' | 'openmetrics'

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

/** Peers choose some label values (SRV targets, Windows' product name): longer ones are cut. */
const LONGEST_VALUE = 256

const MARKED = new RegExp(String.raw`[\u0000-\u001f${BEYOND_C0}"\\\ud800-\udfff]`)

/** Control characters cannot be told apart on a page, and break lines in a log: they become a replacement character. */
export function labelValue(text: string): string {
  let value = text.length > LONGEST_VALUE ? text.slice(0, LONGEST_VALUE) : text
  if (MARKED.test(value)) {
    value = value
      .toWellFormed()
      .split('\n')
      .map(printable)
      .join('\n')
      .replaceAll('\\', '\\\\')
      .replaceAll('\n', '\\n')
      .replaceAll('"', '\\"')
  }
  return value
}

export function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}

export function sampleLine(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${labelValue(text)}"`)
  return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${numberText(value)}\n`
}

export function headLines(
  { name, type, help }: Pick<Family, 'name' | 'help'> & { type: string },
  format: Format,
): string {
  const text = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  if (format === 'text') return `# HELP ${name} ${text}\n# TYPE ${name} ${type}\n`
  // OpenMetrics names a counter's family without the `_total` of its samples, and escapes quotes in help.
  const family = type === 'counter' ? name.replace(/_total$/, '') : name
  return `# HELP ${family} ${text.replaceAll('"', '\\"')}\n# TYPE ${family} ${type}\n`
}

/** All lines of one family, with its head; nothing for a family without samples. */
export function familyText(
  family: Pick<Family, 'name' | 'help'> & { readonly type: string },
  samples: string,
  format: Format,
): string {
  return samples === '' ? '' : headLines(family, format) + samples
}

/** Takes what metrics make of a reading; `labels` are the target's own, and come first. */
export type Say = <Subject, Reading>(
  metrics: readonly Metric<Subject, Reading>[],
  reading: Reading,
  subject: Subject,
  labels: Labels,
) => void

/** All that there is to say of one subject. May be asked for twice, and says the same. */
export type Tell = (say: Say) => void

export interface Head {
  readonly pairs: string
  readonly count: number
}

/** A target's own labels are the same run after run. */
const heads = new WeakMap<Labels, Head>()

export function headOf(labels: Labels): Head {
  const known = heads.get(labels)
  if (known !== undefined) return known
  const own = Object.entries(labels).map(([label, value]) => `${label}="${labelValue(value)}"`)
  const head = { pairs: own.join(','), count: own.length }
  heads.set(labels, head)
  return head
}

/** The labels after the head's `count`. `values` are theirs; a histogram's as `emitHistogram` has them. */
export function ownPairs({ type, labels }: Family, count: number, values: readonly string[]): string {
  if (type === 'histogram') return values[1] === undefined ? '' : `le="${labelValue(values[1])}"`
  let pairs = ''
  for (let index = count; index < labels.length; index += 1)
    pairs += `${pairs === '' ? '' : ','}${labels[index]}="${labelValue(values[index - count] ?? '')}"`
  return pairs
}
