// The exporter's own network goes down and comes back: every host is out of reach, which is all that is said of any of
// them, and all is well again without a restart.
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, expect, it } from 'vitest'
import { startDns } from '../../src/lab/dns.ts'
import { startNtp } from '../../src/lab/ntp.ts'
import { startRpc } from '../../src/lab/rpc.ts'
import { during } from '../during.ts'
import { build, causesByHost, samplesOf } from '../e2e/built.ts'
import { realServer } from '../real/servers/need.ts'
import { makeNamespaceHost, type NamespaceHost } from '../real/servers/netns.ts'
import { descriptors, expectNoInternalError, startExporter, untilMetrics, valueOf } from './exporter.ts'

const HOSTS = 20
const NAMED = 'named.corp.example'
const DOWN_SECONDS = 5

beforeAll(build)

const SCRIPT = `fetch(process.argv[1], { signal: AbortSignal.timeout(10_000) })
  .then((answer) => answer.text())
  .then((text) => process.stdout.write(text))`

/** From within: no link is needed for that. */
const fetchWithin =
  (machine: NamespaceHost) =>
  async (url: string): Promise<string | undefined> => {
    const { stdout } = await machine
      .exec(process.execPath, '-e', SCRIPT, url)
      .catch(() => ({ stdout: undefined }))
    return stdout
  }

const serving = (text: string, value: number): number =>
  samplesOf(text, 'winkms_host_serving').filter((sample) => sample.value === value).length

it('comes back by itself', async (context) => {
  realServer(context, ['namespaces', 'ip', 'nft'])
  const machine = await during(makeNamespaceHost('exporter'))
  const at = { address: machine.peerAddress, port: 0 }
  const kms = await during(startRpc('kms', at))
  const ntp = await during(startNtp(Date.now, at))
  const dns = await during(
    startDns({ zones: { 'corp.example': [{ name: NAMED, type: 'A', data: at.address }] } }, at),
  )
  const hosts = Array.from(
    { length: HOSTS },
    (_, index) => `  - { name: kms${index}.corp.example, connect_to: ${at.address}, port: ${kms.port} }`,
  )
  const exporter = await startExporter(
    `domains: []
resolvers: ["${at.address}:${dns.port}"]
probes:
  port: { schedule: 1s, timeout: 1s }
  clock: { schedule: 1s, timeout: 1s, sources: [ntp], ports: { ntp: ${ntp.port} } }
hosts:
${hosts.join('\n')}
  - { name: ${NAMED}, port: ${kms.port} }
`,
    { before: machine.prefix, fetchPage: fetchWithin(machine) },
  )
  const isWell = (text: string): boolean => serving(text, 1) === HOSTS + 1
  await untilMetrics(exporter, 'all is well', isWell)
  const open = descriptors(exporter)

  await machine.exec('ip', 'link', 'set', 'eth0', 'down')
  await untilMetrics(exporter, 'all are out of reach', (text) => serving(text, 0) === HOSTS)
  await pause(DOWN_SECONDS * 1000)
  const down = await exporter.metrics()
  expect(serving(down, 0)).toBe(HOSTS)
  expect(valueOf(down, 'winkms_host_serving', { host: NAMED })).toBeUndefined()
  const failures = samplesOf(down, 'winkms_port_failure_info').map(({ labels }) => labels['reason'])
  expect(failures).toEqual(Array.from({ length: HOSTS }, () => 'connect_unreachable'))
  for (const [host, causes] of Object.entries(causesByHost(down)))
    expect(causes, host).toEqual(host === NAMED ? [] : ['host_unreachable'])

  await machine.exec('ip', 'link', 'set', 'eth0', 'up')
  const up = await untilMetrics(exporter, 'all is well again', isWell)
  for (const [host, causes] of Object.entries(causesByHost(up))) expect(causes, host).toEqual([])
  await untilMetrics(exporter, 'nothing is left open', () => descriptors(exporter) <= open + 4)
  expectNoInternalError(exporter)
}, 120_000)
