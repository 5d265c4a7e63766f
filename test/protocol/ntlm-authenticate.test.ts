import { createHash, createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  encodeAuthenticate,
  encodeLogonNegotiate,
  ntlmV2Response,
  ntowfV2,
  type NtlmLogon,
  type Nonces,
} from '../../src/protocol/ntlm-authenticate.ts'
import { createRc4 } from '../../src/protocol/rc4.ts'
import {
  expectNothingElse,
  expectTruncationsRefused,
  fromHex,
  joined,
  malformedBy,
  patched,
  toHex,
} from './support.ts'

// MS-NLMP 4.2.1 (the parameters) and 4.2.4.3 (the messages): NTLMv2 without an integrity code.
const SPECIFIED_CHALLENGE = fromHex(`
  4e544c4d53535000 02000000 0c000c00 38000000 33828ae2 0123456789abcdef 0000000000000000
  24002400 44000000 060070170000000f 530065007200760065007200
  02000c00 44006f006d00610069006e00 01000c00 530065007200760065007200 00000000`)
const SPECIFIED_RESPONSE = `68cd0ab851e51c96aabc927bebef6a1c
  01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000
  02000c0044006f006d00610069006e0001000c0053006500720076006500720000000000 00000000`
const SERVER_CHALLENGE = fromHex('0123456789abcdef')
const CLIENT_CHALLENGE = fromHex('aaaaaaaaaaaaaaaa')
const SESSION_KEY = fromHex('55'.repeat(16))

// As Windows orders it: domain "D", the flags 1 (constrained), a time, an id from the future; by hand from 2.2.1.2.
const WINDOWS_CHALLENGE = fromHex(`
  4e544c4d53535000 02000000 02000200 38000000 358289e2 0123456789abcdef 0000000000000000
  24002400 3a000000 0a00f46500 00000f 4400
  02000200 4400 06000400 01000000 07000800 a03d94b30b6bda01 ee000200 abcd 00000000`)

const LOGON: NtlmLogon = {
  username: 'Domain\\User',
  password: 'Password',
  targetName: 'HTTP/kms01',
  channelBinding: undefined,
}
const NONCES: Nonces = {
  clientChallenge: CLIENT_CHALLENGE,
  sessionKey: SESSION_KEY,
  nowSeconds: 1709210096.25,
}

const utf16 = (text: string): string => toHex(Buffer.from(text, 'utf16le'))

/** The fields of an AUTHENTICATE message, read by MS-NLMP 2.2.1.3 and not by any code of ours. */
function read(message: Uint8Array) {
  const bytes = Buffer.from(message)
  const field = (at: number): Buffer => {
    const start = bytes.readUInt32LE(at + 4)
    expect(bytes.readUInt16LE(at)).toBe(bytes.readUInt16LE(at + 2))
    return bytes.subarray(start, start + bytes.readUInt16LE(at))
  }
  const response = field(20)
  const pairs: [number, string][] = []
  for (let at = 44; response.readUInt16LE(at) !== 0; at += 4 + response.readUInt16LE(at + 2)) {
    const end = at + 4 + response.readUInt16LE(at + 2)
    pairs.push([response.readUInt16LE(at), response.toString('hex', at + 4, end)])
  }
  return {
    signature: bytes.toString('latin1', 0, 12),
    lm: field(12).toString('hex'),
    response,
    pairs: Object.fromEntries(pairs),
    ids: pairs.map(([id]) => id),
    domain: field(28).toString('utf16le'),
    user: field(36).toString('utf16le'),
    workstation: field(44).toString('utf16le'),
    key: field(52),
    flags: bytes.readUInt32LE(60),
    version: bytes.toString('hex', 64, 72),
    code: bytes.toString('hex', 72, 88),
    withoutCode: Buffer.concat([bytes.subarray(0, 72), Buffer.alloc(16), bytes.subarray(88)]),
  }
}

const authenticate = (challenge: Uint8Array, logon: Partial<NtlmLogon> = {}) =>
  encodeAuthenticate(encodeLogonNegotiate(), challenge, { ...LOGON, ...logon }, NONCES)

