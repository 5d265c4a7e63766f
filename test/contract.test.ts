// The contract that every listed probe keeps, whoever it asks: it ends by its deadline, in words from the closed list,
// without a defect of ours, without a socket or timer left, within bounded memory, and to nobody else's cost.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../src/engine/run.ts'
import { createIo, type Io } from '../src/io/io.ts'
import { BAD_TCP_PEERS, BAD_UDP_PEERS, startBadPeer, startBadUdpPeer } from '../src/lab/bad-peer.ts'
import { startDns } from '../src/lab/dns.ts'
import { startFiltered } from '../src/lab/filtered.ts'
import { startHttp } from '../src/lab/http.ts'
import { listenUdp, type Listener } from '../src/lab/listener.ts'
import { startNtp } from '../src/lab/ntp.ts'
import { startRpc } from '../src/lab/rpc.ts'
import { startSmb2 } from '../src/lab/smb2.ts'
import { kmsHost } from '../src/lab/windows-machine.ts'
import { renderWindowsPage } from '../src/lab/windows-page.ts'
import { READER, startWinrm } from '../src/lab/winrm.ts'
import { REASONS } from '../src/model/failure.ts'
import { silentLog } from '../src/model/log.ts'
import { formatEndpoint, type Endpoint } from '../src/model/target.ts'
import { probes, type ProbeName, type ResultOf } from '../src/probes/index.ts'
import { growthDuring, LEFT_OPEN, taskOf } from './hostile/asked.ts'
import { closedPort, expectHandles, LOOPBACK, settledHandles } from './io/support.ts'

const TIMEOUT_SECONDS = 0.3
/** A clock that is read by HTTP alone takes as long as it may, to be read well. */
const GOOD_TIMEOUT_SECONDS = 4
const MOST_OVER_SECONDS = 1
const MOST_GROWTH_BYTES = 64 * 2 ** 20
const NAME = 'kms01.corp.example'

// ---- Who is asked, how: each way that leads a probe to a peer, over TCP or UDP.

interface Lab {
  readonly rpc: Listener
  readonly http: Listener
  readonly smb2: Listener
  readonly ntp: Listener
  readonly dns: Listener
  readonly winrm: Listener
}

interface Way {
  readonly name: string
  readonly probe: ProbeName
  /** What kind of peer; `dns over tcp`: one that cuts its UDP answer off, so that TCP follows. */
  readonly over: 'tcp' | 'udp' | 'dns over tcp'
  /** The configuration under which the probe asks the peer that is there. */
  document(at: Endpoint, lab: Lab): object
  /** Where a good answer comes from, asked in the same way; without one, over another. */
  readonly good: keyof Lab
  readonly goodDocument?: (at: Endpoint, lab: Lab) => object
}

const hostAt = (host: object): object => ({
  hosts: [{ name: NAME, connect_to: '127.0.0.1', ...host }],
  domains: [],
})
const clockAt = (sources: readonly string[], { port }: Endpoint): object =>
  hostAt({
    probes: { clock: { sources, ports: Object.fromEntries(sources.map((source) => [source, port])) } },
  })
const pageAt = (scheme: string, at: Endpoint): object =>
  hostAt({ windows: { via: 'windows_exporter', url: `${scheme}://${formatEndpoint(at)}/metrics` } })
const PASSWORD_VARIABLE = 'WINKMS_CONTRACT_PASSWORD'
const winrmAt = (at: Endpoint, scheme = 'http', auth = 'basic'): object => ({
  via: 'winrm',
  url: `${scheme}://${formatEndpoint(at)}/wsman`,
  credentials: 'reader',
  allow_unencrypted: auth === 'basic' && scheme === 'http',
  // Any certificate would do, and yet none of these peers has one.
  ...(scheme === 'https' && { tls: { fingerprint: '00'.repeat(32) } }),
})
const readerOf = (auth: string): object => ({
  credentials: { reader: { auth, username: READER.username, password_env: PASSWORD_VARIABLE } },
})
const windowsAt = (at: Endpoint, scheme?: string, auth = 'basic'): object => ({
  ...hostAt({ windows: winrmAt(at, scheme, auth), probes: { clock: { sources: ['cim'] } } }),
  ...readerOf(auth),
})
const canaryAt = (at: Endpoint): object => ({
  clients: [{ name: 'pc-042.corp.example', windows: winrmAt(at) }],
  domains: [],
  ...readerOf('basic'),
})
const domainAt = (at: Endpoint): object => ({
  domains: [{ name: 'corp.example', resolvers: [formatEndpoint(at)] }],
})

