// How Windows is asked and how to log on there: keys that do not go together, logons that a way does not know, passwords
// on the open wire, and the files that are named. Works on the file as written, as all of `check.ts` does.
import { isAbsolute } from 'node:path'

import { readAuthorities, readCache, readCertificate, readKey, readKeytab, type Held } from './check-files.ts'
import { isCredential, located } from './files.ts'
import { isRecord } from './issues.ts'
import { KEYS_OF_AUTH, KEYS_OF_VIA, type KeysByChoice } from './keys.ts'
import { didYouMean } from './nearest.ts'
import { quote, type Fault, type Path } from './problem.ts'
import { readPassword } from './secrets.ts'
import { entryOf, mappingAt, textAt, type Mapping } from './written.ts'

/** The keys that stand beside `choice` though it does not take them, and those that it lacks. */
function* together(given: Mapping, path: Path, choice: string, table: KeysByChoice): Generator<Fault> {
  const value = textAt(given, choice)
  const keys = entryOf(table, value)
  if (value === undefined || keys === undefined) return
  const all = Object.values(table)
  for (const key of Object.keys(given)) {
    if (keys.takes.includes(key) || !all.some(({ takes }) => takes.includes(key))) continue
    const hint = keys.takes.length === 0 ? `${value} takes no other key` : `it takes ${keys.takes.join(', ')}`
    yield { path: [...path, key], at: 'key', message: `means nothing to ${choice} ${value}`, hint }
  }
  for (const key of keys.needs) {
    if (!(key in given)) yield { path, message: `has no ${quote(key)}, which ${choice} ${value} needs` }
  }
  if (keys.oneOf === undefined) return
  const [one, other] = keys.oneOf
  if (one in given && other in given) {
    yield {
      path: [...path, other],
      at: 'key',
      message: `is given besides ${one}`,
      hint: 'keep one of them',
    }
  } else if (!(one in given) && !(other in given)) {
    yield { path, message: `has neither ${one} nor ${other}; it needs one of them` }
  }
}

/** What every host's and client's way to its Windows is checked against. */
export interface Surroundings {
  /** The logons by name. */
  readonly known: Mapping
  /** What relative file names are relative to. */
  readonly directory: string
  /** What was found in each file of authorities: thousands of hosts may name the same one. */
  readonly authorities: Map<string, Held<string>>
}

export function* windowsFaults(windows: Mapping, path: Path, around: Surroundings): Generator<Fault> {
  const { known } = around
  yield* together(windows, path, 'via', KEYS_OF_VIA)
  const via = textAt(windows, 'via')
  // Nothing that it takes can be wrong.
  if (via === 'local') return
  const name = textAt(windows, 'credentials')
  if (name !== undefined && name !== '' && !Object.hasOwn(known, name)) {
    const names = Object.keys(known)
    const there =
      names.length > 0 ? `there are: ${names.join(', ')}` : 'name it under the top-level credentials'
    const hint = didYouMean(name, names) ?? there
    yield { path: [...path, 'credentials'], message: `there are no credentials named ${quote(name)}`, hint }
  }
  const auth = textAt(entryOf(known, name), 'auth')
  const knownAuth = entryOf(KEYS_OF_AUTH, auth) && auth
  if (via === 'windows_exporter') yield* exporterFaults(windows, path, knownAuth)
  if (via === 'winrm') yield* winrmFaults(windows, path, knownAuth)
  if (isPlain(windows) && isRecord(windows['tls'])) {
    yield { path: [...path, 'tls'], at: 'key', message: 'means nothing to an http:// url', hint: 'use https' }
  }
  yield* trustFaults(mappingAt(windows, 'tls'), [...path, 'tls'], around)
}

function isPlain(windows: Mapping): boolean {
  return /^http:/i.test(textAt(windows, 'url') ?? '')
}

const IN_CLEAR = 'would send the password in clear text'

/** `auth`: of the logon that is named; undefined when that is not known. */
function* exporterFaults(windows: Mapping, path: Path, auth: string | undefined): Generator<Fault> {
  if (auth !== undefined && auth !== 'basic') {
    const message = `names a logon of auth ${auth}; windows_exporter knows only basic`
    yield { path: [...path, 'credentials'], message }
  } else if (isPlain(windows) && (textAt(windows, 'credentials') ?? '') !== '') {
    yield { path: [...path, 'url'], message: IN_CLEAR, hint: 'use https' }
  }
}

function* winrmFaults(windows: Mapping, path: Path, auth: string | undefined): Generator<Fault> {
  const allowed = windows['allow_unencrypted'] === true
  if (isPlain(windows) && auth === 'basic' && !allowed) {
    const hint = 'use https, or auth ntlm or kerberos; or say allow_unencrypted: true'
    yield { path: [...path, 'url'], message: IN_CLEAR, hint }
  }
  if (isPlain(windows) && auth === 'certificate') {
    yield { path: [...path, 'url'], message: 'has no TLS, which auth certificate needs', hint: 'use https' }
  }
  if (!allowed) return
  const at = { path: [...path, 'allow_unencrypted'], at: 'key', hint: 'remove the key' } as const
  if (/^https:/i.test(textAt(windows, 'url') ?? 'https:')) {
    yield { ...at, message: 'means nothing to an https:// url' }
  } else if (auth !== undefined && auth !== 'basic') {
    yield { ...at, message: `means nothing to auth ${auth}, which sends no password` }
  }
}

