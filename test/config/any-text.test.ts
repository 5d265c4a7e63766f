// Whatever is in the file: an answer, never an exception, with every problem at a place that the text has.
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { stringify } from 'yaml'

import { exampleConfig } from '../../src/config/example.ts'
import { formatProblem, parseConfig } from '../../src/config/load.ts'
import { renderConfig } from '../../src/config/mask.ts'
import { estates, stubEstatePassword } from './estate.ts'

const CANARY = 'xK7canaryQ'
const options = { file: 'winkms.yml', checkCron: () => undefined }

function outcome(text: string) {
  const { config, problems } = parseConfig(text, options)
  expect(config === undefined).toBe(problems.length > 0)
  const lines = text.replace(/^\uFEFF/, '').split('\n')
  let before = { line: 1, column: 1 }
  for (const { line, column } of problems) {
    const length = lines[line - 1]?.length
    expect(length, `line ${line} of ${lines.length}`).toBeDefined()
    expect(column).toBeGreaterThanOrEqual(1)
    expect(column).toBeLessThanOrEqual((length ?? 0) + 1)
    expect(line > before.line || (line === before.line && column >= before.column)).toBe(true)
    before = { line, column }
  }
  for (const problem of problems) expect(formatProblem(problem)).not.toMatch(/[\r\n]/)
  return { config, problems }
}

/** Text with a few cuts, insertions and doublings, where YAML is touchiest. */
function mutated(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.constantFrom(
      '\n',
      ' ',
      '  ',
      '\t',
      ':',
      ': ',
      '- ',
      '? ',
      '[',
      ']',
      '{',
      '}',
      '"',
      "'",
      '&a ',
      '*a',
      '!x ',
      '|\n',
      '%',
      '---\n',
    ),
    fc.constantFrom(
      'null',
      '5',
      '-1',
      '.nan',
      'true',
      '<<: ',
      '__proto__: ',
      'constructor: ',
      '\0',
      '\u2028',
      '\r',
      '#',
    ),
    fc.string({ maxLength: 5, unit: 'binary' }),
  )
  const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), cut: fc.nat(12), piece })
  return fc.tuple(texts, fc.array(edit, { minLength: 1, maxLength: 4 })).map(([text, edits]) =>
    edits.reduce((edited, { at, cut, piece }) => {
      const from = Math.floor(at * edited.length)
      return edited.slice(0, from) + piece + edited.slice(from + cut)
    }, text),
  )
}

const SECRETIVE = `hosts:
  - name: kms01.corp.example
    windows: { via: windows_exporter, url: 'https://reader:${CANARY}@kms01.corp.example/metrics', credentials: reader }
credentials:
  reader:
    auth: basic
    username: reader
    password: ${CANARY}
    password_env: ${CANARY}
  other: { auth: basic, username: other, password: ${CANARY} }
`

describe('any text', () => {
  beforeAll(() => {
    vi.stubEnv('WINKMS_TEST_PASSWORD', CANARY)
    stubEstatePassword(CANARY)
  })
  afterAll(() => {
    vi.unstubAllEnvs()
  })

  it('gets an answer', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom(...Array.from(' \n\t:-?[]{}"\'&*!|>%#a1,')) }),
    )
    fc.assert(
      fc.property(texts, (text) => void outcome(text)),
      { numRuns: 400 },
    )
  })

  it('gets one where any value stands', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom('hosts', 'clients', 'domains', 'credentials', 'probes', 'resolvers', 'limits'),
        (value, key) => {
          outcome(stringify({ [key]: value }))
          outcome(stringify({ [key]: [value] }))
          outcome(stringify({ [key]: { port: value, a: value, clock: value } }))
          outcome(stringify(value))
        },
      ),
      { numRuns: 100 },
    )
  })

  it('gets one where any value stands in a way to Windows or a logon', () => {
    const any = (keys: readonly string[]) =>
      fc.dictionary(
        fc.constantFrom(...keys),
        fc.oneof(fc.jsonValue(), fc.constantFrom('.', '', 'a', 'http://a/')),
      )
    const ways = any(['url', 'credentials', 'allow_unencrypted', 'registry', 'tls'])
    const files = ['password_file', 'keytab_file', 'cache_file', 'certificate_file', 'key_file']
    const logons = any(['username', 'password_env', ...files])
    const tls = any(['ca_file', 'server_name', 'fingerprint'])
    const via = fc.oneof(fc.constantFrom('windows_exporter', 'winrm', 'local'), fc.jsonValue())
    const auth = fc.oneof(fc.constantFrom('basic', 'ntlm', 'kerberos', 'certificate'), fc.jsonValue())
    fc.assert(
      fc.property(ways, tls, logons, via, auth, (way, tls, logon, via, auth) => {
        const windows = { tls, ...way, via }
        const hosts = [{ name: 'a.b', windows, serves: [via], probes: { activity: { first_read: auth } } }]
        outcome(stringify({ hosts, clients: hosts, credentials: { a: { ...logon, auth } } }))
      }),
      { numRuns: 300 },
    )
  })

  it('gets one when the example is damaged', () => {
    fc.assert(
      fc.property(mutated(fc.constant(exampleConfig)), (text) => void outcome(text)),
      { numRuns: 300 },
    )
  })

  it('that is valid loads, with no problem', () => {
    fc.assert(
      fc.property(estates, (estate) => {
        const { config, problems } = outcome(stringify(estate))
        expect(problems).toEqual([])
        expect(JSON.stringify(config)).not.toContain(CANARY)
      }),
      { numRuns: 200 },
    )
  })

  it('keeps its password to itself where it stands in the wrong place', () => {
    const { problems } = outcome(SECRETIVE)
    expect(problems.map(({ key }) => key)).toEqual([
      'hosts[0].windows.url',
      'credentials.reader.password',
      'credentials.reader.password_env',
      'credentials.other',
      'credentials.other.password',
    ])
    expect(JSON.stringify(problems)).not.toContain(CANARY)
  })

  it('keeps its password to itself when it is damaged around it', () => {
    // A colon is not among the damages: it makes the password a key, and an unknown key is named.
    const parts = SECRETIVE.split(/(password: |password_env: |\n *)/)
    const damaged = fc
      .array(
        fc.record({
          at: fc.nat(parts.length - 1),
          by: fc.constantFrom('', ' ', '\n', '  ', '{', '[', '"', '&a ', '! '),
        }),
        {
          minLength: 1,
          maxLength: 3,
        },
      )
      .map((edits) => {
        const edited = [...parts]
        for (const { at, by } of edits) edited[at] = by + (edited[at] ?? '')
        return edited.join('')
      })
    fc.assert(
      fc.property(damaged, (text) => {
        const { config, problems } = outcome(text)
        expect(problems.map(formatProblem).join('\n')).not.toContain(CANARY)
        expect(config === undefined ? '' : renderConfig(config)).not.toContain(CANARY)
      }),
      { numRuns: 400 },
    )
  })

  it('keeps the password that it names out of what is rendered', () => {
    const { config } = outcome(
      `credentials: { reader: { auth: basic, username: r, password_env: WINKMS_TEST_PASSWORD } }`,
    )
    if (config === undefined) throw new Error('unreachable: the file is good')
    expect(renderConfig(config)).toContain('password_env: WINKMS_TEST_PASSWORD')
    expect(renderConfig(config) + JSON.stringify(config)).not.toContain(CANARY)
  })
})
