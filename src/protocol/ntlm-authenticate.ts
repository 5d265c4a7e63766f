// The third message of NTLM (MS-NLMP 2.2.1.3), which logs on: NTLMv2 with a message integrity code, a channel binding
// and a key for the session that follows, or nothing. No clock and no randomness of its own.
import { createHash, createHmac } from 'node:crypto'
import { MalformedMessage } from '../model/failure.ts'
import { Reader } from './bytes.ts'
import { md4 } from './md4.ts'
import {
  AV_END,
  AV_FLAGS,
  AV_TIMESTAMP,
  FLAG_TARGET_INFO,
  SIGNATURE,
  decodeChallenge,
  encodeNegotiateMessage,
  type AvPair,
} from './ntlm.ts'
import { createRc4 } from './rc4.ts'

const MESSAGE_AUTHENTICATE = 3
const FLAG_VERSION = 0x0200_0000
const AV_TARGET_NAME = 9
const AV_CHANNEL_BINDINGS = 10
const OUR_PAIRS: ReadonlySet<number> = new Set([AV_FLAGS, AV_CHANNEL_BINDINGS, AV_TARGET_NAME])
const AV_FLAG_MIC = 0x2
const FILETIME_OF_1970 = 116_444_736_000_000_000n

/** What a logon cannot do without, and what the administrator is told when the server lacks it (MS-NLMP 2.2.2.5). */
const REQUIRED: readonly (readonly [flag: number, lack: string])[] = [
  [0x0000_0001, 'Unicode'],
  [0x0000_0010, 'signing'],
  [0x0000_0020, 'sealing'],
  [0x0008_0000, 'extended session security'],
  [FLAG_TARGET_INFO, 'target information: only NTLMv1 would be left'],
  [0x2000_0000, '128-bit keys'],
  [0x4000_0000, 'key exchange'],
]
// Also: request target, NTLM, always sign, version, 56 bit. The same over TLS, where nothing is sealed afterwards.
const LOGON_FLAGS = REQUIRED.reduce((flags, [flag]) => flags | flag, 0x8200_8204) >>> 0

// Windows 10.0, NTLM revision 15; for the server's logs only (MS-NLMP 2.2.2.10).
const VERSION = Uint8Array.of(10, 0, 0, 0, 0, 0, 0, 15)

export interface NtlmLogon {
  /** `DOMAIN\\user`, `user@domain` or `user`. */
  readonly username: string
  readonly password: string
  /** The service principal that we mean to log on to: `HTTP/kms01.corp.example`. */
  readonly targetName: string
  /** The application data of the channel binding (see x509.ts); undefined without TLS. */
  readonly channelBinding: Uint8Array | undefined
}

/** What differs each time. */
export interface Nonces {
  /** 8 bytes. */
  readonly clientChallenge: Uint8Array
  /** 16 bytes: what both sides derive their keys from. */
  readonly sessionKey: Uint8Array
  /** Unix seconds UTC, where the server does not say what time it is. */
  readonly nowSeconds: number
}

const utf16 = (text: string): Uint8Array => Buffer.from(text, 'utf16le')
const hmac = (key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array =>
  createHmac('md5', key).update(Buffer.concat(parts)).digest()

function u32le(...values: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4)
  return bytes
}

function filetimeOf(unixSeconds: number): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(Math.round(unixSeconds * 1000)) * 10_000n + FILETIME_OF_1970)
  return bytes
}

/** Letters that Unicode maps to the capital of another letter, and the tables of Windows (as Samba has them) leave alone. */
const UNCHANGED = new Set('\u00b5\u0131\u017f\u0345\u03d0\u03d1\u03d5\u03d6\u03f0\u03f1\u03f5\u1e9b\u1fbe')

/** As Windows does it, each character by itself: `ß` stays what it is. */
function upperCase(text: string): string {
  return text
    .split('')
    .map((unit) => (unit.toUpperCase().length === 1 && !UNCHANGED.has(unit) ? unit.toUpperCase() : unit))
    .join('')
}

/** NTOWFv2 (MS-NLMP 3.3.2): what stands for the password. */
export function ntowfV2(user: string, domain: string, password: string): Uint8Array {
  return hmac(md4(utf16(password)), utf16(upperCase(user) + domain))
}

/** The NTLMv2 response and the session base key (MS-NLMP 3.3.2, 2.2.2.7). `filetime`: 8 bytes. */
export function ntlmV2Response(
  key: Uint8Array,
  serverChallenge: Uint8Array,
  clientChallenge: Uint8Array,
  filetime: Uint8Array,
  pairs: readonly AvPair[],
): { readonly response: Uint8Array; readonly sessionBaseKey: Uint8Array } {
  const info = [...pairs, { id: AV_END, value: new Uint8Array() }].flatMap(({ id, value }) => [
    u32le(id + value.length * 0x1_0000),
    value,
  ])
  const temp = Buffer.concat([u32le(0x0101, 0), filetime, clientChallenge, u32le(0), ...info, u32le(0)])
  const proof = hmac(key, serverChallenge, temp)
  return { response: Buffer.concat([proof, temp]), sessionBaseKey: hmac(key, proof) }
}

