// What a host's event log adds up to: counters that only grow, a bounded sample of clients, the last of each kind of
// event, and the bookmark up to which all of it was read. One value, written as one file: whoever has the counters has the
// bookmark that belongs to them, so nothing is counted twice and nothing is lost. Pure.
//
// "Last" is by the order of records, which nobody can set wrong, not by time. Times are the host's own, so that they go
// with what is known of its clock; but see `datedAt`.
import { hresultText } from '../model/hresult.ts'
import type { Histogram } from '../model/metric.ts'
import { addSightings, emptySample, type ClientSample } from './distinct.ts'
import { ID_MISMATCH, INVALID_TIMESTAMP, resultLabel } from './known-results.ts'
import { CLOCK_LIMIT_SECONDS } from './thresholds.ts'

/** A request as event 12290 has it. */
interface Request {
  readonly hresult: number
  readonly minCount: number
  readonly clientName: string
  readonly cmid: string
  readonly clientTimeSeconds: number | undefined
  readonly licenseStatus: number | undefined
  readonly minutesToExpiration: number | undefined
  readonly activationId: string | undefined
}

/** `atSeconds`: the event's own time, Unix seconds by the host's clock; undefined when it could not be read. */
export type ActivityEvent = { readonly atSeconds: number | undefined } & (
  | {
      readonly kind: 'request'
      /** Undefined when its strings could not be made out: it is counted all the same. */
      readonly request: Request | undefined
    }
  | {
      readonly kind: 'publish'
      readonly domain: string
      readonly success: boolean
      readonly hresult: number | undefined
    }
  | {
      /** Of KMS itself, or of its renewal timer. */
      readonly kind: 'init_failure' | 'timer_failure'
      readonly hresult: number | undefined
    }
)

type RequestEvent = Extract<ActivityEvent, { kind: 'request' }>

export const LOG_NAMES = ['key_management_service', 'application'] as const
export type LogName = (typeof LOG_NAMES)[number]

export const GAPS = ['cleared', 'overwritten', 'restarted'] as const
export type Gap = (typeof GAPS)[number]

export interface Mark {
  readonly record: number
  /** Of the record's time and strings. */
  readonly fingerprint: string
}

/** Record 0, which no log has, stands before all of them. */
export interface Bookmark extends Mark {
  /** The newest that was read, by the host's clock: what is later than this was never read before. */
  readonly timeSeconds: number
  /** Some of the records before it, from the first that was read, ascending. Undefined in files of earlier versions. */
  readonly trail?: readonly Mark[] | undefined
  /** The record itself was seen to be gone, and that was counted. */
  readonly gone?: true | undefined
  /** In a log that was set back: those between two numbers, unless later than this, may have been read before. */
  readonly doubt?: Doubt | undefined
}

export interface Doubt {
  readonly after: number
  readonly before: number
  readonly timeSeconds: number
}

/** How far a log was read. */
export interface LogState {
  /** The last record that was read. */
  readonly bookmark: Bookmark | undefined
  /** Without a bookmark, in files of earlier versions: later records than this are new, by the host's clock. */
  readonly afterSeconds: number | undefined
  /** By our clock, about: not kept up to date by the minute, for each change writes the file. */
  readonly checkedAtSeconds: number | undefined
  /** How many records the log had then. */
  readonly records: number | undefined
  readonly gaps: Readonly<Record<Gap, number>>
  /** As far as their numbers tell. */
  readonly lost: number
  /** When it was last noticed that records were lost, or may have been, by our clock. */
  readonly lostAtSeconds: number | undefined
}

export interface ActivityState {
  /** By `RESULT CLASS`: `0xC004F06C 25`. */
  readonly requests: ReadonlyMap<string, number>
  readonly lastRequestSeconds: number | undefined
  /** Of a product that needs 25 clients: a client system. */
  readonly lastClientSystemSeconds: number | undefined
  readonly skew: Histogram
  readonly clients: ClientSample
  readonly lastMismatchSeconds: number | undefined
  readonly lastWrongProductSeconds: number | undefined
  readonly lastWrongClientSystemSeconds: number | undefined
  /** Of a request that may have been refused for its version or product: nobody can say. */
  readonly lastUnclearRefusalSeconds: number | undefined
  /** By domain. */
  readonly publishing: ReadonlyMap<string, Publishing>
  readonly lastInitFailure: StartFailure | undefined
  readonly lastTimerFailure: StartFailure | undefined
  readonly logs: Readonly<Record<LogName, LogState>>
}

