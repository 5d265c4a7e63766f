// What has the host been doing? Its event log, read on from where the last visit ended: event 12290, one a request, of the
// log Key Management Service; and of the log Application what the service says of its start and of publishing in DNS.
import { randomBytes } from 'node:crypto'
import type { Host } from '../config/targets.ts'
import { hasWindows, openWindows } from '../io/windows/open.ts'
import type { WindowsReader } from '../io/windows/windows.ts'
import {
  applyEvents,
  emptyActivity,
  GAPS,
  LOG_NAMES,
  type ActivityEvent,
  type ActivityState,
  type LogName,
} from '../kms/activity.ts'
import { stateFrom, stateJson } from '../kms/activity-file.ts'
import { detached } from '../model/detached.ts'
import { MalformedMessage, ProbeFailure } from '../model/failure.ts'
import { emitHistogram } from '../model/metric.ts'
import { decodeHostRequest, decodeInit, decodePublish } from '../protocol/kms-event.ts'
import { readingOf, type ActivityReading } from './activity-reading.ts'
import { LOG_FILES, readOn } from './event-log.ts'
import { FROM_SPP, readLogFiles, SPP_SOURCES, type LogFile, type LogRecord } from './event-records.ts'
import { hostTarget, type HostTarget } from './host-target.ts'
import type { Probe, Visit } from './probe.ts'

export type { ActivityReading } from './activity-reading.ts'

const FILTERS: Readonly<Record<LogName, string | undefined>> = {
  key_management_service: undefined,
  application: `EventCode >= 12291 AND EventCode <= 12294 AND (${FROM_SPP})`,
}

/** Undefined for what cannot be made out. */
function decoded<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined
    throw error
  }
}

function eventsOf(
  log: LogName,
  { eventCode, source, timeSeconds, strings }: LogRecord,
): readonly ActivityEvent[] {
  const atSeconds = timeSeconds
  if (log === 'key_management_service') {
    if (eventCode !== 12_290) return []
    return [{ kind: 'request', atSeconds, request: decoded(() => decodeHostRequest(strings)) }]
  }
  if (!SPP_SOURCES.has(source)) return []
  if (eventCode === 12_291) return [{ kind: 'init_failure', atSeconds, hresult: decodeInit(strings) }]
  if (eventCode === 12_292) return [{ kind: 'timer_failure', atSeconds, hresult: decodeInit(strings) }]
  if (eventCode !== 12_293 && eventCode !== 12_294) return []
  const publish = decoded(() => decodePublish(eventCode, strings))
  if (publish === undefined) return []
  return [{ kind: 'publish', atSeconds, success: eventCode === 12_294, ...publish }]
}

/** The state is written before any of it is told: what was exposed once is never taken back. */
async function loadState(host: Host, { io }: Visit) {
  const name = `activity-${host.name}`
  const kept = await io.state.read(name)
  const known = stateFrom(kept)
  if (known === undefined && kept !== undefined)
    await io.state.setAside(name, 'it is none that this version of the exporter wrote')
  let state = known ?? emptyActivity(randomBytes(8).toString('hex'))
  return {
    current: (): ActivityState => state,
    async save(next: ActivityState): Promise<void> {
      state = next
      await io.state.write(name, stateJson(next))
    },
  }
}

/** None where the account may not see them: the records themselves may be visible all the same (unverified). */
async function logFiles(reader: WindowsReader) {
  try {
    return await readLogFiles(reader, Object.values(LOG_FILES))
  } catch (error) {
    if (error instanceof ProbeFailure && (error.reason === 'access_denied' || error.reason === 'not_found'))
      return { files: new Map<string, LogFile>(), roundTrips: 1 }
    throw error
  }
}

