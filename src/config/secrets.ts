// Passwords, from where the configuration says they are, at the moment of use and no earlier. A file is read again
// when it changes, so that a rotated password needs no reload. Of auth basic and ntlm only: a keytab, a credential cache
// and a certificate's key are files that the logon itself reads.
import { ProbeFailure } from '../model/failure.ts'
import { Secret } from '../model/secret.ts'
import { fileVersion, readSmallFile, type FileText } from './files.ts'

const MAX_PASSWORD_BYTES = 64 * 1024

export interface PasswordSource {
  readonly password_file?: string | undefined
  readonly password_env?: string | undefined
}

/** The password without its one trailing line break, or what is wrong, in words that continue the key's name. */
export function readPassword({ password_file: file, password_env: env }: PasswordSource): FileText {
  if (file === undefined) {
    const value = env === undefined ? undefined : process.env[env]
    if (value === undefined) return { problem: 'names an environment variable that is not set' }
    return value === '' ? { problem: 'names an environment variable that is empty' } : { text: value }
  }
  const read = readSmallFile(file, MAX_PASSWORD_BYTES)
  if (read.problem !== undefined) return { ...read, problem: `names a file that ${read.problem}` }
  const text = read.text.replace(/\r?\n$/, '')
  return text === '' ? { problem: 'names a file that is empty' } : { text }
}

/** Revealing throws `ProbeFailure` `not_configured` when there is no password any more; never with it in the text. */
export function passwordOf(credential: PasswordSource): Secret {
  let known: { version: string; text: string } | undefined
  return new Secret(() => {
    // The environment costs nothing to ask again.
    const version = credential.password_file === undefined ? undefined : fileVersion(credential.password_file)
    if (version !== undefined && known?.version === version) return known.text
    const read = readPassword(credential)
    if (read.problem !== undefined) {
      const key = credential.password_file === undefined ? 'password_env' : 'password_file'
      throw new ProbeFailure('not_configured', `${key} ${read.problem}`)
    }
    if (version !== undefined) known = { version, text: read.text }
    return read.text
  })
}
