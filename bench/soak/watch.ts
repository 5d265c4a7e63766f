// One look at the exporter every few seconds: a scrape that is judged, the runs that it shows, and what its process holds.
import { gunzipSync } from 'node:zlib'
import { request } from 'undici'
import type { Service } from '../service.ts'
import { read, samplesOf, sumOf, type Seen } from './exposition.ts'
import { JUDGED_FAMILIES, judge, type Complaint, type Truth, type Verdict } from './judge.ts'
import { descriptorsOf, waitedSecondsOf } from './process.ts'
import { counted, followRuns, RUN_FAMILIES, type Counted, type Missing } from './runs.ts'
import type { Pace } from './estate.ts'
import { nowSeconds, type Lab } from './stage.ts'

const FAMILIES = [
  ...JUDGED_FAMILIES,
  ...RUN_FAMILIES,
  'winkms_exporter_targets',
  'winkms_exporter_config_last_reload_successful',
  'winkms_exporter_config_last_reload_success_timestamp_seconds',
]

/** As Prometheus asks, old and new, and as a person does. */
const WAYS = [
  { accept: 'text/plain', 'accept-encoding': 'gzip' },
  { accept: 'application/openmetrics-text; version=1.0.0', 'accept-encoding': 'gzip' },
  { accept: 'text/plain', 'accept-encoding': 'identity' },
] as const

export interface Sample {
  readonly atSeconds: number
  readonly rssBytes: number
  readonly liveBytes: number
  readonly handles: number
  readonly descriptors: Readonly<Record<string, number>>
  readonly heldUpMilliseconds: number
  readonly labHeldUpSeconds: number
  readonly scrapeSeconds: number
  readonly broken: number
  readonly wrong: number
  readonly unknown: number
  /** The machine had no time for the hosts or for the exporter: what is true of the hosts is not known. */
  readonly strained: boolean
}

export interface Look {
  readonly sample: Sample
  readonly complaints: readonly Complaint[]
  readonly missing: readonly Missing[]
  readonly right: ReadonlySet<string>
  readonly reloadedAtUnixSeconds: number
  readonly reloadedWell: boolean
  readonly counted: Counted
}

export interface Watch {
  look(): Promise<Look>
  /** Of all looks. */
  readonly totals: {
    readonly scrapes: number
    readonly judged: number
    /** Runs that the schedule owed since the first look, by the targets that there were. */
    readonly owed: number
    readonly targets: number
    readonly blind: number
    readonly strained: number
  }
}

/** Of the shortest timeout. A host has to answer three times within it: name, connection, bind. */
const MOST_LAB_HELD_UP = 1 / 4
/** The exporter hears what has come meanwhile before it calls anybody silent; a reload holds it up as well. */
const MOST_HELD_UP = 1 / 2

async function scrape(url: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const { statusCode, headers: sent, body } = await request(url, { headers })
  const bytes = Buffer.from(await body.arrayBuffer())
  const text = (sent['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString()
  const isWhole = headers['accept']?.includes('openmetrics')
    ? text.endsWith('\n# EOF\n')
    : text.endsWith('\n')
  if (statusCode !== 200 || !isWhole) throw new Error(`${url}: ${statusCode}, ${text.slice(-100)}`)
  return text
}

function owedPerSecond(seen: Seen, pace: Pace): number {
  let sum = 0
  for (const [probe, seconds] of Object.entries(pace.probes))
    sum += sumOf(seen, 'winkms_exporter_targets', `probe="${probe}"`) / seconds
  return sum
}

export interface WatchOptions {
  readonly service: Service
  readonly lab: Pick<Lab, 'heldUpSeconds'>
  readonly pace: Pace
  readonly truths: ReadonlyMap<string, Truth>
}

export function createWatch({ service, lab, pace, truths }: WatchOptions): Watch {
  const follower = followRuns(pace.probes, pace.timeout.short)
  const totals = { scrapes: 0, judged: 0, owed: 0, targets: 0, blind: 0, strained: 0 }
  let before: number | undefined
  let waitedBefore: number | undefined
  let strainedUntil = -Infinity

  /** Held up by others: what the exporter itself keeps the processor for is no excuse. */
  async function isStrained(heldUpSeconds: number, labHeldUpSeconds: number): Promise<boolean> {
    const { short } = pace.timeout
    const waited = await waitedSecondsOf(service.pid)
    const since = waited - (waitedBefore ?? waited)
    waitedBefore = waited
    const byOthers = heldUpSeconds > MOST_HELD_UP * short && since > heldUpSeconds / 2
    // Until all has been asked once more.
    if (byOthers || labHeldUpSeconds > MOST_LAB_HELD_UP * short) strainedUntil = nowSeconds() + pace.grace / 2
    return nowSeconds() < strainedUntil
  }

  return {
    totals,
    async look() {
      const way = WAYS[totals.scrapes % WAYS.length] ?? WAYS[0]
      const [atSeconds, unixSeconds] = [nowSeconds(), Date.now() / 1000]
      const seen = read(await scrape(`${service.url}/metrics`, way), FAMILIES)
      // The exporter's own counters come last.
      const told = nowSeconds()
      const { liveBytes, handles, most } = await service.delay()
      const labHeldUpSeconds = lab.heldUpSeconds()
      const strained = await isStrained(most / 1000, labHeldUpSeconds)
      totals.scrapes += 1
      if (strained) totals.strained += 1
      const judgement = judge(seen, truths, { atSeconds, grace: pace.grace })
      const complaints = strained ? [] : judgement.complaints
      if (!strained) totals.judged += judgement.judged
      const excused = (host: string): boolean => {
        if (strained) return true
        if (host === '') return false
        const truth = truths.get(host)
        // What is forgotten or a guest comes and goes.
        if (truth === undefined || !truth.watched || truth.causes.includes('srv_stale')) return true
        return atSeconds - truth.askedSinceSeconds <= pace.grace
      }
      const missing = follower.follow(seen, unixSeconds, excused)
      totals.blind = follower.blind
      totals.owed += owedPerSecond(seen, pace) * (told - (before ?? told))
      totals.targets = sumOf(seen, 'winkms_exporter_targets')
      before = told
      const count = (verdict: Verdict): number => complaints.filter((each) => each.verdict === verdict).length
      return {
        sample: {
          atSeconds,
          rssBytes: await service.rssBytes(),
          liveBytes,
          handles,
          descriptors: await descriptorsOf(service.pid),
          heldUpMilliseconds: most,
          labHeldUpSeconds,
          scrapeSeconds: told - atSeconds,
          broken: [...truths.values()].filter(({ causes, watched }) => watched && causes.length > 0).length,
          wrong: count('wrong') + count('vanished') + count('stranger'),
          unknown: count('unknown'),
          strained,
        },
        complaints,
        missing,
        right: judgement.right,
        reloadedAtUnixSeconds:
          samplesOf(seen, 'winkms_exporter_config_last_reload_success_timestamp_seconds').get('') ?? 0,
        reloadedWell: samplesOf(seen, 'winkms_exporter_config_last_reload_successful').get('') === 1,
        counted: counted(seen),
      }
    },
  }
}
