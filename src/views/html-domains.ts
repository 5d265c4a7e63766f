// Each watched domain: whether a host serves it, what DNS says, resolver by resolver, and whether the resolvers agree. The
// worst first.
import { checkSrv, clientErrorOf } from '../kms/srv.ts'
import type { ResultOf } from '../probes/index.ts'
import { badge, grouped, h, when } from './html-frame.ts'
import { escapeHtml } from './printable.ts'
import type { DomainView, HostView } from './snapshot.ts'

const MOST_DOMAINS = 50
const MOST_RECORDS = 6
const MOST_FINDINGS = 10

function isWrong({ reading, target }: ResultOf<'srv'>): boolean {
  return (
    reading !== undefined && checkSrv(reading, target.domain).some(({ severity }) => severity === 'error')
  )
}

/** The hosts that a domain expects, or that its records name. */
interface Served {
  readonly serving: number
  readonly unknown: number
  readonly all: number
  /** These are only those of a shard: nobody here knows whether others serve. */
  readonly shard: string | undefined
}

export type DomainWithHosts = DomainView & { readonly served: Served }

export function withHosts(
  domains: readonly DomainView[],
  hosts: readonly HostView[],
  shard?: string,
): readonly DomainWithHosts[] {
  const counts = new Map(domains.map(({ name }) => [name, { serving: 0, unknown: 0, all: 0, shard }]))
  for (const { diagnosis } of hosts) {
    for (const domain of diagnosis.domains) {
      const count = counts.get(domain)
      if (count === undefined) continue
      count.all += 1
      if (diagnosis.serving === true) count.serving += 1
      if (diagnosis.serving === undefined) count.unknown += 1
    }
  }
  return domains.map((each) => ({
    ...each,
    served: counts.get(each.name) ?? { serving: 0, unknown: 0, all: 0, shard },
  }))
}

export function isUnserved({ served: { serving, unknown, all, shard } }: DomainWithHosts): boolean {
  return shard === undefined && all > 0 && serving === 0 && unknown === 0
}

function servedHtml(domain: DomainWithHosts): string {
  const { serving, unknown, all, shard } = domain.served
  if (shard !== undefined) {
    const ours = all === 0 ? 'none of its hosts is' : `${grouped(serving)} of ${grouped(all)} serve`
    return `<p>${ours} in shard ${h(shard)}; other shards may have more</p>`
  }
  if (all === 0) return '<p class="quiet">no host is known for it</p>'
  if (isUnserved(domain)) return `<p>${badge('bad', 'no host serves it')} of ${grouped(all)}</p>`
  if (serving === 0)
    return `<p>${badge('unknown', 'cannot tell')} whether a host serves it: nothing is known of ${grouped(unknown)} of ${grouped(all)}</p>`
  return `<p>${grouped(serving)} of ${grouped(all)} ${all === 1 ? 'host serves' : 'hosts serve'} it</p>`
}

/** 0 the worst. */
function rankOf(domain: DomainWithHosts): number {
  const { consistent, results } = domain
  if (isUnserved(domain)) return -1
  if (results.some(isWrong)) return 0
  if (consistent === false) return 1
  return results.length === 0 || results.some(({ failure }) => failure !== undefined) ? 2 : 3
}

/** What DNS says of it is wrong, or not the same everywhere. */
export function isMisrecorded({ consistent, results }: DomainView): boolean {
  return consistent === false || results.some(isWrong)
}

function recordsHtml({ reading }: ResultOf<'srv'>): string {
  const records = reading?.records ?? []
  if (records.length === 0) return ''
  const shown = records.slice(0, MOST_RECORDS).map(({ target, port }) => `${h(target)}:${port}`)
  const more = records.length - shown.length
  return `<small class="quiet">${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}</small>`
}

function answerHtml(result: ResultOf<'srv'>): string {
  const { reading, failure, target } = result
  if (failure !== undefined)
    return `${badge('unknown', 'no answer')} ${h(failure.reason)}: ${h(failure.detail)}`
  const findings = checkSrv(reading, target.domain)
  const word = findings.some(({ severity }) => severity === 'error')
    ? badge('bad', 'wrong')
    : badge('good', 'correct')
  const code = clientErrorOf(reading)
  const clients = code === undefined ? '' : `; clients see <code>${code}</code>`
  const count = `${grouped(reading.recordCount)} ${reading.recordCount === 1 ? 'record' : 'records'}`
  const items = findings
    .slice(0, MOST_FINDINGS)
    .map(({ subject, severity, says }) => `<li>${severity}: ${h(subject)} ${h(says)}</li>`)
  const more = findings.length - items.length
  if (more > 0) items.push(`<li>and ${grouped(more)} more</li>`)
  return `${word} ${count} (${h(reading.rcode)})${clients} ${recordsHtml(result)}${
    items.length === 0 ? '' : `<ul class="evidence">${items.join('')}</ul>`
  }`
}

function agreement({ consistent }: DomainView): string {
  if (consistent === undefined)
    return '<small class="quiet">fewer than two resolvers answer: nothing to compare</small>'
  return consistent ? badge('good', 'resolvers agree') : badge('bad', 'resolvers disagree')
}

function domainItem(domain: DomainWithHosts): string {
  const answers = domain.results.map(
    (result) =>
      `<div><dt>${h(result.target.labels['resolver'] ?? '')}</dt><dd>${answerHtml(result)} <small class="quiet">${when(result.endedAtSeconds)}</small></dd></div>`,
  )
  const body = answers.length === 0 ? '<p>not asked yet</p>' : `<dl>${answers.join('')}</dl>`
  return `<li data-key="${escapeHtml(`domain ${domain.name}`)}"><h3>${h(domain.name)} ${agreement(domain)}</h3>${servedHtml(domain)}${body}</li>`
}

export function domainList(domains: readonly DomainWithHosts[]): string {
  if (domains.length === 0) return '<p class="quiet">No domain is watched.</p>'
  const ranks = new Map(domains.map((each) => [each, rankOf(each)]))
  const rank = (domain: DomainWithHosts): number => ranks.get(domain) ?? 0
  const worst = domains.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
  const items = worst.slice(0, MOST_DOMAINS).map(domainItem)
  const more = worst.length - items.length
  return `<ul class="cards">${items.join('\n')}</ul>${more > 0 ? `<p>And ${grouped(more)} more that are no worse: choose one above, or read <code>/api/v1/hosts</code>.</p>` : ''}`
}
