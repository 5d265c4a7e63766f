// By which names browsers may call us. A page of a stranger whose name suddenly resolves to our address (DNS rebinding) has
// its own name in the Host header, whatever the address: so names that nobody here gave us are not answered.
import { isIP } from 'node:net'

/**
 * `*` stands for any text on one line; all in lower case. Not a regular expression: with several stars, a long name would keep
 * one busy for hours.
 */
export function matches(pattern: string, name: string): boolean {
  const [first = '', ...inner] = pattern.toLowerCase().split('*')
  const last = inner.pop()
  if (last === undefined) return name === first
  if (!name.startsWith(first) || /[\r\n\u2028\u2029]/.test(name)) return false
  let at = first.length
  for (const part of inner) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return name.length >= at + last.length && name.endsWith(last)
}

/** The name in a Host or Origin header, without port, brackets and the dot at the end; undefined when there is none. */
function nameIn(host: string): string | undefined {
  const name = /^(?:\[([^\]]*)\]|([^:/@]*))(?::\d*)?$/.exec(host)
  return (name?.[1] ?? name?.[2])?.toLowerCase().replace(/\.$/, '')
}

/**
 * Addresses, and names without a dot, which no stranger's zone can hold, are ours; so is whatever matches a pattern.
 * Without the header, which HTTP/1.0 allows, it is no browser that asks.
 */
export function mayCall(host: string | undefined, patterns: readonly string[]): boolean {
  if (host === undefined) return true
  const name = nameIn(host)
  if (name === undefined || name === '' || name.length > 255) return false
  if (isIP(name) !== 0 || !name.includes('.') || name.endsWith('.localhost')) return true
  return patterns.some((pattern) => matches(pattern, name))
}
