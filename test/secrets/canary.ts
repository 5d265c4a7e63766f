// Secrets that would be known again anywhere, in every guise in which something may let one slip.
import { expect } from 'vitest'
import { md4 } from '../../src/protocol/md4.ts'
import { escapeHtml } from '../../src/views/printable.ts'

/** A secret with the characters that the guises treat differently. */
export function canary(name: string): string {
  return `Kanarienvogel/${name}+7f3a "&<%>'`
}

/** Wherever in a text that is written in base64 it begins: what is around it touches the first and the last characters. */
function base64Of(bytes: Buffer): readonly string[] {
  return [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .slice(4, -4)
    return [text, text.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

/** As it is, and as files, protocols and pages write it. */
export function guisesOf(secret: string): readonly (readonly [guise: string, form: string])[] {
  const [utf8, utf16] = [Buffer.from(secret, 'utf8'), Buffer.from(secret, 'utf16le')]
  const hash = Buffer.from(md4(utf16))
  return [
    ['plain', secret],
    ['in JSON', JSON.stringify(secret).slice(1, -1)],
    ['in HTML', escapeHtml(secret)],
    ['its first half', secret.slice(0, secret.length / 2)],
    ['URL-encoded', encodeURIComponent(secret)],
    ['as a form encodes it', new URLSearchParams({ a: secret }).toString().slice(2)],
    ['in hex', utf8.toString('hex')],
    ['UTF-16LE', utf16.toString('latin1')],
    ['UTF-16LE in hex', utf16.toString('hex')],
    ['its NTLM hash', hash.toString('latin1')],
    ['its NTLM hash in hex', hash.toString('hex')],
    ...base64Of(utf8).map((text): [string, string] => ['in base64', text]),
    ...base64Of(utf16).map((text): [string, string] => ['UTF-16LE in base64', text]),
    ...base64Of(hash).map((text): [string, string] => ['its NTLM hash in base64', text]),
  ]
}

export function seenIn(text: string, secrets: readonly string[]): readonly string[] {
  const lower = text.toLowerCase()
  return secrets.flatMap((secret) =>
    guisesOf(secret).flatMap(([guise, form]) =>
      lower.includes(form.toLowerCase()) ? [`${secret}, ${guise}`] : [],
    ),
  )
}

export function expectNone(where: string, text: string, secrets: readonly string[]): void {
  expect(seenIn(text, secrets), `${where}: ${text.slice(0, 2000)}`).toEqual([])
}
