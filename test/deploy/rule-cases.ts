// Cases of each scene: it fires, and does not, recovers, survives a gap, ends when nobody knows; a pair of exporters is one.
import { ALERTS } from '../../deploy/prometheus/rules/index.ts'
import type { AlertRule } from '../../deploy/prometheus/rules/rule.ts'
import { parseDuration } from '../../src/config/duration.ts'
import { alertNameOf } from '../../src/runbooks/names.ts'
import { playAll, samples, scraped, type Change, type Play, type Samples } from './play.ts'
import type { Said, Scene, Value } from './rule-scenes.ts'

const minutesOf = (duration: string | undefined): number => (parseDuration(duration ?? '0s') ?? 0) / 60

/** The rule that a scene is about: of several with one name the one whose labels it has. */
export function ruleOf({ runbook, severity, labels }: Scene): AlertRule {
  const rules = ALERTS.filter((rule) => rule.runbook === runbook && rule.severity === severity)
  const scope =
    'host' in labels && !('client' in labels)
      ? 'host'
      : 'client' in labels
        ? 'client'
        : 'domain' in labels
          ? 'domain'
          : 'exporter'
  const rule = rules.length === 1 ? rules[0] : rules.find((each) => each.scope === scope)
  if (rule === undefined) throw new Error(`there is no rule ${severity} ${runbook}`)
  return rule
}

function firing(scene: Scene): Readonly<Record<string, string>> {
  const { runbook, severity, scope, cause } = ruleOf(scene)
  return { alertname: alertNameOf(runbook), severity, scope, ...(cause && { cause }), ...scene.labels }
}

export type Series = Record<string, Samples>

/** What one exporter says in so many minutes. */
export function seriesOf(
  said: readonly Said[],
  minutes: number,
  value: (each: Said) => Value,
  instance?: string,
): Series {
  return Object.fromEntries<Samples>([
    // It is in every scrape, and so tells one that failed from something that is not said any more.
    [scraped('winkms_exporter_build_info{version="1"}', instance), samples(minutes, 1)],
    ...said.map((each) => [scraped(each.series, instance), samples(minutes, value(each))] as const),
  ])
}

export const sick = (each: Said): Value => each.sick
const well = (each: Said): Value => each.well ?? each.sick

/** When an alert of the scene fires for certain. */
export function ripeAt(scene: Scene): number {
  return minutesOf(ruleOf(scene).for) + (scene.after ?? 0) + 10
}

/** What is well again is told at once, and remembered for a while. */
function recovered(scene: Scene): { readonly series: Series; readonly at: number } {
  const from = ripeAt(scene)
  const at = from + minutesOf(ruleOf(scene).keepFiringFor) + (scene.remembers ?? 0) + 35
  const [before, after] = [seriesOf(scene.said, at, sick), seriesOf(scene.said, at, well)]
  const series = Object.fromEntries(
    Object.entries(before).map(([name, values]) => {
      const [first = 0, then = 0] = [values[from], after[name]?.[from]]
      // A counter goes on from where it is.
      const offset = name.includes('_total{') ? first - then : 0
      const tail = (after[name] ?? []).slice(from + 1).map((value = 0) => value + offset)
      return [name, [...values.slice(0, from + 1), ...tail]]
    }),
  )
  return { series, at }
}

/** Three scrapes in a row have failed at the moment of looking. */
function withGap(series: Series, at: number): Series {
  return Object.fromEntries(
    Object.entries(series).map(([name, values]) => [
      name,
      values.map((value, minute) => (minute > at - 3 ? undefined : value)),
    ]),
  )
}

/** Those that wait for days would be thousands of evaluations each. */
export const isSlow = (scene: Scene): boolean => ripeAt(scene) > 600

const endAt = (scene: Scene, at: number): number =>
  at + minutesOf(ruleOf(scene).keepFiringFor) + (scene.remembers ?? 0) + 10

/** What was said of the subject until then is not said any more; everything else is. */
function untold(scene: Scene, at: number): Series {
  const series = seriesOf(scene.said, endAt(scene, at), sick)
  for (const { series: name } of scene.said.filter(({ subject }) => subject === true)) {
    const values = series[scraped(name)] ?? []
    series[scraped(name)] = values.map((value, minute) => (minute > at ? undefined : value))
  }
  return series
}

export const nameOf = (scene: Scene, index: number): string =>
  `${scene.severity} ${alertNameOf(scene.runbook)} (${index}: ${Object.values(scene.labels).join(' ')})`

export interface Case {
  readonly play: Play
  readonly rule: AlertRule
  readonly expected: readonly Readonly<Record<string, string>>[]
}

export function casesOf(scene: Scene, index: number): readonly Case[] {
  const alert = alertNameOf(scene.runbook)
  const at = ripeAt(scene)
  const all = [firing(scene)]
  const make = (what: string, series: Series, when: number, expected: Case['expected']): Case => ({
    play: { name: `${nameOf(scene, index)} ${what}`, series, at: when, alert, step: isSlow(scene) ? 5 : 1 },
    rule: ruleOf(scene),
    expected,
  })
  const known = seriesOf(scene.said, at, sick)
  const subjectless = scene.said.filter(({ subject }) => subject !== true)
  const pair = { ...known, ...seriesOf(scene.said, at, sick, 'two:11688') }
  const twoOfThem = [firing(scene), { ...firing(scene), instance: 'two:11688' }]
  const half = { ...known, ...seriesOf(scene.said, at, well, 'two:11688') }
  const waits = minutesOf(ruleOf(scene).for)
  const replaced = (value: Value): Series =>
    seriesOf(scene.said, at, (each) => (each.subject === true ? value : each.sick))
  return [
    make('fires', known, at, all),
    ...(waits > 2 ? [make('does not before its time', known, waits - 2, [])] : []),
    make('does not fire when all is well', seriesOf(scene.said, at, well), at, []),
    make('does not fire when it cannot be told', seriesOf(subjectless, at, sick), at, []),
    (({ series, at: when }) => make('recovers', series, when, []))(recovered(scene)),
    make('survives a gap', withGap(known, at), at, all),
    make('ends when it cannot be told any more', untold(scene, at), endAt(scene, at), []),
    make('of a pair of exporters is one', pair, at, 'instance' in scene.labels ? twoOfThem : all),
    ...(ruleOf(scene).cause !== undefined && !('instance' in scene.labels)
      ? [make('does not fire when the other of the pair rules it out', half, at, [])]
      : []),
    ...(scene.also ?? []).map((value, i) => make(`fires by its threshold (${i})`, replaced(value), at, all)),
    ...(scene.neither ?? []).map((value, i) =>
      make(`does not by its threshold (${i})`, replaced(value), at, []),
    ),
  ]
}

const sorted = (labels: readonly Readonly<Record<string, string>>[]): readonly string[] =>
  labels
    .map((each) => JSON.stringify(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1))))
    .toSorted()

/** What each case got that was not right. Another severity of the same alert is another scene's. */
export async function breaches(cases: readonly Case[], change?: Change): Promise<readonly object[]> {
  const played = await playAll(
    cases.map(({ play }) => play),
    change,
  )
  return cases.flatMap(({ play, rule, expected: want }, index) => {
    const got = (played[index] ?? [])
      .map(({ labels }) => labels)
      .filter(({ severity, scope }) => severity === rule.severity && scope === rule.scope)
    return JSON.stringify(sorted(got)) === JSON.stringify(sorted(want))
      ? []
      : [{ case: play.name, got, want }]
  })
}
