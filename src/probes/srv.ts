// Will a client find the host? Asks one resolver for `_vlmcs._tcp.<domain>`, as a client does, and then for the
// addresses of every target, always explicitly: some servers fill in the additional section, others do not.
import type { Domain } from '../config/targets.ts'
import { addressesOf, namesOf, rcodeReason, type Addresses, type DnsAnswer } from '../io/dns.ts'
import { checkSrv, clientErrorOf, misspeltOwnerName, ownerName, SRV_FINDINGS, tellable } from '../kms/srv.ts'
import type { SrvAnswer, SrvFindingKind, SrvRecord, SrvTargetLookup } from '../kms/srv.ts'
import { MalformedMessage, ProbeFailure, type Reason } from '../model/failure.ts'
import { formatEndpoint, type Endpoint, type Target } from '../model/target.ts'
import type { Probe, Visit } from './probe.ts'

export interface SrvReading extends SrvAnswer {
  readonly authoritative: boolean
  /** The answer came over TCP, after a truncated one. */
  readonly overTcp: boolean
  readonly lookupSeconds: number
}

export interface SrvTarget extends Target {
  readonly domain: Domain
  readonly resolver: Endpoint
}

/** An estate has a handful of KMS hosts; what a hostile or broken zone lists beyond this is counted, not followed. */
const MOST_RECORDS = 64
const MOST_ADDRESSES_PER_TARGET = 16

/** Those of the name asked for, or of what it is an alias of; beside an error there are none. */
function recordsOf({ reply }: DnsAnswer, owner: string): readonly SrvRecord[] {
  if (reply.rcode !== 'NOERROR') return []
  const names = namesOf(reply, owner)
  const own = reply.srv.filter(({ name }) => names.has(name))
  return own.map(({ target, port, priority, weight, ttlSeconds }) => ({
    target,
    port,
    priority,
    weight,
    ttlSeconds,
  }))
}

/** Why a reply without an address does not mean that there is none; undefined when it does. */
function whyUntold({ reply, tcpFailure }: DnsAnswer): Reason | undefined {
  if (reply.referral) return 'resolve_refused'
  return tcpFailure === undefined ? rcodeReason(reply.rcode) : 'resolve_timeout'
}

async function lookUpTarget(target: string, resolver: Endpoint, visit: Visit): Promise<SrvTargetLookup> {
  let answers: Addresses
  try {
    answers = await visit.io.dns.lookUp(resolver, target, visit.deadline)
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    // A target that cannot even be asked for: a label too long, an empty one.
    return { addresses: [], alias: false, failure: 'resolve_nxdomain' }
  }
  const found = new Set<string>()
  let alias = false
  let failure: Reason | undefined
  for (const told of answers) {
    // Half an answer is kept beside the reason for the other half.
    failure ??= told instanceof ProbeFailure ? told.reason : whyUntold(told)
    if (told instanceof ProbeFailure) continue
    alias ||= told.reply.aliases.some(({ name }) => name === target)
    for (const address of addressesOf(told.reply, target)) found.add(address)
  }
  const addresses = [...found].toSorted().slice(0, MOST_ADDRESSES_PER_TARGET)
  failure ??= addresses.length > 0 ? undefined : 'resolve_nodata'
  return failure === undefined ? { addresses, alias } : { addresses, alias, failure }
}

async function isMisspelt(domain: Domain, resolver: Endpoint, visit: Visit): Promise<boolean> {
  try {
    const question = { name: misspeltOwnerName(domain.name), type: 'SRV' } as const
    const { reply } = await visit.io.dns.ask(resolver, question, visit.deadline)
    return reply.srv.length > 0
  } catch (error) {
    if (error instanceof ProbeFailure) return false
    throw error
  }
}

