// The activity of a host as it is kept in a file, and back. What is read back may be of another version, or of anybody:
// it is taken whole or not at all.
import type { Histogram } from '../model/metric.ts'
import {
  MOST_DOMAINS,
  SKEW_BOUNDS,
  type ActivityState,
  type Bookmark,
  type Doubt,
  type LogState,
  type Mark,
  type Publishing,
  type StartFailure,
} from './activity.ts'
import { sampleFrom, sampleJson } from './distinct.ts'

const VERSION = 1
/** Twice as many as ever are kept. */
const MOST_MARKS = 200

/** Plain, for JSON. */
export function stateJson({ requests, publishing, clients, skew, ...rest }: ActivityState): object {
  return {
    version: VERSION,
    ...rest,
    skew: { counts: skew.counts, sum: skew.sum },
    requests: [...requests],
    publishing: [...publishing],
    clients: sampleJson(clients),
  }
}

type Json = Readonly<Record<string, unknown>>

function objectOf(json: unknown): Json | undefined {
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Json) : undefined
}

function isCount(json: unknown): json is number {
  return Number.isSafeInteger(json) && Number(json) >= 0
}

/** `undefined` for nothing, `null` for what is no number. */
function timeOf(json: unknown): number | undefined | null {
  if (json === undefined || json === null) return undefined
  return typeof json === 'number' && Number.isFinite(json) ? json : null
}

function pairsOf(json: unknown, most: number): readonly (readonly [string, unknown])[] | undefined {
  if (!Array.isArray(json) || json.length > most) return undefined
  const pairs = (json as readonly unknown[]).flatMap((pair) => {
    const [name, value]: readonly unknown[] = Array.isArray(pair) ? pair : []
    return typeof name === 'string' ? [[name, value] as const] : []
  })
  return pairs.length === json.length ? pairs : undefined
}

function requestsFrom(json: unknown): ReadonlyMap<string, number> | undefined {
  const pairs = pairsOf(json, 100)
  const counts = pairs?.flatMap(([name, count]) =>
    /^(?:0x[0-9A-F]{8}|other) (?:5|25|other)$/.test(name) && isCount(count) ? [[name, count] as const] : [],
  )
  return counts === undefined || counts.length !== pairs?.length ? undefined : new Map(counts)
}

function skewFrom(json: unknown): Histogram | undefined {
  const { counts, sum } = objectOf(json) ?? {}
  if (!Array.isArray(counts) || counts.length !== SKEW_BOUNDS.length + 1 || !counts.every(isCount))
    return undefined
  return typeof sum === 'number' && Number.isFinite(sum) ? { bounds: SKEW_BOUNDS, counts, sum } : undefined
}

function codeOf(json: unknown): string | undefined | null {
  if (json === undefined || json === null) return undefined
  return typeof json === 'string' && /^0x[0-9A-F]{8}$/.test(json) ? json : null
}

/** `undefined` for nothing, `null` for what is none. */
function failureFrom(json: unknown): StartFailure | undefined | null {
  const { atSeconds, code } = objectOf(json) ?? {}
  const at = timeOf(atSeconds)
  const text = codeOf(code)
  if (at === null || text === null) return null
  return at === undefined ? undefined : { atSeconds: at, code: text }
}

function publishingFrom(json: unknown): ReadonlyMap<string, Publishing> | undefined {
  const pairs = pairsOf(json, MOST_DOMAINS)
  const found = pairs?.flatMap(([domain, value]) => {
    const { success, atSeconds, code } = objectOf(value) ?? {}
    const at = timeOf(atSeconds)
    const text = codeOf(code)
    if (typeof success !== 'boolean' || typeof at !== 'number' || text === null) return []
    return /^[a-z0-9_.-]{1,253}$/.test(domain)
      ? [[domain, { success, atSeconds: at, code: text }] as const]
      : []
  })
  return found === undefined || found.length !== pairs?.length ? undefined : new Map(found)
}

function marksFrom(json: unknown): readonly Mark[] | undefined {
  if (!Array.isArray(json) || json.length > MOST_MARKS) return undefined
  const marks = (json as readonly unknown[]).flatMap((each) => {
    const { record, fingerprint } = objectOf(each) ?? {}
    return isCount(record) && typeof fingerprint === 'string' ? [{ record, fingerprint }] : []
  })
  return marks.length === json.length ? marks : undefined
}

