// The daemon in one piece, in this process, over small parts of the lab and the real io: reloading, discovery, shards,
// zero configuration, stopping. What one probe or rule says is tested beside it, not here.
import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createDaemon, type Daemon } from '../src/app.ts'
import { formatProblem, parseConfig } from '../src/config/load.ts'
import type { Config } from '../src/config/schema.ts'
import type { MachineFacts } from '../src/config/targets.ts'
import type { Cause } from '../src/diagnosis/causes.ts'
import { hashmod } from '../src/engine/shard.ts'
import { createIo } from '../src/io/io.ts'
import { startDns, type DnsRecord, type DnsServer } from '../src/lab/dns.ts'
import { startFiltered } from '../src/lab/filtered.ts'
import { startRpc } from '../src/lab/rpc.ts'
import { clientProduct, kmsClient, kmsHost, type WindowsMachine } from '../src/lab/windows-machine.ts'
import { READER, startWinrm } from '../src/lab/winrm.ts'
import { silentLog } from '../src/model/log.ts'
import { expose, startDaemon } from './daemon.ts'
import { samplesOf, until, type Sample } from './e2e/built.ts'

/** Generous: the first round of everything takes three seconds on an idle machine. */
const SOON_SECONDS = 15

/** Nobody else's, so that the well-known ports are free. */
const NET = `127.${randomInt(40, 90)}.${randomInt(1, 255)}`
const KMS = [`${NET}.1`, `${NET}.2`, `${NET}.3`] as const
const FILTERED = `${NET}.9`
const PORT = 1688

const parts: { stop(): Promise<void> }[] = []
let dns: DnsServer
beforeAll(async () => {
  dns = await startDns({ zones: {} }, { address: `${NET}.53`, port: 0 })
  parts.push(dns, await startFiltered({ address: FILTERED, port: PORT }))
  for (const address of KMS) parts.push(await startRpc('kms', { address, port: PORT }))
})
afterAll(async () => {
  await Promise.all(parts.map((part) => part.stop()))
})

function configOf(yaml: string): Config {
  const loaded = parseConfig(yaml, { file: 'test.yml', checkCron: () => undefined })
  if (loaded.config === undefined) throw new Error(loaded.problems.map(formatProblem).join('\n'))
  return loaded.config
}

/** Only the port is asked of hosts at first, and then not again for half a day at least. */
const SELDOM = `probes: { port: { schedule: 1d, timeout: 2s }, clock: { schedule: 1d, timeout: 2s, sources: [http] } }
domains: []
`

function hosts(...entries: readonly string[]): Config {
  return configOf(`${SELDOM}hosts:\n${entries.map((entry) => `  - { ${entry} }\n`).join('')}`)
}

async function samples(
  daemon: Daemon,
  name: string,
  labels: Sample['labels'] = {},
): Promise<readonly Sample[]> {
  return samplesOf(await expose(daemon), name).filter((sample) =>
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )
}

async function names(daemon: Daemon, family: string): Promise<readonly string[]> {
  return (await samples(daemon, family)).map(({ labels }) => labels['host'] ?? '').toSorted()
}

/** When the port of the host was last asked; undefined when it never was. */
async function askedAt(daemon: Daemon, host: string): Promise<number | undefined> {
  const [sample] = await samples(daemon, 'winkms_probe_timestamp_seconds', { host, probe: 'port' })
  return sample?.value
}

const askedPort = (daemon: Daemon, host: string): Promise<number> =>
  until(SOON_SECONDS, `the port of ${host} is asked`, () => askedAt(daemon, host))

/** The lines that are about the host, but for how the exporter itself fares. */
const linesAbout = (exposition: string, host: string): readonly string[] =>
  exposition.split('\n').filter((line) => line.includes(`host="${host}"`))

