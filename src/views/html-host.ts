// One host: whether it serves, the named cause with its remedy, the last hours, the decision tree, what Windows says.
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import type { Result } from '../model/result.ts'
import { causesInFull } from './html-cause.ts'
import { labelsOf } from './html-filter.ts'
import {
  badge,
  cell,
  h,
  lasting,
  milliseconds,
  page,
  section,
  servingBadge,
  table,
  when,
  type Site,
} from './html-frame.ts'
import { clockHtml } from './html-hosts.ts'
import { plotsHtml } from './html-plots.ts'
import { treeHtml } from './html-tree.ts'
import { windowsTable } from './html-windows.ts'
import type { HostView } from './snapshot.ts'
import { whatItTakes } from './unasked.ts'

function runRow({ host }: Diagnosis, result: Result, atSeconds: number): string {
  const { probe, failure, endedAtSeconds, durationSeconds } = result
  const takes = whatItTakes(host, result)
  const outcome =
    failure === undefined
      ? 'answered'
      : `${badge('unknown', 'no answer')} ${h(failure.reason)} at ${h(failure.stage)}: ${h(failure.detail)}${takes === undefined ? '' : `<br>It takes ${h(takes)}.`}`
  return `<tr data-key="run ${h(probe)}"><th scope="row" data-title="Probe">${h(probe)}</th>${cell('Outcome', outcome)}${cell('Ended', `${when(endedAtSeconds)} <small class="quiet">${lasting(atSeconds - endedAtSeconds)} ago</small>`)}${cell('Took', milliseconds(durationSeconds))}</tr>`
}

function factsHtml(view: HostView): string {
  const { diagnosis } = view
  const { host, domains, service } = diagnosis
  const facts = [
    ['port', String(host.port)],
    ['clock', clockHtml(view)],
    [
      'sppsvc',
      `${h(service.state.replaceAll('_', ' '))} <small class="quiet">${h(service.source.replaceAll('_', ' '))}</small>`,
    ],
    ['domain', domains.map(h).join(', ')],
    ['labels', labelsOf(view).map(h).join(', ')],
    ['found', host.discovered ? 'in DNS: no configuration names it' : ''],
  ].filter(([, html]) => html !== '')
  return `<dl class="line">${facts.map(([what, html]) => `<div><dt>${what}</dt><dd>${html}</dd></div>`).join('')}</dl>`
}

export function hostPage(view: HostView, atSeconds: number, site: Site): string {
  const { diagnosis, sinceSeconds, results, trail } = view
  const { name } = diagnosis.host
  const runs = results.map((result) => runRow(diagnosis, result, atSeconds))
  const word = servingBadge(diagnosis)
  const body = `<h1>${h(name)} ${word}</h1>
<p class="quiet">for ${lasting(atSeconds - sinceSeconds)}, since ${when(sinceSeconds)}</p>
${factsHtml(view)}
${causesInFull(diagnosis, site)}
${section('hours', 'The last hours', plotsHtml(trail?.()))}${section('tree', 'The decision tree', treeHtml(diagnosis))}${windowsTable(results)}${
    runs.length === 0
      ? ''
      : section('runs', 'Last runs', table('runs', ['Probe', 'Outcome', 'Ended', 'Took'], runs))
  }`
  const said = { true: 'serving', false: 'not serving', undefined: 'cannot tell' }[`${diagnosis.serving}`]
  return page({ title: `${name}: ${said}`, within: 'hosts', body, atSeconds }, site)
}
