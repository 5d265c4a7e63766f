import { describe, expect, it } from 'vitest'
import type { Host } from '../../src/config/targets.ts'
import type { Deadline } from '../../src/io/deadline.ts'
import type { Io } from '../../src/io/io.ts'
import { createStateStore, type StateStore } from '../../src/io/state.ts'
import { ProbeFailure, type Reason } from '../../src/model/failure.ts'
import { silentLog } from '../../src/model/log.ts'
import { activity, type ActivityReading } from '../../src/probes/activity.ts'
import { failureOf } from '../io/support.ts'
import { clientTimeText, cmidOf, MemoryWindows, requestStrings } from './memory-log.ts'

const NOW = Date.UTC(2026, 4, 4, 10) / 1000
const DAY = 86_400
const SPP = 'Microsoft-Windows-Security-SPP'

interface Bench {
  readonly windows: MemoryWindows
  readonly state: StateStore
  now: number
  /** One request more, of client number `client`. */
  request(client?: number, strings?: Parameters<typeof requestStrings>[0], atSeconds?: number): void
  event(code: number, strings: readonly string[], atSeconds?: number, source?: string): void
  /** `queries`: the visit has time for so many. */
  visit(options?: {
    queries?: number
    firstRead?: number
    /** The whole visit and a thousand rows take so many seconds, and each question a tenth of one. */
    slow?: { timeout: number; thousand: number }
  }): Promise<ActivityReading>
}

function bench(state = createStateStore(undefined)): Bench {
  const windows = new MemoryWindows()
  const self: Bench = {
    windows,
    state,
    now: NOW,
    request(client = 1, strings = {}, atSeconds = self.now) {
      windows.kms.append({
        code: 12_290,
        source: SPP,
        timeSeconds: atSeconds,
        strings: requestStrings({
          cmid: cmidOf(client),
          name: `pc${client}`,
          clientTime: clientTimeText(atSeconds),
          ...strings,
        }),
      })
    },
    event(code, strings, atSeconds = self.now, source = SPP) {
      windows.application.append({ code, source, timeSeconds: atSeconds, strings })
    },
    async visit({ queries = 1000, firstRead = 30 * DAY, slow } = {}) {
      let left = slow?.timeout ?? queries
      const { beforeQuery } = windows
      windows.beforeQuery = () => {
        left -= slow === undefined ? 1 : 0.1
        beforeQuery()
      }
      windows.afterQuery = (rows) => {
        if (slow === undefined) return
        left -= (rows * slow.thousand) / 1000
        if (left < 0) throw new ProbeFailure('timeout', 'too slow')
      }
      const deadline: Deadline = {
        get ended() {
          return left < 0
        },
        remainingSeconds: () => Math.max(0, left),
        own: () => () => {},
        close() {},
      }
      const io = {
        clock: { wallSeconds: () => self.now, monotonicSeconds: () => performance.now() / 1000 },
        state,
        winrm: { open: async () => windows },
      } as unknown as Io
      const host = {
        name: 'kms01.corp.example',
        windows: { via: 'winrm' },
        probes: { activity: { first_read: firstRead } },
      } as unknown as Host
      const target = { key: host.name, host } as Parameters<typeof activity.measure>[0]
      try {
        return await activity.measure(target, { io, deadline, log: silentLog, enter: () => {} })
      } finally {
        windows.beforeQuery = beforeQuery
      }
    },
  }
  return self
}

const total = ({ requests }: ActivityReading): number => requests.reduce((sum, { count }) => sum + count, 0)
const logOf = ({ logs }: ActivityReading, name = 'key_management_service') =>
  logs.find(({ log }) => log === name)
const gapsOf = (reading: ActivityReading, name?: string) => logOf(reading, name)?.gaps
const NO_GAPS = { cleared: 0, overwritten: 0, restarted: 0 }