describe('a reload', () => {
  const A = `name: a.corp.example, connect_to: ${KMS[0]}`
  const B = `name: b.corp.example, connect_to: ${KMS[1]}`
  const C = `name: c.corp.example, connect_to: ${KMS[2]}`

  it('keeps what is known of unchanged hosts, forgets the removed at once, and asks the new within seconds', async () => {
    const daemon = startDaemon(hosts(A, B))
    const [before] = [await askedPort(daemon, 'a.corp.example'), await askedPort(daemon, 'b.corp.example')]
    await until(SOON_SECONDS, 'a serves', async () =>
      (await samples(daemon, 'winkms_host_serving', { host: 'a.corp.example' }))[0]?.value === 1
        ? true
        : undefined,
    )
    const known = linesAbout(await expose(daemon), 'a.corp.example')
    expect(known.some((line) => line.startsWith('winkms_rpc_'))).toBe(true)

    daemon.reload(hosts(A, C))
    const text = await expose(daemon)
    expect(linesAbout(text, 'b.corp.example')).toEqual([])
    expect(text).not.toContain('b.corp.example')
    expect(linesAbout(text, 'a.corp.example')).toEqual(known)
    expect(daemon.snapshot().hosts.map(({ diagnosis }) => diagnosis.host.name)).toEqual([
      'a.corp.example',
      'c.corp.example',
    ])
    expect(await names(daemon, 'winkms_host_info')).toEqual(['a.corp.example', 'c.corp.example'])
    expect((await samples(daemon, 'winkms_exporter_targets', { probe: 'port' }))[0]?.value).toBe(2)

    await askedPort(daemon, 'c.corp.example')
    expect(await askedAt(daemon, 'a.corp.example')).toBe(before)
    const intervals = await samples(daemon, 'winkms_exporter_probe_interval_seconds')
    expect(Object.fromEntries(intervals.map(({ labels, value }) => [labels['probe'], value]))).toEqual({
      port: 86_400,
      clock: 86_400,
    })
  })

  it('changes the labels of a host at once', async () => {
    const daemon = startDaemon(hosts(`${A}, labels: { site: berlin }`))
    expect((await samples(daemon, 'winkms_host_info'))[0]?.labels).toMatchObject({ site: 'berlin' })
    daemon.reload(hosts(`${A}, labels: { site: rome, floor: "2" }`))
    expect((await samples(daemon, 'winkms_host_info')).map(({ labels }) => labels)).toEqual([
      { host: 'a.corp.example', port: '1688', discovered: '0', site: 'rome', floor: '2' },
    ])
  })

  it('asks a question that has changed anew, within seconds, though its schedule is a day', async () => {
    const daemon = startDaemon(hosts(A))
    const before = await askedPort(daemon, 'a.corp.example')
    daemon.reload(hosts(`name: a.corp.example, connect_to: ${KMS[1]}`))
    expect(await askedAt(daemon, 'a.corp.example')).toBeUndefined()
    expect(await askedPort(daemon, 'a.corp.example')).toBeGreaterThan(before)
    const [address] = await samples(daemon, 'winkms_port_open')
    expect(address?.labels['address']).toBe(KMS[1])
  })

  it('leaves nothing of a host that went before anybody could judge it', async () => {
    const daemon = startDaemon(hosts(A))
    daemon.reload(hosts(A, B))
    daemon.reload(hosts(A))
    expect(await expose(daemon)).not.toContain('b.corp.example')
    await askedPort(daemon, 'a.corp.example')
    expect(await expose(daemon)).not.toContain('b.corp.example')
  })

  it('that fails keeps everything, and says that it failed until one succeeds', async () => {
    const daemon = startDaemon(hosts(A))
    const loaded = async () =>
      (await samples(daemon, 'winkms_exporter_config_last_reload_successful'))[0]?.value
    const at = async () =>
      (await samples(daemon, 'winkms_exporter_config_last_reload_success_timestamp_seconds'))[0]?.value
    const before = await askedPort(daemon, 'a.corp.example')
    const [known, loadedAt] = [linesAbout(await expose(daemon), 'a.corp.example'), await at()]
    expect(await loaded()).toBe(1)

    daemon.reloadFailed()
    expect([await loaded(), await at()]).toEqual([0, loadedAt])
    expect(linesAbout(await expose(daemon), 'a.corp.example')).toEqual(known)

    daemon.reload(hosts(A))
    expect(await loaded()).toBe(1)
    expect(await at()).toBeGreaterThanOrEqual(loadedAt ?? Infinity)
    expect(await askedAt(daemon, 'a.corp.example')).toBe(before)
  })

  it('drops an answer that arrives after its host has gone', async () => {
    const daemon = startDaemon(hosts(`name: slow.corp.example, connect_to: ${FILTERED}`))
    const begun = () => samples(daemon, 'winkms_exporter_schedule_lag_seconds_count', { probe: 'port' })
    const ended = () => samples(daemon, 'winkms_exporter_probes_total', { probe: 'port' })
    await until(SOON_SECONDS, 'the port is being asked', async () =>
      (await begun()).length > 0 ? true : undefined,
    )
    expect(await ended()).toEqual([])
    daemon.reload(configOf('domains: []'))
    await until(SOON_SECONDS, 'the answer arrives', async () =>
      (await ended()).length > 0 ? true : undefined,
    )
    expect(await expose(daemon)).not.toContain('slow.corp.example')
    const late = daemon.snapshot().failures.filter(({ probe }) => probe === 'port')
    expect(late.map(({ target }) => target.key)).not.toContain('slow.corp.example')
  })
})

