// Kerberos wrap tokens (RFC 4121 4.2.6.2) as WinRM carries them: 60 bytes of token in front, the sealed text behind it
// and of the text's own length. That is no format of its own but RFC 4121's rotation (4.2.5): what would have come last,
// 16 bytes of repeated header and 12 of checksum, is turned round to the front. No cryptography here.
import { MalformedMessage } from '../model/failure.ts'
import { Reader } from './bytes.ts'

const HEADER_BYTES = 16
/** AES with HMAC-SHA1-96 (RFC 3962): the header again, and the checksum. */
const TURNED_BYTES = HEADER_BYTES + 12
const CONFOUNDER_BYTES = 16
const TOKEN_BYTES = HEADER_BYTES + TURNED_BYTES + CONFOUNDER_BYTES

const TOKEN_ID = 0x0504
const SENT_BY_ACCEPTOR = 1
const SEALED = 2
const RRC_OFFSET = 6

export interface WinrmToken {
  /** 60 bytes. */
  readonly token: Uint8Array
  /** As long as the text was. */
  readonly data: Uint8Array
}

interface Header {
  readonly flags: number
  readonly extraCount: number
  readonly rotation: number
}

function decodeHeader(token: Uint8Array): Header {
  const reader = new Reader(token)
  if (reader.u16be() !== TOKEN_ID)
    throw new MalformedMessage('no Kerberos wrap token of AES: another encryption type, or none', 0)
  const flags = reader.u8()
  if (reader.u8() !== 0xff) throw new MalformedMessage('a Kerberos token with another filler', 3)
  const header = { flags, extraCount: reader.u16be(), rotation: reader.u16be() }
  reader.skip(8)
  if ((flags & SEALED) === 0) throw new MalformedMessage('a Kerberos token that is only signed', 2)
  return header
}

/** The two parts from what gss_wrap made of `textBytes` bytes. Throws MalformedMessage for all but AES with SHA-1. */
export function splitWrapToken(wrapped: Uint8Array, textBytes: number): WinrmToken {
  const { extraCount, rotation } = decodeHeader(wrapped)
  if (wrapped.length !== TOKEN_BYTES + textBytes || extraCount !== 0) {
    throw new MalformedMessage(
      `a Kerberos token ${wrapped.length - textBytes} bytes longer than its text, not ${TOKEN_BYTES}: only AES with SHA-1 ` +
        'goes through WinRM (permitted_enctypes in krb5.conf)',
      0,
    )
  }
  const turned = Uint8Array.from(wrapped)
  new DataView(turned.buffer).setUint16(RRC_OFFSET, TURNED_BYTES)
  const body = wrapped.subarray(HEADER_BYTES)
  const by = (TURNED_BYTES - (rotation % body.length) + body.length) % body.length
  turned.set(body.subarray(body.length - by), HEADER_BYTES)
  turned.set(body.subarray(0, body.length - by), HEADER_BYTES + by)
  return { token: turned.subarray(0, TOKEN_BYTES), data: turned.subarray(TOKEN_BYTES) }
}

/**
 * What gss_unwrap takes, from a server's two parts; whether it is genuine is for gss_unwrap to say. Throws
 * MalformedMessage for all but AES with SHA-1, and for what is not sealed or not from a server.
 */
export function joinWrapToken({ token, data }: WinrmToken): Uint8Array {
  const { flags } = decodeHeader(token)
  if (token.length !== TOKEN_BYTES) {
    throw new MalformedMessage(
      `a Kerberos token of ${token.length} bytes, not ${TOKEN_BYTES}: only AES with SHA-1 goes through WinRM`,
      0,
    )
  }
  if ((flags & SENT_BY_ACCEPTOR) === 0) throw new MalformedMessage('a Kerberos token that a client made', 2)
  const whole = new Uint8Array(token.length + data.length)
  whole.set(token)
  whole.set(data, token.length)
  return whole
}