describe('the log of requests', () => {
  it('is read, and read on', async () => {
    const { visit, request, ...rest } = bench()
    request(1)
    request(2, { minCount: 5 })
    request(2, { minCount: 5, hresult: '0xC004F06C', clientTime: clientTimeText(NOW - 5 * 3600) })
    const first = await visit()
    expect(first.requests).toEqual([
      { result: '0x00000000', minClients: '5', count: 1 },
      { result: '0x00000000', minClients: '25', count: 1 },
      { result: '0xC004F06C', minClients: '5', count: 1 },
    ])
    expect(first).toMatchObject({
      lastRequestSeconds: NOW,
      distinctClients: { '1h': 2, '24h': 2, '7d': 2, '30d': 2 },
      sampledOneIn: 1,
      duplicateClientIds: 0,
      lastMismatchSeconds: undefined,
      earliestExpirySeconds: 249_120 * 60,
      caughtUp: true,
    })
    expect(first.skew.counts.reduce((sum, count) => sum + count, 0)).toBe(3)
    expect(await visit()).toEqual(first)
    request(3)
    const second = await visit()
    expect(total(second)).toBe(4)
    expect(gapsOf(second)).toEqual(NO_GAPS)
    // From the bookmark on, and not the whole log again.
    expect(rest.windows.asked.filter((where) => where.includes('Key')).slice(-2)).toEqual([
      "Logfile = 'Key Management Service' AND RecordNumber >= 3",
      "Logfile = 'Key Management Service' AND RecordNumber >= 3",
    ])
  })

  it('goes back as far as it should the first time', async () => {
    const { visit, request } = bench()
    for (const days of [40, 20, 5, 0.5]) request(days, {}, NOW - days * DAY)
    const reading = await visit({ firstRead: 7 * DAY })
    expect(total(reading)).toBe(2)
    request()
    expect(total(await visit())).toBe(3)
  })

  it.each([0, 1, 1500])(
    'may have %s records, older than what is asked for, and goes on after them',
    async (old) => {
      const self = bench()
      for (let n = 0; n < old; n += 1) self.request(1, {}, NOW - 40 * DAY)
      expect(total(await self.visit())).toBe(0)
      // A clock that is months behind is no reason to miss what comes after.
      self.request(2, {}, NOW - 90 * DAY)
      self.request(3, {}, NOW - 40 * DAY)
      const reading = await self.visit()
      expect(total(reading)).toBe(2)
      expect(logOf(reading)).toMatchObject({ gaps: NO_GAPS, lost: 0, lostAtSeconds: undefined })
    },
  )

  it.each([0, 1])('has %s old records, and another comes while it is looked at', async (old) => {
    const { visit, request, windows } = bench()
    for (let n = 0; n < old; n += 1) request(1, {}, NOW - 40 * DAY)
    windows.beforeQuery = () => {
      if (windows.asked.length === 1) request(2)
    }
    const first = total(await visit())
    windows.beforeQuery = () => {}
    expect([first, total(await visit())]).toEqual([old, 1])
  })

  it('counts what it cannot make out, and whatever else is in the log not at all', async () => {
    const { visit, windows } = bench()
    const event = { source: SPP, timeSeconds: NOW }
    windows.kms.append({ ...event, code: 12_290, strings: ['?'] })
    windows.kms.append({ ...event, code: 12_290, strings: [] })
    windows.kms.append({ ...event, code: 4711, strings: requestStrings({}) })
    const reading = await visit()
    expect(reading.requests.filter(({ count }) => count > 0)).toEqual([
      { result: 'other', minClients: 'other', count: 2 },
    ])
    expect(reading.lastRequestSeconds).toBe(NOW)
  })

  it('has clients under one id with two names', async () => {
    const { visit, request } = bench()
    request(1)
    request(1, { name: 'PC1.corp.example' })
    request(2)
    request(2, { name: 'clone' })
    expect((await visit()).duplicateClientIds).toBe(1)
  })

  it('names a version mismatch and a wrong product', async () => {
    const { visit, request } = bench()
    request(1, { hresult: '0xC004F06C' })
    request(1, { hresult: '0xC004F042' })
    expect(await visit()).toMatchObject({ lastMismatchSeconds: NOW, lastWrongProductSeconds: NOW })
  })
})

