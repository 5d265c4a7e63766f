// Descriptors run out: a fault of the exporter's and not of the hosts, said as such, and over once there are some again.
import { execFileSync } from 'node:child_process'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { phaseOf } from '../../src/engine/shard.ts'
import { startBadPeer } from '../../src/lab/bad-peer.ts'
import { startDns } from '../../src/lab/dns.ts'
import { startHttp } from '../../src/lab/http.ts'
import { startNtp } from '../../src/lab/ntp.ts'
import { startRpc } from '../../src/lab/rpc.ts'
import { during } from '../during.ts'
import { build, causesByHost, samplesOf } from '../e2e/built.ts'
import { program, realServer } from '../real/servers/need.ts'
import {
  cpuSeconds,
  descriptors,
  expectNoInternalError,
  startExporter,
  untilMetrics,
  valueOf,
  type Exporter,
} from './exporter.ts'
import { LOOPBACK } from './hosts.ts'

const OUTCOMES = 'winkms_exporter_probes_total'
const SERVING = 'winkms_host_serving'
/** Whoever spins takes all of it. */
const MOST_OF_A_CPU = 0.75
const EXHAUSTED_SECONDS = 6

beforeAll(build)

const nameOf = (index: number): string => `kms${index}.corp.example`

/** What is asked of healthy hosts is answered, or not asked for want of a descriptor; nothing is held against them. */
function expectNoBlame(exposition: string, isHealthy: (host: string) => boolean): void {
  for (const { labels, value } of samplesOf(exposition, SERVING))
    if (isHealthy(labels['host'] ?? '')) expect(value, labels['host']).toBe(1)
  for (const [host, causes] of Object.entries(causesByHost(exposition)))
    if (isHealthy(host)) expect(causes, host).toEqual([])
}

const overloaded = (exposition: string, probe: string): number =>
  valueOf(exposition, OUTCOMES, { probe, outcome: 'exporter_overloaded' }) ?? 0

/** Soft: what the process has beyond it stays open, and nothing new is opened. */
function limitDescriptors({ running: { pid } }: Exporter, most: number): void {
  execFileSync(program('prlimit'), ['--pid', String(pid), `--nofile=${most}:`])
}

it('more hosts than descriptors: who cannot be asked is not judged, and the metrics are there', async (context) => {
  realServer(context, ['prlimit'])
  const kms = await during(startRpc('kms', LOOPBACK))
  const ntp = await during(startNtp(Date.now, LOOPBACK))
  // Whoever asks this one holds a descriptor until its time is up.
  const silent = await during(startBadPeer('silent', LOOPBACK))
  const hosts = Array.from({ length: 120 }, (_, index) => {
    const port = index % 2 === 0 ? kms.port : silent.port
    return `  - { name: ${nameOf(index)}, connect_to: 127.0.0.1, port: ${port} }`
  })
  const isHealthy = (host: string): boolean => Number(/\d+/.exec(host)?.[0]) % 2 === 0
  const exporter = await startExporter(
    `domains: []
limits: { concurrency: 200 }
probes: { port: { schedule: 3s, timeout: 3s }, clock: { schedule: 3s, timeout: 3s, sources: [ntp], ports: { ntp: ${ntp.port} } } }
hosts:
${hosts.join('\n')}
`,
    // Both limits: Node takes what it may have.
    { before: [program('prlimit'), '--nofile=64:64'] },
  )
  const cpu = cpuSeconds(exporter)
  const began = performance.now()
  while (performance.now() - began < 8_000) {
    const exposition = await exporter.tryMetrics()
    if (exposition !== undefined) expectNoBlame(exposition, isHealthy)
    await pause(500)
  }
  expect(cpuSeconds(exporter) - cpu).toBeLessThan(((performance.now() - began) / 1000) * MOST_OF_A_CPU)
  const exposition = await untilMetrics(exporter, 'it is said', (text) => overloaded(text, 'port') > 0)
  expectNoBlame(exposition, isHealthy)
  for (const probe of ['port', 'clock']) {
    const outcomes = samplesOf(exposition, OUTCOMES).filter(({ labels }) => labels['probe'] === probe)
    for (const { labels } of outcomes)
      expect(['answered', 'exporter_overloaded']).toContain(labels['outcome'])
  }
  expectNoInternalError(exporter)
}, 120_000)

it('none left at all, when HTTP is spoken for the first time, and strangers want in: all is well once there are some', async (context) => {
  realServer(context, ['prlimit'])
  const kms = await during(startRpc('kms', LOOPBACK))
  const http = await during(
    startHttp({ name: nameOf(0), clock: Date.now, metricsPage: () => undefined }, LOOPBACK),
  )
  // Asked late enough that nothing is left by then.
  const names = Array.from({ length: 1_000 }, (_, index) => nameOf(index))
    .filter((name) => phaseOf(`clock/${name}`) > 0.7)
    .slice(0, 20)
  const records = names.map((name) => ({ name, type: 'A', data: '127.0.0.1' }) as const)
  const dns = await during(startDns({ zones: { 'corp.example': records } }, LOOPBACK))
  const exporter = await startExporter(`domains: []
resolvers: ["127.0.0.1:${dns.port}"]
probes:
  port: { schedule: 1s, timeout: 1s }
  clock: { schedule: 3s, timeout: 1s, sources: [http], ports: { http: ${http.port} } }
hosts:
${names.map((name) => `  - { name: ${name}, port: ${kms.port} }`).join('\n')}
`)
  limitDescriptors(exporter, descriptors(exporter))
  const strangers = Array.from({ length: 100 }, () => {
    const socket = connect(Number(new URL(exporter.url).port), '127.0.0.1')
    return socket.on('error', () => {})
  })
  onTestFinished(() => strangers.forEach((socket) => void socket.destroy()))
  const cpu = cpuSeconds(exporter)
  await pause(EXHAUSTED_SECONDS * 1000)
  // Those that nobody can accept are turned away, not tried again and again.
  expect(cpuSeconds(exporter) - cpu).toBeLessThan(EXHAUSTED_SECONDS * MOST_OF_A_CPU)
  expect(exporter.running.ending()).toBeUndefined()

  limitDescriptors(exporter, 4_096)
  strangers.forEach((socket) => void socket.destroy())
  const after = await untilMetrics(
    exporter,
    'all is well again',
    (text) =>
      samplesOf(text, SERVING).length === names.length &&
      samplesOf(text, 'winkms_clock_offset_seconds').length === names.length,
  )
  expect(overloaded(after, 'port')).toBeGreaterThan(0)
  expect(overloaded(after, 'clock')).toBeGreaterThan(0)
  expect(samplesOf(after, OUTCOMES).map(({ labels }) => labels['outcome'])).not.toContain('internal_error')
  expectNoBlame(after, () => true)
  expectNoInternalError(exporter)
  await untilMetrics(exporter, 'nothing is left open', () => descriptors(exporter) < 40)
}, 120_000)
