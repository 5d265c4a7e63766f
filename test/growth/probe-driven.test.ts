// Two Prometheus servers with the example configuration drive `/probe` and share the hosts: each is asked by one of them,
// what is said of it is right, and the rules know whether another host of its domain serves.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { hashmod } from '../../src/engine/shard.ts'
import { during } from '../during.ts'
import { build, samplesOf, until } from '../e2e/built.ts'
import { expectNoInternalError, startExporter } from '../faults/exporter.ts'
import { program, realServer } from '../real/servers/need.ts'
import { startPrometheus, type PrometheusServer } from '../real/servers/prometheus.ts'
import { brief, firingAt, hurriedRules, PATIENCE_SECONDS, startSmallEstate } from './company.ts'

beforeAll(build)

const fileOf = (name: string): string =>
  fileURLToPath(new URL(`../../deploy/prometheus/${name}`, import.meta.url))

describe('the examples', () => {
  beforeEach((context) => realServer(context, ['promtool']))

  it.each(['pair.yml', 'probe-driven.yml', 'prometheus.yml', 'shards.yml'])(
    '%s is what promtool finds nothing wrong with',
    async (name) => {
      const { stdout } = await promisify(execFile)(program('promtool'), ['check', 'config', fileOf(name)])
      expect(stdout).toContain('is valid prometheus config file syntax')
    },
  )

  it('nor with what docs/scaling.md shows of its configuration', async () => {
    const text = await readFile(new URL('../../docs/scaling.md', import.meta.url), 'utf8')
    const blocks = [...text.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, yaml = '']) => yaml)
    expect(blocks).toHaveLength(2)
    const folder = await mkdtemp(join(tmpdir(), 'winkms-promtool-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    for (const yaml of blocks) {
      await writeFile(join(folder, 'prometheus.yml'), yaml)
      const checked = await promisify(execFile)(program('promtool'), [
        'check',
        'config',
        `${folder}/prometheus.yml`,
      ])
      expect(checked.stdout).toContain('is valid prometheus config file syntax')
    }
  })
})

/** The example, for the exporter at `address` and for one of the two servers; faster, and telling nobody. */
async function exampleFor(server: number, address: string): Promise<string> {
  const text = await readFile(fileOf('probe-driven.yml'), 'utf8')
  return text
    .replaceAll('localhost:11688', address)
    .replace("targets: ['localhost:9093']", 'targets: []')
    .replace("shard: '0'", `shard: '${server}'`)
    .replace("regex: '0'", `regex: '${server}'`)
    .replace('.+;0', `.+;${server}`)
    .replace('scrape_interval: 1m', 'scrape_interval: 2s')
    .replace('scrape_timeout: 15s', 'scrape_timeout: 2s')
    .replace('global:\n', 'global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  evaluation_interval: 1s\n')
}

async function valuesOf(
  prometheus: PrometheusServer,
  expression: string,
  label: string,
): Promise<readonly (readonly [string, number])[]> {
  return (await prometheus.query(expression))
    .map(({ metric, value }) => [metric[label] ?? '', value] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
}

it('each host is asked by one of two, and each says what is so', async (context) => {
  realServer(context, ['prometheus'])
  const domains = ['corp.example', 'plant.example', 'berlin.example', 'oslo.example', 'rome.example']
  const shareOf = (server: number): readonly string[] => domains.filter((name) => hashmod(name, 2) === server)
  expect(Math.min(shareOf(0).length, shareOf(1).length)).toBeGreaterThan(0)
  // By its own schedule the exporter asks no host again today.
  const estate = await startSmallEstate(domains, 4, '1d')
  const exporter = await startExporter(estate.yaml)
  const address = exporter.url.replace('http://', '')
  const rules = await hurriedRules()
  const servers = await Promise.all(
    [0, 1].map(async (server) =>
      during(
        startPrometheus({
          files: { 'winkms.rules.yml': rules },
          configYaml: await exampleFor(server, address),
        }),
      ),
    ),
  )
  const untilSaid = async (expression: string, label: string, expected: (server: number) => object) => {
    for (const [server, prometheus] of servers.entries()) {
      let last: object = {}
      await until(
        PATIENCE_SECONDS,
        () =>
          `${expression} of ${server} is ${JSON.stringify(expected(server))}, not ${JSON.stringify(last)}`,
        async () => {
          last = await valuesOf(prometheus, expression, label)
          return JSON.stringify(last) === JSON.stringify(expected(server)) ? true : undefined
        },
      )
    }
  }
  const isSick = new Set<string>()
  const ownHosts = (server: number): readonly string[] =>
    estate.hosts.filter((name) => shareOf(server).some((domain) => name.endsWith(`.${domain}`))).toSorted()
  const serving = (server: number): object => ownHosts(server).map((name) => [name, isSick.has(name) ? 0 : 1])

  await untilSaid('probe_success', 'instance', serving)
  await untilSaid('winkms_host_serving', 'host', serving)
  await untilSaid('winkms_srv_lookup_success', 'domain', (server) =>
    shareOf(server)
      .toSorted()
      .map((name) => [name, 1]),
  )
  // What only a run says: by the schedule, nobody has asked since.
  for (const host of [estate.hosts[0] ?? '', estate.hosts.at(-1) ?? '']) {
    await estate.stopService(host)
    isSick.add(host)
  }
  await untilSaid('probe_success', 'instance', serving)
  await untilSaid('winkms_host_serving', 'host', serving)
  const stopped = (server: number): readonly string[] =>
    ownHosts(server)
      .filter((name) => isSick.has(name))
      .map((name) => `warning WinkmsServiceStopped ${name}`)
  for (const [server, prometheus] of servers.entries())
    await until(PATIENCE_SECONDS, `the alerts of ${server} are ${stopped(server).join(' ')}`, async () =>
      JSON.stringify(brief(await firingAt(prometheus))) === JSON.stringify(stopped(server))
        ? true
        : undefined,
    )
  // Nobody was turned away.
  expect(samplesOf(await exporter.metrics(), 'winkms_exporter_http_refused_total')).toEqual([])
  expectNoInternalError(exporter)
}, 180_000)
