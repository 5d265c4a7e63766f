// Is there a KMS host behind the port, and if not, what is in the way? One classification, so that its four causes can
// never contradict each other: unreachable, blocked, stopped, or somebody else's listener.
import type { Evidence, Finding } from '../../model/finding.ts'
import type { Reason } from '../../model/failure.ts'
import type { Failure } from '../../model/result.ts'
import type { AddressOutcome } from '../../probes/port.ts'
import type { ServiceState } from '../../probes/service.ts'
import type { Cause } from '../causes.ts'
import { cannotTell, cite, isUninvited, named, ruledOut, unanswered, type HostEvidence } from '../evidence.ts'

const REACH_CAUSES = ['host_unreachable', 'port_blocked', 'service_stopped', 'not_kms_listener'] as const

export interface ReachJudgement {
  /** undefined: the port has not been asked, or could not be. */
  readonly bound: boolean | undefined
  /** What Windows says, or what follows from the other readings. */
  readonly service: { readonly state: ServiceState; readonly source: 'windows_exporter' | 'inferred' }
  readonly findings: readonly Finding<Cause>[]
}

/** Something on the machine answered, be it badly. */
const ANSWERS: readonly Reason[] = [
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

/** The addresses that matter: those the host should have, where that is known. */
function relevantAddresses({ port }: HostEvidence): readonly AddressOutcome[] {
  const all = port?.reading?.addresses ?? []
  return all.some(({ expected }) => expected !== undefined) ? all.filter(({ expected }) => expected) : all
}

/** What shows that the machine is up, other than the KMS port itself. */
function signsOfLife(
  { clock, service }: HostEvidence,
  reasons: readonly Reason[] = SIGNS_OF_LIFE,
): readonly Evidence[] {
  const signs: Evidence[] = []
  for (const result of [clock, service]) {
    if (result?.reading !== undefined) {
      const what = result === clock ? 'the clock of the host answers' : 'windows_exporter on the host answers'
      signs.push(cite(result, what))
    } else if (
      result?.failure !== undefined &&
      wasAsked(result.failure) &&
      reasons.includes(result.failure.reason)
    ) {
      signs.push(cite(result, `the machine answers, if only with ${result.failure.reason}`))
    }
  }
  return signs
}

function sayAddress({ address, says }: AddressOutcome): string {
  return `${address} ${says}`
}

export function judgeReach(known: HostEvidence): ReachJudgement {
  const { port, service } = known
  const windows = service?.reading
  const stated = windows === undefined || windows.state === 'unknown' ? undefined : windows.state
  const statedBy: readonly Evidence[] =
    service === undefined || stated === undefined
      ? []
      : [cite(service, `Windows says that sppsvc is ${stated.replace('_', ' ')}`)]
  const stopping = stated === 'stopped' || stated === 'stop_pending'
  const withService = (inferred: ServiceState): ReachJudgement['service'] =>
    windows === undefined || stated === undefined
      ? { state: inferred, source: 'inferred' }
      : { state: windows.state, source: windows.source }

  const outcomes = relevantAddresses(known)
  if (port === undefined || outcomes.length === 0) {
    const missing =
      port === undefined
        ? 'the port has not been asked yet'
        : port.failure
          ? unanswered(port)
          : 'there was no address to try'
    const findings = REACH_CAUSES.map((cause) => cannotTell(cause, missing))
    if (stopping) findings[2] = named('service_stopped', statedBy)
    return { bound: undefined, service: withService('unknown'), findings }
  }

  const run = port
  const citing = (some: readonly AddressOutcome[]): Evidence[] =>
    some.map((each) => cite(run, sayAddress(each)))
  const bound = outcomes.filter(({ listener }) => listener === 'kms')
  if (bound.length > 0) {
    // The RPC runtime of a client tries one address after the other: one that answers is enough.
    const findings = REACH_CAUSES.map((cause) => ruledOut(cause, citing(bound)))
    return { bound: true, service: withService('running'), findings }
  }

  if (isUninvited(known)) {
    const missing = 'the host is not expected to exist: see srv_stale'
    return {
      bound: false,
      service: withService('unknown'),
      findings: REACH_CAUSES.map((cause) => cannotTell(cause, missing)),
    }
  }

  return judgeUnbound(known, { outcomes, citing, stated, stopping, statedBy, withService })
}

/** What is established before the question is why nobody serves at the port. */
interface Groundwork {
  readonly outcomes: readonly AddressOutcome[]
  readonly citing: (some: readonly AddressOutcome[]) => Evidence[]
  /** What Windows says; `stopping` covers stopped and about to stop. */
  readonly stated: ServiceState | undefined
  readonly stopping: boolean
  readonly statedBy: readonly Evidence[]
  readonly withService: (inferred: ServiceState) => ReachJudgement['service']
}

/** No address bound: from the surest sign to the weakest, somebody else's listener, Windows' word, refusal, silence. */
function judgeUnbound(
  known: HostEvidence,
  { outcomes, citing, stated, stopping, statedBy, withService }: Groundwork,
): ReachJudgement {
  const { clock, service } = known
  const evidence = citing(outcomes)
  const open = outcomes.filter(({ listener }) => listener !== undefined)
  const refused = outcomes.filter(
    ({ connectFailure }) => connectFailure === 'connect_refused' || connectFailure === 'connect_reset',
  )
  const alive = signsOfLife(known)
  const verdicts = {
    host_unreachable: ruledOut('host_unreachable', [...citing(open), ...citing(refused), ...alive]),
    port_blocked: cannotTell('port_blocked', 'the host does not answer at all'),
    service_stopped: cannotTell('service_stopped', 'nothing shows whether the service runs'),
    not_kms_listener: cannotTell('not_kms_listener', 'no connection to the port succeeds'),
  } satisfies Record<(typeof REACH_CAUSES)[number], Finding<Cause>>
  const verdictsOf = (
    changes: Partial<Record<keyof typeof verdicts, Finding<Cause>>>,
  ): readonly Finding<Cause>[] => Object.values({ ...verdicts, ...changes })

  if (open.length > 0) {
    return {
      bound: false,
      service: withService('unknown'),
      findings: verdictsOf({
        port_blocked: ruledOut('port_blocked', citing(open)),
        service_stopped: stopping
          ? named('service_stopped', statedBy)
          : stated === undefined
            ? cannotTell('service_stopped', 'another program holds the port')
            : ruledOut('service_stopped', statedBy),
        not_kms_listener: stopping
          ? cannotTell(
              'not_kms_listener',
              'the service is stopped; what holds its port is the second question',
              { for: citing(open) },
            )
          : named('not_kms_listener', citing(open)),
      }),
    }
  }

  if (stopping) {
    return {
      bound: false,
      service: withService('stopped'),
      findings: verdictsOf({
        service_stopped: named('service_stopped', [...statedBy, ...evidence]),
        port_blocked: cannotTell('port_blocked', 'a port cannot be tested while its service is stopped'),
      }),
    }
  }

  if (stated === 'running') {
    return {
      bound: false,
      service: withService('running'),
      findings: verdictsOf({
        port_blocked: named('port_blocked', [...evidence, ...statedBy]),
        service_stopped: ruledOut('service_stopped', statedBy),
      }),
    }
  }

  if (stated !== undefined) {
    const missing = 'sppsvc is neither running nor stopped'
    return {
      bound: false,
      service: withService('unknown'),
      findings: verdictsOf({
        port_blocked: cannotTell('port_blocked', 'a port cannot be tested while its service is not running'),
        service_stopped: cannotTell('service_stopped', missing, { for: statedBy }),
      }),
    }
  }

  if (refused.length > 0) {
    const answering = signsOfLife(known, ANSWERS)
    return {
      bound: false,
      service: withService(answering.length > 0 ? 'stopped' : 'unknown'),
      findings: verdictsOf({
        port_blocked: cannotTell(
          'port_blocked',
          'a firewall that rejects looks like a stopped service from outside',
        ),
        service_stopped:
          answering.length > 0
            ? named('service_stopped', [...evidence, ...answering])
            : cannotTell(
                'service_stopped',
                'the port refuses, but nothing else of the host answers: a firewall may refuse in its place',
                { for: evidence },
              ),
      }),
    }
  }

  if (alive.length > 0) {
    return {
      bound: false,
      service: withService('unknown'),
      findings: verdictsOf({
        port_blocked: named('port_blocked', [...evidence, ...alive]),
        // Windows Firewall drops what comes for a port without a listener ("stealth mode"), so a stopped service can
        // look like this as well (general knowledge, unverified on a host).
        service_stopped: cannotTell(
          'service_stopped',
          'Windows Firewall may hide a stopped service behind the same silence; windows_exporter on the host would tell',
        ),
      }),
    }
  }

  const silence = [clock, service].flatMap((result) =>
    result?.failure !== undefined && wasAsked(result.failure) ? [cite(result, unanswered(result))] : [],
  )
  return {
    bound: false,
    service: withService('unknown'),
    findings: verdictsOf({
      host_unreachable:
        silence.length > 0
          ? named('host_unreachable', [...evidence, ...silence])
          : cannotTell('host_unreachable', 'nothing but the KMS port has been asked', { for: evidence }),
    }),
  }
}
