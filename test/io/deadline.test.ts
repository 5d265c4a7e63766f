import { describe, expect, it, vi } from 'vitest'
import { createDeadline, within, type Ending } from '../../src/io/deadline.ts'
import { timeByHand } from '../time-by-hand.ts'

timeByHand()

describe('a deadline', () => {
  it('expires once its time is up, and tells everything it owns so, once', () => {
    const deadline = createDeadline(1.5)
    const told: Ending[] = []
    deadline.own((ending) => told.push(ending))
    deadline.own((ending) => told.push(ending))
    vi.advanceTimersByTime(1_499)
    expect([deadline.ended, told]).toEqual([false, []])
    vi.advanceTimersByTime(1)
    expect([deadline.ended, told]).toEqual([true, ['expired', 'expired']])
    deadline.close()
    vi.advanceTimersByTime(10_000)
    expect(told).toHaveLength(2)
  })

  it('can be closed before, any number of times, and leaves no timer behind', () => {
    const deadline = createDeadline(60)
    const told: Ending[] = []
    deadline.own((ending) => told.push(ending))
    deadline.close()
    deadline.close()
    expect([deadline.ended, told, vi.getTimerCount()]).toEqual([true, ['closed'], 0])
  })

  it('says how much is left, and never less than nothing', () => {
    const deadline = createDeadline(2)
    expect(deadline.remainingSeconds()).toBe(2)
    vi.advanceTimersByTime(1_250)
    expect(deadline.remainingSeconds()).toBe(0.75)
    vi.advanceTimersByTime(5_000)
    expect(deadline.remainingSeconds()).toBe(0)
  })

  it('releases at once what it is given after its end, saying how it ended', () => {
    const expired = createDeadline(1)
    vi.advanceTimersByTime(1_000)
    const closed = createDeadline(1)
    closed.close()
    const told: Ending[] = []
    expired.own((ending) => told.push(ending))()
    closed.own((ending) => told.push(ending))()
    expect(told).toEqual(['expired', 'closed'])
  })

  it('forgets what lets go of it, and only that', () => {
    const deadline = createDeadline(1)
    const told: string[] = []
    const letGo = deadline.own(() => told.push('first'))
    deadline.own(() => told.push('second'))
    letGo()
    letGo()
    vi.advanceTimersByTime(1_000)
    expect(told).toEqual(['second'])
  })

  it('stands being used while it ends', () => {
    const deadline = createDeadline(1)
    const told: string[] = []
    const letGo = deadline.own(() => {
      told.push('first')
      letGoOfSecond()
      deadline.own(() => told.push('late'))
      deadline.close()
      letGo()
    })
    const letGoOfSecond = deadline.own(() => told.push('second'))
    vi.advanceTimersByTime(1_000)
    expect(told).toEqual(['first', 'late'])
  })

  it.each([0, -1])('of %s seconds ends at the next turn', (seconds) => {
    const deadline = createDeadline(seconds)
    expect(deadline.remainingSeconds()).toBe(0)
    vi.advanceTimersByTime(1)
    expect(deadline.ended).toBe(true)
  })
})

describe('a deadline within another', () => {
  it('ends with it, and says how', () => {
    const outer = createDeadline(2)
    const inner = within(outer)
    const told: Ending[] = []
    inner.own((ending) => told.push(ending))
    vi.advanceTimersByTime(500)
    expect(inner.remainingSeconds()).toBe(1.5)
    vi.advanceTimersByTime(1_500)
    expect([inner.ended, told]).toEqual([true, ['expired']])
  })

  it('closed by itself leaves the other alone, and has no timer of its own', () => {
    const outer = createDeadline(2)
    const inner = within(outer)
    expect(vi.getTimerCount()).toBe(1)
    inner.close()
    expect([inner.ended, outer.ended]).toEqual([true, false])
    outer.close()
    expect(within(outer).ended).toBe(true)
  })
})

describe('a share of a deadline', () => {
  it('ends first, and leaves the other one alone', () => {
    const outer = createDeadline(2)
    vi.advanceTimersByTime(1_000)
    const share = within(outer, 0.5)
    const told: Ending[] = []
    share.own((ending) => told.push(ending))
    vi.advanceTimersByTime(499)
    expect(told).toEqual([])
    vi.advanceTimersByTime(2)
    expect([told, outer.ended]).toEqual([['expired'], false])
  })

  it('is closed with the other one, and leaves no timer', () => {
    const outer = createDeadline(2)
    const share = within(outer, 0.5)
    outer.close()
    expect([share.ended, vi.getTimerCount()]).toEqual([true, 0])
    expect(within(outer, 0.5).ended).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })
})
