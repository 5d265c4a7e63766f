import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseExposition } from '../../src/protocol/exposition.ts'
import { malformedBy, timed } from './support.ts'

// Families and labels as windows_exporter's documentation lists them, in its text format 0.0.4.
const PAGE = `# HELP windows_service_state The state of the service (State)
# TYPE windows_service_state gauge
windows_service_state{name="sppsvc",state="running"} 1
windows_service_state{name="sppsvc",state="stopped"} 0
windows_service_info{display_name="Software Protection",name="sppsvc",path_name="C:\\\\Windows\\\\system32\\\\sppsvc.exe",run_as="NT AUTHORITY\\\\NetworkService"} 1
# TYPE windows_time_computed_time_offset_seconds gauge
windows_time_computed_time_offset_seconds 1.6e-05
go_goroutines 12
windows_service_state_of_mind{name="sppsvc"} broken beyond repair
`

function parse(text: string, ...wanted: readonly string[]): ReturnType<typeof parseExposition> {
  return parseExposition(text, new Set(wanted))
}

describe('parseExposition', () => {
  it('parses what is wanted and nothing else', () => {
    expect(parse(PAGE, 'windows_service_state', 'windows_time_computed_time_offset_seconds')).toEqual([
      { name: 'windows_service_state', labels: { name: 'sppsvc', state: 'running' }, value: 1 },
      { name: 'windows_service_state', labels: { name: 'sppsvc', state: 'stopped' }, value: 0 },
      { name: 'windows_time_computed_time_offset_seconds', labels: {}, value: 0.000016 },
    ])
    expect(parse(PAGE)).toEqual([])
    expect(parse('', 'a')).toEqual([])
  })

  it('unescapes label values', () => {
    expect(parse(PAGE, 'windows_service_info')[0]?.labels['path_name']).toBe(
      'C:\\Windows\\system32\\sppsvc.exe',
    )
    expect(parse('a{x="one\\ntwo \\"three\\" \\\\n }#,="} 1', 'a')[0]?.labels).toEqual({
      x: 'one\ntwo "three" \\n }#,=',
    })
  })

  it.each([
    ['a timestamp in milliseconds', 'a 1 1700000000000', 1],
    ['a timestamp in seconds', 'a 1 1700000000.123', 1],
    ['a negative timestamp', 'a 1 -5', 1],
    ['an exemplar', 'a_total{x="1"} 17 # {trace_id="KOO5S4vxi0o"} 0.67', 17],
    ['a timestamp and an exemplar', 'a 17 1520879607.789 # {t="x"} 9.8 1520879607.7', 17],
    ['tabs and many blanks', '\ta \t{  x = "1" , y="2" ,} \t 1 \t', 1],
    ['no blank before a value', 'a{x="1"}1', 1],
    ['no label between braces', 'a{} 1', 1],
    ['CR LF', 'a 1\r\n', 1],
    ['a final line without an end', '# x\na 1', 1],
    ['the end of OpenMetrics', 'a 1\n# EOF\n', 1],
    ['a sign', 'a +1', 1],
    ['an exponent', 'a -1.5E+3', -1500],
    ['a bare point', 'a .5', 0.5],
    ['a final point', 'a 5.', 5],
    ['infinity', 'a +Inf', Infinity],
    ['negative infinity', 'a -Inf', -Infinity],
    ['infinity in full', 'a infinity', Infinity],
    ['not a number', 'a NaN', NaN],
  ])('tolerates %s', (_, text, value) => {
    const [sample, ...others] = parse(text, 'a', 'a_total')
    expect(sample?.value).toBe(value)
    expect(others).toEqual([])
  })

  it('keeps a label of any name only a label', () => {
    const [sample] = parse('a{__proto__="x",constructor="y"} 1', 'a')
    expect(Object.entries(sample?.labels ?? {})).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ])
  })

  it.each([
    ['no value', 'b 1\na', 5],
    ['no value after labels', 'a{x="1"}', 8],
    ['a word for a value', 'a one', 1],
    ['hexadecimal', 'a 0x10', 1],
    ['something stuck to the value', 'a 1x', 1],
    ['an exemplar stuck to the value', 'a 1#', 1],
    ['something after the timestamp', 'a 1 2 3', 3],
    ['something stuck to the name', 'a-1', 1],
    ['labels without an end', 'a{x="1" 1', 7],
    ['two labels without a comma', 'a{x="1"y="2"} 1', 7],
    ['only a comma', 'a{,} 1', 2],
    ['a label without quotes', 'a{x=1} 1', 2],
    ['a label that begins with a digit', 'a{1x="1"} 1', 2],
    ['a label twice', 'a{x="1",x="2"} 1', 8],
    ['a value without an end', 'a{x="1} 1', 5],
    ['a value that goes on in the next line', 'a{x="1\n"} 1', 5],
    ['an unknown escape', 'a{x="\\t"} 1', 5],
    ['an escape at the end', 'a{x="\\', 5],
  ])('refuses %s', (_, text, offset) => {
    expect(malformedBy(() => parse(text, 'a'))?.offset).toBe(offset)
    expect(parse(text, 'c')).toEqual([])
  })

  it('takes 10,000 samples and not one more', () => {
    const lines = 'a 1\n'.repeat(10_000)
    expect(parse(lines + 'b 1\n'.repeat(5), 'a').length).toBe(10_000)
    expect(malformedBy(() => parse(`${lines}a 1\n`, 'a'))?.offset).toBe(40_000)
  })

  it('reads back any label value and any number', () => {
    const labels = fc.dictionary(
      fc.string({ unit: fc.constantFrom('a', 'b', '_'), minLength: 1, maxLength: 6 }),
      fc.string({ unit: 'binary' }),
    )
    fc.assert(
      fc.property(labels, fc.double(), (labels, value) => {
        const pairs = Object.entries(labels).map(([name, text]) => {
          const escaped = text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
          return `${name}="${escaped}"`
        })
        const number = Number.isFinite(value)
          ? String(value)
          : Number.isNaN(value)
            ? 'NaN'
            : value > 0
              ? '+Inf'
              : '-Inf'
        const [sample] = parse(`x 1\na{${pairs.join(',')}} ${number}\n`, 'a')
        expect(Object.entries(sample?.labels ?? {})).toEqual(Object.entries(labels))
        expect(sample?.value).toBe(value === 0 ? Number(number) : value)
      }),
    )
  })

  it('gives samples or a MalformedMessage for any text', () => {
    const pieces = fc.constantFrom(
      'a',
      'b',
      '{',
      '}',
      '"',
      '\\',
      ',',
      '=',
      ' ',
      '\n',
      '\r',
      '#',
      '1',
      '.',
      'e',
      '-',
      'Inf',
      'x="y"',
    )
    const texts = fc.oneof(fc.string({ unit: pieces, maxLength: 60 }), fc.string({ unit: 'binary' }))
    let parsed = 0
    fc.assert(
      fc.property(texts, (text) => {
        malformedBy(() => (parsed += parse(`a${text}`, 'a').length))
      }),
      { numRuns: 1_000_000, interruptAfterTimeLimit: 1000 },
    )
    expect(parsed).toBeGreaterThan(0)
  })

  it.each([
    ['a label value', (size: number) => `a{x="${'y'.repeat(size)}"} 1`],
    ['escapes', (size: number) => `a{x="${'\\n'.repeat(size / 2)}"} 1`],
    ['a value without an end', (size: number) => `a{x="${'y'.repeat(size)}`],
    ['a name', (size: number) => 'a'.repeat(size)],
    ['a label name', (size: number) => `a{${'x'.repeat(size)}`],
    ['blanks', (size: number) => `a${' '.repeat(size)}1${' '.repeat(size)}x`],
    ['digits', (size: number) => `a ${'1'.repeat(size)}x`],
    ['short lines', (size: number) => '\n'.repeat(size)],
  ])('is soon done with %s of two million characters', (_, text) => {
    const long = text(2_000_000)
    expect(timed(() => malformedBy(() => parse(long, 'a')))).toBeLessThan(2000)
  })
})
