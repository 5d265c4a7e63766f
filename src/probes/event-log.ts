// Reads on in a Windows event log from where the last visit ended, and says when the log did not go on. Records are
// numbered one by one ("Event Log Records", learn.microsoft.com), so a number is the bookmark, whatever the clocks say; the
// record under it proves, by coming back unchanged, that it is the same log; and a number that is missing is a record lost.
import type { Deadline } from '../io/deadline.ts'
import type { WindowsReader } from '../io/windows/windows.ts'
import type { Bookmark, Gap, LogName, LogState } from '../kms/activity.ts'
import { ProbeFailure } from '../model/failure.ts'
import { fingerprintOf, mayHaveBeenRead, movedTo, numbersOf, rebased, START } from './bookmark.ts'
import { askLog, readLogFiles, takesNoMore, type LogFile, type LogRecord } from './event-records.ts'

/** As Windows names them. */
export const LOG_FILES: Readonly<Record<LogName, string>> = {
  key_management_service: 'Key Management Service',
  application: 'Application',
}

const DAY_SECONDS = 86_400

export interface LogReading {
  readonly name: LogName
  /** A condition on the records that are wanted; without one, all are, and their numbers have no holes. */
  readonly filter: string | undefined
  readonly file: LogFile | undefined
  readonly state: LogState
  /** How far back the first read goes. */
  readonly firstReadSeconds: number
  /** By our clock. */
  readonly nowSeconds: number
  readonly reader: WindowsReader
  readonly deadline: Deadline
  /** Called for each stretch of new records, ascending, with how far the log has been read then. */
  commit(records: readonly LogRecord[], state: LogState): Promise<void>
}

/**
 * Reads what is new, a bounded part of it a visit; false when there is more. Rejects with ProbeFailure, `access_denied`
 * when the log's records cannot be seen, or MalformedMessage; what was committed before stays read.
 */
