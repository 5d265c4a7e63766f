// The rules of Grafana's dashboard-linter, and ours: what is named exists, nothing overlaps, levels are those of the
// alerts, and what is unknown is never green.
import { describe, expect, it } from 'vitest'
import { CAUSE_NAMES } from '../../src/diagnosis/causes.ts'
import { LEVELS } from '../../src/kms/levels.ts'
import { EXPORTER_CLOCK_LIMIT_SECONDS } from '../../src/kms/thresholds.ts'
import { FAMILIES } from '../../src/views/catalogue.ts'
import { createSelfMetrics } from '../../src/views/prometheus.ts'
import {
  BOARDS,
  definitionOf,
  panelsOf,
  substitute,
  type Mapping,
  type Panel,
  type Thresholds,
} from './committed.ts'
import { groupingLabelsOf, mistakes, selectorsOf } from './promql.ts'
import { UNITS } from './units.ts'

const self = createSelfMetrics({ version: '', revision: '' }, () => 0)
const LABELS = new Map<string, readonly string[]>([
  ...FAMILIES.map(({ name, labels }): [string, readonly string[]] => [name, labels]),
  ...(await self.registry.getMetricsAsJSON()).map(({ name }): [string, readonly string[]] => [
    name,
    labelsOf(name),
  ]),
  ['up', []],
  ['ALERTS', ['alertname', 'alertstate', 'severity', 'host', 'domain', 'vantage']],
])
const COUNTERS = new Set(FAMILIES.filter(({ type }) => type === 'counter').map(({ name }) => name))

/** Declared in prom-client's objects, but not in their types. */
function labelsOf(name: string): readonly string[] {
  const metric: object | undefined = self.registry.getSingleMetric(name)
  return metric !== undefined && 'labelNames' in metric && Array.isArray(metric.labelNames)
    ? metric.labelNames.map(String)
    : []
}

/** Labels that any series may have: the target's, a histogram's, and those that the configuration gives a host. */
const EVERYWHERE = ['job', 'instance', 'vantage', 'le', 'site']

/** Run metrics stand for a domain, a client or a reference, too. */
const SUBJECTS = ['host', 'domain', 'resolver', 'client', 'reference']

function labelsOfSeries(name: string): readonly string[] | undefined {
  const own = LABELS.get(name) ?? LABELS.get(name.replace(/_(bucket|sum|count)$/, ''))
  const runs = name.startsWith('winkms_probe_') ? SUBJECTS : []
  return own === undefined ? undefined : [...own, ...runs, ...EVERYWHERE]
}

const cases = BOARDS.flatMap((board) => panelsOf(board).map((panel) => ({ board, panel })))
const queries = cases.flatMap(({ board, panel }) =>
  (panel.targets ?? []).map(({ expr, refId, legendFormat }) => ({
    where: `${board.uid} ${panel.id} ${refId}`,
    expr,
    legend: legendFormat ?? '',
    board,
    panel,
  })),
)
const named = cases.map(({ board, panel }) => ({
  where: `${board.uid} ${panel.id} ${panel.title}`,
  board,
  panel,
}))

