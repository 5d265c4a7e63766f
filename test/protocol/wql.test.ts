import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quote, quoteTime, selectText } from '../../src/protocol/wql.ts'
import { malformedBy } from './support.ts'

describe('a SELECT', () => {
  it('names its columns and its class', () => {
    expect(selectText({ from: 'Win32_Service', columns: ['Name', 'State'] })).toBe(
      'SELECT Name, State FROM Win32_Service',
    )
    expect(selectText({ from: 'A', columns: ['B'], where: `B = ${quote('c')}` })).toBe(
      "SELECT B FROM A WHERE B = 'c'",
    )
  })

  it.each([
    ['every column', { from: 'A', columns: ['*'] }],
    ['no column', { from: 'A', columns: [] }],
    ['a class that is a clause', { from: 'A WHERE 1 = 1', columns: ['B'] }],
    ['a column that is an expression', { from: 'A', columns: ['B, C'] }],
  ])('of %s is not written', (_name, select) => {
    expect(malformedBy(() => selectText(select))).toBeDefined()
  })
})

describe('a literal', () => {
  it('has its quotes and backslashes escaped', () => {
    expect(quote("C:\\O'Neill")).toBe(String.raw`'C:\\O\'Neill'`)
  })

  it('ends where it should, whatever is in it', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("'", '\\', 'a', ' ') }), (text) => {
        // Read as WQL reads it: a backslash takes the next character along.
        expect(/^'((?:\\.|[^'\\])*)'$/s.exec(quote(text))?.[1]?.replaceAll(/\\(.)/gs, '$1')).toBe(text)
      }),
    )
  })

  it('of a time is DMTF in UTC, cut to the second', () => {
    expect(quoteTime(Date.UTC(2024, 1, 29, 23, 5, 7) / 1000 + 0.9)).toBe("'20240229230507.000000+000'")
  })
})
