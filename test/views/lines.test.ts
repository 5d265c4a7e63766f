// Our lines against prom-client's, against the specification and against promtool; and the book in which they are kept.
import * as fc from 'fast-check'
import { Counter, Gauge, Histogram, Registry, type OpenMetricsContentType } from 'prom-client'
import { describe, expect, it } from 'vitest'
import type { Family, Metric } from '../../src/model/metric.ts'
import {
  CONTENT_TYPES,
  familyText,
  labelValue,
  numberText,
  sampleLine,
  type Format,
  type Tell,
} from '../../src/views/lines.ts'
import { bookText, createBook, type Book } from '../../src/views/book.ts'
import { createSelfMetrics, renderMetric } from '../../src/views/prometheus.ts'
import { realServer } from '../real/servers/need.ts'
import { promtoolCheckMetrics } from '../real/servers/prometheus.ts'
import { linesOf } from './lines-of.ts'
import { HARMFUL } from './scenes.ts'
import { parseStrictly } from './strict.ts'

const FORMATS = ['text', 'openmetrics'] as const

function render(book: Book, format: Format): string {
  return `${bookText(book, format)}${format === 'openmetrics' ? '# EOF\n' : ''}`
}

type AnyRegistry = Registry | Registry<OpenMetricsContentType>

/** A fresh one each time: rendering OpenMetrics once renames its counters for good. */
function registryFor(format: Format): AnyRegistry {
  if (format === 'text') return new Registry()
  const registry = new Registry<OpenMetricsContentType>()
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  return registry
}

/** The known differences: prom-client leaves a line between families, and prints NaN as `Nan`, which no parser has to take. */
async function promText(registry: AnyRegistry): Promise<string> {
  const text = await registry.metrics()
  return text.replaceAll('\n\n', '\n').replaceAll(/^((?!#).*) Nan$/gm, '$1 NaN')
}

interface Declared extends Family {
  readonly samples: readonly { readonly values: readonly string[]; readonly value: number }[]
}

/** What we replace in label values on purpose, which prom-client does not. */
const tame = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 1 })
  .filter((character) => !HARMFUL.test(character))
const character = fc.oneof(
  tame,
  fc.constantFrom('"', '\\', '\n', '{', '}', ',', '=', '#', ' ', 'n', 'ü', '😀'),
)
const value = fc.string({ unit: character, maxLength: 20 })
const number = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(NaN, Infinity, -Infinity, 0, -0, 1e21, 5e-324),
)
/** OpenMetrics wants quotes in help escaped, which prom-client forgets: there they are left out. */
const help = (format: Format): fc.Arbitrary<string> =>
  fc
    .string({ unit: character, minLength: 1, maxLength: 30 })
    .map((text) => (format === 'text' ? text : `${text.replaceAll('"', '')}.`))

/** prom-client files samples under this, and takes different labels with the same key for one series. */
const keyOf = (values: readonly string[], names: readonly string[]): string =>
  names
    .map((name, index) => `${name}:${values[index] ?? ''},`)
    .toSorted()
    .join('')

function familyArbitrary(index: number, format: Format): fc.Arbitrary<Declared> {
  return fc
    .record({
      type: fc.constantFrom('gauge' as const, 'counter' as const),
      help: help(format),
      width: fc.nat(3),
    })
    .chain(({ type, help, width }) => {
      const labels = ['host', 'address', 'state'].slice(0, width)
      const amount = type === 'gauge' ? number : fc.double({ min: 0, noNaN: true, noDefaultInfinity: true })
      const samples = fc.uniqueArray(
        fc.record({ values: fc.array(value, { minLength: width, maxLength: width }), value: amount }),
        { minLength: 1, maxLength: 5, selector: ({ values }) => keyOf(values, labels) },
      )
      const name = `winkms_family${index}${type === 'counter' ? '_total' : '_seconds'}`
      return samples.map((samples) => ({ name, type, help, labels, samples }))
    })
}

const familiesArbitrary = (format: Format): fc.Arbitrary<readonly Declared[]> =>
  fc.tuple(familyArbitrary(0, format), familyArbitrary(1, format), familyArbitrary(2, format))

const labelled = (labels: readonly string[], values: readonly string[]): Record<string, string> =>
  Object.fromEntries(labels.map((label, index) => [label, values[index] ?? '']))

function byPromClient(families: readonly Declared[], format: Format): Promise<string> {
  const registry = registryFor(format)
  for (const { name, type, help, labels, samples } of families) {
    const options = { name, help, labelNames: labels, registers: [registry] }
    if (type === 'gauge') {
      const gauge = new Gauge(options)
      for (const { values, value } of samples) gauge.set(labelled(labels, values), value)
    } else {
      const counter = new Counter(options)
      for (const { values, value } of samples) counter.inc(labelled(labels, values), value)
    }
  }
  return promText(registry)
}

