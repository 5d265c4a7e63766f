// Series as shapes and numbers: gaps stay gaps, peaks stay peaks, and nothing is drawn outside.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bandOf,
  levelOf,
  lineOf,
  roundUp,
  roundUpSeconds,
  sparkline,
  stripOf,
  summaryOf,
  windowFor,
} from '../../src/views/plot.ts'

const series = (...values: readonly (number | undefined)[]): Float32Array =>
  Float32Array.from(values, (value) => value ?? NaN)

const line = (values: Float32Array, window = values.length): string =>
  / d="([^"]*)"/.exec(lineOf({ kind: 'one', values }, window, { low: 0, high: 10 }))?.[1] ?? ''

describe('a line', () => {
  it.each([
    ['steps', series(0, 0, 5, 10), 4, 'M0 100H2V50H3V0H4'],
    ['breaks where nothing is known', series(5, undefined, 5), 3, 'M0 50H1M2 50H3'],
    ['ends at the right edge', series(5, 10), 30, 'M28 50H29V0H30'],
    ['stays within its scale', series(-5, 20), 2, 'M0 100H1V0H2'],
    ['is nothing of nothing', series(undefined, undefined), 2, ''],
  ])('%s', (_what, values, window, path) => {
    expect(line(values, window)).toBe(path)
  })

  it('has as many pieces as there are runs of known values, whatever they are', () => {
    const value = fc.option(fc.float({ noNaN: true, noDefaultInfinity: true }), { nil: undefined })
    fc.assert(
      fc.property(fc.array(value, { maxLength: 50 }), (values) => {
        const path = line(series(...values), 360)
        const runs = values.filter((each, index) => each !== undefined && values[index - 1] === undefined)
        expect(path.match(/M/g)?.length ?? 0).toBe(runs.length)
        expect(path).toMatch(/^(?:[MHV][\d.]+(?: [\d.]+)?)*$/)
      }),
    )
  })
})

describe('a band', () => {
  it('lies between two lines, and breaks with them', () => {
    const band = bandOf(series(2, undefined, 4), series(4, undefined, 10), 3, { low: 0, high: 10 })
    expect(/ d="([^"]*)"/.exec(band)?.[1]).toBe('M0 80V60H1V80H0ZM2 60V0H3V60H2Z')
    expect(bandOf(series(undefined), series(undefined), 1, { low: 0, high: 1 })).toBe('')
  })
})

describe('a level', () => {
  it('is drawn only where it lies within the scale', () => {
    expect(levelOf(5, 'warning', 30, { low: 0, high: 10 })).toContain('d="M0 50H30"')
    expect(levelOf(11, 'warning', 30, { low: 0, high: 10 })).toBe('')
  })
})

describe('a strip', () => {
  it('has a bar for each run of one state, and each state its height', () => {
    const bars = [
      ...stripOf([true, true, undefined, false], 30).matchAll(
        /class="(\w+)" x="(\d+)" y="(\d+)" width="(\d+)"/g,
      ),
    ]
    expect(bars.map(([, ...bar]) => bar.join(' '))).toEqual(['good 26 70 2', 'unknown 28 40 1', 'bad 29 0 1'])
  })
})

describe('a summary', () => {
  it('is of what is known', () => {
    expect(summaryOf(series(3, undefined, 1, 2))).toEqual({
      now: 2,
      least: 1,
      median: 2,
      most: 3,
      unknown: 1,
    })
    expect(summaryOf(series(4, 1, 2, undefined))).toMatchObject({ now: undefined, median: 2 })
    expect(summaryOf(series(1, 2))).toMatchObject({ median: 1.5 })
    expect(summaryOf(series(undefined))).toBeUndefined()
    expect(summaryOf(series())).toBeUndefined()
  })
})

describe('a small plot', () => {
  it('keeps the peak of a long series in sixty points', () => {
    const values = new Float32Array(360).fill(1)
    values[100] = 50
    const svg = sparkline(values, 'label')
    expect(svg).toContain('viewBox="0 0 60 100"')
    expect(svg).toContain('V0H')
    expect(svg).toContain('role="img" aria-label="label"')
    expect(svg.length).toBeLessThan(400)
    expect(sparkline(series(undefined), 'label')).toBe('')
  })

  it('does not fill the gaps of a long series', () => {
    const values = new Float32Array(360).fill(1)
    values.fill(NaN, 60, 120)
    expect(sparkline(values, 'label').match(/M/g)).toHaveLength(2)
  })
})

describe('scales', () => {
  it.each([
    [0, 1],
    [1, 1],
    [1.1, 2],
    [0.00031, 0.0005],
    [0.2, 0.2],
    [26.25, 50],
    [99, 100],
  ])('of %d end at %d', (value, end) => {
    expect(roundUp(value)).toBeCloseTo(end, 10)
  })

  it.each([
    [0.012, 0.02],
    [40, 50],
    [55, 60],
    [3_700, 7_200],
    [18_000, 21_600],
    [200_000, 432_000],
  ])('of %d s end at %d s', (value, end) => {
    expect(roundUpSeconds(value)).toBeCloseTo(end, 10)
  })

  it('are wide enough for all points', () => {
    expect([1, 30, 31, 200, 360].map(windowFor)).toEqual([30, 30, 60, 360, 360])
  })
})
