// One real server as a child process: started, waited for until it listens itself, stopped with all its children.
// It knows nothing of any protocol. Linux only (process groups and /proc).
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { sharedState } from './faketime.ts'
import { guard } from './guard.ts'
import type { NamespaceHost } from './netns.ts'
import { groupMembers, isFree, listener } from './proc.ts'
import type { LocalSocket } from './proc.ts'

const POLL_MILLISECONDS = 20
const START_SECONDS = 15
const TERM_SECONDS = 3
const KILL_SECONDS = 3
const CLOSE_MILLISECONDS = 1_000
const KEPT_CHARACTERS = 32_768

/** A server that listens. */
export interface Server {
  readonly address: string
  readonly port: number
  /** The end of what it has printed on both streams. */
  readonly output: () => string
  /** To it and all its children: SIGSTOP makes it silent, SIGCONT talkative again. */
  readonly signal: (name: NodeJS.Signals) => void
  /** Ends it and all its children and removes its folder. May be called more than once. */
  readonly stop: () => Promise<void>
}

export interface Launch {
  /** For error messages. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  /** Its working directory, removed when it stops: give it one of its own, from makeDirectory(). */
  readonly directory: string
  readonly env?: Readonly<Record<string, string>>
  readonly within?: NamespaceHost | undefined
  /** All must be held by this server before it counts as started. */
  readonly listens: readonly LocalSocket[]
  /** What it prints once it has loaded its data, for servers that listen earlier than that. */
  readonly ready?: RegExp
}

export type Running = Pick<Server, 'output' | 'signal' | 'stop'>

/** An empty folder under the system's temporary one. */
export async function makeDirectory(name: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `real-${name}-`))
}

function signal(groupId: number, name: NodeJS.Signals): void {
  try {
    process.kill(-groupId, name)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

async function waitUntil(seconds: number, done: () => boolean): Promise<boolean> {
  const deadline = performance.now() + seconds * 1000
  while (!done()) {
    if (performance.now() > deadline) return false
    await pause(POLL_MILLISECONDS)
  }
  return true
}

async function endGroup(name: string, groupId: number): Promise<void> {
  const gone = (): boolean => groupMembers(groupId).length === 0
  signal(groupId, 'SIGTERM')
  if (await waitUntil(TERM_SECONDS, gone)) return
  signal(groupId, 'SIGKILL')
  if (await waitUntil(KILL_SECONDS, gone)) return
  throw new Error(`${name}: processes ${groupMembers(groupId).join(', ')} survive SIGKILL`)
}

const describe = ({ protocol, address, port }: LocalSocket): string => `${protocol} ${address}:${port}`

interface Child {
  readonly pid: number | undefined
  readonly output: () => string
  /** How it ended, or undefined while it runs. */
  readonly ending: () => string | undefined
  /** Resolves when the last that it printed has been read. */
  readonly closed: Promise<void>
}

function spawnChild({ command, args, directory, env, within }: Launch): Child {
  const [first = command, ...rest] = [...(within?.prefix ?? []), command, ...args]
  const child = spawn(first, rest, {
    cwd: directory,
    env: { PATH: process.env['PATH'], LC_ALL: 'C', HOME: directory, ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  let ending: string | undefined
  const closed = new Promise<void>((resolve) => {
    child.on('close', () => resolve())
  })
  child.on('error', (error) => (ending = error.message))
  child.on('exit', (code, signalName) => (ending ??= `ended with ${signalName ?? `code ${code}`}`))
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => (printed = (printed + text).slice(-KEPT_CHARACTERS)))
  }
  child.unref()
  return { pid: child.pid, output: () => printed, ending: () => ending, closed }
}

/** Undefined once the server listens as planned; otherwise why it does not. */
async function startProblem({ listens, ready, within }: Launch, child: Child): Promise<string | undefined> {
  let problem: string | undefined
  const settled = await waitUntil(START_SECONDS, () => {
    problem = child.ending()
    if (problem !== undefined || child.pid === undefined) return problem !== undefined
    const { pid } = child
    const states = listens.map((socket) => listener(pid, socket))
    // Until `ip netns exec` has entered the namespace, what is seen through the child is our own network.
    const foreign = within ? undefined : listens[states.indexOf('foreign')]
    if (foreign) problem = `another process listens on ${describe(foreign)}`
    const loaded = ready === undefined || ready.test(child.output())
    return problem !== undefined || (loaded && states.every((state) => state === 'ours'))
  })
  return settled ? problem : `does not listen after ${START_SECONDS} s`
}

/**
 * Starts a server and resolves when it listens. Rejects, leaving nothing behind, when a port is busy, when it ends, when
 * somebody else listens in its place, or after fifteen seconds; the message has what it printed.
 */
export async function launch(plan: Launch): Promise<Running> {
  const { name, directory } = plan
  const busy = plan.within ? undefined : plan.listens.find((socket) => !isFree(socket))
  if (busy) {
    await rm(directory, { recursive: true, force: true })
    throw new Error(`${name}: ${describe(busy)} is in use by another process`)
  }
  const child = spawnChild(plan)
  const { pid } = child
  const leftovers = [directory, ...(pid === undefined ? [] : sharedState(pid))]
  const watch = guard('kill -s KILL -- "-$1"; shift; rm -rf -- "$@"', String(pid ?? 'none'), ...leftovers)

  const end = async (): Promise<void> => {
    try {
      if (pid !== undefined) await endGroup(name, pid)
    } finally {
      await Promise.all(leftovers.map((path) => rm(path, { recursive: true, force: true, maxRetries: 3 })))
    }
    watch.release()
  }
  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> => (stopping ??= end())

  const problem = await startProblem(plan, child)
  if (problem !== undefined) {
    await stop()
    await Promise.race([child.closed, pause(CLOSE_MILLISECONDS)])
    throw new Error(`${name}: ${problem}\n${child.output()}`)
  }
  return { output: child.output, signal: (signalName) => pid !== undefined && signal(pid, signalName), stop }
}
