// Whether a run is missing: every target, followed from run to run by the times that the scrapes give, and the exporter's
// own counters beside it. Pure; Unix seconds.
import { label, samplesOf, sumOf, type Seen } from './exposition.ts'

export const RUN_FAMILIES = [
  'winkms_probe_timestamp_seconds',
  'winkms_probe_duration_seconds',
  'winkms_exporter_probes_total',
  'winkms_exporter_probes_skipped_total',
  'winkms_exporter_probes_in_flight',
  'winkms_exporter_schedule_lag_seconds_count',
  'winkms_exporter_schedule_lag_seconds_bucket',
] as const

/** Runs are an interval apart, or up to one and a half after the first: from this on one is missing. */
const TOO_LONG = 1.75

export interface Missing {
  readonly target: string
  /** Empty where the target is no host. */
  readonly host: string
  readonly runs: number
  readonly gapSeconds: number
}

export interface Follower {
  /** What is missing since the scrape before. `excused`: targets that were asked anew, or removed, lately. */
  follow(seen: Seen, beganSeconds: number, excused: (host: string) => boolean): readonly Missing[]
  /** Runs that were seen to begin. */
  readonly seen: number
  /** Scrapes so far apart that a run may have come and gone unseen: then gaps say nothing. */
  readonly blind: number
}

/** When a scrape that began then was told. On a machine that is busy, what it says may be younger by seconds. */
function toldAt(seen: Seen, beganSeconds: number): number {
  let latest = beganSeconds
  for (const endedAt of samplesOf(seen, 'winkms_probe_timestamp_seconds').values())
    latest = Math.max(latest, endedAt)
  return latest
}

/** Seconds. `timeout`: of the probe with the shortest interval. */
export function followRuns(intervals: Readonly<Record<string, number>>, timeout: number): Follower {
  const begunAt = new Map<string, number>()
  // One that takes all its time, before one that takes none, is seen for so long only.
  const shortest = Math.min(...Object.values(intervals)) - timeout
  let before: number | undefined
  let seenRuns = 0
  let blind = 0
  return {
    get seen() {
      return seenRuns
    },
    get blind() {
      return blind
    },
    follow(seen, beganSeconds, excused) {
      const missing: Missing[] = []
      const durations = samplesOf(seen, 'winkms_probe_duration_seconds')
      const ends = samplesOf(seen, 'winkms_probe_timestamp_seconds')
      const atSeconds = toldAt(seen, beganSeconds)
      const isBlind = before !== undefined && atSeconds - before > 0.9 * shortest
      if (isBlind) blind += 1
      before = atSeconds
      for (const [target, endedAt] of ends) {
        const begun = endedAt - (durations.get(target) ?? 0)
        const last = begunAt.get(target)
        const interval = intervals[label(target, 'probe') ?? ''] ?? Infinity
        // The duration is of the monotonic clock: a run that is seen twice may seem to have begun a little apart.
        const isNew = last === undefined || begun - last > 0.25 * interval
        if (isNew) seenRuns += 1
        const next = isNew ? begun : atSeconds
        const gapSeconds = next - (last ?? next)
        // One that has not come yet may still be on its way: it is late only after its timeout, which is no longer.
        const limit = isNew ? TOO_LONG : TOO_LONG + 1
        const host = label(target, 'host') ?? ''
        if (gapSeconds > limit * interval && !isBlind && !excused(host))
          missing.push({ target, host, gapSeconds, runs: Math.round(gapSeconds / interval) - 1 })
        if (isNew || gapSeconds > limit * interval) begunAt.set(target, next)
      }
      for (const target of begunAt.keys()) {
        if (ends.has(target)) continue
        const host = label(target, 'host') ?? ''
        if (!excused(host)) missing.push({ target, host, gapSeconds: NaN, runs: 1 })
        begunAt.delete(target)
      }
      return missing
    },
  }
}

export interface Counted {
  readonly begun: number
  readonly ended: number
  readonly skipped: number
  readonly inFlight: number
  readonly ownFaults: number
  /** Of those that began. */
  readonly lateBySecond: number
}

export function counted(seen: Seen): Counted {
  const begun = sumOf(seen, 'winkms_exporter_schedule_lag_seconds_count')
  const lags = [...samplesOf(seen, 'winkms_exporter_schedule_lag_seconds_bucket')]
  const inTime = lags.reduce((sum, [labels, value]) => (/le="1(\.0)?"/.test(labels) ? sum + value : sum), 0)
  return {
    begun,
    ended: sumOf(seen, 'winkms_exporter_probes_total'),
    skipped: sumOf(seen, 'winkms_exporter_probes_skipped_total'),
    inFlight: sumOf(seen, 'winkms_exporter_probes_in_flight'),
    ownFaults: sumOf(seen, 'winkms_exporter_probes_total', 'outcome="internal_error"'),
    lateBySecond: begun - inTime,
  }
}
