import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { filetimeToUnixSeconds, ntpToUnixSeconds, parseHttpDate } from '../../src/protocol/time.ts'

describe('filetimeToUnixSeconds', () => {
  // Computed with Python's datetime as (when - 1601-01-01) in units of 100 ns.
  it.each([
    ['the Unix epoch', 116444736000000000n, 0],
    ['2009-07-25 23:00:00', 128930364000000000n, 1248562800],
    ['2024-02-29 12:34:56.25', 133536836962500000n, 1709210096.25],
    ['the last second of 9999', 2650467743990000000n, 253402300799],
  ])('reads %s', (_, filetime, seconds) => {
    expect(filetimeToUnixSeconds(filetime)).toBe(seconds)
  })

  it.each([
    ['zero, which is "not set"', 0n],
    ['a tick before 1970', 116444735999999999n],
    ['the year 10000', 2650467744000000000n],
    ['all ones', 0xffff_ffff_ffff_ffffn],
    ['"never"', 0x7fff_ffff_ffff_ffffn],
  ])('makes no time of %s', (_, filetime) => {
    expect(filetimeToUnixSeconds(filetime)).toBeUndefined()
  })

  it('keeps a microsecond in this century', () => {
    expect(filetimeToUnixSeconds(133536836960000010n)).toBeCloseTo(1709210096.000001, 6)
  })
})

describe('ntpToUnixSeconds', () => {
  // RFC 4330 section 3: 1900 is 2,208,988,800 s before 1970; era 1 begins at 2036-02-07 06:28:16.
  it.each([
    ['1970', 2208988800, 0, 0],
    ['half a second later', 2208988800, 0x8000_0000, 0.5],
    ['the last second of era 0', 0xffff_ffff, 0, 2085978495],
    ['the first fraction of era 1', 0, 0x4000_0000, 2085978496.25],
    ['the second after', 1, 0, 2085978497],
    ['the earliest of era 0, in 1968', 0x8000_0000, 0, -61505152],
    ['the last of era 1, in 2104', 0x7fff_ffff, 0, 4233462143],
  ])('reads %s', (_, seconds, fraction, expected) => {
    expect(ntpToUnixSeconds(seconds, fraction)).toBe(expected)
  })

  it('knows that 0/0 is no time', () => {
    expect(ntpToUnixSeconds(0, 0)).toBeUndefined()
  })
})

describe('parseHttpDate', () => {
  // The three examples of RFC 9110 5.6.7, all the same moment.
  it.each(['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])(
    'reads %s',
    (text) => {
      expect(parseHttpDate(text)).toBe(784111777)
    },
  )

  it.each([
    ['a leap day', 'Thu, 29 Feb 2024 23:59:59 GMT', 1709251199],
    ['a leap second, as the next minute', 'Sat, 31 Dec 2016 23:59:60 GMT', 1483228800],
    ['the century that the weekday names', 'Friday, 23-Aug-24 10:00:00 GMT', 1724407200],
    ['two digits of a day in asctime', 'Thu Feb 29 00:00:00 2024', 1709164800],
  ])('reads %s', (_, text, seconds) => {
    expect(parseHttpDate(text)).toBe(seconds)
  })

  it.each([
    ['nothing', ''],
    ['a weekday that disagrees', 'Mon, 06 Nov 1994 08:49:37 GMT'],
    ['a weekday that disagrees in both centuries', 'Monday, 06-Nov-94 08:49:37 GMT'],
    ['an abbreviation in the long form', 'Sun, 06-Nov-94 08:49:37 GMT'],
    ['another zone', 'Sun, 06 Nov 1994 08:49:37 CET'],
    ['an offset', 'Sun, 06 Nov 1994 08:49:37 +0000'],
    ['lower case', 'sun, 06 nov 1994 08:49:37 gmt'],
    ['a day that the month does not have', 'Wed, 30 Feb 2024 00:00:00 GMT'],
    ['day 0', 'Wed, 00 Feb 2024 00:00:00 GMT'],
    ['hour 24', 'Sun, 06 Nov 1994 24:00:00 GMT'],
    ['minute 60', 'Sun, 06 Nov 1994 08:60:00 GMT'],
    ['second 61', 'Sun, 06 Nov 1994 08:49:61 GMT'],
    ['an unknown month', 'Sun, 06 Nox 1994 08:49:37 GMT'],
    ['a time before 1970', 'Wed, 31 Dec 1969 23:59:59 GMT'],
    ['year 70 of the first century', 'Wed, 01 Jan 0070 00:00:00 GMT'],
    ['ISO 8601', '1994-11-06T08:49:37Z'],
    ['one digit too few', 'Sun, 6 Nov 1994 08:49:37 GMT'],
    ['blanks around', ' Sun, 06 Nov 1994 08:49:37 GMT '],
    ['a line after it', 'Sun, 06 Nov 1994 08:49:37 GMT\n'],
    ['a wide digit', 'Sun, 06 Nov 199４ 08:49:37 GMT'],
    ['great length', `Sun, 06 Nov 1994 08:49:37 GMT${' '.repeat(1e6)}`],
  ])('refuses %s', (_, text) => {
    expect(parseHttpDate(text)).toBeUndefined()
  })

  it('agrees with the platform on every second of a server', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253402300799 }), (seconds) => {
        // ECMA-262 prescribes the form of toUTCString, which is IMF-fixdate for these years.
        expect(parseHttpDate(new Date(seconds * 1000).toUTCString())).toBe(seconds)
      }),
    )
  })

  it('gives a number or undefined for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(['number', 'undefined']).toContain(typeof parseHttpDate(text))
      }),
    )
  })
})
