// A process of one host's activity visits, one after the other, until it is killed. Its log is made up as time goes by:
// record n is always the same, and there are more with every millisecond. Prints each reading once it may be exposed.
// Arguments: the directory of the state; when the log began, in milliseconds; how many of the newest records it keeps; and,
// for a log that grows no more and a process that ends by itself, how many there are.
import type { Host } from '../../src/config/targets.ts'
import { createDeadline } from '../../src/io/deadline.ts'
import type { Io } from '../../src/io/io.ts'
import { createStateStore } from '../../src/io/state.ts'
import type { Rows, WindowsReader } from '../../src/io/windows/windows.ts'
import { silentLog } from '../../src/model/log.ts'
import { activity } from '../../src/probes/activity.ts'
import { clientTimeText, cmidOf, requestStrings, row } from '../probes/memory-log.ts'

const BEGAN_SECONDS = Date.UTC(2026, 4, 4) / 1000
const NOW_SECONDS = BEGAN_SECONDS + 86_400
const MILLISECONDS_A_RECORD = 2
export const CLIENTS = 97

/** What is exposed after one visit. */
export interface Line {
  /** By `RESULT CLASS`. */
  readonly requests: Readonly<Record<string, number>>
  readonly skewCount: number
  readonly clients: number
  readonly gaps: number
  readonly lost: number
  readonly caughtUp: boolean
}

/** How many records there are, `now` and `began` in milliseconds. */
export function recordsAt(now: number, began: number): number {
  return Math.max(0, Math.floor((now - began) / MILLISECONDS_A_RECORD))
}

/** The outcome of record n, from 1: a code and how many clients the product needs. */
export function outcomeOf(n: number): readonly [string, 5 | 25] {
  return [n % 7 === 0 ? '0xC004F06C' : '0x00000000', n % 3 === 0 ? 5 : 25]
}

function rowOf(n: number) {
  const [hresult, minCount] = outcomeOf(n)
  const timeSeconds = BEGAN_SECONDS + n / 10
  const client = n % CLIENTS
  return row({
    RecordNumber: String(n),
    EventCode: '12290',
    SourceName: 'Microsoft-Windows-Security-SPP',
    TimeGenerated: new Date(timeSeconds * 1000).toISOString(),
    InsertionStrings: requestStrings({
      hresult,
      minCount,
      cmid: cmidOf(client),
      name: `pc${client}`,
      clientTime: clientTimeText(timeSeconds),
    }),
  })
}

function readerOf(records: () => number, kept: number): WindowsReader {
  return {
    via: 'winrm',
    readRegistry: async () => undefined,
    async query({ from, where = '' }, { mostRows = 10_000 } = {}): Promise<Rows> {
      const moment = { wallSeconds: 0, monotonicSeconds: 0 }
      const common = { complete: true, sent: moment, received: moment, roundTrips: 1 }
      if (from === 'Win32_NTEventlogFile')
        return {
          ...common,
          rows: [
            ['Key Management Service', String(Math.min(records(), kept))],
            ['Application', '0'],
          ].map(([name = '', count = '']) => row({ LogfileName: name, NumberOfRecords: count })),
        }
      if (!where.includes("'Key Management Service'")) return { ...common, rows: [] }
      const newest = records()
      const low = Math.max(1, newest - kept + 1, Number(/RecordNumber >= (\d+)/.exec(where)?.[1] ?? 1))
      const end = Math.min(newest + 1, Number(/RecordNumber < (\d+)/.exec(where)?.[1] ?? Infinity))
      const count = Math.max(0, end - low)
      const rows = Array.from({ length: Math.min(count, mostRows) }, (_, index) => rowOf(end - 1 - index))
      return { ...common, rows, complete: count <= mostRows }
    },
  }
}

async function work(directory: string, reader: WindowsReader, once: boolean): Promise<void> {
  const io = {
    clock: { wallSeconds: () => NOW_SECONDS, monotonicSeconds: () => performance.now() / 1000 },
    state: createStateStore(directory, (problem) => {
      throw new Error(problem.detail)
    }),
    winrm: { open: async () => reader },
  } as unknown as Io
  const host = {
    name: 'kms01.corp.example',
    windows: { via: 'winrm' },
    probes: { activity: { first_read: 30 * 86_400 } },
  } as unknown as Host
  const target = { key: host.name, host } as Parameters<typeof activity.measure>[0]
  for (;;) {
    const deadline = createDeadline(30)
    const reading = await activity.measure(target, { io, deadline, log: silentLog, enter: () => {} })
    deadline.close()
    const line: Line = {
      requests: Object.fromEntries(
        reading.requests.map(({ result, minClients, count }) => [`${result} ${minClients}`, count]),
      ),
      skewCount: reading.skew.counts.reduce((sum, count) => sum + count, 0),
      clients: reading.distinctClients['30d'],
      gaps: reading.logs.reduce((sum, { gaps }) => sum + gaps.cleared + gaps.overwritten + gaps.restarted, 0),
      lost: reading.logs.reduce((sum, { lost }) => sum + lost, 0),
      caughtUp: reading.caughtUp,
    }
    process.stdout.write(`${JSON.stringify(line)}\n`)
    if (once && reading.caughtUp) return
  }
}

const [, , directory, began, kept, last] = process.argv
if (directory !== undefined && process.env['KILL_WORKER'] === '1') {
  process.stdout.write('ready\n')
  const records = (): number => (last === undefined ? recordsAt(Date.now(), Number(began)) : Number(last))
  await work(directory, readerOf(records, Number(kept)), last !== undefined)
}
