// What is right and wrong about a `_vlmcs._tcp` answer: RFC 2782, and what KMS clients make of it. Pure.
import { isIP } from 'node:net'
import type { Reason } from '../model/failure.ts'
import { clientErrorOfLookup, type ClientErrorCode } from './error-codes.ts'
import { SRV_TTL_SECONDS } from './thresholds.ts'

export interface SrvRecord {
  /** Lower case, no trailing dot; `.` for the root, which says "not offered here" (RFC 2782). */
  readonly target: string
  readonly port: number
  readonly priority: number
  readonly weight: number
  readonly ttlSeconds: number
}

export interface SrvTargetLookup {
  readonly addresses: readonly string[]
  /** The target is a CNAME, which RFC 2782 forbids and Windows mostly follows. */
  readonly alias: boolean
  /**
   * Why there is no address, or only those of one family. `resolve_timeout` and the like mean that it was not
   * answered, not that there is none.
   */
  readonly failure?: Reason
}

export interface SrvAnswer {
  readonly rcode: string
  readonly records: readonly SrvRecord[]
  /** How many there were before ours were cut to a bounded number. */
  readonly recordCount: number
  /** NOERROR, nothing answered, another server named instead: no answer about the record at all (RFC 1034 4.3.2). */
  readonly referral: boolean
  readonly truncatedWithoutTcp: boolean
  /** A record stands under `_v1mcs`, with a digit one: two published tutorials misprint it so. */
  readonly misspelt: boolean
  readonly targets: ReadonlyMap<string, SrvTargetLookup>
}

/** Whether `records` are all there are: what was cut off is unknown, not absent. */
export function isWhole({ records, recordCount, truncatedWithoutTcp }: SrvAnswer): boolean {
  return records.length === recordCount && !truncatedWithoutTcp
}

export interface SrvExpectation {
  readonly expect: readonly {
    readonly target: string
    readonly port?: number | undefined
    readonly priority?: number | undefined
    readonly weight?: number | undefined
  }[]
  /** `expect` is the whole list. */
  readonly exact: boolean
  readonly addresses: ReadonlyMap<string, readonly string[]>
}

export const SRV_FINDINGS = {
  no_record: ['error', 'no SRV record: a client finds no host at all'],
  misspelt_owner_name: ['error', 'the record stands under _v1mcs (digit one) instead of _vlmcs'],
  missing_target: ['error', 'an expected host is not named'],
  unexpected_target: ['error', 'a host is named that nobody expects: stale or rogue'],
  wrong_port: ['error', 'the record names another port than the expected one'],
  wrong_priority: ['error', 'the record has another priority than the expected one'],
  wrong_weight: ['error', 'the record has another weight than the expected one'],
  null_target: ['error', 'the target is the root: the service is declared as not available (RFC 2782)'],
  target_is_address: ['error', 'the target is an IP address where a name must stand'],
  target_unresolvable: ['error', 'the target has neither an A nor an AAAA record'],
  address_mismatch: ['error', 'the target has other addresses than the configured ones'],
  truncated_without_tcp: ['error', 'the answer does not fit UDP, and TCP does not answer'],
  target_is_alias: ['warning', 'the target is a CNAME, which RFC 2782 forbids'],
  target_not_fqdn: ['warning', 'the target is a single label: it depends on the search list of the client'],
  duplicate_record: ['warning', 'the same target and port stand there twice'],
  ttl_out_of_range: ['warning', 'the TTL is 0 or longer than a day'],
  zero_weight_among_others: [
    'warning',
    'weight 0 beside greater ones at the same priority is hardly ever chosen',
  ],
} as const satisfies Record<string, readonly ['error' | 'warning', string]>

export type SrvFindingKind = keyof typeof SRV_FINDINGS

export interface SrvFinding {
  readonly kind: SrvFindingKind
  readonly severity: 'error' | 'warning'
  /** What it is about: a target, or the owner name. */
  readonly subject: string
  readonly says: string
}

