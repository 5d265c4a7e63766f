// What the Helm chart has of other files: the rules and dashboards, for Helm reads nothing outside of the chart; the schema of
// its values and the table in its README, both from values.yaml and its comments.
import { readdirSync, readFileSync } from 'node:fs'
import { isMap, isScalar, parseDocument, type Pair } from 'yaml'
import * as z from 'zod'
import { schema as configSchema } from '../src/config/schema.ts'

const CHART = 'deploy/helm/winkms-exporter'
const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')

/** A value of values.yaml, or a group of them. */
interface Value {
  readonly name: string
  readonly says: string
  readonly given: unknown
  /** Undefined of a single value, which is one that has a comment, whatever it holds. */
  readonly within: readonly Value[] | undefined
}

function textOf(node: unknown): string {
  return isScalar(node) ? String(node.value) : ''
}

function valuesOf(map: unknown, above = ''): readonly Value[] {
  if (!isMap(map)) return []
  return map.items.map((pair: Pair, index) => {
    const { key, value } = pair
    const name = `${above}${textOf(key)}`
    // The comment on a map's first key is kept with the map.
    const comment =
      index === 0 && above !== '' ? map.commentBefore : (key as { commentBefore?: string }).commentBefore
    const says = (comment ?? '').trim().replaceAll(/\n */g, ' ')
    const group = isMap(value) && value.flow !== true && value.items.length > 0 && says === ''
    return {
      name,
      says,
      given: isMap(value) || !isScalar(value) ? (value as { toJSON(): unknown }).toJSON() : value.value,
      within: group ? valuesOf(value, `${name}.`) : undefined,
    }
  })
}

type Schema = Readonly<Record<string, unknown>>

const text: Schema = { type: 'string' }
const texts: Schema = { type: 'object', additionalProperties: text }
const port: Schema = { type: 'integer', minimum: 1, maximum: 65_535 }
const duration: Schema = { type: 'string', pattern: '^([0-9]+(ms|s|m|h))+$' }
const secretName: Schema = { type: 'string', pattern: '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$' }
const oneOf = (...choices: readonly string[]): Schema => ({ enum: choices })
const listOf = (items: Schema): Schema => ({ type: 'array', items })
const strict = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
})

