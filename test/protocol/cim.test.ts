import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  booleanOf,
  datetimeOf,
  listOf,
  textOf,
  uint32Of,
  type CimRow,
  type CimValue,
} from '../../src/protocol/cim.ts'
import { malformedBy } from './support.ts'

function row(value: CimValue): CimRow {
  return new Map([['x', value]])
}

describe('a property', () => {
  it('is found in any case, and absent is as nil', () => {
    expect(textOf(row('a'), 'X')).toBe('a')
    expect(textOf(row(null), 'X')).toBeUndefined()
    expect(textOf(row('a'), 'Y')).toBeUndefined()
    expect([listOf(row('a'), 'X'), listOf(row(['a', 'b']), 'X'), listOf(row(null), 'X')]).toEqual([
      ['a'],
      ['a', 'b'],
      [],
    ])
    expect([textOf(row(['a']), 'X'), textOf(row(['a', 'b']), 'X')]).toEqual(['a', undefined])
  })

  it.each([
    ['0', 0],
    ['1688', 1688],
    ['4294967294', 0xffff_fffe],
    ['4294967295', undefined],
    ['-1', undefined],
    ['-1073418219', 0xc004_f015],
    ['', undefined],
    [null, undefined],
  ])('%j as an unsigned 32-bit number is %j', (text, expected) => {
    expect(uint32Of(row(text), 'x')).toBe(expected)
  })

  it.each(['4294967296', '1.5', '0x10', '1e3', ' 1', 'five', '-2147483649'])(
    '%j is no such number',
    (text) => {
      expect(malformedBy(() => uint32Of(row(text), 'x'))).toBeDefined()
    },
  )

  it('is true or false in the spellings of Windows and of OMI', () => {
    expect(
      ['true', 'TRUE', '1', 'false', 'False', '0', '', null].map((text) => booleanOf(row(text), 'x')),
    ).toEqual([true, true, true, false, false, false, undefined, undefined])
    expect(malformedBy(() => booleanOf(row('yes'), 'x'))).toBeDefined()
  })
})

describe('a date', () => {
  const at = Date.UTC(2024, 1, 29, 23, 5, 7) / 1000

  it.each([
    ['2024-02-29T23:05:07Z', at],
    ['2024-02-29T23:05:07.913Z', at + 0.913],
    ['2024-02-29T23:05:07.84Z', at + 0.84],
    ['2024-03-01T01:05:07+02:00', at],
    ['2024-02-29T17:35:07-05:30', at],
    ['20240229230507.000000+000', at],
    ['20240301010507.500000+120', at + 0.5],
    ['20240229180507.000000-300', at],
    ['16010101000000.000000+000', undefined],
    ['1601-01-01T00:00:00Z', undefined],
    ['', undefined],
    [null, undefined],
  ])('%j is %j', (text, expected) => {
    const seconds = datetimeOf(row(text), 'x')
    if (expected === undefined) expect(seconds).toBeUndefined()
    else expect(seconds).toBeCloseTo(expected, 6)
  })

  it.each([
    '2023-02-29T00:00:00Z',
    '20241301000000.000000+000',
    '2024-02-29T24:00:00Z',
    '2024-02-29',
    '********000000.000000+000',
    'now',
  ])('%j is none', (text) => {
    expect(malformedBy(() => datetimeOf(row(text), 'x'))).toBeDefined()
  })

  it('comes back from any moment in any zone', () => {
    const moment = fc.date({ min: new Date(0), max: new Date('9999-12-30'), noInvalidDate: true })
    fc.assert(
      fc.property(moment, fc.integer({ min: -720, max: 840 }), (date, minutes) => {
        const local = new Date(date.getTime() + minutes * 60_000)
        if (local.getTime() < 0) return
        const digits = local.toISOString().replaceAll(/[-T:]|\..*/g, '')
        const zone = `${minutes < 0 ? '-' : '+'}${String(Math.abs(minutes)).padStart(3, '0')}`
        expect(datetimeOf(row(`${digits}.000000${zone}`), 'x')).toBe(Math.floor(date.getTime() / 1000))
      }),
    )
  })

  it('is decoded totally', () => {
    fc.assert(fc.property(fc.string(), (text) => void malformedBy(() => datetimeOf(row(text), 'x'))))
  })
})
