// What one visit to the event logs of a host has to tell: the state that they add up to, as of now.
import type { ActivityState, LogName, StartFailure } from '../kms/activity.ts'
import { countSample } from '../kms/distinct.ts'
import type { Histogram } from '../model/metric.ts'
import type { LogFile } from './event-records.ts'

/** Requests with one outcome, since the log was first read. */
interface RequestCount {
  /** A known HRESULT such as `0xC004F06C`, `0x00000000`, or `other`. */
  readonly result: string
  /** 5: servers and Office; 25: clients. */
  readonly minClients: '5' | '25' | 'other'
  readonly count: number
}

const CLIENT_WINDOWS = { '1h': 3600, '24h': 86_400, '7d': 7 * 86_400, '30d': 30 * 86_400 } as const

type ClientWindow = keyof typeof CLIENT_WINDOWS

export interface ActivityReading {
  readonly requests: readonly RequestCount[]
  /** The event's own time, Unix seconds; undefined when there is none in the log. */
  readonly lastRequestSeconds: number | undefined
  /** The same of client systems, which need 25 clients. */
  readonly lastClientSystemSeconds: number | undefined
  readonly distinctClients: Readonly<Record<ClientWindow, number>>
  /** 1 while every client is kept; 2, 4, ... where only one in so many is, and the numbers are estimates. */
  readonly sampledOneIn: number
  /** CMIDs that more than one name has used within 30 days. */
  readonly duplicateClientIds: number
  /** Event time minus client time. */
  readonly skew: Histogram
  /** Seconds from now; negative once it has passed. */
  readonly earliestExpirySeconds: number | undefined
  /** The last request with 0xC004F06C whose own clock was within the limit: a host too old for its client. */
  readonly lastMismatchSeconds: number | undefined
  /** The last request with 0xC004F042: a product that this host's key does not activate. */
  readonly lastWrongProductSeconds: number | undefined
  /** The same of client systems: no Office. */
  readonly lastWrongClientSystemSeconds: number | undefined
  /**
   * The last request that may have been refused for its version or product, and nobody can say: it could not be made out,
   * or it has 0xC004F06C and how far the clocks were apart is unknown, or it may be a time zone.
   */
  readonly lastUnclearRefusalSeconds?: number | undefined
  /** Without domains in which the host has ceased to publish, though it does in others. */
  readonly dnsPublishing: readonly {
    readonly domain: string
    readonly success: boolean
    readonly atSeconds: number
    readonly code: string | undefined
  }[]
  /** Of event 12291, the service's own start. */
  readonly lastInitFailure: StartFailure | undefined
  /** Of event 12292, the start of its renewal timer. */
  readonly lastTimerFailure: StartFailure | undefined
  /** Those that could be read. */
  readonly logs: readonly {
    readonly log: 'key_management_service' | 'application'
    /** Of the log file; undefined when the right to see it is missing. */
    readonly records: number | undefined
    readonly sizeBytes: number | undefined
    readonly mostBytes: number | undefined
    /** What Windows does when it is full; with `never`, events are lost. */
    readonly overwrites: 'when_needed' | 'outdated' | 'never' | undefined
    readonly gaps: Readonly<Record<'cleared' | 'overwritten' | 'restarted', number>>
    /** Records that are known, by their numbers, to have gone unread. */
    readonly lost: number
    /** When it was last noticed that some did, or may have, by our clock. */
    readonly lostAtSeconds: number | undefined
  }[]
  /** False while a long log is still being caught up with. */
  readonly caughtUp: boolean
  readonly roundTrips: number
}

/** A host publishes once a day. */
const CEASED_SECONDS = 7 * 86_400

/** `files`: of the logs that could be read. */
export function readingOf(
  { requests, clients, skew, publishing, logs, ...last }: ActivityState,
  nowSeconds: number,
  {
    files,
    caughtUp,
    roundTrips,
  }: {
    files: readonly (readonly [LogName, LogFile | undefined])[]
    caughtUp: boolean
    roundTrips: number
  },
): ActivityReading {
  const windows = Object.keys(CLIENT_WINDOWS) as ClientWindow[]
  const sample = countSample(
    clients,
    windows.map((window) => CLIENT_WINDOWS[window]),
    nowSeconds,
  )
  // By a clock that is ahead, one domain must not make the others look old.
  const lastPublishing = Math.min(
    nowSeconds,
    Math.max(...[...publishing.values()].map(({ atSeconds }) => atSeconds)),
  )
  // A counter that is born with its first event has no increase: successes are there from the start.
  const counts = new Map([...['0x00000000 5', '0x00000000 25'].map((key) => [key, 0] as const), ...requests])
  return {
    requests: [...counts].map(([key, count]) => {
      const [result = 'other', minClients = 'other'] = key.split(' ')
      return { result, minClients: minClients as RequestCount['minClients'], count }
    }),
    lastRequestSeconds: last.lastRequestSeconds,
    lastClientSystemSeconds: last.lastClientSystemSeconds,
    distinctClients: Object.fromEntries(
      windows.map((window, index) => [window, sample.distinct[index]]),
    ) as Record<ClientWindow, number>,
    sampledOneIn: sample.sampledOneIn,
    duplicateClientIds: sample.duplicates,
    skew,
    earliestExpirySeconds: sample.earliestExpiry && sample.earliestExpiry - nowSeconds,
    lastMismatchSeconds: last.lastMismatchSeconds,
    lastWrongProductSeconds: last.lastWrongProductSeconds,
    lastWrongClientSystemSeconds: last.lastWrongClientSystemSeconds,
    lastUnclearRefusalSeconds: last.lastUnclearRefusalSeconds,
    dnsPublishing: [...publishing].flatMap(([domain, each]) =>
      lastPublishing - each.atSeconds > CEASED_SECONDS ? [] : [{ domain, ...each }],
    ),
    lastInitFailure: last.lastInitFailure,
    lastTimerFailure: last.lastTimerFailure,
    logs: files.map(([log, file]) => ({
      log,
      records: file?.records,
      sizeBytes: file?.sizeBytes,
      mostBytes: file?.mostBytes,
      overwrites: file?.overwrites,
      gaps: logs[log].gaps,
      lost: logs[log].lost,
      lostAtSeconds: logs[log].lostAtSeconds,
    })),
    caughtUp,
    roundTrips,
  }
}
