// The resolver falls silent, and later is not there at all: hosts whose addresses are known are asked as before, nothing is
// said of those that cannot be found, the fault is put down to the resolver, and all is well as soon as it is back.
import { beforeAll, describe, expect, it } from 'vitest'
import { startNtp } from '../../src/lab/ntp.ts'
import { startRpc } from '../../src/lab/rpc.ts'
import { during } from '../during.ts'
import { build, causesByHost } from '../e2e/built.ts'
import { startBind, type Zones } from '../real/servers/bind.ts'
import { startKnot } from '../real/servers/knot.ts'
import { realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import type { Server } from '../real/servers/process.ts'
import {
  descriptors,
  expectNoInternalError,
  startExporter,
  untilMetrics,
  valueOf,
  type Exporter,
} from './exporter.ts'
import { LOOPBACK } from './hosts.ts'

const KNOWN = 'kms01.corp.example'
const NAMED = 'kms02.corp.example'
const WATCHED_RUNS = 5

beforeAll(build)

const zonesOf = (port: number): Zones => ({
  'corp.example': `$TTL 60
@ SOA ns.corp.example. root.corp.example. 1 60 60 600 60
@ NS ns.corp.example.
ns A 127.0.0.1
kms01 A 127.0.0.1
kms02 A 127.0.0.1
_vlmcs._tcp SRV 0 0 ${port} kms01.corp.example.
_vlmcs._tcp SRV 0 0 ${port} kms02.corp.example.
`,
})

const serving = (text: string, host: string): number | undefined =>
  valueOf(text, 'winkms_host_serving', { host })

const isWell = (text: string): boolean =>
  [KNOWN, NAMED].every((host) => serving(text, host) === 1) &&
  valueOf(text, 'winkms_srv_correct', { domain: 'corp.example' }) === 1

const runs = (text: string, probe: string, outcome: string): number =>
  valueOf(text, 'winkms_exporter_probes_total', { probe, outcome }) ?? 0

/** Of many runs, none is held against the hosts. */
async function expectNoBlame(exporter: Exporter): Promise<void> {
  const before = await exporter.metrics()
  const goal = runs(before, 'port', 'answered') + WATCHED_RUNS
  const lookups = runs(before, 'srv', 'resolve_timeout') + 2
  await untilMetrics(exporter, 'it goes on', (text) => {
    for (const [host, causes] of Object.entries(causesByHost(text))) expect(causes, host).toEqual([])
    expect(serving(text, KNOWN)).toBe(1)
    expect(serving(text, NAMED)).not.toBe(0)
    return runs(text, 'port', 'answered') >= goal && runs(text, 'srv', 'resolve_timeout') >= lookups
  })
  const text = await exporter.metrics()
  expect(serving(text, NAMED)).toBeUndefined()
  const why = { host: NAMED, probe: 'port', stage: 'resolve', reason: 'resolve_timeout' }
  expect(valueOf(text, 'winkms_probe_failure_info', why)).toBe(1)
  expect(valueOf(text, 'winkms_probe_failure_info', { host: KNOWN, probe: 'port' })).toBeUndefined()
  // What the resolver has said before is not known any more, and nothing is said to be wrong with it.
  expect(valueOf(text, 'winkms_srv_correct')).toBeUndefined()
  expect(valueOf(text, 'winkms_probe_success', { probe: 'srv' })).toBe(0)
}

describe.each([
  ['BIND', 'named', startBind],
  ['Knot', 'knotd', startKnot],
] as const)('%s', (_, program, startServer) => {
  it('is silent, is gone, and comes back', async (context) => {
    realServer(context, [program])
    const kms = await during(startRpc('kms', LOOPBACK))
    const ntp = await during(startNtp(Date.now, LOOPBACK))
    const at = { address: '127.0.0.1', port: await freePort() }
    const startResolver = (): Promise<Server> => during(startServer(zonesOf(kms.port), at))
    const resolver = await startResolver()
    const exporter = await startExporter(`resolvers: ["${at.address}:${at.port}"]
domains:
  - { name: corp.example, expect: [{ target: ${KNOWN}, port: ${kms.port} }, { target: ${NAMED}, port: ${kms.port} }] }
probes:
  port: { schedule: 1s, timeout: 1s }
  srv: { schedule: 1s, timeout: 1s }
  clock: { schedule: 1s, timeout: 1s, sources: [ntp], ports: { ntp: ${ntp.port} } }
hosts:
  - { name: ${KNOWN}, addresses: [127.0.0.1], port: ${kms.port} }
  - { name: ${NAMED}, port: ${kms.port} }
`)
    await untilMetrics(exporter, 'all is well', isWell)
    const open = descriptors(exporter)

    resolver.signal('SIGSTOP')
    await untilMetrics(exporter, 'it is noticed', (text) => serving(text, NAMED) === undefined)
    await expectNoBlame(exporter)
    resolver.signal('SIGCONT')
    await untilMetrics(exporter, 'all is well again', isWell)

    await resolver.stop()
    await untilMetrics(exporter, 'it is noticed', (text) => serving(text, NAMED) === undefined)
    await expectNoBlame(exporter)
    await startResolver()
    await untilMetrics(exporter, 'all is well again', isWell)
    await untilMetrics(exporter, 'nothing is left open', () => descriptors(exporter) <= open + 4)
    expectNoInternalError(exporter)
  }, 240_000)
})
