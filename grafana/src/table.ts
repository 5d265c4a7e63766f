// Tables: instant queries side by side, one row for what they have in common (a host, a domain and its resolver), the
// columns in order, and nothing shown that is not a column.
import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  FieldTextAlignment,
  TableCellBackgroundDisplayMode,
  TableCellDisplayMode,
  TableCellHeight,
  TableSortByFieldStateBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import type {
  DashboardLink,
  DynamicConfigValue,
  Panel,
  ThresholdsConfig,
  ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/table'
import { LABEL_WORDS, NUMBER_WORDS } from './look.ts'
import { byThresholds, furnish, refIdOf, type PanelSpec } from './panels.ts'

export interface Column {
  readonly title: string
  /** A label; or the value, of the panel's only query or of the nth (0 is the first). */
  readonly of: string | number
  readonly unit?: string
  readonly decimals?: number
  readonly width?: number
  /** `cell`: the cell is coloured; `text`: its text is. Neither by default. */
  readonly paint?: 'cell' | 'text'
  readonly mappings?: readonly ValueMapping[]
  readonly thresholds?: Builder<ThresholdsConfig>
  readonly links?: readonly Builder<DashboardLink>[]
}

export interface TableSpec extends Omit<PanelSpec, 'unit' | 'mappings' | 'thresholds'> {
  readonly columns: readonly Column[]
  /** Titles of columns, the most important first; `-` before a title sorts downwards. */
  readonly sort: readonly string[]
}

export function table(spec: TableSpec): Builder<Panel> {
  const several = spec.queries.length > 1
  const fieldOf = ({ of }: Column): string =>
    typeof of === 'string' ? of : several ? `Value #${refIdOf(of)}` : 'Value'
  const fields = spec.columns.map(fieldOf)
  // The unit of labels: without it, 0xC004F074 would be shown as a number.
  const panel = furnish(new PanelBuilder(), { ...spec, unit: 'string' }, 'table')
    .colorScheme(byThresholds())
    .cellHeight(TableCellHeight.Sm)
    .sortBy(
      spec.sort.map((title) =>
        new TableSortByFieldStateBuilder().displayName(title.replace(/^-/, '')).desc(title.startsWith('-')),
      ),
    )
  if (several) panel.withTransformation({ id: 'merge', options: {} })
  panel.withTransformation({ id: 'filterFieldsByName', options: { include: { names: fields } } })
  panel.withTransformation({
    id: 'organize',
    options: {
      excludeByName: {},
      indexByName: Object.fromEntries(fields.map((field, index) => [field, index])),
      renameByName: Object.fromEntries(spec.columns.map((column) => [fieldOf(column), column.title])),
    },
  })
  for (const column of spec.columns) panel.overrideByName(column.title, propertiesOf(column))
  return panel
}

function propertiesOf(column: Column): DynamicConfigValue[] {
  const { of, unit, decimals, width, paint, mappings, thresholds, links } = column
  const isNumber = typeof of === 'number'
  return [
    // Grafana puts these before the panel's own, and takes the first that fits.
    { id: 'mappings', value: mappings ?? (isNumber ? NUMBER_WORDS : LABEL_WORDS) },
    ...(isNumber ? [{ id: 'unit', value: unit ?? 'none' }] : []),
    ...(isNumber ? [{ id: 'custom.align', value: FieldTextAlignment.Left }] : []),
    ...(decimals === undefined ? [] : [{ id: 'decimals', value: decimals }]),
    ...(width === undefined ? [] : [{ id: 'custom.width', value: width }]),
    ...(thresholds === undefined ? [] : [{ id: 'thresholds', value: thresholds.build() }]),
    ...(paint === undefined ? [] : [{ id: 'custom.cellOptions', value: CELLS[paint] }]),
    ...(links === undefined ? [] : [{ id: 'links', value: links.map((link) => link.build()) }]),
  ]
}

const CELLS = {
  cell: { type: TableCellDisplayMode.ColorBackground, mode: TableCellBackgroundDisplayMode.Basic },
  text: { type: TableCellDisplayMode.ColorText },
} as const

/** Rows by columns of two labels, with the value in the cells: the only query's, as `values` say it. */
export function matrix(
  spec: Omit<PanelSpec, 'unit'> & {
    readonly rows: string
    readonly across: string
    /** Regular expression and what to call a column that it fits, `$1` being its group. */
    readonly called: readonly (readonly [regex: string, name: string])[]
  },
): Builder<Panel> {
  const { rows, across, called } = spec
  const corner = `${rows}\\${across}`
  const panel = furnish(new PanelBuilder(), { ...spec, unit: 'none' }, 'table')
    .colorScheme(byThresholds())
    .cellHeight(TableCellHeight.Sm)
    .cellOptions(CELLS.cell)
    .withTransformation({
      id: 'groupingToMatrix',
      options: { columnField: across, rowField: rows, valueField: 'Value', emptyValue: 'null' },
    })
    .overrideByName(corner, [
      { id: 'displayName', value: rows },
      { id: 'custom.cellOptions', value: { type: TableCellDisplayMode.Auto } },
      { id: 'custom.width', value: 230 },
      { id: 'mappings', value: LABEL_WORDS },
    ])
  for (const [regex, renamePattern] of called)
    panel.withTransformation({ id: 'renameByRegex', options: { regex, renamePattern } })
  return panel
}
