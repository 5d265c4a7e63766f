// Log lines as people and programs get them.
import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { createLogger, logfmt } from '../../src/commands/logger.ts'
import { UsageError } from '../../src/commands/options.ts'

/** What reaches a terminal must not steer it, and a record must not become two. */
const STEERING = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/

function written(format: string, level = 'debug') {
  const lines: string[] = []
  return { lines, log: createLogger(level, format, (text) => lines.push(text)) }
}

describe('logfmt', () => {
  it.each([
    [{ a: 'plain', b: 1, c: true }, 'a=plain b=1 c=true'],
    [{ a: 'two words' }, 'a="two words"'],
    [{ a: '' }, 'a=""'],
    [{ a: 'x=y' }, 'a="x=y"'],
    [{ a: 'say "so"' }, String.raw`a="say \"so\""`],
    [{ a: String.raw`back\slash` }, String.raw`a="back\\slash"`],
    [{ a: null, b: undefined }, 'a=null b=""'],
    [{ a: ['x', 'y'] }, String.raw`a="[\"x\",\"y\"]"`],
    [{ a: 'naïve' }, 'a=naïve'],
  ])('%j', (record, line) => {
    expect(logfmt(record)).toBe(line)
  })

  it('lets nothing through that steers a terminal or ends the line, whatever a peer sent', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(logfmt({ detail: text, list: [text] })).not.toMatch(STEERING)
      }),
    )
    expect(logfmt({ a: 'red\u001b[31m\r\nlevel=info' })).toBe('a="red\ufffd[31m\ufffd\ufffdlevel=info"')
  })
})

describe('createLogger', () => {
  it('writes one logfmt line a record, with the time, the level, the fields and the message', () => {
    const { lines, log } = written('logfmt')
    log.warn({ host: 'kms01', reason: 'connect_timeout' }, 'no answer')
    log.debug({}, 'line\nfeed')
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(
      /^level=warn time=\d{4}-\d\d-\d\dT[\d:.]+Z host=kms01 reason=connect_timeout msg="no answer"\n$/,
    )
    expect(lines[1]).toMatch(/^level=debug [^\n]* msg="?line\ufffdfeed"?\n$/)
  })

  it('writes JSON, one line a record', () => {
    const { lines, log } = written('json')
    log.error({ host: 'kms01', err: new Error('broke\n\u001b[0m') }, 'failed\n')
    expect(lines).toHaveLength(1)
    expect(lines[0]?.trimEnd()).not.toMatch(/[\u0000-\u001f]/)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'error',
      host: 'kms01',
      msg: 'failed\n',
      err: { message: 'broke\n\u001b[0m' },
    })
  })

  it('lets nothing through in JSON that steers a terminal or ends the line, and loses nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const { lines, log } = written('json')
        log.info({ detail: text, list: [text] }, text)
        const [line = ''] = lines
        expect(lines).toHaveLength(1)
        expect(line.slice(0, -1)).not.toMatch(STEERING)
        expect(JSON.parse(line)).toMatchObject({ detail: text, list: [text], msg: text })
      }),
    )
    const { lines, log } = written('json')
    log.info({ [`\u009b2J`]: 'a\u009b31m\u202e\u2028b\u007f' }, '\u2066')
    expect(lines.join('').trimEnd()).not.toMatch(STEERING)
  })

  it.each([
    ['debug', 4],
    ['info', 3],
    ['warn', 2],
    ['error', 1],
  ])('at level %s writes %i of the four', (level, count) => {
    const { lines, log } = written('logfmt', level)
    for (const each of ['debug', 'info', 'warn', 'error'] as const) log[each]({}, each)
    expect(lines).toHaveLength(count)
  })

  it.each(['', 'trace', 'fatal', 'silent', 'INFO', 'toString'])('has no level "%s"', (level) => {
    expect(() => createLogger(level, 'json', () => {})).toThrow(UsageError)
  })

  it.each(['', 'text', 'JSON'])('has no format "%s"', (format) => {
    expect(() => createLogger('info', format, () => {})).toThrow(UsageError)
  })
})
