// What sees bytes of a logon, or sealed by one. Seeds as in binary.ts.
import { proofIn } from '../../../src/io/windows/logon/kerberos.ts'
import { joinWrapToken, splitWrapToken, type WinrmToken } from '../../../src/protocol/kerberos-token.ts'
import { encodeAuthenticate, encodeLogonNegotiate } from '../../../src/protocol/ntlm-authenticate.ts'
import { createNtlmSession } from '../../../src/protocol/ntlm-session.ts'
import { challengeFromHeader, decodeChallenge, encodeNegotiateMessage } from '../../../src/protocol/ntlm.ts'
import { decodeSealed, encodeSealed, type SealedText } from '../../../src/protocol/sealed.ts'
import { bytesOf, fromHex, joined, same, type Codec } from '../promises.ts'

const CHALLENGE = fromHex(`
  4e544c4d53535000 02000000 0c000c00 38000000 33828ae2 0123456789abcdef 0000000000000000
  24002400 44000000 060070170000000f 530065007200760065007200
  02000c00 44006f006d00610069006e00 01000c00 530065007200760065007200 00000000`)
const CHALLENGE_WITH_TIME = fromHex(`
  4e544c4d53535000 02000000 02000200 38000000 358289e2 a1a2a3a4a5a6a7a8 0000000000000000
  1e001e00 3a000000 0a00f46500 00000f 4300
  02000200 4300 06000400 02000000 07000800 a03d94b30b6bda01 00000000`)
const CHALLENGE_OLD = fromHex('4e544c4d53535000 02000000 00000000 20000000 01020000 a1a2a3a4a5a6a7a8')
const CHALLENGES = [CHALLENGE, CHALLENGE_WITH_TIME, CHALLENGE_OLD]

const LOGON = {
  username: 'CORP\\reader',
  password: 'secret',
  targetName: 'HTTP/kms01.corp.example',
  channelBinding: undefined,
}
const NONCES = {
  clientChallenge: new Uint8Array(8),
  sessionKey: new Uint8Array(16).fill(1),
  nowSeconds: 1.7e9,
}
const SESSION_KEY = new Uint8Array(16).fill(7)

const FIRST_SEALED = createNtlmSession(SESSION_KEY, 'server').seal(bytesOf('<s:Envelope/>'))

const WRAPPED = fromHex(`
  0504 07 ff 0000 0000 0000000000000001 c0c1c2c3c4c5c6c7c8c9cacbcccdcecf 7071727374
  a0a1a2a3a4a5a6a7a8a9aaabacadaeaf e0e1e2e3e4e5e6e7e8e9eaeb`)
const TOKEN_BYTES = 60

/** The content type on a line of its own, then the body. */
function sealedMessage(bytes: Uint8Array): SealedText & { readonly protocol: 'SPNEGO' | 'Kerberos' } {
  const end = bytes.indexOf(10)
  const type = Buffer.from(bytes.subarray(0, Math.max(0, end))).toString('latin1')
  const protocol = type.includes('Kerberos') ? 'Kerberos' : 'SPNEGO'
  return { protocol, ...decodeSealed(protocol, type, bytes.subarray(end + 1)) }
}

function sealedSeed(protocol: 'SPNEGO' | 'Kerberos', token: Uint8Array): Uint8Array {
  const { contentType, body } = encodeSealed(protocol, { token, data: bytesOf('\r\n--x') })
  return joined(bytesOf(`${contentType}\n`), body)
}

const headerLines = (bytes: Uint8Array): readonly string[] =>
  Buffer.from(bytes).toString('latin1').split('\n')
const header = (scheme: string, token: Uint8Array): Uint8Array =>
  bytesOf(`Basic realm="a, b"\n${scheme} ${Buffer.from(token).toString('base64')}`)

export const LOGON_CODECS: readonly Codec[] = [
  { name: 'ntlm-challenge', decode: decodeChallenge, seeds: CHALLENGES, mostBytes: 12_288, mostGrowth: 64 },
  {
    name: 'ntlm-authenticate',
    decode: (bytes) => encodeAuthenticate(encodeLogonNegotiate(), bytes, LOGON, NONCES),
    seeds: CHALLENGES,
    mostBytes: 12_288,
  },
  {
    name: 'ntlm-header',
    decode: (bytes) => challengeFromHeader(headerLines(bytes)),
    seeds: [
      header('NTLM', CHALLENGE),
      header('negotiate', joined(fromHex('6012'), encodeNegotiateMessage())),
    ],
    mostBytes: 32_768,
  },
  {
    name: 'ntlm-session',
    // A signature cannot be guessed: what a server seals comes through, once; what it did not seal does not.
    decode: (bytes) => {
      const server = createNtlmSession(SESSION_KEY, 'server')
      const client = createNtlmSession(SESSION_KEY)
      const sealed = server.seal(bytes)
      same(client.unseal(sealed), bytes)
      return createNtlmSession(SESSION_KEY).unseal({
        signature: bytes.subarray(0, 16),
        data: bytes.subarray(16),
      })
    },
    seeds: [joined(FIRST_SEALED.signature, FIRST_SEALED.data), new Uint8Array(40)],
    mostBytes: 65_536,
  },
  {
    name: 'kerberos-token',
    decode: (bytes) => splitWrapToken(bytes, Math.max(0, bytes.length - TOKEN_BYTES)),
    check: (value, bytes) => {
      const parts = value as WinrmToken
      if (((bytes[2] ?? 0) & 1) === 0) return
      same(splitWrapToken(joinWrapToken(parts), parts.data.length), parts)
    },
    seeds: [WRAPPED],
    mostBytes: 65_536,
  },
  {
    name: 'kerberos-answer',
    decode: (bytes) =>
      joinWrapToken({ token: bytes.subarray(0, TOKEN_BYTES), data: bytes.subarray(TOKEN_BYTES) }),
    seeds: [WRAPPED],
    mostBytes: 65_536,
  },
  {
    name: 'kerberos-header',
    decode: (bytes) => proofIn({ headers: { 'www-authenticate': [...headerLines(bytes)] } }),
    seeds: [header('Kerberos', WRAPPED), bytesOf('Negotiate, Kerberos YII=, Basic realm="x"')],
    mostBytes: 32_768,
  },
  {
    name: 'sealed',
    decode: sealedMessage,
    check: (value) => {
      const { protocol, token, data } = value as ReturnType<typeof sealedMessage>
      const { contentType, body } = encodeSealed(protocol, { token, data })
      const again = decodeSealed(protocol, contentType, body)
      same([bytesOf(again.token), bytesOf(again.data)], [bytesOf(token), bytesOf(data)])
    },
    seeds: [sealedSeed('SPNEGO', new Uint8Array(16)), sealedSeed('Kerberos', new Uint8Array(TOKEN_BYTES))],
    mostBytes: 65_536,
  },
]
