// How a place in an event log is remembered, and found again in a log that was begun anew, or set back with its whole
// machine: by the numbers of records and what is in them. Times serve only where numbers cannot tell. Pure.
import { createHash } from 'node:crypto'
import type { Bookmark, Doubt, Mark } from '../kms/activity.ts'
import type { LogRecord } from './event-records.ts'

/** Before all records of a log. */
export const START: Bookmark = { record: 0, fingerprint: '', timeSeconds: 0, trail: [], gone: true }

/** Files of earlier versions do not say from where on records were read: from 0 on, for all we know. */
const UNKNOWN: readonly Mark[] = [{ record: 0, fingerprint: '' }]

/** Of what never changes about a record. */
export function fingerprintOf({ eventCode, timeSeconds, strings }: LogRecord): string {
  const whole = timeSeconds === undefined ? null : Math.floor(timeSeconds)
  return createHash('sha256')
    .update(JSON.stringify([whole, eventCode, strings]))
    .digest('hex')
    .slice(0, 16)
}

/** The bookmark on the last of these records, which follow it. */
export function movedTo(mark: Bookmark, records: readonly LogRecord[]): Bookmark {
  const last = records.at(-1)
  if (last === undefined) return mark
  const { record, fingerprint, trail = UNKNOWN, timeSeconds, doubt } = mark
  const before = record === 0 ? trail : [...trail, { record, fingerprint }]
  const kept = thinned([...before, ...records])
  return {
    record: last.record,
    fingerprint: fingerprintOf(last),
    // The newest of all, and not the last: what was read is never later, whatever the host's clock did meanwhile.
    timeSeconds: Math.max(timeSeconds, ...records.map((each) => each.timeSeconds ?? 0)),
    trail: kept
      .slice(0, -1)
      .map((each) =>
        'fingerprint' in each ? each : { record: each.record, fingerprint: fingerprintOf(each) },
      ),
    doubt: doubt !== undefined && last.record < doubt.before - 1 ? doubt : undefined,
  }
}

/** The last, the first, and of the others ever fewer the further back: a few dozen at most. */
function thinned<T extends { readonly record: number }>(ascending: readonly T[]): readonly T[] {
  const kept: T[] = []
  const last = ascending.at(-1)?.record ?? 0
  for (let index = ascending.length - 1; index >= 0; index -= 1) {
    const each = ascending[index]
    const newer = kept.at(-1)
    const older = ascending[index - 1]
    if (each === undefined) continue
    // Not if the next one before it is less than twice as far back as the one behind it.
    if (newer !== undefined && older !== undefined && last - older.record < 2 * (last - newer.record))
      continue
    kept.push(each)
  }
  return kept.toReversed()
}

/** The numbers to ask for where the bookmark's record is gone, or is another. */
export function numbersOf({ record, trail = UNKNOWN }: Bookmark): readonly number[] {
  return [...trail.map((each) => each.record), record].filter((number) => number > 0)
}

/**
 * The bookmark in a log that does not have it any more, `found` being which of those numbers it has, and `newest` its last
 * one where that is known. Up to the last record that is still the same, all was read; from the first that is another on,
 * nothing was, nor before the first that ever was. What lies between is in doubt.
 */
export function rebased(mark: Bookmark, found: readonly LogRecord[], newest: number | undefined): Bookmark {
  const { record, fingerprint, trail = UNKNOWN, timeSeconds, gone } = mark
  const there = new Map(found.map((each) => [each.record, fingerprintOf(each)]))
  const same = trail.findLast((each) => there.get(each.record) === each.fingerprint)
  const other = [...trail, { record, fingerprint }].find(
    (each) =>
      each.record > (same?.record ?? 0) &&
      there.has(each.record) &&
      there.get(each.record) !== each.fingerprint,
  )
  const after = same?.record ?? (trail[0]?.record ?? record) - 1
  const before = Math.min(other?.record ?? record + 1, (newest ?? record) + 1)
  const doubt: Doubt | undefined = after < before - 1 ? { after, before, timeSeconds } : undefined
  if (same !== undefined) {
    return { ...same, timeSeconds, trail: trail.filter((each) => each.record < same.record), doubt }
  }
  // A log that was seen empty has nothing old.
  return { ...START, timeSeconds, doubt: gone === true ? undefined : doubt }
}

export function mayHaveBeenRead({ record, timeSeconds }: LogRecord, doubt: Doubt | undefined): boolean {
  if (doubt === undefined || record <= doubt.after || record >= doubt.before) return false
  return timeSeconds === undefined || timeSeconds <= doubt.timeSeconds
}
