// The simulator's WQL against the WQL reference: what each operator selects, and what is no query.
import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import type { CimClasses } from '../../src/lab/wql.ts'
import { select } from '../../src/lab/wql.ts'

const INVALID_QUERY = 0x8004_1017
const INVALID_CLASS = 0x8004_1010

const CLASSES: CimClasses = {
  Thing: {
    properties: ['Name', 'Size', 'Made', 'Live', 'Tags'],
    instances: () => [
      { Name: 'alpha', Size: 1, Made: new Date('2024-01-02T03:04:05Z'), Live: true, Tags: ['x', 'y'] },
      { Name: "it's", Size: 20, Made: new Date('2024-06-01T00:00:00Z'), Live: false, Tags: [] },
      { Name: String.raw`C:\a%b_c`, Size: 4_294_967_295, Made: null, Live: null, Tags: null },
      { Name: null, Size: null, Made: null, Live: null },
    ],
  },
}

/** Sizes of what is selected, or the HRESULT. */
function sizes(where: string): unknown {
  const selection = select(`SELECT Size FROM Thing WHERE ${where}`, CLASSES)
  return typeof selection === 'number' ? selection : selection.rows.map(({ Size }) => Size)
}

describe('WHERE', () => {
  it.each([
    ["Name = 'ALPHA'", [1]],
    ['Name = "alpha"', [1]],
    [String.raw`Name = 'it\'s'`, [20]],
    [String.raw`Name = 'C:\\A%B_C'`, [4_294_967_295]],
    ["Name <> 'alpha'", [20, 4_294_967_295]],
    ["Name != 'alpha'", [20, 4_294_967_295]],
    ['Name <> NULL', [1, 20, 4_294_967_295]],
    ['Name = null', [null]],
    ['Name IS NULL', [null]],
    ['name is not null', [1, 20, 4_294_967_295]],
    ['Size > 1', [20, 4_294_967_295]],
    ['Size >= 20 AND Size < 100', [20]],
    ["Size = '20'", [20]],
    ['Size <= 1', [1]],
    ['Live = TRUE', [1]],
    ['Live = 0', [20]],
    ["Name LIKE 'al%'", [1]],
    ["Name LIKE '_T_S'", [20]],
    ["Name LIKE '%[%]b[_]c'", [4_294_967_295]],
    ["Name LIKE '[a=c]l%'", [1]],
    ["Made = '20240102030405.000000+000'", [1]],
    ["Made = '20240102040405.000000+060'", [1]],
    ["Made > '20240102030405.000000+000'", [20]],
    ["Made < '20240601000000.000000-060'", [1, 20]],
    ['Size = 1 OR Size = 20 AND Live = TRUE', [1]],
    ['(Size = 1 OR Size = 20) AND Live = FALSE', [20]],
    ['NOT (Size = 1 OR Size = 20)', [4_294_967_295, null]],
    ['Size = 1 or size = 20', [1, 20]],
  ])('%s', (where, expected) => {
    expect(sizes(where)).toEqual(expected)
  })

  it.each([
    ['a column that the class does not have', "Colour = 'red'"],
    ['a name compared with a number', 'Name = 5'],
    ['a date in another form', "Made > '2024-01-01'"],
    ['an array', "Tags = 'x'"],
    ['less than null', 'Size < NULL'],
    ['a string that does not end', "Name = 'alpha"],
    ['a parenthesis that does not close', '(Size = 1'],
    ['nothing to compare with', 'Size ='],
    ['more after the end', 'Size = 1; DELETE'],
    ['nothing at all', ''],
    ['a set that is none', "Name LIKE '[z=a]'"],
    ['a word for a value', 'Name = alpha'],
  ])('%s is an invalid query', (_what, where) => {
    expect(sizes(where)).toBe(INVALID_QUERY)
  })
})

describe('SELECT', () => {
  it('projects, whatever the case, in the order of the class', () => {
    expect(select('select SIZE, name from THING where Size = 1', CLASSES)).toEqual({
      className: 'Thing',
      columns: ['Name', 'Size'],
      rows: [{ Name: 'alpha', Size: 1 }],
    })
  })

  it('of * has every property, those that an instance lacks as null', () => {
    const selection = select('SELECT * FROM Thing WHERE Name IS NULL', CLASSES)
    expect(selection).toEqual({
      className: 'Thing',
      columns: undefined,
      rows: [{ Name: null, Size: null, Made: null, Live: null, Tags: null }],
    })
  })

  it.each([
    ['SELECT Colour FROM Thing', INVALID_QUERY],
    ['SELECT Name FROM Nothing', INVALID_CLASS],
    ['SELECT FROM Thing', INVALID_QUERY],
    ['SELECT Name, FROM Thing', INVALID_QUERY],
    ['UPDATE Thing SET Size = 1', INVALID_QUERY],
    ['DELETE FROM Thing', INVALID_QUERY],
    ['SELECT Name FROM Thing HAVING Size', INVALID_QUERY],
    ['', INVALID_QUERY],
    [`SELECT Name FROM Thing WHERE ${'('.repeat(20_000)}`, INVALID_QUERY],
  ])('%.40s is refused', (query, hresult) => {
    expect(select(query, CLASSES)).toBe(hresult)
  })

  it('answers any text', () => {
    const words = fc.constantFrom(
      'SELECT',
      '*',
      'FROM',
      'Thing',
      'WHERE',
      'Name',
      '=',
      'LIKE',
      "'[",
      '(',
      ')',
      'AND',
    )
    const texts = fc.oneof(
      fc.string(),
      fc.array(words).map((each) => each.join(' ')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        const answer = select(text, CLASSES)
        return typeof answer === 'number' || answer.rows.length <= 4
      }),
      { numRuns: 2000 },
    )
  })
})
