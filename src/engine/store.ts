// The latest result of every task, and the last failures, which are kept longer: they are what people come to read. Of a
// host's licences also the last result that told of them: while sppsvc does not run they are not asked for.
import type { Result } from '../model/result.ts'
import type { ProbeName, ResultOf } from '../probes/index.ts'

export interface Store {
  put(result: Result): void
  latest<Name extends ProbeName>(probe: Name, targetKey: string): ResultOf<Name> | undefined
  all<Name extends ProbeName>(probe: Name): readonly ResultOf<Name>[]
  /** Of every resolver that is asked for the domain, in the order of their first answers. */
  answersOf(domain: string): readonly ResultOf<'srv'>[]
  /** Those whose domain expects the host, or whose records name it. */
  naming(host: string): readonly ResultOf<'srv'>[]
  /** The last that says whether KMS is enabled on the host. */
  lastLicences(targetKey: string): ResultOf<'licensing'> | undefined
  /** Newest first. */
  failures(): readonly Result[]
  delete(probe: ProbeName, targetKey: string): void
}

const MOST_FAILURES = 100

/** Keys of SRV targets by what their answers are about, so that a host is judged without a look at those about others. */
function createIndex(keysOf: (result: ResultOf<'srv'>) => ReadonlySet<string>) {
  const targets = new Map<string, Set<string>>()
  return {
    replace(before: ResultOf<'srv'> | undefined, result: ResultOf<'srv'> | undefined): void {
      const target = (result ?? before)?.target.key
      if (target === undefined) return
      const old = before && keysOf(before)
      const keys = result && keysOf(result)
      for (const key of old ?? []) {
        if (keys?.has(key)) continue
        const known = targets.get(key)
        known?.delete(target)
        if (known?.size === 0) targets.delete(key)
      }
      for (const key of keys ?? []) {
        if (old?.has(key)) continue
        const known = targets.get(key)
        if (known === undefined) targets.set(key, new Set([target]))
        else known.add(target)
      }
    },
    get: (key: string): Iterable<string> => targets.get(key) ?? [],
  }
}

function hostsOf({ target, reading }: ResultOf<'srv'>): ReadonlySet<string> {
  const hosts = new Set<string>()
  for (const expected of target.domain.expect) hosts.add(expected.target)
  for (const record of reading?.records ?? []) hosts.add(record.target)
  return hosts
}

function sameNames({ reading: a }: ResultOf<'srv'>, { reading: b }: ResultOf<'srv'>): boolean {
  if (a === undefined || b === undefined) return a === b
  return (
    a.records.length === b.records.length &&
    a.records.every(({ target }, index) => target === b.records[index]?.target)
  )
}

export function createStore(): Store {
  const byProbe = new Map<string, Map<string, Result>>()
  const licences = new Map<string, ResultOf<'licensing'>>()
  const failures: Result[] = []
  const byDomain = createIndex(({ target }) => new Set([target.domain.name]))
  const byHost = createIndex(hostsOf)
  const index = (before: ResultOf<'srv'> | undefined, result: ResultOf<'srv'> | undefined): void => {
    // Nearly every answer names the hosts that the one before named.
    if (before && result && before.target === result.target && sameNames(before, result)) return
    byDomain.replace(before, result)
    byHost.replace(before, result)
  }
  const answersOf = (targets: Iterable<string>): readonly ResultOf<'srv'>[] => {
    const answers = byProbe.get('srv')
    return [...targets].flatMap((key) => (answers?.get(key) as ResultOf<'srv'> | undefined) ?? [])
  }
  const saysLicences = (result: Result): result is ResultOf<'licensing'> =>
    result.probe === 'licensing' &&
    (result as ResultOf<'licensing'>).reading?.kms?.service.kmsEnabled !== undefined
  return {
    put(result) {
      let results = byProbe.get(result.probe)
      if (results === undefined) byProbe.set(result.probe, (results = new Map()))
      if (result.probe === 'srv')
        index(results.get(result.target.key) as ResultOf<'srv'> | undefined, result as ResultOf<'srv'>)
      results.set(result.target.key, result)
      if (saysLicences(result)) licences.set(result.target.key, result)
      if (result.failure !== undefined) {
        failures.unshift(result)
        failures.length = Math.min(failures.length, MOST_FAILURES)
      }
    },
    // A result is filed under the probe that made it, so what is found there has that probe's shape.
    latest: <Name extends ProbeName>(probe: Name, key: string) =>
      byProbe.get(probe)?.get(key) as ResultOf<Name> | undefined,
    all: <Name extends ProbeName>(probe: Name) =>
      [...(byProbe.get(probe)?.values() ?? [])] as ResultOf<Name>[],
    answersOf: (domain) => answersOf(byDomain.get(domain)),
    naming: (host) => answersOf(byHost.get(host)),
    lastLicences: (key) => licences.get(key),
    failures: () => failures,
    delete(probe, key) {
      if (probe === 'licensing') licences.delete(key)
      if (probe === 'srv') index(byProbe.get(probe)?.get(key) as ResultOf<'srv'> | undefined, undefined)
      byProbe.get(probe)?.delete(key)
    },
  }
}
