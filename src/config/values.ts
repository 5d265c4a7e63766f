// The single values of the file, text to value: names, addresses, endpoints, schedules, URLs. Pure. What a key is
// called and which values it defaults to is `schema.ts`'s business.
import { isIPv4, isIPv6 } from 'node:net'

import type { Endpoint, Schedule } from '../model/target.ts'
import { parseDuration } from './duration.ts'

/** A value, or what is wrong with the text, in words that continue "this key ...". */
export type Parsed<T> =
  | { readonly value: T; readonly problem?: undefined }
  | { readonly problem: string; readonly hint?: string; readonly value?: undefined }

const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/

/** Lower-cased, without the trailing dot. RFC 1035 2.3.1, plus the underscore that Windows allows. */
export function parseName(text: string): Parsed<string> {
  const name = text.toLowerCase().replace(/\.$/, '')
  const labels = name.split('.')
  if (/[^\0-\x7f]/.test(name)) {
    return { problem: 'must be a DNS name in ASCII', hint: 'write the punycode form, xn--...' }
  }
  if (name.length > 253 || !labels.every((label) => LABEL.test(label)))
    return { problem: 'must be a DNS name' }
  if (/^\d+$/.test(labels.at(-1) ?? '')) return { problem: 'must be a DNS name, not an address' }
  return { value: name }
}

/** A name with at least one dot. */
export function parseFqdn(text: string): Parsed<string> {
  const name = parseName(text)
  if (name.problem !== undefined || name.value.includes('.')) return name
  return {
    problem: 'must be a fully qualified DNS name',
    hint: `write it with its domain, like ${name.value}.corp.example`,
  }
}

/** An IP literal in its canonical form: IPv6 compressed and in lower case (RFC 5952), without a zone. */
export function parseAddress(text: string): Parsed<string> {
  if (isIPv4(text)) return { value: text }
  if (isIPv6(text) && !text.includes('%')) return { value: new URL(`http://[${text}]`).hostname.slice(1, -1) }
  return { problem: 'must be an IP address' }
}

/** A DNS name or an IP literal. */
export function parseHost(text: string): Parsed<string> {
  const address = parseAddress(text)
  if (address.problem === undefined) return address
  const name = parseName(text)
  if (name.problem === undefined) return name
  const separated = splitPort(text)
  if (separated?.port !== undefined) {
    return { problem: 'must be a DNS name or an IP address', hint: 'the port has a key of its own' }
  }
  return name.hint === undefined ? { problem: 'must be a DNS name or an IP address' } : name
}

/** `host`, `host:port`, `[v6]:port`; a bare IPv6 address has no port. Undefined when the port is not one. */
function splitPort(text: string): { host: string; port?: number } | undefined {
  if (isIPv6(text)) return { host: text }
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text)
  if (match === null) return undefined
  const [, bracketed, plain, digits] = match
  if (bracketed !== undefined && !isIPv6(bracketed)) return undefined
  const host = bracketed ?? plain ?? ''
  if (digits === undefined) return { host }
  const port = Number(digits)
  return port >= 1 && port <= 65535 ? { host, port } : undefined
}

/** An IP literal with or without a port; a name is not one. */
export function parseEndpoint(text: string, defaultPort: number): Parsed<Endpoint> {
  const parts = splitPort(text)
  const address = parts === undefined ? undefined : parseAddress(parts.host)
  if (address?.value !== undefined)
    return { value: { address: address.value, port: parts?.port ?? defaultPort } }
  return {
    problem: 'must be an IP address, with or without a port',
    hint: 'like 192.0.2.1, "192.0.2.1:53" or "[2001:db8::1]:53"',
  }
}

/** A time server: a name or an IP literal, with or without a port. */
export interface Reference {
  readonly host: string
  readonly port: number
}

export function parseReference(text: string, defaultPort: number): Parsed<Reference> {
  const parts = splitPort(text)
  const host = parts === undefined ? undefined : parseHost(parts.host)
  if (host?.value !== undefined) return { value: { host: host.value, port: parts?.port ?? defaultPort } }
  return {
    problem: 'must be a DNS name or an IP address, with or without a port',
    hint: `like ntp.corp.example, "192.0.2.1:123" or "[2001:db8::1]:123"`,
  }
}

/** Not the cron expression's own syntax, which only the scheduler knows. */
export function parseSchedule(text: string): Parsed<Schedule> {
  const seconds = parseDuration(text)
  if (seconds !== undefined) {
    // A timer longer than 24.8 days would fire at once; cron can say anything rarer than a day.
    if (seconds < 1 || seconds > 86_400) return { problem: 'must be 1s to 1d' }
    return { value: { kind: 'every', seconds } }
  }
  const fields = text.trim().split(/\s+/)
  if (fields.length === 5 || fields.length === 6)
    return { value: { kind: 'cron', expression: fields.join(' ') } }
  return withoutUnit(text) ?? { problem: 'must be a duration like 15s or a cron expression of 6 fields' }
}

/** Seconds. */
export function parseTimeout(text: string): Parsed<number> {
  const seconds = parseDuration(text)
  if (seconds === undefined) return withoutUnit(text) ?? { problem: 'must be a duration like 5s' }
  return seconds < 0.1 || seconds > 300 ? { problem: 'must be 100ms to 5m' } : { value: seconds }
}

/** Seconds: how much of an event log is read at first. */
export function parseFirstRead(text: string): Parsed<number> {
  const seconds = parseDuration(text)
  if (seconds === undefined) return withoutUnit(text, 'd') ?? { problem: 'must be a duration like 30d' }
  return seconds < 3600 || seconds > 60 * 86_400 ? { problem: 'must be 1h to 60d' } : { value: seconds }
}

/** 64 hex digits in lower case, of a SHA-256 written with or without colons. */
export function parseFingerprint(text: string): Parsed<string> {
  const digits = text.replaceAll(':', '').toLowerCase()
  if (/^[0-9a-f]{64}$/.test(digits)) return { value: digits }
  if (/^[0-9a-f]{40}$/.test(digits))
    return {
      problem: 'is a SHA-1 fingerprint',
      hint: 'give the SHA-256: openssl x509 -noout -fingerprint -sha256',
    }
  return { problem: 'must be a SHA-256 fingerprint of 64 hex digits, with or without colons' }
}

/** What to say of a number where a duration belongs; undefined when `text` is not a plain number. */
export function withoutUnit(
  text: string,
  unit: 's' | 'd' = 's',
): { problem: string; hint: string } | undefined {
  if (!/^-?\d+(\.\d+)?$/.test(text)) return undefined
  return {
    problem: `${text} has no unit`,
    hint: /^\d+$/.test(text) ? `write ${text}${unit}` : `write a duration like 5${unit}`,
  }
}

/** The text itself once it is an absolute http or https URL that carries no password. */
export function parseUrl(text: string): Parsed<string> {
  if (!URL.canParse(text)) return { problem: 'must be a URL that begins with https:// or http://' }
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return { problem: 'must be a URL that begins with https:// or http://' }
  if (url.username !== '' || url.password !== '') {
    return { problem: 'must not carry a user name or password', hint: 'name an entry of credentials instead' }
  }
  return { value: text }
}
