// The estate at a glance: how many hosts do not serve, why, and what to do about it, the worst first.
import { domainList, withHosts } from './html-domains.ts'
import {
  candidatesOf,
  chosen,
  filterForm,
  filterHref,
  isFiltered,
  type Candidate,
  type Filter,
} from './html-filter.ts'
import { cell, grouped, h, page, section, table, when, type Site } from './html-frame.ts'
import { countsHtml, headHtml } from './html-glance.ts'
import { hostTable } from './html-hosts.ts'
import { canaryTable } from './html-windows.ts'
import type { Snapshot } from './snapshot.ts'

/** More rows than anybody reads; what is beyond is on the next page. */
const HOSTS_PER_PAGE = 100
const MOST_FAILURES = 10

function pager(current: number, pages: number, filter: Filter, site: Site): string {
  if (pages < 2) return ''
  const link = (to: number, word: string, rel: string): string =>
    to < 1 || to > pages || to === current
      ? `<li><span class="quiet">${word}</span></li>`
      : `<li><a href="${filterHref(filter, { page: to }, site)}"${rel}>${word}</a></li>`
  return `<nav aria-label="Pages of hosts"><ul class="pager">${link(1, 'First', '')}${link(current - 1, 'Previous', ' rel="prev"')}<li>page ${current} of ${pages}</li>${link(current + 1, 'Next', ' rel="next"')}${link(pages, 'Last', '')}</ul></nav>`
}

function hostsHtml(all: readonly Candidate[], filter: Filter, atSeconds: number, site: Site): string {
  const matching = chosen(all, filter)
  const pages = Math.max(1, Math.ceil(matching.length / HOSTS_PER_PAGE))
  const current = Math.min(filter.page, pages)
  const first = (current - 1) * HOSTS_PER_PAGE
  const shown = matching.slice(first, first + HOSTS_PER_PAGE)
  const of = isFiltered(filter)
    ? `${grouped(matching.length)} of ${grouped(all.length)} match`
    : `${grouped(all.length)} in all`
  const range = pages > 1 ? `, ${grouped(first + 1)} to ${grouped(first + shown.length)} shown` : ''
  const rows =
    shown.length === 0 ? '<p class="empty">No host matches.</p>' : hostTable(shown, atSeconds, site)
  return `${filterForm(all, filter, site)}
<p id="matches" class="quiet">${of}${range}, worst first</p>
${rows}
${pager(current, pages, filter, site)}`
}

/** Failures are what people come to read, and a later success would hide them. */
function failureTable({ failures }: Snapshot): string {
  const rows = failures
    .slice(0, MOST_FAILURES)
    .map(
      ({ probe, target, failure, endedAtSeconds }) =>
        `<tr>${cell('Time', when(endedAtSeconds))}${cell('Probe', h(probe))}${cell('Of whom', h(target.key))}${cell('Why', `${h(failure?.reason ?? '')} at ${h(failure?.stage ?? '')}: ${h(failure?.detail ?? '')}`)}</tr>`,
    )
  return table('failures', ['Time', 'Probe', 'Of whom', 'Why'], rows)
}

export function estatePage(snapshot: Snapshot, filter: Filter, site: Site): string {
  const { atSeconds, clients, failures, nothingFound } = snapshot
  const domains = withHosts(snapshot.domains, snapshot.hosts, snapshot.shard)
  const all = candidatesOf(snapshot.hosts)
  const head = headHtml(snapshot, domains, all, site)
  const nothing =
    nothingFound === undefined
      ? ''
      : `<pre class="nothing">${nothingFound.split('\n').map(h).join('\n')}</pre>`
  const shownDomains = filter.domain === '' ? domains : domains.filter(({ name }) => name === filter.domain)
  const body = `${head.html}${nothing}
${
  all.length === 0
    ? ''
    : `${section('glance', 'At a glance', countsHtml(all, filter, site), false)}
${section('hosts', 'Hosts', hostsHtml(all, filter, atSeconds, site))}`
}${section('srv', 'Domains and their SRV records', domainList(shownDomains))}${
    clients.length === 0 ? '' : section('canaries', 'Canary clients', canaryTable(clients))
  }${failures.length === 0 ? '' : section('failures', 'Last failures', failureTable(snapshot))}`
  return page({ title: head.says, within: 'hosts', body, atSeconds }, site)
}