function byUs(families: readonly Declared[], format: Format): string {
  const book = createBook(families)
  const metrics = families.map((family): Metric<null, null> => ({
    ...family,
    samples: (_reading, emit) => {
      for (const { values, value } of family.samples) emit(value, ...values)
    },
  }))
  book.set('owner', (say) => say(metrics, null, null, {}))
  return render(book, format)
}

describe.each(FORMATS)('the same samples as prom-client has, as %s', (format) => {
  it('give the same page: gauges and counters', async () => {
    await fc.assert(
      fc.asyncProperty(familiesArbitrary(format), async (families) => {
        expect(byUs(families, format)).toBe(await byPromClient(families, format))
      }),
    )
  })

  it('give the same page: histograms, rendered from its own values', async () => {
    const observation = fc.tuple(value, fc.double({ min: 0, max: 100, noNaN: true }))
    await fc.assert(
      fc.asyncProperty(
        fc.array(observation, { minLength: 1, maxLength: 10 }),
        help(format),
        async (all, help) => {
          const registry = registryFor(format)
          const histogram = new Histogram({
            name: 'winkms_some_seconds',
            help,
            labelNames: ['probe'],
            buckets: [0.001, 0.5, 10],
            registers: [registry],
          })
          for (const [probe, seconds] of all) histogram.observe({ probe }, seconds)
          const [json] = await registry.getMetricsAsJSON()
          const ours = json === undefined ? '' : renderMetric(json, format)
          expect(format === 'text' ? ours : `${ours}# EOF\n`).toBe(await promText(registry))
          const [family] = parseStrictly(format === 'text' ? ours : `${ours}# EOF\n`, format)
          expect(family?.type).toBe('histogram')
        },
      ),
    )
  })

  it('are read back as they were by a strict parser', () => {
    fc.assert(
      fc.property(familiesArbitrary(format), (families) => {
        const read = parseStrictly(byUs(families, format), format)
        const wanted = families.map(({ name, type, help, labels, samples }) => ({
          name: format === 'openmetrics' && type === 'counter' ? name.slice(0, -'_total'.length) : name,
          type,
          help,
          // -0 is written, and read, as 0.
          samples: samples.map(({ values, value }) => ({
            name,
            labels: labelled(labels, values),
            value: value + 0,
          })),
        }))
        expect(read).toEqual(wanted)
      }),
    )
  })
})

describe('a label value', () => {
  it.each([
    ['a quote', '"', String.raw`\"`],
    ['a backslash', '\\', String.raw`\\`],
    ['a line feed', '\n', String.raw`\n`],
    ['what looks like an escape', String.raw`\n\"`, String.raw`\\n\\\"`],
    ['NUL, escape, carriage return, tab, delete', '\0\u001b[31m\r\t\u007f', '��[31m���'],
    ['CSI in one character, a line separator, a turn of direction', '\u009b31m\u2028\u202e', '�31m��'],
    ['a lone high surrogate', 'a\ud800b', 'a�b'],
    ['a lone low surrogate', 'a\udc00b', 'a�b'],
    ['a pair of surrogates', '😀', '😀'],
    ['nothing', '', ''],
  ])('with %s', (_what, given, written) => {
    expect(labelValue(given)).toBe(written)
  })

  it('is cut at 256, not in the middle of a character', () => {
    expect(labelValue('x'.repeat(256))).toBe('x'.repeat(256))
    expect(labelValue('x'.repeat(257))).toBe('x'.repeat(256))
    expect(labelValue(`${'x'.repeat(255)}😀`)).toBe(`${'x'.repeat(255)}\ufffd`)
    expect(labelValue('"'.repeat(300))).toBe(String.raw`\"`.repeat(256))
  })

  it('is never a danger to its line, whatever it was', () => {
    const any = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 600 }),
      fc.array(fc.nat(0xffff), { maxLength: 600 }).map((units) => String.fromCharCode(...units)),
    )
    fc.assert(
      fc.property(any, (text) => {
        const page = familyText(
          { name: 'a', type: 'gauge', help: 'A.' },
          sampleLine('a', { b: text }, 1),
          'text',
        )
        const [family] = parseStrictly(page, 'text')
        const read = family?.samples[0]?.labels['b'] ?? 'no label'
        expect(read).not.toMatch(HARMFUL)
        expect(read.length).toBeLessThanOrEqual(256)
        const kept = text.slice(0, 256)
        for (let index = 0; index < kept.length; index += 1)
          expect(['\ufffd', kept.charAt(index)]).toContain(read.charAt(index))
      }),
    )
  })
})