describe.each(BOARDS)('$uid', (board) => {
  it('cannot be edited, and leaves its number to Grafana', () => {
    expect(board.editable).toBe(false)
    expect(board.id).toBeNull()
    expect(board.uid.length).toBeLessThanOrEqual(40)
  })

  it('has the variables that dashboard-linter wants', () => {
    const variables = new Map(board.templating.list.map((variable) => [variable.name, variable]))
    expect(variables.get('datasource')).toMatchObject({
      type: 'datasource',
      label: 'Data source',
      query: 'prometheus',
    })
    // Links among the dashboards carry what is chosen, and "all" is not one host.
    expect(variables.has('host')).toBe(board.uid === 'winkms-host')
    // All jobs are those of exporters: others have an `up` and a memory, too.
    for (const [name, label, allValue] of [
      ['job', 'Job', undefined],
      ['instance', 'Instance', '.+'],
    ] as const) {
      const variable = variables.get(name)
      expect(variable).toMatchObject({ type: 'query', label, multi: true, includeAll: true })
      expect(variable?.allValue).toBe(allValue)
    }
    for (const variable of board.templating.list.filter(({ type }) => type === 'query')) {
      expect(variable).toMatchObject({ refresh: 2, datasource: { type: 'prometheus', uid: '${datasource}' } })
      const [, selector = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(definitionOf(variable)) ?? []
      expect(variable.definition).toBe(definitionOf(variable))
      expect(mistakes(substitute(selector))).toEqual([])
      for (const { matchers } of selectorsOf(selector)) {
        const before = { job: [], instance: ['job'] }[variable.name] ?? ['job', 'instance']
        expect(Object.keys(matchers)).toEqual(expect.arrayContaining(before))
      }
      for (const { name } of selectorsOf(substitute(selector))) expect(labelsOfSeries(name)).toContain(label)
    }
  })

  it('has panels and rows with ids and titles of their own, in the grid, not one over another', () => {
    const { panels } = board
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length)
    for (const { id, gridPos: a } of panels) {
      expect(id).toBeGreaterThan(0)
      expect(a.x + a.w).toBeLessThanOrEqual(24)
      const over = panels.filter(
        ({ id: other, gridPos: b }) =>
          other !== id && a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h,
      )
      expect(over.map(({ title }) => title)).toEqual([])
    }
  })

  it('marks where an alert fired, and leads to the others and to the exporter', () => {
    const [alerts] = board.annotations.list
    expect(alerts?.expr).toMatch(/^ALERTS\{alertname=~"Winkms\.\*".*alertstate="firing"\}$/)
    expect(mistakes(substitute(alerts?.expr ?? ''))).toEqual([])
    expect(alerts?.datasource?.uid).toBe('${datasource}')
    expect(board.links.map(({ title }) => title)).toEqual(
      expect.arrayContaining(['KMS dashboards', 'Runbooks']),
    )
  })
})

describe.each(named)('$where', ({ panel }) => {
  it('says what it is, and in which unit', () => {
    expect(panel.title).not.toBe('')
    expect((panel.description ?? '').length).toBeGreaterThan(20)
    expect(panel.description).toMatch(/[.]$/)
    expect(panel.datasource).toEqual({ type: 'prometheus', uid: '${datasource}' })
    expect(panel.targets?.length).toBeGreaterThan(0)
    const units = [panel.fieldConfig?.defaults.unit, ...propertiesOf(panel, 'unit')]
    for (const unit of units) expect(UNITS).toContain(unit)
  })

  it('has a word for what is unknown, in a colour that is not good news', () => {
    const { defaults } = panel.fieldConfig ?? {}
    expect(defaults?.noValue ?? '').not.toBe('')
    const all = [defaults?.mappings, ...(propertiesOf(panel, 'mappings') as readonly (readonly Mapping[])[])]
    // An empty list is that of a label.
    for (const mappings of all.filter((each) => each !== undefined && each.length > 0)) {
      const special = mappings?.filter(({ type }) => type === 'special').map(({ options }) => options)
      expect(special?.map(({ match }) => match)).toEqual(['null+nan', 'empty'])
      const words = mappings
        ?.filter(({ type }) => type === 'value')
        .flatMap(({ options }) => Object.values(options))
      for (const { text, color } of (words ?? []) as readonly { text: string; color: string }[]) {
        if (['cannot tell', 'unknown'].includes(text)) expect(color).toBe('#8e8e8e')
      }
      for (const { result } of special ?? []) {
        expect(['#8e8e8e', 'blue']).toContain((result as { color: string }).color)
      }
    }
    expect(defaults?.mappings?.length).toBeGreaterThan(0)
  })
})

function propertiesOf(panel: Panel, id: string): readonly unknown[] {
  return (panel.fieldConfig?.overrides ?? []).flatMap(({ properties }) =>
    properties.filter((property) => property.id === id).map(({ value }) => value),
  )
}

