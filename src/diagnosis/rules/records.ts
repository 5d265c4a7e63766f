// Do the DNS records lead clients to this host? The SRV record: missing, stale, or with the wrong port; and the host's
// own A and AAAA records.
import { sayPublishError } from '../../kms/error-codes.ts'
import { isWhole } from '../../kms/srv.ts'
import type { Evidence, Finding } from '../../model/finding.ts'
import { formatEndpoint } from '../../model/target.ts'
import type { ResultOf } from '../../probes/index.ts'
import type { Cause } from '../causes.ts'
import {
  belongsIn,
  cannotTell,
  cite,
  expects,
  isUninvited,
  named,
  publishedIn,
  ruledOut,
  unanswered,
  type HostEvidence,
} from '../evidence.ts'

const UNKNOWN_NAME = ['resolve_nxdomain', 'resolve_nodata']

/** Whether this resolver gave a whole answer, and the record that its domain should have for the host is not in it. */
export function lacksRecord({ reading, target: { domain } }: ResultOf<'srv'>, known: HostEvidence): boolean {
  if (reading === undefined || !belongsIn(known, domain)) return false
  const { name } = known.host
  return !reading.referral && isWhole(reading) && reading.records.every(({ target }) => target !== name)
}

/** What the host itself says of its record in a domain: why it is missing, or that it should be there. */
function wordOfHost(
  known: HostEvidence,
  domain: string,
): { readonly because: readonly Evidence[]; readonly although: readonly Evidence[] } {
  const { licensing, activity } = known
  const because: Evidence[] = []
  const although: Evidence[] = []
  const published = activity?.reading?.dnsPublishing.find((each) => each.domain === domain)
  if (activity !== undefined && published !== undefined) {
    const { success, code, atSeconds } = published
    const why = code === undefined ? '' : `: ${sayPublishError(code)}`
    if (success) although.push({ ...cite(activity, `the host published itself in ${domain}`), atSeconds })
    else
      because.push({ ...cite(activity, `the host could not publish itself in ${domain}${why}`), atSeconds })
  }
  if (licensing?.reading === undefined) return { because, although }
  const { kms, publishList = [] } = licensing.reading
  if (kms?.service.dnsPublishing === false)
    because.push(cite(licensing, 'publishing is switched off on the host: its record has to be made by hand'))
  // Whether the host publishes in its own domain besides is told differently in Microsoft's documents.
  if (publishList.length > 0 && publishList.every((each) => each.domain !== domain)) {
    const list = publishList.map((each) => each.domain).join(', ')
    because.push(cite(licensing, `the host is told to publish itself in ${list}`))
  } else if (publishedIn(known, domain) !== undefined)
    although.push(cite(licensing, `the host is told to publish itself in ${domain}`))
  return { because, although }
}

/** Records that differ from what the host is told to publish: made by hand, or older than what it is told. */
function otherwisePublished(known: HostEvidence): string | undefined {
  for (const { target, reading } of known.srv) {
    const told = publishedIn(known, target.domain.name)
    if (told === undefined) continue
    const say = ({ priority, weight }: Pick<typeof told, 'priority' | 'weight'>): string =>
      `priority ${priority}, weight ${weight}`
    const other = reading?.records.find(
      (record) => record.target === known.host.name && say(record) !== say(told),
    )
    if (other !== undefined)
      return `the host is told to publish itself in ${told.domain} with ${say(told)}; the record at ${formatEndpoint(target.resolver)} has ${say(other)}`
  }
  return undefined
}

export function judgeMissing(known: HostEvidence): Finding<Cause> {
  const { host, srv } = known
  const cause = 'srv_missing'
  const domains = new Set<string>()
  const absent: Evidence[] = []
  const present: Evidence[] = []
  const silent: Evidence[] = []
  for (const result of srv) {
    const { domain, resolver } = result.target
    const names = result.reading?.records.some(({ target }) => target === host.name) ?? false
    const at = `at ${formatEndpoint(resolver)}`
    if (names) present.push(cite(result, `the record at ${formatEndpoint(resolver)} names the host`))
    else if (!belongsIn(known, domain)) continue
    else if (result.reading === undefined) silent.push(cite(result, unanswered(result)))
    else if (result.reading.referral) silent.push(cite(result, `${at}: a referral, no answer`))
    else if (!lacksRecord(result, known))
      silent.push(cite(result, `${at}: only a part of the records was read`))
    else if (result.reading.records.length > 0)
      absent.push(cite(result, `the records ${at} do not name the host`))
    // A server that fails or refuses says nothing about the record; clients that ask it find no host all the same.
    else absent.push(cite(result, `no SRV record ${at} (${result.reading.rcode})`))
    if (lacksRecord(result, known)) domains.add(domain.name)
  }
  if (absent.length > 0) {
    const words = [...domains].map((domain) => wordOfHost(known, domain))
    const because = words.flatMap((word) => word.because)
    const although = words.flatMap((word) => word.although)
    return named(cause, [...absent, ...because], [...present, ...although])
  }
  if (present.length > 0) {
    const warning = otherwisePublished(known)
    const finding = ruledOut(cause, present)
    return warning === undefined ? finding : { ...finding, warning }
  }
  const missing =
    silent.length > 0 ? 'no resolver gives a whole answer' : 'no watched domain expects the host'
  return cannotTell(cause, missing, { for: silent })
}