describe('a number', () => {
  it.each([
    [NaN, 'NaN'],
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
    [-0, '0'],
    [0.1, '0.1'],
    [1_800_000_000.123, '1800000000.123'],
    [1e300, '1e+300'],
  ])('%s is written %s', (given, written) => {
    expect(numberText(given)).toBe(written)
  })
})

describe('what is told', () => {
  const metric = (name: string, ...samples: readonly (readonly [number | boolean | undefined, string])[]) =>
    ({
      name,
      type: 'gauge',
      help: 'H.',
      labels: ['host', 'address'],
      samples: (_reading, emit) => samples.forEach(([value, address]) => emit(value, address)),
    }) satisfies Metric<null, null>

  it('puts the labels of the target first', () => {
    const lines = linesOf((say) =>
      say([metric('a', [2, 'x'], [true, 'y'], [false, 'z'])], null, null, { host: 'h"' }),
    )
    expect([...lines]).toEqual([
      ['a', 'a{host="h\\"",address="x"} 2\na{host="h\\"",address="y"} 1\na{host="h\\"",address="z"} 0\n'],
    ])
  })

  it('writes nothing for what is unknown, not even an entry', () => {
    expect([...linesOf((say) => say([metric('a', [undefined, 'x'])], null, null, { host: 'h' }))]).toEqual([])
    expect([...linesOf((say) => say([metric('a')], null, null, { host: 'h' }))]).toEqual([])
  })

  it('gathers what two metrics say under one name', () => {
    const lines = linesOf((say) =>
      say([metric('a', [1, 'x']), metric('a', [2, 'y'])], null, null, { host: 'h' }),
    )
    expect(lines.get('a')).toBe('a{host="h",address="x"} 1\na{host="h",address="y"} 2\n')
  })
})

describe('the book', () => {
  const families = ['b', 'a'].map((name): Family => ({ name, type: 'gauge', help: 'H.', labels: [] }))
  const head = (name: string): string => `# HELP ${name} H.\n# TYPE ${name} gauge\n`
  const lines =
    (...entries: readonly (readonly [string, number])[]): Tell =>
    (say) => {
      for (const [name, value] of entries) {
        const metric: Metric<null, null> = {
          name,
          type: 'gauge',
          help: 'H.',
          labels: [],
          samples: (_, emit) => emit(value),
        }
        say([metric], null, null, {})
      }
    }

  it('keeps the declared order, and says nothing of a family without samples', () => {
    const book = createBook(families)
    expect(render(book, 'text')).toBe('')
    expect(render(book, 'openmetrics')).toBe('# EOF\n')
    book.set('one', lines(['a', 1]))
    expect(render(book, 'text')).toBe(`${head('a')}a 1\n`)
    book.set('two', lines(['a', 2], ['b', 3]))
    expect(render(book, 'text')).toBe(`${head('b')}b 3\n${head('a')}a 1\na 2\n`)
  })

  it('replaces what an owner said before, also by less', () => {
    const book = createBook(families)
    book.set('one', lines(['a', 1], ['b', 2]))
    book.set('one', lines(['b', 4]))
    expect(render(book, 'text')).toBe(`${head('b')}b 4\n`)
    book.set('one', lines())
    expect(render(book, 'text')).toBe('')
  })

  it('keeps the place of an owner that says the same again: series do not move about between scrapes', () => {
    const book = createBook(families)
    for (const [owner, value] of [
      ['one', 1],
      ['two', 2],
      ['one', 3],
    ] as const)
      book.set(owner, lines(['a', value]))
    expect(render(book, 'text')).toBe(`${head('a')}a 3\na 2\n`)
  })

  it('forgets an owner, and only that one', () => {
    const book = createBook(families)
    book.set('one', lines(['a', 1]))
    book.set('two', lines(['a', 2]))
    book.delete('one')
    book.delete('never there')
    expect(render(book, 'text')).toBe(`${head('a')}a 2\n`)
    book.delete('two')
    expect(render(book, 'text')).toBe('')
  })

  it('refuses a family that nobody declared', () => {
    expect(() => createBook(families).set('one', lines(['c', 1]))).toThrow(
      'c is not among the declared families',
    )
  })

  it('escapes help as each format wants it', () => {
    const family = { name: 'a_total', type: 'counter', help: 'A "b" \\ c\nd.' }
    expect(familyText(family, 'a_total 1\n', 'text')).toBe(
      '# HELP a_total A "b" \\\\ c\\nd.\n# TYPE a_total counter\na_total 1\n',
    )
    expect(familyText(family, 'a_total 1\n', 'openmetrics')).toBe(
      '# HELP a A \\"b\\" \\\\ c\\nd.\n# TYPE a counter\na_total 1\n',
    )
    expect(familyText(family, '', 'text')).toBe('')
  })
})

