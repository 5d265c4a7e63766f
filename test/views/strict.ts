// A strict parser of the two exposition formats, written from their specifications (Prometheus "Exposition formats",
// text 0.0.4; OpenMetrics 1.0.0) and not from our renderer. Throws where a lenient one would look away: an odd escape, a
// family in two places, a sample twice, a page that ends early.
export interface StrictSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface StrictFamily {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: readonly StrictSample[]
}

type Dialect = 'text' | 'openmetrics'

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const HEAD = new RegExp(`^# (HELP|TYPE) (${NAME}) (.*)$`, 's')
const SAMPLE = new RegExp(String.raw`^(${NAME})(?:\{(.*)\})? (\S+)$`, 's')
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/sy
const NUMBER = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|NaN|[+-]Inf)$/
const TYPES = ['counter', 'gauge', 'histogram', 'summary']
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
}

const unescape = (text: string): string =>
  text.replaceAll(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character))

function parseLabels(text: string | undefined, line: string): Readonly<Record<string, string>> {
  if (text === undefined) return {}
  const labels = new Map<string, string>()
  let end = 0
  while (end < text.length) {
    LABEL.lastIndex = end
    const [all = '', name = '', value = '', comma] = LABEL.exec(text) ?? []
    if (all === '') throw new Error(`malformed labels at ${end}: ${line}`)
    if (labels.has(name)) throw new Error(`label twice: ${line}`)
    labels.set(name, unescape(value))
    end += all.length
    if (comma === ',' && end === text.length) throw new Error(`trailing comma: ${line}`)
  }
  return Object.fromEntries(labels)
}

function parseNumber(text: string, line: string): number {
  if (!NUMBER.test(text)) throw new Error(`not a number: ${line}`)
  return Number(text.replace('Inf', 'Infinity'))
}

function parseHelp(text: string, dialect: Dialect, line: string): string {
  const allowed = dialect === 'text' ? /^(?:[^\\]|\\[\\n])*$/s : /^(?:[^"\\]|\\[\\n"])*$/s
  if (!allowed.test(text)) throw new Error(`odd escape in help: ${line}`)
  return unescape(text)
}

/** The names that samples of the family may have. */
function sampleNames(
  { name, type }: Pick<StrictFamily, 'name' | 'type'>,
  dialect: Dialect,
): readonly string[] {
  if (type === 'counter' && dialect === 'openmetrics') return [`${name}_total`]
  return (SUFFIXES[type] ?? ['']).map((suffix) => name + suffix)
}

function checkHistogram({ name, samples }: StrictFamily): void {
  const series = new Map<string, { buckets: [number, number][]; count?: number; sum?: number }>()
  for (const sample of samples) {
    const { le, ...others } = sample.labels
    const key = JSON.stringify(others)
    const one = series.get(key) ?? { buckets: [] }
    series.set(key, one)
    if (sample.name === `${name}_bucket`) one.buckets.push([parseNumber(le ?? '', name), sample.value])
    else one[sample.name === `${name}_sum` ? 'sum' : 'count'] = sample.value
  }
  for (const { buckets, count, sum } of series.values()) {
    const [bound, total] = buckets.at(-1) ?? []
    // OpenMetrics 1.0: where a bucket is negative there is neither sum nor count.
    const isClosed =
      (buckets[0]?.[0] ?? 0) < 0
        ? sum === undefined && count === undefined
        : sum !== undefined && total === count
    if (bound !== Infinity || !isClosed) throw new Error(`${name} is not closed`)
    for (const [index, [at, value]] of buckets.entries()) {
      const [before, less] = buckets[index - 1] ?? [-Infinity, 0]
      if (at <= before || value < less) throw new Error(`${name} is not cumulative`)
    }
  }
}

function linesOf(page: string, dialect: Dialect): readonly string[] {
  if (page === '' && dialect === 'text') return []
  if (!page.endsWith('\n')) throw new Error('the last line does not end')
  const lines = page.slice(0, -1).split('\n')
  if (dialect === 'openmetrics' && lines.pop() !== '# EOF') throw new Error('no # EOF at the end')
  return lines
}

export function parseStrictly(page: string, dialect: Dialect): readonly StrictFamily[] {
  if (!page.isWellFormed()) throw new Error('not UTF-8')
  const families: { name: string; type: string; help: string; samples: StrictSample[] }[] = []
  const taken = new Set<string>()
  const seen = new Set<string>()
  let waiting: { name: string; help: string } | undefined
  for (const line of linesOf(page, dialect)) {
    const [, keyword, name = '', rest = ''] = HEAD.exec(line) ?? []
    if (keyword === 'HELP') {
      if (waiting !== undefined) throw new Error(`help without a type: ${waiting.name}`)
      waiting = { name, help: parseHelp(rest, dialect, line) }
    } else if (keyword === 'TYPE') {
      if (waiting?.name !== name) throw new Error(`type without help before it: ${line}`)
      if (!TYPES.includes(rest)) throw new Error(`unknown type: ${line}`)
      const family = { name, type: rest, help: waiting.help, samples: [] }
      waiting = undefined
      for (const each of new Set([name, ...sampleNames(family, dialect)])) {
        if (taken.has(each)) throw new Error(`a family in two places: ${line}`)
        taken.add(each)
      }
      families.push(family)
    } else {
      const [, sample = '', labelText, value = ''] = SAMPLE.exec(line) ?? []
      const family = families.at(-1)
      if (sample === '' || waiting !== undefined) throw new Error(`neither head nor sample: ${line}`)
      if (family === undefined || !sampleNames(family, dialect).includes(sample))
        throw new Error(`a sample outside its family: ${line}`)
      const labels = parseLabels(labelText, line)
      const pairs = Object.entries(labels).map((pair) => JSON.stringify(pair))
      const key = `${sample} ${pairs.toSorted().join(',')}`
      if (seen.has(key)) throw new Error(`a sample twice: ${line}`)
      seen.add(key)
      family.samples.push({ name: sample, labels, value: parseNumber(value, line) })
    }
  }
  if (waiting !== undefined) throw new Error(`help without a type: ${waiting.name}`)
  for (const family of families) {
    if (family.samples.length === 0) throw new Error(`a head without samples: ${family.name}`)
    if (family.type === 'histogram') checkHistogram(family)
    if (family.type === 'counter' && family.samples.some(({ value }) => !(value >= 0)))
      throw new Error(`a counter below zero: ${family.name}`)
  }
  return families
}
