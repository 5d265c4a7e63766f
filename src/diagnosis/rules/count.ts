// Have enough clients asked? The host's own count, against what it takes; and what becomes of it when nobody acts. The count
// is no number of machines: it saturates at twice the largest threshold ever asked for ("Activate clients using KMS").
import { isServer, type ClientOs } from '../../kms/client-os.ts'
import {
  CLIENT_THRESHOLD,
  FORGOTTEN_AFTER_SECONDS,
  LEAST_THRESHOLD,
  RENEWAL_SECONDS,
} from '../../kms/thresholds.ts'
import type { Evidence, Finding } from '../../model/finding.ts'
import type { KmsProduct } from '../../probes/licensing.ts'
import type { Cause } from '../causes.ts'
import {
  canariesTold,
  cannotTell,
  cite,
  isRecent,
  kmsOf,
  named,
  ruledOut,
  type HostEvidence,
} from '../evidence.ts'
import { allRequests } from './event-log.ts'

export interface CountJudgement {
  readonly finding: Finding<Cause>
  /** What the count will be once today's silent clients are forgotten; undefined when that cannot be told. */
  readonly forecastClients: number | undefined
}

function sayCount({ product, currentClients, clientsLimit }: KmsProduct, required: number): string {
  // A count below what it takes is none that cannot grow: the limit rises with the first client system that asks.
  const full = currentClients !== undefined && currentClients === clientsLimit && currentClients >= required
  const count = full ? `${currentClients} clients (full: it never counts more)` : `${currentClients} clients`
  return `the host counts ${count} for the key ${product}; it takes ${required}`
}

/** How long an activated client of this host may be silent. */
function renewalOf({ licensing }: HostEvidence): number {
  return Math.max(RENEWAL_SECONDS, licensing?.reading?.kms?.service.renewalIntervalSeconds ?? 0)
}

/**
 * Renewing clients ask every 7 days, and the host forgets whoever has not asked for 30: of today's clients, those that
 * have not asked for 7 days will not be counted in 23, unless they come back. That is known only where the log of the last
 * 7 days has been read without a loss, and where the host has not told its clients to renew less often.
 */
function forecastOf(known: HostEvidence): number | undefined {
  const { reading } = allRequests(known, RENEWAL_SECONDS)
  if (reading === undefined || renewalOf(known) > RENEWAL_SECONDS) return undefined
  const { distinctClients } = reading
  // Somebody is known who last asked before that: so far back has been read.
  const readAWeek = distinctClients['30d'] > distinctClients['7d']
  return readAWeek ? distinctClients['7d'] : undefined
}

/** Client systems among those that this host serves: they take 25, and the host's own word for what it takes may be 5. */
type ClientSystems =
  | { readonly are: 'there'; readonly evidence: readonly Evidence[] }
  | { readonly are: 'none' }
  | { readonly are: 'unknown'; readonly missing: string }

const isClientSystem = (os: ClientOs | undefined): boolean => os !== undefined && !isServer(os)

function clientSystemsOf(known: HostEvidence, currentClients: number): ClientSystems {
  const { host, activity, clients } = known
  const evidence: Evidence[] = []
  const window = renewalOf(known)
  // Whoever takes 25 and uses this host asks it once in 7 days at least: one that did so last year takes nothing today.
  if (activity && isRecent(activity.reading?.lastClientSystemSeconds, activity, window))
    evidence.push(cite(activity, `client systems have asked, and they take ${CLIENT_THRESHOLD}`))
  for (const client of clients) {
    if (isClientSystem(client.reading?.clientOs))
      evidence.push(
        cite(client, `the canary ${client.target.key} is a client system: it takes ${CLIENT_THRESHOLD}`),
      )
  }
  const told = kmsOf(known)
  const wanted = host.serves.filter(isClientSystem).join(', ')
  if (wanted !== '' && told.kms !== undefined)
    evidence.push(cite(told.result, `the host has to serve ${wanted}, by the configuration`))
  if (evidence.length > 0) return { are: 'there', evidence }

  const unknown = (why: string): ClientSystems => ({
    are: 'unknown',
    missing: `whether client systems, which take ${CLIENT_THRESHOLD}, use the host is not known: ${why}`,
  })
  const { reading, missing } = allRequests(known, window)
  if (reading === undefined) return unknown(missing)
  return reading.distinctClients['30d'] >= currentClients
    ? { are: 'none' }
    : unknown('the event log does not go back to all the clients that the host counts')
}

/** Clients of one id count as one: images that were copied without generalising them (sysprep). */
function duplicatesIn({ activity }: HostEvidence): readonly Evidence[] {
  const count = activity?.reading?.duplicateClientIds ?? 0
  if (activity === undefined || count === 0) return []
  return [cite(activity, `several clients share one id, and count as one: so it is with ${count} ids`)]
}

const DAYS_AHEAD = (FORGOTTEN_AFTER_SECONDS - RENEWAL_SECONDS) / 86_400

export function judgeCount(known: HostEvidence): CountJudgement {
  const cause = 'count_below_threshold'
  const forecastClients = forecastOf(known)
  const canaries = canariesTold(known, '0xC004F038')
  const unknown = (missing: string): CountJudgement => ({
    finding: cannotTell(cause, missing, { for: canaries }),
    forecastClients,
  })
  const told = kmsOf(known)
  if (told.kms === undefined) return unknown(told.missing)
  const { products } = told.kms
  if (products.length === 0) return unknown('no KMS host key is installed')

  const low: Evidence[] = []
  const enough: Evidence[] = []
  const open: string[] = []
  let most = 0
  for (const each of products) {
    const { application, currentClients, requiredClients = LEAST_THRESHOLD } = each
    if (currentClients === undefined) continue
    // Where it matters to know: too few for client systems, and enough for servers.
    const between = currentClients >= LEAST_THRESHOLD && currentClients < CLIENT_THRESHOLD
    const systems =
      application === 'windows' && (between || requiredClients < CLIENT_THRESHOLD)
        ? clientSystemsOf(known, currentClients)
        : undefined
    const required = systems?.are === 'there' ? CLIENT_THRESHOLD : requiredClients
    const evidence = cite(told.result, sayCount(each, required))
    if (currentClients < required && systems?.are === 'none' && between) {
      open.push(
        `${currentClients} clients are enough for servers; client systems take ${CLIENT_THRESHOLD}, and none has asked lately`,
      )
      continue
    }
    most = Math.max(most, required)
    if (currentClients < required) {
      low.push(evidence)
      if (systems?.are === 'there') low.push(...systems.evidence)
      continue
    }
    enough.push(evidence)
    if (between && systems?.are === 'unknown') open.push(systems.missing)
  }
  if (low.length > 0) {
    const evidence = [...low, ...duplicatesIn(known), ...canaries]
    return { finding: named(cause, evidence, enough), forecastClients }
  }
  if (open.length === 0 && canaries.length > 0 && enough.length > 0)
    open.push(
      'canaries were told that too few had asked: whether that was before they were enough is not known',
    )
  const [missing] = open
  if (missing !== undefined)
    return { finding: cannotTell(cause, missing, { for: canaries, against: enough }), forecastClients }
  if (enough.length === 0) return unknown('no client has asked yet: nothing is counted')
  const finding = ruledOut(cause, enough)
  if (forecastClients === undefined || forecastClients >= most) return { finding, forecastClients }
  const warning = `only ${forecastClients} different clients have asked within 7 days, and the host forgets whoever has not asked for 30: in ${DAYS_AHEAD} days its count will be below the ${most} that it takes, unless others come back`
  return { finding: { ...finding, warning }, forecastClients }
}
