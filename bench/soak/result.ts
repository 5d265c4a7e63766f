// What a soak comes to: its figures, what is wrong with them, and the files in which they are kept.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { medianOf } from '../table.ts'
import type { Verdict } from './judge.ts'
import { soakSvg } from './plot.ts'
import { settled, slopeOf, type Point } from './process.ts'
import type { Counted } from './runs.ts'
import type { Sample, Watch } from './watch.ts'

export interface Tally {
  /** How many, by kind: one for each scrape that says so. */
  readonly complaints: Map<Verdict, number>
  missing: number
  reloads: number
  lostReloads: number
  pages: number
  badPages: number
}

interface Seen {
  readonly hosts: number
  readonly minutes: number
  readonly seed: number
  readonly samples: readonly Sample[]
  readonly latencies: readonly number[]
  readonly tally: Tally
  readonly acts: number
  readonly totals: Watch['totals']
  readonly counted: { readonly first: Counted; readonly last: Counted }
  readonly cpuPercent: number
  readonly labCpuPercent: number
}

/** Below this, memory that comes and goes with the collector looks like growth. */
const LEAST_MINUTES_FOR_SLOPES = 30
/** Of the live heap, beyond what the history of each host takes in its first six hours. */
const LIVE_KILOBYTES_A_MINUTE = 40
const HISTORY_BYTES_A_HOST_AND_MINUTE = 7
const RSS_KILOBYTES_A_MINUTE = 150
const DESCRIPTORS_A_MINUTE = 0.5
/** Of the judgements on hosts of which the truth is known. */
const UNKNOWN_SHARE = 0.001

const sumOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

const round = (value: number, digits = 1): number => Number(value.toFixed(digits))

const pointsOf = (samples: readonly Sample[], of: (sample: Sample) => number): Point[] =>
  samples.map((sample) => [(sample.atSeconds - (samples[0]?.atSeconds ?? 0)) / 60, of(sample)])

const rss = ({ rssBytes }: Sample): number => rssBytes / 1e6
const live = ({ liveBytes }: Sample): number => liveBytes / 1e6
const open = ({ descriptors }: Sample): number => sumOf(descriptors)
const handles = (sample: Sample): number => sample.handles

export type Summary = ReturnType<typeof summaryOf>

export function summaryOf(seen: Seen) {
  const { samples, tally, totals, latencies } = seen
  const { first, last } = seen.counted
  const slope = (of: (sample: Sample) => number, digits: number): number =>
    round(slopeOf(settled(pointsOf(samples, of))), digits)
  const count = (verdict: Verdict): number => tally.complaints.get(verdict) ?? 0
  const begun = last.begun - first.begun
  const skipped = last.skipped - first.skipped
  return {
    date: new Date().toISOString().slice(0, 16),
    hosts: seen.hosts,
    minutes: round(seen.minutes),
    seed: seen.seed,
    changes: seen.acts,
    most_broken: Math.max(...samples.map(({ broken }) => broken)),
    scrapes: totals.scrapes,
    strained_scrapes: totals.strained,
    judgements: totals.judged,
    wrong: count('wrong'),
    strangers: count('stranger'),
    vanished: count('vanished'),
    unknown: count('unknown'),
    told_after_seconds_median: round(medianOf(latencies)),
    told_after_seconds_most: round(Math.max(0, ...latencies)),
    runs: begun,
    runs_owed: Math.round(totals.owed),
    missing: tally.missing,
    lost: Math.max(0, tally.missing - skipped),
    skipped,
    begun_and_not_ended: last.begun - last.ended - last.inFlight,
    late_by_a_second: last.lateBySecond - first.lateBySecond,
    own_faults: last.ownFaults,
    blind_scrapes: totals.blind,
    targets: totals.targets,
    reloads: tally.reloads,
    lost_reloads: tally.lostReloads,
    pages: tally.pages,
    bad_pages: tally.badPages,
    rss_megabytes: round(rss(samples.at(-1) ?? (samples[0] as Sample))),
    rss_kilobytes_a_minute: round(1000 * slope(rss, 6)),
    live_megabytes: round(live(samples.at(-1) ?? (samples[0] as Sample))),
    live_kilobytes_a_minute: round(1000 * slope(live, 6)),
    descriptors: open(samples.at(-1) ?? (samples[0] as Sample)),
    descriptors_a_minute: slope(open, 3),
    handles_a_minute: slope(handles, 3),
    held_up_most_milliseconds: Math.round(
      Math.max(...samples.map(({ heldUpMilliseconds }) => heldUpMilliseconds)),
    ),
    slowest_scrape_seconds: round(Math.max(...samples.map(({ scrapeSeconds }) => scrapeSeconds))),
    cpu_percent: round(seen.cpuPercent),
    lab_cpu_percent: round(seen.labCpuPercent),
  }
}

