// deploy/prometheus/winkms.rules.yml and docs/alerts.md, from the tables in deploy/prometheus/rules/.
import { stringify } from 'yaml'
import { ALERTS, GROUPS } from '../deploy/prometheus/rules/index.ts'
import { ruleYaml } from '../deploy/prometheus/rules/rule.ts'
import { RUNBOOKS } from '../src/runbooks/index.ts'
import { alertNameOf } from '../src/runbooks/names.ts'
import { keptBackBy } from './inhibitions.ts'

function rulesYaml(): string {
  const groups = GROUPS.map(({ name, rules }) => ({ name, rules: rules.map(ruleYaml) }))
  return `# Generated from deploy/prometheus/rules/ by npm run docs; do not edit. README.md beside this file says how to use it.
${stringify({ groups }, { lineWidth: 0 })}`
}

function alertsPage(): string {
  const rows = ALERTS.map((rule) => {
    const { runbook, severity, scope, when } = rule
    const meaning = [RUNBOOKS[runbook].title, when].filter(Boolean).join('; ')
    return `| [\`${alertNameOf(runbook)}\`](runbooks/${runbook}.md) | ${severity} | ${scope} | ${rule.for} | ${meaning} | ${keptBackBy(rule)} |`
  })
  return `# Alerts

Generated from \`deploy/prometheus/rules/\` by \`npm run docs\`; do not edit. The rules: [winkms.rules.yml](../deploy/prometheus/winkms.rules.yml);
how to load and tune them: [deploy/prometheus](../deploy/prometheus/README.md); who is notified, and what keeps what back:
[deploy/alertmanager](../deploy/alertmanager/README.md).

\`critical\` wakes somebody, \`warning\` is work for the day. Every alert bears \`severity\` and \`scope\`, and its cause if it has one;
its runbook is one click away. What is kept back is not sent while the other alert lasts about the same host or exporter, seen from the
same place.

| alert | severity | about | stands for | meaning | kept back by |
| --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`
}

/** Path below the project's root → text. */
export const ruleFiles = (): Readonly<Record<string, string>> => ({
  'deploy/prometheus/winkms.rules.yml': rulesYaml(),
  'docs/alerts.md': alertsPage(),
})