/** Where the default does not say all that there is to know. */
const NARROWER: Readonly<Record<string, Schema>> = {
  'image.tag': { type: 'string', not: { const: 'latest' } },
  'image.digest': { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' },
  'image.pullPolicy': oneOf('Always', 'IfNotPresent', 'Never'),
  imagePullSecrets: listOf(strict({ name: secretName })),
  labels: texts,
  shards: { type: 'integer', minimum: 1, maximum: 100 },
  replicas: { type: 'integer', minimum: 1, maximum: 10 },
  secretFiles: { ...listOf(strict({ secretName })), uniqueItems: true },
  secretEnv: listOf(
    strict({ name: { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }, secretName, key: text }),
  ),
  'web.file': { type: 'string', pattern: '^[A-Za-z0-9_.-]+$' },
  'web.externalUrl': { type: 'string', pattern: '^(https?://.+)?$' },
  'web.routePrefix': { type: 'string', pattern: '^(/.*)?$' },
  'web.allowHosts': listOf(text),
  'log.level': oneOf('debug', 'info', 'warn', 'error'),
  'log.format': oneOf('json', 'logfmt'),
  // Those of the others that the chart sets by itself would be given twice, which the exporter refuses.
  extraArgs: listOf({
    type: 'string',
    pattern: '^--',
    not: {
      pattern: String.raw`^--(shard|config\.file|storage\.path|log\.level|log\.format|web\.(listen-address|telemetry-path|config\.file|external-url|route-prefix|enable-lifecycle))(=|$)`,
    },
  }),
  extraEnv: listOf({ type: 'object', required: ['name'] }),
  extraVolumes: listOf({ type: 'object', required: ['name'] }),
  extraVolumeMounts: listOf({ type: 'object', required: ['name', 'mountPath'] }),
  'persistence.size': { type: 'string', pattern: '^[0-9]+([KMGT]i?)?$' },
  'persistence.accessModes': listOf(oneOf('ReadWriteOnce', 'ReadWriteOncePod', 'ReadWriteMany')),
  'service.type': oneOf('ClusterIP', 'NodePort', 'LoadBalancer'),
  'service.port': port,
  'service.annotations': texts,
  'serviceMonitor.interval': duration,
  'serviceMonitor.scrapeTimeout': duration,
  'serviceMonitor.labels': texts,
  'serviceMonitor.relabelings': listOf({ type: 'object' }),
  'serviceMonitor.metricRelabelings': listOf({ type: 'object' }),
  'prometheusRule.labels': texts,
  'dashboards.labels': texts,
  'dashboards.annotations': texts,
  'networkPolicy.from': listOf({ type: 'object' }),
  'networkPolicy.egress.to': listOf({ type: 'object' }),
  'networkPolicy.egress.tcp': listOf(port),
  'networkPolicy.egress.udp': listOf(port),
  'podDisruptionBudget.maxUnavailable': {
    oneOf: [
      { type: 'integer', minimum: 1 },
      { type: 'string', pattern: '^[0-9]+%$' },
    ],
  },
  podLabels: texts,
  podAnnotations: texts,
  nodeSelector: texts,
  tolerations: listOf({ type: 'object' }),
  topologySpreadConstraints: listOf({ type: 'object' }),
  dnsPolicy: oneOf('ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'),
  hostAliases: listOf(strict({ ip: text, hostnames: listOf(text) })),
}

function schemaOf({ name, says, given, within }: Value): Schema {
  const described = says === '' ? {} : { description: says }
  if (within !== undefined) return group(within)
  if (name === 'config') return { ...described, ...configJsonSchema() }
  const narrower = NARROWER[name]
  if (narrower !== undefined) return { ...described, ...narrower }
  if (Array.isArray(given)) throw new Error(`values.yaml: what may the list ${name} hold?`)
  return { ...described, type: Number.isInteger(given) ? 'integer' : typeof given }
}

function group(values: readonly Value[]): Schema {
  const entries = values.map((value) => [value.name.slice(value.name.lastIndexOf('.') + 1), schemaOf(value)])
  return {
    type: 'object',
    properties: Object.fromEntries(entries) as Record<string, Schema>,
    additionalProperties: false,
  }
}

/**
 * That of the configuration itself, in the draft that Helm 3 understands, without the patterns that look ahead, which Go does
 * not: what they refuse, the exporter refuses when it starts.
 */
function configJsonSchema(): Schema {
  const { $schema: _, ...rest } = z.toJSONSchema(configSchema, {
    io: 'input',
    target: 'draft-07',
    override: ({ jsonSchema }) => {
      if (/\(\?[=!<]/.test(jsonSchema.pattern ?? '')) delete jsonSchema.pattern
    },
  })
  return rest
}

function valuesSchema(values: readonly Value[]): string {
  const { properties, ...rest } = group(values)
  const whole = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart winkms-exporter',
    ...rest,
    // Helm hands these down from a chart that has this one among its parts.
    properties: { ...(properties as Record<string, Schema>), global: { type: 'object' } },
  }
  return `${JSON.stringify(whole, null, 2)}\n`
}

function rowsOf(values: readonly Value[]): readonly string[] {
  return values.flatMap(({ name, says, given, within }) =>
    within === undefined
      ? [`| \`${name}\` | \`${JSON.stringify(given)}\` | ${says.replaceAll('|', String.raw`\|`)} |`]
      : rowsOf(within),
  )
}

/** The table under the heading "Values"; all else in it is written by hand. */
function withTable(readme: string, values: readonly Value[]): string {
  const table = ['| value | default | what |', '| --- | --- | --- |', ...rowsOf(values)].join('\n')
  return readme.replace(/(?<=\n## Values\n\n[^|]*)(?:\|.*\n)+/, () => `${table}\n`)
}

/** Path below the project's root → text. `made`: what is being written beside these. */
export function chartFiles(made: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const values = valuesOf(parseDocument(read(`${CHART}/values.yaml`)).contents)
  const dashboards = Object.entries(made).filter(([file]) => file.startsWith('grafana/dashboards/'))
  return {
    ...Object.fromEntries(
      dashboards.map(([file, content]) => [file.replace('grafana', `${CHART}/files`), content]),
    ),
    [`${CHART}/files/winkms.rules.yml`]: made['deploy/prometheus/winkms.rules.yml'] ?? '',
    [`${CHART}/values.schema.json`]: valuesSchema(values),
    [`${CHART}/README.md`]: withTable(read(`${CHART}/README.md`), values),
  }
}

/** Dashboards in the chart that are none any more. */
export function strayChartFiles(files: Readonly<Record<string, string>>): readonly string[] {
  const folder = `${CHART}/files/dashboards`
  const there = readdirSync(new URL(`../${folder}/`, import.meta.url)).map((file) => `${folder}/${file}`)
  return there.filter((file) => !Object.hasOwn(files, file)).toSorted()
}
