// Whether the exporter tells the truth: each scrape against what the script has done to each host. Pure; seconds are of one
// monotonic clock.
import { rowOf, type Cause } from '../../src/diagnosis/causes.ts'
import { label, samplesOf, type Seen } from './exposition.ts'

export interface Truth {
  causes: readonly Cause[]
  /** Since when, complete; Infinity while it is just being changed, -Infinity from the start. */
  sinceSeconds: number
  /** Since when the configuration has it like this: what is asked anew has to be told anew. */
  askedSinceSeconds: number
  /** Whether it should be among the hosts that are watched. */
  watched: boolean
}

export type Verdict = 'wrong' | 'unknown' | 'vanished' | 'stranger'

export interface Complaint {
  readonly verdict: Verdict
  readonly host: string
  readonly says: string
  readonly truth: readonly Cause[]
}

export const JUDGED_FAMILIES = ['winkms_host_serving', 'winkms_diagnosis', 'winkms_host_info'] as const

/** What a scrape says of one host: undefined where it does not say. */
interface Said {
  readonly serving: number | undefined
  readonly causes: ReadonlyMap<string, number>
}

const serves = (causes: readonly Cause[]): boolean => !causes.some((cause) => rowOf(cause).stopsService)

function sayingsOf(seen: Seen): ReadonlyMap<string, Said> {
  const causes = new Map<string, Map<string, number>>()
  for (const [labels, value] of samplesOf(seen, 'winkms_diagnosis')) {
    const host = label(labels, 'host') ?? ''
    const known = causes.get(host) ?? new Map<string, number>()
    causes.set(host, known.set(label(labels, 'cause') ?? '', value))
  }
  const serving = samplesOf(seen, 'winkms_host_serving')
  return new Map(
    [...samplesOf(seen, 'winkms_host_info').keys()].map((labels) => {
      const host = label(labels, 'host') ?? ''
      return [host, { serving: serving.get(`host="${host}"`), causes: causes.get(host) ?? new Map() }]
    }),
  )
}

export interface Judgement {
  readonly judged: number
  readonly complaints: readonly Complaint[]
  /** Hosts of which the scrape says the truth, in whole. */
  readonly right: ReadonlySet<string>
}

/** `atSeconds`: when the scrape began. A host whose truth has changed within the grace is not judged. */
export function judge(
  seen: Seen,
  truths: ReadonlyMap<string, Readonly<Truth>>,
  { atSeconds, grace }: { readonly atSeconds: number; readonly grace: number },
): Judgement {
  const complaints: Complaint[] = []
  const right = new Set<string>()
  let judged = 0
  const sayings = sayingsOf(seen)
  for (const [host, truth] of truths) {
    const said = sayings.get(host)
    const { causes } = truth
    const complain = (verdict: Verdict, says: string): void => {
      complaints.push({ verdict, host, says, truth: causes })
    }
    const isSettled = atSeconds - truth.sinceSeconds > grace
    if (isSettled) judged += 1
    if (!truth.watched || said === undefined) {
      if (!isSettled) continue
      if (truth.watched) complain('vanished', 'nothing is said of it')
      else if (said !== undefined) complain('stranger', 'it should not be watched')
      continue
    }
    const blamed = [...said.causes].flatMap(([cause, value]) => (value === 1 ? [cause] : []))
    const wrongly = blamed.filter((cause) => !causes.includes(cause as Cause))
    const denied = causes.filter((cause) => said.causes.get(cause) === 0)
    const untold = causes.filter((cause) => !said.causes.has(cause))
    const should = serves(causes) ? 1 : 0
    if (wrongly.length === 0 && denied.length === 0 && untold.length === 0 && said.serving === should)
      right.add(host)
    if (!isSettled) continue
    // Being asked anew is no excuse for blaming a host that is healthy.
    const isAskedAnew = atSeconds - truth.askedSinceSeconds <= grace
    if (isAskedAnew && causes.length > 0) continue
    if (wrongly.length > 0) complain('wrong', `named: ${wrongly.join(', ')}`)
    if (said.serving !== undefined && said.serving !== should && !(isAskedAnew && should === 0))
      complain('wrong', `serving: ${said.serving}`)
    if (denied.length > 0) complain('wrong', `ruled out: ${denied.join(', ')}`)
    if (isAskedAnew) continue
    if (untold.length > 0) complain('unknown', `not told: ${untold.join(', ')}`)
    if (said.serving === undefined) complain('unknown', 'not told whether it serves')
  }
  for (const host of sayings.keys())
    if (!truths.has(host))
      complaints.push({ verdict: 'stranger', host, says: 'nobody has heard of it', truth: [] })
  return { judged, complaints, right }
}
