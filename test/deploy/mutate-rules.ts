// Breaks the rules in small ways, one at a time, and says which breakage no case notices: `npx tsx test/deploy/mutate-rules.ts
// [PART OF A NAME]`. Not a test: it takes minutes. Run it after a rule or a case has changed.
import { ALERTS, GROUPS } from '../../deploy/prometheus/rules/index.ts'
import { known, type AlertRule, type RecordingRule } from '../../deploy/prometheus/rules/rule.ts'
import { alertNameOf } from '../../src/runbooks/names.ts'
import { groupsOf, type Change } from './play.ts'
import { breaches, casesOf, isSlow } from './rule-cases.ts'
import { breachesOf, COMPANY } from './rule-company.ts'
import { SCENES } from './rule-scenes.ts'

type Rule = RecordingRule | AlertRule

interface Mutant {
  readonly what: string
  readonly rule: Rule
  readonly expr: string
}

/** Words of PromQL, what becomes of them; a number is what something is compared with. */
const CHANGES: readonly (readonly [RegExp, (word: string) => readonly string[]])[] = [
  [/(?<![=!<>~])(?:==|!=|>=|<=|>|<)(?![=~"])/g, (word) => [OPPOSITE[word] ?? word]],
  [/\b(?:unless|and)\b/g, (word) => [word === 'and' ? 'unless' : 'and']],
  [
    /(?<![\w.:\][])\d[\d.]*(?![\w\].:])/g,
    (word) => (Number(word) > 1 ? [`(${word} * 2)`, `(${word} / 2)`] : []),
  ],
  // Of a pair, the better or the worse word.
  [/\b(?:min|max)(?= by\b)/g, (word) => [word === 'min' ? 'max' : 'min']],
]

const OPPOSITE: Readonly<Record<string, string>> = {
  '==': '!=',
  '!=': '==',
  '>': '<=',
  '<=': '>',
  '<': '>=',
  '>=': '<',
}

/** Where nothing is changed: in strings and brackets, and in what every rule has alike (`known`). */
function untouched(expr: string): readonly (readonly [number, number])[] {
  const [before = '', middle = '', after = ''] = known('$').split('$').map(escape)
  const alike = new RegExp(`${middle}.*?${after}`, 'g')
  if (before === '') throw new Error('what every rule has alike begins otherwise')
  return [/"[^"]*"/g, /\[[^\]]*\]/g, alike].flatMap((pattern) =>
    [...expr.matchAll(pattern)].map((match) => [match.index, match.index + match[0].length] as const),
  )
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}

const nameOf = (rule: Rule): string =>
  'record' in rule ? rule.record : `${rule.severity} ${alertNameOf(rule.runbook)} ${rule.scope}`

function mutantsOf(rule: Rule): readonly Mutant[] {
  const { expr } = rule
  const spared = untouched(expr)
  return CHANGES.flatMap(([pattern, change]) =>
    [...expr.matchAll(pattern)]
      .filter(({ index }) => !spared.some(([from, to]) => index >= from && index < to))
      .flatMap(({ 0: word, index }) =>
        change(word).map((other) => ({
          rule,
          expr: `${expr.slice(0, index)}${other}${expr.slice(index + word.length)}`,
          what: `${nameOf(rule)}: ${word} → ${other} in …${expr.slice(Math.max(0, index - 50), index + 30).replaceAll(/\s+/g, ' ')}…`,
        })),
      ),
  )
}

/** Alerts that rest on a rule. */
function alertsOn(rule: Rule): readonly string[] {
  if (!('record' in rule)) return [alertNameOf(rule.runbook)]
  const all = [...new Set(ALERTS.map(({ runbook }) => alertNameOf(runbook)))]
  return all.filter((alert) => JSON.stringify(groupsOf(alert)).includes(`"${rule.record}"`))
}

async function isNoticed({ rule, expr }: Mutant): Promise<boolean> {
  const change: Change = (each) => (each === rule ? { ...each, expr } : each)
  const alerts = new Set(alertsOn(rule))
  // Twelve causes have rules of one shape.
  const shapes = alerts.size > 12 ? new Set([...alerts].filter((alert) => !SAME_SHAPE.has(alert))) : alerts
  const company = COMPANY.filter(({ alert }) => shapes.has(alert))
  const cases = SCENES.flatMap((scene, index) =>
    shapes.has(alertNameOf(scene.runbook)) ? [{ scene, index }] : [],
  )
  const fast = cases.filter(({ scene }) => !isSlow(scene))
  const slow = cases.filter(({ scene }) => isSlow(scene))
  try {
    if ((await breachesOf(company, change)).length > 0) return true
    for (const some of [fast, slow]) {
      const played = some.flatMap(({ scene, index }) => casesOf(scene, index))
      if ((await breaches(played, change)).length > 0) return true
    }
    return false
  } catch {
    // promtool takes it for no rule at all, or its parts do not fit each other.
    return true
  }
}

const shapeOf = (rule: AlertRule): string =>
  `${rule.severity} ${rule.cause === undefined ? rule.expr : rule.expr.replaceAll(rule.cause, 'CAUSE')}`
const firstOf = new Map<string, AlertRule>()
for (const rule of ALERTS) if (!firstOf.has(shapeOf(rule))) firstOf.set(shapeOf(rule), rule)
const distinct = new Set<Rule>(firstOf.values())
const SAME_SHAPE = new Set(
  ALERTS.filter((rule) => !distinct.has(rule)).map(({ runbook }) => alertNameOf(runbook)),
)
SAME_SHAPE.delete('WinkmsServiceStopped')
SAME_SHAPE.delete('WinkmsPortBlocked')

async function main(): Promise<void> {
  const [, , part = ''] = process.argv
  const mutants = GROUPS.flatMap(({ rules }) =>
    rules.filter((rule) => 'record' in rule || distinct.has(rule)),
  )
    .flatMap(mutantsOf)
    .filter(({ what }) => what.includes(part))
  let survivors = 0
  for (const mutant of mutants) {
    if (await isNoticed(mutant)) continue
    survivors++
    process.stdout.write(`nobody notices ${mutant.what}\n`)
  }
  process.stdout.write(`${mutants.length} breakages, ${survivors} that nobody notices\n`)
}

await main()
