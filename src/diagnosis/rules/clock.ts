// Is the host's clock beyond what KMS accepts, or is it ours that is wrong? Judged only when the whole interval lies on
// one side of the limit.
import { CLOCK_LIMIT_SECONDS, EXPORTER_CLOCK_LIMIT_SECONDS } from '../../kms/thresholds.ts'
import type { Evidence, Finding } from '../../model/finding.ts'
import type { Result } from '../../model/result.ts'
import { halfWidth, midpoint, type Interval } from '../../model/interval.ts'
import type { ClockSample } from '../../probes/clock.ts'
import type { Cause } from '../causes.ts'
import { cannotTell, cite, named, ruledOut, unanswered, type HostEvidence } from '../evidence.ts'
import { beyond, corrected, reconcile } from './drift.ts'

export interface ClockJudgement {
  /** Host minus reference (or, without references, minus the exporter's own clock). */
  readonly drift: Interval | undefined
  readonly sources: readonly { readonly source: string; readonly agrees: boolean | undefined }[]
  readonly findings: readonly [clockSkew: Finding<Cause>, exporterClockWrong: Finding<Cause>]
}

/** `+5 h 0 min`, `-0.8 ms`: two parts at most, for people. */
export function sayOffset(seconds: number): string {
  const sign = seconds < 0 ? '-' : '+'
  const size = Math.abs(seconds)
  if (size < 0.99995) return `${sign}${(size * 1000).toFixed(1)} ms`
  if (size < 59.995) return `${sign}${size.toFixed(2)} s`
  // Rounded as a whole, here and above: 4 h 59 min 59.9 s is five hours.
  if (size < 3599.5) return `${sign}${Math.floor(Math.round(size) / 60)} min ${Math.round(size) % 60} s`
  const minutes = Math.round(size / 60)
  return `${sign}${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** `+1.2 ms ± 0.4 ms`. */
export function sayInterval(interval: Interval): string {
  const width = halfWidth(interval)
  return `${sayOffset(midpoint(interval))} ± ${width < 1 ? `${(width * 1000).toFixed(1)} ms` : `${width.toFixed(2)} s`}`
}

/** The wall clock where the monotonic one is 0: moves only when the wall clock is set. */
function epochOf({ endedAtSeconds, endedAtMonotonicSeconds }: Result): number {
  return endedAtSeconds - endedAtMonotonicSeconds
}

/** Further apart, the exporter's clock was set between two runs, and what one says of it is nothing to the other. */
const STEP_SECONDS = 1

/** Whether a run was since the exporter's clock was last set, as far as the newest of all knows. */
function sinceSet({ clock, service, licensing, references }: HostEvidence): (result: Result) => boolean {
  let newest: Result | undefined
  for (const result of [clock, service, licensing, ...references])
    if (
      result !== undefined &&
      (newest === undefined || result.endedAtMonotonicSeconds > newest.endedAtMonotonicSeconds)
    )
      newest = result
  const epoch = newest === undefined ? 0 : epochOf(newest)
  return (result) => Math.abs(epochOf(result) - epoch) <= STEP_SECONDS
}

type Holds = ReturnType<typeof sinceSet>

function samplesOf(
  { clock, service, licensing }: HostEvidence,
  holds: Holds,
): readonly { sample: ClockSample; evidence: Evidence }[] {
  const all: { sample: ClockSample; evidence: Evidence }[] = []
  for (const [result, samples] of [
    [clock, clock?.reading?.samples],
    [service, service?.reading?.clock],
    [licensing, licensing?.reading?.clock],
  ] as const) {
    if (result === undefined || !holds(result)) continue
    for (const sample of samples ?? []) {
      all.push({
        sample,
        evidence: cite(
          result,
          `${sample.source} says ${sayInterval(sample.offset)} from the exporter's clock`,
        ),
      })
    }
  }
  return all
}

interface OwnClock {
  /** Reference minus exporter. */
  readonly interval: Interval | undefined
  readonly evidence: readonly Evidence[]
  /** Why true time is open although references have answered: then no host can be called wrong. */
  readonly open?: string | undefined
  readonly finding: Finding<Cause>
}

function judgeOwnClock({ references }: HostEvidence, holds: Holds): OwnClock {
  const cause = 'exporter_clock_wrong'
  const answered = references.flatMap((result) =>
    result.reading && holds(result) ? [{ result, offset: result.reading.offset }] : [],
  )
  const evidence = answered.map(({ result, offset }) =>
    cite(result, `${result.target.key} is ${sayInterval(offset)} from the exporter's clock`),
  )
  const { interval } = reconcile(answered.map(({ offset }) => offset))
  if (interval === undefined) {
    const open =
      answered.length > 0
        ? 'the reference clocks contradict each other'
        : references.some(({ reading }) => reading)
          ? "the exporter's clock was set, and no reference has been asked since"
          : undefined
    const missing =
      open ??
      (references.length === 0
        ? 'no reference clock is configured (probes.clock.references)'
        : 'no reference clock answers')
    return { interval, evidence, open, finding: cannotTell(cause, missing, { for: evidence }) }
  }
  switch (beyond(interval, EXPORTER_CLOCK_LIMIT_SECONDS)) {
    case 'beyond':
      return { interval, evidence, finding: named(cause, evidence) }
    case 'within':
      return { interval, evidence, finding: ruledOut(cause, evidence) }
    case 'straddles':
      return {
        interval,
        evidence,
        finding: cannotTell(cause, 'the references are too uncertain', { for: evidence }),
      }
  }
}

export function judgeClock(known: HostEvidence): ClockJudgement {
  const cause = 'clock_skew'
  const holds = sinceSet(known)
  const own = judgeOwnClock(known, holds)
  const samples = samplesOf(known, holds)
  const { interval, agrees } = reconcile(samples.map(({ sample }) => sample.offset))
  const sources = samples.map(({ sample: { source } }, index) => ({ source, agrees: agrees[index] }))
  const said = samples.map(({ evidence }) => evidence)
  if (interval === undefined || own.open !== undefined) {
    const missing =
      interval !== undefined
        ? `${own.open}: true time is not known`
        : samples.length > 0
          ? 'the sources contradict each other, and no majority agrees'
          : known.clock?.reading
            ? "the exporter's clock was set, and that of the host has not been asked since"
            : known.clock?.failure
              ? `no clock of the host answers; ${unanswered(known.clock)}`
              : 'the clock has not been asked yet'
    return { drift: undefined, sources, findings: [cannotTell(cause, missing, { for: said }), own.finding] }
  }
  const drift = corrected(interval, own.interval)
  const agreeing = said.filter((_, index) => agrees[index] === true)
  const evidence = own.finding.verdict === 'named' ? [...agreeing, ...own.evidence] : agreeing
  const finding = {
    beyond: () =>
      named(
        cause,
        evidence,
        said.filter((_, index) => agrees[index] === false),
      ),
    within: () => ruledOut(cause, evidence),
    straddles: () =>
      cannotTell(cause, `the drift is within ${sayInterval(drift)}: too uncertain to say`, { for: evidence }),
  }[beyond(drift, CLOCK_LIMIT_SECONDS)]()
  return { drift, sources, findings: [finding, own.finding] }
}
