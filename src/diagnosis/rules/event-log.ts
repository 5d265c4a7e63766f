// Can the log of the host's requests be read, and does it still take what happens?
import type { Finding } from '../../model/finding.ts'
import type { Cause } from '../causes.ts'
import { isFull, type LogFile } from '../../probes/event-records.ts'
import type { ResultOf } from '../../probes/index.ts'
import {
  cannotTell,
  cite,
  isRecent,
  named,
  ruledOut,
  unanswered,
  untold,
  type HostEvidence,
} from '../evidence.ts'

const WANTING = ['access_denied', 'not_found']

type Activity = NonNullable<ResultOf<'activity'>['reading']>

/** The log in which the host writes a line (12290) for each request. */
function logOf({ logs }: Activity): Activity['logs'][number] | undefined {
  return logs.find((each) => each.log === 'key_management_service')
}

/** Whether nothing more goes into it. */
function isClosed(file: Partial<LogFile>): boolean {
  return file.overwrites === 'never' && isFull(file)
}

/**
 * All requests of the last so many seconds, as far as the host's log goes back; or why some may not be known. Only where
 * all are known does the absence of a request say something.
 */
export function allRequests(
  known: HostEvidence,
  withinSeconds: number,
):
  | { readonly reading: Activity; readonly missing?: undefined }
  | { readonly reading?: undefined; readonly missing: string } {
  const { activity } = known
  if (activity?.reading === undefined) return { missing: untold(known, activity) }
  const { reading } = activity
  const log = logOf(reading)
  if (!reading.caughtUp || log === undefined)
    return { missing: 'the event log of its requests has not been read to the end' }
  if (isClosed(log)) return { missing: 'the event log of its requests is full: the newest are not in it' }
  if (isRecent(log.lostAtSeconds, activity, withinSeconds))
    return { missing: 'some of its requests were lost from the event log before they were read' }
  return { reading }
}

export function judgeEventLog(known: HostEvidence): Finding<Cause> {
  const cause = 'event_log_unreadable'
  const { activity } = known
  if (activity?.failure !== undefined) {
    const { stage, reason } = activity.failure
    return stage === 'ask' && WANTING.includes(reason)
      ? named(cause, [cite(activity, unanswered(activity))])
      : cannotTell(cause, unanswered(activity))
  }
  if (activity === undefined) return cannotTell(cause, untold(known, activity))
  const log = logOf(activity.reading)
  const { records, sizeBytes, mostBytes } = log ?? {}
  if (log !== undefined && isClosed(log)) {
    const says = `the event log is full (${sizeBytes} of ${mostBytes} bytes) and never overwrites: new requests are lost`
    return named(cause, [cite(activity, says)])
  }
  const count = records === undefined ? '' : `, ${records} records`
  return ruledOut(cause, [cite(activity, `the event log was read${count}`)])
}
