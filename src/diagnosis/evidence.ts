// What is known about one host when it is judged: its own outcomes, and those of the domains and references it shares
// with others. Pure data; and the small words that the rules have in common.
import type { Domain, Host } from '../config/targets.ts'
import type { Evidence, Finding } from '../model/finding.ts'
import type { Result } from '../model/result.ts'
import type { Target } from '../model/target.ts'
import type { ResultOf } from '../probes/index.ts'
import type { KmsFacts } from '../probes/license-facts.ts'
import type { PublishedDomain } from '../probes/licensing.ts'
import type { Cause } from './causes.ts'

export interface HostEvidence {
  readonly host: Host
  readonly port: ResultOf<'port'> | undefined
  readonly clock: ResultOf<'clock'> | undefined
  readonly service: ResultOf<'service'> | undefined
  readonly licensing: ResultOf<'licensing'> | undefined
  /** The last that says whether KMS is enabled: older than `licensing` while sppsvc does not run, or nobody answers. */
  readonly lastLicences: ResultOf<'licensing'> | undefined
  readonly activity: ResultOf<'activity'> | undefined
  /** Canaries that say they ask this host. */
  readonly clients: readonly ResultOf<'client'>[]
  /** What resolvers say of the domains that expect the host, whose records name it, or that it is told to publish itself in. Others may be among them. */
  readonly srv: readonly ResultOf<'srv'>[]
  readonly references: readonly ResultOf<'reference'>[]
}

/** A judgement cites a target many times over. */
const sources = new WeakMap<Target, string>()

/** The probe, and whom it asked. */
export function sourceOf({ probe, target }: Result): string {
  let source = sources.get(target)
  if (source === undefined) sources.set(target, (source = `${probe} ${target.key}`))
  return source
}

export function cite(result: Result, says: string): Evidence {
  return { source: sourceOf(result), says, atSeconds: result.endedAtSeconds }
}

export function unanswered(result: Result): string {
  const { failure } = result
  return failure === undefined ? '' : `no answer: ${failure.reason} at ${failure.stage} (${failure.detail})`
}

type Sides = { for?: readonly Evidence[]; against?: readonly Evidence[] }

const NONE: readonly Evidence[] = []

export function named(
  cause: Cause,
  evidence: readonly Evidence[],
  against: readonly Evidence[] = NONE,
): Finding<Cause> {
  return { cause, verdict: 'named', for: evidence, against }
}

export function ruledOut(cause: Cause, against: readonly Evidence[]): Finding<Cause> {
  return { cause, verdict: 'ruled_out', for: NONE, against }
}

/** Most of what cannot be told is so of thousands of hosts, judgement after judgement, in the same words. */
const remembered = new Map<Cause, Map<string, Finding<Cause>>>()
const MOST_REMEMBERED = 32

export function cannotTell(cause: Cause, missing: string, sides?: Sides): Finding<Cause> {
  const { for: evidence = NONE, against = NONE } = sides ?? {}
  if (evidence.length > 0 || against.length > 0)
    return { cause, verdict: 'unknown', for: evidence, against, missing }
  let known = remembered.get(cause)
  if (known === undefined || known.size > MOST_REMEMBERED) remembered.set(cause, (known = new Map()))
  let finding = known.get(missing)
  if (finding === undefined)
    known.set(
      missing,
      (finding = Object.freeze({ cause, verdict: 'unknown', for: NONE, against: NONE, missing })),
    )
  return finding
}

export function expects(domain: Domain, host: Host): boolean {
  return domain.expect.some(({ target }) => target === host.name)
}

/** Where the registry has the host publish itself, by domain; nothing where it may not be read, or publishing is off. */
export function publishedIn({ licensing }: HostEvidence, domain: string): PublishedDomain | undefined {
  if (licensing?.reading?.kms?.service.dnsPublishing === false) return undefined
  return licensing?.reading?.publishList?.find((each) => each.domain === domain)
}

