import { describe, expect, it } from 'vitest'
import { decodeNegotiate, encodeNegotiate, frameNbss } from '../../src/protocol/smb2.ts'
import {
  expectFraming,
  expectFramingTotal,
  expectNothingElse,
  expectTruncationsRefused,
  fromHex,
  joined,
  malformedBy,
  patched,
  toHex,
} from './support.ts'

const GUID = fromHex('000102030405060708090a0b0c0d0e0f')

// By hand from MS-SMB2 2.2.1.2 (header), 2.2.3 (body) and 2.2.3.1.1 (SHA-512 preauthentication integrity).
const REQUEST = `
  000000 9e
  fe534d42 4000 0000 00000000 0000 0100 00000000 00000000 0000000000000000 00000000 00000000
  0000000000000000 00000000000000000000000000000000
  2400 0500 0100 0000 00000000 000102030405060708090a0b0c0d0e0f 70000000 0100 0000
  0202 1002 0003 0203 1103 0000
  0100 2600 00000000 0100 2000 0100
  000102030405060708090a0b0c0d0e0f 000102030405060708090a0b0c0d0e0f`

const HEADER = `
  fe534d42 4000 0000 00000000 0000 0100 01000000 00000000 0000000000000000 00000000 00000000
  0000000000000000 00000000000000000000000000000000`

// By hand from MS-SMB2 2.2.4: dialect 2.1, clock 2024-02-29 12:34:56.25 UTC (computed with Python), no security buffer.
const SMB_2_1 = fromHex(`
  00 000080 ${HEADER}
  4100 0100 1002 0000 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 07000000 00008000 00008000 00008000
  a03d94b30b6bda01 0000000000000000 8000 0000 00000000`)

// The same for 3.1.1 with a security buffer and a negotiate context behind the fixed part.
const SMB_3_1_1 = joined(
  fromHex('00 0000b6'),
  patched(patched(SMB_2_1.slice(4), 68, '1103 0100'), 122, '0800 88000000'),
  fromHex('6006062b06010505 0100 2600 00000000 0100 2000 0100'),
  new Uint8Array(32).fill(0x5a),
)

// MS-SMB2 2.2.2: an error response; STATUS_NOT_SUPPORTED.
const DECLINED = fromHex(`00 000049 ${HEADER} 0900 00 00 00000000 00`)
const NOT_SUPPORTED = patched(DECLINED, 12, 'bb0000c0')

describe('encodeNegotiate', () => {
  it('writes the request as the specification lays it out', () => {
    expect(toHex(encodeNegotiate(GUID))).toBe(toHex(fromHex(REQUEST)))
  })

  it('wants a whole GUID', () => {
    expect(() => encodeNegotiate(GUID.slice(1))).toThrow(RangeError)
  })
})

describe('decodeNegotiate', () => {
  it('reads the dialect and the clock', () => {
    expect(decodeNegotiate(SMB_2_1)).toEqual({ status: 0, dialect: 0x0210, systemTimeSeconds: 1709210096.25 })
    expect(decodeNegotiate(SMB_3_1_1)).toEqual({
      status: 0,
      dialect: 0x0311,
      systemTimeSeconds: 1709210096.25,
    })
  })

  it('takes a refusal as an answer that tells nothing else', () => {
    expect(decodeNegotiate(NOT_SUPPORTED)).toEqual({
      status: 0xc00000bb,
      dialect: undefined,
      systemTimeSeconds: undefined,
    })
  })

  it('knows that a clock of zero is no clock', () => {
    expect(decodeNegotiate(patched(SMB_2_1, 108, '0000000000000000'))).toEqual({
      status: 0,
      dialect: 0x0210,
      systemTimeSeconds: undefined,
    })
  })

  it.each([
    ['our own request', fromHex(REQUEST), 20],
    ['SMB1', patched(SMB_2_1, 4, 'ff'), 4],
    ['another protocol', patched(SMB_2_1, 4, 'fd'), 4],
    ['a negative session response', fromHex('83000001 82'), 0],
    ['another command', patched(SMB_2_1, 16, '01'), 16],
    ['another message id', patched(SMB_2_1, 28, '01'), 28],
    ['a header of another size', patched(SMB_2_1, 8, '41'), 8],
    ['a body of another size', patched(SMB_2_1, 68, '42'), 68],
    ['a refusal that claims success', DECLINED, 68],
  ])('refuses %s', (_, bytes, offset) => {
    expect(malformedBy(() => decodeNegotiate(bytes))?.offset).toBe(offset)
  })

  it('refuses every truncation', () => {
    for (const message of [SMB_2_1, SMB_3_1_1, NOT_SUPPORTED])
      expectTruncationsRefused(message, decodeNegotiate)
  })

  it('refuses a truncation that its own length agrees with', () => {
    for (let length = 0; length < 128; length++) {
      const bytes = SMB_2_1.slice(0, 4 + length)
      bytes[3] = length
      expect(malformedBy(() => decodeNegotiate(bytes))).toBeDefined()
    }
  })

  it('gives an answer or a MalformedMessage for any bytes', () => {
    expectNothingElse([SMB_2_1, SMB_3_1_1, NOT_SUPPORTED], decodeNegotiate)
  })
})

describe('frameNbss', () => {
  it('asks for the length, then for the message', () => {
    for (const message of [SMB_2_1, SMB_3_1_1]) expectFraming(message, frameNbss)
    expect(frameNbss(fromHex('00010000'))).toBe(65_540)
  })

  it.each([
    ['a keep-alive', '85', 0],
    ['more than 64 KiB', '00010001', 1],
    ['an empty message', '00000000', 1],
  ])('refuses %s', (_, hex, offset) => {
    expect(malformedBy(() => frameNbss(fromHex(hex)))?.offset).toBe(offset)
  })

  it('is total and never changes its mind', () => {
    expectFramingTotal(frameNbss, 65_540, [SMB_2_1, fromHex('00000008')])
  })
})
