// The built exporter as a service of its own, watched from outside: what it costs, and what it says of itself.
import { spawn } from 'node:child_process'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { request } from 'undici'
import { guard } from '../test/real/servers/guard.ts'
import { freePort } from '../test/real/servers/ports.ts'
import { cpuOf } from './peers.ts'

export interface Delay {
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly most: number
  /** What the heap held after the last full collection; 0 before the first. */
  readonly liveBytes: number
  /** Sockets, timers and whatever else Node.js has open. */
  readonly handles: number
}

export interface Scrape {
  readonly seconds: number
  readonly bytes: number
  readonly text: string
}

export interface Service {
  /** From its start to the first answer of /metrics. */
  readonly startSeconds: number
  readonly pid: number
  /** Of all its routes: `http://127.0.0.1:PORT`. */
  readonly url: string
  scrape(encoding?: 'gzip' | 'identity'): Promise<Scrape>
  cpuSeconds(): Promise<number>
  rssBytes(): Promise<number>
  descriptors(): Promise<number>
  /** Milliseconds, since the last call. */
  delay(): Promise<Delay>
  stop(): Promise<void>
}

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((done) => void setTimeout(done, milliseconds))

/** `npm run build` comes before it. */
export async function startService(
  directory: string,
  config: string,
  flags: readonly string[] = [],
): Promise<Service> {
  const file = join(directory, 'winkms.yml')
  await writeFile(file, config)
  const port = await freePort()
  return watch(
    directory,
    [
      'dist/main.js',
      'serve',
      `--config.file=${file}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
      ...flags,
    ],
    port,
  )
}

/** Any program for Node.js that serves /metrics. */
export async function watch(directory: string, program: readonly string[], port: number): Promise<Service> {
  const delayFile = join(directory, 'delay.json')
  const began = performance.now()
  const child = spawn(process.execPath, ['--import', resolve('bench/loop-delay.js'), ...program], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, BENCH_DELAY_FILE: delayFile },
  })
  const { pid } = child
  if (pid === undefined) throw new Error('the exporter does not start')
  const { release } = guard('kill -s KILL "$1"', String(pid))
  let stopping = false
  const exited = new Promise<void>((done) =>
    child.once('exit', (code, signal) => {
      if (!stopping) process.stderr.write(`the exporter has ended by itself: ${signal ?? code}\n`)
      done()
    }),
  )
  void exited.then(release)
  const url = `http://127.0.0.1:${port}`
  const scrape = async (encoding: 'gzip' | 'identity' = 'gzip'): Promise<Scrape> => {
    const start = performance.now()
    const { body } = await request(`${url}/metrics`, { headers: { 'accept-encoding': encoding } })
    const bytes = Buffer.from(await body.arrayBuffer())
    const seconds = (performance.now() - start) / 1000
    const text = encoding === 'gzip' ? '' : bytes.toString()
    return { seconds, bytes: bytes.length, text }
  }
  for (;;) {
    try {
      await scrape()
      break
    } catch (error) {
      if (performance.now() - began > 60_000 || child.exitCode !== null) throw error
      await pause(5)
    }
  }
  return {
    startSeconds: (performance.now() - began) / 1000,
    pid,
    url,
    scrape,
    cpuSeconds: async () => (await cpuOf(pid)) / 1e6,
    async rssBytes() {
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024
    },
    descriptors: async () => (await readdir(`/proc/${pid}/fd`)).length,
    async delay() {
      await rm(delayFile, { force: true })
      child.kill('SIGUSR2')
      for (let attempt = 0; attempt < 200; attempt += 1) {
        await pause(25)
        const text = await readFile(delayFile, 'utf8').catch(() => '')
        if (text.endsWith('}')) return JSON.parse(text) as Delay
      }
      throw new Error('the exporter does not tell its delay')
    },
    async stop() {
      stopping = true
      child.kill()
      await exited
    },
  }
}
