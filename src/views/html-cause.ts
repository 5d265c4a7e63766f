// What is said of a named cause on every page: what it is, what clients see, what to do, where to read on.
import { fillIn, rowOf, TREE, type Cause } from '../diagnosis/causes.ts'
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import { CLIENT_ERRORS, type ClientErrorCode } from '../kms/error-codes.ts'
import type { Evidence, Finding } from '../model/finding.ts'
import { h, runbookLink, when, type Site } from './html-frame.ts'

interface Facts {
  readonly host: string
  readonly port: number
  readonly domain: string | undefined
}

function factsOf({ host, domains }: Diagnosis): Facts {
  return { host: host.name, port: host.port, domain: domains[0] }
}

function clientsSee({ clientErrors }: Diagnosis, cause: Cause): string {
  const code = clientErrors.find((each) => each.cause === cause)?.code
  if (code === undefined) return ''
  const known = Object.hasOwn(CLIENT_ERRORS, code) ? CLIENT_ERRORS[code as ClientErrorCode] : undefined
  return `clients see <code>${h(code)}</code>${known === undefined ? '' : ` ${h(known.meaning)}`}`
}

export function evidenceList(evidence: readonly Evidence[]): string {
  if (evidence.length === 0) return ''
  const items = evidence.map(
    ({ source, says, atSeconds }) =>
      `<li>${h(says)} <small class="source">${h(source)}, ${when(atSeconds)}</small></li>`,
  )
  return `<ul class="evidence">${items.join('')}</ul>`
}

function isNamed({ verdict }: Finding<Cause>): boolean {
  return verdict === 'named'
}

/** The first thing that is missing on a client's way, of what can be told without a right on the host. */
function firstMissing({ findings }: Diagnosis): string | undefined {
  const byCause = new Map(findings.map((finding) => [finding.cause, finding]))
  return TREE.flatMap(({ causes }) => causes)
    .filter((cause) => rowOf(cause).needs === undefined && rowOf(cause).stopsService)
    .flatMap((cause) => byCause.get(cause)?.missing ?? [])
    .at(0)
}

function whyUnknown(diagnosis: Diagnosis): string {
  if (diagnosis.findings.some(isNamed)) return ''
  if (diagnosis.serving === false)
    return '<p class="cause"><strong class="unknown">cannot tell why</strong></p>'
  const missing = diagnosis.serving === undefined ? firstMissing(diagnosis) : undefined
  return missing === undefined
    ? ''
    : `<p class="cause"><span class="unknown">missing</span> ${h(missing)}</p>`
}

function warnings({ findings }: Diagnosis, site: Site | undefined): string {
  return findings
    .flatMap(({ cause, warning }) =>
      warning === undefined
        ? []
        : [
            `<p class="cause"><strong class="warning">warning</strong> ${h(warning)} <small class="slug">${cause}</small> ${site === undefined ? '' : runbookLink(cause, site)}</p>`,
          ],
    )
    .join('')
}

/** For a row of the estate: each cause in two lines. */
export function causesInShort(diagnosis: Diagnosis, site: Site): string {
  const facts = factsOf(diagnosis)
  const named = diagnosis.findings.filter(isNamed).map(({ cause }) => {
    const { title, remedy } = rowOf(cause)
    const clients = clientsSee(diagnosis, cause)
    return `<div class="cause"><p><strong>${h(title)}</strong> <small class="slug">${cause}</small>${
      clients === '' ? '' : ` <small class="quiet">${clients}</small>`
    }</p><p>${h(fillIn(remedy, facts))} ${runbookLink(cause, site)}</p></div>`
  })
  return [...named, whyUnknown(diagnosis), warnings(diagnosis, site)].join('')
}

/** For the page of a host: with the command, and what it rests on. Without a site there is nowhere to read on. */
export function causesInFull(diagnosis: Diagnosis, site?: Site, ids = ''): string {
  const facts = factsOf(diagnosis)
  const named = diagnosis.findings.filter(isNamed).map((finding) => {
    const { cause, for: reasons, against } = finding
    const { title, remedy, command, stopsService } = rowOf(cause)
    const clients = clientsSee(diagnosis, cause)
    const rows = [
      ['Clients see', clients.replace('clients see ', '')],
      ['Do this', h(fillIn(remedy, facts))],
      ['Command', `<code class="command">${h(fillIn(command, facts))}</code>`],
      ['Because', evidenceList(reasons)],
      ['Although', evidenceList(against)],
      ['Read on', site === undefined ? '' : runbookLink(cause, site)],
    ].filter(([, html]) => html !== '')
    return `<section class="named ${stopsService ? 'bad' : 'warning'}" aria-labelledby="${ids}why-${cause}"><h2 id="${ids}why-${cause}">${h(title)} <small class="slug">${cause}</small></h2>
<dl>${rows.map(([what, html]) => `<dt>${what}</dt><dd>${html}</dd>`).join('')}</dl></section>`
  })
  return [...named, whyUnknown(diagnosis), warnings(diagnosis, site)].join('\n')
}