const WAYS: readonly Way[] = [
  { name: 'port', probe: 'port', over: 'tcp', document: ({ port }) => hostAt({ port }), good: 'rpc' },
  {
    name: 'port, resolving the name',
    probe: 'port',
    over: 'udp',
    document: (at, { rpc }) => ({ resolvers: [formatEndpoint(at)], hosts: [{ name: NAME, port: rpc.port }] }),
    good: 'dns',
  },
  {
    name: 'service by HTTP',
    probe: 'service',
    over: 'tcp',
    document: (at) => pageAt('http', at),
    good: 'http',
  },
  {
    name: 'service by HTTPS',
    probe: 'service',
    over: 'tcp',
    document: (at) => pageAt('https', at),
    good: 'http',
    goodDocument: (at) => pageAt('http', at),
  },
  {
    name: 'service, resolving the name',
    probe: 'service',
    over: 'udp',
    document: (at, { http }) => ({
      resolvers: [formatEndpoint(at)],
      hosts: [
        { name: NAME, windows: { via: 'windows_exporter', url: `http://${NAME}:${http.port}/metrics` } },
      ],
    }),
    good: 'dns',
  },
  ...(['smb2', 'http', 'ntlm'] as const).map((source): Way => ({
    name: `clock by ${source}`,
    probe: 'clock',
    over: 'tcp',
    document: (at) => clockAt([source], at),
    good: source === 'smb2' ? 'smb2' : 'http',
  })),
  {
    name: 'clock by all sources at once',
    probe: 'clock',
    over: 'tcp',
    document: (at) => clockAt(['smb2', 'http', 'ntlm', 'ntp'], at),
    good: 'http',
  },
  { name: 'clock by ntp', probe: 'clock', over: 'udp', document: (at) => clockAt(['ntp'], at), good: 'ntp' },
  ...(['service', 'clock', 'licensing', 'activity'] as const).map((probe): Way => ({
    name: `${probe} by WinRM`,
    probe,
    over: 'tcp',
    document: (at) => windowsAt(at),
    good: 'winrm',
  })),
  {
    name: 'client by WinRM',
    probe: 'client',
    over: 'tcp',
    document: canaryAt,
    good: 'winrm',
  },
  {
    name: 'licensing by WinRM over TLS',
    probe: 'licensing',
    over: 'tcp',
    document: (at) => windowsAt(at, 'https'),
    good: 'winrm',
    goodDocument: (at) => windowsAt(at),
  },
  {
    name: 'licensing by WinRM with NTLM',
    probe: 'licensing',
    over: 'tcp',
    document: (at) => windowsAt(at, 'http', 'ntlm'),
    good: 'winrm',
    goodDocument: (at) => windowsAt(at),
  },
  { name: 'srv', probe: 'srv', over: 'udp', document: domainAt, good: 'dns' },
  { name: 'srv', probe: 'srv', over: 'dns over tcp', document: domainAt, good: 'dns' },
  {
    name: 'reference',
    probe: 'reference',
    over: 'udp',
    document: (at) => ({ probes: { clock: { references: [formatEndpoint(at)] } } }),
    good: 'ntp',
  },
  {
    name: 'reference, resolving the name',
    probe: 'reference',
    over: 'udp',
    document: (at, { ntp }) => ({
      resolvers: [formatEndpoint(at)],
      probes: { clock: { references: [`ntp.corp.example:${ntp.port}`] } },
    }),
    good: 'dns',
  },
]

type Reading<Name extends ProbeName> = NonNullable<ResultOf<Name>['reading']>

