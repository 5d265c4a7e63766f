// The plain pages: what a person sees without Grafana. Server-rendered, no script; every remote string is escaped.
import { CAUSES, fillIn, rowOf } from '../diagnosis/causes.ts'
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import { sayInterval } from '../diagnosis/rules/clock.ts'
import { checkSrv, clientErrorOf } from '../kms/srv.ts'
import type { Evidence } from '../model/finding.ts'
import type { ResultOf } from '../probes/index.ts'
import { escapeHtml as h, utc } from './printable.ts'
import { worstFirst, type DomainView, type HostView, type Snapshot } from './snapshot.ts'

export interface Site {
  /** What links begin with; no slash at the end. */
  readonly prefix: string
  readonly telemetryPath: string
  readonly version: string
}

export const STYLE = `
:root { color-scheme: light dark; --bad: #b3261e; --good: #1b6e3c; --unknown: #8a5a00; --line: #8886; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --good: #7bdc9c; --unknown: #ffcc66; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; }
table { border-collapse: collapse; width: 100%; } .scroll { overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); }
.bad { color: var(--bad); font-weight: 600; } .good { color: var(--good); font-weight: 600; }
.unknown { color: var(--unknown); font-weight: 600; }
code, pre { font: .9em/1.4 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
ul { margin: 0; padding-left: 1.1rem; } nav a { margin-right: 1rem; } small { opacity: .75; }
`

function page(title: string, body: string, { prefix, telemetryPath, version }: Site): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="15"><title>${h(title)}</title><link rel="stylesheet" href="${h(prefix)}/style.css"></head>
<body><header><nav><a href="${h(prefix)}/">Hosts</a><a href="${h(prefix + telemetryPath)}">Metrics</a>
<a href="${h(prefix)}/config">Configuration</a></nav></header><main>${body}</main>
<footer><small>winkms-exporter ${h(version)}</small></footer></body></html>`
}

function servingWord({ serving }: Diagnosis): string {
  if (serving === undefined) return '<span class="unknown">cannot tell</span>'
  return serving ? '<span class="good">serving</span>' : '<span class="bad">not serving</span>'
}

function causeList(diagnosis: Diagnosis): string {
  const named = diagnosis.findings.filter(({ verdict }) => verdict === 'named')
  const facts = { host: diagnosis.host.name, port: diagnosis.host.port, domain: diagnosis.domain }
  return named
    .map(({ cause }) => {
      const row = rowOf(cause)
      const code = diagnosis.clientErrors.find((each) => each.cause === cause)?.code
      const clients = code === undefined ? '' : `; clients see <code>${h(code)}</code>`
      return `<div><strong>${h(row.title)}</strong> <small>${h(cause)}${clients}</small><br>${h(fillIn(row.remedy, facts))}</div>`
    })
    .join('')
}

function driftText({ drift }: Diagnosis): string {
  return drift === undefined ? 'unknown' : h(sayInterval(drift))
}

function hostRow({ diagnosis, sinceSeconds }: HostView, { prefix }: Site): string {
  const { name } = diagnosis.host
  return `<tr><td><a href="${h(prefix)}/hosts/${h(encodeURIComponent(name.toWellFormed()))}">${h(name)}</a>${
    diagnosis.host.discovered ? ' <small>found in DNS</small>' : ''
  }</td><td>${servingWord(diagnosis)}<br><small>since ${utc(sinceSeconds)}</small></td><td>${causeList(diagnosis)}</td>
<td>${h(diagnosis.service.state.replace('_', ' '))} <small>${h(diagnosis.service.source)}</small></td><td>${driftText(diagnosis)}</td></tr>`
}

function srvCell(result: ResultOf<'srv'>): string {
  const { reading, failure, target } = result
  if (failure !== undefined)
    return `<span class="unknown">no answer</span> ${h(failure.reason)}: ${h(failure.detail)}`
  const findings = checkSrv(reading, target.domain)
  const wrong = findings.some(({ severity }) => severity === 'error')
  const code = clientErrorOf(reading)
  const word = wrong ? '<span class="bad">wrong</span>' : '<span class="good">correct</span>'
  const clients = code === undefined ? '' : ` clients see <code>${code}</code>`
  const items = findings.map(({ subject, says }) => `<li>${h(subject)} ${h(says)}</li>`).join('')
  return `${word}, ${reading.recordCount} records (${h(reading.rcode)})${clients}${items === '' ? '' : `<ul>${items}</ul>`}`
}

function domainRows({ name, consistent, results }: DomainView): string {
  const agree =
    consistent === undefined ? '' : consistent ? '' : ' <span class="bad">resolvers disagree</span>'
  return results
    .map(
      (result) =>
        `<tr><td>${h(name)}${agree}</td><td>${h(result.target.labels['resolver'] ?? '')}</td><td>${srvCell(result)}</td></tr>`,
    )
    .join('')
}

const MOST_FAILURES = 10

/** Failures are what people come to read, and a later success would hide them. */
function failureTable({ failures }: Snapshot): string {
  if (failures.length === 0) return ''
  const rows = failures
    .slice(0, MOST_FAILURES)
    .map(
      ({ probe, target, failure, endedAtSeconds }) =>
        `<tr><td>${utc(endedAtSeconds)}</td><td>${h(probe)}</td><td>${h(target.key)}</td><td>${h(failure?.reason ?? '')}: ${h(failure?.detail ?? '')}</td></tr>`,
    )
  return `<h2>Last failures</h2><div class="scroll"><table><thead><tr><th>Time</th><th>Probe</th><th>Of whom</th><th>Why</th></tr></thead>
