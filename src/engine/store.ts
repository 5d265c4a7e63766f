// The latest result of every task, and the last failures, which are kept longer: they are what people come to read.
import type { Result } from '../model/result.ts'
import type { ProbeName, ResultOf } from '../probes/index.ts'

export interface Store {
  put(result: Result): void
  latest<Name extends ProbeName>(probe: Name, targetKey: string): ResultOf<Name> | undefined
  all<Name extends ProbeName>(probe: Name): readonly ResultOf<Name>[]
  /** Newest first. */
  failures(): readonly Result[]
  delete(probe: ProbeName, targetKey: string): void
}

const MOST_FAILURES = 100

export function createStore(): Store {
  const byProbe = new Map<string, Map<string, Result>>()
  const failures: Result[] = []
  return {
    put(result) {
      let results = byProbe.get(result.probe)
      if (results === undefined) byProbe.set(result.probe, (results = new Map()))
      results.set(result.target.key, result)
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
    failures: () => failures,
    delete(probe, key) {
      byProbe.get(probe)?.delete(key)
    },
  }
}