/** Whether a reading is good news, which no bad peer can bring about. */
const GOOD_NEWS: { readonly [Name in ProbeName]: (reading: Reading<Name>) => boolean } = {
  port: ({ addresses }) => addresses.some(({ listener }) => listener === 'kms'),
  srv: ({ records, truncatedWithoutTcp }) => records.length > 0 && !truncatedWithoutTcp,
  service: ({ state }) => state !== 'unknown',
  clock: ({ samples }) => samples.length > 0,
  reference: () => true,
  licensing: ({ kms }) => kms !== undefined,
  activity: ({ caughtUp }) => caughtUp,
  client: ({ licenseStatus }) => licenseStatus !== undefined,
}

function isGoodNews(probe: ProbeName, reading: unknown): boolean {
  return (GOOD_NEWS[probe] as (reading: unknown) => boolean)(reading)
}

// ---- The bad peers.

const HTTP_OK = 'HTTP/1.1 200 OK\r\n'

const TCP_PEERS: Readonly<Record<string, (where: Endpoint) => Promise<Listener>>> = {
  filtered: startFiltered,
  ...Object.fromEntries(
    BAD_TCP_PEERS.map((kind) => [
      kind,
      (where: Endpoint) => startBadPeer(kind, where, { dripMilliseconds: 20 }),
    ]),
  ),
  'endless in an HTTP body': (where) =>
    startBadPeer('endless', where, { prefix: Buffer.from(`${HTTP_OK}\r\n`) }),
  'endless in an SMB2 message': (where) =>
    startBadPeer('endless', where, { prefix: Buffer.from('0000fffffe534d42', 'hex') }),
  'endless in a DNS message': (where) => startBadPeer('endless', where, { prefix: Buffer.of(0xff, 0xff) }),
  'dripping an HTTP header': (where) =>
    startBadPeer('drip', where, { prefix: Buffer.from(`${HTTP_OK}X: y`), dripMilliseconds: 2 }),
}

const UDP_PEERS: Readonly<Record<string, (where: Endpoint) => Promise<Listener>>> = Object.fromEntries(
  BAD_UDP_PEERS.map((kind) => [kind, (where: Endpoint) => startBadUdpPeer(kind, where)]),
)

/** Says to any DNS question that the answer does not fit into a datagram. */
function startTruncating(where: Endpoint): Promise<Listener> {
  return listenUdp(where, (message, reply) => {
    if (message.length < 12) return
    const truncated = Buffer.from(message)
    truncated.writeUInt16BE(0x8380, 2)
    reply(truncated)
  })
}

// ---- The contract.

let lab: Lab
beforeAll(async () => {
  const page = (): string => renderWindowsPage(NAME, 'running', Date.now)
  process.env[PASSWORD_VARIABLE] = READER.password
  const [rpc, http, smb2, ntp, winrm] = await Promise.all([
    startRpc('kms', LOOPBACK),
    startHttp({ name: NAME, clock: Date.now, metricsPage: page }, LOOPBACK),
    startSmb2(Date.now, LOOPBACK),
    startNtp(Date.now, LOOPBACK),
    startWinrm(kmsHost({ name: NAME }), LOOPBACK),
  ])
  const zone = [
    { name: NAME, type: 'A', data: '127.0.0.1' },
    { name: 'ntp.corp.example', type: 'A', data: '127.0.0.1' },
    {
      name: '_vlmcs._tcp.corp.example',
      type: 'SRV',
      data: { priority: 0, weight: 0, port: 1688, target: NAME },
    },
  ] as const
  lab = { rpc, http, smb2, ntp, winrm, dns: await startDns({ zones: { 'corp.example': zone } }, LOOPBACK) }
})
afterAll(async () => {
  await Promise.all(Object.values(lab).map((each: Listener) => each.stop()))
  delete process.env[PASSWORD_VARIABLE]
})

