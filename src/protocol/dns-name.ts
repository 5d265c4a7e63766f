// Domain names as text: ours before they are asked for, a peer's before anybody reads them (RFC 1035 2.3.4, 5.1).
// No IDNA rules of our own: punycode is node:url's.
import { domainToASCII } from 'node:url'
import { MalformedMessage } from '../model/failure.ts'

const MAX_NAME_CHARACTERS = 1000
/** As most are: nothing has to be done about them. */
const PLAIN_NAME = /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/
const PLAIN_CHARACTERS = /^[a-z0-9_.*-]*$/

/**
 * A name fit to be asked for: lower case, punycode, no final dot; underscores are welcome. Throws MalformedMessage when
 * it is empty, has an empty or over-long label, is over-long itself, or has other characters than names have.
 */
export function checkName(name: string): string {
  if (name.length <= 253 && PLAIN_NAME.test(name)) return name
  if (name.length > MAX_NAME_CHARACTERS) throw new MalformedMessage('name too long', MAX_NAME_CHARACTERS)
  // Before punycode: the URL parser behind domainToASCII takes userinfo, ports and paths off silently.
  const odd = name.search(/[^a-z0-9_.\u0080-\uffff-]/i)
  if (odd >= 0) throw new MalformedMessage('character that names do not have', odd)
  const ascii = /[^\u0020-\u007e]/.test(name) ? domainToASCII(name) : name
  const text = ascii.toLowerCase().replace(/\.$/, '')
  if (!/^[a-z0-9_.-]+$/.test(text)) throw new MalformedMessage('not a domain name', 0)
  if (text.length > 253) throw new MalformedMessage('name longer than 253 characters', 253)
  let offset = 0
  for (const label of text.split('.')) {
    if (label.length === 0 || label.length > 63)
      throw new MalformedMessage(`label of ${label.length} characters`, offset)
    offset += label.length + 1
  }
  return text
}

/**
 * A peer's name for comparing and showing: ASCII letters in lower case, bytes that names do not have as `\DDD`.
 * Escapes before it lowers: some letters far outside ASCII have an ASCII letter as their lower case.
 */
export function normaliseName(name: string): string {
  if (PLAIN_CHARACTERS.test(name)) return name
  return name
    .replace(/[^A-Za-z0-9_.*-]+/g, (odd) =>
      Array.from(Buffer.from(odd), (byte) => `\\${String(byte).padStart(3, '0')}`).join(''),
    )
    .toLowerCase()
}