describe('the example of MS-NLMP 4.2.4', () => {
  const key = ntowfV2('User', 'Domain', 'Password')
  const pairs = [
    { id: 2, value: fromHex(utf16('Domain')) },
    { id: 1, value: fromHex(utf16('Server')) },
  ]
  const { response, sessionBaseKey } = ntlmV2Response(
    key,
    SERVER_CHALLENGE,
    CLIENT_CHALLENGE,
    new Uint8Array(8),
    pairs,
  )

  it('gives NTOWFv2 (4.2.4.1.1)', () => {
    expect(toHex(key)).toBe('0c868a403bfd7a93a3001ef22ef02e3f')
  })

  it('gives the session base key (4.2.4.1.2)', () => {
    expect(toHex(sessionBaseKey)).toBe('8de40ccadbc14a82f15cb0ad0de95ca3')
  })

  it('gives the NTLMv2 response (4.2.4.2.2)', () => {
    expect(toHex(response)).toBe(toHex(fromHex(SPECIFIED_RESPONSE)))
  })

  it('gives the encrypted session key (4.2.4.2.3)', () => {
    expect(toHex(createRc4(sessionBaseKey)(SESSION_KEY))).toBe('c5dad2544fc9799094ce1ce90bc9d03e')
  })
})

describe('ntowfV2', () => {
  it('minds the case of the domain, and not that of the user', () => {
    const key = toHex(ntowfV2('User', 'Domain', 'Password'))
    expect(toHex(ntowfV2('uSER', 'Domain', 'Password'))).toBe(key)
    expect(toHex(ntowfV2('User', 'DOMAIN', 'Password'))).not.toBe(key)
  })

  it.each([
    ['größe', 'GRÖßE'],
    // Unicode has capitals for these, Windows has not.
    ['yıldız', 'YıLDıZ'],
    ['ſµ', 'ſµ'],
    ['ﬁ𐐨', 'ﬁ𐐨'],
  ])('turns %s into %s as Windows does, one character into one', (user, upper) => {
    const password = createHmac('md5', fromHex('31d6cfe0d16ae931b73c59d7e0c089c0')) // MD4 of nothing
    expect(toHex(ntowfV2(user, 'D', ''))).toBe(
      password.update(Buffer.from(`${upper}D`, 'utf16le')).digest('hex'),
    )
  })
})

describe('encodeLogonNegotiate', () => {
  it('asks for Unicode, signing, sealing, extended session security, 128 bits and key exchange', () => {
    expect(toHex(encodeLogonNegotiate())).toBe(
      toHex(fromHex('4e544c4d53535000 01000000 358288e2 0000000000000000 0000000000000000 0a0000000000000f')),
    )
  })
})

