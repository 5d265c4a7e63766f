import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createStore } from '../../src/engine/store.ts'
import type { Result } from '../../src/model/result.ts'
import { taskOf } from './support.ts'

function resultOf(
  probe: string,
  key: string,
  atSeconds: number,
  outcome: 'answered' | 'failed' = 'answered',
): Result {
  const run = {
    probe,
    target: taskOf({ key }).target,
    startedAtSeconds: atSeconds,
    endedAtSeconds: atSeconds,
    endedAtMonotonicSeconds: atSeconds,
    durationSeconds: 0,
    stages: [],
  }
  if (outcome === 'answered') return { ...run, reading: { atSeconds } }
  return { ...run, failure: { stage: 'ask', reason: 'timeout', detail: 'no answer' } }
}

describe('the store', () => {
  it('knows nothing at first', () => {
    const store = createStore()
    expect([store.latest('port', 'a'), store.all('port'), store.failures()]).toEqual([undefined, [], []])
    store.delete('port', 'a')
  })

  it('keeps the latest result of each probe and target', () => {
    const store = createStore()
    const results = [
      resultOf('port', 'a', 1),
      resultOf('port', 'b', 2),
      resultOf('clock', 'a', 3),
      resultOf('port', 'a', 4, 'failed'),
    ]
    for (const result of results) store.put(result)
    expect(store.latest('port', 'a')).toBe(results[3])
    expect(store.latest('port', 'b')).toBe(results[1])
    expect(store.latest('clock', 'a')).toBe(results[2])
    expect(store.latest('clock', 'b')).toBeUndefined()
    expect(store.all('port')).toEqual([results[3], results[1]])
    expect(store.all('service')).toEqual([])
  })

  it('forgets what is deleted, and only that', () => {
    const store = createStore()
    for (const key of ['a', 'b']) store.put(resultOf('port', key, 1))
    store.put(resultOf('clock', 'a', 1))
    store.delete('port', 'a')
    expect(store.all('port').map(({ target }) => target.key)).toEqual(['b'])
    expect(store.latest('port', 'a')).toBeUndefined()
    expect(store.all('clock')).toHaveLength(1)
  })

  it('finds the answers about a host and about a domain, as looking through all of them would', () => {
    const few = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', '.'), { maxLength: 3 })
    const step = fc.record({
      domain: fc.constantFrom('x', 'y'),
      resolver: fc.constantFrom('1', '2'),
      expected: few,
      named: fc.option(few, { nil: undefined }),
      gone: fc.nat(5).map((nat) => nat === 0),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const store = createStore()
        // As in the schedule: a target is the same from run to run, until the configuration changes it.
        const targets = new Map<string, object>()
        for (const { domain: name, resolver, expected, named, gone } of steps) {
          const key = `${name} @ ${resolver}`
          if (gone) {
            store.delete('srv', key)
            continue
          }
          const run = resultOf('srv', key, 1)
          const asked = `${key} ${expected.join()}`
          const domain = { name, expect: expected.map((target) => ({ target })) }
          const target = targets.get(asked) ?? { ...run.target, domain }
          targets.set(asked, target)
          const reading = named && { records: named.map((target) => ({ target })) }
          store.put({ ...run, target, reading } as unknown as Result)
        }
        const all = store.all('srv')
        for (const host of ['a', 'b', 'c', 'd']) {
          const about = all.filter(
            ({ target, reading }) =>
              target.domain.expect.some(({ target: name }) => name === host) ||
              reading?.records.some(({ target: name }) => name === host),
          )
          expect(new Set(store.naming(host))).toEqual(new Set(about))
          expect(store.naming(host)).toHaveLength(about.length)
        }
        for (const name of ['x', 'y', 'z']) {
          expect(new Set(store.answersOf(name))).toEqual(
            new Set(all.filter(({ target }) => target.domain.name === name)),
          )
        }
      }),
    )
  })

  it('remembers what was last said of whether KMS is enabled, until the probe is gone', () => {
    const store = createStore()
    const said = (kmsEnabled: boolean | undefined): Result => {
      const { failure: _, ...result } = resultOf('licensing', 'a', 1)
      return { ...result, reading: { kms: { service: { kmsEnabled } } } }
    }
    const enabled = said(true)
    for (const later of [enabled, said(undefined), resultOf('licensing', 'a', 2, 'failed')]) {
      store.put(later)
      expect(store.lastLicences('a')).toBe(enabled)
    }
    expect(store.lastLicences('b')).toBeUndefined()
    store.delete('port', 'a')
    expect(store.lastLicences('a')).toBe(enabled)
    store.delete('licensing', 'a')
    expect(store.lastLicences('a')).toBeUndefined()
  })

  it('keeps the last 100 failures, newest first, when what failed is answered again or gone', () => {
    const store = createStore()
    for (let index = 0; index < 250; index++) {
      store.put(resultOf('port', `kms${index}`, index, 'failed'))
      store.put(resultOf('port', `kms${index}`, index))
      store.delete('port', `kms${index}`)
    }
    const failures = store.failures()
    expect(failures).toHaveLength(100)
    expect(failures.map(({ startedAtSeconds }) => startedAtSeconds)).toEqual(
      Array.from({ length: 100 }, (_, index) => 249 - index),
    )
    expect(failures.every(({ failure }) => failure !== undefined)).toBe(true)
  })
})
