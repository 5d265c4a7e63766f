import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { booleanOf, datetimeOf, uint32Of } from '../../src/protocol/cim.ts'
import { decodeScriptOutput } from '../../src/protocol/powershell-json.ts'
import { malformedBy } from './support.ts'

// As ConvertTo-Json -Compress of Windows PowerShell 5.1 writes it: CRLF, quotes and angle brackets as \u escapes.
const PRINTED = [
  '\uFEFF{"row":{"Name":"sppsvc","ExitCode":"0","Count":"4294967295","Enabled":"True","Started":null}}',
  '{"row":{"Name":"a \\u003cb\\u003e \\u0027c\\u0027","When":"2026-11-24T08:00:00.5000000Z","List":["one"],"None":[]}}',
  '{"end":"2"}',
  '',
].join('\r\n')

describe('decodeScriptOutput', () => {
  it('gives rows with the values that Windows has', () => {
    const { rows } = decodeScriptOutput(PRINTED)
    expect(rows?.map((row) => Object.fromEntries(row))).toEqual([
      { name: 'sppsvc', exitcode: '0', count: '4294967295', enabled: 'True', started: null },
      { name: "a <b> 'c'", when: '2026-11-24T08:00:00.5000000Z', list: ['one'], none: [] },
    ])
    const [first, second] = rows ?? []
    expect(first && uint32Of(first, 'Count')).toBeUndefined()
    expect(first && booleanOf(first, 'Enabled')).toBe(true)
    expect(second && datetimeOf(second, 'When')).toBe(Date.UTC(2026, 10, 24, 8) / 1000 + 0.5)
  })

  it('passes over what PowerShell says besides', () => {
    expect(decodeScriptOutput('WARNING: slow\r\n{"end":"0"}\r\n')).toEqual({ rows: [] })
  })

  it('gives a failure with its names and number, whatever came before', () => {
    const text =
      '{"row":{"a":"1"}}\n{"failure":{"kind":"CimException","native":"AccessDenied","hresult":"-2147217405"}}\n'
    expect(decodeScriptOutput(text)).toEqual({
      failure: { kind: 'CimException', native: 'AccessDenied', hresult: -2147217405 },
    })
    expect(decodeScriptOutput('{"failure":{"hresult":{}}}').failure).toEqual({
      kind: '',
      native: '',
      hresult: 0,
    })
  })

  it.each([
    ['nothing', ''],
    ['no end', '{"row":{"a":"1"}}\n'],
    ['an end that counts otherwise', '{"row":{"a":"1"}}\n{"end":"2"}\n'],
    ['a line cut off', '{"row":{"a":"1"'],
    ['a nested value', '{"row":{"a":{"b":"1"}}}\n{"end":"1"}'],
    ['a number', '{"row":{"a":1}}\n{"end":"1"}'],
    ['a list within a list', '{"row":{"a":[["1"]]}}\n{"end":"1"}'],
  ])('takes %s for malformed', (_what, text) => {
    expect(malformedBy(() => decodeScriptOutput(text))).toBeDefined()
  })

  it('throws nothing else, whatever is printed', () => {
    const line = fc.oneof(
      fc.string(),
      fc.json(),
      fc.jsonValue().map((row) => JSON.stringify({ row })),
    )
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        malformedBy(() => decodeScriptOutput(lines.join('\n')))
      }),
    )
  })
})
