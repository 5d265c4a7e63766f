// In the browser: the panels of one dashboard, drawn with Grafana's own components where there are any, else by hand
// (tables, state timelines, heatmaps). `window.draw` is called from render.ts.
import {
  applyFieldOverrides,
  createTheme,
  dateTime,
  FieldConfigOptionsRegistry,
  formattedValueToString,
  getDisplayValueAlignmentFactors,
  getFieldDisplayName,
  getFieldDisplayValues,
  LoadingState,
  standardTransformers,
  standardTransformersRegistry,
  ThemeContext,
  toDataFrame,
  transformDataFrame,
} from '@grafana/data'
import { BarGauge, BigValue, GlobalStyles, PanelChrome, TimeSeries } from '@grafana/ui'
import React from 'react'
import { createRoot } from 'react-dom/client'
import { firstValueFrom } from 'rxjs'
import { Heatmap, StateTimeline, Table } from './drawn.jsx'

const theme = createTheme({ colors: { mode: 'dark' } })
const GRID = { columns: 24, cell: 30, gap: 8 }

standardTransformersRegistry.setInit(() =>
  // Two names stand for one of them.
  [...new Map(Object.values(standardTransformers).map((each) => [each.id, each])).values()].map(
    (transformation) => ({
      id: transformation.id,
      transformation: async () => transformation,
      name: transformation.name,
      description: '',
      editor: () => null,
    }),
  ),
)

const STANDARD = [
  'unit',
  'decimals',
  'min',
  'max',
  'displayName',
  'noValue',
  'links',
  'thresholds',
  'mappings',
  'color',
]
/** Of overrides; the defaults of a panel bring their own. */
const CUSTOM = ['lineWidth', 'fillBelowTo', 'fillOpacity', 'width', 'align', 'cellOptions']

/** Which properties defaults and overrides may set; Grafana has a registry of them, with editors that nobody needs here. */
function registryFor(panel) {
  const custom = new Set([...CUSTOM, ...Object.keys(panel.fieldConfig.defaults.custom ?? {})])
  return new FieldConfigOptionsRegistry(() => [
    ...STANDARD.map((id) => option(id, id, false)),
    ...[...custom].map((id) => option(`custom.${id}`, id, true)),
  ])
}

function option(id, path, isCustom) {
  return {
    id,
    path,
    name: id,
    isCustom,
    process: (value) => value,
    shouldApply: () => true,
    override: () => null,
    editor: () => null,
    settings: {},
  }
}

async function framesOf(panel, frames, variables) {
  const replaceVariables = (text) =>
    text.replaceAll(/\$\{?(\w+)(?::\w+)?\}?/g, (whole, name) => variables[name] ?? whole)
  const raw = frames.map((frame) => toDataFrame(frame))
  const transformed = await firstValueFrom(
    transformDataFrame(panel.transformations ?? [], raw, { interpolate: replaceVariables }),
  )
  return applyFieldOverrides({
    data: transformed,
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry: registryFor(panel),
    replaceVariables,
    theme,
    timeZone: 'utc',
  })
}

function valuesOf(panel, frames) {
  return getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: (text) => text,
    theme,
    data: frames,
    timeZone: 'utc',
  })
}

function Stat({ panel, frames, width, height }) {
  const values = valuesOf(panel, frames)
  return (
    <div style={{ display: 'flex' }}>
      {values.map(({ display }, index) => (
        <BigValue
          key={index}
          theme={theme}
          width={width / values.length}
          height={height}
          value={values.length === 1 ? { ...display, title: '' } : display}
          colorMode={panel.options.colorMode}
          graphMode="none"
          justifyMode="auto"
          textMode="auto"
        />
      ))}
    </div>
  )
}