export function judgeStale(known: HostEvidence, bound: boolean | undefined): Finding<Cause> {
  const cause = 'srv_stale'
  const { host, port, srv } = known
  const naming = srv.flatMap((result) =>
    result.reading?.records.some(({ target }) => target === host.name)
      ? [cite(result, `the record at ${formatEndpoint(result.target.resolver)} names ${host.name}`)]
      : [],
  )
  if (naming.length === 0) return cannotTell(cause, 'no SRV record names the host')
  if (bound === true && port !== undefined)
    return ruledOut(cause, [cite(port, 'the host that the record names serves')])
  if (!host.discovered || srv.some(({ target: { domain } }) => expects(domain, host))) {
    return ruledOut(
      cause,
      naming.map((each) => ({ ...each, says: 'the configuration expects this host' })),
    )
  }
  const unknownName = port?.failure !== undefined && UNKNOWN_NAME.includes(port.failure.reason)
  if (port?.failure !== undefined && unknownName)
    return named(cause, [...naming, cite(port, unanswered(port))])
  if (port === undefined || bound === undefined)
    return cannotTell(cause, 'it is not known yet whether the host serves', { for: naming })
  if (!isUninvited(known)) {
    return cannotTell(cause, 'no configuration says whether the host should exist (domains[].expect)', {
      for: naming,
    })
  }
  const says = port.reading?.addresses.map((each) => cite(port, `${each.address} ${each.says}`)) ?? []
  return named(cause, [
    ...naming,
    ...says,
    ...naming.map((each) => ({ ...each, says: 'the configuration does not expect this host' })).slice(0, 1),
  ])
}

/** Where the host listens, and who says so; undefined when nobody does. */
function listeningPort(
  { host, port, licensing }: HostEvidence,
  bound: boolean | undefined,
): { readonly port: number; readonly evidence: readonly Evidence[] } | undefined {
  // What answers outdoes what is set, which takes a restart of the service to come true.
  if (bound === true && port !== undefined)
    return host.discovered
      ? undefined
      : { port: host.port, evidence: [cite(port, `the host answers at port ${host.port}`)] }
  const set = licensing?.reading?.kms?.service.listeningPort
  if (licensing !== undefined && set !== undefined)
    return { port: set, evidence: [cite(licensing, `Windows says that the host listens on port ${set}`)] }
  // A discovered host's port is what the record says: there is nothing to compare it with.
  return host.discovered ? undefined : { port: host.port, evidence: [] }
}

export function judgePort(known: HostEvidence, bound: boolean | undefined): Finding<Cause> {
  const cause = 'srv_wrong_port'
  const { host, srv } = known
  const listening = listeningPort(known, bound)
  if (listening === undefined) return cannotTell(cause, 'the port is known from the SRV record only')
  const wrong: Evidence[] = []
  const right: Evidence[] = []
  for (const result of srv) {
    for (const { target, port } of result.reading?.records ?? []) {
      if (target !== host.name) continue
      const says = `the record at ${formatEndpoint(result.target.resolver)} says port ${port}`
      if (port === listening.port) right.push(cite(result, says))
      else wrong.push(cite(result, `${says}; the host listens on ${listening.port}`))
    }
  }
  if (wrong.length > 0) return named(cause, [...wrong, ...listening.evidence], right)
  return right.length > 0 ? ruledOut(cause, right) : cannotTell(cause, 'no SRV record names the host')
}

/** Resolvers of the domains that say other addresses of the host than the configuration. */
function ledElsewhere({ host, srv }: HostEvidence): readonly Evidence[] {
  const { addresses } = host
  if (addresses === undefined) return []
  return srv.flatMap((result) => {
    const said = result.reading?.targets.get(host.name)?.addresses ?? []
    if (said.every((address) => addresses.includes(address))) return []
    const at = formatEndpoint(result.target.resolver)
    return [cite(result, `${at} says ${said.join(', ')}; the configuration says ${addresses.join(', ')}`)]
  })
}

export function judgeHostRecord(known: HostEvidence, bound: boolean | undefined): Finding<Cause> {
  const cause = 'host_record_wrong'
  const { host, port, srv } = known
  if (port === undefined) return cannotTell(cause, 'the host has not been asked for yet')
  const unresolved = port.failure ?? port.reading?.resolveFailure
  if (unresolved !== undefined && UNKNOWN_NAME.includes(unresolved.reason)) {
    const evidence = [cite(port, `${unresolved.reason}: ${unresolved.detail}`)]
    const namedBySrv = srv.some(({ reading }) => reading?.records.some(({ target }) => target === host.name))
    return host.discovered && namedBySrv
      ? cannotTell(cause, 'the SRV record that names the host may be stale', { for: evidence })
      : named(cause, evidence)
  }
  if (port.reading === undefined || unresolved !== undefined) {
    // That a resolver is silent now takes nothing back of what it said where the SRV records led.
    const evidence = ledElsewhere(known)
    if (evidence.length > 0) return named(cause, evidence)
    return cannotTell(cause, port.failure ? unanswered(port) : 'the name could not be resolved')
  }
  const inDns = port.reading.addresses.filter((each) => each.inDns === true)
  if (inDns.length === 0) return cannotTell(cause, 'the address is configured: no record is used')
  if (host.addresses === undefined) {
    return bound === true
      ? ruledOut(cause, [cite(port, 'a KMS host answers at an address that DNS gives')])
      : cannotTell(cause, 'no addresses are configured to compare the records with (hosts[].addresses)')
  }
  const listed = inDns.map(({ address }) => address).join(', ')
  const absent = port.reading.addresses.filter((each) => each.inDns === false)
  const should = host.addresses.join(', ')
  const evidence: Evidence[] = []
  if (inDns.some(({ expected }) => expected === false) || absent.length > 0) {
    evidence.push(cite(port, `DNS says ${listed}; the configuration says ${should}`))
  }
  evidence.push(...ledElsewhere(known))
  return evidence.length > 0
    ? named(cause, evidence)
    : ruledOut(cause, [cite(port, `DNS says ${listed}, as configured`)])
}
