// node-cron itself, by the real clock: that it does what the scheduler takes for granted.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { checkCron, createTicker } from '../../src/engine/cron.ts'
import { silentLog } from '../../src/model/log.ts'

describe('a cron expression', () => {
  it.each([
    '* * * * * *',
    '0 */5 * * * *',
    '*/5 * * * *',
    '0 30 4 * * 1-5',
    '0 0 * * MON',
    '15,45 * * * * *',
  ])('%s is one', (expression) => {
    expect(checkCron(expression)).toBeUndefined()
  })

  it.each([
    '61 * * * * *',
    '* * * *',
    '',
    'every day at noon please ok',
    '0 0 32 * *',
    '*/0 * * * * *',
    '- - - - - -',
  ])('%j is none, and the message says which', (expression) => {
    expect(checkCron(expression)).toBe(`"${expression}" is not a cron expression that node-cron knows`)
  })

  it.each([
    ['* * * * * *', 1],
    ['*/15 * * * * *', 15],
    ['0 * * * * *', 60],
    ['*/5 * * * *', 300],
    ['0 0 * * * *', 3_600],
    ['0 0 4 * * *', 86_400],
  ])('%s fires %i seconds apart', (expression, seconds) => {
    const ticker = createTicker(silentLog)
    expect(ticker.gapSeconds(expression)).toBe(seconds)
    expect(ticker.longestGapSeconds(expression)).toBe(seconds)
  })

  it('knows how long an expression rests at most', () => {
    // From Friday at 17 to Monday at 9.
    expect(createTicker(silentLog).longestGapSeconds('0 0 9-17 * * 1-5')).toBe(64 * 3_600)
  })
})

it('ticks each second until it is stopped, and not after', async () => {
  const ticker = createTicker(silentLog)
  const at: number[] = []
  const stop = ticker.every('* * * * * *', () => at.push(Date.now()))
  await vi.waitFor(() => expect(at.length).toBeGreaterThanOrEqual(3), { timeout: 10_000 })
  stop()
  const ticks = at.length
  const seconds = new Set(at.map((milliseconds) => Math.floor(milliseconds / 1_000)))
  expect(seconds.size).toBe(ticks)
  let others = 0
  const stopOther = ticker.every('* * * * * *', () => others++)
  await vi.waitFor(() => expect(others).toBeGreaterThanOrEqual(2), { timeout: 10_000 })
  stopOther()
  expect(at).toHaveLength(ticks)
})

describe('a wall clock that is set while it ticks', () => {
  const HOUR = 3_600_000
  const EVERY_MINUTE = '0 * * * * *'

  beforeEach(() => {
    vi.useFakeTimers({ now: Date.UTC(2026, 4, 4, 12, 0, 30) })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** The times by the wall clock at which it fires, while `seconds` go by. */
  async function firings(expression: string, seconds: number, setBy: number): Promise<readonly string[]> {
    const at: string[] = []
    const stop = createTicker(silentLog).every(expression, () =>
      at.push(new Date().toISOString().slice(0, 19)),
    )
    await vi.advanceTimersByTimeAsync(5_000)
    vi.setSystemTime(Date.now() + setBy)
    await vi.advanceTimersByTimeAsync(seconds * 1_000)
    stop()
    return at
  }

  it.each([
    ['ahead', 3 * HOUR, '2026-05-04T15:01:00'],
    ['back', -3 * HOUR, '2026-05-04T09:01:00'],
    // A machine without a battery begins in 1970.
    ['ahead by decades', 56 * 365 * 24 * HOUR, '2082-04-20T12:01:00'],
    ['back by decades', -40 * 365 * 24 * HOUR, '1986-05-14T12:01:00'],
  ])('%s goes on with the next time by the new clock, and with that only', async (_, setBy, expected) => {
    expect(await firings(EVERY_MINUTE, 60, setBy)).toEqual([expected])
  })

  it('comes back to a time that was not reached before', async () => {
    // Not until tomorrow by the clock as it was at the start.
    expect(await firings('0 0 12 * * *', 60, -25_000)).toEqual([])
    expect(await firings('0 30 9 * * *', 1_800, -3 * HOUR)).toEqual(['2026-05-04T09:30:00'])
  })

  it('makes up for nothing that it jumped over', async () => {
    expect(await firings('0 0 13 * * *', 60, 3 * HOUR)).toEqual([])
  })

  it('is late by a moment for what was due a moment ago', async () => {
    expect(await firings(EVERY_MINUTE, 10, 27_000)).toEqual(['2026-05-04T12:01:03'])
  })

  it('leaves alone what comes each second', async () => {
    let ticks = 0
    const stop = createTicker(silentLog).everySecond(() => ticks++)
    await vi.advanceTimersByTimeAsync(5_000)
    vi.setSystemTime(Date.now() - 3 * HOUR)
    await vi.advanceTimersByTimeAsync(5_000)
    stop()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(ticks).toBe(10)
  })
})
