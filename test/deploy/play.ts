// Lets promtool play series against our rules, and reads which alerts fire and what they say.
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { GROUPS } from '../../deploy/prometheus/rules/index.ts'
import { ruleYaml, type AlertRule, type RecordingRule } from '../../deploy/prometheus/rules/rule.ts'
import type { Value } from './rule-scenes.ts'

/** One value a minute; undefined where the scrape failed, or nothing was said. */
export type Samples = readonly (number | undefined)[]

export interface Play {
  readonly name: string
  /** By series, labels of the scrape included. */
  readonly series: Readonly<Record<string, Samples>>
  /** When to look, in minutes. */
  readonly at: number
  /** Which alerts are asked for. */
  readonly alert: string
  /** Minutes between two scrapes, and two evaluations; 1 unless told. */
  readonly step?: number
}

export interface Firing {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export function samples(minutes: number, value: Value): Samples {
  return Array.from({ length: minutes + 1 }, (_, minute) =>
    typeof value === 'number' ? value : value(minute),
  )
}

/** `metric{a="b"}` with the labels of a scrape. */
export function scraped(series: string, instance = 'one:11688'): string {
  const target = `job="winkms",instance="${instance}"`
  return series.includes('{') ? series.replace('{', `{${target},`) : `${series}{${target}}`
}

/** Prometheus marks a series as stale that a scrape no longer has. */
function notation(values: Samples): string {
  const words: string[] = []
  for (let from = 0; from < values.length;) {
    const value = values[from]
    let to = from + 1
    while (to < values.length && values[to] === value) to++
    const times = to - from - 1
    if (value === undefined) words.push(from === 0 ? '_' : 'stale', ...(times > 0 ? [`_x${times}`] : []))
    else words.push(times > 0 ? `${value}x${times}` : String(value))
    from = to
  }
  return words.join(' ')
}

/** promtool says what it got where it did not get what was expected; nothing is expected, so that it tells all. */
const GOT = /\s*got:\[\n?([^]*?)\n?\s*\]\s*$/

function firings(output: string): readonly Firing[] {
  const [, list = ''] = GOT.exec(output) ?? []
  const texts = list.split(/\n\s*\d+:\s*\n/).filter((text) => text.includes('Labels:'))
  return texts.map((text) => {
    const [, labels = '', annotations = ''] =
      /Labels:\{([^]*?)\}\s*\n\s*Annotations:\{([^]*)\}/.exec(text) ?? []
    return { labels: pairsIn(labels), annotations: pairsIn(annotations) }
  })
}

function pairsIn(text: string): Readonly<Record<string, string>> {
  const pairs = [...text.matchAll(/(\w+)=("(?:[^"\\]|\\.)*")/g)]
  return Object.fromEntries(pairs.map(([, name = '', quoted = '""']) => [name, JSON.parse(quoted) as string]))
}

/** For rules that are not as they are committed. */
export type Change = (rule: RecordingRule | AlertRule) => RecordingRule | AlertRule

/** The rules of one alert, and the records that they rest on. */
export function groupsOf(
  alert: string,
  change: Change = (rule) => rule,
): readonly { readonly name: string; readonly rules: readonly object[] }[] {
  const groups = GROUPS.map(({ name, rules }) => ({
    name,
    rules: rules.map((rule) => ruleYaml(change(rule))),
  }))
  const isOurs = (rule: object): boolean => 'alert' in rule && rule.alert === alert
  const wanted = new Set<string>()
  const want = (rules: readonly object[]): void => {
    for (const [name] of JSON.stringify(rules).matchAll(/winkms:\w+:\w+/g)) {
      if (wanted.has(name)) continue
      wanted.add(name)
      want(groups.flatMap(({ rules: all }) => all.filter((rule) => 'record' in rule && rule.record === name)))
    }
  }
  want(groups.flatMap(({ rules }) => rules.filter(isOurs)))
  return groups
    .map(({ name, rules }) => ({
      name,
      rules: rules.filter((rule) => isOurs(rule) || ('record' in rule && wanted.has(String(rule.record)))),
    }))
    .filter(({ rules }) => rules.length > 0)
}

/** All at once, each with the records and the rules of its own alert: a thousand plays take seconds. */
export async function playAll(
  plays: readonly Play[],
  change?: Change,
): Promise<readonly (readonly Firing[])[]> {
  const folder = await mkdtemp(join(tmpdir(), 'winkms-rules-'))
  try {
    return await Promise.all(
      chunks(plays, 2).map((some, index) => playSome(folder, index, some, change)),
    ).then((all) => all.flat())
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function chunks<T>(list: readonly T[], count: number): readonly (readonly T[])[] {
  const size = Math.ceil(list.length / count)
  return Array.from({ length: count }, (_, index) => list.slice(index * size, (index + 1) * size))
}

async function playSome(
  folder: string,
  part: number,
  plays: readonly Play[],
  change: Change | undefined,
): Promise<readonly (readonly Firing[])[]> {
  const files = await Promise.all(
    plays.map(async ({ alert, series, at, step = 1 }, index) => {
      const own = groupsOf(alert, change)
      const rulesFile = join(folder, `${part}-${index}.rules.yml`)
      await writeFile(rulesFile, stringify({ groups: own }, { lineWidth: 0 }))
      const file = join(folder, `${part}-${index}.yml`)
      const test = {
        interval: `${step}m`,
        input_series: Object.entries(series).map(([name, values]) => ({
          series: name,
          values: notation(values.filter((_, minute) => minute % step === 0)),
        })),
        alert_rule_test: [{ eval_time: `${at}m`, alertname: alert, exp_alerts: [] }],
      }
      const order = own.map(({ name }) => name)
      await writeFile(
        file,
        stringify({
          rule_files: [rulesFile],
          evaluation_interval: `${step}m`,
          group_eval_order: order,
          tests: [test],
        }),
      )
      return file
    }),
  )
  const results: (readonly Firing[])[] = []
  for (const some of chunks(files, Math.ceil(files.length / 20))) {
    const output = await promtool(['test', 'rules', ...some])
    const parts = output.split(/^Unit Testing: {2}/m).slice(1)
    if (parts.length !== some.length) throw new Error(`promtool: ${output}`)
    for (const each of parts) {
      if (!/^\S+\n\s*(?:SUCCESS|FAILED:)/.test(each)) throw new Error(`promtool: ${each}`)
      if (/FAILED/.test(each) && !GOT.test(each)) throw new Error(`promtool: ${each}`)
      results.push(firings(each))
    }
  }
  return results
}

/** It fails whenever an alert fires. What is wrong goes to stderr, and only in one stream does it stand behind its file. */
function promtool(args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const argv = ['-c', 'exec promtool "$@" 2>&1', 'sh', ...args]
    execFile('sh', argv, { maxBuffer: 64 * 2 ** 20 }, (_error, stdout) => resolve(stdout))
  })
}
