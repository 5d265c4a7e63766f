// Event logs in memory, asked as Windows is: a WindowsReader that understands the conditions that are put to
// Win32_NTLogEvent and Win32_NTEventlogFile. Written from the class documentation; lists the newest first, as WMI does.
import type { QueryOptions, Rows, WindowsReader } from '../../src/io/windows/windows.ts'
import { ProbeFailure } from '../../src/model/failure.ts'
import type { CimRow, CimValue } from '../../src/protocol/cim.ts'
import type { Select } from '../../src/protocol/wql.ts'

export interface MemoryRecord {
  readonly record: number
  readonly code: number
  readonly source: string
  readonly timeSeconds: number
  readonly strings: readonly string[]
}

type Value = string | number

/** `A AND (B OR C)` of comparisons with numbers and strings; dates are numbers on both sides. */
function matcherOf(where: string): (columns: Readonly<Record<string, Value>>) => boolean {
  const tokens = where.match(/'(?:[^'\\]|\\.)*'|[<>]=?|=|[()]|\w+/g) ?? []
  let at = 0
  type Test = (columns: Readonly<Record<string, Value>>) => boolean
  const literal = (token: string): Value => {
    if (!token.startsWith("'")) return Number(token)
    const text = token.slice(1, -1).replaceAll(/\\(.)/g, '$1')
    const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.0{6}\+000$/.exec(text) ?? []
    if (y === undefined) return text.toLowerCase()
    return Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s)) / 1000
  }
  const comparison = (): Test => {
    if (tokens[at] === '(') {
      at += 1
      const inner = either()
      at += 1
      return inner
    }
    const [column = '', operator, right = ''] = tokens.slice(at, at + 3)
    at += 3
    const value = literal(right)
    return (columns) => {
      const left = columns[column]
      if (left === undefined) throw new Error(`no column ${column}`)
      if (operator === '=') return left === value
      if (operator === '>') return left > value
      if (operator === '>=') return left >= value
      return operator === '<' ? left < value : left <= value
    }
  }
  const both = (): Test => {
    const tests = [comparison()]
    while (tokens[at] === 'AND') {
      at += 1
      tests.push(comparison())
    }
    return (columns) => tests.every((test) => test(columns))
  }
  const either = (): Test => {
    const tests = [both()]
    while (tokens[at] === 'OR') {
      at += 1
      tests.push(both())
    }
    return (columns) => tests.some((test) => test(columns))
  }
  return either()
}

class MemoryLog {
  readonly name: string
  records: MemoryRecord[] = []
  next = 1
  sizeBytes = 900_000
  mostBytes = 1_000_000
  overwrites = 'WhenNeeded'
  /** The account may see the file, its records. */
  visible = { file: true, records: true }

  constructor(name: string) {
    this.name = name
  }

  append(event: Omit<MemoryRecord, 'record'>): void {
    this.records.push({ ...event, record: this.next })
    this.next += 1
  }

  /** Event Viewer's "clear": numbers go on. */
  clear(): void {
    this.records = []
    this.sizeBytes = 69_632
  }

  /** Only so many of the newest are left. */
  wrap(kept: number): void {
    this.records = this.records.slice(-kept)
  }

  /** A log of its own, with numbers from 1. */
  restart(): void {
    this.clear()
    this.next = 1
  }
}

const iso = (seconds: number): string => new Date(seconds * 1000).toISOString()

export class MemoryWindows implements WindowsReader {
  readonly via = 'winrm'
  readonly kms = new MemoryLog('Key Management Service')
  readonly application = new MemoryLog('Application')
  /** WHERE of every query to Win32_NTLogEvent. */
  readonly asked: string[] = []
  beforeQuery: () => void = () => {}
  /** Told how many rows were answered. */
  afterQuery: (rows: number) => void = () => {}

  async query({ from, where = '' }: Select, { mostRows = 10_000 }: QueryOptions = {}): Promise<Rows> {
    this.beforeQuery()
    const rows = from === 'Win32_NTEventlogFile' ? this.#files(where) : this.#events(where)
    if (from === 'Win32_NTLogEvent') this.asked.push(where)
    this.afterQuery(Math.min(rows.length, mostRows))
    const moment = { wallSeconds: 0, monotonicSeconds: 0 }
    return {
      rows: rows.slice(0, mostRows),
      complete: rows.length <= mostRows,
      sent: moment,
      received: moment,
      roundTrips: 1,
    }
  }

  readRegistry(): Promise<undefined> {
    throw new ProbeFailure('not_configured', 'no registry')
  }

  #files(where: string): readonly CimRow[] {
    const matches = matcherOf(where)
    return [this.kms, this.application]
      .filter((log) => log.visible.file && matches({ LogfileName: log.name.toLowerCase() }))
      .map((log) =>
        row({
          LogfileName: log.name,
          NumberOfRecords: String(log.records.length),
          FileSize: String(log.sizeBytes),
          MaxFileSize: String(log.mostBytes),
          OverWritePolicy: log.overwrites,
        }),
      )
  }

  #events(where: string): readonly CimRow[] {
    const matches = matcherOf(where)
    return [this.kms, this.application]
      .filter((log) => log.visible.records)
      .flatMap((log) =>
        log.records
          .filter((each) =>
            matches({
              Logfile: log.name.toLowerCase(),
              RecordNumber: each.record,
              EventCode: each.code,
              SourceName: each.source.toLowerCase(),
              TimeGenerated: each.timeSeconds,
            }),
          )
          .toReversed(),
      )
      .map((each) =>
        row({
          RecordNumber: String(each.record),
          EventCode: String(each.code),
          SourceName: each.source,
          TimeGenerated: iso(each.timeSeconds),
          InsertionStrings: each.strings,
        }),
      )
  }
}

export function row(columns: Readonly<Record<string, CimValue>>): CimRow {
  return new Map(Object.entries(columns).map(([name, value]) => [name.toLowerCase(), value]))
}

/** Event 12290 as scripts read it: nine strings after one of unknown meaning. */
export function requestStrings({
  hresult = '0x0',
  minCount = 25,
  name = 'pc1.corp.example',
  cmid = '00000000-0000-4000-8000-000000000001',
  clientTime = '2026/5/4 10:00',
  status = 1,
  minutes = 249_120,
  activationId = '73111121-5638-40f6-bc11-f1d7b0d64300',
}): readonly string[] {
  const fields = [hresult, String(minCount), name, cmid, clientTime, '1', String(status), String(minutes)]
  return ['', ...fields, activationId]
}

/** As the event prints it: UTC, no zeros in front. */
export function clientTimeText(seconds: number): string {
  const date = new Date(seconds * 1000)
  const minute = String(date.getUTCMinutes()).padStart(2, '0')
  return `${date.getUTCFullYear()}/${date.getUTCMonth() + 1}/${date.getUTCDate()} ${date.getUTCHours()}:${minute}`
}

export function cmidOf(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`
}
