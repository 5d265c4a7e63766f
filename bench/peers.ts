// What this exporter is measured against: the kernel by a loop in C, and blackbox_exporter.
import { execFile, fork, spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { Pool } from 'undici'
import { encodeBind, KMS_INTERFACE } from '../src/protocol/dcerpc.ts'
import { encodeQuery } from '../src/protocol/dns.ts'
import { encodeNegotiate } from '../src/protocol/smb2.ts'
import { freePort } from '../test/real/servers/ports.ts'
import { domainOf, nameOf } from './names.ts'
import type { Ports } from './responder.ts'

const run = promisify(execFile)

export type Check = 'port' | 'srv' | 'host'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const query = (type: 'SRV' | 'A' | 'AAAA', name: string): string => hex(encodeQuery({ id: 0, name, type }))

/** Microseconds of CPU a check, by a program that is compiled for this. */
export async function buildLimit(
  directory: string,
  ports: Ports,
): Promise<(check: Check, checks: number, atOnce: number) => Promise<number>> {
  const program = join(directory, 'limit')
  await run('cc', ['-O2', '-o', program, resolve('bench/limit.c')])
  const bind = hex(encodeBind({ callId: 1, interfaces: [KMS_INTERFACE, KMS_INTERFACE] }))
  const names = {
    port: `tcp:${ports.rpc}:${bind}`,
    smb2: `tcp:${ports.smb2}:${hex(encodeNegotiate(new Uint8Array(16)))}`,
  }
  const srv = [
    `udp:${ports.dns}:${query('SRV', `_vlmcs._tcp.${domainOf(0)}`)}`,
    ...(['A', 'AAAA'] as const).map((type) => `udp:${ports.dns}:${query(type, nameOf(0))}`),
  ]
  const exchanges = { port: [names.port], srv, host: [names.port, names.smb2, ...srv] }
  return async (check, checks, atOnce) => {
    const { stdout } = await run(program, [String(checks), String(atOnce), ...exchanges[check]])
    return Number(stdout)
  }
}

export async function startResponder(
  file: string,
): Promise<{ readonly ports: Ports; readonly stop: () => void }> {
  const child = fork(file)
  const ports = await new Promise<Ports>((done) => child.once('message', (message) => done(message as Ports)))
  return { ports, stop: () => child.disconnect() }
}

const TICKS_A_SECOND = 100

/** User and system time of a process, in microseconds. */
export async function cpuOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_A_SECOND
}

export interface Blackbox {
  /** One probe; rejects unless it succeeded. */
  probe(module: string): Promise<void>
  cpuMicroseconds(): Promise<number>
  stop(): Promise<void>
}

/** The questions nearest to ours: it cannot send bytes, nor expect what is no line of text. */
export const BLACKBOX_PROBES: Readonly<Record<Check, readonly string[]>> = {
  port: ['tcp'],
  srv: ['srv', 'a', 'aaaa'],
  host: ['tcp', 'tcp', 'srv', 'a', 'aaaa'],
}

/** Undefined where it is not installed. */
export async function startBlackbox(directory: string, ports: Ports): Promise<Blackbox | undefined> {
  const dns = (name: string, type: string): string =>
    `{ prober: dns, timeout: 5s, dns: { query_name: ${name}, query_type: ${type}, transport_protocol: udp, preferred_ip_protocol: ip4 } }`
  const file = join(directory, 'blackbox.yml')
  await writeFile(
    file,
    `modules:
  tcp: { prober: tcp, timeout: 5s, tcp: { preferred_ip_protocol: ip4, query_response: [{ send: ${'x'.repeat(70)} }, { expect: "^x" }] } }
  srv: ${dns(`_vlmcs._tcp.${domainOf(0)}`, 'SRV')}
  a: ${dns(nameOf(0), 'A')}
  aaaa: ${dns(nameOf(0), 'AAAA')}
`,
  )
  const port = await freePort()
  const child: ChildProcess = spawn(
    'prometheus-blackbox-exporter',
    [`--config.file=${file}`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=error'],
    { stdio: 'ignore' },
  )
  const started = await new Promise<boolean>((done) => {
    child.once('error', () => done(false))
    child.once('spawn', () => done(true))
  })
  const { pid } = child
  if (!started || pid === undefined) return undefined
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 64 })
  const probe = async (module: string): Promise<void> => {
    const target = `127.0.0.1:${module === 'tcp' ? ports.line : ports.dns}`
    const { body } = await pool.request({ method: 'GET', path: `/probe?module=${module}&target=${target}` })
    if (!(await body.text()).includes('\nprobe_success 1\n'))
      throw new Error(`blackbox_exporter: ${module} failed`)
  }
  for (let attempt = 0; ; attempt += 1) {
    try {
      await probe('tcp')
      break
    } catch (error) {
      if (attempt === 50) throw error
      await new Promise((done) => setTimeout(done, 100))
    }
  }
  return {
    probe,
    cpuMicroseconds: () => cpuOf(pid),
    async stop() {
      await pool.close()
      child.kill()
      await new Promise((done) => child.once('exit', done))
    },
  }
}

/** A directory for as long as `work` takes. */
export async function inDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'winkms-bench-'))
  try {
    return await work(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
