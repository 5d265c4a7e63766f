import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { didYouMean, nearest } from '../../src/config/nearest.ts'
import * as values from '../../src/config/values.ts'

function endpoint(text: string) {
  return values.parseEndpoint(text, 53).value
}

describe('a name', () => {
  it('is kept in lower case and without the dot at its end', () => {
    expect(values.parseName('KMS01.Corp.Example.').value).toBe('kms01.corp.example')
    expect(values.parseName('_msdcs.corp.example').value).toBe('_msdcs.corp.example')
    expect(values.parseName('1a.2b').value).toBe('1a.2b')
  })

  for (const text of [
    '',
    '.',
    'a..b',
    '-a.b',
    'a-.b',
    'a b',
    'a/b',
    'a.b:1',
    '192.0.2.1',
    'a.1',
    'ä.b',
    'x'.repeat(64),
  ]) {
    it(`${JSON.stringify(text)} is none`, () => {
      expect(values.parseName(text).value).toBeUndefined()
    })
  }

  it('is at most 253 characters long', () => {
    const longest = `${'a.'.repeat(126)}a`
    expect(values.parseName(longest).value).toBe(longest)
    expect(values.parseName(`a${longest}b`).value).toBeUndefined()
  })

  it('may be an IP address where a host is named', () => {
    expect(values.parseHost('192.0.2.1').value).toBe('192.0.2.1')
    expect(values.parseHost('2001:DB8:0::1').value).toBe('2001:db8::1')
    expect(values.parseHost('[2001:db8::1]').value).toBeUndefined()
  })
})

describe('an address', () => {
  for (const [text, canonical] of [
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['::', '::'],
    ['2001:db8::0:0:1', '2001:db8::1'],
    ['192.0.2.1', '192.0.2.1'],
  ] as const) {
    it(`${text} is kept as ${canonical}`, () => {
      expect(values.parseAddress(text).value).toBe(canonical)
    })
  }

  it('stays what it is once it is canonical', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const { value } = values.parseAddress(text)
        expect(value).toBeDefined()
        expect(values.parseAddress(value ?? '').value).toBe(value)
      }),
    )
  })

  it('with leading zeros is none: who reads them as octal gets another host', () => {
    expect(values.parseAddress('192.0.02.1').value).toBeUndefined()
  })
})

describe('an endpoint', () => {
  it('has the default port unless it names one', () => {
    expect(endpoint('192.0.2.1')).toEqual({ address: '192.0.2.1', port: 53 })
    expect(endpoint('192.0.2.2:5353')).toEqual({ address: '192.0.2.2', port: 5353 })
    expect(endpoint('2001:db8::1')).toEqual({ address: '2001:db8::1', port: 53 })
    expect(endpoint('[2001:DB8::1]')).toEqual({ address: '2001:db8::1', port: 53 })
    expect(endpoint('[2001:db8::1]:5353')).toEqual({ address: '2001:db8::1', port: 5353 })
  })

  for (const text of [
    '',
    ':53',
    '192.0.2.1:',
    '192.0.2.1:0',
    '192.0.2.1:65536',
    '[::1',
    '[::1]53',
    'a.example:53',
  ]) {
    it(`${JSON.stringify(text)} is none`, () => {
      expect(endpoint(text)).toBeUndefined()
    })
  }

  it('may be named where a time server is meant', () => {
    expect(values.parseReference('NTP.corp.example:10123', 123).value).toEqual({
      host: 'ntp.corp.example',
      port: 10123,
    })
    expect(values.parseReference('ntp', 123).value).toEqual({ host: 'ntp', port: 123 })
    expect(values.parseReference('[::1]:1', 123).value).toEqual({ host: '::1', port: 1 })
  })
})

describe('a schedule', () => {
  it('is a duration from a second to a day, or a cron expression of 5 or 6 fields', () => {
    expect(values.parseSchedule('1m30s').value).toEqual({ kind: 'every', seconds: 90 })
    expect(values.parseSchedule('1s').value).toEqual({ kind: 'every', seconds: 1 })
    expect(values.parseSchedule('1d').value).toEqual({ kind: 'every', seconds: 86_400 })
    expect(values.parseSchedule(' */15  * * * * * ').value).toEqual({
      kind: 'cron',
      expression: '*/15 * * * * *',
    })
    expect(values.parseSchedule('0 6 * * 1').value).toEqual({ kind: 'cron', expression: '0 6 * * 1' })
    expect(values.parseSchedule('999ms').value).toBeUndefined()
    expect(values.parseSchedule('1d1s').value).toBeUndefined()
    expect(values.parseSchedule('* * * * * * *').value).toBeUndefined()
  })

  it('has a timeout from 100 milliseconds to 5 minutes', () => {
    expect(['100ms', '5m', '99ms', '5m1ms', '5', 'x'].map((text) => values.parseTimeout(text).value)).toEqual(
      [0.1, 300, undefined, undefined, undefined, undefined],
    )
  })
})

describe('how much is read at first', () => {
  it('is an hour to sixty days', () => {
    expect(
      ['1h', '60d', '36h', '59m59s', '60d1s', '30', 'x'].map((text) => values.parseFirstRead(text).value),
    ).toEqual([3600, 60 * 86_400, 129_600, undefined, undefined, undefined, undefined])
  })
})

describe('a fingerprint', () => {
  const digits = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

  it('is 64 digits in lower case, however it is written', () => {
    for (const text of [digits, digits.toUpperCase(), digits.replaceAll(/..(?=.)/g, '$&:')])
      expect(values.parseFingerprint(text).value).toBe(digits)
  })

  for (const text of [
    '',
    digits.slice(1),
    `${digits}0`,
    `${digits.slice(1)}g`,
    `sha256 Fingerprint=${digits}`,
  ]) {
    it(`${JSON.stringify(text)} is none`, () => {
      expect(values.parseFingerprint(text).value).toBeUndefined()
    })
  }

  it('of SHA-1, as Windows shows it, is named as such', () => {
    expect(values.parseFingerprint('DA39A3EE5E6B4B0D3255BFEF95601890AFD80709')).toEqual({
      problem: 'is a SHA-1 fingerprint',
      hint: 'give the SHA-256: openssl x509 -noout -fingerprint -sha256',
    })
  })
})

describe('the nearest word', () => {
  const keys = ['schedule', 'timeout', 'password_file', 'password_env', 'port']

  for (const [word, meant] of [
    ['scheduel', 'schedule'],
    ['Timeout', 'timeout'],
    ['time-out', 'timeout'],
    ['prot', 'port'],
    ['password-file', 'password_file'],
    ['interval', undefined],
    ['', undefined],
    ['x'.repeat(100_000), undefined],
  ] as const) {
    it(`to ${word.slice(0, 20) || 'nothing'} is ${meant ?? 'none'}`, () => {
      expect(nearest(word, keys)).toBe(meant)
    })
  }

  it('is asked after, not asserted', () => {
    expect(didYouMean('prot', keys)).toBe('did you mean "port"?')
    expect(didYouMean('prot', [])).toBeUndefined()
  })
})