/** Everything wrong with this answer, in the order of SRV_FINDINGS within each record. */
export function checkSrv(
  answer: SrvAnswer,
  { expect, exact, addresses }: SrvExpectation,
): readonly SrvFinding[] {
  const findings: SrvFinding[] = []
  const find = (kind: SrvFindingKind, subject: string, detail = ''): void => {
    const [severity, meaning] = SRV_FINDINGS[kind]
    findings.push({ kind, severity, subject, says: detail === '' ? meaning : `${meaning}: ${detail}` })
  }
  const named = new Set(answer.records.map((record) => record.target))
  const expected = new Map(expect.map((expectation) => [expectation.target, expectation]))

  const whole = isWhole(answer)
  // An empty list of expectations that is complete wants no record.
  const noneWanted = exact && expect.length === 0
  if (whole && !noneWanted && answer.records.length === 0)
    find('no_record', '', answer.referral ? 'a referral' : answer.rcode)
  if (answer.misspelt) find('misspelt_owner_name', '')
  if (answer.truncatedWithoutTcp) find('truncated_without_tcp', '')
  // What was cut off may have named it.
  if (whole) for (const target of expected.keys()) if (!named.has(target)) find('missing_target', target)

  const seen = new Set<string>()
  for (const record of answer.records) {
    const { target } = record
    const wanted = expected.get(target)
    if (target === '.') find('null_target', target)
    else if (isIP(target) !== 0) find('target_is_address', target)
    else if (!target.includes('.')) find('target_not_fqdn', target)
    if (wanted === undefined && exact && target !== '.') find('unexpected_target', target)
    for (const field of ['port', 'priority', 'weight'] as const) {
      const want = wanted?.[field]
      if (want !== undefined && want !== record[field])
        find(`wrong_${field}`, target, `${record[field]}, not ${want}`)
    }
    if (record.ttlSeconds < SRV_TTL_SECONDS.least || record.ttlSeconds > SRV_TTL_SECONDS.most) {
      find('ttl_out_of_range', target, `${record.ttlSeconds} s`)
    }
    const peers = answer.records.filter((other) => other.priority === record.priority)
    if (record.weight === 0 && peers.some((other) => other.weight > 0))
      find('zero_weight_among_others', target)
    const place = `${target}:${record.port}`
    if (seen.has(place)) find('duplicate_record', target, `port ${record.port}`)
    seen.add(place)
  }

  for (const [target, lookup] of answer.targets) {
    if (lookup.alias) find('target_is_alias', target)
    if (lookup.failure === 'resolve_nxdomain' || lookup.failure === 'resolve_nodata') {
      find(
        'target_unresolvable',
        target,
        lookup.failure === 'resolve_nxdomain' ? 'NXDOMAIN' : 'no address record',
      )
    }
    const wanted = addresses.get(target)
    if (wanted !== undefined && lookup.failure === undefined && !sameSet(wanted, lookup.addresses)) {
      find('address_mismatch', target, `${lookup.addresses.join(', ')}, not ${wanted.join(', ')}`)
    }
  }
  return findings
}

/** Which findings this answer and these expectations can tell at all; of the others neither presence nor absence is known. */
export function tellable(
  answer: SrvAnswer,
  { expect, exact, addresses }: SrvExpectation,
): ReadonlySet<SrvFindingKind> {
  const kinds = new Set(Object.keys(SRV_FINDINGS) as SrvFindingKind[])
  const whole = isWhole(answer)
  if (!whole) kinds.delete('no_record')
  if (!whole || expect.length === 0) kinds.delete('missing_target')
  if (!exact) kinds.delete('unexpected_target')
  for (const field of ['port', 'priority', 'weight'] as const) {
    if (expect.every((expectation) => expectation[field] === undefined)) kinds.delete(`wrong_${field}`)
  }
  if (addresses.size === 0) kinds.delete('address_mismatch')
  return kinds
}

/** Answers, all of them, to the question for a target's addresses: clients get no other. */
const NO_ADDRESS: readonly Reason[] = [
  'resolve_nxdomain',
  'resolve_nodata',
  'resolve_servfail',
  'resolve_refused',
]

function hasNoAddress({ addresses, failure }: SrvTargetLookup): boolean {
  return addresses.length === 0 && (failure === undefined || NO_ADDRESS.includes(failure))
}

/**
 * The error that a client shows which has only this answer to go by; undefined when it finds a host, or when that is
 * not known because nobody answered for a target.
 */
export function clientErrorOf(answer: SrvAnswer): ClientErrorCode | undefined {
  if (answer.referral || (!isWhole(answer) && answer.records.length === 0)) return undefined
  const usable = answer.records.filter(({ target }) => target !== '.')
  const code = clientErrorOfLookup(answer.rcode, usable.length)
  if (code !== undefined || answer.rcode !== 'NOERROR') return code
  const lost = usable.every(({ target }) => {
    const lookup = answer.targets.get(target)
    return lookup !== undefined && hasNoAddress(lookup)
  })
  return lost ? '0xC004F074' : undefined
}

/** One answer's records as a comparable value: order and TTL do not count. */
export function recordSet(records: readonly SrvRecord[]): string {
  return [...new Set(records.map((r) => `${r.target} ${r.port} ${r.priority} ${r.weight}`))]
    .toSorted()
    .join('\n')
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const left = new Set(a)
  const right = new Set(b)
  return left.size === right.size && [...left].every((item) => right.has(item))
}

export function ownerName(domain: string): string {
  return `_vlmcs._tcp.${domain}`
}

export function misspeltOwnerName(domain: string): string {
  return `_v1mcs._tcp.${domain}`
}
