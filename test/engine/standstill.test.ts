// When the schedule says of itself that it has come to a standstill, and when it does not.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { fakeTicker, lasting, rigOf, taskOf } from './support.ts'

const pass = (seconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(seconds * 1000)

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

it('is none while nothing is watched, while all goes well, and once it was stopped', async () => {
  const rig = rigOf(lasting(4))
  await pass(600)
  expect(rig.scheduler.standstill()).toBeUndefined()
  rig.set([
    taskOf({ key: 'a' }),
    taskOf({ key: 'daily', every: 86_400 }),
    taskOf({ key: 'c', every: '0 0 4 * * *' }),
  ])
  for (let minute = 0; minute < 100; minute++) {
    await pass(60)
    expect(rig.scheduler.standstill()).toBeUndefined()
  }
  rig.scheduler.stop()
  await pass(86_400)
  expect(rig.scheduler.standstill()).toBeUndefined()
})

it('is a run that has not ended long after its timeout, and is over when it ends', async () => {
  let end = (): void => {}
  const rig = rigOf(() => new Promise((resolve) => (end = resolve)))
  rig.set([taskOf({ key: 'kms01.corp.example', every: 15, timeoutSeconds: 20 })])
  await pass(50)
  expect(rig.scheduler.standstill()).toBeUndefined()
  await pass(5)
  expect(rig.scheduler.standstill()).toMatch(
    /^a run of port began 5\d s ago and has not ended; its timeout is 20 s$/,
  )
  end()
  await pass(1)
  expect(rig.scheduler.standstill()).toBeUndefined()
  rig.scheduler.stop()
})

it('is a ticker that has stopped', async () => {
  let stopTicking = (): void => {}
  const ticker = {
    ...fakeTicker(),
    everySecond(tick: () => void) {
      const timer = setInterval(tick, 1_000)
      return (stopTicking = () => clearInterval(timer))
    },
  }
  const rig = rigOf(undefined, { ticker })
  rig.set([taskOf({ key: 'a', every: 86_400 })])
  await pass(60)
  expect(rig.scheduler.standstill()).toBeUndefined()
  stopTicking()
  await pass(29)
  expect(rig.scheduler.standstill()).toBeUndefined()
  await pass(5)
  expect(rig.scheduler.standstill()).toMatch(/^the schedule has not ticked for 3\d s$/)
  rig.scheduler.stop()
})

it('is a timer that does not fire although something is due', async () => {
  const rig = rigOf()
  rig.set([taskOf({ key: 'a', every: 15 })])
  await pass(1)
  // Neither of the two ways to fail that are ours alone: the timer is lost, while the ticks go on.
  const lost = vi.spyOn(globalThis, 'setTimeout').mockReturnValue(0 as unknown as NodeJS.Timeout)
  await pass(90)
  lost.mockRestore()
  expect(rig.scheduler.standstill()).toMatch(/^what was due \d\d s ago has not begun$/)
  rig.scheduler.stop()
})

it('is a cron expression that has not fired for twice the longest time that it rests', async () => {
  const rig = rigOf(undefined, { ticker: fakeTicker(600) })
  rig.set([taskOf({ key: 'a', every: '0 */10 * * * *' })])
  await pass(1_225)
  expect(rig.scheduler.standstill()).toBeUndefined()
  await pass(10)
  expect(rig.scheduler.standstill()).toBe('"0 */10 * * * *" has not fired for 1235 s')
  rig.ticker.fire('0 */10 * * * *')
  expect(rig.scheduler.standstill()).toBeUndefined()
  rig.scheduler.stop()
})
