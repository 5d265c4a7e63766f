// Questions to Windows' event logs (Win32_NTLogEvent, Win32_NTEventlogFile): records as plain values, and queries of a
// bounded number of them. WMI does not say in which order it lists records (newest first in practice, unverified), so
// nothing here relies on one.
import type { Deadline } from '../io/deadline.ts'
import type { WindowsReader } from '../io/windows/windows.ts'
import { MalformedMessage } from '../model/failure.ts'
import { datetimeOf, listOf, textOf, uint32Of, type CimRow } from '../protocol/cim.ts'
import { quote, quoteTime } from '../protocol/wql.ts'

export interface LogRecord {
  readonly record: number
  readonly eventCode: number | undefined
  readonly source: string
  /** Unix seconds by the host's clock; undefined when unreadable. */
  readonly timeSeconds: number | undefined
  readonly strings: readonly string[]
}

export interface LogFile {
  readonly records: number | undefined
  readonly sizeBytes: number | undefined
  readonly mostBytes: number | undefined
  readonly overwrites: 'when_needed' | 'outdated' | 'never' | undefined
}

/**
 * Others write events of these numbers too (VSS has a 12289): the names of the Software Protection service since Vista, as
 * event source and as provider; KB 974998 shows an old one beside a new one.
 */
export const SPP_SOURCES: ReadonlySet<string> = new Set([
  'Microsoft-Windows-Security-SPP',
  'Software Protection Platform Service',
  'Microsoft-Windows-Security-Licensing-SLC',
  'Software Licensing Service',
])

/** A condition: one of those wrote the event. */
export const FROM_SPP = [...SPP_SOURCES].map((source) => `SourceName = ${quote(source)}`).join(' OR ')

const EVENT_COLUMNS = [
  'RecordNumber',
  'EventCode',
  'SourceName',
  'TimeGenerated',
  'InsertionStrings',
] as const
const FILE_COLUMNS = ['LogfileName', 'NumberOfRecords', 'FileSize', 'MaxFileSize', 'OverWritePolicy'] as const

/** Records a query. */
const WINDOW = 1000
/** Enough to see that there are more: a slow host takes seconds for a thousand. */
const FEW = 100
/** Enough to see that there are any. */
const SOME = 10
/** Records a visit, of one log. */
const MOST_RECORDS = 5000
/** Log files grow by so much at a time: one without room for it is full (unverified). */
const GROWTH_BYTES = 65_536

/** By lower-case name of the log. A log that is not in it cannot be seen. */
export async function readLogFiles(
  reader: WindowsReader,
  names: readonly string[],
): Promise<{ readonly files: ReadonlyMap<string, LogFile>; readonly roundTrips: number }> {
  const where = names.map((name) => `LogfileName = ${quote(name)}`).join(' OR ')
  const { rows, roundTrips } = await reader.query(
    { from: 'Win32_NTEventlogFile', columns: FILE_COLUMNS, where },
    { mostRows: 10 },
  )
  const files = new Map(rows.map((row) => [textOf(row, 'LogfileName')?.toLowerCase() ?? '', fileOf(row)]))
  return { files, roundTrips }
}

function fileOf(row: CimRow): LogFile {
  const size = textOf(row, 'FileSize') ?? ''
  return {
    records: uint32Of(row, 'NumberOfRecords'),
    sizeBytes: /^\d{1,15}$/.test(size) ? Number(size) : undefined,
    mostBytes: uint32Of(row, 'MaxFileSize'),
    overwrites: policyOf(textOf(row, 'OverWritePolicy')),
  }
}

export function isFull({ sizeBytes, mostBytes }: Partial<LogFile>): boolean {
  return sizeBytes !== undefined && mostBytes !== undefined && sizeBytes + GROWTH_BYTES > mostBytes
}

/**
 * A full file, and Windows was told to overwrite nothing, or nothing recent: new events are thrown away (OverflowAction of
 * System.Diagnostics.EventLog), and leave no trace.
 */
