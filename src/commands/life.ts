// What ends the process, and that it ends: signals, errors that nobody caught, a stop that takes too long. A process that
// is neither alive nor gone is worse than either: nobody restarts it.
import { EXIT, type Context } from './context.ts'

/** From the signal to the end. Below the 30 s of Kubernetes and the 90 s of systemd. */
const STOP_SECONDS = 10

type Ends = Pick<Context, 'ended' | 'onHangup' | 'onFatal'>

/** `stays`: a daemon, which a hangup must not end, however early it comes. */
export function watchLife(stays: boolean): Ends {
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
  process.on('uncaughtException', die)
  process.on('unhandledRejection', die)

  let reload: (() => void) | undefined
  let missed = false
  if (stays) {
    process.on('SIGHUP', () => {
      if (reload === undefined) missed = true
      else reload()
    })
  }

  return {
    ended: new Promise((resolve) => {
      let told = false
      for (const [signal, number] of [['SIGINT', 2] as const, ['SIGTERM', 15] as const]) {
        process.on(signal, () => {
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
