import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRc4 } from '../../src/protocol/rc4.ts'
import { fromHex, joined, toHex } from './support.ts'

describe('createRc4', () => {
  it.each([
    ['0102030405', 0, 'b2396305f03dc027ccc3524a0a1118a8'],
    ['0102030405', 4096, 'ff25b58995996707e51fbdf08b34d875'],
    ['0102030405060708090a0b0c0d0e0f10', 0, '9ac7cc9a609d1ef7b2932899cde41b97'],
    ['0102030405060708090a0b0c0d0e0f10', 16, '5248c4959014126a6e8a84f11d1a9e1c'],
  ])('with key %s, %d bytes on, is the stream of RFC 6229', (key, offset, expected) => {
    const stream = createRc4(fromHex(key))
    stream(new Uint8Array(offset))
    expect(toHex(stream(new Uint8Array(16)))).toBe(expected)
  })

  it('goes on where it was, however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (first, second) => {
        const key = fromHex('000102030405060708090a0b0c0d0e0f')
        const stream = createRc4(key)
        expect(joined(stream(first), stream(second))).toEqual(createRc4(key)(joined(first, second)))
      }),
    )
  })

  it('leaves what it is given as it is', () => {
    const bytes = fromHex('001122')
    createRc4(fromHex('01'))(bytes)
    expect(toHex(bytes)).toBe('001122')
  })
})