describe('a host whose port answers as before', () => {
  it('is judged by the latest answer all the same', async () => {
    const host = `name: a.corp.example, connect_to: ${KMS[0]}`
    const port = `port: { schedule: 1s, timeout: 1s }`
    const daemon = startDaemon(configOf(`domains: []\nhosts: [{ ${host}, probes: { ${port} } }]`))
    const times = new Set<number>()
    await until(SOON_SECONDS, 'it is asked four times', async () => {
      const [{ diagnosis, results } = { diagnosis: undefined, results: [] }] = daemon.snapshot().hosts
      const asked = results.find(({ probe }) => probe === 'port')
      if (diagnosis === undefined || asked === undefined) return undefined
      times.add(asked.endedAtSeconds)
      const cited = diagnosis.findings
        .flatMap((finding) => [...finding.for, ...finding.against])
        .filter(({ source }) => source === 'port a.corp.example')
      expect(cited.length).toBeGreaterThan(3)
      expect(new Set(cited.map(({ atSeconds }) => atSeconds))).toEqual(new Set([asked.endedAtSeconds]))
      return times.size >= 4 ? true : undefined
    })
  })
})

describe('hosts that only SRV records name', () => {
  const SRV = '_vlmcs._tcp.corp.example'
  const host = (label: string, address: string): readonly DnsRecord[] => [
    { name: `${label}.corp.example`, type: 'A', data: address },
    {
      name: SRV,
      type: 'SRV',
      data: { priority: 0, weight: 0, port: PORT, target: `${label}.corp.example` },
    },
  ]
  const discovering = () =>
    configOf(`resolvers: ["${NET}.53:${dns.port}"]
domains: [{ name: corp.example, unexpected: ignore }]
probes:
  srv: { schedule: 1s, timeout: 1s }
  port: { schedule: 1s, timeout: 1s }
  clock: { schedule: 1d, timeout: 1s, sources: [http] }
`)
  const isWatched = async (daemon: Daemon, name: string): Promise<true | undefined> =>
    (await samples(daemon, 'winkms_host_serving', { host: name }))[0]?.value === 1 ? true : undefined

  it('are watched while a record names them, and gone when it goes', async () => {
    dns.setRecords('corp.example', [...host('one', KMS[0]), ...host('two', KMS[1])])
    const daemon = startDaemon(discovering())
    await until(SOON_SECONDS, 'one serves', () => isWatched(daemon, 'one.corp.example'))
    await until(SOON_SECONDS, 'two serves', () => isWatched(daemon, 'two.corp.example'))
    expect((await samples(daemon, 'winkms_host_info', { host: 'two.corp.example' }))[0]?.labels).toEqual({
      host: 'two.corp.example',
      port: String(PORT),
      discovered: '1',
    })

    dns.setRecords('corp.example', host('one', KMS[0]))
    await until(SOON_SECONDS, 'two is gone', async () =>
      (await expose(daemon)).includes('two.corp.example') ? undefined : true,
    )
    expect(daemon.snapshot().hosts.map(({ diagnosis }) => diagnosis.host.name)).toEqual(['one.corp.example'])
    expect(await isWatched(daemon, 'one.corp.example')).toBe(true)
  })

  it.each(['drop', 'servfail', 'refused'] as const)(
    'stay watched while DNS is down (%s): that says nothing about them',
    async (fault) => {
      dns.setRecords('corp.example', host('one', KMS[0]))
      onTestFinished(() => dns.setOverride(SRV, null))
      const daemon = startDaemon(discovering())
      await until(SOON_SECONDS, 'one serves', () => isWatched(daemon, 'one.corp.example'))
      dns.setOverride(SRV, fault)
      await until(SOON_SECONDS, 'the lookup fails', async () =>
        (await samples(daemon, 'winkms_srv_lookup_success'))[0]?.value === 1 ? undefined : true,
      )
      expect(await isWatched(daemon, 'one.corp.example')).toBe(true)
    },
  )

  it('are not watched when the configuration does not want that', async () => {
    dns.setRecords('corp.example', host('one', KMS[0]))
    const daemon = startDaemon({ ...discovering(), discovery: { from_srv: false } })
    await until(SOON_SECONDS, 'the record is seen', async () =>
      (await samples(daemon, 'winkms_srv_record_info')).length > 0 ? true : undefined,
    )
    expect(await samples(daemon, 'winkms_host_info')).toEqual([])
    daemon.reload(discovering())
    await until(SOON_SECONDS, 'one serves', () => isWatched(daemon, 'one.corp.example'))
    daemon.reload({ ...discovering(), discovery: { from_srv: false } })
    expect(await samples(daemon, 'winkms_host_info')).toEqual([])
  })
})

