// The MIME form in which WinRM sends sealed messages over HTTP (MS-WSMV 2.2.9.1): two parts, the second a length, a token
// and the sealed text. What the token is, is for NTLM or Kerberos to say.
import { MalformedMessage } from '../model/failure.ts'
import { Reader } from './bytes.ts'

export type SealingProtocol = 'SPNEGO' | 'Kerberos'

export interface SealedText {
  /** NTLM: the signature of 16 bytes. Kerberos: the 60 bytes before what is as long as the text. */
  readonly token: Uint8Array
  readonly data: Uint8Array
}

const BOUNDARY = 'Encrypted Boundary'
const MOST_HEADER_BYTES = 1024

const nameOf = (protocol: SealingProtocol): string => `application/HTTP-${protocol}-session-encrypted`

/** The header and the body of a message whose plain text, SOAP in UTF-8, is as long as `data`. */
export function encodeSealed(
  protocol: SealingProtocol,
  { token, data }: SealedText,
): { readonly contentType: string; readonly body: Uint8Array } {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(token.length)
  // The tabs are a MUST (MS-WSMV 2.2.9.1.1.2), though clients without them are in use (WinRb).
  const head = `--${BOUNDARY}\r
\tContent-Type: ${nameOf(protocol)}\r
\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=${data.length}\r
--${BOUNDARY}\r
\tContent-Type: application/octet-stream\r
`
  return {
    contentType: `multipart/encrypted;protocol="${nameOf(protocol)}";boundary="${BOUNDARY}"`,
    body: Buffer.concat([Buffer.from(head), length, token, data, Buffer.from(`--${BOUNDARY}--\r\n`)]),
  }
}

/** The parameters of a media type (RFC 9110 5.6.6), names in lower case. */
function parametersOf(contentType: string): ReadonlyMap<string, string> {
  const found = contentType.slice(0, MOST_HEADER_BYTES).matchAll(/;\s*([\w-]+)=(?:"([^"]*)"|([^\s;"]+))/g)
  return new Map([...found].map(([, name = '', quoted, bare]) => [name.toLowerCase(), quoted ?? bare ?? '']))
}

/** The two MIME headers, from `--boundary` to the line break before the length of the token. */
function expectHead(head: string, boundary: string, protocol: SealingProtocol): number {
  const lines = head.split('\r\n').map((line) => line.trim())
  const [first, type, original, second, stream] = lines
  if (first !== `--${boundary}` || second !== `--${boundary}`)
    throw new MalformedMessage('sealed message without its two parts', 0)
  if (type?.toLowerCase() !== `content-type: ${nameOf(protocol)}`.toLowerCase())
    throw new MalformedMessage(`sealed message of another kind than ${protocol}`, 0)
  if (stream?.toLowerCase() !== 'content-type: application/octet-stream')
    throw new MalformedMessage('sealed message without its octet stream', 0)
  const content = /^OriginalContent:\s*type=[^;]+(?:;\s*charset=([^;]+))?;\s*Length=(\d{1,10})$/i.exec(
    original ?? '',
  )
  if (content === null) throw new MalformedMessage('sealed message without the length of its content', 0)
  const [, charset = 'UTF-8', length] = content
  if (charset.toLowerCase() !== 'utf-8')
    throw new MalformedMessage('sealed message in another charset than UTF-8', 0)
  return Number(length)
}

/** Where the fifth line ends; -1 when there are not so many within what headers may take. */
function endOfHead(body: Buffer): number {
  const head = body.subarray(0, MOST_HEADER_BYTES)
  let end = 0
  for (let line = 0; line < 5; line++) {
    const found = head.indexOf('\r\n', end)
    if (found < 0) return -1
    end = found + 2
  }
  return end
}

/**
 * Splits a sealed answer. Throws MalformedMessage when it is not one, is of another protocol, or its lengths contradict
 * each other or what is there. Views, no copies.
 */
export function decodeSealed(protocol: SealingProtocol, contentType: string, bytes: Uint8Array): SealedText {
  if (/^\s*multipart\/x-multi-encrypted\b/i.test(contentType))
    throw new MalformedMessage('a message sealed in several pieces, which we do not read', 0)
  if (!/^\s*multipart\/encrypted\b/i.test(contentType))
    throw new MalformedMessage('the answer is not sealed, though the logon agreed to it', 0)
  const parameters = parametersOf(contentType)
  if (parameters.get('protocol')?.toLowerCase() !== nameOf(protocol).toLowerCase())
    throw new MalformedMessage(`sealed by another protocol than ${protocol}`, 0)
  const boundary = parameters.get('boundary') ?? ''
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const start = endOfHead(body)
  if (start < 0) throw new MalformedMessage('sealed message without its two parts', 0)
  const plainBytes = expectHead(body.toString('latin1', 0, start), boundary, protocol)

  const reader = new Reader(body, start)
  const token = reader.bytes(reader.u32le())
  // The sealed text is as long as the plain one, so that nobody need look for the boundary in random bytes.
  const data = reader.bytes(plainBytes)
  const end = body.toString('latin1', reader.offset, reader.offset + boundary.length + 16)
  // pywinrm found that Windows' last boundary ends with two dashes "sometimes".
  const ended = end.trim() === `--${boundary}--` || end.trimStart() === `--${boundary}\r\n`
  if (reader.remaining > boundary.length + 16 || !ended)
    throw reader.malformed('sealed text that is not as long as announced')
  return { token, data }
}
