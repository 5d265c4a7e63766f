// Samples as lines of the exposition format, written once when a result arrives and joined when Prometheus asks.
// Text 0.0.4 and OpenMetrics 1.0 differ only in a family's head lines and at the end, so that one set of lines serves both.
import type { Emit, Family, Metric } from '../model/metric.ts'
import type { Labels } from '../model/target.ts'

export type Format = 'text' | 'openmetrics'

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

/** Peers choose some label values (SRV targets, Windows' product name): longer ones are cut. */
const LONGEST_VALUE = 256

/** Control characters cannot be told apart on a page, and break lines in a log: they become a replacement character. */
export function labelValue(text: string): string {
  let value = text.length > LONGEST_VALUE ? text.slice(0, LONGEST_VALUE) : text
  if (/[\u0000-\u001f\u007f"\\\ud800-\udfff]/.test(value)) {
    value = value
      .toWellFormed()
      .replace(/[\u0000-\u0009\u000b-\u001f\u007f]/g, '\ufffd')
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

function headLines(
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

/** The lines of one subject's samples, by family name. */
export type Lines = ReadonlyMap<string, string>

/** A target's own labels are the same run after run. */
const heads = new WeakMap<Labels, { readonly pairs: string; readonly count: number }>()

function headOf(labels: Labels): { readonly pairs: string; readonly count: number } {
  const known = heads.get(labels)
  if (known !== undefined) return known
  const own = Object.entries(labels).map(([label, value]) => `${label}="${labelValue(value)}"`)
  const head = { pairs: own.join(','), count: own.length }
  heads.set(labels, head)
  return head
}

/** Runs the metrics over a reading; `labels` are the target's own, and come first. Adds to `lines` where those are given. */
export function writeLines<Subject, Reading>(
  metrics: readonly Metric<Subject, Reading>[],
  reading: Reading,
  subject: Subject,
  labels: Labels,
  lines = new Map<string, string>(),
): Map<string, string> {
  const head = headOf(labels)
  let text = ''
  const add = (name: string, pairs: string, value: number): void => {
    text += pairs === '' ? `${name} ${numberText(value)}\n` : `${name}{${pairs}} ${numberText(value)}\n`
  }
  for (const metric of metrics) {
    const { name, type } = metric
    text = lines.get(name) ?? ''
    const emit: Emit = (value, ...values) => {
      if (value === undefined) return
      let { pairs } = head
      if (type === 'histogram') {
        const [suffix = '', bound] = values
        if (bound !== undefined) pairs += `${pairs === '' ? '' : ','}le="${labelValue(bound)}"`
        add(`${name}_${suffix}`, pairs, Number(value))
        return
      }
      for (let index = head.count; index < metric.labels.length; index += 1)
        pairs += `${pairs === '' ? '' : ','}${metric.labels[index]}="${labelValue(values[index - head.count] ?? '')}"`
      add(name, pairs, Number(value))
    }
    metric.samples(reading, emit, subject)
    if (text !== '') lines.set(name, text)
  }
  return lines
}

/** Ready lines by family and owner (one target of one probe, one host's diagnosis). */
export interface Book {
  set(owner: string, lines: Lines): void
  delete(owner: string): void
  /** In the order of the families; one string a family, so that a scrape can be sent piece by piece. */
  render(format: Format): Generator<string>
}

export function createBook(families: readonly Family[]): Book {
  const pages = new Map(
    families.map((family) => [family.name, { family, byOwner: new Map<string, string>() }]),
  )
  const familiesOf = new Map<string, ReadonlySet<string>>()
  const drop = (owner: string, keep: Lines | undefined): void => {
    for (const name of familiesOf.get(owner) ?? [])
      if (!keep?.has(name)) pages.get(name)?.byOwner.delete(owner)
  }
  return {
    set(owner, lines) {
      drop(owner, lines)
      for (const [name, text] of lines) {
        const page = pages.get(name)
        if (page === undefined) throw new Error(`${name} is not among the declared families`)
        page.byOwner.set(owner, text)
      }
      familiesOf.set(owner, new Set(lines.keys()))
    },
    delete(owner) {
      drop(owner, undefined)
      familiesOf.delete(owner)
    },
    *render(format) {
      for (const { family, byOwner } of pages.values()) {
        if (byOwner.size === 0) continue
        yield familyText(family, [...byOwner.values()].join(''), format)
      }
    },
  }
}