describe('without any configuration', () => {
  const machine = (): MachineFacts => ({
    resolvers: [{ address: `${NET}.53`, port: dns.port }],
    searchDomains: ['zero.example', 'other.example'],
  })

  it('the hosts of the search domains are found', async () => {
    dns.setRecords('other.example', [])
    dns.setRecords('zero.example', [
      { name: 'kms.zero.example', type: 'A', data: KMS[2] },
      {
        name: '_vlmcs._tcp.zero.example',
        type: 'SRV',
        data: { priority: 0, weight: 0, port: PORT, target: 'kms.zero.example' },
      },
    ])
    const daemon = startDaemon(configOf(''), { machine: machine() })
    await until(
      SOON_SECONDS,
      'the host is found and serves',
      async () => (await samples(daemon, 'winkms_host_serving', { host: 'kms.zero.example' }))[0]?.value,
    )
    expect(daemon.snapshot().nothingFound).toBeUndefined()
    expect(daemon.estate.domains.map(({ name }) => name)).toEqual(['zero.example', 'other.example'])
  })

  it('with no record it is said what was asked where, what came back, and what a client would show', async () => {
    dns.setRecords('zero.example', [])
    dns.setRecords('other.example', [])
    const daemon = startDaemon(configOf(''), { machine: machine() })
    const at = `${NET}.53:${dns.port}`
    expect(daemon.snapshot().nothingFound).toContain(`_vlmcs._tcp.zero.example at ${at}: not answered yet`)
    const said = await until(SOON_SECONDS, 'both have been asked', () => {
      const text = daemon.snapshot().nothingFound
      return text?.includes('not answered yet') === true ? undefined : text
    })
    for (const domain of ['zero.example', 'other.example']) {
      expect(said).toContain(
        `_vlmcs._tcp.${domain} at ${at}: NXDOMAIN, 0 records; a client would show 0x8007232B`,
      )
    }
  })

  it.each([
    ['search domain', { resolvers: [{ address: '127.0.0.1', port: 9 }], searchDomains: [] }],
    ['DNS resolver', { resolvers: [], searchDomains: ['zero.example'] }],
  ])('on a machine without a %s that is said', (what, facts) => {
    expect(startDaemon(configOf(''), { machine: facts }).snapshot().nothingFound).toContain(
      `this machine has no ${what}`,
    )
  })
})