export function takesNoMore(file: LogFile | undefined): boolean {
  if (file?.overwrites === undefined || file.overwrites === 'when_needed') return false
  return isFull(file)
}

/** `WhenNeeded`, `When Needed`: both are in documents. */
function policyOf(text = ''): LogFile['overwrites'] {
  const policy = text.toLowerCase().replaceAll(/[^a-z]/g, '')
  if (policy === 'whenneeded') return 'when_needed'
  return policy === 'outdated' || policy === 'never' ? policy : undefined
}

function recordOf(row: CimRow): LogRecord {
  const record = uint32Of(row, 'RecordNumber')
  if (record === undefined) throw new MalformedMessage('an event without a record number', 0)
  return {
    record,
    eventCode: uint32Of(row, 'EventCode'),
    source: textOf(row, 'SourceName') ?? '',
    timeSeconds: timeOf(row),
    strings: listOf(row, 'InsertionStrings'),
  }
}

/** One unreadable date must not keep the whole log from being read, this time and every time. */
function timeOf(row: CimRow): number | undefined {
  try {
    return datetimeOf(row, 'TimeGenerated')
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined
    throw error
  }
}

export interface Stretch {
  /** Ascending. */
  readonly records: readonly LogRecord[]
  /** Nothing was newer when this was read. */
  readonly caughtUp: boolean
}

export interface LogQuestions {
  roundTrips(): number
  /** From the record on, itself included even where the filter would not have it. */
  fromRecord(record: number): AsyncGenerator<Stretch>
  /** Those that are later, by the host's clock. */
  fromTime(seconds: number): AsyncGenerator<Stretch>
  /** Those of these numbers that there are, whatever the filter. */
  these(numbers: readonly number[]): Promise<readonly LogRecord[]>
  /** That with the highest number, whatever the filter. */
  last(): Promise<LogRecord | undefined>
}

/**
 * Of one log, by its name in Windows. `filter`: a condition on the records that are wanted. Queries follow each other until
 * there is no more, or too little of the visit's time for another one.
 */
