import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  KMS_INTERFACE,
  decodeBindAnswer,
  encodeBind,
  frameRpc,
  type BindAnswer,
} from '../../src/protocol/dcerpc.ts'
import {
  expectFraming,
  expectFramingTotal,
  expectNothingElse,
  expectTruncationsRefused,
  fromHex,
  malformedBy,
  patched,
  toHex,
} from './support.ts'

// By hand from C706 12.6.4.3 and 12.6.3.1 (header, context list) with little-endian integers.
const BIND_KMS = `
  05 00 0b 03 10000000 4800 0000 07000000
  d016 d016 00000000 01 000000
  0000 01 00 7521c8514e845047b0d8ec255555bc06 0100 0000
  045d888aeb1cc9119fe808002b104860 02000000`

// The shape of samba 4.17's endpoint mapper: 60 bytes, secondary address "135"; its answer to an unknown interface.
const ACK_REJECTED = fromHex(`
  05 00 0c 03 10000000 3c00 0000 07000000
  d016 d016 f0530000 0400 31333500 0000 01 000000
  0200 0100 0000000000000000000000000000000000000000`)

// Two contexts by hand from C706 12.6.4.4: the first accepted over NDR32, the second unknown; address "1688".
const ACK_TWO = fromHex(`
  05 00 0c 03 10000000 5400 0000 07000000
  d016 d016 01000000 0500 3136383800 00 02 000000
  0000 0000 045d888aeb1cc9119fe808002b104860 02000000
  0200 0100 0000000000000000000000000000000000000000`)

// The same from a big-endian machine, with an empty address and a version 5.1 header.
const ACK_BIG_ENDIAN = fromHex(`
  05 01 0c 03 00000000 0050 0000 00000007
  16d0 16d0 00000001 0000 0000 02 000000
  0000 0000 8a885d041ceb11c99fe808002b104860 00000002
  0003 0003 0000000000000000000000000000000000000000`)

// By hand from C706 12.6.4.5: reason 4, protocol version not supported, and one supported version, 5.0.
const NAK = fromHex('05 00 0d 03 10000000 1500 0000 07000000 0400 01 05 00')

// By hand from C706 12.6.4.7: did-not-execute flag, status nca_unk_if.
const FAULT = fromHex('05 00 03 23 10000000 2000 0000 07000000 20000000 0000 00 00 0300011c 00000000')

describe('encodeBind', () => {
  it('writes one context as the specification lays it out', () => {
    expect(toHex(encodeBind({ callId: 7, interfaces: [KMS_INTERFACE] }))).toBe(toHex(fromHex(BIND_KMS)))
  })

  it('numbers further contexts and grows by 44 bytes for each', () => {
    const endpointMapper = { uuid: 'E1AF8308-5D1F-11C9-91A4-08002B14A0FA', major: 3, minor: 0 }
    const bytes = encodeBind({ callId: 0xfedcba98, interfaces: [KMS_INTERFACE, endpointMapper] })
    expect(bytes.length).toBe(116)
    expect(toHex(bytes.subarray(8, 16))).toBe('7400000098badcfe')
    expect(bytes[24]).toBe(2)
    expect(toHex(bytes.subarray(72, 96))).toBe('010001000883afe11f5dc91191a408002b14a0fa03000000')
  })

  it('has only one thing to say', () => {
    fc.assert(
      fc.property(fc.nat(), fc.uuid(), (callId, uuid) => {
        const bytes = encodeBind({ callId, interfaces: [{ uuid, major: 1, minor: 0 }] })
        expect(bytes[2]).toBe(11)
        expect(bytes.length).toBe(72)
      }),
    )
  })

  it('refuses what is not an offer', () => {
    expect(() => encodeBind({ callId: 1, interfaces: [] })).toThrow(RangeError)
    expect(() => encodeBind({ callId: 1, interfaces: [{ uuid: '51c82175', major: 1, minor: 0 }] })).toThrow(
      RangeError,
    )
  })
})

