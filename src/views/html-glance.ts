// The estate in one look: the headline, what else is not well, and how many hosts are in which state and for which cause.
import { CAUSES } from '../diagnosis/causes.ts'
import { isMisrecorded, isUnserved, type DomainWithHosts } from './html-domains.ts'
import {
  filterHref,
  filterOf,
  STANDING_WORDS,
  STANDINGS,
  tally,
  type Candidate,
  type Filter,
  type Standing,
} from './html-filter.ts'
import { grouped, h, type Site, type Tone } from './html-frame.ts'
import { isCanaryTroubled } from './html-windows.ts'
import type { Snapshot } from './snapshot.ts'

/** Of domains in one line. */
const MOST_NAMED = 3

type Counts = ReadonlyMap<Standing, number>

function countsOf(all: readonly Candidate[]): Counts {
  return new Map(tally(all.map(({ standing }) => standing)))
}

function headline(all: readonly Candidate[]): { readonly tone: Tone; readonly says: string } {
  const counts = countsOf(all)
  const total = all.length
  const down = counts.get('not_serving') ?? 0
  const unknown = counts.get('unknown') ?? 0
  const hosts = total === 1 ? 'KMS host' : 'KMS hosts'
  if (total === 0) return { tone: 'unknown', says: 'No KMS host is known' }
  if (down > 0)
    return {
      tone: 'bad',
      says: `${grouped(down)} of ${grouped(total)} ${hosts} ${down === 1 ? 'does' : 'do'} not serve`,
    }
  if (unknown > 0)
    return {
      tone: 'unknown',
      says: `Cannot tell whether ${grouped(unknown)} of ${grouped(total)} ${hosts} ${unknown === 1 ? 'serves' : 'serve'}`,
    }
  return { tone: 'good', says: total === 1 ? 'The KMS host serves' : `All ${grouped(total)} KMS hosts serve` }
}

function plural(count: number, one: string, many: string): string {
  return `${grouped(count)} ${count === 1 ? one : many}`
}

/** What the hosts' states do not say. */
function besides(
  { clients }: Snapshot,
  domains: readonly DomainWithHosts[],
  all: readonly Candidate[],
  site: Site,
): readonly string[] {
  const warned = all.filter(({ standing }) => standing === 'warning').length
  const misrecorded = domains.filter(isMisrecorded).length
  const unserved = domains.filter(isUnserved).map(({ name }) => name)
  const troubledCanaries = clients.filter(isCanaryTroubled).length
  const isClockWrong = all.some(({ causes }) => causes.includes('exporter_clock_wrong'))
  const named = unserved.slice(0, MOST_NAMED).map(h).join(', ')
  const more = unserved.length - MOST_NAMED
  const others = more > 0 ? ` and ${plural(more, 'more domain', 'more domains')}` : ''
  const { title, remedy } = CAUSES.exporter_clock_wrong
  const warnedHref = filterHref(filterOf(''), { state: 'warning' }, site)
  const lines: readonly (readonly [isSo: boolean, html: string])[] = [
    [unserved.length > 0, `<a class="bad" href="#srv">No KMS host serves ${named}${others}</a>`],
    [isClockWrong, h(`${title}. ${remedy}`)],
    [
      warned > 0,
      `<a href="${warnedHref}">${plural(warned, 'host serves', 'hosts serve')}, with a warning</a>`,
    ],
    [
      misrecorded > 0,
      `<a href="#srv">${plural(misrecorded, 'domain has', 'domains have')} wrong or differing SRV records</a>`,
    ],
    [
      troubledCanaries > 0,
      `<a href="#canaries">${plural(troubledCanaries, 'canary client is', 'canary clients are')} not well</a>`,
    ],
  ]
  return lines.flatMap(([isSo, html]) => (isSo ? [html] : []))
}

const TONES: Readonly<Record<Standing, Tone>> = {
  not_serving: 'bad',
  unknown: 'unknown',
  warning: 'warning',
  serving: 'good',
}

function tiles(counts: Counts, filter: Filter, site: Site): string {
  const items = STANDINGS.map((each) => {
    const count = counts.get(each) ?? 0
    const isHere = filter.state === each
    const href = filterHref(filter, { state: isHere ? '' : each }, site)
    return `<li><a class="tile ${count === 0 ? 'none' : TONES[each]}" href="${href}"${isHere ? ' aria-current="true"' : ''}><b>${grouped(count)}</b> ${STANDING_WORDS[each]}</a></li>`
  })
  return `<ul class="tiles">${items.join('')}</ul>`
}

function chips(all: readonly Candidate[], filter: Filter, site: Site): string {
  const items = tally(all.flatMap(({ causes }) => causes)).map(([cause, count]) => {
    const isHere = filter.cause === cause
    const href = filterHref(filter, { cause: isHere ? '' : cause }, site)
    return `<li><a class="chip" href="${href}"${isHere ? ' aria-current="true"' : ''}>${h(CAUSES[cause].title)} <b>${grouped(count)}</b></a></li>`
  })
  return items.length === 0 ? '' : `<ul class="chips" aria-label="By cause">${items.join('')}</ul>`
}

/** `says`: what the page is called, too. Green only when nothing else is amiss either. */
export function headHtml(
  snapshot: Snapshot,
  domains: readonly DomainWithHosts[],
  all: readonly Candidate[],
  site: Site,
): { readonly says: string; readonly html: string } {
  const { tone, says: what } = headline(all)
  const says = snapshot.shard === undefined ? what : `Shard ${h(snapshot.shard)}: ${what}`
  const items = besides(snapshot, domains, all, site).map((each) => `<li>${each}</li>`)
  const heading = `<h1 class="headline ${tone === 'good' && items.length > 0 ? 'warning' : tone}">${says}</h1>`
  return {
    says,
    html: items.length === 0 ? heading : `${heading}\n<ul class="besides">${items.join('')}</ul>`,
  }
}

export function countsHtml(all: readonly Candidate[], filter: Filter, site: Site): string {
  return `${tiles(countsOf(all), filter, site)}${chips(all, filter, site)}`
}