describe('a long log', () => {
  it('that grows past the end of a window while it is read loses nothing', async () => {
    const { windows, request, visit } = bench()
    for (let count = 0; count < 1500; count += 1) request()
    windows.beforeQuery = () => {
      // The log files, all records, two windows of a thousand numbers; and what is newer than those.
      if (windows.asked.length === 3) for (let count = 0; count < 600; count += 1) request()
    }
    const { requests } = await visit()
    expect(requests.reduce((sum, { count }) => sum + count, 0)).toBe(2100)
  })

  it('is read in pieces, over several visits, each record once', async () => {
    const { visit, request, windows } = bench()
    for (let n = 0; n < 13_345; n += 1) request(n % 50, {}, NOW - 100 + n / 1000)
    const counts: [number, boolean][] = []
    for (let visits = 0; visits < 5; visits += 1) {
      const reading = await visit()
      counts.push([total(reading), reading.caughtUp])
      expect(gapsOf(reading)).toEqual(NO_GAPS)
    }
    expect(counts).toEqual([
      [6993, false],
      [12_987, false],
      [13_345, true],
      [13_345, true],
      [13_345, true],
    ])
    expect(windows.asked.length).toBeLessThan(30)
  })

  it('may have holes in its numbers, small and large', async () => {
    const { visit, request, windows } = bench()
    // Where the first one is has to be found, for how many there are is not known.
    windows.kms.visible = { file: false, records: true }
    windows.kms.next = 500_000
    for (let n = 0; n < 1500; n += 1) request(n)
    windows.kms.next = 3_000_000
    for (let n = 0; n < 1500; n += 1) request(n)
    windows.kms.next = 4_294_000_000
    for (let n = 0; n < 1500; n += 1) request(n)
    let reading = await visit()
    for (let visits = 0; visits < 3 && !reading.caughtUp; visits += 1) reading = await visit()
    expect([total(reading), reading.caughtUp]).toEqual([4500, true])
    // Numbers have no holes by themselves: whoever clears a log, or is faster than its reader, makes them.
    const holes = 3_000_000 - 501_500 + (4_294_000_000 - 3_001_500)
    expect(logOf(reading)).toMatchObject({ gaps: { ...NO_GAPS, overwritten: 2 }, lost: holes })
    expect(windows.asked.length).toBeLessThan(120)
  })

  it('is read although records come while it is', async () => {
    const { visit, request, windows } = bench()
    for (let n = 0; n < 3000; n += 1) request(n)
    windows.beforeQuery = () => {
      for (let n = 0; n < 10; n += 1) request(n)
    }
    let reading = await visit()
    windows.beforeQuery = () => {}
    reading = await visit()
    expect(total(reading)).toBe(windows.kms.records.length)
  })

  it('keeps what was read before a visit failed', async () => {
    const { visit, request, windows } = bench()
    for (let n = 0; n < 4500; n += 1) request(n)
    let queries = 0
    windows.beforeQuery = () => {
      queries += 1
      if (queries === 5) throw new ProbeFailure('connect_reset', 'gone')
    }
    expect((await failureOf(visit())).reason).toBe('connect_reset')
    expect(total(await visit())).toBe(4500)
  })

  it('makes progress in every visit, however slow the host', async () => {
    const { visit, request } = bench()
    for (let n = 0; n < 3000; n += 1) request(n)
    // The file, the open question, and one window.
    const counts: number[] = []
    for (let visits = 0; visits < 4; visits += 1) counts.push(total(await visit({ queries: 4 })))
    expect(counts[0]).toBe(999)
    expect(new Set(counts).size).toBe(4)
  })

  it.each([
    ['the file', 2.5, 8, true, 20_000, 0],
    ['no file', 2.5, 8, false, 20_000, 0],
    ['the file, but most of it too old', 2.5, 4, true, 20_000, 12_000],
    ['no file, and most of it too old', 2.5, 4, false, 20_000, 12_000],
    ['the file, and slower', 6, 6, true, 5000, 0],
    ['no file, and slower', 6, 6, false, 5000, 0],
    ['the file, and much slower', 30, 13, true, 3000, 0],
  ])(
    'on a slow host whose numbers begin at 50,001 is caught up with: %s, %s s a thousand',
    async (...row) => {
      const [, thousand, visits, file, count, old] = row
      const self = bench()
      self.windows.kms.visible = { file, records: true }
      self.windows.kms.next = 50_001
      for (let n = 0; n < count; n += 1) self.request(n % 50, {}, n < old ? NOW - 40 * DAY : NOW)
      const totals: number[] = []
      for (let caughtUp = false; !caughtUp && totals.length < 99;) {
        const reading = await self.visit({ slow: { timeout: 20, thousand } })
        totals.push(total(reading))
        caughtUp = reading.caughtUp
        expect(logOf(reading)).toMatchObject({ gaps: NO_GAPS, lost: 0 })
      }
      expect(totals.at(-1)).toBe(count - old)
      expect(totals.length).toBeLessThanOrEqual(visits)
      // Each visit but the last brings something: none is spent in looking for where to begin.
      expect(new Set(totals).size).toBeGreaterThanOrEqual(totals.length - 1)
    },
  )

  it('on a host that is too slow for anything ends in time, and loses nothing', async () => {
    const self = bench()
    self.windows.kms.next = 50_001
    for (let n = 0; n < 20_000; n += 1) self.request(n % 50)
    for (let visits = 0; visits < 3; visits += 1) {
      const before = self.windows.asked.length
      const end = await self.visit({ slow: { timeout: 20, thousand: 300 } }).catch((error: unknown) => error)
      expect(end).toMatchObject({ reason: 'timeout' })
      expect(self.windows.asked.length - before).toBeLessThan(20)
    }
    expect(total(await self.visit({ slow: { timeout: 20, thousand: 2 } }))).toBeGreaterThan(999)
  })

  it('that is overwritten while it is read says what went', async () => {
    const { visit, request, windows } = bench()
    for (let n = 0; n < 4500; n += 1) request(n)
    windows.beforeQuery = () => {
      if (windows.asked.length === 3) windows.kms.wrap(1000)
    }
    const reading = await visit()
    expect(logOf(reading)?.gaps).toEqual({ ...NO_GAPS, overwritten: 1 })
    expect(total(reading) + (logOf(reading)?.lost ?? 0)).toBe(4500)
  })

  it('that is begun anew while it is read is not taken for the same', async () => {
    const { visit, request, windows } = bench()
    for (let n = 0; n < 2500; n += 1) request(n)
    windows.beforeQuery = () => {
      if (windows.asked.length !== 3) return
      windows.kms.restart()
      for (let n = 0; n < 2000; n += 1) request(n + 5000)
    }
    const before = total(await visit())
    windows.beforeQuery = () => {}
    const reading = await visit()
    expect(before).toBeGreaterThan(998)
    expect(logOf(reading)).toMatchObject({ gaps: { ...NO_GAPS, restarted: 1 }, lostAtSeconds: NOW })
    expect(total(reading)).toBe(999 + 2000)
  })

  it('leaves what it has no time for to the next visit', async () => {
    const { visit, request } = bench()
    for (let n = 0; n < 4500; n += 1) request(n)
    const reading = await visit({ queries: 8 })
    expect([total(reading), reading.caughtUp]).toEqual([1198, false])
    expect(total(await visit())).toBe(4500)
  })
})

