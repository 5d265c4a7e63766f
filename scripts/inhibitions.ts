// Which alerts Alertmanager keeps back while which others last, by the example configuration; for docs/alerts.md.
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { ALERTS } from '../deploy/prometheus/rules/index.ts'
import type { AlertRule } from '../deploy/prometheus/rules/rule.ts'
import { rowOf, type Cause } from '../src/diagnosis/causes.ts'
import { alertNameOf } from '../src/runbooks/names.ts'

interface InhibitRule {
  readonly source_matchers: readonly string[]
  readonly target_matchers: readonly string[]
  readonly equal: readonly string[]
}

const FILE = new URL('../deploy/alertmanager/alertmanager.yml', import.meta.url)

const STOPPING = 'a cause for which the host does not serve'

function labelsOf({ runbook, severity, scope, cause = '' }: AlertRule): Readonly<Record<string, string>> {
  return { alertname: alertNameOf(runbook), severity, scope, cause }
}

/** Of labels that come from the data it is not known here what they are: they may be what is asked for. */
function matches(rule: AlertRule, matchers: readonly string[]): boolean {
  const labels = labelsOf(rule)
  return matchers.every((matcher) => {
    const [, name = '', operator = '', text] = /^(\w+)\s*(=~|!~|!=|=)\s*"(.*)"$/.exec(matcher) ?? []
    if (text === undefined) throw new Error(`not a matcher: ${matcher}`)
    const value = labels[name]
    if (value === undefined) return true
    const same = operator.endsWith('~') ? new RegExp(`^(?:${text})$`).test(value) : value === text
    return same !== operator.startsWith('!')
  })
}

/** Of what is alerted for clients, only a canary's failure tells its host. */
const hasHost = ({ scope, runbook }: AlertRule): boolean => scope === 'host' || runbook === 'canary_failing'

/** Whether the two can have the labels in common that they have to. */
function canBeEqual(source: AlertRule, target: AlertRule, equal: readonly string[]): boolean {
  return (
    (!equal.includes('host') || hasHost(source) === hasHost(target)) &&
    (!equal.includes('alertname') || source.runbook === target.runbook)
  )
}

const stops = ({ cause }: AlertRule): boolean => cause !== undefined && rowOf(cause as Cause).stopsService

/** In words: `WinkmsExporterDown`, or for what it stands. */
function inWords(sources: readonly AlertRule[]): readonly string[] {
  const all = ALERTS.filter((rule) => stops(rule) && rule.severity === 'critical')
  const names = new Set(sources.map(({ runbook }) => runbook))
  const everyCause = all.every(({ runbook }) => names.has(runbook))
  const some = sources.filter((rule) => !everyCause || !stops(rule))
  return [...(everyCause ? [STOPPING] : []), ...some.map(({ runbook }) => `\`${alertNameOf(runbook)}\``)]
}

/** What keeps such an alert back, as a list in words; empty where nothing does. */
export function keptBackBy(target: AlertRule): string {
  const { inhibit_rules: rules } = parse(readFileSync(FILE, 'utf8')) as {
    readonly inhibit_rules: readonly InhibitRule[]
  }
  const words = rules
    .filter(({ target_matchers: matchers }) => matches(target, matchers))
    .flatMap(({ source_matchers: matchers, equal }) => {
      const sources = ALERTS.filter(
        (rule) =>
          matches(rule, matchers) &&
          canBeEqual(rule, target, equal) &&
          !(rule.runbook === target.runbook && rule.severity === target.severity),
      )
      const onlyCritical = matchers.some((matcher) => /^severity\s*=\s*"critical"$/.test(matcher))
      return inWords(sources).map((word) => [word, onlyCritical] as const)
    })
  const always = new Set(words.filter(([, critical]) => !critical).map(([word]) => word))
  const all = words.map(([word, critical]) => (critical && !always.has(word) ? `${word} (critical)` : word))
  // Of a host that cannot be reached it is said already: it is one of these causes.
  const unreachable = `\`${alertNameOf('host_unreachable')}\``
  const distinct = [...new Set(all)]
  return distinct
    .filter((word) => !(word.startsWith(unreachable) && distinct.some((each) => each.startsWith(STOPPING))))
    .join(', ')
}
