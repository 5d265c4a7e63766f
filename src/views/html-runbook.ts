// Runbooks as HTML: what stands between the frame of a page. All text is escaped, and links to other runbooks are relative,
// so that they hold under any prefix.
import { groupTable, HOW_TO_READ, RUNBOOK_GROUPS, RUNBOOKS } from '../runbooks/index.ts'
import { alertNameOf, type RunbookName } from '../runbooks/names.ts'
import { partsOf } from '../runbooks/prose.ts'
import { PLACES, type Runbook, type Source, type Step, type Table } from '../runbooks/runbook.ts'
import { escapeHtml } from './printable.ts'

/** `base`: what stands before the name in a link, `` beside the other runbooks. */
function link(name: RunbookName, base: string): string {
  return `<a href="${escapeHtml(base)}${name}">${escapeHtml(RUNBOOKS[name].title)}</a>`
}

function code(text: string): string {
  return `<code>${escapeHtml(text)}</code>`
}

function prose(text: string, base = ''): string {
  return partsOf(text)
    .map((part) => {
      if (part.kind === 'runbook') return link(part.name, base)
      return part.kind === 'code' ? code(part.text) : escapeHtml(part.text)
    })
    .join('')
}

function tableHtml({ head, rows }: Table, base = ''): string {
  const titles = head.map((title) => `<th scope="col">${escapeHtml(title)}</th>`).join('')
  const body = rows.map((row) => {
    const cells = row.map((text, column) => {
      const title = ` data-title="${escapeHtml(head[column] ?? '')}"`
      return column === 0
        ? `<th scope="row"${title}><span>${prose(text, base)}</span></th>`
        : `<td${title}><span>${prose(text, base)}</span></td>`
    })
    return `<tr>${cells.join('')}</tr>`
  })
  return `<table class="rows"><thead><tr>${titles}</tr></thead>
<tbody>${body.join('\n')}</tbody></table>`
}

/** Each line of a command is a line of its own: `pre` must not be torn by our own line breaks. */
function stepHtml({ at, says, command, changes, healthy, sick }: Step): string {
  const place = at === undefined ? '' : `<strong>${PLACES[at]}.</strong> `
  const notes = [
    ['unknown', 'What it changes', changes],
    ['good', 'Healthy', healthy],
    ['bad', 'Sick', sick],
  ].flatMap(([tone, what, text]) =>
    text === undefined ? [] : [`<li><strong class="${tone}">${what}:</strong> ${prose(text)}</li>`],
  )
  const lines = command?.split('\n').map(escapeHtml).join('\n')
  return `<li><p>${place}${prose(says)}</p>${lines === undefined ? '' : `<pre><code>${lines}</code></pre>`}${
    notes.length === 0 ? '' : `<ul>${notes.join('')}</ul>`
  }</li>`
}

function steps(all: readonly Step[]): string {
  return `<ol>${all.map(stepHtml).join('\n')}</ol>`
}

function list(items: readonly string[]): string {
  return `<ul>${items.map((html) => `<li>${html}</li>`).join('\n')}</ul>`
}

function section(id: string, title: string, html: string): string {
  return `<section aria-labelledby="${id}"><h2 id="${id}">${escapeHtml(title)}</h2>
${html}</section>`
}

function sourceHtml({ says, file }: Source): string {
  return file === undefined ? escapeHtml(says) : `${escapeHtml(says)}: ${code(`docs/${file}`)}`
}

function inShort({ cause }: Runbook): string {
  if (cause === undefined) return ''
  const { remedy, command, needs } = cause
  const rows = [
    ['Do this', escapeHtml(remedy)],
    ['Command', `<code class="command">${escapeHtml(command)}</code>`],
    ...(needs === undefined ? [] : [['Told only with', code(needs)]]),
  ].map(([what, html]) => `<dt>${what}</dt><dd>${html}</dd>`)
  return `<dl>${rows.join('')}</dl>
`
}

function clientsSee({ cause, clientsSee: text }: Runbook): string {
  if (cause?.clientError === undefined) return prose(text)
  const { code: error, meaning } = cause.clientError
  return `${code(error)}: ${escapeHtml(meaning)}. ${prose(text)}`
}

/** The page /runbooks/NAME, without its frame. */
export function runbookHtml(name: RunbookName): string {
  const runbook = RUNBOOKS[name]
  const { title, cause, meaning, confirm, fix, fixed, tables = [], related, sources } = runbook
  const what = cause === undefined ? '' : `, cause ${code(name)}`
  const sections = [
    section('wrong', 'What is wrong', `<p>${prose(meaning)}</p>`),
    section('clients', 'What clients see', `<p>${clientsSee(runbook)}</p>`),
    section('confirm', 'Confirm', steps(confirm)),
    section('fix', 'Fix', steps(fix)),
    section('fixed', 'How to know that it is fixed', list(fixed.map((text) => prose(text)))),
    ...tables.map((table, index) => section(`table-${index + 1}`, table.title, tableHtml(table))),
    section(
      'related',
      'If it is not this',
      list(related.map(([other, when]) => `${link(other, '')}: ${prose(when)}.`)),
    ),
    section('sources', 'Sources', list(sources.map(sourceHtml))),
  ]
  return `<article class="prose"><h1>${escapeHtml(title)}</h1>
<p class="quiet">Alert ${code(alertNameOf(name))}${what}. HOST, DOMAIN, CLIENT and RESOLVER stand for the names in the alert.</p>
${inShort(runbook)}${sections.join('\n')}</article>
`
}

/** The page /runbooks, without its frame. `prefix`: what the exporter's paths begin with; no slash at the end. */
export function runbooksIndexHtml(prefix: string): string {
  const base = `${prefix}/runbooks/`
  const groups = RUNBOOK_GROUPS.map((group, index) =>
    section(`group-${index + 1}`, group.title, tableHtml(groupTable(group), base)),
  )
  return `<article class="prose"><h1>Runbooks</h1>
${HOW_TO_READ.map((text) => `<p>${prose(text, base)}</p>`).join('\n')}
${groups.join('\n')}</article>
`
}
