// Three exporters over one configuration, by --shard: each host has one of them, each domain is told of by one, and all are
// judged as by one alone. One of the three is killed, in front of a real Prometheus with the shipped rules.
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, expect, it } from 'vitest'
import { hashmod } from '../../src/engine/shard.ts'
import { during } from '../during.ts'
import { build, samplesOf, until } from '../e2e/built.ts'
import { expectNoInternalError, startExporter, untilMetrics, type Exporter } from '../faults/exporter.ts'
import { realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { startPrometheus } from '../real/servers/prometheus.ts'
import { brief, firingAt, HASTE, hurriedRules, PATIENCE_SECONDS, startSmallEstate } from './company.ts'

beforeAll(build)

const SHARDS = 3
const DOMAINS = ['corp.example', 'plant.example', 'lab.example']
/** Longer than any rule waits here. */
const QUIET_SECONDS = 18

const isOf =
  (shard: number) =>
  (name: string): boolean =>
    hashmod(name, SHARDS) === shard

it('one is killed: somebody is told, its hosts are not known any more, and nothing false is said of others', async (context) => {
  realServer(context, ['prometheus'])
  const estate = await startSmallEstate(DOMAINS, 4)
  const ports = [await freePort(), await freePort(), await freePort()]
  const startShard = (index: number): Promise<Exporter> =>
    startExporter(estate.yaml, {
      flags: { shard: `${index}/${SHARDS}`, 'web.listen-address': `127.0.0.1:${ports[index]}` },
    })
  const shards = await Promise.all(ports.map((_, index) => startShard(index)))
  // One that is sick already, so that a warning may turn into something else.
  const sick = estate.hosts[0] ?? ''
  await estate.stopService(sick)
  const doomed = [0, 1, 2].find((shard) => !isOf(shard)(sick) && estate.hosts.some(isOf(shard))) ?? 0
  const lost = estate.hosts.filter(isOf(doomed))
  const kept = estate.hosts.filter((name) => !isOf(doomed)(name))

  const prometheus = await during(
    startPrometheus({
      files: { 'winkms.rules.yml': await hurriedRules() },
      configYaml: `${HASTE} }
rule_files: [winkms.rules.yml]
scrape_configs:
  - { job_name: winkms, static_configs: [{ targets: [${ports.map((port) => `'127.0.0.1:${port}'`).join(', ')}] }] }
`,
    }),
  )
  const hostsIn = async (expression: string): Promise<readonly string[]> =>
    (await prometheus.query(expression)).map(({ metric }) => metric['host'] ?? '').toSorted()
  const untilHosts = (expression: string, hosts: readonly string[]): Promise<true> =>
    until(
      PATIENCE_SECONDS,
      () => `${expression} is of ${hosts.join(' ')}`,
      async () =>
        JSON.stringify(await hostsIn(expression)) === JSON.stringify(hosts.toSorted()) ? true : undefined,
    )
  const untilAlerts = async (...alerts: readonly string[]): Promise<void> => {
    let last: readonly string[] = []
    await until(
      PATIENCE_SECONDS,
      () => `what fires is\n${alerts.join('\n')}\nand not\n${last.join('\n')}`,
      async () => {
        last = brief(await firingAt(prometheus))
        return JSON.stringify(last) === JSON.stringify(alerts.toSorted()) ? true : undefined
      },
    )
  }

  // Each is judged, with what all domains said, by the exporter to which Prometheus's own function leads.
  await untilHosts(
    'winkms_host_serving == 1',
    estate.hosts.filter((name) => name !== sick),
  )
  await untilHosts('winkms_host_serving == 0', [sick])
  await untilHosts('winkms_diagnosis{cause="srv_missing"} == 0', estate.hosts)
  await untilHosts('winkms_host_domain_info', estate.hosts)
  for (const { metric } of await prometheus.query('winkms_host_info'))
    expect(metric['instance'], metric['host']).toBe(
      `127.0.0.1:${ports[hashmod(metric['host'] ?? '', SHARDS)]}`,
    )
  const domains = await prometheus.query('winkms_srv_lookup_success')
  expect(domains.map(({ metric }) => metric['domain'] ?? '').toSorted()).toEqual(DOMAINS.toSorted())
  for (const { metric } of domains)
    expect(metric['instance']).toBe(`127.0.0.1:${ports[hashmod(metric['domain'] ?? '', SHARDS)]}`)
  // Of its own clock each tells.
  expect(await prometheus.query('winkms_exporter_clock_offset_seconds')).toHaveLength(SHARDS)

  const before = `warning WinkmsServiceStopped ${sick}`
  await untilAlerts(before)
  expect((await prometheus.query('winkms:exporter:shards_missing')).map(({ value }) => value)).toEqual([0])

  shards[doomed]?.running.signal('SIGKILL')
  await untilHosts('winkms_host_serving', kept)
  await untilHosts('winkms:host:serving', kept)
  expect(lost.length).toBeGreaterThan(0)
  const missing = ['critical WinkmsShardMissing', `warning WinkmsExporterDown 127.0.0.1:${ports[doomed]}`]
  await untilAlerts(before, ...missing)
  await pause(QUIET_SECONDS * 1000)
  await untilAlerts(before, ...missing)
  const said = (await firingAt(prometheus)).find(({ labels }) => labels['alertname'] === 'WinkmsShardMissing')
  const left = [0, 1, 2].filter((index) => index !== doomed)
  expect(said?.annotations['description']).toContain('Of 3 shards 1 cannot be scraped')
  for (const index of left)
    expect(said?.annotations['description']).toContain(` ${index}/3 at 127.0.0.1:${ports[index]};`)

  await startShard(doomed)
  await untilAlerts(before)
  await untilHosts('winkms_host_serving', estate.hosts)
  for (const index of left) {
    const shard = shards[index]
    if (shard !== undefined) expectNoInternalError(shard)
  }
}, 240_000)

/**
 * What Node.js says where FIPS 140 is enforced, done by hand: the module of OpenSSL for that is not here. Everything that
 * asks for MD5 or MD4 gets the error.
 */
const AS_UNDER_FIPS = `
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
for (const name of ['createHash', 'createHmac']) {
  const real = crypto[name]
  crypto[name] = (algorithm, ...rest) => {
    if (/^md[45]$/i.test(algorithm))
      throw Object.assign(new Error('error:0308010C:digital envelope routines::unsupported'), { code: 'ERR_OSSL_EVP_UNSUPPORTED' })
    return real(algorithm, ...rest)
  }
}
syncBuiltinESMExports()
`

it('where OpenSSL gives no MD5, a shard watches the same hosts', async () => {
  const estate = await startSmallEstate(['corp.example'], 6)
  const preload = `data:text/javascript,${encodeURIComponent(AS_UNDER_FIPS)}`
  const exporter = await startExporter(estate.yaml, {
    flags: { shard: '1/2' },
    node: ['--import', preload],
  })
  const own = estate.hosts.filter((name) => hashmod(name, 2) === 1)
  const text = await untilMetrics(
    exporter,
    'all of its own serve',
    (exposition) =>
      samplesOf(exposition, 'winkms_host_serving').filter(({ value }) => value === 1).length === own.length,
  )
  expect(
    samplesOf(text, 'winkms_host_info')
      .map(({ labels }) => labels['host'] ?? '')
      .toSorted(),
  ).toEqual(own.toSorted())
  expectNoInternalError(exporter)
}, 120_000)
