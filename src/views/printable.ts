// Text that a peer may have had a hand in, made harmless for terminals, logs and pages.

// DEL and C1 steer terminals as C0 does; the others turn the direction of writing, or end a line.
export const BEYOND_C0 = String.raw`\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069`
const STEERING = new RegExp(`[\\u0000-\\u001f${BEYOND_C0}]`, 'g')
const STEERING_IN_JSON = new RegExp(`[${BEYOND_C0}]`, 'g')

/** Control characters (C0, C1) and those that turn the direction of writing become visible instead of effective. */
export function printable(text: string): string {
  return text.toWellFormed().replace(STEERING, '\ufffd')
}

/** JSON escapes C0 and lone surrogates itself; the rest is escaped here, and means the same to whoever parses it. */
export function printableJson(json: string): string {
  return json.replace(
    STEERING_IN_JSON,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

const HTML: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** For element content and for quoted attributes. */
export function escapeHtml(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => HTML[character] ?? character)
}

/** `2026-01-31 23:59:59 UTC`. */
export function utc(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