export interface StartFailure {
  readonly atSeconds: number
  readonly code: string | undefined
}

export interface Publishing {
  readonly success: boolean
  readonly atSeconds: number
  readonly code: string | undefined
}

/**
 * Seconds. Client times are cut to a minute, so that a good clock's skew lies between 0 and 60: finer bounds would be
 * noise. 14,400 is what KMS tolerates.
 */
export const SKEW_BOUNDS = [-14_400, -3600, -1800, -300, -60, 60, 300, 1800, 3600, 14_400] as const

export const MOST_DOMAINS = 32
const CLIENT_TIME_RESOLUTION_SECONDS = 60

const NOT_READ: LogState = {
  bookmark: undefined,
  afterSeconds: undefined,
  checkedAtSeconds: undefined,
  records: undefined,
  gaps: { cleared: 0, overwritten: 0, restarted: 0 },
  lost: 0,
  lostAtSeconds: undefined,
}

/** `salt` for the clients' hashes: random, kept with the state. */
export function emptyActivity(salt: string): ActivityState {
  return {
    requests: new Map(),
    lastRequestSeconds: undefined,
    lastClientSystemSeconds: undefined,
    skew: { bounds: SKEW_BOUNDS, counts: [...SKEW_BOUNDS.map(() => 0), 0], sum: 0 },
    clients: emptySample(salt),
    lastMismatchSeconds: undefined,
    lastWrongProductSeconds: undefined,
    lastWrongClientSystemSeconds: undefined,
    lastUnclearRefusalSeconds: undefined,
    publishing: new Map(),
    lastInitFailure: undefined,
    lastTimerFailure: undefined,
    logs: { key_management_service: NOT_READ, application: NOT_READ },
  }
}

function classOf(minCount: number | undefined): '5' | '25' | 'other' {
  if (minCount === 5) return '5'
  return minCount === 25 ? '25' : 'other'
}

/** The Line Islands', the furthest from UTC. */
const FURTHEST_ZONE_SECONDS = 14 * 3600
const ZONE_SLACK_SECONDS = 120

/**
 * Within 2 minutes of a multiple of a quarter of an hour, but not of 0: the offset of a time zone rather than of a clock,
 * should the printed client time be local after all (unverified).
 */
function mayBeZone(skewSeconds: number): boolean {
  const quarters = Math.round(skewSeconds / 900)
  if (quarters === 0 || Math.abs(skewSeconds) > FURTHEST_ZONE_SECONDS + ZONE_SLACK_SECONDS) return false
  return Math.abs(skewSeconds - quarters * 900) <= ZONE_SLACK_SECONDS
}

/** Both clocks agree for certain within what KMS tolerates. */
function withinLimit(skewSeconds: number): boolean {
  return (
    skewSeconds < CLOCK_LIMIT_SECONDS &&
    skewSeconds - CLIENT_TIME_RESOLUTION_SECONDS > -CLOCK_LIMIT_SECONDS &&
    !mayBeZone(skewSeconds)
  )
}

/** Event time minus client time, both as the clocks had them. */
function behindOf({ atSeconds, request }: RequestEvent): number | undefined {
  const { clientTimeSeconds } = request ?? {}
  return atSeconds === undefined || clientTimeSeconds === undefined
    ? undefined
    : atSeconds - clientTimeSeconds
}

/**
 * Whether a request was refused for its version or product nobody can say: it cannot be made out, or it has 0xC004F06C
 * and a skew that is unknown or a time zone's (the limit itself is one, so that no other skew is near it), or it was
 * refused nobody knows when.
 */
function isUnclear({ atSeconds, request }: RequestEvent, behind: number | undefined): boolean {
  if (request === undefined) return true
  if (request.hresult === INVALID_TIMESTAMP) return behind === undefined || mayBeZone(behind)
  return request.hresult === ID_MISMATCH && atSeconds === undefined
}

