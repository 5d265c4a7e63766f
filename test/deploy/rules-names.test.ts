// Every metric and every label that the rules ask for, or that their texts show, is one that the exporter declares.
import { describe, expect, it } from 'vitest'
import { ALERTS, GROUPS } from '../../deploy/prometheus/rules/index.ts'
import type { AlertRule, RecordingRule } from '../../deploy/prometheus/rules/rule.ts'
import { FAMILIES } from '../../src/views/catalogue.ts'
import { createSelfMetrics } from '../../src/views/prometheus.ts'
import { groupingLabelsOf, mistakes, selectorsOf } from '../grafana/promql.ts'

/** Of the scrape, and the one that users may put there. */
const OF_TARGETS = ['job', 'instance', 'vantage']
/** Run metrics stand for a domain, a client or a reference, too. */
const SUBJECTS = ['host', 'domain', 'resolver', 'client', 'reference']

const self = createSelfMetrics({ version: '', revision: '' }, () => 0, { processMetrics: false })

/** Declared in prom-client's objects, but not in their types. */
function selfLabels(name: string): readonly string[] {
  const metric: object | undefined = self.registry.getSingleMetric(name)
  return metric !== undefined && 'labelNames' in metric && Array.isArray(metric.labelNames)
    ? metric.labelNames.map(String)
    : []
}

const declared = new Map<string, readonly string[]>([
  ...FAMILIES.map(({ name, labels }): [string, readonly string[]] => [
    name,
    name.startsWith('winkms_probe_') ? [...labels, ...SUBJECTS] : labels,
  ]),
  ...(await self.registry.getMetricsAsJSON()).map(({ name }): [string, readonly string[]] => [
    name,
    selfLabels(name),
  ]),
  ['up', []],
])

const all = GROUPS.flatMap(({ rules }): readonly (RecordingRule | AlertRule)[] => rules)
const recordOf = (name: string): RecordingRule | undefined =>
  all.find((rule): rule is RecordingRule => 'record' in rule && rule.record === name)

/** What a series of this name may bear. */
function labelsOf(name: string, above: readonly string[] = []): readonly string[] {
  const record = recordOf(name)
  if (record === undefined) return [...(declared.get(name) ?? []), ...OF_TARGETS]
  if (above.includes(name)) return []
  return selectorsOf(record.expr).flatMap((each) => labelsOf(each.name, [...above, name]))
}

/** Labels that a query asks of a metric that has them not, and metrics that there are not. */
function strangersIn(query: string): readonly string[] {
  const selectors = selectorsOf(query)
  const borne = new Set(selectors.flatMap(({ name }) => labelsOf(name)))
  return [
    ...mistakes(query),
    ...selectors.flatMap(({ name }) =>
      declared.has(name) || recordOf(name) !== undefined ? [] : [`no metric ${name}`],
    ),
    ...selectors.flatMap(({ name, matchers }) =>
      Object.keys(matchers).flatMap((label) =>
        labelsOf(name).includes(label) ? [] : [`${name} has no ${label}`],
      ),
    ),
    ...groupingLabelsOf(query).flatMap((label) => (borne.has(label) ? [] : [`nothing here has ${label}`])),
  ]
}

const nameOf = (rule: RecordingRule | AlertRule): string =>
  'record' in rule ? rule.record : `${rule.runbook} ${rule.severity} ${rule.scope}`

/** Queries in the templates of a text, as they are when it is filled in. */
const queriesIn = (text: string): readonly string[] =>
  [...text.matchAll(/printf "([^"]*)"/g)].map(([, query = '']) => query.replaceAll('%q', '"x"'))

describe('the rules ask for what there is', () => {
  it.each(all.map((rule) => [nameOf(rule), rule] as const))('%s', (_name, { expr }) => {
    expect(selectorsOf(expr).length).toBeGreaterThan(0)
    expect(strangersIn(expr)).toEqual([])
  })
})

describe('so do the texts of an alert', () => {
  it.each(ALERTS.map((rule) => [nameOf(rule), rule] as const))('%s', (_name, rule) => {
    const text = `${rule.summary} ${rule.description}`
    expect(queriesIn(text).flatMap(strangersIn)).toEqual([])
    const own = new Set(selectorsOf(rule.expr).flatMap(({ name }) => labelsOf(name)))
    const shown = [...text.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label)
    expect(shown.filter((label) => !own.has(label))).toEqual([])
    const asked = new Set(
      queriesIn(text)
        .flatMap(selectorsOf)
        .flatMap(({ name }) => labelsOf(name)),
    )
    const told = [...text.matchAll(/(?:\.Labels\.|\| label ")(\w+)/g)].map(([, label = '']) => label)
    expect(told.filter((label) => !asked.has(label))).toEqual([])
  })
})

it('no record is asked for that there is not', () => {
  const names = all.flatMap(({ expr }) => selectorsOf(expr).map(({ name }) => name))
  const records = names.filter((name) => name.startsWith('winkms:'))
  expect(records.length).toBeGreaterThan(20)
  expect(records.filter((name) => recordOf(name) === undefined)).toEqual([])
})
