import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { challengeFromHeader, decodeChallenge, encodeNegotiateMessage } from '../../src/protocol/ntlm.ts'
import {
  expectNothingElse,
  expectTruncationsRefused,
  fromHex,
  joined,
  malformedBy,
  patched,
  timed,
  toHex,
} from './support.ts'

// The CHALLENGE_MESSAGE of MS-NLMP 4.2.4.3: target "Server", domain and server name, no timestamp.
const SPECIFIED = fromHex(`
  4e544c4d53535000 02000000 0c000c00 38000000 33828ae2 0123456789abcdef 0000000000000000
  24002400 44000000 060070170000000f 530065007200760065007200
  02000c00 44006f006d00610069006e00 01000c00 530065007200760065007200 00000000`)

// By hand from MS-NLMP 2.2.1.2 and 2.2.2.1, as Windows orders it: domain "C", then the timestamp of
// 2024-02-29 12:34:56.25 UTC (computed with Python), then the end.
const WITH_TIME = fromHex(`
  4e544c4d53535000 02000000 02000200 38000000 058289a2 a1a2a3a4a5a6a7a8 0000000000000000
  16001600 3a000000 0a00f46500 00000f 4300
  02000200 4300 07000800 a03d94b30b6bda01 00000000`)

// Only the 32 bytes that NTLM had before there was target information: its flag is clear.
const OLD = fromHex('4e544c4d53535000 02000000 00000000 20000000 01020000 a1a2a3a4a5a6a7a8')

describe('encodeNegotiateMessage', () => {
  it('is the 40 bytes of MS-NLMP 2.2.1.1 without names, the version being zeros', () => {
    expect(toHex(encodeNegotiateMessage())).toBe(
      toHex(fromHex('4e544c4d53535000 01000000 078208a0 0000000000000000 0000000000000000 0000000000000000')),
    )
  })
})

describe('decodeChallenge', () => {
  it('reads the specification’s example, which has no timestamp', () => {
    const { targetInfo, serverChallenge, ...rest } = decodeChallenge(SPECIFIED)
    expect(rest).toEqual({ timestampSeconds: undefined, flags: 0xe28a8233 })
    expect(toHex(serverChallenge)).toBe('0123456789abcdef')
    expect(targetInfo?.map(({ id, value }) => [id, Buffer.from(value).toString('utf16le')])).toEqual([
      [2, 'Domain'],
      [1, 'Server'],
    ])
  })

  it('reads the server’s clock', () => {
    const { timestampSeconds, flags, targetInfo } = decodeChallenge(WITH_TIME)
    expect({ timestampSeconds, flags }).toEqual({ timestampSeconds: 1709210096.25, flags: 0xa2898205 })
    expect(targetInfo?.map(({ id, value }) => [id, toHex(value)])).toEqual([
      [2, '4300'],
      [7, 'a03d94b30b6bda01'],
    ])
  })

  it('reads a message from before target information', () => {
    expect(decodeChallenge(OLD)).toEqual({
      timestampSeconds: undefined,
      flags: 0x201,
      serverChallenge: fromHex('a1a2a3a4a5a6a7a8'),
      targetInfo: undefined,
    })
  })

  it('knows that a timestamp of zero is none', () => {
    expect(decodeChallenge(patched(WITH_TIME, 68, '0000000000000000')).timestampSeconds).toBeUndefined()
  })

  it('ignores what SPNEGO puts behind it', () => {
    expect(decodeChallenge(joined(WITH_TIME, fromHex('a31204'))).timestampSeconds).toBe(1709210096.25)
  })

  it.each([
    ['another signature', patched(WITH_TIME, 6, '51'), 0],
    ['a type 1', encodeNegotiateMessage(), 8],
    ['target information past the end', patched(WITH_TIME, 44, 'ffffff7f'), 0x7fffffff],
    ['target information that is too long', patched(WITH_TIME, 40, '1700'), 58],
    ['target information without an end', patched(WITH_TIME, 76, '09000000'), 80],
    ['a value longer than its target information', patched(WITH_TIME, 60, 'ff00'), 62],
    [
      'a value longer than that before other bytes',
      joined(patched(WITH_TIME, 60, 'ff00'), new Uint8Array(300)),
      62,
    ],
    ['a timestamp of another size', patched(WITH_TIME, 66, '0400'), 68],
    ['flags of another size', patched(WITH_TIME, 64, '0600'), 68],
    ['a name past the end', patched(WITH_TIME, 12, 'ff00'), 56],
  ])('refuses %s', (_, bytes, offset) => {
    expect(malformedBy(() => decodeChallenge(bytes))?.offset).toBe(offset)
  })

  it('refuses every truncation', () => {
    for (const message of [SPECIFIED, WITH_TIME, OLD]) expectTruncationsRefused(message, decodeChallenge)
  })

  it('gives a challenge or a MalformedMessage for any bytes', () => {
    expectNothingElse([SPECIFIED, WITH_TIME, OLD], decodeChallenge)
  })
})

describe('challengeFromHeader', () => {
  const raw = Buffer.from(WITH_TIME).toString('base64')
  // SPNEGO NegTokenResp (RFC 4178 4.2.2) around it: accept-incomplete, NTLMSSP's OID, the token.
  const spnego = Buffer.from(
    joined(fromHex('a1 69 30 67 a0 03 0a 01 01 a1 0c 06 0a 2b06010401823702020a a2 52 04 50'), WITH_TIME),
  ).toString('base64')

  it.each<readonly [string, string | readonly string[]]>([
    ['raw under Negotiate', `Negotiate ${raw}`],
    ['raw under NTLM', `NTLM ${raw}`],
    ['inside SPNEGO', `Negotiate ${spnego}`],
    ['in any case', `nEGOTIATE ${raw}`],
    ['among other challenges in one line', `Basic realm="a, b", Negotiate ${raw}, Kerberos`],
    ['in the second of two headers', ['Kerberos', `Negotiate ${raw}`]],
    ['after a token without one', `Negotiate ${Buffer.from('kerberos').toString('base64')}, NTLM ${raw}`],
  ])('finds a message %s', (_, header) => {
    const found = challengeFromHeader(header)
    expect(found && decodeChallenge(found).timestampSeconds).toBe(1709210096.25)
  })

  it.each<readonly [string, string | readonly string[] | undefined]>([
    ['no header', undefined],
    ['no headers', []],
    ['schemes without a token', 'Negotiate, NTLM'],
    ['another scheme', `Bearer ${raw}`],
    ['a scheme within another word', `XNTLM ${raw}`],
    ['a token that is not base64', `NTLM ${raw}!`],
    ['a parameter', `Negotiate realm="${raw}"`],
    ['a token without NTLMSSP', `NTLM ${Buffer.from('NTLMSSQ').toString('base64')}`],
    ['a token beyond 16 KiB', `NTLM ${raw}${'A'.repeat(16_384)}`],
    ['headers beyond 64 KiB', [`Basic realm="${'a'.repeat(65_536)}"`, `NTLM ${raw}`]],
  ])('finds nothing in %s', (_, header) => {
    expect(challengeFromHeader(header)).toBeUndefined()
  })

  it('never throws, and wastes no time on what is made to waste it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.array(fc.string())), (header) => {
        expect(challengeFromHeader(header)).toBeUndefined()
      }),
    )
    for (const part of ['NTLM ', 'NTLM A', ',', ' ', 'A', 'NTLM A=']) {
      const header = `NTLM A${part.repeat(Math.floor(65_000 / part.length))}!`
      expect(timed(() => challengeFromHeader(header))).toBeLessThan(2000)
    }
  })
})