/** One sentence each; none where all is well. */
export function problemsOf(summary: Summary): readonly string[] {
  const problems: string[] = []
  const none = ['wrong', 'strangers', 'vanished', 'lost', 'own_faults', 'lost_reloads', 'bad_pages'] as const
  for (const what of none) if (summary[what] !== 0) problems.push(`${what}: ${summary[what]}`)
  const atMost = (what: keyof Summary, most: number): void => {
    if (Number(summary[what]) > most) problems.push(`${what}: ${summary[what]}, more than ${most}`)
  }
  const atLeast = (what: keyof Summary, least: number): void => {
    if (Number(summary[what]) < least) problems.push(`${what}: ${summary[what]}, less than ${least}`)
  }
  atLeast('judgements', 1)
  atLeast('changes', 1)
  atLeast('reloads', 1)
  atMost('unknown', Math.floor(UNKNOWN_SHARE * summary.judgements))
  // Where each target stands in its interval is chance: of so many, so few may have had their turn before or after.
  const tolerance = 2 * Math.sqrt(summary.targets) + 0.005 * summary.runs_owed
  if (summary.runs + summary.skipped < summary.runs_owed - tolerance)
    problems.push(
      `runs: ${summary.runs} and ${summary.skipped} skipped, where ${summary.runs_owed} were owed`,
    )
  atMost('begun_and_not_ended', 5)
  if (summary.minutes < LEAST_MINUTES_FOR_SLOPES) return problems
  const history = (HISTORY_BYTES_A_HOST_AND_MINUTE * summary.hosts) / 1000
  atMost('live_kilobytes_a_minute', LIVE_KILOBYTES_A_MINUTE + history)
  atMost('rss_kilobytes_a_minute', RSS_KILOBYTES_A_MINUTE + history)
  atMost('descriptors_a_minute', DESCRIPTORS_A_MINUTE)
  atMost('handles_a_minute', DESCRIPTORS_A_MINUTE)
  return problems
}

interface Kept {
  readonly summary: Summary
  readonly problems: readonly string[]
  readonly samples: readonly Sample[]
  readonly folder: string
  readonly recordIn: string | undefined
}

/** Every run there ever was, so that short ones add up. */
async function append(file: string, run: Summary & { readonly problems: string }): Promise<void> {
  const before = await readFile(file, 'utf8').catch(() => '{ "runs": [] }')
  const runs = [...(JSON.parse(before) as { runs: (typeof run)[] }).runs, run]
  await writeFile(file, `${JSON.stringify({ runs }, null, 2)}\n`)
  const good = runs.filter(({ problems }) => problems === '')
  const minutes = good.reduce((sum, each) => sum + each.minutes, 0)
  process.stdout.write(
    `${good.length} of ${runs.length} recorded runs without a problem: ${minutes.toFixed(0)} minutes in all\n`,
  )
}

export async function record({ summary, problems, samples, folder, recordIn }: Kept): Promise<void> {
  await writeFile(join(folder, 'samples.json'), `${JSON.stringify({ summary, problems, samples })}\n`)
  const minutes = summary.minutes
  const line = (name: string, of: (sample: Sample) => number) => ({ name, points: pointsOf(samples, of) })
  const svg = soakSvg(
    [
      { title: 'Memory, MB', lines: [line('resident', rss), line('live heap', live)] },
      { title: 'Open', lines: [line('descriptors', open), line('handles', handles)] },
      {
        title: 'Hosts',
        lines: [
          line('broken', ({ broken }) => broken),
          line('cannot tell', ({ unknown }) => unknown),
          line('told wrongly', ({ wrong }) => wrong),
        ],
      },
    ],
    minutes,
  )
  await writeFile(join(folder, 'soak.svg'), svg)
  if (recordIn === undefined) return
  await append(join(recordIn, 'soak.json'), { ...summary, problems: problems.join('; ') })
  await writeFile(join(recordIn, 'images/soak.svg'), svg)
}
