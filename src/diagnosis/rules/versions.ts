// Is the host new enough for its clients, by its key and its update revision? And what became of those that asked?
import type { ClientErrorCode } from '../../kms/error-codes.ts'
import type { ClientOs } from '../../kms/client-os.ts'
import { judgeSupport } from '../../kms/support-matrix.ts'
import type { Evidence, Finding, Verdict } from '../../model/finding.ts'
import { hostFactsOf } from '../../probes/licensing.ts'
import type { Cause } from '../causes.ts'
import {
  canariesTold,
  cannotTell,
  cite,
  isRecent,
  kmsOf,
  named,
  RECENT_SECONDS,
  ruledOut,
  untold,
  type HostEvidence,
} from '../evidence.ts'
import { allRequests } from './event-log.ts'

export interface VersionJudgement {
  readonly finding: Finding<Cause>
  /** What clients show for it, when it is named. */
  readonly clientError: ClientErrorCode
}

/** Whom the host has to serve: as configured, and as canaries are. */
function wantedOf({ host, clients }: HostEvidence): readonly ClientOs[] {
  const canaries = clients.flatMap(({ reading }) => reading?.clientOs ?? [])
  return [...new Set([...host.serves, ...canaries])]
}

interface Support {
  readonly lacking: readonly Evidence[]
  readonly given: readonly Evidence[]
  readonly missing: readonly string[]
}

function weighSupport(known: HostEvidence): Support {
  const wanted = wantedOf(known)
  if (wanted.length === 0) return { lacking: [], given: [], missing: [] }
  const told = kmsOf(known)
  if (told.kms === undefined) return { lacking: [], given: [], missing: [told.missing] }
  const facts = hostFactsOf(told.kms.products, known.licensing?.reading?.os)
  const judged = wanted.map((client) => ({ client, ...judgeSupport(facts, client) }))
  const say = (verdict: boolean, words: string): readonly Evidence[] =>
    judged
      .filter(({ supported }) => supported === verdict)
      .map(({ client, why }) => cite(told.result, `the host ${words} ${client}: ${why}`))
  return {
    lacking: say(false, 'cannot activate'),
    given: say(true, 'activates'),
    missing: judged
      .filter(({ supported }) => supported === undefined)
      .map(({ client, why }) => `whether the host activates ${client} is not known: ${why}`),
  }
}

interface Refusals {
  /**
   * 0xC004F042, to a client system by a host that has a key for Windows, or to anybody, be it an Office that this host was
   * never to serve; 0xC004F06C although the client's clock agreed with the host's; requests without any of these; no
   * request; or not to be told.
   */
  readonly kind: 'product' | 'any_product' | 'version' | 'none' | 'idle' | 'unknown'
  readonly evidence: readonly Evidence[]
  /** Empty unless something is. */
  readonly missing: string
}

const OPEN = {
  version:
    'a request was refused with 0xC004F06C: whether for its version or its time is open while the clock of the host is not known to be right',
  any_product:
    'a request was refused with 0xC004F042: whether this host is to serve its product is not known, for it may be an Office that it has no key for',
} as const

function weighRefusals(known: HostEvidence): Refusals {
  const { activity } = known
  if (activity?.reading === undefined)
    return { kind: 'unknown', evidence: [], missing: untold(known, activity) }
  const { lastMismatchSeconds, lastUnclearRefusalSeconds, lastRequestSeconds } = activity.reading
  const { lastWrongProductSeconds, lastWrongClientSystemSeconds } = activity.reading
  const forWindows = kmsOf(known).kms?.products.some(({ application }) => application === 'windows') === true
  const recent = (seconds: number | undefined): boolean => isRecent(seconds, activity)
  const refusal = (kind: Refusals['kind'], says: string, missing = ''): Refusals => ({
    kind,
    evidence: [cite(activity, says)],
    missing,
  })
  const wrongProduct = 'a client was refused with 0xC004F042: no key of the host is for its product'
  if (forWindows && recent(lastWrongClientSystemSeconds)) return refusal('product', wrongProduct)
  if (recent(lastMismatchSeconds)) {
    const says = "a client was refused with 0xC004F06C though its clock agreed with the host's"
    return refusal('version', says, OPEN.version)
  }
  if (recent(lastWrongProductSeconds)) return refusal('any_product', wrongProduct, OPEN.any_product)
  const { missing } = allRequests(known, RECENT_SECONDS)
  if (missing !== undefined) return { kind: 'unknown', evidence: [], missing }
  if (recent(lastUnclearRefusalSeconds)) {
    const unclear =
      'a request of the last 24 hours could not be read to where it says whether, and why, it was refused'
    return { kind: 'unknown', evidence: [], missing: unclear }
  }
  if (recent(lastRequestSeconds))
    return refusal('none', 'no request of the last 24 hours was refused for its version or product')
  return { kind: 'idle', evidence: [], missing: '' }
}

/** `clockSkew`: what is known of the host's clock, for 0xC004F06C stands for that as well. */
export function judgeVersions(known: HostEvidence, clockSkew: Verdict): VersionJudgement {
  const cause = 'version_mismatch'
  const support = weighSupport(known)
  const refusals = weighRefusals(known)
  const canaries = canariesTold(known, '0xC004F042', '0xC004F06C')
  const [refused, taken] = refusals.kind === 'none' ? [[], refusals.evidence] : [refusals.evidence, []]
  const sides = {
    for: [...support.lacking, ...refused, ...canaries],
    against: [...support.given, ...taken],
  }
  const byVersion = refusals.kind === 'version' && clockSkew === 'ruled_out'
  const clientError = byVersion ? '0xC004F06C' : '0xC004F042'
  if (support.lacking.length > 0 || refusals.kind === 'product' || byVersion)
    return { finding: named(cause, sides.for, sides.against), clientError }
  const missing = [
    refusals.missing,
    canaries.length === 0
      ? ''
      : 'a canary was refused: whether for its version, its product or its own clock is not known',
    ...support.missing,
    sides.against.length > 0 ? '' : 'no request of the last 24 hours is known',
  ].find((each) => each !== '')
  const finding = missing === undefined ? ruledOut(cause, sides.against) : cannotTell(cause, missing, sides)
  return { finding, clientError }
}
