// `diagnose --report`: one file to attach to a ticket, complete in itself. What was asked, what was answered, when, by
// which exporter, the decision tree, and the evidence as it came. No script, nothing loaded from anywhere, no secret.
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import type { Result } from '../model/result.ts'
import { causesInFull } from './html-cause.ts'
import { cell, h, milliseconds, servingBadge, servingWord, table, when } from './html-frame.ts'
import { STYLE } from './html-style.ts'
import { treeHtml } from './html-tree.ts'
import { diagnosisJson, resultJson } from './json.ts'
import { escapeHtml } from './printable.ts'
import { unasked } from './unasked.ts'

export interface ReportFacts {
  readonly version: string
  readonly revision: string
  /** Of Node.js. */
  readonly node: string
  readonly platform: string
  /** The machine that asked. */
  readonly askedFrom: string
  /** Path of the configuration; undefined without one. */
  readonly configFile: string | undefined
  /** When it was made, Unix seconds. */
  readonly atSeconds: number
}

export interface Examined {
  readonly diagnosis: Diagnosis
  readonly results: readonly Result[]
}

/** On paper, what is folded away is not there, and what is not text is in the way. */
const PRINTED = `
main > article { margin-top: 2rem; } article > h2, article > details { margin-top: 1.4rem; }
@media print { details { display: none; } }
`

function runRow({ probe, target, startedAtSeconds, durationSeconds, stages, failure }: Result): string {
  const took = stages.map(({ stage, seconds }) => `${h(stage)} ${milliseconds(seconds)}`).join(', ')
  const outcome =
    failure === undefined
      ? 'answered'
      : `<span class="unknown">${h(failure.reason)} at ${h(failure.stage)}</span>: ${h(failure.detail)}`
  return `<tr>${[
    cell('Probe', h(probe)),
    cell('Of whom', h(target.key)),
    cell('When', when(startedAtSeconds)),
    cell('Took', `${milliseconds(durationSeconds)} <small>${took}</small>`),
    cell('Outcome', outcome),
  ].join('')}</tr>`
}

function unaskedHtml({ host }: Diagnosis, results: readonly Result[]): string {
  const rows = unasked(host, results).map(
    ({ subjects, failure: { reason, stage, detail }, itTakes }) =>
      `<tr>${cell('What', h(subjects.join(', ')))}${cell('Why', `${h(reason)} at ${h(stage)}: ${h(detail)}`)}${cell('It takes', h(itTakes ?? ''))}</tr>`,
  )
  return rows.length === 0
    ? ''
    : `<h2>Could not be asked</h2>${table('unasked', ['What', 'Why', 'It takes'], rows)}`
}

function hostHtml({ diagnosis, results }: Examined, index: number): string {
  const { name, port } = diagnosis.host
  const ids = `host-${index + 1}-`
  const raw = { ...diagnosisJson(diagnosis), results: results.map(resultJson) }
  const json = JSON.stringify(raw, null, 2).split('\n').map(escapeHtml).join('\n')
  return `<article aria-labelledby="${ids}name"><h2 id="${ids}name">${h(name)} port ${port} ${servingBadge(diagnosis)}</h2>
${causesInFull(diagnosis, undefined, ids)}
<h2>The decision tree</h2>
${treeHtml(diagnosis, { ids, mostShown: Infinity })}
${unaskedHtml(diagnosis, results)}
<h2>What was asked</h2>
${table('runs', ['Probe', 'Of whom', 'When', 'Took', 'Outcome'], results.map(runRow))}
<details><summary>All of it, as JSON</summary><pre>${json}</pre></details></article>`
}

/** A whole HTML document. */
export function reportPage(examined: readonly Examined[], facts: ReportFacts): string {
  const down = examined.filter(({ diagnosis }) => diagnosis.serving === false).length
  const unknown = examined.filter(({ diagnosis }) => diagnosis.serving === undefined).length
  const [only] = examined
  const title =
    examined.length === 1 && only !== undefined
      ? `KMS host ${only.diagnosis.host.name}: ${servingWord(only.diagnosis)}`
      : `KMS hosts: ${down} of ${examined.length} do not serve${unknown === 0 ? '' : `, cannot tell about ${unknown}`}`
  const exporter = `winkms-exporter ${facts.version} (${facts.revision}), Node.js ${facts.node}, ${facts.platform}`
  const rows = [
    ['Made', when(facts.atSeconds)],
    ['By', h(exporter)],
    ['Asked from', h(facts.askedFrom)],
    ['Configuration', h(facts.configFile ?? 'none: what DNS and the command line say')],
    ['Hosts', h(examined.map(({ diagnosis }) => diagnosis.host.name).join(', '))],
  ].map(([what, html]) => `<tr><th scope="row">${what}</th><td>${html}</td></tr>`)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark"><title>${h(title)}</title><style>${STYLE}${PRINTED}</style></head>
<body><header class="top"><p class="brand">winkms-exporter</p></header>
<main><h1>${h(title)}</h1><table class="facts"><tbody>${rows.join('')}</tbody></table>
${examined.map(hostHtml).join('\n')}</main></body></html>
`
}
