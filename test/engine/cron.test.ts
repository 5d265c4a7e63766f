// node-cron itself, by the real clock: that it does what the scheduler takes for granted.
import { describe, expect, it, onTestFinished, vi } from 'vitest'
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

describe('when the wall clock is set', () => {
  /** `by` is added to what the wall clock says; node-cron reads Date, and so do we. */
  async function firingsAfterStep(by: number): Promise<{ seconds: number; firings: number }> {
    vi.useFakeTimers({ now: Date.UTC(2026, 4, 4, 12) })
    onTestFinished(() => void vi.useRealTimers())
    const ticker = createTicker(silentLog)
    let [seconds, firings] = [0, 0]
    const stops = [
      ticker.everySecond(() => (seconds += 1)),
      ticker.every('*/10 * * * * *', () => void (firings += 1)),
    ]
    await vi.advanceTimersByTimeAsync(30_000)
    ;[seconds, firings] = [0, 0]
    vi.setSystemTime(Date.now() + by)
    await vi.advanceTimersByTimeAsync(60_000)
    for (const stop of stops) stop()
    return { seconds, firings }
  }

  it.each([-18_000_000, -3_600_000, -60_000, 60_000, 3_600_000])('by %i ms, all goes on', async (by) => {
    const { seconds, firings } = await firingsAfterStep(by)
    expect(seconds).toBeGreaterThanOrEqual(59)
    expect(firings).toBeGreaterThanOrEqual(5)
    expect(firings).toBeLessThanOrEqual(7)
  })
})