/** Whether a record of the host belongs there: by the configuration or, where that leaves it open, by the host's own list. */
export function belongsIn(known: HostEvidence, domain: Domain): boolean {
  return expects(domain, known.host) || (!domain.exact && publishedIn(known, domain.name) !== undefined)
}

/** Nobody configured this host, and a domain whose list is complete does not expect it. */
export function isUninvited({ host, srv }: HostEvidence): boolean {
  if (!host.discovered) return false
  const naming = srv.filter((result) => result.reading?.records.some(({ target }) => target === host.name))
  return naming.length > 0 && naming.every(({ target: { domain } }) => domain.exact && !expects(domain, host))
}

// ---- What only Windows can tell.

/** Whether a canary's word for its KMS host means this one: a full name, a first label, or an address. */
export function isHost(host: Host, name: string): boolean {
  if (name === '') return false
  if (name === host.name || name === host.connectTo || host.addresses?.includes(name) === true) return true
  const bare = !name.includes('.') || !host.name.includes('.')
  return bare && name.split('.')[0] === host.name.split('.')[0]
}

/** Whether this run of a canary has it ask the host. */
export function asksHost({ reading }: ResultOf<'client'>, host: Host): boolean {
  return reading?.kms !== undefined && isHost(host, reading.kms.host)
}

/** Why Windows has not told: nobody may ask it, nobody has yet, or it did not answer. */
export function untold({ host }: HostEvidence, result: Result | undefined): string {
  if (result?.failure !== undefined) return unanswered(result)
  const via = host.windows?.via
  return via === 'winrm' || via === 'local'
    ? 'Windows has not been asked yet'
    : 'Windows is not asked: that takes hosts[].windows with via winrm (or local)'
}

/** What the SoftwareLicensing classes say, or why they say nothing. */
export function kmsOf(
  known: HostEvidence,
):
  | { readonly kms: KmsFacts; readonly result: Result; readonly missing?: undefined }
  | { readonly kms?: undefined; readonly missing: string } {
  const { licensing } = known
  if (licensing?.reading === undefined) return { missing: untold(known, licensing) }
  const { kms, service } = licensing.reading
  if (kms === undefined)
    return { missing: `sppsvc is ${service.state.replace('_', ' ')}: asking for its licences would start it` }
  return { kms, result: licensing }
}

/**
 * Without KMS, sppsvc stops when idle, and is not asked then; nor can KMS be enabled then. So the last word holds for as
 * long as Windows says that it does not run.
 */
export function kmsEnabledOn({ licensing, lastLicences }: HostEvidence): boolean | undefined {
  return licensing?.reading === undefined ? undefined : lastLicences?.reading?.kms?.service.kmsEnabled
}

/** How long an event says something about the present: clients that are not activated ask every two hours. */
export const RECENT_SECONDS = 86_400

/**
 * Whether an event of that time is one of the last seconds. Events bear the time of their own machine: with a clock that
 * is off by hours they are somewhat older or younger than they seem. One of a time that is a day ahead says nothing.
 */
export function isRecent(
  atSeconds: number | undefined,
  { endedAtSeconds }: Result,
  withinSeconds = RECENT_SECONDS,
): boolean {
  if (atSeconds === undefined) return false
  const age = endedAtSeconds - atSeconds
  return age <= withinSeconds && age >= -RECENT_SECONDS
}

/** Canaries that this host has lately answered with one of these codes. */
export function canariesTold(
  { host, clients }: HostEvidence,
  ...codes: readonly string[]
): readonly Evidence[] {
  return clients.flatMap((result) => {
    const last = result.reading?.lastActivation
    if (last === undefined || !last.answered || !codes.includes(last.code)) return []
    if (last.host !== undefined && !isHost(host, last.host)) return []
    if (!isRecent(last.atSeconds, result)) return []
    return [cite(result, `the canary ${result.target.key} was answered ${last.code}`)]
  })
}
