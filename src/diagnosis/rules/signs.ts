// What shows that the machine behind a KMS port is up, and what Windows says of sppsvc. Probes are asked at different
// times: only the last that was heard of Windows says something of the present.
import type { Evidence } from '../../model/finding.ts'
import type { Reason } from '../../model/failure.ts'
import type { Failure, Result } from '../../model/result.ts'
import type { ResultOf } from '../../probes/index.ts'
import type { ServiceSource, ServiceState } from '../../probes/windows-facts.ts'
import { cite, unanswered, type HostEvidence } from '../evidence.ts'

/** Something on the machine answered, be it badly. */
export const ANSWERS: readonly Reason[] = [
  'protocol_error',
  'not_found',
  'auth_failed',
  'access_denied',
  'tls_expired',
  'tls_untrusted',
  'tls_failed',
  'too_large',
]

/** A refusal, too, comes from a machine that is up; or from a firewall that speaks in its place. */
const SIGNS_OF_LIFE: readonly Reason[] = [...ANSWERS, 'connect_refused', 'connect_reset']

/** Our own troubles, which say nothing about the host. */
const OURS: readonly Reason[] = ['internal_error', 'exporter_overloaded', 'not_configured']

/** Whether the host itself was asked: before its address is known, only resolvers are. */
function wasAsked({ stage, reason }: Failure): boolean {
  return stage !== 'resolve' && !OURS.includes(reason)
}

type WindowsResult = ResultOf<'service'> | ResultOf<'licensing'> | ResultOf<'activity'>

/** An answer shows that the host was there when it came; silence, that it was gone when it was asked, and maybe no more. */
function wordAt({ failure, endedAtMonotonicSeconds, durationSeconds }: Result): number {
  return failure === undefined ? endedAtMonotonicSeconds : endedAtMonotonicSeconds - durationSeconds
}

/** The last that was heard of Windows, whatever it was asked: an older word of it says nothing of the present. */
function lastOfWindows({ service, licensing, activity }: HostEvidence): WindowsResult | undefined {
  return [service, licensing, activity]
    .filter((result) => result !== undefined)
    .filter(({ failure }) => failure === undefined || wasAsked(failure))
    .toSorted((a, b) => wordAt(b) - wordAt(a))[0]
}

/** Windows on this very machine is no way to the host: that it fails shows nothing. */
function isHere({ host }: HostEvidence): boolean {
  return host.windows?.via === 'local'
}

/** Questions to the host, other than to its KMS port, that went unanswered. */
function failuresOf(known: HostEvidence): readonly (Result & { readonly failure: Failure })[] {
  const { clock } = known
  const asked: readonly (Result | undefined)[] = isHere(known) ? [clock] : [clock, lastOfWindows(known)]
  return asked.flatMap((result) =>
    result?.failure !== undefined && wasAsked(result.failure) ? [result] : [],
  )
}

/** Everything else of the host that was asked and did not answer. */
export function silenceOf(known: HostEvidence): readonly Evidence[] {
  return failuresOf(known).map((result) => cite(result, unanswered(result)))
}

/** What shows that the machine is up, other than the KMS port itself. */
export function signsOfLife(
  known: HostEvidence,
  reasons: readonly Reason[] = SIGNS_OF_LIFE,
): readonly Evidence[] {
  const { clock } = known
  const windows = lastOfWindows(known)
  const signs: Evidence[] = []
  if (clock?.reading !== undefined) signs.push(cite(clock, 'the clock of the host answers'))
  if (windows?.reading !== undefined) {
    const who = known.host.windows?.via === 'windows_exporter' ? 'windows_exporter' : 'Windows'
    signs.push(cite(windows, `${who} on the host answers`))
  }
  const failed = failuresOf(known).filter(({ failure }) => reasons.includes(failure.reason))
  const bad = failed.map((result) =>
    cite(result, `the machine answers, if only with ${result.failure.reason}`),
  )
  return [...signs, ...bad]
}

export interface Statement {
  readonly state: ServiceState
  readonly source: ServiceSource
  readonly evidence: Evidence
}

/** What Windows says of sppsvc: the newer of two voices, unless Windows has fallen silent since. */
export function statementOf(known: HostEvidence): Statement | undefined {
  const { host, service, licensing } = known
  const states = [
    service?.reading && { result: service, state: service.reading.state, source: service.reading.source },
    licensing?.reading && {
      result: licensing,
      state: licensing.reading.service.state,
      source: host.windows?.via === 'local' ? ('local' as const) : ('winrm' as const),
    },
  ]
  const [newest] = states
    .filter((each) => each !== undefined)
    .filter(({ state }) => state !== 'unknown')
    .toSorted((a, b) => b.result.endedAtMonotonicSeconds - a.result.endedAtMonotonicSeconds)
  if (newest === undefined) return undefined
  const last = lastOfWindows(known)
  if (last?.failure !== undefined && !ANSWERS.includes(last.failure.reason)) return undefined
  const { state, source, result } = newest
  const evidence = cite(result, `Windows says that sppsvc is ${state.replace('_', ' ')}`)
  return { state, source, evidence }
}