export async function readOn(
  log: LogReading,
): Promise<{ readonly caughtUp: boolean; readonly roundTrips: number }> {
  const { filter, file, nowSeconds } = log
  const questions = askLog(LOG_FILES[log.name], filter, file, log)
  let roundTrips = 0
  let state = log.state

  /** Of the next commit. A gap of unknown size is a loss as well: it may have been of some, and of none. */
  function note(why: Gap | undefined, lost: number): void {
    if (why === undefined && lost === 0) return
    const gaps = why === undefined ? state.gaps : { ...state.gaps, [why]: state.gaps[why] + 1 }
    state = { ...state, gaps, lost: state.lost + lost, lostAtSeconds: nowSeconds }
  }
  /** A gap, or worse, that nobody can count. */
  function noteDoubt(): void {
    state = { ...state, lostAtSeconds: nowSeconds }
  }
  function keep(bookmark: Bookmark, records: readonly LogRecord[] = []): Promise<void> {
    const checked = { checkedAtSeconds: nowSeconds, records: file?.records }
    state = { ...state, ...checked, bookmark, afterSeconds: undefined }
    return log.commit(records, state)
  }
  /** All of these are new, but for what may have been read from a log that was set back: never twice. */
  function take(mark: Bookmark, records: readonly LogRecord[]): Promise<void> {
    const fresh = records.filter((each) => !mayHaveBeenRead(each, mark.doubt))
    note(undefined, records.length - fresh.length)
    return keep(movedTo(mark, records), fresh)
  }

  async function readFrom(from: Bookmark, newest?: LogRecord): Promise<boolean> {
    let mark = from
    let known = false
    let caughtUp = false
    for await (const stretch of questions.fromRecord(from.record)) {
      caughtUp = stretch.caughtUp
      const at = mark.record
      const own = stretch.records.find(({ record }) => record === at)
      if (own !== undefined && fingerprintOf(own) !== mark.fingerprint) return beginAnew(mark, undefined)
      if (own !== undefined && mark.gone === true) {
        // The machine was set back to when it was still there.
        note('restarted', 0)
        mark = { ...mark, gone: undefined }
        await keep(mark)
      }
      const later = stretch.records.filter(({ record }) => record > at)
      const [first] = later
      const goesOn = known || own !== undefined
      if (first === undefined) {
        if (!goesOn) return lookAround(mark, newest)
        if (isStale(log)) await keep(mark)
        known = true
        continue
      }
      const missing = filter === undefined ? missingIn(mark, later) : 0
      note((goesOn ? missing > 0 : mark.gone !== true) ? whyGone(log) : undefined, missing)
      // Of a log that has never been seen with anything in it, nobody knows what was before.
      if (filter === undefined && at === 0 && first.record > 1) noteDoubt()
      await take(mark, later)
      mark = state.bookmark ?? mark
      known = true
    }
    return caughtUp
  }

  /** There is neither the record nor a later one, or none that is wanted; `newest`: nor was there when that was the last. */
  async function lookAround(mark: Bookmark, newest: LogRecord | undefined): Promise<boolean> {
    if (newest !== undefined) {
      // Others have written since; up to there, none of it is wanted. (Without a filter: it was cleared just now.)
      if (filter === undefined) return true
      if (mark.gone !== true) note(whyGone(log), 0)
      await keep(movedTo(mark, [newest]))
      return true
    }
    const last = await lastRecord()
    if (last === undefined) {
      if (mark.gone !== true) note('cleared', 0)
      // The number is kept: what comes and goes before the next visit leaves a hole behind it.
      if (mark.gone !== true || isStale(log)) await keep({ ...mark, gone: true })
      return true
    }
    return last.record < mark.record ? beginAnew(mark, last) : readFrom(mark, last)
  }

  /** Its numbers are not those that were read: another log, or the same as it was at some time before. */
  async function beginAnew(mark: Bookmark, last: LogRecord | undefined): Promise<boolean> {
    const found = await questions.these(numbersOf(mark))
    const bookmark = rebased(mark, found, last?.record)
    note('restarted', 0)
    await keep(bookmark)
    return readFrom(bookmark)
  }

  /** Undefined when the log is empty; rejects when nothing in it may be seen. */
  async function lastRecord(): Promise<LogRecord | undefined> {
    if (file?.records === 0) return undefined
    const last = await questions.last()
    if (last !== undefined) return last
    // Cleared since its file was asked for, perhaps.
    if (file !== undefined) {
      const again = await readLogFiles(log.reader, [LOG_FILES[log.name]])
      roundTrips += again.roundTrips
      if (again.files.get(LOG_FILES[log.name].toLowerCase())?.records === 0) return undefined
    }
    throw new ProbeFailure(
      'access_denied',
      `the records of the event log "${LOG_FILES[log.name]}" cannot be seen: the account must be in the group Event Log Readers`,
    )
  }

  /** `last`: the log's last record, when there was none that is wanted. */
  async function readFirst(last?: LogRecord): Promise<boolean> {
    let caughtUp = false
    const after = Math.min(state.afterSeconds ?? nowSeconds - log.firstReadSeconds, nowSeconds)
    for await (const stretch of questions.fromTime(after)) {
      caughtUp = stretch.caughtUp
      if (stretch.records.length === 0) continue
      await take(START, stretch.records)
      return caughtUp || readFrom(state.bookmark ?? START)
    }
    if (!caughtUp) return false
    if (last === undefined) {
      const found = await lastRecord()
      // Asked once more, so that what came before it and after the first question is not passed over.
      if (found !== undefined) return readFirst(found)
      await keep(START)
      return true
    }
    // All that is there is too old, by its dates; of what has come since an earlier version was here, that is not certain.
    if (state.afterSeconds !== undefined) noteDoubt()
    await keep(movedTo(START, [last]))
    return true
  }

  const { bookmark } = state
  const caughtUp = await (bookmark === undefined ? readFirst() : readFrom(bookmark))
  if (takesNoMore(file) && isOld(state.lostAtSeconds, nowSeconds)) {
    noteDoubt()
    await log.commit([], state)
  }
  return { caughtUp, roundTrips: roundTrips + questions.roundTrips() }
}

/** Numbers that should have followed the bookmark, and did not. */
function missingIn({ record }: Bookmark, later: readonly LogRecord[]): number {
  const [first, last] = [later[0]?.record ?? 0, later.at(-1)?.record ?? 0]
  return last - (record === 0 ? first - 1 : record) - later.length
}

/** What is remembered about the log is brought up to date twice a day, for each change writes the file. */
function isOld(thenSeconds: number | undefined, nowSeconds: number): boolean {
  return Math.abs(nowSeconds - (thenSeconds ?? 0)) > DAY_SECONDS / 2
}

function isStale({ state, nowSeconds }: LogReading): boolean {
  return isOld(state.checkedAtSeconds, nowSeconds)
}

/**
 * Records are gone, though their numbers go on. They are overwritten when the file is full; in one that is not, somebody
 * cleared it. Where other programs write too, the bookmark's goes in time though nothing of ours was missed: undefined then.
 */
function whyGone({ state, file, filter, nowSeconds }: LogReading): Gap | undefined {
  const shrunk =
    file?.records !== undefined && state.records !== undefined && file.records < state.records / 2
  const { sizeBytes, mostBytes } = file ?? {}
  const roomy = sizeBytes !== undefined && mostBytes !== undefined && sizeBytes < mostBytes / 2
  if (shrunk || (roomy && filter === undefined)) return 'cleared'
  if (filter === undefined) return 'overwritten'
  return nowSeconds - (state.checkedAtSeconds ?? 0) > 2 * DAY_SECONDS ? 'overwritten' : undefined
}
