// The kinds of panel, with what all of them have: a title, a description, a unit, words for what is unknown. The SDK's
// builders give neither ids nor refIds, so both are given here.
import * as bargauge from '@grafana/grafana-foundation-sdk/bargauge'
import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  BarGaugeDisplayMode,
  BarGaugeNamePlacement,
  BigValueColorMode,
  BigValueGraphMode,
  GraphDrawStyle,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  HeatmapCellLayout,
  LegendDisplayMode,
  LegendPlacement,
  LineInterpolation,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TimelineValueAlignment,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
  type DataSourceRef,
} from '@grafana/grafana-foundation-sdk/common'
import {
  DashboardLinkBuilder,
  FieldColorBuilder,
  FieldColorModeId,
  type DashboardLink,
  type DynamicConfigValue,
  type FieldColor,
  type Panel,
  type ThresholdsConfig,
  type ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard'
import * as heatmaps from '@grafana/grafana-foundation-sdk/heatmap'
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import * as stats from '@grafana/grafana-foundation-sdk/stat'
import * as timelines from '@grafana/grafana-foundation-sdk/statetimeline'
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries'
import { NUMBER_WORDS, plain } from './look.ts'

export const DATASOURCE: DataSourceRef = { type: 'prometheus', uid: '${datasource}' }

export interface Query {
  readonly expr: string
  /** Static text, or with `{{label}}`. */
  readonly legend?: string
  /** Overrides for what this query returns. */
  readonly properties?: readonly DynamicConfigValue[]
}

export interface PanelSpec {
  /** Never changed and never used again: links to panels hold it. */
  readonly id: number
  readonly title: string
  readonly description: string
  /** Of 24 columns. */
  readonly width: number
  readonly height: number
  readonly unit: string
  readonly decimals?: number
  readonly queries: readonly Query[]
  /** How what is absent is called, and what colours values have. By default "unknown", in grey. */
  readonly mappings?: readonly ValueMapping[]
  readonly thresholds?: Builder<ThresholdsConfig>
  readonly links?: readonly Builder<DashboardLink>[]
  /** What the panel says when it has nothing to show. */
  readonly nothing?: string
  /** Overrides for series by what their legend says. */
  readonly named?: Readonly<Record<string, readonly DynamicConfigValue[]>>
  /** The shortest step: for what happens a few times an hour. */
  readonly step?: string
}

/** What all builders of panels have. */
interface AnyPanel {
  id(id: number): unknown
  title(title: string): unknown
  description(text: string): unknown
  datasource(source: DataSourceRef): unknown
  span(width: number): unknown
  height(height: number): unknown
  interval(step: string): unknown
  unit(unit: string): unknown
  decimals(decimals: number): unknown
  noValue(text: string): unknown
  mappings(mappings: ValueMapping[]): unknown
  thresholds(thresholds: Builder<ThresholdsConfig>): unknown
  dataLinks(links: Builder<DashboardLink>[]): unknown
  withTarget(target: Builder<object>): unknown
  overrideByQuery(refId: string, properties: DynamicConfigValue[]): unknown
  overrideByName(name: string, properties: DynamicConfigValue[]): unknown
}

/** `range`: over time. `table`: now, labels as columns. */
export type Answer = 'range' | 'instant' | 'table' | 'heatmap'

function target({ expr, legend }: Query, refId: string, as: Answer): DataqueryBuilder {
  const query = new DataqueryBuilder().refId(refId).expr(expr).datasource(DATASOURCE)
  if (legend !== undefined) query.legendFormat(legend)
  if (as === 'range' || as === 'heatmap') query.range()
  else query.instant()
  if (as === 'table') query.format(PromQueryFormat.Table)
  if (as === 'heatmap') query.format(PromQueryFormat.Heatmap)
  return query
}

export function refIdOf(index: number): string {
  return String.fromCodePoint('A'.charCodeAt(0) + index)
}

export function furnish<P extends AnyPanel>(panel: P, spec: PanelSpec, as: Answer): P {
  panel.id(spec.id)
  panel.title(spec.title)
  panel.description(spec.description)
  panel.datasource(DATASOURCE)
  panel.span(spec.width)
  panel.height(spec.height)
  panel.unit(spec.unit)
  if (spec.decimals !== undefined) panel.decimals(spec.decimals)
  if (spec.step !== undefined) panel.interval(spec.step)
  panel.noValue(spec.nothing ?? 'unknown')
  panel.mappings([...(spec.mappings ?? NUMBER_WORDS)])
  panel.thresholds(spec.thresholds ?? plain())
  if (spec.links !== undefined) panel.dataLinks([...spec.links])
  for (const [index, query] of spec.queries.entries()) {
    panel.withTarget(target(query, refIdOf(index), as))
    if (query.properties !== undefined) panel.overrideByQuery(refIdOf(index), [...query.properties])
  }
  for (const [name, properties] of Object.entries(spec.named ?? {}))
    panel.overrideByName(name, [...properties])
  return panel
}

/** What is so now: the answer of an instant query, series by series. */
const NOW = new ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false)