/**
 * The hash of a gss_channel_bindings_struct (RFC 2744 3.11): no addresses, then the application data. Where there is no
 * binding there is no pair: sixteen zeros, as MS-NLMP has it, are not taken for none everywhere (pyspnego).
 */
function bindingPair(data: Uint8Array): AvPair {
  const value = createHash('md5')
    .update(u32le(0, 0, 0, 0, data.length))
    .update(data)
    .digest()
  return { id: AV_CHANNEL_BINDINGS, value }
}

/** The server's pairs with ours among them (MS-NLMP 3.1.5.1.2). */
function answeredInfo(pairs: readonly AvPair[], logon: NtlmLogon): readonly AvPair[] {
  const flags = pairs.find(({ id }) => id === AV_FLAGS)?.value
  const ours = [
    {
      id: AV_FLAGS,
      value: u32le(((flags === undefined ? 0 : new Reader(flags).u32le()) | AV_FLAG_MIC) >>> 0),
    },
    ...(logon.channelBinding === undefined ? [] : [bindingPair(logon.channelBinding)]),
    { id: AV_TARGET_NAME, value: utf16(logon.targetName) },
  ]
  // What a server says in these is not repeated.
  return [...pairs.filter(({ id }) => !OUR_PAIRS.has(id)), ...ours]
}

/** `user@domain` goes as it is, without a domain: the server looks it up (MS-NLMP leaves it to the server). */
function accountOf(username: string): { readonly domain: string; readonly user: string } {
  const slash = username.indexOf('\\')
  return slash < 0
    ? { domain: '', user: username }
    : { domain: username.slice(0, slash), user: username.slice(slash + 1) }
}

/** The NEGOTIATE message of a client that logs on, and can sign and seal afterwards. */
export function encodeLogonNegotiate(): Uint8Array {
  return encodeNegotiateMessage(LOGON_FLAGS, VERSION)
}

/**
 * The AUTHENTICATE message (type 3; MS-NLMP 2.2.1.3) that follows these two, byte for byte as they were sent and came,
 * and the key of the session that it begins (see ntlm-session.ts). Throws MalformedMessage for a challenge that is none,
 * or whose answer would be weaker than NTLMv2 with 128-bit sealing. Names over 32,000 characters throw a RangeError.
 */
export function encodeAuthenticate(
  negotiateMessage: Uint8Array,
  challengeMessage: Uint8Array,
  logon: NtlmLogon,
  nonces: Nonces,
): { readonly message: Uint8Array; readonly sessionKey: Uint8Array } {
  const challenge = decodeChallenge(challengeMessage)
  const lack = REQUIRED.find(([flag]) => (challenge.flags & flag) === 0)?.[1]
  if (lack !== undefined) throw new MalformedMessage(`the server's NTLM has no ${lack}`, 20)
  const pairs = challenge.targetInfo ?? []
  const filetime = pairs.find(({ id }) => id === AV_TIMESTAMP)?.value ?? filetimeOf(nonces.nowSeconds)
  const { domain, user } = accountOf(logon.username)
  const { response, sessionBaseKey } = ntlmV2Response(
    ntowfV2(user, domain, logon.password),
    challenge.serverChallenge,
    nonces.clientChallenge,
    filetime,
    answeredInfo(pairs, logon),
  )
  if (response.length > 0xffff) throw new MalformedMessage('target information too long to answer', 40)

  const flags = (challenge.flags & LOGON_FLAGS) >>> 0
  const header = Buffer.alloc(88)
  header.set(SIGNATURE)
  header.writeUInt32LE(MESSAGE_AUTHENTICATE, 8)
  // In the order of their fields; the LM response is zeros, being weaker than the other and read by nobody who has that.
  const fields = [
    new Uint8Array(24),
    response,
    utf16(domain),
    utf16(user),
    new Uint8Array(), // the workstation
    createRc4(sessionBaseKey)(nonces.sessionKey),
  ]
  let offset = header.length
  for (const [index, { length }] of fields.entries()) {
    header.writeUInt16LE(length, 12 + index * 8)
    header.writeUInt16LE(length, 14 + index * 8)
    header.writeUInt32LE(offset, 16 + index * 8)
    offset += length
  }
  header.writeUInt32LE(flags, 60)
  if ((flags & FLAG_VERSION) !== 0) header.set(VERSION, 64)
  const message = Buffer.concat([header, ...fields])
  message.set(hmac(nonces.sessionKey, negotiateMessage, challengeMessage, message), 72)
  return { message, sessionKey: nonces.sessionKey }
}