function doubtFrom(json: unknown): Doubt | undefined {
  const { after, before, timeSeconds } = objectOf(json) ?? {}
  const time = timeOf(timeSeconds)
  if (!Number.isSafeInteger(after) || !isCount(before) || typeof time !== 'number') return undefined
  return { after: Number(after), before, timeSeconds: time }
}

function bookmarkFrom(json: unknown): Bookmark | undefined {
  const { record, fingerprint, timeSeconds, ...more } = objectOf(json) ?? {}
  const time = timeOf(timeSeconds)
  if (!isCount(record) || typeof fingerprint !== 'string' || typeof time !== 'number') return undefined
  // None of these is in files of earlier versions.
  const trail = marksFrom(more['trail'])
  const doubt = doubtFrom(more['doubt'])
  const gone = more['gone'] === true ? true : undefined
  if (trail === undefined && more['trail'] !== undefined) return undefined
  if (doubt === undefined && more['doubt'] !== undefined) return undefined
  if (gone === undefined && more['gone'] !== undefined) return undefined
  return { record, fingerprint, timeSeconds: time, trail, gone, doubt }
}

function logFrom(json: unknown): LogState | undefined {
  const { bookmark, afterSeconds, checkedAtSeconds, records, gaps, lost, lostAtSeconds } =
    objectOf(json) ?? {}
  const after = timeOf(afterSeconds)
  const checked = timeOf(checkedAtSeconds)
  const lostAt = timeOf(lostAtSeconds)
  const { cleared, overwritten, restarted } = objectOf(gaps) ?? {}
  if (after === null || checked === null || lostAt === null || !isCount(lost)) return undefined
  if (!isCount(cleared) || !isCount(overwritten) || !isCount(restarted)) return undefined
  if (records !== undefined && !isCount(records)) return undefined
  const common = {
    afterSeconds: after,
    checkedAtSeconds: checked,
    records,
    gaps: { cleared, overwritten, restarted },
    lost,
    lostAtSeconds: lostAt,
  }
  if (bookmark === undefined) return { ...common, bookmark }
  const found = bookmarkFrom(bookmark)
  return found === undefined ? undefined : { ...common, bookmark: found }
}

/** Undefined for whatever `stateJson` of this version did not write. */
export function stateFrom(json: unknown): ActivityState | undefined {
  const file = objectOf(json)
  if (file?.['version'] !== VERSION) return undefined
  const requests = requestsFrom(file['requests'])
  const skew = skewFrom(file['skew'])
  const clients = sampleFrom(file['clients'])
  const publishing = publishingFrom(file['publishing'])
  const logs = objectOf(file['logs'])
  const kms = logFrom(logs?.['key_management_service'])
  const application = logFrom(logs?.['application'])
  const lastRequestSeconds = timeOf(file['lastRequestSeconds'])
  const lastClientSystemSeconds = timeOf(file['lastClientSystemSeconds'])
  const lastMismatchSeconds = timeOf(file['lastMismatchSeconds'])
  const lastWrongProductSeconds = timeOf(file['lastWrongProductSeconds'])
  const lastWrongClientSystemSeconds = timeOf(file['lastWrongClientSystemSeconds'])
  const lastUnclearRefusalSeconds = timeOf(file['lastUnclearRefusalSeconds'])
  const lastInitFailure = failureFrom(file['lastInitFailure'])
  const lastTimerFailure = failureFrom(file['lastTimerFailure'])
  if (requests === undefined || skew === undefined || clients === undefined) return undefined
  if (publishing === undefined || kms === undefined || application === undefined) return undefined
  if (lastRequestSeconds === null || lastClientSystemSeconds === null) return undefined
  if (lastMismatchSeconds === null || lastWrongProductSeconds === null) return undefined
  if (lastWrongClientSystemSeconds === null || lastUnclearRefusalSeconds === null) return undefined
  if (lastInitFailure === null || lastTimerFailure === null) return undefined
  return {
    requests,
    skew,
    clients,
    publishing,
    lastRequestSeconds,
    lastClientSystemSeconds,
    lastMismatchSeconds,
    lastWrongProductSeconds,
    lastWrongClientSystemSeconds,
    lastUnclearRefusalSeconds,
    lastInitFailure,
    lastTimerFailure,
    logs: { key_management_service: kms, application },
  }
}
