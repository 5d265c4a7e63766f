import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { run, type RunOptions } from '../../src/engine/run.ts'
import { createIo } from '../../src/io/io.ts'
import type { Ending } from '../../src/io/deadline.ts'
import { MalformedMessage, ProbeFailure } from '../../src/model/failure.ts'
import { silentLog, type Log } from '../../src/model/log.ts'
import type { Result } from '../../src/model/result.ts'
import type { Visit } from '../../src/probes/probe.ts'
import { timeByHand } from '../time-by-hand.ts'
import { taskOf, type TaskWords } from './support.ts'

timeByHand()

interface Ran {
  readonly result: Result
  readonly errors: readonly { readonly fields: Readonly<Record<string, unknown>>; readonly message: string }[]
}

/** Runs it while an hour goes by. */
async function ran(words: Partial<TaskWords>, options: Partial<RunOptions> = {}): Promise<Ran> {
  const io = createIo()
  onTestFinished(() => io.close())
  const errors: Ran['errors'][number][] = []
  const log: Log = { ...silentLog, error: (fields, message) => errors.push({ fields, message }) }
  const running = run(taskOf({ key: 'kms01.corp.example', ...words }), { io, log, ...options })
  await vi.advanceTimersByTimeAsync(3_600_000)
  return { result: await running, errors }
}

const seconds = (count: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, count * 1000))
const never = (): Promise<never> => new Promise(() => {})

describe('a run', () => {
  it('that is answered gives the reading, whatever it says, and the times', async () => {
    const began = Date.now() / 1000
    const reading = { state: 'stopped' }
    const { result, errors } = await ran({
      measure: async () => {
        await seconds(2)
        return reading
      },
    })
    expect(result.reading).toBe(reading)
    expect(result).not.toHaveProperty('failure')
    expect(result).toMatchObject({ probe: 'port', target: { key: 'kms01.corp.example' }, durationSeconds: 2 })
    expect(result.startedAtSeconds).toBeCloseTo(began, 2)
    expect(result.endedAtSeconds).toBeCloseTo(began + 2, 2)
    expect([Object.isFrozen(result), errors]).toEqual([true, []])
  })

  it('has times of no more digits than the clock has', async () => {
    await vi.advanceTimersByTimeAsync(100_700)
    expect((performance.now() + 300) / 1000 - performance.now() / 1000).not.toBe(0.3)
    const { result } = await ran({ stages: ['all'], measure: () => seconds(0.3) })
    expect(result).toMatchObject({ durationSeconds: 0.3, stages: [{ stage: 'all', seconds: 0.3 }] })
  })

  it('has the reason and the stage of its failure', async () => {
    const { result, errors } = await ran({
      stages: ['resolve', 'connect', 'bind'],
      measure: async ({ enter }) => {
        enter('resolve')
        enter('connect')
        throw new ProbeFailure('connect_refused', '192.0.2.1:1688: ECONNREFUSED')
      },
    })
    expect(result.failure).toEqual({
      stage: 'connect',
      reason: 'connect_refused',
      detail: '192.0.2.1:1688: ECONNREFUSED',
    })
    expect(result).not.toHaveProperty('reading')
    expect(errors).toEqual([])
  })

  it.each([
    [
      'a malformed message',
      () => Promise.reject(new MalformedMessage('not RPC', 2)),
      'protocol_error',
      'not RPC (at offset 2)',
      0,
    ],
    [
      'a defect',
      () => Promise.reject(new TypeError('x is undefined')),
      'internal_error',
      'x is undefined',
      1,
    ],
    [
      'a defect that is thrown at once',
      () => {
        throw new RangeError('too far')
      },
      'internal_error',
      'too far',
      1,
    ],
    ['what is no error', () => Promise.reject('a string'), 'internal_error', 'a string', 1],
    ['nothing at all', () => Promise.reject(undefined), 'internal_error', 'undefined', 1],
    [
      'a failure of our own',
      () => Promise.reject(new ProbeFailure('internal_error', 'our clock was set')),
      'internal_error',
      'our clock was set',
      1,
    ],
  ] as const)('that ends with %s', async (_what, measure, reason, detail, logged) => {
    const { result, errors } = await ran({ measure })
    expect(result.failure).toEqual({ stage: 'ask', reason, detail })
    expect(errors).toHaveLength(logged)
    for (const { fields } of errors)
      expect(fields).toMatchObject({ probe: 'port', target: 'kms01.corp.example' })
    if (logged > 0) expect(errors[0]?.fields).toHaveProperty('err')
  })

  it('ends with its deadline, which takes along what the probe opened', async () => {
    const endings: Ending[] = []
    const { result } = await ran({
      timeoutSeconds: 3,
      measure: ({ deadline }) =>
        new Promise((_resolve, reject) => {
          deadline.own((ending) => {
            endings.push(ending)
            reject(new ProbeFailure('rpc_timeout', 'no answer'))
          })
        }),
    })
    expect(endings).toEqual(['expired'])
    expect(result).toMatchObject({ failure: { reason: 'rpc_timeout' }, durationSeconds: 3 })
  })

  it('that is answered closes the deadline, and leaves no timer', async () => {
    const endings: Ending[] = []
    const visits: Visit[] = []
    const { result } = await ran({
      measure: (visit) => {
        visits.push(visit)
        visit.deadline.own((ending) => endings.push(ending))
        return Promise.resolve('fine')
      },
    })
    expect([result.reading, endings, visits[0]?.deadline.ended, vi.getTimerCount()]).toEqual([
      'fine',
      ['closed'],
      true,
      0,
    ])
  })

  it('whose probe never ends is left behind half a second after the deadline', async () => {
    const { result, errors } = await ran({ timeoutSeconds: 3, measure: never })
    expect(result.failure).toEqual({ stage: 'ask', reason: 'timeout', detail: 'no end within 3 s' })
    expect(result.durationSeconds).toBeCloseTo(3.5, 6)
    expect([errors, vi.getTimerCount()]).toEqual([[], 0])
  })

  it('whose probe ends within that half second is heard', async () => {
    const { result } = await ran({
      timeoutSeconds: 3,
      measure: async () => {
        await seconds(3.4)
        return 'just in time'
      },
    })
    expect(result).toMatchObject({ reading: 'just in time', durationSeconds: 3.4 })
  })

  it.each(['resolves', 'rejects'])(
    'is not changed by a probe that goes on when it was left behind, and then %s',
    async (how) => {
      const { result } = await ran({
        timeoutSeconds: 1,
        stages: ['first', 'second', 'third'],
        measure: async ({ enter }) => {
          enter('second')
          await seconds(10)
          enter('third')
          await seconds(10)
          if (how === 'rejects') throw new Error('nobody listens')
          return 'nobody listens'
        },
      })
      expect(result.stages).toEqual([
        { stage: 'first', seconds: expect.closeTo(0, 6) },
        { stage: 'second', seconds: expect.closeTo(1.5, 6) },
      ])
      expect(result.failure).toMatchObject({ stage: 'second', reason: 'timeout' })
    },
  )

  it('can be given less time than its target has, and never more', async () => {
    const short = await ran({ timeoutSeconds: 5, measure: never }, { mostSeconds: 1 })
    expect(short.result.failure?.detail).toBe('no end within 1 s')
    const long = await ran({ timeoutSeconds: 5, measure: never }, { mostSeconds: 60 })
    expect(long.result.failure?.detail).toBe('no end within 5 s')
  })
})

