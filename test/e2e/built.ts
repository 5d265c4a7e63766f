// The built command as a child process: built when it is missing or older than its sources, started, watched, and ended
// for certain, however the test process ends. It knows no protocol but HTTP.
import { execFile, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { guard } from '../real/servers/guard.ts'
import { canBind } from '../real/servers/ports.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** The bundle, for those who start it in a way of their own. */
export const MAIN = join(ROOT, 'dist/main.js')
/** Test files run side by side, and only one of them may build. */
const LOCK = join(tmpdir(), `winkms-exporter-build-${ROOT.replaceAll(/\W+/g, '-')}`)
const STALE_LOCK_MILLISECONDS = 60_000
const POLL_MILLISECONDS = 100
const KILL_SECONDS = 5

function modifiedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

function isStale(): boolean {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  const paths = [
    ...sources.map((file) => join(ROOT, 'src', file)),
    join(ROOT, 'scripts/build.js'),
    join(ROOT, 'scripts/loader.js'),
  ]
  return Math.max(...paths.map(modifiedAt)) > modifiedAt(MAIN)
}

function takeLock(): boolean {
  try {
    mkdirSync(LOCK)
    return true
  } catch {
    if (Date.now() - modifiedAt(LOCK) > STALE_LOCK_MILLISECONDS) releaseLock()
    return false
  }
}

function releaseLock(): void {
  try {
    rmdirSync(LOCK)
  } catch {
    // Somebody else was quicker to clear it away.
  }
}

/** To be awaited before anything is started: `npm test` has built already, a single file run by hand may not have. */
export async function build(): Promise<void> {
  await until(STALE_LOCK_MILLISECONDS / 500, 'the lock of the build is free', () => takeLock() || undefined)
  try {
    if (isStale()) await promisify(execFile)(process.execPath, ['scripts/build.js'], { cwd: ROOT })
  } finally {
    releaseLock()
  }
}

/** Looks again until there is something to see. Rejects after `seconds`, naming `what`. */
export async function until<T>(
  seconds: number,
  what: string | (() => string),
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000
  for (;;) {
    const seen = await look()
    if (seen !== undefined) return seen
    if (performance.now() > deadline) {
      throw new Error(`not within ${seconds} s: ${typeof what === 'string' ? what : what()}`)
    }
    await pause(POLL_MILLISECONDS)
  }
}

/** How a process ended: by itself with a code, or by a signal. */
export type Ending = number | NodeJS.Signals

export interface Finished {
  readonly ending: Ending
  readonly out: string
  readonly err: string
}

export interface Running {
  readonly pid: number
  out(): string
  err(): string
  /** Undefined while it runs. */
  ending(): Ending | undefined
  signal(name: NodeJS.Signals): void
  /** Resolves when it has ended and all that it printed has been read. Rejects after `seconds`, with what it printed. */
  ended(seconds: number): Promise<Finished>
  /** Ends it without ceremony, if it still runs. */
  stop(): Promise<void>
}

export interface Surroundings {
  /** What to put before the command: `prlimit`, `unshare`. It has to become the command (exec), for its number is taken. */
  readonly before?: readonly string[]
  /** Arguments of Node.js itself. */
  readonly node?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export function start(
  args: readonly string[],
  { before = [], node = [], env = {} }: Surroundings = {},
): Running {
  return startCommand([...before, process.execPath, ...node, MAIN, ...args], {
    env: { PATH: process.env['PATH'], LC_ALL: 'C', ...env },
  })
}

/** Any command, by its path, that is ended for certain like the built one. */
export function startCommand(
  [command = '', ...args]: readonly string[],
  { cwd = ROOT, env }: { readonly cwd?: string; readonly env: NodeJS.ProcessEnv },
): Running {
  const child = spawn(command, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'], env })
  const watch = guard('kill -s KILL -- "-$1"', String(child.pid ?? 'none'))
  const printed = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (printed.err += text))
  let ending: Ending | undefined
  child.on('error', (error) => (printed.err += error.message))
  child.on('close', (code, signal) => {
    ending = code ?? signal ?? 'SIGKILL'
    watch.release()
  })
  const finished = (seconds: number): Promise<Finished> =>
    until(
      seconds,
      () => `${args.join(' ')} ends\n${printed.out}${printed.err}`,
      () => (ending === undefined ? undefined : { ending, ...printed }),
    )
  return {
    pid: child.pid ?? -1,
    out: () => printed.out,
    err: () => printed.err,
    ending: () => ending,
    signal: (name) => void child.kill(name),
    ended: finished,
    stop: async () => {
      if (ending !== undefined) return
      child.kill('SIGKILL')
      await finished(KILL_SECONDS)
    },
  }
}

/** Runs it to its end. */
export async function run(
  args: readonly string[],
  seconds = 30,
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const running = start(args, { env })
  try {
    return await running.ended(seconds)
  } finally {
    await running.stop()
  }
}

/** The first two numbers of loopback addresses on which no other demo runs. */
export async function freeNetwork(): Promise<string> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const network = `127.${randomInt(100, 250)}`
    if (await canBind({ address: `${network}.0.53`, port: 10_053 })) return network
  }
  throw new Error('no free loopback network')
}

export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

/** Undefined while nobody answers. */
export async function get(url: string, init: RequestInit = {}): Promise<Answer | undefined> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(10_000) })
    const type = response.headers.get('content-type') ?? ''
    return { status: response.status, type, body: await response.text() }
  } catch {
    return undefined
  }
}

/** One line of the text exposition: `winkms_diagnosis{host="a",cause="b"} 1`. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** All samples of one family. Understands what the exporter writes, and no more of the format than that. */
export function samplesOf(exposition: string, name: string): readonly Sample[] {
  return exposition.split('\n').flatMap((line) => {
    const [, own, pairs = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (own !== name) return []
    const labels = [...pairs.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text])
    return [{ labels: Object.fromEntries(labels) as Record<string, string>, value: Number(value) }]
  })
}

/** The named causes of every host that has a diagnosis, in alphabetical order. */
export function causesByHost(exposition: string): Readonly<Record<string, readonly string[]>> {
  const causes: Record<string, string[]> = {}
  for (const { labels, value } of samplesOf(exposition, 'winkms_diagnosis')) {
    const named = (causes[labels['host'] ?? ''] ??= [])
    if (value === 1) named.push(labels['cause'] ?? '')
  }
  return Object.fromEntries(Object.entries(causes).map(([host, named]) => [host, named.toSorted()]))
}
