import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createCalendar, type Calendar } from '../../src/engine/calendar.ts'
import { systemClock } from '../../src/io/clock.ts'

/** What is due is woken for every five milliseconds. */
const WAKE_SECONDS = 0.005

const now = (): number => systemClock.monotonicSeconds()

let fired: { item: string; dueAt: number; at: number }[] = []
let calendar: Calendar<string>
let ticking: NodeJS.Timeout | undefined

function start(tickEverySeconds = 1): void {
  fired = []
  calendar = createCalendar(systemClock, (item, dueAt) => fired.push({ item, dueAt, at: now() }))
  clearInterval(ticking)
  ticking = undefined
  if (tickEverySeconds === 0) return
  calendar.tick()
  ticking = setInterval(() => calendar.tick(), tickEverySeconds * 1000)
}

function expectOnTime(): void {
  for (const { at, dueAt } of fired) {
    expect(at - dueAt).toBeGreaterThanOrEqual(-0.001)
    expect(at - dueAt).toBeLessThanOrEqual(WAKE_SECONDS + 0.001)
  }
}

beforeEach(() => {
  vi.useFakeTimers()
  start()
})
afterEach(() => {
  clearInterval(ticking)
  vi.useRealTimers()
})

describe('the calendar', () => {
  it('fires each item within five milliseconds of when it is due, and once', () => {
    const dues = [0.25, 0.5, 1, 1.001, 3.75, 12.125, 90.5]
    for (const due of dues.toReversed()) calendar.put(`at ${due}`, now() + due)
    vi.advanceTimersByTime(120_000)
    expect(fired.map(({ item }) => item)).toEqual(dues.map((due) => `at ${due}`))
    expectOnTime()
  })

  it('wakes once for what is due close together, and fires each in a turn of its own', () => {
    const set = vi.spyOn(globalThis, 'setTimeout')
    const first = Math.ceil((now() + 0.5) / WAKE_SECONDS) * WAKE_SECONDS
    for (const after of [0.0011, 0.0022, 0.0033, 0.0099]) calendar.put(`${after}`, first + after)
    vi.advanceTimersByTime(400)
    set.mockClear()
    for (const count of [1, 2, 3]) {
      vi.advanceTimersToNextTimer()
      expect(fired).toHaveLength(count)
      expect(set).toHaveBeenCalledTimes(count === 3 ? 1 : 0)
    }
    for (const { at } of fired) expect(Math.abs(at - first - WAKE_SECONDS)).toBeLessThan(0.004)
    vi.advanceTimersByTime(6)
    expect(fired).toHaveLength(4)
    set.mockRestore()
  })

  it('fires at once what is in the past', () => {
    vi.advanceTimersByTime(5_000)
    calendar.put('late', now() - 3)
    calendar.put('now', now())
    vi.advanceTimersByTime(1)
    expect(fired.map(({ item }) => item)).toEqual(['late', 'now'])
  })

  it('has what is put anew while it fires in its place as well', () => {
    const again = createCalendar<number>(systemClock, (item, dueAt) => {
      fired.push({ item: `${item}`, dueAt, at: now() })
      if (item < 5) again.put(item + 1, dueAt + 0.3)
    })
    const timer = setInterval(() => again.tick(), 1_000)
    again.put(1, now() + 0.1)
    vi.advanceTimersByTime(5_000)
    clearInterval(timer)
    expect(fired.map(({ item }) => item)).toEqual(['1', '2', '3', '4', '5'])
    expectOnTime()
  })

  it('makes up for ticks that come late, and loses nothing over ticks that come twice', () => {
    start(0)
    for (const due of [0.5, 2.5, 4.5, 40]) calendar.put(`at ${due}`, now() + due)
    vi.advanceTimersByTime(10_000)
    calendar.tick()
    calendar.tick()
    vi.advanceTimersByTime(1)
    expect(fired.map(({ item }) => item)).toEqual(['at 0.5', 'at 2.5', 'at 4.5'])
    vi.advanceTimersByTime(30_000)
    calendar.tick()
    vi.advanceTimersByTime(1)
    expect(fired).toHaveLength(4)
  })

  it('asks its timer for whole milliseconds, however little is left', () => {
    const set = vi.spyOn(globalThis, 'setTimeout')
    for (const [left, whole] of [
      [1.6, 2],
      [1.4, 1],
      [0.3, 0],
      [1e-6, 0],
      [9.1e-10, 0],
      [-5, 0],
    ] as const) {
      const soon = createCalendar({ ...systemClock, monotonicSeconds: () => 1.5 - left / 1000 }, () => {})
      soon.put('item', 1.5)
      expect(set.mock.lastCall?.[1], `${left} ms left`).toBe(whole)
      soon.stop()
    }
    set.mockRestore()
  })

  it('forgets at once what is not kept, however far away', () => {
    for (const due of [0.5, 0.6, 5, 5.5, 86_400]) calendar.put(`at ${due}`, now() + due)
    calendar.keep((item) => item === 'at 0.6' || item === 'at 5.5')
    expect(calendar.earliest()).toBeCloseTo(now() + 0.6, 3)
    vi.advanceTimersByTime(2 * 86_400_000)
    expect(fired.map(({ item }) => item)).toEqual(['at 0.6', 'at 5.5'])
  })

  it('says nothing more once stopped, and leaves no timer', () => {
    calendar.put('soon', now() + 0.5)
    calendar.put('later', now() + 5)
    calendar.stop()
    calendar.put('after', now())
    clearInterval(ticking)
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(60_000)
    expect(fired).toEqual([])
  })

  it('fires everything, in order and on time, whatever is put when and however ticks come', () => {
    const puts = fc.array(
      fc.record({ after: fc.integer({ min: 0, max: 3_000 }), due: fc.integer({ min: -2_000, max: 9_000 }) }),
      { minLength: 1, maxLength: 30 },
    )
    fc.assert(
      fc.property(puts, fc.integer({ min: 200, max: 1_100 }), (all, tickMilliseconds) => {
        start(tickMilliseconds / 1000)
        for (const [index, { after, due }] of all.entries()) {
          vi.advanceTimersByTime(after)
          calendar.put(`${index}`, now() + due / 1000)
        }
        vi.advanceTimersByTime(12_000)
        expect(fired.map(({ item }) => Number(item)).toSorted((a, b) => a - b)).toEqual(
          all.map((_, index) => index),
        )
        for (const { at, dueAt } of fired) expect(at).toBeGreaterThanOrEqual(dueAt - 0.001)
        // A tick covers the second at hand and the next one, so one that is a little late delays nothing.
        const ahead = fired.filter(({ item }) => (all[Number(item)]?.due ?? 0) > 0)
        if (tickMilliseconds <= 1_000)
          for (const { at, dueAt } of ahead) expect(at - dueAt).toBeLessThan(WAKE_SECONDS + 0.002)
      }),
      { numRuns: 200 },
    )
  })
})
