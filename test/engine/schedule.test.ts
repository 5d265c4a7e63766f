import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createScheduler, nextInPhase } from '../../src/engine/schedule.ts'
import { systemClock, type Clock } from '../../src/io/clock.ts'
import { fakeTicker, lasting, rigOf, taskOf, type Rig } from './support.ts'

const now = (): number => systemClock.monotonicSeconds()
const pass = (seconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(seconds * 1000)
const hosts = (count: number, every: number | string = 15) =>
  Array.from({ length: count }, (_, index) => taskOf({ key: `kms${index}.corp.example`, every }))

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function gapsOf(starts: readonly number[]): readonly number[] {
  return starts.slice(1).map((start, index) => start - (starts[index] ?? Number.NaN))
}

describe('what is asked at an interval', () => {
  it('is spread: with 1,000 targets every 15 s, no 100 ms go by without a run, nor with over 25', async () => {
    const rig = rigOf()
    const began = now()
    rig.set(hosts(1_000))
    await pass(76)
    const slots = new Map<number, number>()
    // Names and time are made up, so these numbers are the same each time. The first 31 s hold the start, and the passage from it to the regular places.
    for (const { atSeconds } of rig.started) {
      const slot = Math.floor((atSeconds - began - 31) * 10)
      if (slot >= 0 && slot < 450) slots.set(slot, (slots.get(slot) ?? 0) + 1)
    }
    expect(slots.size).toBe(450)
    expect(Math.max(...slots.values())).toBeLessThanOrEqual(25)
    rig.scheduler.stop()
  })

  it('is asked once an interval, at the same place in it, on time', async () => {
    const rig = rigOf()
    const tasks = [...hosts(20, 15), taskOf({ key: 'slow', every: 60 }), taskOf({ key: 'fast', every: 1 })]
    rig.set(tasks)
    await pass(600)
    for (const { target } of tasks) {
      const every = target.schedule.kind === 'every' ? target.schedule.seconds : Number.NaN
      const [first, ...gaps] = gapsOf(rig.startsOf(target.key))
      // From the start to the regular place: at least half an interval, and no interval is left out.
      expect(first).toBeGreaterThanOrEqual(every / 2 - 0.002)
      expect(first).toBeLessThanOrEqual(every * 1.5 + 0.002)
      expect(gaps.length).toBeGreaterThanOrEqual(600 / every - 3)
      for (const gap of gaps) expect(Math.abs(gap - every)).toBeLessThan(0.003)
    }
    // The calendar wakes for every five milliseconds.
    for (const { lagSeconds } of rig.started) expect(lagSeconds).toBeLessThan(0.007)
    expect(rig.skipped).toEqual([])
    rig.scheduler.stop()
  })

  it('is asked at the start, all within 3 s, and within its interval where that is shorter', async () => {
    const rig = rigOf()
    const began = now()
    rig.set([...hosts(200, 3_600), taskOf({ key: 'fast', every: 1 })])
    await pass(3.001)
    expect(new Set(rig.started.map(({ key }) => key)).size).toBe(201)
    expect((rig.startsOf('fast')[0] ?? Infinity) - began).toBeLessThanOrEqual(1.001)
    expect(rig.started.filter(({ atSeconds }) => atSeconds - began < 0.3).length).toBeLessThan(60)
    rig.scheduler.stop()
  })

  it('has the same place in its interval after a restart at another moment', async () => {
    const placesOf = async (rig: Rig): Promise<readonly number[]> => {
      rig.set(hosts(50))
      await pass(60)
      rig.scheduler.stop()
      return hosts(50).map(({ target }) => ((rig.startsOf(target.key).at(-1) ?? Number.NaN) % 15) / 15)
    }
    const first = await placesOf(rigOf())
    await pass(7.3)
    const second = await placesOf(rigOf())
    for (const [index, place] of first.entries()) {
      const away = Math.abs(place - (second[index] ?? Number.NaN))
      expect(Math.min(away, 1 - away)).toBeLessThan(0.001)
    }
  })

  it('is never asked twice at once: what falls due meanwhile is skipped, and counted', async () => {
    const rig = rigOf(lasting(35))
    rig.set([taskOf({ key: 'slow', every: 10 })])
    await pass(200)
    for (const gap of gapsOf(rig.startsOf('slow'))) expect(gap).toBeGreaterThanOrEqual(35)
    expect(rig.skipped.length).toBeGreaterThanOrEqual(12)
    expect(new Set(rig.skipped.map(({ why }) => why))).toEqual(new Set(['overlap']))
    rig.scheduler.stop()
  })

  it('that is still waiting for its turn when the next one comes is skipped as overloaded', async () => {
    const rig = rigOf(lasting(8))
    rig.set(hosts(4, 10), { concurrency: 1 })
    await pass(100)
    const reasons = rig.skipped.map(({ why }) => why)
    expect(reasons).toContain('overloaded')
    expect(rig.started.some(({ lagSeconds }) => lagSeconds > 5)).toBe(true)
    for (const { target } of hosts(4)) expect(rig.startsOf(target.key).length).toBeGreaterThanOrEqual(2)
    rig.scheduler.stop()
  })
})

describe('the limits', () => {
  it('hold in all and for each group, and everybody has a turn', async () => {
    let inAll = 0
    let most = 0
    const perGroup = new Map<string, number>()
    let mostOfOne = 0
    const rig = rigOf(async ({ target }) => {
      most = Math.max(most, ++inAll)
      perGroup.set(target.group, (perGroup.get(target.group) ?? 0) + 1)
      mostOfOne = Math.max(mostOfOne, perGroup.get(target.group) ?? 0)
      expect(rig.scheduler.inFlight).toBe(inAll)
      await lasting(2)()
      inAll--
      perGroup.set(target.group, (perGroup.get(target.group) ?? 0) - 1)
    })
    const tasks = Array.from({ length: 60 }, (_, index) =>
      taskOf({ key: `t${index}`, group: `g${index % 6}`, every: 60 }),
    )
    rig.set(tasks, { concurrency: 8, perGroup: 2 })
    await pass(30)
    expect([most, mostOfOne]).toEqual([8, 2])
    expect(new Set(rig.started.map(({ key }) => key)).size).toBe(60)
    expect(rig.scheduler.inFlight).toBe(0)
    rig.scheduler.stop()
  })

  it('let a busy group keep nobody else from his turn', async () => {
    const rig = rigOf(lasting(4))
    const busy = Array.from({ length: 5 }, (_, index) =>
      taskOf({ key: `busy${index}`, group: 'busy', every: 5 }),
    )
    rig.set([...busy, taskOf({ key: 'modest', every: 5 })], { concurrency: 1, perGroup: 1 })
    await pass(300)
    expect(rig.startsOf('modest').length).toBeGreaterThanOrEqual(10)
    for (const { target } of busy) expect(rig.startsOf(target.key).length).toBeGreaterThanOrEqual(5)
    rig.scheduler.stop()
  })

  it('can be changed while runs are waiting', async () => {
    const rig = rigOf(lasting(10))
    const tasks = hosts(12, 600)
    rig.set(tasks, { concurrency: 2 })
    await pass(4)
    expect(rig.scheduler.inFlight).toBe(2)
    rig.set(tasks, { concurrency: 7 })
    expect(rig.scheduler.inFlight).toBe(7)
    await pass(25)
    expect(rig.started).toHaveLength(12)
    rig.scheduler.stop()
  })

  it('leave nothing behind of groups that are gone', async () => {
    const maps = new Set<Map<unknown, unknown>>()
    const original = Map.prototype.set
    const spy = vi.spyOn(Map.prototype, 'set').mockImplementation(function (
      this: Map<unknown, unknown>,
      key,
      value,
    ) {
      if (typeof key === 'string' && key.startsWith('group ')) maps.add(this)
      return original.call(this, key, value)
    })
    try {
      const rig = rigOf(lasting(3))
      const tasks = Array.from({ length: 40 }, (_, index) =>
        taskOf({ key: `t${index}`, group: `group ${index % 8}`, every: 600 }),
      )
      rig.set(tasks, { concurrency: 3, perGroup: 2 })
      await pass(5)
      // Some run, some wait for their group, some for a place in all: all of them are gone now.
      rig.set([], { concurrency: 3, perGroup: 2 })
      for (const round of [tasks, []]) {
        await pass(200)
        expect(rig.scheduler.inFlight).toBe(0)
        expect([...maps].map(({ size }) => size)).toEqual([0])
        rig.set(round, { concurrency: 3, perGroup: 2 })
      }
      rig.scheduler.stop()
    } finally {
      spy.mockRestore()
    }
  })
})

describe('a reload', () => {
  it('leaves what is unchanged in its place', async () => {
    const undisturbed = rigOf()
    const reloaded = rigOf()
    const tasks = hosts(20)
    undisturbed.set(tasks)
    reloaded.set(tasks)
    for (let reload = 0; reload < 12; reload++) {
      await pass(8.3)
      reloaded.set(hosts(20 + reload))
    }
    for (const { target } of tasks)
      expect(reloaded.startsOf(target.key)).toEqual(undisturbed.startsOf(target.key))
    undisturbed.scheduler.stop()
    reloaded.scheduler.stop()
  })

  it('runs what is unchanged with its new particulars', async () => {
    const seen: number[] = []
    const rig = rigOf(({ target }) => Promise.resolve(void seen.push(target.timeoutSeconds)))
    rig.set([taskOf({ key: 'a', timeoutSeconds: 1 })])
    await pass(20)
    rig.set([taskOf({ key: 'a', timeoutSeconds: 2 })])
    await pass(40)
    expect([...new Set(seen)]).toEqual([1, 2])
    rig.scheduler.stop()
  })

  it('stops what is removed, even where it is waiting for its turn', async () => {
    const rig = rigOf(lasting(5))
    rig.set(hosts(6), { concurrency: 1 })
    await pass(4)
    const running = rig.started.at(-1)?.key
    rig.set([], { concurrency: 1 })
    const before = rig.started.length
    await pass(60)
    expect(running).toBeDefined()
    expect(rig.started).toHaveLength(before)
    expect(rig.scheduler.inFlight).toBe(0)
    rig.scheduler.stop()
  })

  it('asks what is new within 3 s', async () => {
    const rig = rigOf()
    rig.set(hosts(10, 600))
    await pass(100)
    const began = now()
    rig.set(hosts(30, 600))
    await pass(3.001)
    const asked = rig.started.filter(({ atSeconds }) => atSeconds >= began).map(({ key }) => key)
    expect(asked.toSorted()).toEqual(
      hosts(30)
        .slice(10)
        .map(({ target }) => target.key)
        .toSorted(),
    )
    rig.scheduler.stop()
  })

  it('moves what has another schedule, and asks it soon', async () => {
    const rig = rigOf()
    rig.set([taskOf({ key: 'a', every: 600 }), taskOf({ key: 'b', every: 5 })])
    await pass(700)
    const began = now()
    rig.set([taskOf({ key: 'a', every: 5 }), taskOf({ key: 'b', every: 600 })])
    await pass(3.001)
    expect(rig.startsOf('a').filter((at) => at >= began)).toHaveLength(1)
    expect(rig.startsOf('b').filter((at) => at >= began)).toHaveLength(1)
    await pass(400)
    expect(rig.startsOf('a').filter((at) => at >= began).length).toBeGreaterThan(75)
    expect(rig.startsOf('b').filter((at) => at >= began).length).toBeLessThanOrEqual(2)
    rig.scheduler.stop()
  })

  it('asks soon what is another question now, on the same schedule', async () => {
    const rig = rigOf()
    rig.set([taskOf({ key: 'a', every: 600, timeoutSeconds: 1 }), taskOf({ key: 'b', every: 600 })])
    await pass(900)
    const began = now()
    rig.set([taskOf({ key: 'a', every: 600, timeoutSeconds: 2 }), taskOf({ key: 'b', every: 600 })])
    await pass(3.001)
    expect(rig.started.filter(({ atSeconds }) => atSeconds >= began).map(({ key }) => key)).toEqual(['a'])
    rig.scheduler.stop()
  })

  it('asks soon what is another question now, though the old one is still being asked', async () => {
    const rig = rigOf(lasting(20))
    rig.set([
      taskOf({ key: 'a', every: 3_600, timeoutSeconds: 30 }),
      taskOf({ key: 'b', every: '0 0 4 * * *', timeoutSeconds: 30 }),
    ])
    await pass(4)
    const began = now()
    const changed = [
      taskOf({ key: 'a', every: 3_600, timeoutSeconds: 31 }),
      taskOf({ key: 'b', every: '0 0 4 * * *', timeoutSeconds: 31 }),
    ]
    rig.set(changed)
    await pass(20)
    for (const key of ['a', 'b']) expect(rig.startsOf(key).filter((at) => at > began)).toHaveLength(1)
    await pass(60)
    expect(rig.started).toHaveLength(4)
    rig.scheduler.stop()
  })

  it('of what has been stopped begins nothing, and has nobody tick', async () => {
    const rig = rigOf()
    rig.set(hosts(1))
    rig.scheduler.stop()
    rig.set([...hosts(2), taskOf({ key: 'c', every: '0 0 4 * * *' })])
    expect(rig.ticker.listening()).toEqual([])
    await pass(60)
    expect(rig.started).toEqual([])
  })

  it('that takes a target away and one that brings it back do not have it asked twice at once', async () => {
    let running = 0
    let most = 0
    const rig = rigOf(async () => {
      most = Math.max(most, ++running)
      await lasting(30)()
      running--
    })
    rig.set([taskOf({ key: 'flapping' })])
    await pass(5)
    for (let flap = 0; flap < 10; flap++) {
      rig.set([])
      await pass(1)
      rig.set([taskOf({ key: 'flapping' })])
      await pass(4)
    }
    await pass(120)
    expect(most).toBe(1)
    expect(rig.startsOf('flapping').length).toBeGreaterThanOrEqual(3)
    rig.scheduler.stop()
  })
})

describe('cron expressions', () => {
  it('have their targets asked at each firing, spread over at most 10 s, and at the start', async () => {
    const rig = rigOf()
    const tasks = hosts(100, '0 0 4 * * *')
    rig.set([...tasks, taskOf({ key: 'other', every: '0 30 4 * * *' })])
    await pass(3.001)
    expect(rig.started).toHaveLength(101)
    await pass(1_000)
    expect(rig.started).toHaveLength(101)
    const began = now()
    rig.ticker.fire('0 0 4 * * *')
    await pass(10.001)
    const asked = rig.started.slice(101)
    expect(new Set(asked.map(({ key }) => key))).toEqual(new Set(tasks.map(({ target }) => target.key)))
    const after = asked.map(({ atSeconds }) => atSeconds - began)
    expect(Math.max(...after)).toBeLessThanOrEqual(10.001)
    expect(Math.max(...after) - Math.min(...after)).toBeGreaterThan(5)
    rig.scheduler.stop()
  })

  it('that fire every second leave no target out', async () => {
    const rig = rigOf(undefined, { ticker: fakeTicker(1) })
    rig.set(hosts(5, '*/1 * * * * *'))
    await pass(5)
    const before = rig.started.length
    for (let firing = 0; firing < 20; firing++) {
      rig.ticker.fire('*/1 * * * * *')
      await pass(1)
    }
    expect(rig.started).toHaveLength(before + 100)
    rig.scheduler.stop()
  })

  it('are listened to while somebody has them, and once however many do', async () => {
    const rig = rigOf()
    rig.set([...hosts(5, '0 0 4 * * *'), taskOf({ key: 'other', every: '0 30 4 * * *' })])
    expect(rig.ticker.listening().toSorted()).toEqual(['0 0 4 * * *', '0 30 4 * * *'])
    rig.set(hosts(5, '0 0 4 * * *'))
    expect(rig.ticker.listening()).toEqual(['0 0 4 * * *'])
    rig.set(hosts(5, 15))
    expect(rig.ticker.listening()).toEqual([])
    rig.scheduler.stop()
  })
})

it('after an hour of suspension asks each target once, not 240 times, and goes on as before', async () => {
  let jumped = 0
  const clock: Clock = { ...systemClock, monotonicSeconds: () => systemClock.monotonicSeconds() + jumped }
  const rig = rigOf(undefined, { clock })
  rig.set(hosts(50))
  await pass(60)
  const before = rig.started.length
  jumped = 3_600
  await pass(2)
  const woken = rig.started.slice(before).map(({ key }) => key)
  expect(new Set(woken).size).toBe(50)
  // The regular place of some follows at once.
  expect(woken.length).toBeLessThanOrEqual(50 + 50 * (2 / 15) + 10)
  const later = rig.started.length
  await pass(150)
  expect(Math.abs(rig.started.length - later - 500)).toBeLessThanOrEqual(50)
  rig.scheduler.stop()
})

it('stop() ends all: nothing begins any more, no timer is left, what is in flight ends', async () => {
  const rig = rigOf(lasting(5))
  rig.set([...hosts(20, 10), taskOf({ key: 'c', every: '0 0 4 * * *' })], { concurrency: 3 })
  await pass(4)
  const before = rig.started.length
  expect(rig.scheduler.inFlight).toBe(3)
  rig.scheduler.stop()
  expect(rig.ticker.listening()).toEqual([])
  rig.ticker.fire('0 0 4 * * *')
  await pass(60)
  expect(rig.started).toHaveLength(before)
  expect(rig.scheduler.inFlight).toBe(0)
  expect(vi.getTimerCount()).toBe(0)
})

it('does nothing before it has tasks', async () => {
  const ticker = fakeTicker()
  const never = (): never => {
    throw new Error('nothing to run')
  }
  const scheduler = createScheduler(systemClock, ticker, { run: never, started: never, skipped: never })
  await pass(60)
  expect(scheduler.inFlight).toBe(0)
  scheduler.stop()
})

describe('the next moment of a phase', () => {
  it.each([
    [0, 15, 0, 15],
    [0, 15, 14.9, 15],
    [0.5, 15, 0, 7.5],
    [0.5, 15, 7.5, 22.5],
    [0.5, 15, 7.4, 7.5],
    [0.25, 60, 1_000, 1_035],
  ])('%d of every %d s after %d is %d', (phase, seconds, after, expected) => {
    expect(nextInPhase(phase, seconds, after)).toBeCloseTo(expected, 9)
  })
})