function Bars({ panel, frames, width, height }) {
  const values = valuesOf(panel, frames)
  const alignmentFactors = getDisplayValueAlignmentFactors(values)
  const space = 8
  const each = Math.min(48, (height - space * (values.length - 1)) / values.length)
  return (
    <div style={{ display: 'flex', flexDirection: 'column', gap: space }}>
      {values.map(({ display, field, view }, index) => (
        <BarGauge
          key={index}
          theme={theme}
          width={width}
          height={each}
          value={display}
          field={field}
          display={view?.getFieldDisplayProcessor?.(1)}
          orientation="horizontal"
          displayMode={panel.options.displayMode}
          namePlacement={panel.options.namePlacement}
          valueDisplayMode="color"
          showUnfilled
          itemSpacing={space}
          alignmentFactors={alignmentFactors}
        />
      ))}
    </div>
  )
}

function Lines({ panel, frames, width, height, range }) {
  const filled = frames.filter(({ length }) => length > 0)
  if (filled.length === 0) return <Nothing panel={panel} height={height} />
  const timeRange = { from: dateTime(range.from), to: dateTime(range.to), raw: { from: 'then', to: 'now' } }
  return (
    <TimeSeries
      frames={filled}
      width={width}
      height={height}
      timeRange={timeRange}
      timeZone="utc"
      legend={panel.options.legend}
      options={panel.options}
    />
  )
}

function Nothing({ panel, height }) {
  const { noValue } = panel.fieldConfig.defaults
  return (
    <div style={{ height, display: 'grid', placeItems: 'center', color: theme.colors.text.secondary }}>
      {noValue}
    </div>
  )
}

const KINDS = {
  stat: Stat,
  bargauge: Bars,
  timeseries: Lines,
  table: (props) =>
    props.frames.every(({ length }) => length === 0) ? <Nothing {...props} /> : <Table {...props} />,
  'state-timeline': StateTimeline,
  heatmap: Heatmap,
}

function Panel({ panel, frames, range }) {
  const { x, y, w, h } = panel.gridPos
  const column = (document.body.clientWidth - GRID.gap) / GRID.columns
  const box = {
    position: 'absolute',
    left: GRID.gap + x * column,
    top: 56 + y * (GRID.cell + GRID.gap),
    width: w * column - GRID.gap,
    height: h * (GRID.cell + GRID.gap) - GRID.gap,
  }
  if (panel.type === 'row') {
    return <div style={{ ...box, fontSize: 18, fontWeight: 500, paddingTop: 4 }}>⌄ {panel.title}</div>
  }
  const Kind = KINDS[panel.type]
  return (
    <div style={box} data-panel={panel.id}>
      <PanelChrome
        title={panel.title}
        width={box.width}
        height={box.height}
        loadingState={LoadingState.Done}
        padding={panel.type === 'table' ? 'none' : 'md'}
      >
        {(width, height) => (
          <Kind
            panel={panel}
            frames={frames}
            width={width}
            height={height}
            range={range}
            theme={theme}
            nameOf={getFieldDisplayName}
            textOf={formattedValueToString}
          />
        )}
      </PanelChrome>
    </div>
  )
}

window.draw = async ({ board, panels, range, variables }) => {
  const drawn = await Promise.all(
    panels.map(async ({ panel, frames }) => ({
      panel,
      frames: panel.type === 'row' ? [] : await framesOf(panel, frames, variables),
    })),
  )
  const rows = Math.max(...board.panels.map(({ gridPos }) => gridPos.y + gridPos.h))
  document.body.style.height = `${64 + rows * (GRID.cell + GRID.gap)}px`
  const choices = Object.entries(variables).filter(([name]) =>
    board.templating.list.some((each) => each.name === name && each.hide !== 2),
  )
  createRoot(document.querySelector('#page')).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div
        style={{ position: 'absolute', left: 16, top: 14, fontSize: 20, color: theme.colors.text.primary }}
      >
        {board.title}
        {choices.map(([name, value]) => (
          <span key={name} style={{ fontSize: 13, marginLeft: 20, color: theme.colors.text.secondary }}>
            {name}{' '}
            <b style={{ color: theme.colors.text.primary }}>{/^\.[+*]$/.test(value) ? 'All' : value}</b>
          </span>
        ))}
      </div>
      {drawn.map(({ panel, frames }) => (
        <Panel key={panel.id} panel={panel} frames={frames} range={range} />
      ))}
    </ThemeContext.Provider>,
  )
}
