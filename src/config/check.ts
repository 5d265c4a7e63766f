// What the schema cannot see: keys that contradict each other, and files, variables and cron expressions that must
// exist. Works on the file as written, so that one fault elsewhere does not hide another; what does not even parse is
// the schema's to report, and is passed over here.
import { resolve } from 'node:path'

import type { Schedule } from '../model/target.ts'
import { readSmallFile } from './files.ts'
import { isRecord } from './issues.ts'
import { didYouMean } from './nearest.ts'
import { quote, type Fault, type Path } from './problem.ts'
import { PROBE_DEFAULTS } from './schema.ts'
import { readPassword } from './secrets.ts'
import * as values from './values.ts'

export interface CheckOptions {
  /** What relative file names are relative to. */
  readonly directory: string
  /** What is wrong with a cron expression, or undefined. */
  readonly checkCron: (expression: string) => string | undefined
}

const MAX_AUTHORITIES_BYTES = 4 * 1024 * 1024

type Mapping = Readonly<Record<string, unknown>>

function mappingAt(value: unknown, key: string): Mapping {
  const found = isRecord(value) ? value[key] : undefined
  return isRecord(found) ? found : {}
}

function listAt(value: unknown, key: string): readonly unknown[] {
  const found: unknown = isRecord(value) ? value[key] : undefined
  return Array.isArray(found) ? found : []
}

function textAt(value: unknown, key: string): string | undefined {
  const found = isRecord(value) ? value[key] : undefined
  return typeof found === 'string' ? found : undefined
}

export function* check(file: unknown, options: CheckOptions): Generator<Fault> {
  const hosts = listAt(file, 'hosts')
  const domains = listAt(file, 'domains')
  yield* timings(file, options)
  yield* resolvers(file, [])
  yield* duplicates(hosts, ['hosts'], 'name', values.parseHost)
  yield* duplicates(domains, ['domains'], 'name', values.parseName)
  yield* duplicateReferences(file, [])
  for (const [index, host] of hosts.entries()) {
    const path = ['hosts', index]
    yield* duplicates(listAt(host, 'addresses'), [...path, 'addresses'], undefined, values.parseAddress)
    yield* duplicateReferences(host, path)
    yield* windowsOf(
      mappingAt(host, 'windows'),
      [...path, 'windows'],
      mappingAt(file, 'credentials'),
      options,
    )
  }
  for (const [index, domain] of domains.entries()) {
    const path = ['domains', index]
    yield* resolvers(domain, path)
    yield* duplicates(listAt(domain, 'expect'), [...path, 'expect'], 'target', values.parseFqdn)
  }
  for (const [name, credential] of Object.entries(mappingAt(file, 'credentials'))) {
    if (isRecord(credential)) yield* passwordOf(credential, ['credentials', name], options)
  }
}

/** Entries that say the same, be it themselves or under `key`. */
function* duplicates(
  list: readonly unknown[],
  path: Path,
  key: string | undefined,
  parse: (text: string) => values.Parsed<unknown>,
): Generator<Fault> {
  const first = new Map<string, Path>()
  for (const [index, entry] of list.entries()) {
    const nested = key !== undefined && isRecord(entry)
    const text = nested ? textAt(entry, key) : entry
    const parsed = typeof text === 'string' ? parse(text) : undefined
    if (parsed === undefined || parsed.problem !== undefined) continue
    const here = nested ? [...path, index, key] : [...path, index]
    const same = JSON.stringify(parsed.value)
    const earlier = first.get(same)
    if (earlier === undefined) first.set(same, here)
    else yield { path: here, message: `${quote(String(text))} is listed twice`, first: earlier }
  }
}

function* resolvers(owner: unknown, path: Path): Generator<Fault> {
  const parse = (text: string) => values.parseEndpoint(text, 53)
  yield* duplicates(listAt(owner, 'resolvers'), [...path, 'resolvers'], undefined, parse)
}

function* duplicateReferences(owner: unknown, above: Path): Generator<Fault> {
  const clock = mappingAt(mappingAt(owner, 'probes'), 'clock')
  const path = [...above, 'probes', 'clock']
  const parse = (text: string) => values.parseReference(text, 123)
  yield* duplicates(listAt(clock, 'references'), [...path, 'references'], undefined, parse)
  yield* duplicates(listAt(clock, 'sources'), [...path, 'sources'], undefined, (value) => ({ value }))
}

