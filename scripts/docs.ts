// Writes docs/metrics.md, docs/winkms.schema.json, docs/runbooks/, the manual page and grafana/dashboards/ from the
// declarations, and what the Helm chart has of them; with --check, says whether they agree.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { configJsonSchema } from '../src/config/json-schema.ts'
import { CAUSE_NAMES, fillIn, rowOf } from '../src/diagnosis/causes.ts'
import { SRV_FINDINGS } from '../src/kms/srv.ts'
import type { Family } from '../src/model/metric.ts'
import { SECTIONS } from '../src/views/catalogue.ts'
import { createSelfMetrics } from '../src/views/prometheus.ts'
import { chartFiles, strayChartFiles } from './chart.ts'
import { dashboardFiles } from './dashboards.ts'
import { manualFiles } from './manual.ts'
import { ruleFiles } from './rules.ts'
import { runbookFiles, strayRunbooks } from './runbooks.ts'

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function familyTable(families: readonly Family[]): string {
  const rows = families.map(({ name, type, labels, help }) => [`\`${name}\``, type, labels.join(', '), help])
  return table(['name', 'type', 'labels', 'meaning'], rows)
}

async function selfFamilies(): Promise<readonly Family[]> {
  const self = createSelfMetrics({ version: '', revision: '' }, () => 0, { processMetrics: false })
  const metrics = await self.registry.getMetricsAsJSON()
  return metrics.map(({ name, help, type }) => {
    // Declared in prom-client's objects, but not in their types.
    const metric: object | undefined = self.registry.getSingleMetric(name)
    const labels =
      metric !== undefined && 'labelNames' in metric && Array.isArray(metric.labelNames)
        ? metric.labelNames
        : []
    return { name, help, type: String(type) as Family['type'], labels: labels.map(String) }
  })
}

async function metricsPage(): Promise<string> {
  const causes = CAUSE_NAMES.map((cause) => {
    const { title, clientError, remedy, command, stopsService, needs } = rowOf(cause)
    const facts = { host: 'HOST', port: 1688, domain: 'DOMAIN' }
    const told = needs === undefined ? 'yes' : `with ${needs}`
    return [
      `\`${cause}\``,
      title,
      clientError ?? '',
      stopsService ? 'yes' : 'no',
      told,
      `${fillIn(remedy, facts)} \`${fillIn(command, facts)}\``,
    ]
  })
  const findings = Object.entries(SRV_FINDINGS).map(([name, [severity, says]]) => [
    `\`${name}\``,
    severity,
    says,
  ])
  const sections = SECTIONS.map(({ title, families }) => `## ${title}\n\n${familyTable(families)}\n`)
  return `# Metrics

Generated from the declarations in \`src/\` by \`npm run docs\`; do not edit.

Times are Unix seconds, UTC. What could not be measured is absent: unknown is not zero. Series about a domain carry
\`domain\` and \`resolver\` in place of \`host\`, those about a reference clock \`reference\`. A host's own labels from the
configuration stand on \`winkms_host_info\`, for joins.

${sections.join('\n')}
## The exporter itself

${familyTable(await selfFamilies())}

Beside these, prom-client's \`process_*\` and \`nodejs_*\`.

## Causes

Values of the label \`cause\`; the error is what clients show. \`stops service\`: with this cause, \`winkms_host_serving\` is 0.

${table(['cause', 'title', 'client error', 'stops service', 'can be told', 'remedy'], causes)}

## SRV findings

Values of the label \`finding\`. One of severity error makes \`winkms_srv_correct\` 0.

${table(['finding', 'severity', 'meaning'], findings)}
`
}

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string
}
const made: Readonly<Record<string, string>> = {
  ...runbookFiles(),
  ...(await dashboardFiles()),
  ...ruleFiles(),
  ...manualFiles(version),
  'docs/metrics.md': await metricsPage(),
  'docs/winkms.schema.json': `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
}
const files: Readonly<Record<string, string>> = { ...made, ...chartFiles(made) }
const stale = Object.entries(files).filter(([file, text]) => {
  const path = new URL(`../${file}`, import.meta.url)
  if (process.argv.includes('--check')) {
    try {
      return readFileSync(path, 'utf8') !== text
    } catch {
      return true
    }
  }
  mkdirSync(new URL('.', path), { recursive: true })
  writeFileSync(path, text)
  return false
})
if (stale.length > 0) {
  process.stderr.write(`out of date: ${stale.map(([file]) => file).join(', ')}; run npm run docs\n`)
  process.exitCode = 1
}
const strays = [...strayRunbooks(files), ...strayChartFiles(files)]
if (strays.length > 0) {
  process.stderr.write(`belongs to nothing any more: ${strays.join(', ')}; delete it\n`)
  process.exitCode = 1
}
