import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeReply, encodeRequest } from '../../src/protocol/ntp.ts'
import {
  expectNothingElse,
  expectTruncationsRefused,
  fromHex,
  joined,
  malformedBy,
  patched,
  toHex,
} from './support.ts'

const NONCE = fromHex('f0e1d2c3b4a59687')

// By hand from RFC 5905 figure 8: no leap, version 4, server; stratum 2, poll 2^6, precision 2^-20; root delay 1.5 s and
// dispersion 0.25 s in 16.16; reference 192.0.2.1; receive 1970-01-01 00:00:00.5 and transmit a quarter later.
const REPLY = fromHex(`
  24 02 06 ec 00018000 00004000 c0000201 83aa7e7000000000
  f0e1d2c3b4a59687 83aa7e8080000000 83aa7e80c0000000`)

// The same from an unsynchronised server (RFC 4330 section 5): leap 3, stratum 0, everything about its source zero.
const UNSYNCHRONISED = joined(
  fromHex('e4 00 06 ec 00000000 00000000 00000000 0000000000000000'),
  REPLY.slice(24),
)

describe('encodeRequest', () => {
  it('is empty but for version 4, mode 3 and the nonce', () => {
    expect(toHex(encodeRequest(NONCE))).toBe(`23${'00'.repeat(39)}f0e1d2c3b4a59687`)
  })

  it('wants a whole timestamp', () => {
    expect(() => encodeRequest(NONCE.slice(1))).toThrow(RangeError)
  })
})

describe('decodeReply', () => {
  it('reads every field in seconds', () => {
    expect(decodeReply(REPLY, NONCE)).toEqual({
      leap: 0,
      version: 4,
      mode: 4,
      stratum: 2,
      referenceId: '192.0.2.1',
      rootDelaySeconds: 1.5,
      rootDispersionSeconds: 0.25,
      precisionSeconds: 2 ** -20,
      receiveSeconds: 0.5,
      transmitSeconds: 0.75,
      kissCode: undefined,
    })
  })

  it('takes an unsynchronised server for what it is, and not for a refusal', () => {
    expect(decodeReply(UNSYNCHRONISED, NONCE)).toMatchObject({
      leap: 3,
      stratum: 0,
      referenceId: '',
      kissCode: undefined,
      receiveSeconds: 0.5,
    })
  })

  it.each([
    ['a refusal by its code', '00', '52415445', { referenceId: 'RATE', kissCode: 'RATE' }],
    ['a primary source by its name', '01', '47505300', { referenceId: 'GPS', kissCode: undefined }],
    ['the local clock of Windows', '01', '4c4f434c', { referenceId: 'LOCL', kissCode: undefined }],
    ['control characters as question marks', '00', '1b5b324a', { referenceId: '?[2J', kissCode: undefined }],
    [
      'any bytes of a secondary source',
      '03',
      '1b0affe9',
      { referenceId: '27.10.255.233', kissCode: undefined },
    ],
  ])('reads %s', (_, stratum, reference, expected) => {
    expect(decodeReply(patched(patched(REPLY, 1, stratum), 12, reference), NONCE)).toMatchObject(expected)
  })

  it('reads signed fields as signed', () => {
    const bytes = patched(patched(REPLY, 3, '02'), 4, 'ffff8000')
    expect(decodeReply(bytes, NONCE)).toMatchObject({ precisionSeconds: 4, rootDelaySeconds: -0.5 })
  })

  it('knows that a timestamp of zero is unknown', () => {
    const bytes = patched(REPLY, 32, '00000000000000000000000000000000')
    expect(decodeReply(bytes, NONCE)).toMatchObject({ receiveSeconds: undefined, transmitSeconds: undefined })
  })

  it('ignores a message authentication code', () => {
    expect(decodeReply(joined(REPLY, new Uint8Array(20)), NONCE)).toEqual(decodeReply(REPLY, NONCE))
  })

  it.each([
    ['our own request', encodeRequest(NONCE), 0],
    ['a broadcast', patched(REPLY, 0, '25'), 0],
    ['a control message', patched(REPLY, 0, '26'), 0],
    ['the reply to another request', patched(REPLY, 31, '88'), 24],
  ])('refuses %s', (_, bytes, offset) => {
    expect(malformedBy(() => decodeReply(bytes, NONCE))?.offset).toBe(offset)
  })

  it('refuses every truncation', () => {
    expectTruncationsRefused(REPLY, (bytes) => decodeReply(bytes, NONCE))
  })

  it('takes exactly the replies that repeat the nonce', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.nat({ max: 63 }), (nonce, bit) => {
        const reply = patched(REPLY, 24, toHex(nonce))
        expect(decodeReply(reply, nonce).transmitSeconds).toBe(0.75)
        const other = Uint8Array.from(nonce)
        other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        expect(malformedBy(() => decodeReply(reply, other))).toBeDefined()
      }),
    )
  })

  it('gives a reply or a MalformedMessage for any bytes', () => {
    expectNothingElse([REPLY, UNSYNCHRONISED], (bytes) => decodeReply(bytes, NONCE))
  })
})
