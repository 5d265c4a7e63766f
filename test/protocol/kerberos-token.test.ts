import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { joinWrapToken, splitWrapToken } from '../../src/protocol/kerberos-token.ts'
import { expectNothingElse, fromHex, joined, malformedBy, patched, toHex } from './support.ts'

/** From a client, sealed, with a subkey of the acceptor; nothing filled in, not rotated, number 1 (RFC 4121 4.2.6.2). */
const HEADER = fromHex('0504 06 ff 0000 0000 0000000000000001')

// By hand, each part in bytes of its own, in the order that RFC 4121 4.2.4 gives AES: confounder, text, header, checksum.
const WRAPPED = joined(
  HEADER,
  fromHex('c0c1c2c3c4c5c6c7c8c9cacbcccdcecf'),
  fromHex('7071727374'),
  fromHex('a0a1a2a3a4a5a6a7a8a9aaabacadaeaf'),
  fromHex('e0e1e2e3e4e5e6e7e8e9eaeb'),
)

/** From a server: the same, the other way round. */
const ANSWER = patched(WRAPPED, 2, '07')

/** RFC 4121 4.2.5, written anew: what RRC bytes at the front of the body came from its end. */
function notRotated(token: Uint8Array): Uint8Array {
  const header = token.slice(0, 16)
  const body = Array.from(token.slice(16))
  const rotation = (header[6] ?? 0) * 256 + (header[7] ?? 0)
  for (let count = rotation % Math.max(1, body.length); count > 0; count--) body.push(body.shift() ?? 0)
  return joined(patched(header, 6, '0000'), Uint8Array.from(body))
}

describe('splitWrapToken', () => {
  it('puts header and checksum in front of the confounder, and leaves the text behind', () => {
    const { token, data } = splitWrapToken(WRAPPED, 5)
    expect(toHex(token)).toBe(
      toHex(
        fromHex(`
          0504 06 ff 0000 001c 0000000000000001
          a0a1a2a3a4a5a6a7a8a9aaabacadaeaf e0e1e2e3e4e5e6e7e8e9eaeb
          c0c1c2c3c4c5c6c7c8c9cacbcccdcecf`),
      ),
    )
    expect(token).toHaveLength(60)
    expect(toHex(data)).toBe('7071727374')
  })

  it('leaves what it was given as it was, and one that is rotated already as it is', () => {
    const before = toHex(WRAPPED)
    const { token, data } = splitWrapToken(WRAPPED, 5)
    expect(toHex(WRAPPED)).toBe(before)
    expect(splitWrapToken(joined(token, data), 5)).toEqual({ token, data })
  })

  it('is a rotation and nothing else, whatever the text and however it was rotated', () => {
    const texts = fc.uint8Array({ maxLength: 300 })
    fc.assert(
      fc.property(
        texts,
        fc.uint8Array({ minLength: 44, maxLength: 44 }),
        fc.nat(65_535),
        (text, rest, rrc) => {
          const rotation = rrc.toString(16).padStart(4, '0')
          const wrapped = patched(joined(HEADER, rest, text), 6, rotation)
          const { token, data } = splitWrapToken(wrapped, text.length)
          expect(token).toHaveLength(60)
          expect(data).toHaveLength(text.length)
          expect(toHex(notRotated(joined(token, data)))).toBe(toHex(notRotated(wrapped)))
        },
      ),
    )
  })

  it.each([
    [
      'AES-128 with SHA-256: 4 bytes more',
      joined(WRAPPED, new Uint8Array(4)),
      /64 bytes longer than its text, not 60/,
    ],
    ['AES-256 with SHA-384: 12 bytes more', joined(WRAPPED, new Uint8Array(12)), /only AES with SHA-1/],
    ['a token that is too short', WRAPPED.slice(0, -1), /only AES with SHA-1/],
    ['filling', patched(WRAPPED, 4, '0010'), /only AES with SHA-1/],
    [
      'RC4 (RFC 4757 7.3)',
      fromHex('60 3d 06 09 2a864886f712010202 0201 1100 1000 ffff'),
      /another encryption/,
    ],
    ['a token that is only signed', patched(WRAPPED, 2, '04'), /only signed/],
    ['nothing', new Uint8Array(0), /ends early/],
  ])('refuses %s', (_, wrapped, message) => {
    expect(malformedBy(() => splitWrapToken(wrapped, 5))?.message).toMatch(message)
  })

  it('gives two parts or a MalformedMessage for any bytes', () => {
    expectNothingElse([WRAPPED, ANSWER], (bytes) => splitWrapToken(bytes, Math.max(0, bytes.length - 60)))
  })
})

describe('joinWrapToken', () => {
  it('gives back what the other side split', () => {
    const { token, data } = splitWrapToken(ANSWER, 5)
    expect(toHex(notRotated(joinWrapToken({ token, data })))).toBe(toHex(ANSWER))
  })

  it('takes a text of no length', () => {
    const { token } = splitWrapToken(patched(ANSWER.slice(0, 60), 2, '07'), 0)
    expect(joinWrapToken({ token, data: new Uint8Array(0) })).toHaveLength(60)
  })

  it.each([
    ['a token of another length', ANSWER.slice(0, 59), /59 bytes, not 60/],
    ['one with the text in it', ANSWER, /65 bytes, not 60/],
    ["a client's, sent back", splitWrapToken(WRAPPED, 5).token, /a client made/],
    ['one that is only signed', patched(ANSWER.slice(0, 60), 2, '05'), /only signed/],
    ['another filler', patched(ANSWER.slice(0, 60), 3, '00'), /filler/],
    ['RC4', fromHex('60 3d 06 09 2a864886f712010202 0201 1100 1000 ffff'), /another encryption type/],
    ['nothing', new Uint8Array(0), /ends early/],
  ])('refuses %s', (_, token, message) => {
    expect(malformedBy(() => joinWrapToken({ token, data: fromHex('7071727374') }))?.message).toMatch(message)
  })

  it('gives a token or a MalformedMessage for any bytes', () => {
    const { token, data } = splitWrapToken(ANSWER, 5)
    expectNothingElse([joined(token, data)], (bytes) =>
      joinWrapToken({ token: bytes.subarray(0, 60), data: bytes.subarray(60) }),
    )
  })
})
