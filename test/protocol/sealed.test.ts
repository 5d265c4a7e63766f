import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeSealed, encodeSealed } from '../../src/protocol/sealed.ts'
import { expectNothingElse, expectTruncationsRefused, malformedBy, timed, toHex } from './support.ts'

const TYPE =
  'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
const SIGNATURE = '0123456789abcdef'

interface Layout {
  readonly indent?: string
  readonly protocol?: string
  readonly original?: string
  readonly tokenBytes?: number
  readonly end?: string
}

/** By hand from MS-WSMV 2.2.9.1: a token of 16 bytes, and text of 5. */
function body({
  indent = '\t',
  protocol = 'SPNEGO',
  original = 'type=application/soap+xml;charset=UTF-8;Length=5',
  tokenBytes = 16,
  end = '--Encrypted Boundary--\r\n',
}: Layout = {}): Uint8Array {
  const length = String.fromCharCode(tokenBytes & 0xff, tokenBytes >> 8, 0, 0)
  return new Uint8Array(
    Buffer.from(
      `--Encrypted Boundary\r\n${indent}Content-Type: application/HTTP-${protocol}-session-encrypted\r\n` +
        `${indent}OriginalContent: ${original}\r\n--Encrypted Boundary\r\n` +
        `${indent}Content-Type: application/octet-stream\r\n${length}${SIGNATURE}\r\n--x${end}`,
      'latin1',
    ),
  )
}

const decode = (bytes: Uint8Array) => decodeSealed('SPNEGO', TYPE, bytes)

describe('encodeSealed', () => {
  it('is the layout of MS-WSMV 2.2.9.1', () => {
    const sealed = encodeSealed('SPNEGO', { token: Buffer.from(SIGNATURE), data: Buffer.from('\r\n--x') })
    expect(sealed.contentType).toBe(TYPE)
    expect(toHex(sealed.body)).toBe(toHex(body()))
  })

  it('names Kerberos where Kerberos sealed', () => {
    const sealed = encodeSealed('Kerberos', { token: Buffer.from(SIGNATURE), data: Buffer.from('\r\n--x') })
    expect(sealed.contentType).toBe(TYPE.replace('SPNEGO', 'Kerberos'))
    expect(toHex(sealed.body)).toBe(toHex(body({ protocol: 'Kerberos' })))
  })

  it('comes back as it was, whatever the bytes', () => {
    const bytes = fc.uint8Array({ maxLength: 100 })
    fc.assert(
      fc.property(fc.constantFrom('SPNEGO', 'Kerberos'), bytes, bytes, (protocol, token, data) => {
        const { contentType, body: encoded } = encodeSealed(protocol, { token, data })
        const decoded = decodeSealed(protocol, contentType, encoded)
        expect(Uint8Array.from(decoded.token)).toEqual(token)
        expect(Uint8Array.from(decoded.data)).toEqual(data)
      }),
    )
  })
})

describe('decodeSealed', () => {
  it.each<readonly [string, string, Uint8Array]>([
    ['with tabs', TYPE, body()],
    ['without', TYPE, body({ indent: '' })],
    ['without a charset', TYPE, body({ original: 'type=application/soap+xml;Length=5' })],
    ['with a line break at the end of the text', TYPE, body({ end: '\r\n--Encrypted Boundary--\r\n' })],
    ['without one at the very end', TYPE, body({ end: '--Encrypted Boundary--' })],
    ['without dashes after the last boundary', TYPE, body({ end: '--Encrypted Boundary\r\n' })],
    ['with blanks and capitals in the type', TYPE.replaceAll(';', ' ; ').replace('SPNEGO', 'spnego'), body()],
  ])('reads it %s', (_, contentType, bytes) => {
    const { token, data } = decodeSealed('SPNEGO', contentType, bytes)
    expect(Buffer.from(token).toString()).toBe(SIGNATURE)
    expect(Buffer.from(data).toString()).toBe('\r\n--x')
  })

  it.each<readonly [string, string, Uint8Array]>([
    ['plain text', 'application/soap+xml;charset=UTF-8', Buffer.from('<s:Envelope/>')],
    ['no type', '', body()],
    ['several pieces', TYPE.replace('multipart/encrypted', 'multipart/x-multi-encrypted'), body()],
    ['another protocol in the type', TYPE.replace('SPNEGO', 'CredSSP'), body()],
    ['another protocol in the body', TYPE, body({ protocol: 'Kerberos' })],
    ['another boundary', TYPE.replace('Encrypted B', 'B'), body()],
    ['no boundary', TYPE.replace(/;boundary.*/, ''), body()],
    ['no length', TYPE, body({ original: 'type=application/soap+xml;charset=UTF-8' })],
    ['a longer length', TYPE, body({ original: 'type=application/soap+xml;charset=UTF-8;Length=6' })],
    ['a shorter length', TYPE, body({ original: 'type=application/soap+xml;charset=UTF-8;Length=4' })],
    ['a length of nines', TYPE, body({ original: 'type=x;Length=9999999999' })],
    ['a length below zero', TYPE, body({ original: 'type=x;Length=-5' })],
    ['another charset', TYPE, body({ original: 'type=application/soap+xml;charset=UTF-16;Length=5' })],
    ['a token that is longer', TYPE, body({ tokenBytes: 17 })],
    ['a token that is shorter', TYPE, body({ tokenBytes: 15 })],
    ['a token past the end', TYPE, body({ tokenBytes: 1000 })],
    ['a token of 64 KB', TYPE, body({ tokenBytes: 0xffff })],
    ['something after the end', TYPE, body({ end: '--Encrypted Boundary--\r\nand so on' })],
    ['something long after the end', TYPE, body({ end: `--Encrypted Boundary--${' '.repeat(40)}and so on` })],
    ['another part', TYPE, body({ end: '--Encrypted Boundary\r\n\tContent-Type: x\r\n' })],
    ['headers without an end', TYPE, body({ original: `type=${'x'.repeat(2000)};Length=5` })],
    ['nothing', TYPE, new Uint8Array()],
  ])('refuses %s', (_, contentType, bytes) => {
    expect(malformedBy(() => decodeSealed('SPNEGO', contentType, bytes))).toBeDefined()
  })

  it('refuses every truncation', () => {
    expectTruncationsRefused(body({ end: '--Encrypted Boundary--' }), decode)
  })

  it('gives text or a MalformedMessage for any bytes', () => {
    expectNothingElse([body(), body({ indent: '' })], decode)
  })

  it('is not held up by what is made to hold it up', () => {
    for (const part of ['\r\n', ';', '; ', '-', '\t', '\0']) {
      const much = part.repeat(Math.floor(1_000_000 / part.length))
      const work = (): void => {
        malformedBy(() => decode(Buffer.from(much)))
        malformedBy(() => decodeSealed('SPNEGO', `multipart/encrypted${much}`, body()))
        malformedBy(() => decode(body({ original: `type=${much};Length=5` })))
      }
      expect(timed(work)).toBeLessThan(1000)
    }
  })
})