export function byThresholds(): Builder<FieldColor> {
  return new FieldColorBuilder().mode(FieldColorModeId.Thresholds)
}

/** One number, or one for each series. */
export function stat(spec: PanelSpec): Builder<Panel> {
  return furnish(new stats.PanelBuilder(), spec, 'instant')
    .graphMode(BigValueGraphMode.None)
    .colorMode(BigValueColorMode.Value)
    .colorScheme(byThresholds())
    .reduceOptions(NOW)
}

export function bars(spec: PanelSpec & { readonly most?: number }): Builder<Panel> {
  const panel = furnish(new bargauge.PanelBuilder(), spec, 'instant')
    .displayMode(BarGaugeDisplayMode.Basic)
    .orientation(VizOrientation.Horizontal)
    .namePlacement(BarGaugeNamePlacement.Left)
    .colorScheme(byThresholds())
    .reduceOptions(NOW)
    .min(0)
  return spec.most === undefined ? panel : panel.max(spec.most)
}

export interface LinesSpec extends PanelSpec {
  /** Lines where the levels are. */
  readonly levels?: boolean
  readonly stacked?: boolean
  readonly drawn?: 'lines' | 'bars'
  readonly min?: number
  /** The axis goes at least this far, so that a small change does not look like a large one. */
  readonly softMax?: number
}

export function lines(spec: LinesSpec): Builder<Panel> {
  const panel = furnish(new timeseries.PanelBuilder(), spec, 'range')
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassic))
    .drawStyle(spec.drawn === 'bars' ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .lineInterpolation(LineInterpolation.Linear)
    .lineWidth(spec.drawn === 'bars' ? 0 : 1)
    .fillOpacity(spec.stacked === true || spec.drawn === 'bars' ? 60 : 0)
    .showPoints(VisibilityMode.Never)
    .spanNulls(false)
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs([]),
    )
  if (spec.stacked === true) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'))
  if (spec.levels === true)
    panel.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed))
  if (spec.min !== undefined) panel.min(spec.min)
  if (spec.softMax !== undefined) panel.axisSoftMax(spec.softMax)
  return panel
}

const ROOM_FOR_LEGEND = 6

/** One row for each series, coloured by its words; with a legend where there is room for it. */
export function timeline(spec: PanelSpec): Builder<Panel> {
  return furnish(new timelines.PanelBuilder(), spec, 'range')
    .colorScheme(byThresholds())
    .mergeValues(true)
    .showValue(VisibilityMode.Auto)
    .alignValue(TimelineValueAlignment.Left)
    .rowHeight(0.85)
    .fillOpacity(75)
    .lineWidth(0)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(spec.height >= ROOM_FOR_LEGEND)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .calcs([]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Single).sort(SortOrder.None))
}

/** Buckets over time. The unit is that of the bounds. */
export function heatmap(spec: PanelSpec): Builder<Panel> {
  return furnish(new heatmaps.PanelBuilder(), spec, 'heatmap')
    .calculate(false)
    .color(
      new heatmaps.HeatmapColorOptionsBuilder()
        .mode(heatmaps.HeatmapColorMode.Scheme)
        .scheme('Blues')
        .steps(64),
    )
    .yAxis(new heatmaps.YAxisConfigBuilder().unit(spec.unit))
    .rowsFrame(new heatmaps.RowsHeatmapOptionsBuilder().layout(HeatmapCellLayout.Auto))
    .showLegend()
}

/** A link of a cell or a series. */
export function link(title: string, url: string, elsewhere = false): DashboardLinkBuilder {
  return new DashboardLinkBuilder(title).url(url).targetBlank(elsewhere)
}

/** A fixed colour, as an override. */
export function painted(color: string): DynamicConfigValue {
  return { id: 'color', value: { mode: FieldColorModeId.Fixed, fixedColor: color } }
}

/** Shades of one colour, as an override: for series that are all bad news, of which none may be green. */
export function shaded(color: string): DynamicConfigValue {
  return { id: 'color', value: { mode: FieldColorModeId.Shades, fixedColor: color } }
}