describe('what Windows says', () => {
  const HOST = 'kms.corp.example'

  async function windows(machine: WindowsMachine): Promise<string> {
    const server = await startWinrm(machine, { address: KMS[0], port: 0 })
    onTestFinished(() => server.stop())
    return `{ via: winrm, url: '${server.url}', credentials: reader, allow_unencrypted: true }`
  }

  function configured(host: string, ...clients: readonly string[]): Config {
    const canaries = clients.map(
      (access, index) =>
        `{ name: pc${index}.corp.example, connect_to: ${KMS[0]}, labels: { site: rome }, windows: ${access} }`,
    )
    return configOf(`domains: []
credentials: { reader: { auth: basic, username: ${READER.username}, password_env: WINKMS_TEST_PASSWORD } }
probes:
  licensing: { schedule: 1s, timeout: 1s }
  activity: { schedule: 1s, timeout: 1s }
  client: { schedule: 1s, timeout: 1s }
  clock: { schedule: 1d, timeout: 1s, sources: [http] }
hosts: [{ name: ${HOST}, connect_to: ${KMS[0]}, windows: ${host} }]
clients: [${canaries.join(', ')}]
`)
  }

  beforeAll(() => void vi.stubEnv('WINKMS_TEST_PASSWORD', READER.password))
  afterAll(() => void vi.unstubAllEnvs())

  const verdictOn = (daemon: Daemon, cause: Cause): true | undefined =>
    daemon
      .snapshot()
      .hosts[0]?.diagnosis.findings.some((finding) => finding.cause === cause && finding.verdict === 'named')
      ? true
      : undefined

  it('of a host reaches its diagnosis, its metrics and its page, as it changes', async () => {
    const machine = kmsHost({ name: HOST })
    const daemon = startDaemon(configured(await windows(machine)))
    const enabled = async () => (await samples(daemon, 'winkms_kms_enabled', { host: HOST }))[0]?.value
    await until(SOON_SECONDS, 'KMS is enabled', async () => ((await enabled()) === 1 ? true : undefined))
    await until(SOON_SECONDS, 'the log is read', async () =>
      (await samples(daemon, 'winkms_event_log_records', { host: HOST })).length > 0 ? true : undefined,
    )
    await until(
      SOON_SECONDS,
      'it serves',
      async () => (await samples(daemon, 'winkms_host_serving'))[0]?.value,
    )
    const [host] = daemon.snapshot().hosts
    expect(host?.results.map(({ probe }) => probe)).toEqual(
      expect.arrayContaining(['licensing', 'activity', 'service']),
    )

    Object.assign(machine.licensing, { IsKeyManagementServiceMachine: 0 })
    await until(SOON_SECONDS, 'that it is not is named', () => verdictOn(daemon, 'kms_not_enabled'))
    expect(await enabled()).toBe(0)
    expect((await samples(daemon, 'winkms_host_serving'))[0]?.value).toBe(0)
  })

  it('is forgotten at once when another machine is to be asked, or none', async () => {
    const daemon = startDaemon(configured(await windows(kmsHost({ name: HOST }))))
    const enabled = async () => (await samples(daemon, 'winkms_kms_enabled', { host: HOST }))[0]?.value
    await until(SOON_SECONDS, 'KMS is enabled', enabled)
    const other = kmsHost({ name: HOST, licensing: { IsKeyManagementServiceMachine: 0 } })
    daemon.reload(configured(await windows(other)))
    expect(await enabled()).toBeUndefined()
    expect(await until(SOON_SECONDS, 'the other is asked', enabled)).toBe(0)

    daemon.reload(hosts(`name: ${HOST}, connect_to: ${KMS[0]}`))
    expect(await enabled()).toBeUndefined()
    expect(verdictOn(daemon, 'kms_not_enabled')).toBeUndefined()
    expect(daemon.snapshot().hosts[0]?.results.map(({ probe }) => probe)).not.toContain('licensing')
  })

  it('on a canary concerns the host that it asks, and goes with it', async () => {
    const host = await windows(kmsHost({ name: HOST }))
    const canary = await windows(
      kmsClient({
        name: 'pc0.corp.example',
        os: { caption: 'Windows Server 2025', version: '10.0.26100', productType: 3 },
        products: [clientProduct({ DiscoveredKeyManagementServiceMachineName: HOST })],
      }),
    )
    const daemon = startDaemon(configured(host, canary))
    await until(SOON_SECONDS, 'the host is too old for it', () => verdictOn(daemon, 'version_mismatch'))
    expect(daemon.snapshot().clients).toMatchObject([
      { name: 'pc0.corp.example', result: { reading: { clientOs: 'windows_server_2025' } } },
    ])
    expect((await samples(daemon, 'winkms_client_info')).map(({ labels }) => labels)).toEqual([
      { client: 'pc0.corp.example', site: 'rome' },
    ])
    expect((await samples(daemon, 'winkms_exporter_targets', { probe: 'client' }))[0]?.value).toBe(1)

    daemon.reload(configured(host))
    expect(await expose(daemon)).not.toContain('pc0.corp.example')
    expect(daemon.snapshot().clients).toEqual([])
    expect(verdictOn(daemon, 'version_mismatch')).toBeUndefined()
  })

  it('on a canary concerns the host that it asks in another shard, and is told by its own', async () => {
    const canary = 'pc0.corp.example'
    const count = [2, 3, 4, 5].find((each) => hashmod(HOST, each) !== hashmod(canary, each)) ?? 0
    const host = await windows(kmsHost({ name: HOST }))
    const access = await windows(
      kmsClient({
        name: canary,
        os: { caption: 'Windows Server 2025', version: '10.0.26100', productType: 3 },
        products: [clientProduct({ DiscoveredKeyManagementServiceMachineName: HOST })],
      }),
    )
    const [judge, teller] = [HOST, canary].map((name) =>
      startDaemon(configured(host, access), { shard: { index: hashmod(name, count), count } }),
    )
    if (judge === undefined || teller === undefined) throw new Error('there are two')
    await until(SOON_SECONDS, 'the host is too old for it', () => verdictOn(judge, 'version_mismatch'))
    await until(SOON_SECONDS, 'it is told of', async () =>
      (await samples(teller, 'winkms_client_license_status')).length > 0 ? true : undefined,
    )
    expect(await expose(judge)).not.toContain(canary)
    expect(judge.snapshot().clients).toEqual([])
    expect(await names(teller, 'winkms_host_info')).toEqual([])
  })
})

