import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { DURATION_PATTERN, formatDuration, parseDuration } from '../../src/config/duration.ts'

describe('a duration', () => {
  for (const [text, seconds] of [
    ['15s', 15],
    ['1m30s', 90],
    ['500ms', 0.5],
    ['2h', 7200],
    ['1d', 86_400],
    ['1d2h3m4s5ms', 93_784.005],
    ['90s', 90],
    ['0s', 0],
    ['007s', 7],
  ] as const) {
    it(`${text} is ${seconds} seconds`, () => {
      expect(parseDuration(text)).toBe(seconds)
      expect(text).toMatch(new RegExp(DURATION_PATTERN))
    })
  }

  for (const text of [
    '',
    '5',
    's',
    '5 s',
    ' 5s',
    '5s ',
    '1.5s',
    '-5s',
    '30s1m',
    '1m1m',
    '5S',
    '5sec',
    '1w',
    '5s\n',
  ]) {
    it(`${JSON.stringify(text)} is none`, () => {
      expect(parseDuration(text)).toBeUndefined()
    })
  }

  it('is none where milliseconds are past counting', () => {
    expect(parseDuration('99999999999999999999d')).toBeUndefined()
  })

  it('is written in the largest units that fit', () => {
    expect([0, 0.5, 60, 90, 3600, 86_399.999, 93_784.005].map(formatDuration)).toEqual([
      '0s',
      '500ms',
      '1m',
      '1m30s',
      '1h',
      '23h59m59s999ms',
      '1d2h3m4s5ms',
    ])
  })

  it('comes back from its text the same, to the millisecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 12 }), (milliseconds) => {
        expect(parseDuration(formatDuration(milliseconds / 1000))).toBe(milliseconds / 1000)
      }),
    )
  })
})
