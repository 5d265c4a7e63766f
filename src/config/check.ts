// What the schema cannot see: keys that contradict each other, and files, variables and cron expressions that must
// exist. Works on the file as written, so that one fault elsewhere does not hide another; what does not even parse is
// the schema's to report, and is passed over here.
import type { Schedule } from '../model/target.ts'
import { logonFaults, windowsFaults } from './check-access.ts'
import { isRecord } from './issues.ts'
import { quote, type Fault, type Path } from './problem.ts'
import { PROBE_DEFAULTS } from './schema.ts'
import * as values from './values.ts'
import { listAt, mappingAt, textAt, type Mapping } from './written.ts'

export interface CheckOptions {
  /** What relative file names are relative to. */
  readonly directory: string
  /** What is wrong with a cron expression, or undefined. */
  readonly checkCron: (expression: string) => string | undefined
}

export function* check(file: unknown, options: CheckOptions): Generator<Fault> {
  const hosts = listAt(file, 'hosts')
  const clients = listAt(file, 'clients')
  const domains = listAt(file, 'domains')
  yield* timings(file, options)
  yield* resolvers(file, [])
  yield* duplicates(hosts, ['hosts'], 'name', values.parseHost)
  yield* duplicates(clients, ['clients'], 'name', values.parseHost)
  yield* duplicates(domains, ['domains'], 'name', values.parseName)
  yield* duplicateReferences(file, [])
  yield* secondLocal(hosts, ['hosts'])
  yield* secondLocal(clients, ['clients'])
  for (const [index, host] of hosts.entries()) {
    const path = ['hosts', index]
    yield* duplicates(listAt(host, 'addresses'), [...path, 'addresses'], undefined, values.parseAddress)
    yield* duplicates(listAt(host, 'serves'), [...path, 'serves'], undefined, asWritten)
    yield* duplicateReferences(host, path)
    yield* cimAlone(host, path)
  }
  for (const [index, domain] of domains.entries()) {
    const path = ['domains', index]
    yield* resolvers(domain, path)
    yield* duplicates(listAt(domain, 'expect'), [...path, 'expect'], 'target', values.parseFqdn)
  }
  const credentials = mappingAt(file, 'credentials')
  const around = { known: credentials, directory: options.directory, authorities: new Map() }
  for (const list of ['hosts', 'clients']) {
    for (const [index, entry] of listAt(file, list).entries()) {
      if (!isRecord(entry) || !('windows' in entry)) continue
      const path = [list, index, 'windows']
      yield* windowsFaults(mappingAt(entry, 'windows'), path, around)
    }
  }
  for (const [name, logon] of Object.entries(credentials)) {
    if (isRecord(logon)) yield* logonFaults(logon, ['credentials', name], options.directory)
  }
}

function asWritten(value: string): values.Parsed<string> {
  return { value }
}

/** Entries that say the same, be it themselves or under `key`. */
function* duplicates(
  list: readonly unknown[],
  path: Path,
  key: string | undefined,
  parse: (text: string) => values.Parsed<unknown>,
): Generator<Fault> {
  if (list.length === 0) return
  const first = new Map<string, number>()
  const placeOf = (index: number): Path =>
    key !== undefined && isRecord(list[index]) ? [...path, index, key] : [...path, index]
  for (const [index, entry] of list.entries()) {
    const nested = key !== undefined && isRecord(entry)
    const text = nested ? textAt(entry, key) : entry
    const parsed = typeof text === 'string' ? parse(text) : undefined
    if (parsed === undefined || parsed.problem !== undefined) continue
    const same = JSON.stringify(parsed.value)
    const earlier = first.get(same)
    if (earlier === undefined) first.set(same, index)
    else {
      const message = `${quote(String(text))} is listed twice`
      yield { path: placeOf(index), message, first: placeOf(earlier) }
    }
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
  yield* duplicates(listAt(clock, 'sources'), [...path, 'sources'], undefined, asWritten)
}

/** Every schedule and timeout: the probes' own, then those that a host, client or domain sets for itself. */
function* timings(file: unknown, options: CheckOptions): Generator<Fault> {
  const owners = ['hosts', 'clients', 'domains'].flatMap((list) =>
    listAt(file, list).flatMap((owner, index) =>
      isRecord(owner) && 'probes' in owner
        ? [{ path: [list, index, 'probes'], probes: mappingAt(owner, 'probes') }]
        : [],
    ),
  )
  for (const [probe, defaults] of Object.entries(PROBE_DEFAULTS)) {
    const general = mappingAt(mappingAt(file, 'probes'), probe)
    yield* timing(general, ['probes', probe], defaults, options)
    const inherited = { ...defaults, ...general }
    for (const { path, probes } of owners) {
      const own = mappingAt(probes, probe)
      if ('schedule' in own || 'timeout' in own) yield* timing(own, [...path, probe], inherited, options)
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

/** One machine is one host, and one client. */
function* secondLocal(list: readonly unknown[], path: Path): Generator<Fault> {
  let first: Path | undefined
  for (const [index, entry] of list.entries()) {
    if (textAt(mappingAt(entry, 'windows'), 'via') !== 'local') continue
    const here = [...path, index, 'windows', 'via']
    if (first === undefined) first = here
    else yield { path: here, message: 'local is listed twice: it is this machine', first }
  }
}

/** A host whose clock nobody would ever ask. */
function* cimAlone(host: unknown, path: Path): Generator<Fault> {
  const sources = listAt(mappingAt(mappingAt(host, 'probes'), 'clock'), 'sources')
  const via = textAt(mappingAt(host, 'windows'), 'via')
  if (sources.length === 0 || sources.some((source) => source !== 'cim')) return
  if (via === 'winrm' || via === 'local') return
  yield {
    path: [...path, 'probes', 'clock', 'sources'],
    message: 'lists only cim, which needs windows with via winrm or local',
  }
}
