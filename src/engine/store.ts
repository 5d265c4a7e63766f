// The latest result of every task, and the last failures, which are kept longer: they are what people come to read. Of a
// host's licences also the last result that told of them: while sppsvc does not run they are not asked for.
import type { Result } from '../model/result.ts'
import type { ProbeName, ResultOf } from '../probes/index.ts'

export interface Store {
  put(result: Result): void
  latest<Name extends ProbeName>(probe: Name, targetKey: string): ResultOf<Name> | undefined
  all<Name extends ProbeName>(probe: Name): readonly ResultOf<Name>[]
  /** The last that says whether KMS is enabled on the host. */
  lastLicences(targetKey: string): ResultOf<'licensing'> | undefined
  /** Newest first. */
  failures(): readonly Result[]
  delete(probe: ProbeName, targetKey: string): void
}

const MOST_FAILURES = 100

export function createStore(): Store {
  const byProbe = new Map<string, Map<string, Result>>()
  const licences = new Map<string, ResultOf<'licensing'>>()
  const failures: Result[] = []
  const saysLicences = (result: Result): result is ResultOf<'licensing'> =>
    result.probe === 'licensing' &&
    (result as ResultOf<'licensing'>).reading?.kms?.service.kmsEnabled !== undefined
  return {
    put(result) {
      let results = byProbe.get(result.probe)
      if (results === undefined) byProbe.set(result.probe, (results = new Map()))
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
    lastLicences: (key) => licences.get(key),
    failures: () => failures,
    delete(probe, key) {
      if (probe === 'licensing') licences.delete(key)
      byProbe.get(probe)?.delete(key)
    },
  }
}