/** Every schedule and timeout: the probes' own, then those that a host or domain sets for itself. */
function* timings(file: unknown, options: CheckOptions): Generator<Fault> {
  for (const [probe, defaults] of Object.entries(PROBE_DEFAULTS)) {
    const general = mappingAt(mappingAt(file, 'probes'), probe)
    yield* timing(general, ['probes', probe], defaults, options)
    const inherited = { ...defaults, ...general }
    for (const list of ['hosts', 'domains']) {
      for (const [index, owner] of listAt(file, list).entries()) {
        const own = mappingAt(mappingAt(owner, 'probes'), probe)
        const path = [list, index, 'probes', probe]
        if ('schedule' in own || 'timeout' in own) yield* timing(own, path, inherited, options)
      }
    }
  }
}

function* timing(own: Mapping, path: Path, inherited: Mapping, options: CheckOptions): Generator<Fault> {
  const schedule = parsedAt({ ...inherited, ...own }, 'schedule', values.parseSchedule)
  const timeout = parsedAt({ ...inherited, ...own }, 'timeout', values.parseTimeout)
  if (schedule?.kind === 'cron') {
    const problem = 'schedule' in own ? options.checkCron(schedule.expression) : undefined
    if (problem !== undefined) {
      yield { path: [...path, 'schedule'], message: `is not a cron expression that can be run: ${problem}` }
    }
    return
  }
  if (schedule === undefined || timeout === undefined || timeout <= schedule.seconds) return
  const key = 'timeout' in own ? 'timeout' : 'schedule'
  const texts = { ...inherited, ...own }
  yield {
    path: [...path, key],
    message:
      key === 'timeout'
        ? `${String(texts['timeout'])} is longer than the schedule, ${String(texts['schedule'])}`
        : `${String(texts['schedule'])} is shorter than the timeout, ${String(texts['timeout'])}`,
    hint: 'a run must end before the next one starts',
  }
}

function parsedAt<T extends Schedule | number>(
  from: Mapping,
  key: string,
  parse: (text: string) => values.Parsed<T>,
): T | undefined {
  const text = textAt(from, key)
  const parsed = text === undefined ? undefined : parse(text)
  return parsed?.problem === undefined ? parsed?.value : undefined
}

function* windowsOf(windows: Mapping, path: Path, known: Mapping, options: CheckOptions): Generator<Fault> {
  const plain = /^http:/i.test(textAt(windows, 'url') ?? '')
  const name = textAt(windows, 'credentials')
  if (name !== undefined && name !== '') {
    if (!Object.hasOwn(known, name)) {
      const names = Object.keys(known)
      const hint =
        didYouMean(name, names) ?? (names.length > 0 ? `there are: ${names.join(', ')}` : undefined)
      yield { path: [...path, 'credentials'], message: `there are no credentials named ${quote(name)}`, hint }
    }
    if (plain) {
      yield { path: [...path, 'url'], message: 'would send the password in clear text', hint: 'use https' }
    }
  }
  if (plain && isRecord(windows['tls'])) {
    yield { path: [...path, 'tls'], at: 'key', message: 'means nothing to an http:// url', hint: 'use https' }
  }
  const authorities = textAt(mappingAt(windows, 'tls'), 'ca_file')
  if (authorities === undefined || authorities === '') return
  const at = [...path, 'tls', 'ca_file']
  const read = readSmallFile(resolve(options.directory, authorities), MAX_AUTHORITIES_BYTES)
  if (read.problem !== undefined)
    yield { path: at, message: `names a file that ${read.problem}`, hint: read.hint }
  else if (!read.text.includes('-----BEGIN CERTIFICATE-----')) {
    yield { path: at, message: 'names a file that holds no certificate', hint: 'PEM text is expected' }
  }
}

function* passwordOf(credential: Mapping, path: Path, options: CheckOptions): Generator<Fault> {
  const file = textAt(credential, 'password_file')
  const variable = textAt(credential, 'password_env')
  const given = ['password_file', 'password_env'].filter((key) => key in credential)
  const [key] = given
  if (given.length > 1) {
    yield {
      path: [...path, 'password_env'],
      at: 'key',
      message: 'is given besides password_file',
      hint: 'keep one of them',
    }
  }
  if (key === undefined) {
    yield { path, message: 'has neither password_file nor password_env; it needs one of them' }
  }
  if (file !== undefined && file !== '') {
    const { problem } = readPassword({ password_file: resolve(options.directory, file) })
    if (problem !== undefined) yield { path: [...path, 'password_file'], message: problem }
  }
  if (variable !== undefined && /^\w+$/.test(variable)) {
    const { problem } = readPassword({ password_env: variable })
    if (problem !== undefined) yield { path: [...path, 'password_env'], message: problem }
  }
}