describe('a log that does not go on where it was left', () => {
  it('was overwritten: what went unread is counted, and when', async () => {
    const self = bench()
    for (let n = 0; n < 10; n += 1) self.request()
    expect(logOf(await self.visit())).toMatchObject({ lost: 0, lostAtSeconds: undefined })
    for (let n = 0; n < 100; n += 1) self.request()
    self.windows.kms.wrap(40)
    const reading = await self.visit()
    expect(total(reading)).toBe(50)
    const told = { gaps: { ...NO_GAPS, overwritten: 1 }, lost: 60, lostAtSeconds: NOW }
    expect(logOf(reading)).toMatchObject(told)
    self.now += DAY
    self.request()
    expect(logOf(await self.visit())).toMatchObject(told)
  })

  it('was overwritten by more than one query may bring', async () => {
    const { visit, request, windows } = bench()
    request()
    await visit()
    for (let n = 0; n < 20_000; n += 1) request()
    windows.kms.wrap(2500)
    const reading = await visit()
    expect([total(reading), reading.caughtUp]).toEqual([2501, true])
    expect(logOf(reading)).toMatchObject({ gaps: { ...NO_GAPS, overwritten: 1 }, lost: 17_500 })
  })

  it('was cleared, and nothing has come since', async () => {
    const self = bench()
    for (let n = 0; n < 10; n += 1) self.request()
    await self.visit()
    self.windows.kms.clear()
    for (let visits = 0; visits < 2; visits += 1) {
      const reading = await self.visit()
      expect(total(reading)).toBe(10)
      expect(logOf(reading)).toMatchObject({
        gaps: { ...NO_GAPS, cleared: 1 },
        lost: 0,
        lostAtSeconds: NOW,
        records: 0,
      })
    }
    self.now += 60
    self.request()
    const reading = await self.visit()
    expect(total(reading)).toBe(11)
    expect(gapsOf(reading)).toEqual({ ...NO_GAPS, cleared: 1 })
  })

  it('was cleared, and its numbers went on', async () => {
    const self = bench()
    for (let n = 0; n < 10; n += 1) self.request()
    await self.visit()
    self.windows.kms.clear()
    self.now += 60
    self.request()
    const reading = await self.visit()
    expect(total(reading)).toBe(11)
    expect(logOf(reading)).toMatchObject({ gaps: { ...NO_GAPS, cleared: 1 }, lost: 0 })
  })

  it.each([
    ['not yet come as far', 3],
    ['come as far again', 10],
    ['come further', 25],
  ])('was restarted, and has %s', async (_how, since) => {
    const self = bench()
    for (let n = 0; n < 10; n += 1) self.request()
    await self.visit()
    self.windows.kms.restart()
    self.now += 60
    for (let n = 0; n < since; n += 1) self.request()
    const reading = await self.visit()
    expect(total(reading)).toBe(10 + since)
    expect(logOf(reading)).toMatchObject({
      gaps: { ...NO_GAPS, restarted: 1 },
      lost: 0,
      lostAtSeconds: NOW + 60,
    })
    self.request()
    expect(total(await self.visit())).toBe(11 + since)
  })

  it.each([
    ['was two days ahead, and is right again', 2 * DAY, 0],
    ['was right, and is two days behind', 0, -2 * DAY],
    ['was years ahead, and is years behind', 3000 * DAY, -3000 * DAY],
    ['has not gone on by a second', 0, 0],
  ])('was restarted, and the clock of its host %s', async (_how, before, after) => {
    const self = bench()
    for (let n = 0; n < 10; n += 1) self.request(n, {}, NOW + before)
    expect(total(await self.visit())).toBe(10)
    self.windows.kms.restart()
    for (let n = 0; n < 7; n += 1) self.request(n + 20, {}, NOW + after)
    const reading = await self.visit()
    expect([total(reading), reading.caughtUp]).toEqual([17, true])
    expect(logOf(reading)).toMatchObject({ gaps: { ...NO_GAPS, restarted: 1 }, lost: 0, lostAtSeconds: NOW })
  })

  it('was cleared, and the clock of its host set back, before anything came', async () => {
    const self = bench()
    self.request(1, {}, NOW + 300 * DAY)
    await self.visit()
    self.windows.kms.clear()
    await self.visit()
    for (let n = 0; n < 5; n += 1) self.request(n, {}, NOW - 3 * DAY)
    const reading = await self.visit()
    expect([total(reading), reading.caughtUp]).toEqual([6, true])
    expect(logOf(reading)).toMatchObject({ gaps: { ...NO_GAPS, cleared: 1 }, lost: 0 })
  })

  it('was cleared more than once: what came and went in between is counted', async () => {
    const self = bench()
    for (let n = 0; n < 10; n += 1) self.request()
    await self.visit()
    self.windows.kms.clear()
    await self.visit()
    for (let n = 0; n < 5; n += 1) self.request()
    self.windows.kms.clear()
    self.now += DAY
    await self.visit()
    self.request()
    const reading = await self.visit()
    expect(total(reading)).toBe(11)
    const told = { gaps: { ...NO_GAPS, cleared: 1 }, lost: 5, lostAtSeconds: NOW + DAY }
    expect(logOf(reading)).toMatchObject(told)
  })

  it('was cleared between the question after its file and the one after its records', async () => {
    const self = bench()
    self.request()
    await self.visit()
    let queries = 0
    self.windows.beforeQuery = () => {
      queries += 1
      if (queries === 2) self.windows.kms.clear()
    }
    expect(logOf(await self.visit())).toMatchObject({ gaps: { ...NO_GAPS, cleared: 1 }, lostAtSeconds: NOW })
    self.windows.beforeQuery = () => {}
    self.request()
    expect(total(await self.visit())).toBe(2)
  })

  it.each([
    ['Never', true],
    ['OutDated', true],
    ['WhenNeeded', false],
  ])('is full, and overwrites %s: is new ones lost? %s', async (policy, loses) => {
    const self = bench()
    self.request()
    Object.assign(self.windows.kms, { overwrites: policy, sizeBytes: 990_000 })
    expect(logOf(await self.visit())?.lostAtSeconds).toBe(loses ? NOW : undefined)
    // It goes on being so; and is not written down every minute.
    self.now += 3600
    expect(logOf(await self.visit())?.lostAtSeconds).toBe(loses ? NOW : undefined)
    self.now += DAY
    expect(logOf(await self.visit())?.lostAtSeconds).toBe(loses ? self.now : undefined)
  })

  it('was set back with the whole machine: nothing is counted twice', async () => {
    const self = bench()
    for (let n = 0; n < 10; n += 1) self.request(n, {}, NOW - 100 + n)
    await self.visit()
    self.windows.kms.records = self.windows.kms.records.slice(0, 4)
    self.windows.kms.next = 5
    let reading = await self.visit()
    expect(total(reading)).toBe(10)
    expect(gapsOf(reading)).toEqual({ ...NO_GAPS, restarted: 1 })
    for (let n = 0; n < 8; n += 1) self.request()
    reading = await self.visit()
    expect(total(reading)).toBe(18)
    expect(gapsOf(reading)).toEqual({ ...NO_GAPS, restarted: 1 })
  })

  it('was set back, and went on by a clock that is behind: what cannot be told apart is lost, and no more', async () => {
    const self = bench()
    for (let n = 0; n < 1000; n += 1) self.request(n, {}, NOW - 2000 + n)
    await self.visit()
    self.windows.kms.records = self.windows.kms.records.slice(0, 900)
    self.windows.kms.next = 901
    for (let n = 0; n < 400; n += 1) self.request(n, {}, NOW - 90 * DAY)
    const reading = await self.visit()
    const { lost = 0, lostAtSeconds } = logOf(reading) ?? {}
    expect(lostAtSeconds).toBe(NOW)
    expect(total(reading)).toBeLessThanOrEqual(1400)
    expect(total(reading) + lost).toBeGreaterThanOrEqual(1400)
    expect(lost).toBeLessThanOrEqual(200)
  })

  it('left by an earlier version, which kept less, is read on, and nothing is counted twice', async () => {
    const self = bench()
    for (let n = 0; n < 10; n += 1) self.request(n, {}, NOW - 100 + n)
    await self.visit()
    const name = 'activity-kms01.corp.example'
    const kept = JSON.parse(JSON.stringify(await self.state.read(name))) as {
      logs: Record<string, { bookmark: { record: number; fingerprint: string; timeSeconds: number } }>
    }
    const log = kept.logs['key_management_service']
    if (log === undefined) throw new Error('no log')
    const { record, fingerprint, timeSeconds } = log.bookmark
    log.bookmark = { record, fingerprint, timeSeconds }
    await self.state.write(name, kept)
    self.request()
    expect(total(await self.visit())).toBe(11)
    await self.state.write(name, kept)
    self.windows.kms.records = self.windows.kms.records.slice(0, 4)
    self.windows.kms.next = 5
    self.request()
    const reading = await self.visit()
    expect(total(reading)).toBe(11)
    expect(logOf(reading)).toMatchObject({ gaps: { ...NO_GAPS, restarted: 1 }, lost: 4 })
  })
})

