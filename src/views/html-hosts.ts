// The hosts of an estate as rows, worst first: state, cause and remedy, and the few numbers that one looks for.
import { countOf, slowest } from '../engine/history.ts'
import { sayInterval } from '../diagnosis/rules/clock.ts'
import { LEVELS } from '../kms/levels.ts'
import { CLIENT_THRESHOLD } from '../kms/thresholds.ts'
import { midpoint } from '../model/interval.ts'
import { causesInShort } from './html-cause.ts'
import { labelsOf, type Candidate } from './html-filter.ts'
import {
  badge,
  cell,
  grouped,
  h,
  hostHref,
  lasting,
  milliseconds,
  nameHtml,
  servingBadge,
  table,
  when,
  type Site,
  type Tone,
} from './html-frame.ts'
import { sparkline, summaryOf } from './plot.ts'
import { escapeHtml } from './printable.ts'
import { resultOf, type HostView } from './snapshot.ts'

const UNKNOWN = '<span class="quiet">not known</span>'

/** `tone` undefined: nothing to remark on. What is remarked on says so in a word as well. */
function toned(tone: Tone | undefined, html: string, word = ''): string {
  if (tone === undefined) return html
  return `<strong class="${tone}">${html}</strong>${word === '' ? '' : ` <small class="${tone}">${word}</small>`}`
}

function isNamed({ diagnosis }: HostView, cause: string): boolean {
  return diagnosis.findings.some((finding) => finding.cause === cause && finding.verdict === 'named')
}

function serviceHtml({ diagnosis: { service } }: HostView): string {
  const state = h(service.state.replaceAll('_', ' '))
  const tone = service.state === 'stopped' ? 'bad' : undefined
  return service.state === 'unknown'
    ? UNKNOWN
    : `${toned(tone, state)} <small class="quiet">${h(service.source.replaceAll('_', ' '))}</small>`
}

export function clockHtml(host: HostView): string {
  const { drift } = host.diagnosis
  if (drift === undefined) return UNKNOWN
  const said = h(sayInterval(drift))
    .replaceAll(/ (ms|s|min|h)\b/g, '\u00a0$1')
    .replace('± ', '±\u00a0')
  if (isNamed(host, 'clock_skew')) return toned('bad', said, 'too far off')
  return Math.abs(midpoint(drift)) >= LEVELS.driftSeconds.warning
    ? toned('warning', said, 'far off')
    : `<span>${said}</span>`
}

function countHtml(host: HostView): string {
  const count = countOf(resultOf(host.results, 'licensing')?.reading?.kms)
  if (count === undefined) return UNKNOWN
  const { clients, required } = count
  const needs = required === undefined ? '' : ` <small class="quiet">${required} required</small>`
  if (isNamed(host, 'count_below_threshold')) return `${toned('bad', grouped(clients), 'too few')}${needs}`
  const kind = required === undefined || required < CLIENT_THRESHOLD ? 'servers' : 'clients'
  const isNear = clients < LEVELS.count[kind].warning
  return `${toned(isNear ? 'warning' : undefined, grouped(clients), 'few')}${needs}`
}

function latencyHtml({ results, trail }: HostView): string {
  const port = resultOf(results, 'port')
  const now = slowest(port, 'bindSeconds')
  const values = trail?.()?.values.bindSeconds
  const summary = values && summaryOf(values)
  const said = now === undefined ? UNKNOWN : `<span class="number">${milliseconds(now)}</span>`
  if (values === undefined || summary === undefined) return said
  const label = `bind latency of the last hours: median ${milliseconds(summary.median)}, most ${milliseconds(summary.most)}`
  return `${said} ${sparkline(values, label)}`
}

function hostHtml(host: HostView, site: Site): string {
  const { name, discovered } = host.diagnosis.host
  const tags = labelsOf(host).map((label) => `<li>${h(label)}</li>`)
  if (discovered) tags.unshift('<li>found in DNS</li>')
  return `<a class="name" href="${hostHref(name, site)}">${nameHtml(name)}</a>${tags.length === 0 ? '' : `<ul class="tags">${tags.join('')}</ul>`}`
}

function hostRow({ host, standing }: Candidate, atSeconds: number, site: Site): string {
  const { diagnosis, sinceSeconds } = host
  return `<tr data-key="${escapeHtml(`host ${diagnosis.host.name}`)}" data-state="${standing}">
<th scope="row" data-title="Host">${hostHtml(host, site)}</th>${[
    cell(
      'State',
      `${servingBadge(diagnosis)}${standing === 'warning' ? ` ${badge('warning', 'warning')}` : ''}<small class="since">for ${lasting(atSeconds - sinceSeconds)}, since ${when(sinceSeconds)}</small>`,
    ),
    cell('Why', causesInShort(diagnosis, site)),
    cell('sppsvc', serviceHtml(host)),
    cell('Clock', clockHtml(host)),
    cell('Count', countHtml(host)),
    cell('Bind', latencyHtml(host)),
  ].join('')}</tr>`
}

const HEAD = ['Host', 'State', 'Why, and what to do', 'sppsvc', 'Clock', 'Count', 'Bind']

export function hostTable(hosts: readonly Candidate[], atSeconds: number, site: Site): string {
  const rows = hosts.map((each) => hostRow(each, atSeconds, site))
  return table('hosts', HEAD, rows)
}
