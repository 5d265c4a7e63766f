// The search for canaries finds them: else that nothing was found would say nothing.
import { expect, it } from 'vitest'
import { canary, expectNone, guisesOf, seenIn } from './canary.ts'

const SECRET = canary('found')

it.each([...guisesOf(SECRET)])('is found %s: %j', (_guise, form) => {
  expect(seenIn(`before ${form} after`, [SECRET])).not.toEqual([])
})

it.each(['', 'u:', 'reader:', 'CORP\\reader:'])('is found in the Authorization of "%s"', (before) => {
  const authorization = `Basic ${Buffer.from(before + SECRET).toString('base64')}`
  expect(() => expectNone('a header', authorization, [SECRET])).toThrow('a header')
})

it('is not found where it is not', () => {
  expectNone('another', guisesOf(canary('other')).join(' '), [SECRET])
  expectNone('nothing', '', [SECRET])
})