/**
 * The event's own time; but one that is further ahead of us than KMS lets clocks differ is an error, and the event is
 * dated when it was read. Otherwise, what happened once under a clock that was years ahead would be news for years.
 */
function datedAt(atSeconds: number | undefined, nowSeconds: number): number | undefined {
  return atSeconds !== undefined && atSeconds > nowSeconds + CLOCK_LIMIT_SECONDS ? nowSeconds : atSeconds
}

function observe({ bounds, counts, sum }: Histogram, value: number): Histogram {
  const found = bounds.findIndex((bound) => value <= bound)
  const bucket = found === -1 ? bounds.length : found
  return { bounds, counts: counts.map((count, index) => count + Number(index === bucket)), sum: sum + value }
}

function codeText(hresult: number | undefined): string | undefined {
  return hresult === undefined ? undefined : hresultText(hresult)
}

/** Events of one stretch of a log, in the order of their records; `nowSeconds` by our clock. */
export function applyEvents(
  state: ActivityState,
  events: readonly ActivityEvent[],
  nowSeconds: number,
): ActivityState {
  const requests = new Map(state.requests)
  const publishing = new Map(state.publishing)
  const sightings: Parameters<typeof addSightings>[1][number][] = []
  let { lastRequestSeconds, lastClientSystemSeconds, skew, lastInitFailure, lastTimerFailure } = state
  let { lastMismatchSeconds, lastWrongProductSeconds, lastWrongClientSystemSeconds } = state
  let { lastUnclearRefusalSeconds } = state

  for (const event of events) {
    const atSeconds = datedAt(event.atSeconds, nowSeconds)
    if (event.kind === 'publish') {
      const { domain, success, hresult } = event
      if (atSeconds === undefined) continue
      publishing.delete(domain)
      publishing.set(domain, { success, atSeconds, code: codeText(hresult) })
      continue
    }
    if (event.kind !== 'request') {
      if (atSeconds === undefined || event.hresult === 0) continue
      const failure = { atSeconds, code: codeText(event.hresult) }
      if (event.kind === 'init_failure') lastInitFailure = failure
      else lastTimerFailure = failure
      continue
    }
    const { request } = event
    const minClients = classOf(request?.minCount)
    const key = `${request === undefined ? 'other' : resultLabel(request.hresult)} ${minClients}`
    requests.set(key, (requests.get(key) ?? 0) + 1)
    lastRequestSeconds = atSeconds ?? lastRequestSeconds
    const behind = behindOf(event)
    if (isUnclear(event, behind)) lastUnclearRefusalSeconds = atSeconds ?? nowSeconds
    if (request === undefined || atSeconds === undefined) continue
    const { hresult, licenseStatus, minutesToExpiration } = request
    if (behind !== undefined) skew = observe(skew, behind)
    if (hresult === INVALID_TIMESTAMP && behind !== undefined && withinLimit(behind))
      lastMismatchSeconds = atSeconds
    if (hresult === ID_MISMATCH) lastWrongProductSeconds = atSeconds
    if (minClients === '25') {
      lastClientSystemSeconds = atSeconds
      if (hresult === ID_MISMATCH) lastWrongClientSystemSeconds = atSeconds
    }
    // A licensed client with 0 minutes left has a licence that does not end (GracePeriodRemaining of a permanent one).
    const ends = minutesToExpiration !== undefined && !(licenseStatus === 1 && minutesToExpiration === 0)
    sightings.push({
      cmid: request.cmid,
      name: request.clientName,
      product: request.activationId ?? '',
      atSeconds,
      expiresAtSeconds: ends ? atSeconds + minutesToExpiration * 60 : undefined,
      answered: hresult === 0,
    })
  }
  return {
    ...state,
    requests,
    lastRequestSeconds,
    lastClientSystemSeconds,
    skew,
    lastMismatchSeconds,
    lastWrongProductSeconds,
    lastWrongClientSystemSeconds,
    lastUnclearRefusalSeconds,
    lastInitFailure,
    lastTimerFailure,
    // Those that were heard of last stay: a Map keeps the order of insertion.
    publishing: new Map([...publishing].slice(-MOST_DOMAINS)),
    clients: sightings.length === 0 ? state.clients : addSightings(state.clients, sightings, nowSeconds),
  }
}
