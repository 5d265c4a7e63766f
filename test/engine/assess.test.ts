import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { schema } from '../../src/config/schema.ts'
import { hostNamed, type Host } from '../../src/config/targets.ts'
import { createAssessor, evidenceOf, sharedEvidence } from '../../src/engine/assess.ts'
import { createStore } from '../../src/engine/store.ts'
import type { Result } from '../../src/model/result.ts'
import { taskOf } from './support.ts'

const config = schema.parse({})
const hostOf = (name: string): Host => hostNamed(config, { resolvers: [], searchDomains: [] }, name)

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function assessing(): { assessor: ReturnType<typeof createAssessor>; judged: string[] } {
  const judged: string[] = []
  return { assessor: createAssessor(createStore(), ({ host }) => judged.push(host.name)), judged }
}

describe('the assessor', () => {
  it('judges a host soon after it was touched, once, however often that was', () => {
    const { assessor, judged } = assessing()
    for (let touch = 0; touch < 5; touch++) assessor.touch(hostOf('kms01.corp.example'))
    expect(judged).toEqual([])
    vi.runAllTimers()
    expect(judged).toEqual(['kms01.corp.example'])
    assessor.touch(hostOf('kms01.corp.example'))
    vi.runAllTimers()
    expect(judged).toHaveLength(2)
  })

  it('judges many in helpings, and leaves none out', () => {
    const { assessor, judged } = assessing()
    const slow = vi.spyOn(performance, 'now')
    let milliseconds = 0
    slow.mockImplementation(() => (milliseconds += 1))
    const names = Array.from({ length: 50 }, (_, index) => `kms${index}.corp.example`)
    for (const name of names) assessor.touch(hostOf(name))
    vi.advanceTimersToNextTimer()
    expect(judged.length).toBeGreaterThan(0)
    expect(judged.length).toBeLessThan(10)
    vi.runAllTimers()
    expect(judged).toEqual(names)
    slow.mockRestore()
  })

  it('judges all that is due at once when asked to settle, and not again later', () => {
    const { assessor, judged } = assessing()
    for (let index = 0; index < 20; index++) assessor.touch(hostOf(`kms${index}.corp.example`))
    assessor.settle()
    expect(judged).toHaveLength(20)
    vi.runAllTimers()
    expect(judged).toHaveLength(20)
    assessor.touch(hostOf('kms0.corp.example'))
    vi.runAllTimers()
    expect(judged).toHaveLength(21)
  })

  it('says nothing of a host that is gone meanwhile, nor after it was stopped', () => {
    const { assessor, judged } = assessing()
    assessor.touch(hostOf('kms01.corp.example'))
    assessor.touch(hostOf('kms02.corp.example'))
    assessor.forget('kms01.corp.example')
    vi.runAllTimers()
    expect(judged).toEqual(['kms02.corp.example'])
    assessor.touch(hostOf('kms01.corp.example'))
    assessor.stop()
    vi.runAllTimers()
    expect(judged).toEqual(['kms02.corp.example'])
  })
})

it('the evidence about a host is its own results, and what was found of domains and references', () => {
  const store = createStore()
  const results = [
    ['port', 'kms01'],
    ['port', 'kms02'],
    ['clock', 'kms01'],
    ['reference', 'ntp.corp.example'],
    ['licensing', 'kms01'],
    ['activity', 'kms01'],
    ['activity', 'kms02'],
  ].map(([probe = '', key = '']) => ({
    probe,
    target: taskOf({ key }).target,
    startedAtSeconds: 1,
    endedAtSeconds: 1,
    endedAtMonotonicSeconds: 1,
    durationSeconds: 0,
    stages: [],
    reading: probe === 'licensing' ? { publishList: [{ domain: 'told.example' }] } : `${probe} ${key}`,
  }))
  for (const result of results) store.put(result)
  const answers = (
    [
      ['expecting.example', ['kms01'], []],
      ['naming.example', ['kms02'], ['kms01']],
      ['told.example', [], []],
      ['others.example', ['kms02'], ['kms03']],
    ] as const
  ).map(([name, expected, named]) => {
    const domain = { name, expect: expected.map((target) => ({ target })) }
    const reading = { records: named.map((target) => ({ target })) }
    const target = { ...taskOf({ key: name }).target, domain }
    return { ...results[0], probe: 'srv', target, reading } as unknown as Result
  })
  for (const answer of answers) store.put(answer)
  const canaries = ['kms01', 'kms02', undefined].map((host, index) => ({
    ...results[0],
    probe: 'client',
    target: taskOf({ key: `pc${index}` }).target,
    reading: { kms: host === undefined ? undefined : { host, port: 1688, discoveredBy: 'dns' } },
  }))
  for (const canary of canaries) store.put(canary as Result)
  const host = hostOf('kms01')
  expect(evidenceOf(host, store, sharedEvidence(store))).toEqual({
    host,
    port: results[0],
    clock: results[2],
    service: undefined,
    licensing: results[4],
    activity: results[5],
    srv: answers.slice(0, 3),
    references: [results[3]],
    // Those that ask this host, and nobody else's.
    clients: [canaries[0]],
  })
})
