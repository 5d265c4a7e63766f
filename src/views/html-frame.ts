// What all pages have in common: head, navigation, footer, and the small words. Server-rendered, and whole without any
// script; with one they keep themselves up to date. Every remote string is escaped.
import { createHash } from 'node:crypto'
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import { STYLE } from './html-style.ts'
import { SCRIPT } from './page-script.ts'
import { escapeHtml, utc } from './printable.ts'

export interface Site {
  /** What links begin with; no slash at the end. */
  readonly prefix: string
  readonly telemetryPath: string
  readonly version: string
}

export interface Page {
  readonly title: string
  readonly within: 'hosts' | 'runbooks'
  /** The content of `main`. */
  readonly body: string
  /** Of a page that changes by itself: the moment that it shows, Unix seconds. */
  readonly atSeconds?: number
}

/** `warning` is what will be bad unless somebody acts; `unknown` is neither good nor bad. */
export type Tone = 'good' | 'bad' | 'warning' | 'unknown'

/** The longest text of a peer that a page shows in one piece. */
const MOST_CHARACTERS = 600

/** Escaped, and of bearable length. */
export function h(text: string): string {
  const short = text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text
  return escapeHtml(short)
}

/** A day and a time, neither of them torn. */
export function when(seconds: number): string {
  const time = new Date(seconds * 1000)
  if (Number.isNaN(time.getTime())) return 'at no time that there is'
  const [day, ...rest] = utc(seconds).split(' ')
  return `<time datetime="${time.toISOString().slice(0, 19)}Z"><span>${day}</span> ${rest.join('\u00a0')}</time>`
}

/** `3 d 4 h`, `12 min`, `40 s`: two parts at most. */
export function lasting(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole}\u00a0s`
  const minutes = Math.floor(whole / 60)
  if (minutes < 60) return `${minutes}\u00a0min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours}\u00a0h ${minutes % 60}\u00a0min`
  return `${Math.floor(hours / 24)}\u00a0d ${hours % 24}\u00a0h`
}

export function milliseconds(seconds: number): string {
  const size = seconds * 1000
  return `${size < 9.95 ? size.toFixed(1) : Math.round(size)}\u00a0ms`
}

/** Made when wanted: the first one has a whole library loaded. */
let grouping: Intl.NumberFormat | undefined

/** `2,000`. */
export function grouped(count: number): string {
  grouping ??= new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 })
  return grouping.format(count)
}

/** A word with a shape before it: its colour is never all that it says. */
export function badge(tone: Tone, html: string): string {
  return `<span class="badge ${tone}">${html}</span>`
}

const SERVING = {
  true: ['good', 'serving'],
  false: ['bad', 'not serving'],
  undefined: ['unknown', 'cannot tell'],
} as const satisfies Record<string, readonly [Tone, string]>

export function servingWord({ serving }: Pick<Diagnosis, 'serving'>): string {
  return SERVING[`${serving}`][1]
}

export function servingBadge(diagnosis: Pick<Diagnosis, 'serving'>): string {
  return badge(SERVING[`${diagnosis.serving}`][0], servingWord(diagnosis))
}

export function hostHref(name: string, { prefix }: Site): string {
  return escapeHtml(`${prefix}/hosts/${encodeURIComponent(name.toWellFormed())}`)
}

export function runbookLink(name: string, { prefix }: Site): string {
  return `<a class="runbook" href="${escapeHtml(`${prefix}/runbooks/${name}`)}" aria-label="Runbook for ${name}">Runbook</a>`
}

/** `head`: the cells' titles. On a narrow screen each row stands by itself, with the title before each cell. */
export function table(name: string, head: readonly string[], rows: readonly string[]): string {
  const titles = head.map((title) => `<th scope="col">${title}</th>`).join('')
  return `<table class="rows ${name}"><thead><tr>${titles}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table>`
}

export function cell(title: string, html: string): string {
  return `<td data-title="${title}">${html}</td>`
}

/** A host's name, which may be torn at its dots where there is no room for it. */
export function nameHtml(name: string): string {
  return h(name).replaceAll('.', '.<wbr>')
}

export function section(id: string, title: string, html: string, isSeen = true): string {
  return `<section aria-labelledby="${id}"><h2 id="${id}"${isSeen ? '' : ' class="unseen"'}>${title}</h2>
${html}</section>
`
}

/** Changes with the content, so that browsers may keep it. */
function fingerprint(content: string): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 12)
}

const STYLE_FILE = `style.css?v=${fingerprint(STYLE)}`
const SCRIPT_FILE = `page.js?v=${fingerprint(SCRIPT)}`

export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#0b57a4"/><path d="M3 9h2.5l1.5-5 2.5 8 1.5-3h2" fill="none" stroke="#fff" stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round"/></svg>`

/** Without a script, as often as this. */
const RELOAD_SECONDS = 30

/** With one. */
const UPDATE_SECONDS = 5

export function page({ title, within, body, atSeconds }: Page, site: Site): string {
  const prefix = escapeHtml(site.prefix)
  const link = (path: string, word: string, here: boolean): string =>
    `<li><a href="${prefix}${path}"${here ? ' aria-current="true"' : ''}>${word}</a></li>`
  const isLive = atSeconds !== undefined
  const reload = isLive ? `<noscript><meta http-equiv="refresh" content="${RELOAD_SECONDS}"></noscript>` : ''
  const live = isLive
    ? `<div id="live" class="live" hidden><span id="live-says"></span> <button type="button" id="pause" aria-pressed="false">Pause updates</button></div>`
    : ''
  const moment = isLive ? ` data-every="${UPDATE_SECONDS}" data-as-of="${utc(atSeconds)}"` : ''
  const asOf = isLive
    ? `<p id="as-of">As of ${when(atSeconds)}. <noscript>Without scripts this page loads itself again every ${RELOAD_SECONDS} seconds.</noscript></p>`
    : ''
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>${h(title)}</title>
<link rel="icon" type="image/svg+xml" href="${prefix}/icon.svg"><link rel="stylesheet" href="${prefix}/${STYLE_FILE}">
${reload}${isLive ? `<script src="${prefix}/${SCRIPT_FILE}" defer></script>` : ''}</head>
<body><a class="skip" href="#main">Skip to the content</a>
<header class="top"><p class="brand">winkms-exporter</p><nav aria-label="Main"><ul>${[
    link('/', 'Hosts', within === 'hosts'),
    link('/runbooks', 'Runbooks', within === 'runbooks'),
    link(escapeHtml(site.telemetryPath), 'Metrics', false),
    link('/config', 'Configuration', false),
  ].join('')}</ul></nav>${live}</header>
${isLive ? '<p id="lost" class="lost" role="alert" hidden></p><p id="news" class="unseen" role="status"></p>' : ''}
<main id="main" tabindex="-1"${moment}>
${body}</main>
<footer>${asOf}<p>winkms-exporter ${h(site.version)}</p></footer></body></html>
`
}