describe('the stages', () => {
  it('have the time from one to the next, in the order in which they were entered', async () => {
    const { result } = await ran({
      stages: ['resolve', 'connect', 'bind'],
      measure: async ({ enter }) => {
        enter('resolve')
        await seconds(0.25)
        enter('connect')
        await seconds(0.5)
        enter('bind')
        await seconds(1)
      },
    })
    expect(result.stages).toEqual([
      { stage: 'resolve', seconds: expect.closeTo(0.25, 6) },
      { stage: 'connect', seconds: expect.closeTo(0.5, 6) },
      { stage: 'bind', seconds: expect.closeTo(1, 6) },
    ])
  })

  it('that are entered again go on counting, and all together make the duration', async () => {
    const { result } = await ran({
      stages: ['connect', 'bind'],
      measure: async ({ enter }) => {
        for (const wait of [0.1, 0.2, 0.3]) {
          enter('connect')
          await seconds(wait)
          enter('bind')
          enter('bind')
          await seconds(wait / 2)
        }
        throw new ProbeFailure('timeout', 'at last')
      },
    })
    expect(result.stages).toEqual([
      { stage: 'connect', seconds: expect.closeTo(0.6, 6) },
      { stage: 'bind', seconds: expect.closeTo(0.3, 6) },
    ])
    expect(result.stages.reduce((sum, stage) => sum + stage.seconds, 0)).toBeCloseTo(
      result.durationSeconds,
      6,
    )
    expect(result.failure?.stage).toBe('bind')
  })

  it('begin with the first, and with the name of the probe where there is none', async () => {
    const failing = () => Promise.reject(new ProbeFailure('not_configured', 'nothing to do'))
    expect((await ran({ stages: ['resolve', 'ask'], measure: failing })).result.failure?.stage).toBe(
      'resolve',
    )
    expect((await ran({ stages: [], measure: failing })).result.failure?.stage).toBe('port')
  })
})

it('a wall clock that is set meanwhile changes no duration', async () => {
  const { result } = await ran({
    measure: async () => {
      await seconds(1)
      vi.setSystemTime(Date.now() - 86_400_000)
      await seconds(1)
    },
  })
  expect(result.durationSeconds).toBeCloseTo(2, 6)
  expect(result.endedAtSeconds).toBeLessThan(result.startedAtSeconds)
})
