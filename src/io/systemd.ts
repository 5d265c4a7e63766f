// What systemd is told of a service (sd_notify(3)): that it is ready, reloads, stops, and lives. Node.js has no datagram
// sockets of the Unix kind. Through koffi a word costs one system call; without it, a short process of systemd-notify.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { loadKoffi } from './koffi.ts'

export interface Supervisor {
  /** How often it has to hear WATCHDOG=1, in seconds; undefined when it does not wait for it. */
  readonly watchdogSeconds: number | undefined
  /** Assignments such as `READY=1`. Never waits, never fails; what is lost is lost, as the next word may be heard. */
  tell(...assignments: readonly string[]): void
  /** Like RELOADING=1, which says when. */
  tellReloading(): void
}

type Environment = Readonly<Record<string, string | undefined>>
type Send = (text: string) => void

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const MOST_SECONDS = 5

/** Undefined where no systemd waits for a word. `onProblem` hears, once, that it cannot be told anything. */
export async function findSupervisor(
  onProblem: (error: unknown) => void,
  environment: Environment = process.env,
): Promise<Supervisor | undefined> {
  const path = environment['NOTIFY_SOCKET']
  if (path === undefined || !/^[/@]./.test(path) || process.platform !== 'linux') return undefined
  let said = false
  const problem = (error: unknown): void => {
    if (!said) onProblem(error)
    said = true
  }
  const send = await directly(path, problem).catch(() => byProgram(problem))
  return {
    watchdogSeconds: watchdogSeconds(environment),
    tell: (...assignments) => send(assignments.join('\n')),
    tellReloading: () => send(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
  }
}

function watchdogSeconds(environment: Environment): number | undefined {
  const { WATCHDOG_USEC: interval = '', WATCHDOG_PID: pid } = environment
  if (!/^\d{1,15}$/.test(interval) || Number(interval) === 0) return undefined
  return pid === undefined || pid === String(process.pid) ? Number(interval) / 1e6 : undefined
}

async function directly(path: string, problem: (error: unknown) => void): Promise<Send> {
  const koffi = await loadKoffi()
  const libc = koffi.load(null)
  const socket = libc.func('int socket(int domain, int type, int protocol)')
  const sendto = libc.func(
    'long sendto(int fd, const uint8_t *text, size_t length, int flags, const uint8_t *to, uint32_t toLength)',
  )
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) as number
  if (fd < 0) throw new Error('no socket')
  const name = Buffer.from(path)
  // sockaddr_un: the family in the machine's order, then the path, of which a leading `@` stands for NUL.
  const to = Buffer.concat([new Uint8Array(new Uint16Array([AF_UNIX]).buffer), name])
  if (path.startsWith('@')) to[2] = 0
  return (text) => {
    const bytes = Buffer.from(text)
    // Not even when systemd itself hangs, and its queue is full.
    const sent = sendto(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, to, to.length) as number
    if (sent < 0) problem(new Error(`sendto ${path}: errno ${koffi.errno()}`))
  }
}

function byProgram(problem: (error: unknown) => void): Send {
  let last = Promise.resolve()
  return (text) => {
    // One after the other: READY=1 must not overtake RELOADING=1.
    last = last.then(async () => {
      const options = { timeout: MOST_SECONDS * 1000, killSignal: 'SIGKILL' } as const
      await promisify(execFile)('systemd-notify', text.split('\n'), options).catch(problem)
    })
  }
}