describe('rights', () => {
  it('that are missing are named, and what was counted stays', async () => {
    const { visit, request, windows } = bench()
    request()
    await visit()
    windows.kms.visible = { file: false, records: false }
    const failure = await failureOf(visit())
    expect(failure.reason).toBe('access_denied')
    expect(failure.message).toContain('Event Log Readers')
    windows.kms.visible = { file: true, records: false }
    expect((await failureOf(visit())).reason).toBe('access_denied')
    windows.kms.visible = { file: true, records: true }
    request()
    const reading = await visit()
    expect([total(reading), gapsOf(reading)]).toEqual([2, NO_GAPS])
  })

  it.each([[{ file: false, records: false }], [{ file: true, records: false }]])(
    'that were never there are no empty log: %j',
    async (visible) => {
      const { visit, request, windows } = bench()
      request(1, {}, NOW - 40 * DAY)
      windows.kms.visible = visible
      expect((await failureOf(visit())).reason).toBe('access_denied')
    },
  )

  it('to see records but not the file are enough', async () => {
    const { visit, request, windows } = bench()
    request()
    windows.kms.visible = { file: false, records: true }
    const reading = await visit()
    expect(total(reading)).toBe(1)
    expect(logOf(reading)).toMatchObject({ records: undefined, sizeBytes: undefined, overwrites: undefined })
  })

  it('to the log of requests alone are enough', async () => {
    const { visit, request, event, windows } = bench()
    request()
    event(12_294, ['corp.example'])
    windows.application.visible = { file: false, records: false }
    const reading = await visit()
    expect(total(reading)).toBe(1)
    expect(reading.logs.map(({ log }) => log)).toEqual(['key_management_service'])
  })

  it.each<[Reason, number]>([
    ['access_denied', 1],
    ['not_found', 1],
    ['timeout', 0],
    ['protocol_error', 0],
  ])('refused with %s where the file is asked for', async (reason, requests) => {
    const { visit, request, windows } = bench()
    request()
    let queries = 0
    windows.beforeQuery = () => {
      queries += 1
      if (queries === 1) throw new ProbeFailure(reason, 'no')
    }
    const reading = await visit().catch(() => undefined)
    expect(reading === undefined ? 0 : total(reading)).toBe(requests)
  })
})

