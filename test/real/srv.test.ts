// The SRV probe against two DNS servers that share no code with each other or with us: the same zones, the same
// expectations for both (srv-scenes.ts). Then what takes more than one server, or a network between them and us.
import { writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import type { Daemon } from '../../src/app.ts'
import { parseConfig } from '../../src/config/load.ts'
import { checkCron } from '../../src/engine/cron.ts'
import { checkSrv, clientErrorOf, recordSet } from '../../src/kms/srv.ts'
import { formatEndpoint, type Endpoint } from '../../src/model/target.ts'
import type { ResultOf } from '../../src/probes/index.ts'
import { expose, startDaemon } from '../daemon.ts'
import { during } from '../during.ts'
import { askOne, askProbe } from './ask.ts'
import { startBind } from './servers/bind.ts'
import { startKnot } from './servers/knot.ts'
import { program, realServer } from './servers/need.ts'
import { makeNamespaceHost } from './servers/netns.ts'
import { freePort } from './servers/ports.ts'
import { launch, makeDirectory, type Server } from './servers/process.ts'
import { HEAD, SCENES, ZONES } from './srv-scenes.ts'

function yamlOf(domain: string, resolver: Endpoint, configured = '', hosts = ''): string {
  return `hosts: [${hosts}]
domains:
  - name: ${domain}
    resolvers: ["${formatEndpoint(resolver)}"]
    ${configured}
`
}

function findingsOf({ reading, target }: ResultOf<'srv'>): readonly string[] | undefined {
  return reading && checkSrv(reading, target.domain).map(({ kind, subject }) => `${kind} ${subject}`.trim())
}

/** How long a question may take that is never answered; for all others the default, five seconds. */
const IMPATIENT = 'probes: { srv: { timeout: 700ms } }'

describe.each([
  { name: 'BIND', command: 'named', start: startBind, maxUdpSize: 512, loop: 'resolve_servfail' },
  { name: 'Knot', command: 'knotd', start: startKnot, maxUdpSize: 1220, loop: 'resolve_nodata' },
] as const)('$name', ({ command, start, maxUdpSize, loop }) => {
  let starting: Promise<Server> | undefined
  const shared = (): Promise<Server> => (starting ??= start(ZONES, { maxUdpSize }))
  afterAll(async () => (await starting)?.stop())

  it.for(SCENES)('$domain', async ({ domain, configured, hosts, ...expected }, context) => {
    realServer(context, [command])
    const result = await askOne(yamlOf(domain, await shared(), configured, hosts), 'srv')
    expect(result.failure).toBeUndefined()
    expect(result.reading).toMatchObject(expected.reading)
    expect(findingsOf(result)).toEqual(expected.findings)
    expect(result.reading && clientErrorOf(result.reading)).toBe(expected.clientError)
  })

  it('counts all records and follows a bounded number', async (context) => {
    realServer(context, [command])
    const { reading } = await askOne(yamlOf('too-many.example', await shared()), 'srv')
    expect(reading).toMatchObject({ overTcp: true, recordCount: 100 })
    expect(reading?.records).toHaveLength(64)
    expect([...(reading?.targets.values() ?? [])]).toEqual(
      Array.from({ length: 64 }, () => ({ addresses: ['192.0.2.10'], alias: false })),
    )
  })

  it('ends at a loop of aliases, whatever the server makes of it', async (context) => {
    realServer(context, [command])
    const { reading } = await askOne(yamlOf('loop.example', await shared()), 'srv')
    expect([...(reading?.targets ?? [])]).toEqual([
      ['kms.loop.example', { addresses: [], alias: true, failure: loop }],
    ])
  })

  it('is not told a target’s addresses by a referral', async (context) => {
    realServer(context, [command])
    const result = await askOne(yamlOf('far.example', await shared()), 'srv')
    expect(result.reading?.records).toMatchObject([{ target: 'kms01.delegated.parent.example' }])
    expect([...(result.reading?.targets.values() ?? [])]).toMatchObject([{ failure: 'resolve_refused' }])
    expect(findingsOf(result)).toEqual([])
  })

  it('reads what is left when TCP is blocked', async (context) => {
    realServer(context, [command, 'ip', 'nft', 'namespaces'])
    const host = await during(makeNamespaceHost('notcp'))
    const server = await during(start(ZONES, { maxUdpSize, within: host }))
    await host.exec(program('nft'), 'add rule inet lab in tcp dport 53 drop')
    const yaml = yamlOf('many.example', server, 'expect: [kms100.many.example]')
    const result = await askOne(`${yaml}${IMPATIENT}\n`, 'srv')
    expect(result.failure).toBeUndefined()
    expect(result.reading).toMatchObject({ overTcp: false, truncatedWithoutTcp: true })
    expect(findingsOf(result)).toEqual(['truncated_without_tcp'])
    expect(result.reading && clientErrorOf(result.reading)).toBeUndefined()

    const short = await askOne(yamlOf('correct.example', server), 'srv')
    expect(findingsOf(short)).toEqual([])
    // Addresses that were cut off are unknown, not absent.
    const long = await askOne(`${yamlOf('many-addresses.example', server)}${IMPATIENT}\n`, 'srv')
    expect([...(long.reading?.targets.values() ?? [])]).toMatchObject([
      { addresses: [], failure: 'resolve_timeout' },
    ])
    expect(findingsOf(long)).toEqual([])
  })

  it('reads what is left when TCP is reset', async (context) => {
    realServer(context, [command, 'ip', 'nft', 'namespaces'])
    const host = await during(makeNamespaceHost('tcprst'))
    const server = await during(start(ZONES, { maxUdpSize, within: host }))
    await host.rejectReset(53)
    const result = await askOne(yamlOf('many.example', server), 'srv')
    expect(result.reading).toMatchObject({ overTcp: false, truncatedWithoutTcp: true })
    expect(findingsOf(result)).toEqual(['truncated_without_tcp'])
    expect(result.reading && clientErrorOf(result.reading)).toBeUndefined()
  })

  it('is silent behind a firewall', async (context) => {
    realServer(context, [command, 'ip', 'nft', 'namespaces'])
    const host = await during(makeNamespaceHost('walled'))
    const server = await during(start(ZONES, { within: host }))
    const yaml = yamlOf('correct.example', server)
    expect((await askOne(yaml, 'srv')).failure).toBeUndefined()
    await host.drop(53)
    expect((await askOne(`${yaml}${IMPATIENT}\n`, 'srv')).failure).toMatchObject({
      stage: 'lookup',
      reason: 'resolve_timeout',
    })
  })
})

describe('a resolver that is not there', () => {
  it('is not answered for', async () => {
    const port = await freePort()
    const yaml = `${yamlOf('correct.example', { address: '127.0.0.1', port })}${IMPATIENT}\n`
    const { reading, failure, stages } = await askOne(yaml, 'srv')
    expect(reading).toBeUndefined()
    expect(failure).toMatchObject({ stage: 'lookup', reason: 'resolve_timeout' })
    expect(stages.map(({ stage }) => stage)).toEqual(['lookup'])
  })
})

describe('BIND that forwards to Knot', () => {
  it('is no authority, and fails when Knot is dead', async (context) => {
    realServer(context, ['named', 'knotd'])
    const upstream = await during(startKnot(ZONES))
    const forwarder = await during(startBind({}, { forwardTo: upstream, maxUdpSize: 512 }))
    const correct = await askOne(yamlOf('correct.example', forwarder), 'srv')
    expect(correct.reading).toMatchObject({ rcode: 'NOERROR', authoritative: false, referral: false })
    expect(findingsOf(correct)).toEqual([])
    const many = await askOne(yamlOf('many.example', forwarder), 'srv')
    expect(many.reading).toMatchObject({ overTcp: true, recordCount: 60 })
    const unknown = await askOne(yamlOf('nxdomain.example', forwarder), 'srv')
    expect(unknown.reading).toMatchObject({ rcode: 'NXDOMAIN', authoritative: false })

    await upstream.stop()
    const { reading } = await askOne(yamlOf('alias.example', forwarder), 'srv')
    expect(reading).toMatchObject({ rcode: 'SERVFAIL', records: [] })
    expect(reading && clientErrorOf(reading)).toBe('0x8007232A')
  })
})

function watch(yaml: string): Daemon {
  const { config } = parseConfig(yaml, { file: 'real.yml', checkCron })
  if (config === undefined) throw new Error('no configuration')
  return startDaemon(config)
}

describe('two resolvers of one domain', () => {
  const one = { 'split.example': `${HEAD}_vlmcs._tcp SRV 0 0 1688 kms01\n* A 192.0.2.10\n` }
  const other = { 'split.example': `${HEAD}_vlmcs._tcp 60 SRV 0 0 1688 KMS01\n* A 192.0.2.10\n` }
  const rogue = { 'split.example': `${HEAD}_vlmcs._tcp SRV 0 0 1688 rogue\n* A 192.0.2.66\n` }

  it.for([
    { says: 'agree but for case and TTL', first: one, second: other, consistent: 1 },
    { says: 'disagree', first: one, second: rogue, consistent: 0 },
  ])('that $says', async ({ first, second, consistent }, context) => {
    realServer(context, ['named', 'knotd'])
    const resolvers = [await during(startBind(first)), await during(startKnot(second))]
    const yaml = `domains:
  - { name: split.example, resolvers: [${resolvers.map(formatEndpoint).join(', ')}] }
discovery: { from_srv: false }
probes: { srv: { schedule: 2s, timeout: 2s } }
`
    const results = await askProbe(yaml, 'srv')
    expect(results.map(({ target }) => target.labels['resolver'])).toEqual(resolvers.map(formatEndpoint))
    expect(new Set(results.map(({ reading }) => recordSet(reading?.records ?? []))).size).toBe(2 - consistent)

    const daemon = watch(yaml)
    await vi.waitFor(
      async () =>
        expect(await expose(daemon)).toContain(
          `winkms_srv_consistent{domain="split.example"} ${consistent}\n`,
        ),
      { timeout: 15_000, interval: 100 },
    )
  })
})

describe('a resolver on ::1', () => {
  it('answers over UDP and, when that is too small, over TCP', async (context) => {
    realServer(context, ['knotd'])
    const loopback = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
    if (!loopback.some(({ address }) => address === '::1')) context.skip('this machine has no ::1')
    const port = await freePort()
    const directory = await makeDirectory('knot6')
    await writeFile(join(directory, 'many.zone'), ZONES['many.example'] ?? '')
    await writeFile(
      join(directory, 'knot.conf'),
      `server:
  rundir: "${directory}"
  listen: [ 127.0.0.1@${port}, ::1@${port} ]
  udp-max-payload: 1220
database:
  storage: "${directory}"
log:
  - target: stdout
    any: info
zone:
  - domain: many.example
    storage: "${directory}"
    file: many.zone
    zonefile-sync: -1
    journal-content: none
`,
    )
    // The harness sees who holds an IPv4 port only; this server listens on both.
    await during(
      launch({
        name: 'knotd',
        command: program('knotd'),
        args: ['-c', join(directory, 'knot.conf')],
        directory,
        listens: [{ protocol: 'udp', address: '127.0.0.1', port }],
        ready: /server started/,
      }),
    )
    const { reading, target } = await askOne(yamlOf('many.example', { address: '::1', port }), 'srv')
    expect(target.labels).toEqual({ domain: 'many.example', resolver: `[::1]:${port}` })
    expect(reading).toMatchObject({ rcode: 'NOERROR', overTcp: true, recordCount: 60 })
  })
})