describe.each(queries)('$where', ({ expr, legend, board, panel }) => {
  const selectors = selectorsOf(
    expr.replaceAll('$__range', '1h').replaceAll(/\[\$__rate_interval\]/g, '[4m]'),
  )
  const asWritten = selectorsOf(expr)

  it('parses', () => {
    expect(mistakes(substitute(expr))).toEqual([])
    expect(mistakes(`${substitute(expr)} )`)).not.toEqual([])
  })

  it('names series and labels that exist, of the chosen job and instance', () => {
    expect(selectors.length).toBeGreaterThan(0)
    for (const { name, matchers } of selectors) {
      const labels = labelsOfSeries(name)
      expect(labels, name).toBeDefined()
      for (const label of Object.keys(matchers)) expect(labels, name).toContain(label)
      if (name === 'ALERTS') continue
      expect(matchers).toMatchObject({ job: '=~"$job"', instance: '=~"$instance"' })
    }
    const known = selectors.flatMap(({ name }) => labelsOfSeries(name) ?? [])
    const used = [
      ...groupingLabelsOf(expr),
      ...[...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label),
    ]
    for (const label of used) expect(known).toContain(label)
  })

  it('looks at counters as they grow, over an interval that Grafana chooses', () => {
    for (const { name, within, range } of asWritten) {
      // Of the storage the birth counts, too.
      if (name === 'winkms_exporter_storage_problems_total') continue
      const isCounter = COUNTERS.has(name) || /_(total|bucket)$/.test(name)
      if (isCounter) {
        expect(['rate', 'increase']).toContain(within[0])
        expect(['$__rate_interval', '$__range']).toContain(range)
        if (range === '$__range') expect(panel.type).toBe('stat')
      } else expect(range).toBeUndefined()
    }
  })

  it('sees two replicas of the exporter as one', () => {
    if (board.uid !== 'winkms-exporter') expect(groupingLabelsOf(expr)).not.toContain('instance')
    for (const { name, within } of selectors) {
      const ownAccount = /^(winkms_exporter_|process_|nodejs_|up$|ALERTS$)/.test(name)
      if (ownAccount) continue
      expect(within.filter((each) => /^(max|min|avg|topk)$/.test(each)).length, name).toBeGreaterThan(0)
    }
  })
})

describe('levels', () => {
  const DAY = 86_400
  const { count, driftSeconds, clientExpirySeconds, dnsPublishFailedSeconds, failingRequests, idle } = LEVELS
  const stepsOf = (uid: string, id: number, column?: string): readonly (number | null)[] => {
    const panel = BOARDS.find((board) => board.uid === uid)?.panels.find((each) => each.id === id)
    const override = panel?.fieldConfig?.overrides?.find(({ matcher }) => matcher.options === column)
    const own = override?.properties.find((property) => property.id === 'thresholds')?.value as
      Thresholds | undefined
    return ((column === undefined ? panel?.fieldConfig?.defaults.thresholds : own)?.steps ?? []).map(
      ({ value }) => value,
    )
  }
  const beyond = ({ warning, critical }: { warning: number; critical: number }) => [
    null,
    -critical,
    -warning,
    warning,
    critical,
  ]
  const below = ({ warning, critical }: { warning: number; critical: number }) => [null, critical, warning]

  it.each([
    ['winkms-estate', 11, 'Drift', beyond(driftSeconds)],
    ['winkms-host', 3, undefined, beyond(driftSeconds)],
    ['winkms-host', 32, undefined, beyond(driftSeconds)],
    ['winkms-capacity', 1, undefined, below(count.clients)],
    ['winkms-capacity', 2, undefined, below(count.servers)],
    ['winkms-capacity', 3, undefined, below(count.clients)],
    ['winkms-capacity', 4, undefined, below(count.servers)],
    ['winkms-capacity', 13, undefined, below(count.clients)],
    [
      'winkms-capacity',
      12,
      undefined,
      below({ warning: clientExpirySeconds.warning / DAY, critical: clientExpirySeconds.critical / DAY }),
    ],
    ['winkms-activity', 3, undefined, [null, failingRequests.ratio]],
    ['winkms-activity', 4, undefined, [null, idle.leastSeconds]],
    ['winkms-activity', 21, 'Ago', [null, dnsPublishFailedSeconds.critical]],
    [
      'winkms-exporter',
      21,
      undefined,
      beyond({ warning: EXPORTER_CLOCK_LIMIT_SECONDS, critical: EXPORTER_CLOCK_LIMIT_SECONDS }),
    ],
  ] as const)('%s, panel %i: those of the alerts', (uid, id, column, steps) => {
    expect(stepsOf(uid, id, column)).toEqual(steps)
  })
})

describe('causes', () => {
  const tree = cases.find(({ board, panel }) => board.uid === 'winkms-host' && panel.id === 12)?.panel

  it('all stand in the decision tree, each in a row of its own', () => {
    const rows = (tree?.targets ?? []).map(({ expr }) => /cause="(\w+)"/.exec(expr)?.[1] ?? '')
    expect(rows.toSorted()).toEqual(CAUSE_NAMES.toSorted())
  })

  it('lead to their runbooks', () => {
    expect(tree?.fieldConfig?.defaults.links?.map(({ url }) => url)).toEqual([
      '${exporter_url:raw}/runbooks/${__field.labels.cause}',
    ])
  })
})
