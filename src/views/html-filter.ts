// Which hosts the estate page shows: by state, cause, domain, label and words, all of it in the URL, so that it survives a
// reload and can be sent to somebody. What stands in a URL is anybody's text: cut, compared, escaped, nothing else.
import { CAUSE_NAMES, type Cause } from '../diagnosis/causes.ts'
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import { escapeHtml, printable } from './printable.ts'
import { grouped, h, type Site } from './html-frame.ts'
import type { HostView } from './snapshot.ts'

/** Worst first. `warning`: it serves, but something is named or threatens. */
export const STANDINGS = ['not_serving', 'unknown', 'warning', 'serving'] as const

export type Standing = (typeof STANDINGS)[number]

export const STANDING_WORDS: Readonly<Record<Standing, string>> = {
  not_serving: 'not serving',
  unknown: 'cannot tell',
  warning: 'serving, with a warning',
  serving: 'serving',
}

/** Empty text where nothing is asked for. */
export interface Filter {
  readonly state: Standing | ''
  readonly cause: Cause | ''
  readonly domain: string
  /** `site=berlin`. */
  readonly label: string
  /** Words that all have to be in the name or the labels. */
  readonly q: string
  /** From 1; of what there is too little for, the last. */
  readonly page: number
}

const MOST_CHARACTERS = 255
const MOST_WORDS = 8
/** Of one list of choices. */
const MOST_CHOICES = 200

function known<T extends string>(value: string, names: readonly T[]): T | '' {
  return names.find((name) => name === value) ?? ''
}

/** `query`: what stands after the question mark. Of a name that stands there twice, the first counts. */
export function filterOf(query: string): Filter {
  const asked = new URLSearchParams(query)
  const text = (name: string): string => printable((asked.get(name) ?? '').slice(0, MOST_CHARACTERS)).trim()
  const page = /^\d{1,6}$/.exec(text('page'))?.[0]
  return {
    state: known(text('state'), STANDINGS),
    cause: known(text('cause'), CAUSE_NAMES),
    domain: text('domain'),
    label: text('label'),
    q: text('q'),
    page: Math.max(1, Number(page ?? 1)),
  }
}

export function isFiltered({ page: _page, ...filter }: Filter): boolean {
  return Object.values(filter).some((value) => value !== '')
}

/** The estate page under this filter, escaped. Whatever changes, its first page comes first. */
export function filterHref(filter: Filter, changes: Partial<Filter>, { prefix }: Site): string {
  const { page, ...next } = { ...filter, page: 1, ...changes }
  const query = new URLSearchParams(Object.entries(next).filter(([, value]) => value !== ''))
  if (page > 1) query.set('page', String(page))
  return escapeHtml(`${prefix}/${query.size === 0 ? '' : `?${query.toString()}`}`)
}

function namedCauses({ findings }: Pick<Diagnosis, 'findings'>): readonly Cause[] {
  return findings.filter(({ verdict }) => verdict === 'named').map(({ cause }) => cause)
}

function standingOf({ serving, findings }: Diagnosis): Standing {
  if (serving === undefined) return 'unknown'
  if (!serving) return 'not_serving'
  const isWarned = findings.some(({ verdict, warning }) => verdict === 'named' || warning !== undefined)
  return isWarned ? 'warning' : 'serving'
}

export function labelsOf({ diagnosis }: HostView): readonly string[] {
  return Object.entries(diagnosis.host.labels).map(([name, value]) => `${name}=${value}`)
}

/** A host that the page may show, with what it is chosen by. */
export interface Candidate {
  readonly host: HostView
  readonly standing: Standing
  readonly causes: readonly Cause[]
  /** `site=berlin`. */
  readonly labels: readonly string[]
}

/** Worst first, and by name within. */
export function candidatesOf(hosts: readonly HostView[]): readonly Candidate[] {
  const all = hosts.map((host) => ({
    host,
    standing: standingOf(host.diagnosis),
    causes: namedCauses(host.diagnosis),
    labels: labelsOf(host),
  }))
  const rank = ({ standing }: Candidate): number => STANDINGS.indexOf(standing)
  const nameOf = ({ host }: Candidate): string => host.diagnosis.host.name
  return all.toSorted((a, b) => rank(a) - rank(b) || (nameOf(a) < nameOf(b) ? -1 : 1))
}

export function chosen(all: readonly Candidate[], filter: Filter): readonly Candidate[] {
  const { state, cause, domain, label } = filter
  const words = filter.q.toLowerCase().split(/\s+/).filter(Boolean).slice(0, MOST_WORDS)
  return all.filter(({ host, standing, causes, labels }) => {
    if (state !== '' && standing !== state) return false
    if (cause !== '' && !causes.includes(cause)) return false
    if (domain !== '' && !host.diagnosis.domains.includes(domain)) return false
    if (label === '' && words.length === 0) return true
    if (label !== '' && !labels.includes(label)) return false
    const text = [host.diagnosis.host.name, ...labels].join(' ').toLowerCase()
    return words.every((word) => text.includes(word))
  })
}

/** How often each occurs, the most frequent first; no more than a person can choose from. */
export function tally<T extends string>(
  values: Iterable<T>,
): readonly (readonly [value: T, count: number])[] {
  const counts = new Map<T, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, MOST_CHOICES)
}

type Choice = readonly [value: string, count: number]

function select(
  name: keyof Filter,
  title: string,
  choices: readonly Choice[],
  selected: string,
  wordOf: (value: string) => string = (value) => value,
): string {
  // What is asked for stays to be seen, though nobody has it any more.
  const all = choices.some(([value]) => value === selected) ? choices : [...choices, [selected, 0] as const]
  const options = all
    .filter(([value]) => value !== '')
    .map(
      ([value, count]) =>
        `<option value="${escapeHtml(value)}"${value === selected ? ' selected' : ''}>${h(wordOf(value))} (${grouped(count)})</option>`,
    )
  if (options.length === 0) return ''
  return `<div class="field"><label for="f-${name}">${title}</label><select id="f-${name}" name="${name}"><option value="">any</option>${options.join('')}</select></div>`
}

export function filterForm(all: readonly Candidate[], filter: Filter, site: Site): string {
  const standings = new Map(tally(all.map(({ standing }) => standing)))
  const states = STANDINGS.map((each): Choice => [each, standings.get(each) ?? 0])
  const clear = isFiltered(filter) ? ` <a href="${escapeHtml(site.prefix)}/">Clear</a>` : ''
  return `<form id="filter" class="filter" role="search" aria-label="Hosts" method="get" action="${escapeHtml(site.prefix)}/">
<div class="field wide"><label for="f-q">Name or label</label><input id="f-q" name="q" type="search" value="${escapeHtml(filter.q)}" maxlength="${MOST_CHARACTERS}" autocomplete="off" spellcheck="false"></div>
${[
  select('state', 'State', states, filter.state, (value) => STANDING_WORDS[value as Standing]),
  select('cause', 'Cause', tally(all.flatMap(({ causes }) => causes)), filter.cause),
  select('domain', 'Domain', tally(all.flatMap(({ host }) => host.diagnosis.domains)), filter.domain),
  select('label', 'Label', tally(all.flatMap(({ labels }) => labels)), filter.label),
].join('')}
<div class="buttons"><button type="submit">Apply</button>${clear}</div></form>`
}