describe('two shards', () => {
  it('ask every domain, for hosts are judged by it, and one of them tells of it', async () => {
    const domains = ['corp.example', 'plant.example', 'lab.example', 'zero.example']
    const all = Array.from({ length: 8 }, (_, index) => `kms${index}`)
    for (const domain of domains)
      dns.setRecords(
        domain,
        all.flatMap((label): readonly DnsRecord[] => [
          { name: `${label}.${domain}`, type: 'A', data: KMS[0] },
          {
            name: `_vlmcs._tcp.${domain}`,
            type: 'SRV',
            data: { priority: 0, weight: 0, port: PORT, target: `${label}.${domain}` },
          },
        ]),
      )
    const config = configOf(`resolvers: ["${NET}.53:${dns.port}"]
domains: [${domains.map((name) => `{ name: ${name} }`).join(', ')}]
probes:
  srv: { schedule: 1s, timeout: 1s }
  port: { schedule: 1s, timeout: 1s }
  clock: { schedule: 1d, timeout: 1s, sources: [http] }
`)
    const shards = [0, 1].map((index) => startDaemon(config, { shard: { index, count: 2 } }))
    for (const [index, daemon] of shards.entries()) {
      const own = domains.flatMap((domain) =>
        all.map((label) => `${label}.${domain}`).filter((name) => hashmod(name, 2) === index),
      )
      expect(own.length).toBeGreaterThan(0)
      // Whom to watch they find by themselves, too.
      const inDns = async (): Promise<readonly Sample[]> =>
        (await samples(daemon, 'winkms_diagnosis', { cause: 'srv_missing' })).filter(
          ({ value }) => value === 0,
        )
      await until(SOON_SECONDS, 'all are found', async () =>
        (await inDns()).length === own.length ? true : undefined,
      )
      expect((await inDns()).map(({ labels }) => labels['host'] ?? '').toSorted()).toEqual(own.toSorted())
      expect(await names(daemon, 'winkms_host_domain_info')).toEqual(own.toSorted())
      const told = await samples(daemon, 'winkms_srv_lookup_success')
      expect(told.map(({ labels }) => labels['domain'] ?? '').toSorted()).toEqual(
        domains.filter((name) => hashmod(name, 2) === index).toSorted(),
      )
      expect(await samples(daemon, 'winkms_exporter_shards')).toEqual([
        { labels: { shard: String(index) }, value: 2 },
      ])
    }
  })

  it('divide the canaries between them, too', async () => {
    vi.stubEnv('WINKMS_TEST_PASSWORD', 'secret')
    onTestFinished(() => void vi.unstubAllEnvs())
    const all = Array.from({ length: 12 }, (_, index) => `pc${index}.corp.example`)
    const access = `{ via: winrm, url: 'https://${FILTERED}:5986/wsman', credentials: reader }`
    const config = configOf(`domains: []
credentials: { reader: { auth: ntlm, username: reader, password_env: WINKMS_TEST_PASSWORD } }
clients: [${all.map((name) => `{ name: ${name}, windows: ${access} }`).join(', ')}]
probes: { client: { schedule: 1d, timeout: 1s } }
`)
    for (const index of [0, 1]) {
      const daemon = startDaemon(config, { shard: { index, count: 2 } })
      const own = all.filter((name) => hashmod(name, 2) === index)
      expect(own.length).toBeGreaterThan(0)
      expect(daemon.snapshot().clients.map(({ name }) => name)).toEqual(own)
      expect(daemon.estate.clients.map(({ name }) => name)).toEqual(own)
      const told = await samples(daemon, 'winkms_client_info')
      expect(told.map(({ labels }) => labels['client'])).toEqual(own)
    }
  })

  it("divide the hosts between them, as Prometheus's hashmod does", async () => {
    const all = Array.from({ length: 12 }, (_, index) => `kms${index}.corp.example`)
    const config = hosts(...all.map((name) => `name: ${name}, connect_to: ${KMS[0]}`))
    const shards = [0, 1].map((index) => startDaemon(config, { shard: { index, count: 2 } }))
    const watched = await Promise.all(shards.map((daemon) => names(daemon, 'winkms_host_info')))
    for (const [index, own] of watched.entries()) {
      expect(own).toEqual(all.filter((name) => hashmod(name, 2) === index).toSorted())
      expect(own.length).toBeGreaterThan(0)
    }
    for (const [index, daemon] of shards.entries()) {
      const judged = daemon.snapshot().hosts.map(({ diagnosis }) => diagnosis.host.name)
      expect(judged.toSorted()).toEqual(watched[index])
    }
  })
})