describe("the exporter's own metrics", () => {
  function busy() {
    const self = createSelfMetrics({ version: '1.2.3', revision: 'abc' }, () => 7)
    self.probes.inc({ probe: 'port', outcome: 'answered' }, 3)
    self.probes.inc({ probe: 'port', outcome: 'connect_refused' })
    self.skipped.inc({ probe: 'clock', why: 'overlap' })
    self.requests.inc({ route: '/metrics', code: '200' })
    self.refusedTargets.inc()
    self.probeDuration.observe({ probe: 'port' }, 0.3)
    self.lag.observe({ probe: 'port' }, 0.002)
    self.targets.set({ probe: 'port' }, 4)
    self.reloadSuccessful.set(1)
    self.reloadTimestamp.set(1_800_000_000)
    return self
  }

  it.each(FORMATS)('parse strictly as %s', async (format) => {
    const page = (await busy().render(format)) + (format === 'openmetrics' ? '# EOF\n' : '')
    const families = new Map(parseStrictly(page, format).map((family) => [family.name, family]))
    const counter = format === 'text' ? 'winkms_exporter_probes_total' : 'winkms_exporter_probes'
    expect(families.get(counter)).toMatchObject({
      type: 'counter',
      samples: [
        { name: 'winkms_exporter_probes_total', labels: { probe: 'port', outcome: 'answered' }, value: 3 },
        {
          name: 'winkms_exporter_probes_total',
          labels: { probe: 'port', outcome: 'connect_refused' },
          value: 1,
        },
      ],
    })
    expect(families.get('winkms_exporter_probes_in_flight')?.samples).toEqual([
      { name: 'winkms_exporter_probes_in_flight', labels: {}, value: 7 },
    ])
    expect(families.get('winkms_exporter_build_info')?.samples[0]?.labels).toEqual({
      version: '1.2.3',
      revision: 'abc',
      node: process.version,
    })
    expect(families.get('winkms_exporter_probe_duration_seconds')?.type).toBe('histogram')
    expect(families.has('process_start_time_seconds')).toBe(true)
  })

  it('keep the names of their counters however often either format was asked for', async () => {
    const self = busy()
    const counters = (page: string): readonly string[] => page.match(/^winkms_\w+_total\b.*$/gm) ?? []
    const before = counters(await self.render('text'))
    expect(before).toHaveLength(9)
    expect(counters(await self.render('openmetrics'))).toEqual(before)
    expect(counters(await self.render('openmetrics'))).toEqual(before)
    const text = await self.render('text')
    expect(counters(text)).toEqual(before)
    expect(text).toContain('# TYPE winkms_exporter_probes_total counter\n')
  })

  it('leave out what Node says of itself when that is not wanted', async () => {
    const self = createSelfMetrics({ version: '1', revision: '1' }, () => 0, { processMetrics: false })
    expect(await self.render('text')).not.toMatch(/^(process|nodejs)_/m)
  })

  it('please promtool', async (context) => {
    realServer(context, ['promtool'])
    expect(await promtoolCheckMetrics(await busy().render('text'))).toEqual({ code: 0, output: '' })
  })
})

describe('the content types', () => {
  it('are those that Prometheus demands to the letter', () => {
    expect(CONTENT_TYPES).toEqual({
      text: Registry.PROMETHEUS_CONTENT_TYPE,
      openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
    })
  })
})

describe('the strict parser', () => {
  it.each([
    ['an unfinished line', 'text', '# HELP a A.\n# TYPE a gauge\na 1'],
    ['no end', 'openmetrics', '# HELP a A.\n# TYPE a gauge\na 1\n'],
    ['something after the end', 'openmetrics', '# EOF\n# HELP a A.\n# TYPE a gauge\na 1\n'],
    ['an odd escape', 'text', '# HELP a A.\n# TYPE a gauge\na{b="\\t"} 1\n'],
    ['an open quote', 'text', '# HELP a A.\n# TYPE a gauge\na{b=""c"} 1\n'],
    ['a sample twice', 'text', '# HELP a A.\n# TYPE a gauge\na{b="",c=""} 1\na{c="",b=""} 1\n'],
    ['a family twice', 'text', '# HELP a A.\n# TYPE a gauge\na 1\n# HELP a A.\n# TYPE a gauge\na{b="c"} 1\n'],
    ['a head alone', 'text', '# HELP a A.\n# TYPE a gauge\n'],
    ['a counter without _total', 'openmetrics', '# HELP a A.\n# TYPE a counter\na 1\n# EOF\n'],
    ["prom-client's Nan", 'text', '# HELP a A.\n# TYPE a gauge\na Nan\n'],
  ] as const)('notices %s', (_what, dialect, page) => {
    expect(() => parseStrictly(page, dialect)).toThrow()
  })
})
