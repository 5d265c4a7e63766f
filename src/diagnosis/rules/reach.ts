// Is there a KMS host behind the port, and if not, what is in the way? One classification, so that its four causes can
// never contradict each other: unreachable, blocked, stopped, or somebody else's listener.
import type { Evidence, Finding } from '../../model/finding.ts'
import type { AddressOutcome } from '../../probes/port.ts'
import type { ServiceSource, ServiceState } from '../../probes/windows-facts.ts'
import type { Cause } from '../causes.ts'
import {
  cannotTell,
  cite,
  isUninvited,
  kmsEnabledOn,
  named,
  ruledOut,
  unanswered,
  type HostEvidence,
} from '../evidence.ts'
import { ANSWERS, signsOfLife, silenceOf, statementOf, type Statement } from './signs.ts'

const REACH_CAUSES = ['host_unreachable', 'port_blocked', 'service_stopped', 'not_kms_listener'] as const

export interface ReachJudgement {
  /** undefined: the port has not been asked, or could not be. */
  readonly bound: boolean | undefined
  /** What Windows says, or what follows from the other readings. */
  readonly service: { readonly state: ServiceState; readonly source: ServiceSource }
  readonly findings: readonly Finding<Cause>[]
}

/** The addresses that matter: those the host should have, where that is known. */
function relevantAddresses({ port }: HostEvidence): readonly AddressOutcome[] {
  const all = port?.reading?.addresses ?? []
  return all.some(({ expected }) => expected !== undefined) ? all.filter(({ expected }) => expected) : all
}

function sayAddress({ address, says }: AddressOutcome): string {
  return `${address} ${says}`
}

function isStopping(statement: Statement | undefined): boolean {
  return statement?.state === 'stopped' || statement?.state === 'stop_pending'
}

/** What Windows sets right: a port at which nothing is to be expected shows neither a stopped service nor a firewall. */
function corrected(
  known: HostEvidence,
  statement: Statement | undefined,
  judged: ReachJudgement,
): ReachJudgement {
  const { host, licensing } = known
  const { listeningPort = host.port } = licensing?.reading?.kms?.service ?? {}
  const kmsEnabled = kmsEnabledOn(known)
  const elsewhere = listeningPort !== host.port && !isStopping(statement)
  if (judged.bound === true || (kmsEnabled !== false && !elsewhere)) return judged
  const missing =
    kmsEnabled === false
      ? 'KMS is not enabled on the host, so that nothing is to be expected there: see kms_not_enabled'
      : `Windows says that the host listens on port ${listeningPort}, and ${host.port} was asked`
  const findings = judged.findings.map((finding) =>
    finding.verdict === 'named' && ['port_blocked', 'service_stopped'].includes(finding.cause)
      ? cannotTell(finding.cause, missing, finding)
      : finding,
  )
  return { ...judged, findings }
}

export function judgeReach(known: HostEvidence): ReachJudgement {
  const statement = statementOf(known)
  return corrected(known, statement, judge(known, statement))
}

function judge(known: HostEvidence, statement: Statement | undefined): ReachJudgement {
  const { port } = known
  const stated = statement?.state
  const statedBy = statement === undefined ? [] : [statement.evidence]
  const stopping = isStopping(statement)
  const withService = (inferred: ServiceState): ReachJudgement['service'] =>
    statement === undefined
      ? { state: inferred, source: 'inferred' }
      : { state: statement.state, source: statement.source }

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
    const against = citing(bound)
    const findings = REACH_CAUSES.map((cause) => ruledOut(cause, against))
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

function awaitsLicensing({ host: { windows }, licensing }: HostEvidence): boolean {
  return (windows?.via === 'winrm' || windows?.via === 'local') && licensing === undefined
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
  const evidence = citing(outcomes)
  const open = outcomes.filter(({ listener }) => listener !== undefined)
  const refused = outcomes.filter(
    ({ connectFailure }) => connectFailure === 'connect_refused' || connectFailure === 'connect_reset',
  )
  const alive = signsOfLife(known)
  const verdicts = {
    host_unreachable: ruledOut('host_unreachable', [
      ...citing(open),
      ...citing(refused),
      ...(alive.length > 0 ? alive : statedBy),
    ]),
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
        // A machine on which KMS is not enabled refuses as well, and Windows is about to say whether it is.
        port_blocked:
          refused.length > 0 && awaitsLicensing(known)
            ? cannotTell('port_blocked', 'Windows has not said yet whether KMS is enabled', { for: evidence })
            : named('port_blocked', [...evidence, ...statedBy]),
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
          'Windows Firewall may hide a stopped service behind the same silence; Windows itself would tell (hosts[].windows)',
        ),
      }),
    }
  }

  const silence = silenceOf(known)
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