function* trustFaults(tls: Mapping, path: Path, { directory, authorities }: Surroundings): Generator<Fault> {
  for (const key of ['ca_file', 'server_name']) {
    if (!('fingerprint' in tls) || !(key in tls)) continue
    yield {
      path: [...path, key],
      at: 'key',
      message: 'is given besides fingerprint, which is all that is looked at then',
      hint: 'keep one of them',
    }
  }
  const readOnce = (file: string): Held<string> => {
    const held = authorities.get(file) ?? readAuthorities(file)
    authorities.set(file, held)
    return held
  }
  yield* heldFaults([...path, 'ca_file'], fileAt(tls, 'ca_file', directory, readOnce))
}

export function* logonFaults(logon: Mapping, path: Path, directory: string): Generator<Fault> {
  yield* together(logon, path, 'auth', KEYS_OF_AUTH)
  if (textAt(logon, 'auth') === 'kerberos' && 'keytab_file' in logon) {
    if ('cache_file' in logon) {
      yield {
        path: [...path, 'cache_file'],
        at: 'key',
        message: 'is given besides keytab_file',
        hint: 'keep one of them',
      }
    }
    if (!('username' in logon)) {
      const hint = 'the principal whose key it holds, like svc-kms@CORP.EXAMPLE'
      yield { path, message: 'has no "username", which keytab_file needs', hint }
    }
  }
  if (textAt(logon, 'auth') === 'kerberos' && textAt(logon, 'username')?.includes('\\') === true) {
    const message = 'must be a Kerberos principal, which has no backslash'
    yield { path: [...path, 'username'], message, hint: 'like svc-kms@CORP.EXAMPLE, the realm in capitals' }
  }
  // Of a key that means nothing, its file says nothing more.
  const takes = entryOf(KEYS_OF_AUTH, textAt(logon, 'auth'))?.takes
  const meant = Object.fromEntries(Object.entries(logon).filter(([key]) => takes?.includes(key) ?? true))
  yield* passwordFaults(meant, path, directory)
  const certificate = fileAt(meant, 'certificate_file', directory, readCertificate)
  const key = fileAt(meant, 'key_file', directory, readKey)
  yield* heldFaults([...path, 'certificate_file'], certificate)
  yield* heldFaults([...path, 'key_file'], key)
  yield* heldFaults([...path, 'keytab_file'], fileAt(meant, 'keytab_file', directory, readKeytab))
  yield* heldFaults([...path, 'cache_file'], fileAt(meant, 'cache_file', directory, readCache))
  if (key?.value !== undefined && certificate?.value?.checkPrivateKey(key.value) === false) {
    yield { path: [...path, 'key_file'], message: 'names a key that is not that of certificate_file' }
  }
}

/** Undefined where the key names no file. */
function fileAt<T>(
  owner: Mapping,
  key: string,
  directory: string,
  read: (file: string) => Held<T>,
): Held<T> | undefined {
  const file = textAt(owner, key)
  if (file === undefined || file === '') return undefined
  const held = read(located(directory, file))
  const hint = held.problem && whereLooked(held.problem, file)
  return held.problem === undefined || hint === undefined ? held : { ...held, hint }
}

/** A hint where a file may be missing only because it is looked for elsewhere. */
function whereLooked(problem: string, file: string): string | undefined {
  // What "C:\ProgramData\reader.txt" comes to, which is YAML, too.
  if (/[\x00-\x1F\x7F-\xA0\u2028\u2029]/.test(file))
    return 'in double quotes \\r, \\n, \\t, \\P and others are escapes: use single quotes for a path of Windows'
  if (problem.endsWith('does not exist') && isCredential(file))
    return 'LoadCredential= of its unit hands it to the service, and to no other process'
  const isElsewhere = problem.endsWith('does not exist') && !isAbsolute(file)
  return isElsewhere ? "a relative name begins at this file's directory" : undefined
}

function* heldFaults(path: Path, held: Held<unknown> | undefined): Generator<Fault> {
  if (held?.problem !== undefined) yield { path, message: held.problem, hint: held.hint }
}

function* passwordFaults(logon: Mapping, path: Path, directory: string): Generator<Fault> {
  const file = textAt(logon, 'password_file')
  const variable = textAt(logon, 'password_env')
  if (file !== undefined && file !== '') {
    const read = readPassword({ password_file: located(directory, file) })
    if (read.problem !== undefined) {
      const hint = read.hint ?? whereLooked(read.problem, file)
      yield { path: [...path, 'password_file'], message: read.problem, hint }
    }
  }
  if (variable !== undefined && /^\w+$/.test(variable)) {
    const { problem } = readPassword({ password_env: variable })
    if (problem !== undefined) yield { path: [...path, 'password_env'], message: problem }
  }
}
