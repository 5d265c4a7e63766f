// The built daemon over lab servers: reloading by signal and over HTTP, with good files and bad ones.
import { randomInt } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startRpc } from '../../src/lab/rpc.ts'
import { freePort } from '../real/servers/ports.ts'
import { build, get, samplesOf, start, until, type Running } from './built.ts'

const SOON_SECONDS = 20
const NET = `127.${randomInt(40, 90)}.${randomInt(1, 255)}`
const BAD = 'hosts:\n  - { name: a.corp.example, prot: 1688 }\nprobes: { port: { schedule: never } }\n'

let folder: string
let configFile: string
const parts: { stop(): Promise<void> }[] = []
beforeAll(async () => {
  await build()
  folder = await mkdtemp(join(tmpdir(), 'winkms-reload-'))
  configFile = join(folder, 'winkms.yml')
  for (const number of [1, 2]) parts.push(await startRpc('kms', { address: `${NET}.${number}`, port: 1688 }))
})
afterAll(async () => {
  await Promise.all(parts.map((part) => part.stop()))
  await rm(folder, { recursive: true, force: true })
})

/** Hosts by label and the last number of their address. */
function configWith(hosts: Readonly<Record<string, number>>): string {
  const lines = Object.entries(hosts).map(
    ([label, number]) => `  - { name: ${label}.corp.example, connect_to: ${NET}.${number} }\n`,
  )
  return `domains: []
probes: { port: { schedule: 1d, timeout: 2s }, clock: { schedule: 1d, timeout: 1s, sources: [http] } }
hosts:
${lines.join('')}`
}

interface Daemon extends Running {
  readonly url: string
}

async function serve(...flags: readonly string[]): Promise<Daemon> {
  const port = await freePort()
  const running = start([`--config.file=${configFile}`, `--web.listen-address=127.0.0.1:${port}`, ...flags])
  const url = `http://127.0.0.1:${port}`
  await until(
    SOON_SECONDS,
    () => `the daemon is ready\n${running.err()}`,
    async () => ((await get(`${url}/-/ready`))?.status === 200 ? true : undefined),
  )
  return { ...running, url }
}

async function metrics({ url }: Daemon): Promise<string> {
  return (await get(`${url}/metrics`))?.body ?? ''
}

async function watched(daemon: Daemon): Promise<readonly string[]> {
  return samplesOf(await metrics(daemon), 'winkms_host_info')
    .map(({ labels }) => labels['host'] ?? '')
    .toSorted()
}

async function lastReload(daemon: Daemon): Promise<number | undefined> {
  return samplesOf(await metrics(daemon), 'winkms_exporter_config_last_reload_successful')[0]?.value
}

/** When the port of the host was asked; waits until it has been. */
async function askedAt(daemon: Daemon, host: string): Promise<number> {
  return until(SOON_SECONDS, `${host} is asked`, async () => {
    const found = samplesOf(await metrics(daemon), 'winkms_probe_timestamp_seconds')
    return found.find(({ labels }) => labels['host'] === host && labels['probe'] === 'port')?.value
  })
}

const post = (daemon: Daemon, method = 'POST') => get(`${daemon.url}/-/reload`, { method })

beforeEach(async () => {
  await writeFile(configFile, configWith({ a: 1 }))
})

describe('SIGHUP', () => {
  it('takes a good file over, keeps everything at a bad one, and recovers', async () => {
    const daemon = await serve()
    try {
      const before = await askedAt(daemon, 'a.corp.example')
      await writeFile(configFile, configWith({ a: 1, b: 2 }))
      daemon.signal('SIGHUP')
      await until(SOON_SECONDS, 'b is watched', async () =>
        (await watched(daemon)).includes('b.corp.example') ? true : undefined,
      )
      expect(daemon.err()).toMatch(/hosts=2 added=1 removed=0 msg="the configuration was reloaded"/)
      await askedAt(daemon, 'b.corp.example')
      expect(await askedAt(daemon, 'a.corp.example')).toBe(before)

      await writeFile(configFile, BAD)
      daemon.signal('SIGHUP')
      await until(SOON_SECONDS, 'it is seen to fail', async () =>
        (await lastReload(daemon)) === 0 ? true : undefined,
      )
      expect(daemon.err()).toContain('the configuration was not loaded; the one before stays in force')
      expect(daemon.err()).toContain(`${configFile}:2:29: hosts[0].prot: `)
      expect(await watched(daemon)).toEqual(['a.corp.example', 'b.corp.example'])
      expect(await askedAt(daemon, 'a.corp.example')).toBe(before)

      await rm(configFile)
      daemon.signal('SIGHUP')
      await until(SOON_SECONDS, 'the missing file is missed', () =>
        daemon.err().includes(`${configFile}:1:1: does not exist`) ? true : undefined,
      )
      expect(await watched(daemon)).toEqual(['a.corp.example', 'b.corp.example'])

      await writeFile(configFile, configWith({ b: 2 }))
      daemon.signal('SIGHUP')
      await until(SOON_SECONDS, 'it succeeds again', async () =>
        (await lastReload(daemon)) === 1 ? true : undefined,
      )
      expect(await metrics(daemon)).not.toContain('a.corp.example')
      expect(daemon.ending()).toBeUndefined()
      daemon.signal('SIGTERM')
      expect((await daemon.ended(SOON_SECONDS)).ending).toBe(0)
    } finally {
      await daemon.stop()
    }
  }, 60_000)
})

describe('POST /-/reload', () => {
  it('is refused without --web.enable-lifecycle, and changes nothing', async () => {
    const daemon = await serve()
    try {
      await writeFile(configFile, configWith({ a: 1, b: 2 }))
      expect(await post(daemon)).toMatchObject({
        status: 403,
        body: expect.stringContaining('--web.enable-lifecycle'),
      })
      expect(await watched(daemon)).toEqual(['a.corp.example'])
    } finally {
      await daemon.stop()
    }
  })

  it('with it reloads, tells what is wrong with a bad file, and is nothing for GET', async () => {
    const daemon = await serve('--web.enable-lifecycle')
    try {
      await writeFile(configFile, configWith({ a: 1, b: 2 }))
      expect(await post(daemon)).toMatchObject({ status: 200, body: 'Reloaded\n' })
      expect(await watched(daemon)).toEqual(['a.corp.example', 'b.corp.example'])

      await writeFile(configFile, BAD)
      const refused = await post(daemon)
      expect(refused?.status).toBe(500)
      expect(refused?.body).toContain('the one before stays in force')
      expect(refused?.body).toContain(`${configFile}:2:29: hosts[0].prot: `)
      expect(refused?.body).toContain(`${configFile}:3:`)
      expect(await lastReload(daemon)).toBe(0)
      expect(await watched(daemon)).toEqual(['a.corp.example', 'b.corp.example'])
      expect((await get(`${daemon.url}/-/ready`))?.status).toBe(200)

      await writeFile(configFile, configWith({ b: 2 }))
      expect((await get(`${daemon.url}/-/reload`))?.status).toBe(405)
      expect(await watched(daemon)).toEqual(['a.corp.example', 'b.corp.example'])
      expect((await post(daemon, 'PUT'))?.status).toBe(200)
      expect([await watched(daemon), await lastReload(daemon)]).toEqual([['b.corp.example'], 1])
      expect((await get(`${daemon.url}/config`))?.body).not.toContain('a.corp.example')
    } finally {
      await daemon.stop()
    }
  }, 60_000)
})