async function measure({ host }: HostTarget, visit: Visit): Promise<ActivityReading> {
  const { io, deadline } = visit
  const reader = await openWindows(host, visit)
  const { files, roundTrips: before } = await logFiles(reader)
  const state = await loadState(host, visit)
  const fileOf = (name: LogName): LogFile | undefined => files.get(LOG_FILES[name].toLowerCase())

  const read = (name: LogName) =>
    readOn({
      name,
      filter: FILTERS[name],
      file: fileOf(name),
      state: state.current().logs[name],
      firstReadSeconds: host.probes.activity.first_read,
      nowSeconds: io.clock.wallSeconds(),
      reader,
      deadline,
      async commit(records, logState) {
        // One that was left behind must not write over what its successor wrote.
        if (deadline.ended) throw new ProbeFailure('timeout', 'no time to keep what was read')
        const events = records.flatMap((record) => eventsOf(name, record))
        const counted = applyEvents(state.current(), events, io.clock.wallSeconds())
        await state.save({ ...counted, logs: { ...counted.logs, [name]: logState } })
      },
    })

  const kms = await read('key_management_service')
  // The right to read the one log is not the right to read the other. What is long in coming is read first and alone.
  const application = kms.caughtUp
    ? await read('application').catch((error: unknown) => {
        if (error instanceof ProbeFailure && error.reason === 'access_denied') return DENIED
        throw error
      })
    : NOT_ASKED
  const reading = readingOf(state.current(), io.clock.wallSeconds(), {
    files: (application === DENIED ? LOG_NAMES.slice(0, 1) : LOG_NAMES).map((name) => [name, fileOf(name)]),
    caughtUp: kms.caughtUp && application.caughtUp,
    roundTrips: before + kms.roundTrips + application.roundTrips,
  })
  return detached(reading)
}

const DENIED = { caughtUp: true, roundTrips: 1 }
const NOT_ASKED = { caughtUp: false, roundTrips: 0 }

