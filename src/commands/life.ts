// What ends the process, and that it ends: signals, errors that nobody caught, a stop that takes too long. A process that
// is neither alive nor gone is worse than either: nobody restarts it.
import { EXIT, type Context } from './context.ts'

/** From the signal to the end. Below the 30 s of Kubernetes and the 90 s of systemd. */
const STOP_SECONDS = 10

type Ends = Pick<Context, 'ended' | 'onHangup' | 'onFatal'>

type Ending = readonly [signal: NodeJS.Signals, number: number]

const ENDINGS: readonly Ending[] = [
  ['SIGINT', 2],
  ['SIGTERM', 15],
]

/**
 * What ends the exporter, and whether SIGHUP reloads it. On Windows SIGHUP means that the console window closes, and that
 * the system ends the process a few seconds later whatever it does; Ctrl-Break is a way to stop a program without a window.
 * A service wrapper sends Ctrl-C, which is SIGINT.
 */
function signalsOn(platform: NodeJS.Platform): {
  readonly endings: readonly Ending[]
  readonly reloads: boolean
} {
  if (platform !== 'win32') return { endings: ENDINGS, reloads: true }
  return { endings: [...ENDINGS, ['SIGBREAK', 21], ['SIGHUP', 1]], reloads: false }
}

/** `stays`: a daemon, which a hangup must not end, however early it comes. */
export function watchLife(stays: boolean, system: Pick<NodeJS.Process, 'on' | 'platform'> = process): Ends {
  const { endings, reloads } = signalsOn(system.platform)
  let say = (error: unknown): void => {
    process.stderr.write(`winkms-exporter: ${error instanceof Error ? error.stack : String(error)}\n`)
  }
  let dying = false
  const die = (error: unknown): void => {
    if (dying) leave(EXIT.software)
    dying = true
    try {
      say(error)
    } finally {
      leave(EXIT.software)
    }
  }
  system.on('uncaughtException', die)
  system.on('unhandledRejection', die)

  let reload: (() => void) | undefined
  let missed = false
  if (stays && reloads) {
    system.on('SIGHUP', () => {
      if (reload === undefined) missed = true
      else reload()
    })
  }

  return {
    ended: new Promise((resolve) => {
      let told = false
      for (const [signal, number] of endings) {
        system.on(signal, () => {
          // Whoever says it twice does not want to wait.
          if (told) leave(128 + number)
          told = true
          if (stays) endSoon()
          resolve()
        })
      }
    }),
    onHangup(listener) {
      reload = listener
      if (missed) listener()
    },
    onFatal(listener) {
      say = listener
    },
  }
}

/** Nothing is waited for longer than this, be it a probe that cannot be called off or a connection that was forgotten. */
function endSoon(): void {
  setTimeout(() => leave(Number(process.exitCode ?? EXIT.failed)), STOP_SECONDS * 1000).unref()
}

/**
 * process.exit() waits for the threads of libuv's pool, and so for ever when one of them hangs in the kernel (a file
 * server that is gone): then only a signal ends the process.
 */
function leave(code: number): never {
  if (process.getActiveResourcesInfo().some((name) => /^(FSReq|GetAddrInfo|GetNameInfo)/.test(name)))
    process.kill(process.pid, 'SIGKILL')
  process.exit(code)
}
