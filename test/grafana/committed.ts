// The committed dashboards as plain data, and what Grafana does to a query before Prometheus sees it.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../../grafana/dashboards/', import.meta.url))
export const UIDS = [
  'winkms-estate',
  'winkms-host',
  'winkms-capacity',
  'winkms-activity',
  'winkms-exporter',
] as const

export interface Source {
  readonly type?: string
  readonly uid?: string
}

export interface Target {
  readonly refId: string
  readonly expr: string
  readonly legendFormat?: string
  readonly instant?: boolean
  readonly range?: boolean
  readonly format?: string
  readonly datasource?: Source
}

export interface Mapping {
  readonly type: string
  readonly options: Readonly<Record<string, unknown>>
}

export interface Thresholds {
  readonly steps: readonly { readonly value: number | null; readonly color: string }[]
}

export interface Link {
  readonly title: string
  readonly url?: string
}

export interface Defaults {
  readonly unit?: string
  readonly noValue?: string
  readonly mappings?: readonly Mapping[]
  readonly thresholds?: Thresholds
  readonly links?: readonly Link[]
}

export interface Override {
  readonly matcher: { readonly id: string; readonly options?: unknown }
  readonly properties: readonly { readonly id: string; readonly value?: unknown }[]
}

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly datasource?: Source
  readonly interval?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly Target[]
  readonly transformations?: readonly {
    readonly id: string
    readonly options: Readonly<Record<string, unknown>>
  }[]
  readonly fieldConfig?: { readonly defaults: Defaults; readonly overrides?: readonly Override[] }
}

export interface Variable {
  readonly name: string
  readonly type: string
  readonly label?: string
  readonly definition?: string
  readonly query?: string | { readonly query: string }
  readonly datasource?: Source
  readonly refresh?: number
  readonly multi?: boolean
  readonly includeAll?: boolean
  readonly allValue?: string
}

export interface Board {
  readonly id: null
  readonly uid: string
  readonly title: string
  readonly editable: boolean
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly Variable[] }
  readonly annotations: { readonly list: readonly { readonly expr: string; readonly datasource?: Source }[] }
  readonly links: readonly Link[]
}

export function readText(uid: string): string {
  return readFileSync(`${FOLDER}${uid}.json`, 'utf8')
}

export const BOARDS = UIDS.map((uid) => JSON.parse(readText(uid)) as Board)

/** Without the rows that hold none. */
export function panelsOf(board: Board): readonly Panel[] {
  return board.panels.filter(({ type }) => type !== 'row')
}

/** The text of a variable's query. */
export function definitionOf({ query }: Variable): string {
  return typeof query === 'object' ? query.query : (query ?? '')
}

/** What "All" of each variable stands for; the intervals are longer than the step, as Grafana's are. */
export const ALL = {
  job: 'winkms',
  instance: '.+',
  vantage: '.*',
  site: '.*',
  domain: '.+',
  host: '.+',
  hosts: '.+',
  probe: '.+',
  __rate_interval: '1m',
  __range: '1h',
} as const

/** Puts values in the place of variables. Throws for a variable that has none: Grafana would send its name. */
export function substitute(text: string, values: Readonly<Record<string, string>> = ALL): string {
  return text.replaceAll(/\$(\w+)|\$\{(\w+)(?::\w+)?\}/g, (_, plain?: string, braced?: string) => {
    const name = plain ?? braced ?? ''
    const value = values[name]
    if (value === undefined) throw new Error(`no value for $${name} in ${text}`)
    return value
  })
}
