import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MalformedMessage } from '../../src/model/failure.ts'
import { Reader, equalBytes, printableAscii } from '../../src/protocol/bytes.ts'
import { fromHex, malformedBy, toHex } from './support.ts'

const COUNTING = fromHex('0102030405060708090a0b0c0d0e0f10')

describe('Reader', () => {
  it('reads numbers in the byte order asked for', () => {
    const reader = new Reader(COUNTING)
    expect(reader.u8()).toBe(0x01)
    expect(reader.u16le()).toBe(0x0302)
    expect(reader.u16be()).toBe(0x0405)
    expect(reader.u32le()).toBe(0x09080706)
    expect(reader.u32be()).toBe(0x0a0b0c0d)
    expect(reader.offset).toBe(13)
    expect(reader.remaining).toBe(3)
    expect(new Reader(COUNTING).u64le()).toBe(0x0807060504030201n)
    expect(new Reader(fromHex('ffffffffffffffff')).u64le()).toBe(0xffff_ffff_ffff_ffffn)
    expect(new Reader(fromHex('ffffffff')).u32le()).toBe(0xffff_ffff)
  })

  it('sees a view of a larger buffer as the whole message', () => {
    const reader = new Reader(COUNTING.subarray(4, 8))
    expect(toHex(reader.bytes(4))).toBe('05060708')
    expect(malformedBy(() => reader.u8())?.offset).toBe(4)
  })

  it('starts a second cursor without moving the first', () => {
    const reader = new Reader(COUNTING)
    reader.skip(2)
    const other = reader.at(8)
    expect(other.u8()).toBe(0x09)
    expect(reader.u8()).toBe(0x03)
    expect(reader.at(16).remaining).toBe(0)
    expect(malformedBy(() => reader.at(17))?.offset).toBe(17)
    expect(() => reader.at(-1)).toThrow(MalformedMessage)
  })

  it('refuses to go backwards', () => {
    const reader = new Reader(COUNTING, 8)
    expect(() => reader.skip(-1)).toThrow(MalformedMessage)
    expect(() => reader.bytes(-8)).toThrow(MalformedMessage)
    expect(reader.offset).toBe(8)
  })

  it('throws MalformedMessage at the offset of any read past the end, and stays where it was', () => {
    const reads: ReadonlyArray<readonly [number, (reader: Reader) => unknown]> = [
      [1, (reader) => reader.u8()],
      [2, (reader) => reader.u16le()],
      [2, (reader) => reader.u16be()],
      [4, (reader) => reader.u32le()],
      [4, (reader) => reader.u32be()],
      [8, (reader) => reader.u64le()],
      [5, (reader) => reader.bytes(5)],
      [3, (reader) => reader.skip(3)],
    ]
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 16 }), fc.constantFrom(...reads), (bytes, [size, read]) => {
        for (let offset = 0; offset <= bytes.length; offset++) {
          const reader = new Reader(bytes, offset)
          const error = malformedBy(() => read(reader))
          const fits = offset + size <= bytes.length
          expect(error?.offset).toBe(fits ? undefined : offset)
          expect(reader.offset).toBe(fits ? offset + size : offset)
        }
      }),
    )
  })
})

describe('equalBytes and printableAscii', () => {
  it('compares content and length', () => {
    expect(equalBytes(fromHex('0102'), fromHex('0102'))).toBe(true)
    expect(equalBytes(fromHex('0102'), fromHex('0103'))).toBe(false)
    expect(equalBytes(fromHex('0102'), fromHex('01'))).toBe(false)
  })

  it('lets nothing but printable ASCII through', () => {
    expect(printableAscii(fromHex('41 7e 20 0a 1b 00 7f c3a9'))).toBe('A~ ??????')
  })
})