describe('encodeAuthenticate', () => {
  it('says who, and that there is an integrity code', () => {
    const said = read(authenticate(WINDOWS_CHALLENGE).message)
    expect(said).toMatchObject({
      signature: 'NTLMSSP\0\u0003\0\0\0',
      lm: '00'.repeat(24),
      domain: 'Domain',
      user: 'User',
      workstation: '',
      flags: 0xe2888235,
      version: '0a0000000000000f',
    })
    expect(said.ids).toEqual([2, 7, 0xee, 6, 9])
    expect(said.pairs).toMatchObject({
      2: utf16('D'),
      6: '03000000',
      7: 'a03d94b30b6bda01',
      9: utf16('HTTP/kms01'),
      0xee: 'abcd',
    })
  })

  it('proves the password over all of it, with the server’s time', () => {
    const { response } = read(authenticate(WINDOWS_CHALLENGE).message)
    const proof = createHmac('md5', fromHex('0c868a403bfd7a93a3001ef22ef02e3f'))
      .update(SERVER_CHALLENGE)
      .update(response.subarray(16))
      .digest('hex')
    expect(response.toString('hex', 0, 16)).toBe(proof)
    expect(response.toString('hex', 16, 44)).toBe('0101000000000000a03d94b30b6bda01aaaaaaaaaaaaaaaa00000000')
    expect(response.toString('hex', response.length - 8)).toBe('0000000000000000')
  })

  it('uses our time where the server gives none', () => {
    const { response } = read(authenticate(SPECIFIED_CHALLENGE).message)
    // 2024-02-29 12:34:56.25 UTC, computed with Python.
    expect(response.toString('hex', 24, 32)).toBe('a03d94b30b6bda01')
  })

  it('brings the session key across', () => {
    const { message, sessionKey } = authenticate(WINDOWS_CHALLENGE)
    const { response, key } = read(message)
    const base = createHmac('md5', fromHex('0c868a403bfd7a93a3001ef22ef02e3f'))
      .update(response.subarray(0, 16))
      .digest()
    expect(toHex(createRc4(base)(key))).toBe(toHex(SESSION_KEY))
    expect(toHex(sessionKey)).toBe(toHex(SESSION_KEY))
  })

  it('signs the three messages with it', () => {
    const { code, withoutCode } = read(authenticate(WINDOWS_CHALLENGE).message)
    const expected = createHmac('md5', SESSION_KEY)
      .update(encodeLogonNegotiate())
      .update(WINDOWS_CHALLENGE)
      .update(withoutCode)
      .digest('hex')
    expect(code).toBe(expected)
  })

  it('binds itself to the TLS channel', () => {
    const channelBinding = Buffer.from('tls-server-end-point:and a hash')
    const { pairs } = read(authenticate(WINDOWS_CHALLENGE, { channelBinding }).message)
    const struct = joined(new Uint8Array(16), fromHex('1f000000'), channelBinding)
    expect(pairs[10]).toBe(createHash('md5').update(struct).digest('hex'))
  })

  it('names no binding where there is none, whatever the server says of one', () => {
    const named = fromHex(toHex(WINDOWS_CHALLENGE).replace('ee000200abcd', '0a000200abcd'))
    expect(read(authenticate(named).message).ids).toEqual([2, 7, 6, 9])
  })

  it.each([
    ['CORP\\monitor', 'CORP', 'monitor'],
    ['monitor@corp.example', '', 'monitor@corp.example'],
    ['monitor', '', 'monitor'],
    ['.\\monitor', '.', 'monitor'],
    ['CORP\\mönitor', 'CORP', 'mönitor'],
  ])('reads %s as domain "%s" and user "%s"', (username, domain, user) => {
    expect(read(authenticate(WINDOWS_CHALLENGE, { username }).message)).toMatchObject({ domain, user })
  })

  it.each([
    ['no Unicode', 0x1, 'Unicode'],
    ['no signing', 0x10, 'signing'],
    ['no sealing', 0x20, 'sealing'],
    ['no extended session security', 0x8_0000, 'extended session security'],
    ['no target information', 0x80_0000, 'NTLMv1'],
    ['no 128-bit keys', 0x2000_0000, '128-bit'],
    ['no key exchange', 0x4000_0000, 'key exchange'],
  ])('refuses a server with %s', (_, flag, says) => {
    const flags = Buffer.alloc(4)
    flags.writeUInt32LE((0xe2898235 & ~flag) >>> 0)
    const weak = patched(WINDOWS_CHALLENGE, 20, flags.toString('hex'))
    expect(malformedBy(() => authenticate(weak))?.message).toContain(says)
  })

  it('asks for no version of a server that gives none', () => {
    const old = patched(WINDOWS_CHALLENGE, 20, '358289e0')
    expect(read(authenticate(old).message)).toMatchObject({ flags: 0xe0888235, version: '00'.repeat(8) })
  })

  it('refuses target information that fills its 16 bits', () => {
    const pairs = joined(fromHex('0200f7ff'), new Uint8Array(0xfff7), fromHex('00000000'))
    const header = patched(WINDOWS_CHALLENGE.slice(0, 58), 40, 'ffffffff')
    expect(malformedBy(() => authenticate(joined(header, pairs)))?.message).toContain('too long')
  })

  it('refuses every truncation, and gives a message or a MalformedMessage for any bytes', () => {
    for (const challenge of [SPECIFIED_CHALLENGE, WINDOWS_CHALLENGE]) {
      expectTruncationsRefused(challenge, authenticate)
      expectNothingElse([challenge], authenticate)
    }
  })
})
