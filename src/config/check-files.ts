// The files for TLS and Kerberos that the configuration names, looked into only far enough to say that the wrong one is
// named. What they hold is not kept: it is read again when it is used.
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'

import { fileVersion, readSmallBytes } from './files.ts'

const MAX_BYTES = 4 * 1024 * 1024

/** What a file holds, or what is wrong with it, in words that continue "this key ...". */
export type Held<T> =
  | { readonly value: T; readonly problem?: undefined }
  | { readonly problem: string; readonly hint?: string; readonly value?: undefined }

// Bytes, whatever they are: a file of the wrong kind is told by what it lacks.
function bytesOf(file: string): Held<Buffer> {
  const read = readSmallBytes(file, MAX_BYTES)
  return read.problem === undefined
    ? { value: Buffer.from(read.bytes) }
    : { problem: `names a file that ${read.problem}` }
}

function textOf(file: string): Held<string> {
  const { value, problem } = bytesOf(file)
  if (problem !== undefined) return { problem }
  // Editors on Windows begin a file with UTF-8's mark, and OpenSSL finds nothing behind it.
  return { value: value.toString('latin1').replace(/^\xEF\xBB\xBF/, '') }
}

const PEM = 'PEM text is expected'
const NO_CERTIFICATE = { problem: 'holds no certificate', hint: PEM }

export function readAuthorities(file: string): Held<string> {
  return readAs(file, authoritiesIn)
}

export function readCertificate(file: string): Held<X509Certificate> {
  return readAs(file, certificateIn)
}

export function readKey(file: string): Held<KeyObject> {
  return readAs(file, keyIn)
}

/** What is said of the text is said of the file that holds it. */
export function readAs<T>(file: string, within: (text: string) => Held<T>): Held<T> {
  const text = textOf(file)
  if (text.problem !== undefined) return text
  const held = within(text.value)
  return held.problem === undefined ? held : { ...held, problem: `names a file that ${held.problem}` }
}

export function authoritiesIn(text: string): Held<string> {
  return text.includes('-----BEGIN CERTIFICATE-----') ? { value: text } : NO_CERTIFICATE
}

/** The first one of the text: our own. */
export function certificateIn(text: string): Held<X509Certificate> {
  try {
    return text.includes('-----BEGIN CERTIFICATE-----')
      ? { value: new X509Certificate(text) }
      : NO_CERTIFICATE
  } catch {
    return NO_CERTIFICATE
  }
}

export function keyIn(text: string): Held<KeyObject> {
  // RFC 7468 11; RFC 1421 4.6.1.1 for what OpenSSL wrote before.
  if (/^(?:-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)/m.test(text)) {
    return {
      problem: 'holds a key with a passphrase, which nobody is there to type',
      hint: 'take it off with: openssl pkey -in KEY -out NEW-KEY',
    }
  }
  try {
    return { value: createPrivateKey(text) }
  } catch {
    return { problem: 'holds no private key', hint: PEM }
  }
}

/** MIT Kerberos, "Keytab file format": 5, then the version, 1 or 2. */
export function readKeytab(file: string): Held<true> {
  const { value, problem } = bytesOf(file)
  if (problem !== undefined) return { problem }
  return isVersioned(value, 2)
    ? { value: true }
    : { problem: 'names a file that is not a keytab', hint: 'ktutil and ktpass write one' }
}

/** MIT Kerberos, "Credential cache file format": 5, then the version, 1 to 4. May be missing: others keep it filled. */
export function readCache(file: string): Held<true> {
  if (fileVersion(file) === undefined) return { value: true }
  const { value, problem } = bytesOf(file)
  if (problem !== undefined) return { problem }
  return isVersioned(value, 4) ? { value: true } : { problem: 'names a file that is not a credential cache' }
}

function isVersioned(bytes: Uint8Array, newest: number): boolean {
  const [format, version = 0] = bytes
  return format === 5 && version >= 1 && version <= newest
}