<tbody>${rows.join('')}</tbody></table></div>`
}

export function estatePage(snapshot: Snapshot, site: Site): string {
  const hosts = worstFirst(snapshot.hosts)
  const down = hosts.filter(({ diagnosis }) => diagnosis.serving === false).length
  const title = down > 0 ? `${down} of ${hosts.length} KMS hosts do not serve` : `${hosts.length} KMS hosts`
  const nothing =
    snapshot.nothingFound === undefined
      ? ''
      : `<pre>${snapshot.nothingFound.split('\n').map(h).join('\n')}</pre>`
  return page(
    title,
    `<h1>${h(title)}</h1>${nothing}
<div class="scroll"><table><thead><tr><th>Host</th><th>State</th><th>Why, and what to do</th><th>sppsvc</th><th>Clock</th></tr></thead>
<tbody>${hosts.map((host) => hostRow(host, site)).join('')}</tbody></table></div>
<h2>SRV records</h2><div class="scroll"><table><thead><tr><th>Domain</th><th>Resolver</th><th>_vlmcs._tcp</th></tr></thead>
<tbody>${snapshot.domains.map(domainRows).join('')}</tbody></table></div>
${failureTable(snapshot)}<p><small>As of ${utc(snapshot.atSeconds)}</small></p>`,
    site,
  )
}

function evidenceList(evidence: readonly Evidence[]): string {
  if (evidence.length === 0) return ''
  const items = evidence.map(
    ({ source, says, atSeconds }) => `<li>${h(says)} <small>${h(source)}, ${utc(atSeconds)}</small></li>`,
  )
  return `<ul>${items.join('')}</ul>`
}

const VERDICTS = {
  named: ['bad', 'this is it'],
  ruled_out: ['good', 'ruled out'],
  unknown: ['unknown', 'cannot tell'],
} as const

export function hostPage({ diagnosis, sinceSeconds, results }: HostView, site: Site): string {
  const { name } = diagnosis.host
  const facts = { host: name, port: diagnosis.host.port, domain: diagnosis.domain }
  const rows = diagnosis.findings.map((finding) => {
    const [kind, word] = VERDICTS[finding.verdict]
    const command =
      finding.verdict === 'named' ? `<br><code>${h(fillIn(CAUSES[finding.cause].command, facts))}</code>` : ''
    return `<tr><td>${h(CAUSES[finding.cause].title)}<br><small>${h(finding.cause)}</small></td><td class="${kind}">${word}</td>
<td>${evidenceList(finding.for)}${finding.for.length > 0 && finding.against.length > 0 ? 'although' : ''}${evidenceList(finding.against)}${h(finding.missing ?? '')}${command}</td></tr>`
  })
  const runs = results.map(
    ({ probe, failure, endedAtSeconds, durationSeconds }) =>
      `<tr><td>${h(probe)}</td><td>${failure === undefined ? 'answered' : `${h(failure.reason)} at ${h(failure.stage)}: ${h(failure.detail)}`}</td>
<td>${utc(endedAtSeconds)}</td><td>${(durationSeconds * 1000).toFixed(1)} ms</td></tr>`,
  )
  return page(
    name,
    `<h1>${h(name)}: ${servingWord(diagnosis)}</h1><p>since ${utc(sinceSeconds)}; port ${diagnosis.host.port}; clock ${driftText(diagnosis)}</p>${causeList(diagnosis)}
<h2>Causes</h2><div class="scroll"><table><thead><tr><th>Cause</th><th>Verdict</th><th>Evidence</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>
<h2>Last runs</h2><div class="scroll"><table><thead><tr><th>Probe</th><th>Outcome</th><th>Ended</th><th>Took</th></tr></thead><tbody>${runs.join('')}</tbody></table></div>`,
    site,
  )
}