describe('decodeBindAnswer', () => {
  it.each<readonly [string, Uint8Array, BindAnswer]>([
    [
      'a rejection of the only context',
      ACK_REJECTED,
      { kind: 'ack', secondaryAddress: '135', results: [{ result: 'provider_rejection', reason: 1 }] },
    ],
    [
      'an acceptance beside a rejection, in order',
      ACK_TWO,
      {
        kind: 'ack',
        secondaryAddress: '1688',
        results: [
          { result: 'acceptance', reason: 0 },
          { result: 'provider_rejection', reason: 1 },
        ],
      },
    ],
    [
      'big-endian integers',
      ACK_BIG_ENDIAN,
      {
        kind: 'ack',
        secondaryAddress: '',
        results: [
          { result: 'acceptance', reason: 0 },
          { result: 'negotiate_ack', reason: 3 },
        ],
      },
    ],
    [
      'a big-endian fault',
      fromHex('05000323 00000000 0020 0000 00000007 00000000 0000 0000 1c010003 00000000'),
      { kind: 'fault', status: 0x1c010003 },
    ],
    ['a refused association', NAK, { kind: 'nak', reason: 4 }],
    ['a fault', FAULT, { kind: 'fault', status: 0x1c010003 }],
  ])('reads %s', (_, bytes, answer) => {
    expect(decodeBindAnswer(bytes, 7)).toEqual(answer)
  })

  it('reads user rejections and results that nobody has defined', () => {
    expect(decodeBindAnswer(patched(ACK_TWO, 36, '0100 0200'), 7)).toMatchObject({
      results: [{ result: 'user_rejection', reason: 2 }, { result: 'provider_rejection' }],
    })
    expect(decodeBindAnswer(patched(ACK_TWO, 36, '3412 ffff'), 7)).toMatchObject({
      results: [{ result: 'other', reason: 0xffff }, { result: 'provider_rejection' }],
    })
  })

  it('lets no control characters out of the secondary address', () => {
    expect(decodeBindAnswer(patched(ACK_TWO, 26, '1b5b326a'), 7)).toMatchObject({ secondaryAddress: '?[2j' })
  })

  it('ignores what follows the fragment', () => {
    expect(decodeBindAnswer(new Uint8Array([...NAK, ...NAK]), 7)).toEqual({ kind: 'nak', reason: 4 })
  })

  it.each([
    ['another call', patched(NAK, 12, '08000000'), 12],
    ['this call in the other byte order', patched(NAK, 12, '00000007'), 12],
    ['a count of results that are not there', patched(ACK_REJECTED, 32, '02'), 36],
    ['255 results', patched(ACK_REJECTED, 32, 'ff'), 36],
    ['no result at all', patched(ACK_REJECTED, 32, '00'), 36],
    ['a secondary address past the end', patched(ACK_REJECTED, 24, 'ffff'), 26],
    ['a fragment too short for its type', patched(ACK_REJECTED.slice(0, 20), 8, '1400'), 16],
    ['a request', patched(NAK, 2, '00'), 2],
    ['our own bind', fromHex(BIND_KMS), 2],
    ['a response', patched(NAK, 2, '02'), 2],
    ['a fragment of 15 bytes', patched(NAK, 8, '0f00'), 8],
    ['a fragment larger than we take', patched(NAK, 8, 'd116'), 8],
    ['an unknown integer representation', patched(NAK, 4, '20'), 4],
    ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), 0],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n'), 0],
    ['nothing', new Uint8Array(0), 0],
  ])('refuses %s', (_, bytes, offset) => {
    expect(malformedBy(() => decodeBindAnswer(bytes, 7))?.offset).toBe(offset)
  })

  it('refuses every truncation', () => {
    for (const message of [ACK_REJECTED, ACK_TWO, ACK_BIG_ENDIAN, NAK, FAULT]) {
      expectTruncationsRefused(message, (bytes) => decodeBindAnswer(bytes, 7))
    }
  })

  it('refuses a truncation that its own length agrees with', () => {
    for (let length = 16; length < ACK_TWO.length; length++) {
      const bytes = ACK_TWO.slice(0, length)
      bytes[8] = length
      expect(malformedBy(() => decodeBindAnswer(bytes, 7))).toBeDefined()
    }
  })

  it('gives an answer or a MalformedMessage for any bytes', () => {
    expectNothingElse([ACK_REJECTED, ACK_TWO, ACK_BIG_ENDIAN, NAK, FAULT], (bytes) =>
      decodeBindAnswer(bytes, 7),
    )
  })
})

describe('frameRpc', () => {
  it('asks for the header, then for the fragment', () => {
    for (const message of [ACK_REJECTED, ACK_TWO, ACK_BIG_ENDIAN, NAK, FAULT])
      expectFraming(message, frameRpc)
    expect(frameRpc(ACK_TWO.slice(0, 15))).toBe(16)
    expect(frameRpc(ACK_TWO.slice(0, 16))).toBe(84)
  })

  it.each([
    ['something else at its first byte', '48', 0],
    ['DCE/RPC 5.2 at its second', '0502', 1],
    ['a bind at its third', '05000b', 2],
    ['an odd data representation at its fifth', '05000c0330', 4],
    ['an impossible length at its tenth', '05000c03100000000f00', 8],
  ])('refuses %s', (_, hex, offset) => {
    const bytes = fromHex(hex)
    expect(malformedBy(() => frameRpc(bytes))?.offset).toBe(offset)
    expect(frameRpc(bytes.slice(0, -1))).toBe(16)
  })

  it('is total and never changes its mind', () => {
    expectFramingTotal(frameRpc, 5840, [ACK_TWO, ACK_BIG_ENDIAN, NAK])
  })
})