describe('the Application log', () => {
  it('tells how publishing went, by domain, and of a failed start', async () => {
    const { visit, event } = bench()
    event(12_293, ['0x80072338', 'corp.example'], NOW - 50)
    event(12_294, ['lab.example'], NOW - 40)
    event(12_293, ['0x80072338', 'not a domain'], NOW - 30)
    event(12_294, ['other.example'], NOW - 30, 'Somebody Else')
    event(12_291, ['0xC004F014'], NOW - 20)
    event(12_292, ['0x80070005'], NOW - 10)
    event(12_293, ['0x8007232A,joined.example'], NOW - 5)
    const { dnsPublishing, lastInitFailure, lastTimerFailure } = await visit()
    expect(dnsPublishing).toEqual([
      { domain: 'corp.example', success: false, atSeconds: NOW - 50, code: '0x80072338' },
      { domain: 'lab.example', success: true, atSeconds: NOW - 40, code: undefined },
      { domain: 'joined.example', success: false, atSeconds: NOW - 5, code: '0x8007232A' },
    ])
    expect(lastInitFailure).toEqual({ atSeconds: NOW - 20, code: '0xC004F014' })
    expect(lastTimerFailure).toEqual({ atSeconds: NOW - 10, code: '0x80070005' })
  })

  it('says no more of a domain in which the host has ceased to publish, though not in all', async () => {
    const { visit, event } = bench()
    event(12_293, ['0x80072338', 'old.example'], NOW - 9 * DAY)
    event(12_294, ['corp.example'], NOW - 8 * DAY)
    expect((await visit()).dnsPublishing).toHaveLength(2)
    event(12_294, ['corp.example'], NOW - DAY)
    expect((await visit()).dnsPublishing).toMatchObject([{ domain: 'corp.example' }])
  })

  it('tells of every domain, and what came last, though one event was years ahead', async () => {
    const self = bench()
    self.event(12_294, ['lab.example'], NOW - 20)
    self.event(12_294, ['corp.example'], NOW + 3650 * DAY)
    expect((await self.visit()).dnsPublishing).toEqual([
      { domain: 'lab.example', success: true, atSeconds: NOW - 20, code: undefined },
      { domain: 'corp.example', success: true, atSeconds: NOW, code: undefined },
    ])
    self.event(12_293, ['0x80072338', 'corp.example'], NOW + 60)
    self.now = NOW + 61
    expect((await self.visit()).dnsPublishing).toMatchObject([
      { domain: 'lab.example' },
      { domain: 'corp.example', success: false, atSeconds: NOW + 60 },
    ])
  })

  it('is read on, though others write to it and it forgets in time', async () => {
    const self = bench()
    self.event(12_293, ['0x80072338', 'corp.example'])
    await self.visit()
    for (let n = 0; n < 500; n += 1) self.event(1000, ['noise'], self.now, 'Noise')
    self.now += DAY / 4
    self.windows.application.wrap(400)
    expect(gapsOf(await self.visit(), 'application')).toEqual(NO_GAPS)
    self.event(12_294, ['corp.example'])
    const reading = await self.visit()
    expect(reading.dnsPublishing).toMatchObject([{ domain: 'corp.example', success: true }])
    expect(gapsOf(reading, 'application')).toEqual(NO_GAPS)
  })

  it('was cleared, or had been overwritten when nobody had looked for days', async () => {
    const self = bench()
    for (let n = 0; n < 500; n += 1) self.event(1000, ['noise'], self.now, 'Noise')
    self.event(12_294, ['corp.example'])
    await self.visit()
    self.windows.application.clear()
    self.now += 60
    self.event(12_294, ['corp.example'])
    expect(gapsOf(await self.visit(), 'application')).toEqual({ ...NO_GAPS, cleared: 1 })
    for (let n = 0; n < 500; n += 1) self.event(1000, ['noise'], self.now, 'Noise')
    self.now += 5 * DAY
    self.event(12_294, ['corp.example'])
    self.windows.application.wrap(400)
    expect(gapsOf(await self.visit(), 'application')).toEqual({ ...NO_GAPS, cleared: 1, overwritten: 1 })
  })

  it('is not asked about a month every minute when it has nothing of ours', async () => {
    const self = bench()
    for (let n = 0; n < 5000; n += 1) self.event(1000, ['noise'], NOW - n, 'Noise')
    await self.visit()
    await self.visit()
    const times = self.windows.asked
      .filter((where) => where.includes('Application'))
      .flatMap((where) => /TimeGenerated >= '(\d{8})/.exec(where)?.[1] ?? [])
    expect(times).toEqual(['20260404', '20260404'])
  })
})

describe('the state', () => {
  it('is kept before anything is told, and is what a new process goes on with', async () => {
    const first = bench()
    first.request()
    first.request()
    await first.visit()
    const second = bench(first.state)
    Object.assign(second.windows.kms, { records: first.windows.kms.records, next: 3 })
    second.request()
    expect(total(await second.visit())).toBe(3)
  })

  it('is not written while nothing happens', async () => {
    const self = bench()
    self.request()
    self.event(12_294, ['corp.example'])
    await self.visit()
    const before = await self.state.read('activity-kms01.corp.example')
    self.now += 3600
    await self.visit()
    expect(await self.state.read('activity-kms01.corp.example')).toEqual(before)
  })

  it('of another version is put aside', async () => {
    const state = createStateStore(undefined)
    const aside: string[] = []
    const self = bench({
      ...state,
      setAside(name, why) {
        aside.push(name)
        return state.setAside(name, why)
      },
    })
    await state.write('activity-kms01.corp.example', { version: 99 })
    self.request()
    expect(total(await self.visit())).toBe(1)
    expect(aside).toEqual(['activity-kms01.corp.example'])
  })

  it('is not written by a visit whose time is over', async () => {
    const self = bench()
    self.request()
    expect((await failureOf(self.visit({ queries: 1 }))).reason).toBe('timeout')
    expect(await self.state.read('activity-kms01.corp.example')).toBeUndefined()
  })

  it('that is read only leaves everything to its owner', async () => {
    const owner = bench()
    owner.request()
    const guest = bench(owner.state.readOnly())
    Object.assign(guest.windows.kms, { records: owner.windows.kms.records, next: 2 })
    expect(total(await guest.visit())).toBe(1)
    expect(total(await guest.visit())).toBe(1)
    expect(total(await owner.visit())).toBe(1)
  })
})

describe('a hostile peer', () => {
  it('that ignores what is asked makes nothing count twice', async () => {
    const { visit, request, windows } = bench()
    request()
    request()
    await visit()
    const { query } = windows
    windows.query = (select, options) =>
      query.call(
        windows,
        select.from === 'Win32_NTLogEvent'
          ? { ...select, where: "RecordNumber > 0 AND Logfile = 'Key Management Service'" }
          : select,
        options,
      )
    expect(total(await visit())).toBe(2)
  })

  it('that repeats a record makes it count once', async () => {
    const { visit, request, windows } = bench()
    request()
    windows.kms.records = Array.from({ length: 5 }, () => windows.kms.records).flat()
    expect(total(await visit())).toBe(1)
  })

  it('that never has all its records, whatever is asked, ends', async () => {
    const { visit, request, windows } = bench()
    request()
    const { query } = windows
    windows.query = async (...given) => ({ ...(await query.apply(windows, given)), complete: false })
    await expect(visit()).rejects.toThrow('more than one record of one number')
  })
})

it('what it says in metrics is bounded and within the labels declared', async () => {
  const { visit, request, event } = bench()
  request()
  request(2, { hresult: '0xC004F06C' })
  event(12_294, ['corp.example'])
  event(12_291, ['0xC004F014'])
  event(12_292, ['0xC004F014'])
  const reading = await visit()
  const target = {} as Parameters<typeof activity.measure>[0]
  for (const { labels, type, samples, name } of activity.metrics) {
    const emitted: (readonly string[])[] = []
    samples(
      reading,
      (value, ...values) => {
        if (value !== undefined) emitted.push(values)
      },
      target,
    )
    expect(emitted.length, name).toBeGreaterThan(0)
    if (type !== 'histogram') for (const values of emitted) expect(values).toHaveLength(labels.length - 1)
  }
})