export const activity: Probe<'activity', HostTarget, ActivityReading> = {
  name: 'activity',
  question: 'What has the host been doing?',
  stages: ['resolve', 'connect', 'logon', 'ask'],
  identity: ['host'],

  targets: ({ hosts }) => hosts.filter(hasWindows).map((host) => hostTarget(host, 'activity')),

  measure,

  metrics: [
    {
      name: 'winkms_activation_requests_total',
      type: 'counter',
      help: 'Requests in the event log of the host (event 12290), by result (known codes, or other) and by how many clients the product needs: 5 servers and Office, 25 clients. Begins as far back as probes.activity.first_read.',
      labels: ['host', 'result', 'min_clients'],
      samples: ({ requests }, emit) => {
        for (const { result, minClients, count } of requests) emit(count, result, minClients)
      },
    },
    {
      name: 'winkms_last_request_timestamp_seconds',
      type: 'gauge',
      help: "When the newest request in the event log was processed, by the host's clock, or when it was read if that clock was more than 4 hours ahead; absent while there has been none.",
      labels: ['host'],
      samples: ({ lastRequestSeconds }, emit) => emit(lastRequestSeconds),
    },
    {
      name: 'winkms_kms_init_failure_timestamp_seconds',
      type: 'gauge',
      help: "When KMS last failed to start on the host (event 12291), by the host's clock; absent while the log has none.",
      labels: ['host'],
      samples: ({ lastInitFailure }, emit) => emit(lastInitFailure?.atSeconds),
    },
    {
      name: 'winkms_kms_timer_init_failure_timestamp_seconds',
      type: 'gauge',
      help: "When the renewal timer of KMS last failed to start on the host (event 12292), by the host's clock; absent while the log has none.",
      labels: ['host'],
      samples: ({ lastTimerFailure }, emit) => emit(lastTimerFailure?.atSeconds),
    },
    {
      name: 'winkms_distinct_clients',
      type: 'gauge',
      help: 'Clients (CMIDs) that have sent a request within the window, whatever its result. Exact up to 4,096 clients of 30 days; an estimate with an error of 2 to 3 % above.',
      labels: ['host', 'window'],
      samples: ({ distinctClients }, emit) => {
        for (const [window, count] of Object.entries(distinctClients)) emit(count, window)
      },
    },
    {
      name: 'winkms_distinct_clients_sampled_one_in',
      type: 'gauge',
      help: 'One in so many clients is kept to estimate winkms_distinct_clients; 1 while the numbers are exact.',
      labels: ['host'],
      samples: ({ sampledOneIn }, emit) => emit(sampledOneIn),
    },
    {
      name: 'winkms_duplicate_client_ids',
      type: 'gauge',
      help: 'CMIDs that machines of different names have used within 30 days: copied without Sysprep, they count as one client.',
      labels: ['host'],
      samples: ({ duplicateClientIds }, emit) => emit(duplicateClientIds),
    },
    {
      name: 'winkms_client_clock_skew_seconds',
      type: 'histogram',
      help: "The host's time of a request minus the client's, which is cut to a minute: 0 to 60 is no difference. Beyond 14400 either way KMS refuses. That the client's time is printed in UTC is unverified.",
      labels: ['host'],
      samples: ({ skew }, emit) => emitHistogram(emit, skew),
    },
    {
      name: 'winkms_earliest_client_expiry_seconds',
      type: 'gauge',
      help: 'Seconds until the first licence or grace period ends, among clients of the last 30 days and by what each said in its last request; one that was answered with success counts only once it has asked again, for by then it tells whether that renewed it. Negative once it has ended. Above 4,096 clients those that are not kept one by one count while they are refused; absent where more than 512 of them were, and one that is not known any more may end before.',
      labels: ['host'],
      samples: ({ earliestExpirySeconds }, emit) => emit(earliestExpirySeconds),
    },
    {
      name: 'winkms_dns_publish_success',
      type: 'gauge',
      help: "Whether the host's last publishing in this domain's DNS succeeded (event 12294) or failed (12293); absent 7 days after it has ceased there, if it goes on in others.",
      labels: ['host', 'domain'],
      samples: ({ dnsPublishing }, emit) => {
        for (const { domain, success } of dnsPublishing) emit(success, domain)
      },
    },
    {
      name: 'winkms_dns_publish_timestamp_seconds',
      type: 'gauge',
      help: "When the host last published in this domain's DNS, or failed to; it does so once a day.",
      labels: ['host', 'domain'],
      samples: ({ dnsPublishing }, emit) => {
        for (const { domain, atSeconds } of dnsPublishing) emit(atSeconds, domain)
      },
    },
    {
      name: 'winkms_event_log_records',
      type: 'gauge',
      help: 'Records in the event log, of all programs (NumberOfRecords).',
      labels: ['host', 'log'],
      samples: ({ logs }, emit) => {
        for (const { log, records } of logs) emit(records, log)
      },
    },
    {
      name: 'winkms_event_log_fill_ratio',
      type: 'gauge',
      help: 'Size of the event log by what it may be; at 1 old records are overwritten, or, with the policy Never, new ones lost.',
      labels: ['host', 'log'],
      samples: ({ logs }, emit) => {
        for (const { log, sizeBytes, mostBytes } of logs) {
          if (sizeBytes !== undefined && mostBytes !== undefined && mostBytes > 0)
            emit(sizeBytes / mostBytes, log)
        }
      },
    },
    {
      name: 'winkms_event_log_gap_total',
      type: 'counter',
      help: 'How often the log did not go on where reading had ended: cleared, overwritten before it was read, or restarted with other records.',
      labels: ['host', 'log', 'why'],
      samples: ({ logs }, emit) => {
        for (const { log, gaps } of logs) for (const why of GAPS) emit(gaps[why], log, why)
      },
    },
    {
      name: 'winkms_event_log_lost_records_total',
      type: 'counter',
      help: 'Records that have gone unread, or may have: their numbers are missing, or cannot be told from those of a log that was set back.',
      labels: ['host', 'log'],
      samples: ({ logs }, emit) => {
        for (const { log, lost } of logs) emit(lost, log)
      },
    },
    {
      name: 'winkms_event_log_caught_up',
      type: 'gauge',
      help: '0 while a long log is still being read: what is counted from it is behind.',
      labels: ['host'],
      samples: ({ caughtUp }, emit) => emit(caughtUp),
    },
  ],
}