/** Asks the bad peer, and a good one at the same time; returns what in that was not as it has to be. */
async function breachesOf(way: Way, at: Endpoint, io: Io): Promise<readonly string[]> {
  const breaches: string[] = []
  const check = (kept: boolean, what: string): void => {
    if (!kept) breaches.push(`${way.name}: ${what}`)
  }
  const log = { ...silentLog, error: (_fields: unknown, message: string) => check(false, message) }
  const ask = (document: object, mostSeconds: number) =>
    run(taskOf(way.probe, document), { io, log, mostSeconds })
  const startedAt = performance.now()
  const [{ result, tookSeconds }, good] = await Promise.all([
    ask(way.document(at, lab), TIMEOUT_SECONDS).then((ended) => ({
      result: ended,
      tookSeconds: (performance.now() - startedAt) / 1000,
    })),
    ask((way.goodDocument ?? way.document)(lab[way.good], lab), GOOD_TIMEOUT_SECONDS),
  ])
  const most = TIMEOUT_SECONDS + MOST_OVER_SECONDS
  check(tookSeconds < most && result.durationSeconds < most, `took ${tookSeconds} s`)
  const stages: readonly string[] = probes[way.probe].stages
  for (const { stage } of result.stages) check(stages.includes(stage), `was in a stage ${stage}`)
  if (result.failure === undefined) {
    check(!isGoodNews(way.probe, result.reading), `good news: ${JSON.stringify(result.reading)}`)
  } else {
    const { reason, stage, detail } = result.failure
    check(REASONS.includes(reason) && reason !== 'internal_error', `${reason}: ${detail}`)
    check(stages.includes(stage), `failed in a stage ${stage}`)
    check(detail !== '', `${reason}, without a word to it`)
  }
  check(
    good.failure === undefined && isGoodNews(way.probe, good.reading),
    `of the good peer: ${JSON.stringify(good.failure ?? good.reading)}`,
  )
  return breaches
}

/** All ways at once, since most bad peers are met by waiting. */
async function expectContract(
  ways: readonly Way[],
  start: () => Promise<{ at: Endpoint; peers: readonly Listener[] }>,
): Promise<void> {
  const before = await settledHandles()
  const { at, peers } = await start()
  const io = createIo()
  try {
    const { value, bytes } = await growthDuring(() => Promise.all(ways.map((way) => breachesOf(way, at, io))))
    expect(value.flat()).toEqual([])
    expect(bytes).toBeLessThan(MOST_GROWTH_BYTES)
  } finally {
    io.close()
    await Promise.all(peers.map((peer) => peer.stop()))
  }
  // No timer either: the test runner's own come and go.
  await expectHandles(before, LEFT_OPEN)
}

it('every listed probe is here, with good news of its own', () => {
  expect(new Set(WAYS.map(({ probe }) => probe))).toEqual(new Set(Object.keys(probes)))
  expect(Object.keys(GOOD_NEWS).toSorted()).toEqual(Object.keys(probes).toSorted())
  for (const [name, probe] of Object.entries(probes)) expect(probe.name).toBe(name)
})

describe('every probe keeps its contract with a TCP peer that is', () => {
  const ways = WAYS.filter(({ over }) => over !== 'udp')

  it.each(Object.entries(TCP_PEERS))('%s', async (_kind, startPeer) => {
    await expectContract(ways, async () => {
      const tcp = await startPeer(LOOPBACK)
      return { at: tcp, peers: [tcp, await startTruncating({ address: tcp.address, port: tcp.port })] }
    })
  })

  it('refused', async () => {
    await expectContract(ways, async () => {
      const udp = await startTruncating(await closedPort())
      return { at: udp, peers: [udp] }
    })
  })
})

describe('every probe keeps its contract with a UDP peer that is', () => {
  const ways = WAYS.filter(({ over }) => over === 'udp')

  it.each(Object.entries(UDP_PEERS))('%s', async (_kind, startPeer) => {
    await expectContract(ways, async () => {
      const udp = await startPeer(LOOPBACK)
      return { at: udp, peers: [udp] }
    })
  })

  it('refused', async () => {
    await expectContract(ways, async () => ({ at: await closedPort(), peers: [] }))
  })
})
