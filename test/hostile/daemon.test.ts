// The whole daemon, with sixty good hosts and sixty that misbehave in every way: the good ones are told to serve all the
// time, and nothing grows.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { schema, type Config } from '../../src/config/schema.ts'
import { silentLog } from '../../src/model/log.ts'
import { expose, startDaemon } from '../daemon.ts'
import type { HostileEstate } from './estate.ts'

const BAD_HOSTS = 60
const WARM_UP_SECONDS = 12
const SECONDS = 24
const INTERVAL_SECONDS = 5
/** Of a run of a good host, on a machine that others use too. */
const MOST_AGE_SECONDS = INTERVAL_SECONDS + 15
const MOST_EXPOSE_SECONDS = 5
const MOST_GROWTH_BYTES = 160 * 2 ** 20
const MOST_MORE_DESCRIPTORS = 60
const PASSWORD_VARIABLE = 'WINKMS_HOSTILE_PASSWORD'

async function startEstate(): Promise<HostileEstate> {
  const script = fileURLToPath(new URL('estate.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(async () => {
    child.stdin.end()
    if (child.exitCode === null) await once(child, 'exit')
  })
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  return JSON.parse(line) as HostileEstate
}

function configOf({ good, tcp, udp, dns }: HostileEstate): Config {
  const often = { schedule: `${INTERVAL_SECONDS}s`, timeout: '4s' }
  const at = (ports: readonly number[], index: number): number => ports[index % ports.length] ?? 0
  const windows = [
    (port: number) => ({ via: 'windows_exporter', url: `http://127.0.0.1:${port}/metrics` }),
    (port: number) => ({
      via: 'windows_exporter',
      url: `https://127.0.0.1:${port}/metrics`,
      tls: { fingerprint: '00'.repeat(32) },
    }),
    (port: number) => ({
      via: 'winrm',
      url: `http://127.0.0.1:${port}/wsman`,
      credentials: 'reader',
      allow_unencrypted: true,
    }),
  ]
  const sources = ['smb2', 'http', 'ntlm', 'ntp']
  const clockPorts = (tcpPort: number, udpPort: number) => ({
    smb2: tcpPort,
    http: tcpPort,
    ntlm: tcpPort,
    ntp: udpPort,
  })
  return schema.parse({
    hosts: [
      ...good.map(({ name, port, smb2 }) => ({
        name,
        connect_to: '127.0.0.1',
        port,
        probes: { clock: { sources: ['smb2'], ports: { smb2 } } },
      })),
      ...Array.from({ length: BAD_HOSTS }, (_, index) => ({
        name: `bad${index}.corp.example`,
        connect_to: '127.0.0.1',
        port: at(tcp, index),
        windows: windows[Math.floor(index / tcp.length) % windows.length]?.(at(tcp, index + 7)),
        probes: { clock: { sources, ports: clockPorts(at(tcp, index + 3), at(udp, index)) } },
      })),
    ],
    domains: [
      { name: 'corp.example', resolvers: [...udp.map((port) => `127.0.0.1:${port}`), `127.0.0.1:${dns}`] },
    ],
    credentials: { reader: { auth: 'basic', username: 'reader', password_env: PASSWORD_VARIABLE } },
    probes: Object.fromEntries(
      ['port', 'clock', 'service', 'licensing', 'activity', 'srv'].map((name) => [
        name,
        name === 'clock' ? { ...often, references: udp.map((port) => `127.0.0.1:${port}`) } : often,
      ]),
    ),
    discovery: { from_srv: false },
  })
}

/** Values of a family by host. */
function byHost(text: string, family: string, more = ''): ReadonlyMap<string, number> {
  const pattern = new RegExp(`^${family}\\{host="(good[^"]*)"${more}\\} (\\S+)$`, 'gm')
  return new Map([...text.matchAll(pattern)].map(([, host = '', value]) => [host, Number(value)]))
}

it('good hosts are told to serve, whatever the others do', { timeout: 120_000 }, async () => {
  process.env[PASSWORD_VARIABLE] = 'secret'
  onTestFinished(() => void delete process.env[PASSWORD_VARIABLE])
  const errors: unknown[] = []
  const log = { ...silentLog, error: (...said: readonly unknown[]) => void errors.push(said) }
  const estate = await startEstate()
  const daemon = startDaemon(configOf(estate), { log })
  const breaches = new Set<string>()
  const resident: number[] = []
  const descriptors: number[] = []
  let looks = 0
  let text = ''

  const startedAt = performance.now()
  const elapsed = (): number => (performance.now() - startedAt) / 1000
  while (elapsed() < WARM_UP_SECONDS + SECONDS) {
    await pause(500)
    const asked = performance.now()
    text = await expose(daemon)
    const took = (performance.now() - asked) / 1000
    if (took > MOST_EXPOSE_SECONDS) breaches.add(`the page of metrics took ${took} s`)
    if (elapsed() < WARM_UP_SECONDS) continue
    looks++
    resident.push(process.memoryUsage.rss())
    descriptors.push(readdirSync('/proc/self/fd').length)
    const serving = byHost(text, 'winkms_host_serving')
    const asOf = byHost(text, 'winkms_probe_timestamp_seconds', ',probe="port"')
    for (const { name: host } of estate.good) {
      if (serving.get(host) !== 1) breaches.add(`${host} is told not to serve: ${serving.get(host)}`)
      const age = Date.now() / 1000 - (asOf.get(host) ?? 0)
      if (age > MOST_AGE_SECONDS) breaches.add(`${host}: what is told is ${age} s old`)
    }
  }

  expect([...breaches]).toEqual([])
  expect(looks).toBeGreaterThan(10)
  expect(errors).toEqual([])
  expect(text).not.toContain('outcome="internal_error"')
  // That the others were asked, and are as bad as they are said to be.
  const outcomes = new Set(
    [...text.matchAll(/^winkms_exporter_probes_total\{.*outcome="(\w+)"\}/gm)].map(([, outcome]) => outcome),
  )
  for (const outcome of ['answered', 'timeout', 'protocol_error', 'connect_reset', 'too_large'])
    expect(outcomes).toContain(outcome)
  expect(byHost(text.replaceAll('bad', 'good'), 'winkms_host_serving').size).toBeGreaterThan(
    estate.good.length - 1,
  )
  const half = Math.floor(looks / 2)
  const most = (values: readonly number[]): number => Math.max(...values)
  expect(most(resident.slice(half)) - most(resident.slice(0, half))).toBeLessThan(MOST_GROWTH_BYTES)
  expect(most(descriptors.slice(half)) - most(descriptors.slice(0, half))).toBeLessThan(MOST_MORE_DESCRIPTORS)
})