export function askLog(
  name: string,
  filter: string | undefined,
  file: LogFile | undefined,
  { reader, deadline }: { readonly reader: WindowsReader; readonly deadline: Deadline },
): LogQuestions {
  let roundTrips = 0
  let read = 0
  let windows = 0
  let slowestSeconds = 0
  let secondsPerRecord = 0
  const spareSeconds = deadline.remainingSeconds() / 5

  async function ask(
    conditions: readonly string[],
    wanted: (record: LogRecord) => boolean,
    mostRows: number,
  ): Promise<{ readonly records: readonly LogRecord[]; readonly complete: boolean }> {
    const before = deadline.remainingSeconds()
    const where = [`Logfile = ${quote(name)}`, ...conditions].join(' AND ')
    const answer = await reader.query(
      { from: 'Win32_NTLogEvent', columns: EVENT_COLUMNS, where },
      { mostRows },
    )
    roundTrips += answer.roundTrips
    const seconds = before - deadline.remainingSeconds()
    slowestSeconds = Math.max(slowestSeconds, seconds)
    if (answer.rows.length >= FEW) secondsPerRecord = seconds / answer.rows.length
    // Whatever the peer sends: nothing that was not asked for, and each record once.
    const records = new Map(
      answer.rows
        .map(recordOf)
        .filter((each) => each.record > 0 && wanted(each))
        .map((each) => [each.record, each]),
    )
    return {
      records: [...records.values()].toSorted((a, b) => a.record - b.record),
      complete: answer.complete,
    }
  }

  /** The first window is read however long the questions before took, or a slow host would never be caught up with. */
  function mayAsk(): boolean {
    const needed = windows === 0 ? slowestSeconds : Math.max(spareSeconds, 3 * slowestSeconds)
    return read < MOST_RECORDS && deadline.remainingSeconds() > needed
  }

  /** As many numbers as a slow host, too, can answer for in half of what is left of the visit. */
  function window(): number {
    const affordable = Math.floor(deadline.remainingSeconds() / 2 / secondsPerRecord)
    return Math.max(1, Math.min(WINDOW, affordable))
  }

  /** Each of them begins with the last record of the one before it, if that is still there: to see that it is the same log. */
  async function* stretches(
    first: number | undefined,
    conditions: readonly string[],
    wanted: (record: LogRecord) => boolean,
  ): AsyncGenerator<Stretch> {
    let next = first
    let seam = first ?? 0
    for (;;) {
      const from = next ?? 0
      const open = await ask(
        next === undefined ? conditions : [`RecordNumber >= ${from}`, ...conditions],
        (each) => each.record >= from && wanted(each),
        FEW,
      )
      if (open.complete) {
        yield { records: open.records, caughtUp: true }
        return
      }
      // More than one query may bring, and which part of it this is nobody knows: by windows of numbers, from the oldest.
      const newest = open.records.at(-1)?.record
      if (newest === undefined) throw new MalformedMessage('events that were not asked for', 0)
      // Where the first one is, the size of the log tells, if numbers have no holes; if they have, it is looked for.
      let span = next === undefined ? Math.max(WINDOW, newest + 1 - (file?.records ?? 0)) : window()
      let crowdedUpTo = 0
      for (next ??= 0; next <= newest && seam < newest;) {
        if (!mayAsk()) return
        const low: number = next
        // Not beyond what was seen to be there: what comes meanwhile below the end of a window would be passed over.
        const end = Math.min(low + span, newest + 1)
        const part = await ask(
          [`RecordNumber >= ${low}`, `RecordNumber < ${end}`, ...conditions],
          (each) => each.record >= low && each.record < end && wanted(each),
          span > WINDOW ? SOME : WINDOW,
        )
        if (!part.complete) {
          if (span === 1) throw new MalformedMessage('more than one record of one number', 0)
          span = Math.max(1, Math.floor(span / 4))
          crowdedUpTo = end
          continue
        }
        next = end
        if (part.records.length > 0) yield { records: part.records, caughtUp: false }
        const fresh: number = part.records.filter((each) => each.record > seam).length
        if (fresh > 0) {
          windows += 1
          read += fresh
          seam = part.records.at(-1)?.record ?? seam
          next = seam
          span = window()
        } else if (next >= crowdedUpTo) {
          // Over a hole in ever longer steps; but not back into what was too much for one query.
          span = low === 0 ? window() : span * 4
        }
      }
      if (!mayAsk()) return
      next = Math.max(seam, 1)
    }
  }

  return {
    roundTrips: () => roundTrips,
    fromRecord: (record) =>
      stretches(
        record === 0 ? undefined : record,
        filter === undefined ? [] : [`(RecordNumber = ${record} OR (${filter}))`],
        () => true,
      ),
    fromTime: (seconds) =>
      stretches(
        undefined,
        [`TimeGenerated >= ${quoteTime(seconds)}`, ...(filter === undefined ? [] : [`(${filter})`])],
        ({ timeSeconds }) => timeSeconds === undefined || timeSeconds > seconds,
      ),
    async these(numbers) {
      if (numbers.length === 0) return []
      const wanted = new Set(numbers)
      const condition = numbers.map((number) => `RecordNumber = ${number}`).join(' OR ')
      return (await ask([`(${condition})`], ({ record }) => wanted.has(record), WINDOW)).records
    },
    async last() {
      // Windows lists the newest first, and two questions tell; in any other order it takes a few dozen.
      let last: LogRecord | undefined
      let none = Infinity
      for (let step = 1; (last?.record ?? 0) + 1 < none;) {
        const low = last?.record ?? 0
        const from = none === Infinity ? low + step : Math.ceil((low + none) / 2)
        const { records } = await ask([`RecordNumber >= ${from}`], ({ record }) => record >= from, 1)
        const found = records.at(-1)
        step *= 2
        if (found === undefined) none = from
        else last = found
      }
      return last
    },
  }
}
