// The built exporter for the tests of its life: over a configuration of their own, with something planted in its process
// that goes wrong at SIGUSR2, and peers that accept a connection and never say a word.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { freePort } from '../real/servers/ports.ts'
import { get, start, until, type Running } from '../e2e/built.ts'

export const SOON_SECONDS = 30

export interface Exporter extends Running {
  readonly url: string
  readonly folder: string
  readonly configFile: string
}

export interface Life {
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Program text that runs in the exporter's process before anything of ours; what it does at SIGUSR2 is its affair. */
  readonly planted?: string
}

export const NOTHING = 'domains: []\n'

export async function folderOf(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'winkms-life-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Started, not waited for. Ended with the test. */
export async function begin(yaml: string, { flags = [], env, planted = '' }: Life = {}): Promise<Exporter> {
  const folder = await folderOf()
  const [configFile, plant] = [join(folder, 'winkms.yml'), join(folder, 'plant.cjs')]
  await Promise.all([writeFile(configFile, yaml), writeFile(plant, planted)])
  const port = await freePort()
  const args = [
    `--config.file=${configFile}`,
    `--web.listen-address=127.0.0.1:${port}`,
    `--storage.path=${join(folder, 'data')}`,
    ...flags,
  ]
  const running = start(args, { node: ['--require', plant], ...(env && { env }) })
  onTestFinished(() => running.stop())
  return { ...running, url: `http://127.0.0.1:${port}`, folder, configFile }
}

export async function ready(exporter: Exporter): Promise<Exporter> {
  await until(
    SOON_SECONDS,
    () => `it is ready\n${exporter.err()}`,
    async () => ((await get(`${exporter.url}/-/ready`))?.status === 200 ? true : undefined),
  )
  return exporter
}

export const serve = async (yaml: string, life: Life = {}): Promise<Exporter> =>
  ready(await begin(yaml, life))

export async function metrics({ url }: { url: string }): Promise<string> {
  return (await get(`${url}/metrics`))?.body ?? ''
}

/** Accepts, reads, and says nothing. */
export async function silentPeer(): Promise<{ readonly port: number; readonly connections: () => number }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.resume().on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, connections: () => sockets.size }
}

/** So many hosts, all at that port of 127.0.0.1; only the port probe asks. */
export function hostsAt(port: number, count: number, schedule = '1h', timeout = '60s'): string {
  const hosts = Array.from(
    { length: count },
    (_, index) => `  - { name: kms${index}.corp.example, connect_to: 127.0.0.1, port: ${port} }\n`,
  )
  return `domains: []
limits: { per_host: 1 }
probes: { port: { schedule: ${schedule}, timeout: ${timeout} }, clock: { schedule: 1d, timeout: 1s, sources: [http] } }
hosts:
${hosts.join('')}`
}

export const secondsSince = (moment: number): number => (performance.now() - moment) / 1000