export const srv: Probe<'srv', SrvTarget, SrvReading> = {
  name: 'srv',
  question: 'Will a client of this domain find its KMS hosts through this resolver?',
  stages: ['lookup', 'targets'],
  identity: ['domain', 'resolver'],

  targets: ({ domains }) =>
    domains.flatMap((domain) =>
      domain.resolvers.map((resolver) => ({
        key: `${domain.name} @ ${formatEndpoint(resolver)}`,
        labels: { domain: domain.name, resolver: formatEndpoint(resolver) },
        schedule: domain.probe.schedule,
        timeoutSeconds: domain.probe.timeout,
        group: formatEndpoint(resolver),
        domain,
        resolver,
      })),
    ),

  async measure({ domain, resolver }, visit) {
    visit.enter('lookup')
    const owner = ownerName(domain.name)
    const answer = await visit.io.dns.ask(resolver, { name: owner, type: 'SRV' }, visit.deadline)
    const all = recordsOf(answer, owner)
    const records = all.slice(0, MOST_RECORDS)
    visit.enter('targets')
    const names = [...new Set(records.map(({ target }) => target))].filter((target) => target !== '.')
    const [misspelt, ...lookups] = await Promise.all([
      all.length === 0 ? isMisspelt(domain, resolver, visit) : false,
      ...names.map((name) => lookUpTarget(name, resolver, visit)),
    ])
    return {
      rcode: answer.reply.rcode,
      authoritative: answer.reply.authoritative,
      referral: answer.reply.referral,
      overTcp: answer.truncated && answer.tcpFailure === undefined,
      truncatedWithoutTcp: answer.tcpFailure !== undefined,
      records,
      recordCount: all.length,
      misspelt,
      targets: new Map(names.map((name, index) => [name, lookups[index] ?? { addresses: [], alias: false }])),
      lookupSeconds: answer.seconds,
    }
  },

  metrics: [
    {
      name: 'winkms_srv_lookup_success',
      type: 'gauge',
      help: 'Whether the resolver gave at least one SRV record for _vlmcs._tcp of the domain.',
      labels: ['domain', 'resolver'],
      samples: ({ records }, emit) => emit(records.length > 0),
    },
    {
      name: 'winkms_srv_correct',
      type: 'gauge',
      help: 'Whether nothing of severity error was found in the answer.',
      labels: ['domain', 'resolver'],
      samples: (reading, emit, { domain }) =>
        emit(checkSrv(reading, domain).every(({ severity }) => severity !== 'error')),
    },
    {
      name: 'winkms_srv_findings',
      type: 'gauge',
      help: `How often something was found wrong in the answer; absent where the configuration gives nothing to compare with. One of ${Object.keys(SRV_FINDINGS).join(', ')}.`,
      labels: ['domain', 'resolver', 'finding'],
      samples: (reading, emit, { domain }) => {
        const counts = new Map<SrvFindingKind, number>()
        for (const kind of tellable(reading, domain)) counts.set(kind, 0)
        for (const { kind } of checkSrv(reading, domain)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
        for (const [kind, count] of counts) emit(count, kind)
      },
    },
    {
      name: 'winkms_srv_records',
      type: 'gauge',
      help: `How many SRV records the answer holds; at most ${MOST_RECORDS} of them are followed and shown.`,
      labels: ['domain', 'resolver'],
      samples: ({ recordCount }, emit) => emit(recordCount),
    },
    {
      name: 'winkms_srv_record_info',
      type: 'gauge',
      help: 'One a record, always 1.',
      labels: ['domain', 'resolver', 'target', 'port', 'priority', 'weight'],
      samples: ({ records }, emit) => {
        const seen = new Set<string>()
        for (const { target, port, priority, weight } of records) {
          const values = [target, `${port}`, `${priority}`, `${weight}`] as const
          if (!seen.has(values.join(' '))) emit(1, ...values)
          seen.add(values.join(' '))
        }
      },
    },
    {
      name: 'winkms_srv_record_ttl_seconds',
      type: 'gauge',
      help: 'The shortest TTL among the records that name the target.',
      labels: ['domain', 'resolver', 'target'],
      samples: ({ records }, emit) => {
        const shortest = new Map<string, number>()
        for (const { target, ttlSeconds } of records) {
          shortest.set(target, Math.min(ttlSeconds, shortest.get(target) ?? Infinity))
        }
        for (const [target, seconds] of shortest) emit(seconds, target)
      },
    },
    {
      name: 'winkms_srv_target_address_info',
      type: 'gauge',
      help: 'One an address of a target, as this resolver has it; always 1.',
      labels: ['domain', 'resolver', 'target', 'address'],
      samples: ({ targets }, emit) => {
        for (const [target, { addresses }] of targets)
          for (const address of addresses) emit(1, target, address)
      },
    },
    {
      name: 'winkms_srv_lookup_duration_seconds',
      type: 'gauge',
      help: 'From the query for the SRV records to the whole answer, over TCP too where that was needed.',
      labels: ['domain', 'resolver'],
      samples: ({ lookupSeconds }, emit) => emit(lookupSeconds),
    },
    {
      name: 'winkms_srv_client_error_info',
      type: 'gauge',
      help: 'The error that clients of this resolver show; present, as 1, only while they find no host.',
      labels: ['domain', 'resolver', 'code'],
      samples: (reading, emit) => {
        const code = clientErrorOf(reading)
        if (code !== undefined) emit(1, code)
      },
    },
  ],
}
