// Whatever arrives, however long it takes and however narrow the limits are: they hold, and nobody waits for ever.
import * as fc from 'fast-check'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { nextInPhase } from '../../src/engine/schedule.ts'
import type { Task } from '../../src/engine/plan.ts'
import { rigOf, taskOf } from './support.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const wishes = fc.array(
  fc.record({
    group: fc.integer({ min: 0, max: 3 }),
    every: fc.integer({ min: 1, max: 20 }),
    lastsSeconds: fc.double({ min: 0, max: 12, noNaN: true }),
  }),
  { minLength: 1, maxLength: 12 },
)
const limits = fc.record({
  concurrency: fc.integer({ min: 1, max: 5 }),
  perGroup: fc.integer({ min: 1, max: 3 }),
})
const reloads = fc.array(
  fc.record({
    afterSeconds: fc.integer({ min: 1, max: 20 }),
    kept: fc.array(fc.boolean(), { maxLength: 12 }),
    limits,
  }),
  { maxLength: 4 },
)

it('the limits are never exceeded, nobody starves, and every run that begins is seen to end', async () => {
  await fc.assert(
    fc.asyncProperty(wishes, limits, reloads, async (all, first, then) => {
      // What an attempt that failed has left behind is none of this one's concern.
      vi.clearAllTimers()
      const lasts = new Map(all.map(({ lastsSeconds }, index) => [`t${index}`, lastsSeconds]))
      const running = new Map<string, Task>()
      let allowed = { ...first }
      let ended = 0
      const violations: string[] = []
      const rig = rigOf(async (task) => {
        const { key, group } = task.target
        if (running.has(key)) violations.push(`${key} twice at once`)
        running.set(key, task)
        const mates = [...running.values()].filter(({ target }) => target.group === group)
        if (running.size > allowed.concurrency) violations.push(`${running.size} of ${allowed.concurrency}`)
        if (mates.length > allowed.perGroup)
          violations.push(`${mates.length} of ${allowed.perGroup} of ${group}`)
        await new Promise((resolve) => setTimeout(resolve, (lasts.get(key) ?? 0) * 1000))
        running.delete(key)
        ended++
      })
      const tasks = all.map(({ group, every }, index) =>
        taskOf({ key: `t${index}`, group: `g${group}`, every }),
      )
      rig.set(tasks, allowed)
      for (const reload of then) {
        await vi.advanceTimersByTimeAsync(reload.afterSeconds * 1000)
        // Narrower limits hold from when what is running now has ended, so only wider ones are tried here.
        allowed = {
          concurrency: Math.max(allowed.concurrency, reload.limits.concurrency),
          perGroup: Math.max(allowed.perGroup, reload.limits.perGroup),
        }
        rig.set(
          tasks.filter((_task, index) => reload.kept[index] ?? true),
          allowed,
        )
      }
      rig.set(tasks, allowed)
      // All that could be waiting before one of them: everybody once in a row, over and over.
      const roundSeconds = 25 + all.reduce((sum, { lastsSeconds }) => sum + lastsSeconds, 0)
      const turns = new Map(tasks.map(({ target }) => [target.key, 0]))
      for (let round = 0; round < 3; round++) {
        const before = rig.started.length
        await vi.advanceTimersByTimeAsync(2 * roundSeconds * 1000)
        for (const { key } of rig.started.slice(before)) turns.set(key, (turns.get(key) ?? 0) + 1)
        for (const [key, count] of turns)
          if (count <= round) violations.push(`${key} had no turn in round ${round}`)
        for (const key of turns.keys()) turns.set(key, round + 1)
      }
      rig.set([], allowed)
      await vi.advanceTimersByTimeAsync(20_000)
      expect(violations).toEqual([])
      expect([rig.scheduler.inFlight, running.size]).toEqual([0, 0])
      expect(ended).toBe(rig.started.length)
      rig.scheduler.stop()
      expect(vi.getTimerCount()).toBe(0)
    }),
    { numRuns: 60 },
  )
})

it('the next moment of a phase is after the last, by at most an interval, and has that phase', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 0.9999999, noNaN: true }),
      fc.integer({ min: 1, max: 86_400 }),
      fc.double({ min: 0, max: 1e8, noNaN: true }),
      (phase, seconds, after) => {
        const next = nextInPhase(phase, seconds, after)
        expect(next).toBeGreaterThan(after)
        expect(next - after).toBeLessThanOrEqual(seconds * 1.000001)
        const away = Math.abs(next / seconds - phase - Math.round(next / seconds - phase))
        expect(away * seconds).toBeLessThan(0.001)
      },
    ),
  )
})
