// The Helm chart, rendered by Helm itself, 3 and 4, over a matrix of values: lint, Kubernetes' schemas, what makes sense beyond
// them, and values that have to be refused. No cluster has seen it.
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Ajv } from 'ajv'
import { beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { parse, stringify } from 'yaml'
import { parseConfig } from '../../src/config/load.ts'
import { checkCron } from '../../src/engine/cron.ts'
import { realServer } from '../real/servers/need.ts'
import { manifest } from '../supply/copy.ts'
import { complaints } from './helm/lint.ts'
import { PLAIN } from './helm/manifest.ts'
import { allOf, statefulSets } from './helm/objects.ts'
import { fetchHelm, MAJORS, needHelm } from './helm/programs.ts'
import {
  CHART,
  helm,
  NAMESPACE,
  objectsOf,
  render,
  renderText,
  type KubernetesObject,
  type Values,
} from './helm/render.ts'
import { wrongKeys, wrongValues } from './helm/schemas.ts'
import { CASES, EVERYTHING, EXISTING, LEAST } from './helm/values.ts'

vi.setConfig({ testTimeout: 90_000 })

const exec = promisify(execFile)
const read = (file: string): string => readFileSync(join(CHART, file), 'utf8')

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'winkms-chart-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

let rendered: ReadonlyMap<string, readonly KubernetesObject[]> = new Map()

beforeAll(async () => {
  await fetchHelm()
  const each = CASES.map(async ([name, values]) => [name, await render(values)] as const)
  rendered = new Map(await Promise.all(each).catch(() => []))
}, 300_000)
beforeEach(needHelm)

const of = (name: string): readonly KubernetesObject[] => rendered.get(name) ?? []
const argsOf = (objects: readonly KubernetesObject[]): readonly (readonly string[])[] =>
  statefulSets(objects).map(({ spec }) => spec.template.spec.containers[0].args)

it('there are as many cases as the README says', () => {
  expect(read('README.md')).toContain(`for ${CASES.length} sets of values`)
})

describe.each(MAJORS)('Helm %s', (major) => {
  it('has nothing to say against the chart', async () => {
    const folder = scratch()
    for (const [name, values] of [
      ['least', LEAST],
      ['everything', EVERYTHING],
    ] as const) {
      const file = join(folder, `${name}.json`)
      writeFileSync(file, JSON.stringify(values))
      const { stdout } = await helm(major, ['lint', '--strict', '--values', file, CHART])
      expect(stdout).toContain('1 chart(s) linted, 0 chart(s) failed')
      expect(stdout).not.toMatch(/\[(WARNING|ERROR)\]/)
    }
  })

  it('packs it, with the rules and dashboards, and renders the same from the archive', async () => {
    const folder = scratch()
    await helm(major, ['package', CHART, '--destination', folder])
    const archive = join(folder, `winkms-exporter-${manifest.version}.tgz`)
    expect(await render(LEAST, major)).toEqual(of('the defaults'))
    expect(await render(EVERYTHING, major)).toEqual(of('everything'))
    expect(objectsOf(await renderText(EVERYTHING, major, archive))).toEqual(of('everything'))
  })

  it('keeps a release within what a Secret holds', async () => {
    // Helm keeps the chart and what it rendered in one Secret, compressed: at most 1 MiB, in base64.
    const folder = scratch()
    writeFileSync(join(folder, 'release'), (await renderText(EVERYTHING, major)) + (await chartText()))
    const { stdout } = await exec('gzip', ['-9c', join(folder, 'release')], {
      encoding: 'buffer',
      maxBuffer: 8 << 20,
    })
    expect((stdout.length * 4) / 3).toBeLessThan(512 * 1024)
  })

  it.each([
    ['no registry', {}, /image\.repository: where does your registry have the image/],
    ['a value that is not there', { ...LEAST, shardz: 2 }, /shardz/],
    ['a value within another', { ...LEAST, web: { tsl: true } }, /tsl/],
    ['latest', { image: { repository: 'registry.example/a', tag: 'latest' } }, /tag/],
    ['no shards', { ...LEAST, shards: 0 }, /shards/],
    ['half a replica', { ...LEAST, replicas: 1.5 }, /replicas/],
    ['a shard by hand', { ...LEAST, extraArgs: ['--shard=0/2'] }, /extraArgs/],
    ['a port that is text', { ...LEAST, service: { port: '80' } }, /port/],
    ['a password', { ...LEAST, secretEnv: [{ name: 'A', value: 'secret' }] }, /secretEnv/],
    ['a misspelt host', { ...LEAST, config: { hosts: [{ nmae: 'kms01.corp.example' }] } }, /nmae/],
    [
      'a password in the configuration',
      { ...LEAST, config: { credentials: { a: { auth: 'ntlm', username: 'a', password: 'b' } } } },
      /password/,
    ],
    ['TLS that nothing turns on', { ...LEAST, web: { tls: true } }, /without a web\.secretName/],
    [
      'the same Secret twice',
      { ...LEAST, secretFiles: [{ secretName: 'a' }, { secretName: 'a' }] },
      /secretFiles/,
    ],
    ['a schedule that is none', { ...LEAST, config: { probes: { port: { schedule: 15 } } } }, /schedule/],
  ])('refuses %s', async (_, values, why) => {
    await expect(renderText(values, major)).rejects.toThrow(why)
  })
})

async function chartText(): Promise<string> {
  const files = readdirSync(CHART, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return files.map((entry) => readFileSync(join(entry.parentPath, entry.name), 'base64')).join('\n')
}

// Helm 3 does not show them without a cluster.
it('whoever installs it is told what to look at next', async () => {
  const folder = scratch()
  const notes = async (values: Values): Promise<string> => {
    writeFileSync(join(folder, 'values.json'), JSON.stringify(values))
    const args = ['install', 'kms', CHART, '--dry-run=client', '--namespace', NAMESPACE]
    const { stdout } = await helm(4, [...args, '--values', join(folder, 'values.json')])
    return stdout.slice(stdout.indexOf('NOTES:'))
  }
  const least = await notes(LEAST)
  expect(least).toContain('port-forward service/kms-winkms-exporter 11688:11688')
  expect(least).toContain('http://localhost:11688/')
  for (const word of [
    '`config` is empty',
    '`web.secretName` asks',
    'name the pod',
    'nothing tells Prometheus',
  ])
    expect(least).toContain(word)
  const most = await notes(EVERYTHING)
  expect(most).toContain('port-forward service/kms-kms-watch 11688:80')
  expect(most).toContain('https://localhost:11688/kms/')
  expect(most).toContain('statefulset/kms-kms-watch-shard-1')
  expect(most).not.toMatch(/WARNING|NOTE:/)
  expect(await notes({ ...EVERYTHING, persistence: { enabled: false } })).toContain(
    'reads the event logs anew',
  )
})

describe('what is rendered', () => {
  it.each(CASES.map(([name]) => name))('of %s is what Kubernetes takes, and makes sense', (name) => {
    expect(of(name).length).toBeGreaterThan(4)
    expect(wrongValues(of(name))).toEqual([])
    expect(complaints(of(name), EXISTING)).toEqual([])
  })

  it('has no key that Kubernetes does not know', async () => {
    const all = [...rendered.values()].flat()
    const different = [...new Map(all.map((object) => [JSON.stringify(object), object])).values()]
    expect(different.length).toBeGreaterThan(100)
    expect(await wrongKeys(different)).toEqual([])
  })

  it('is YAML that yamllint takes', async (context) => {
    realServer(context, ['yamllint'])
    const file = join(scratch(), 'rendered.yaml')
    // Helm's toYaml does not indent lists.
    const rules =
      '{ extends: default, rules: { line-length: disable, braces: { max-spaces-inside: 1 }, indentation: { indent-sequences: whatever } } }'
    for (const values of [LEAST, EVERYTHING]) {
      writeFileSync(file, await renderText(values))
      const { stdout } = await exec('yamllint', ['--strict', '-d', rules, file])
      expect(stdout).toBe('')
    }
  })
})

describe('the pods', () => {
  it('of the defaults get these arguments', () => {
    expect(argsOf(of('the defaults'))).toEqual([
      [
        '--config.file=/etc/winkms-exporter/config/winkms.yml',
        '--storage.path=/var/lib/winkms-exporter',
        '--log.level=info',
        '--log.format=json',
      ],
    ])
  })

  it('of everything get these, each shard its own', () => {
    expect(argsOf(of('everything'))).toEqual(
      [0, 1, 2].map((shard) => [
        '--config.file=/etc/winkms-exporter/config/winkms.yml',
        '--storage.path=/var/lib/winkms-exporter',
        '--log.level=debug',
        '--log.format=logfmt',
        `--shard=${shard}/3`,
        '--web.config.file=/etc/winkms-exporter/web/web.yml',
        '--web.external-url=https://ops.corp.example/kms/',
        '--web.route-prefix=/kms',
        '--web.allow-host=kms.corp.example',
        '--web.allow-host=*.ops.corp.example',
        '--web.enable-lifecycle',
        '--probe.allow=*.corp.example',
      ]),
    )
  })

  it('keep the name of the first shard when more come', () => {
    const namesOf = (name: string): readonly string[] =>
      statefulSets(of(name)).map(({ metadata }) => metadata.name)
    expect(namesOf('the defaults')).toEqual(['kms-winkms-exporter'])
    expect(namesOf('three shards')).toEqual([
      'kms-winkms-exporter',
      'kms-winkms-exporter-shard-1',
      'kms-winkms-exporter-shard-2',
    ])
  })

  it.each([
    ['the defaults', '/-/healthy', 'HTTP'],
    ['everything', '/kms/-/healthy', 'HTTPS'],
    ['everything but web.routePrefix', '/kms/-/healthy', 'HTTPS'],
    ['everything but web.externalUrl', '/kms/-/healthy', 'HTTPS'],
    ['everything but web.tls', '/kms/-/healthy', 'HTTP'],
  ])('of %s are asked for %s by %s', (name, path, scheme) => {
    const [set] = statefulSets(of(name))
    const container = set?.spec.template.spec.containers[0]
    expect(container?.livenessProbe.httpGet).toEqual({ path, scheme, port: 'metrics' })
    expect(container?.readinessProbe.httpGet?.path).toBe(path.replace('healthy', 'ready'))
  })

  it('are only connected to where a client certificate is required', () => {
    const [set] = statefulSets(of('everything, with client certificates'))
    const container = set?.spec.template.spec.containers[0]
    for (const probe of [container?.startupProbe, container?.livenessProbe, container?.readinessProbe])
      expect(probe).toMatchObject({ tcpSocket: { port: 'metrics' } })
  })

  it('are replaced when the configuration changes, and only then', async () => {
    const templateOf = async (values: Values): Promise<unknown> =>
      statefulSets(await render(values)).map(({ spec }) => spec.template)
    const before = await templateOf({ ...LEAST, config: { hosts: [{ name: 'a.example' }] } })
    expect(await templateOf({ ...LEAST, config: { hosts: [{ name: 'b.example' }] } })).not.toEqual(before)
    const same = { ...LEAST, config: { hosts: [{ name: 'a.example' }] }, serviceMonitor: { enabled: true } }
    expect(await templateOf(same)).toEqual(before)
  })

  it('get the configuration as it was given', () => {
    const config = of('everything').find(({ kind }) => kind === 'ConfigMap')
    const text = (config?.['data'] as Record<string, string> | undefined)?.['winkms.yml'] ?? ''
    expect(parse(text)).toEqual(EVERYTHING.config)
  })
})

/** `TCP 1688`, in order. */
function egressOf(objects: readonly KubernetesObject[]): readonly string[] {
  const [policy] = allOf('NetworkPolicy', objects)
  return (policy?.spec.egress[1]?.ports ?? []).map(({ protocol, port }) => `${protocol} ${port}`).toSorted()
}

describe('the NetworkPolicy', () => {
  it('lets out what the exporter asks by default', async () => {
    const objects = await render({ ...LEAST, networkPolicy: { enabled: true } })
    expect(egressOf(objects)).toEqual([
      'TCP 1688',
      'TCP 445',
      'TCP 53',
      'TCP 5985',
      'TCP 5986',
      'TCP 88',
      'TCP 9182',
      'UDP 123',
      'UDP 53',
      'UDP 88',
    ])
  })

  it('lets out to every port that the configuration names, and to no other', () => {
    const resolversAndReference = ['1230', '5300', '5353']
    expect(egressOf(of('everything'))).toEqual(
      [
        ...['88', '1688', '5986', '1700', '1445', '9199', '5999', ...resolversAndReference].map(
          (port) => `TCP ${port}`,
        ),
        ...['88', '123', '1123', ...resolversAndReference].map((port) => `UDP ${port}`),
      ].toSorted(),
    )
  })

  it('takes a bare IPv6 address for no port', async () => {
    const config = { resolvers: ['2001:db8::1'], hosts: [{ name: '2001:db8::2' }] }
    const egress = egressOf(await render({ ...LEAST, config, networkPolicy: { enabled: true } }))
    expect(egress).not.toContain('TCP 1')
    expect(egress).not.toContain('TCP 2')
  })
})

describe('the rules and dashboards', () => {
  it('are those of this project, and promtool takes the rules', async (context) => {
    realServer(context, ['promtool'])
    const rule = of('everything').find(({ kind }) => kind === 'PrometheusRule')
    const original = readFileSync(join(PLAIN, '../prometheus/winkms.rules.yml'), 'utf8')
    expect(rule?.['spec']).toEqual(parse(original))
    const file = join(scratch(), 'rules.yml')
    writeFileSync(file, stringify(rule?.['spec']))
    const { stdout } = await exec('promtool', ['check', 'rules', '--lint=all', '--lint-fatal', file])
    expect(stdout).toMatch(/SUCCESS: \d+ rules found/)
  })

  it('each dashboard is a ConfigMap that the sidecar finds', () => {
    const folder = join(PLAIN, '../../grafana/dashboards')
    const maps = of('everything').filter(({ metadata }) => metadata.labels?.['grafana_dashboard'] === '1')
    const held = maps.flatMap((map) => Object.entries(map['data'] as Record<string, string>))
    const files = readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')])
    expect(Object.fromEntries(held)).toEqual(Object.fromEntries(files))
    expect(maps.every(({ kind }) => kind === 'ConfigMap')).toBe(true)
  })

  it('no label that the operator adds is one that the exporter uses', () => {
    // The operator's own target labels would rename ours to exported_....
    const added = ['namespace', 'pod', 'service', 'endpoint', 'container', 'job', 'instance']
    const table = readFileSync(join(PLAIN, '../../docs/metrics.md'), 'utf8')
    const used = [...table.matchAll(/^\| `winkms_\w+` \| \w+ \| ([^|]*) \|/gm)].flatMap(([, labels = '']) =>
      labels.split(', '),
    )
    expect(used).toContain('host')
    expect(used.filter((label) => added.includes(label))).toEqual([])
  })
})

describe('what stands in several places', () => {
  it('the version is that of the package', () => {
    expect(parse(read('Chart.yaml'))).toMatchObject({
      version: manifest.version,
      appVersion: manifest.version,
    })
  })

  it('ajv takes the schema of the values, the values, and all of the cases', () => {
    const check = new Ajv({ strict: false }).compile(JSON.parse(read('values.schema.json')) as object)
    const taken = (values: unknown): unknown => check(values) || check.errors
    expect(taken(parse(read('values.yaml')))).toBe(true)
    for (const [name, values] of CASES) expect(taken(values), name).toBe(true)
    expect(check({ ...LEAST, shards: 'three' })).toBe(false)
  })

  it('every default is given in the everything case, so that each is tried in two ways', () => {
    const missing = Object.keys(parse(read('values.yaml')) as object).filter(
      (key) => !Object.hasOwn(EVERYTHING, key),
    )
    // The last three are the standard's, and those that the others replace.
    expect(missing.toSorted()).toEqual([
      'existingConfigMap',
      'fullnameOverride',
      'podSecurityContext',
      'securityContext',
      'topologySpreadConstraints',
    ])
  })

  it('configurations and values in the documents are correct', async () => {
    const documents = [
      read('README.md'),
      readFileSync(join(PLAIN, '../../docs/install/kubernetes.md'), 'utf8'),
    ]
    const blocks = documents.flatMap((text) =>
      [...text.matchAll(/```yaml\n([^`]*)```/g)].map(([, block = '']) => block),
    )
    const values = blocks.filter((block) => !/^(apiVersion|scrape_configs|tls_server_config):/m.test(block))
    expect(values.length).toBeGreaterThan(2)
    for (const block of values) {
      const given = parse(block) as Values
      await renderText({ ...LEAST, ...given })
      const problems = parseConfig(stringify(given['config'] ?? {}), {
        file: 'documents',
        checkCron,
      }).problems
      expect(
        problems.filter(({ message }) => !message.includes('does not exist')),
        block,
      ).toEqual([])
    }
  })
})
