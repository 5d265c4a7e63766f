// What a peer says of the logon is shown without it, and what it says of anything else is shown.
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { maskOf } from '../../../src/io/windows/reflected.ts'
import { canary, guisesOf, seenIn } from '../../secrets/canary.ts'

const PASSWORD = canary('mask')
/** A fault is read as text on one line: these do not come as they are. And a hash is nothing that a peer is sent. */
const NOT_SAID = /^UTF-16LE$|hash|in HTML|in JSON|half|base64/

it.each(guisesOf(PASSWORD).filter(([guise]) => !NOT_SAID.test(guise)))('masks it %s: %s', (_guise, form) => {
  const shown = maskOf(PASSWORD)(`before ${form} after ${form}`)
  expect(seenIn(shown, [PASSWORD])).toEqual([])
  expect(shown).toMatch(/^before .*<secret>.* after .*<secret>/)
})

it.each(['', 'u:', 'ab:', 'reader:', 'CORP\\reader:'])('masks it in base64 after "%s"', (before) => {
  for (const [text, encoding] of [
    [before + PASSWORD, 'utf8'],
    [before + PASSWORD, 'utf16le'],
    [`${before}${PASSWORD} and more`, 'utf8'],
  ] as const) {
    for (const way of ['base64', 'base64url'] as const) {
      const shown = maskOf(PASSWORD)(`it was ${Buffer.from(text, encoding).toString(way)}, and is not`)
      expect(shown).toBe('it was <secret>, and is not')
    }
  }
})

it.each(['Basic', 'Negotiate', 'Kerberos', 'NTLM'])('masks any %s, with and without a password', (scheme) => {
  for (const password of [undefined, PASSWORD])
    expect(maskOf(password)(`authorization: ${scheme} ${'TlRMTVNTUAADAAAA'.repeat(9)}== was sent`)).toBe(
      `authorization: ${scheme} <secret> was sent`,
    )
})

it.each(['', 'a', 'abc'])('does not search for what is hardly a password: "%s"', (password) => {
  const words = 'abc is what it says, a1b2c3d4e5f6 and so on'
  expect(maskOf(password)(words)).toBe(words)
})

it('leaves words alone', () => {
  const words =
    'Access is denied. The WS-Management service cannot process the request: the class Win32_Service is not there. 0x80041003'
  for (const password of [undefined, 'four', PASSWORD]) expect(maskOf(password)(words)).toBe(words)
})

it('takes any password and any words, and does not take long', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', minLength: 4 }),
      fc.string({ unit: 'binary' }),
      (password, around) => {
        const shown = maskOf(password)(`${around}${password}${around}`)
        if (!'<secret>'.includes(password))
          expect(shown.includes(password) && !around.includes(password)).toBe(false)
      },
    ),
  )
  const long = 'Basic '.repeat(100_000) + 'A'.repeat(1_000_000)
  expect(maskOf(PASSWORD)(long).length).toBeLessThan(long.length)
})