describe('stopping', () => {
  it('waits for what is in flight no longer than its deadline, and leaves nothing that keeps a process alive', async () => {
    const file = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)
    const yaml = `hosts: [{ name: slow.corp.example, connect_to: ${FILTERED} }, { name: a.corp.example, connect_to: ${KMS[0]} }]
resolvers: ["${NET}.53:${dns.port}"]
domains: [{ name: zero.example }]
probes: { port: { schedule: 5s, timeout: 2s }, clock: { schedule: "*/5 * * * * *", timeout: 2s, references: ["${FILTERED}"] } }`
    const script = `import { createDaemon } from ${file('../src/app.ts')}
      import { parseConfig } from ${file('../src/config/load.ts')}
      import { createIo } from ${file('../src/io/io.ts')}
      import { silentLog } from ${file('../src/model/log.ts')}
      const { config } = parseConfig(${JSON.stringify(yaml)}, { file: 'x', checkCron: () => undefined })
      const io = createIo()
      const machine = { resolvers: [], searchDomains: [] }
      const daemon = createDaemon({ config, machine, io, log: silentLog, build: { version: 'x', revision: 'x' } })
      daemon.start()
      const asking = async () => {
        let text = ''
        for await (const piece of daemon.metrics('text')) text += Buffer.from(piece).toString()
        return /in_flight [1-9]/.test(text) && text.includes('winkms_host_serving{host="a.corp.example"} 1')
      }
      while (!(await asking())) await new Promise((resolve) => setTimeout(resolve, 50))
      const begin = performance.now()
      await daemon.stop()
      io.close()
      console.log(daemon.phase, (performance.now() - begin) / 1000 < 10)`
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', script],
      { timeout: 30_000 },
    )
    expect(stdout).toBe('stopping true\n')
  }, 40_000)

  it('before it was started, and twice, is no mistake', async () => {
    const io = createIo()
    const daemon = createDaemon({
      config: configOf(''),
      machine: { resolvers: [], searchDomains: [] },
      io,
      log: silentLog,
      build: { version: 'test', revision: 'test' },
    })
    expect(daemon.phase).toBe('new')
    await daemon.stop()
    await daemon.stop()
    expect(daemon.phase).toBe('stopping')
    io.close()
  })
})
