// Whether a password belongs to a hash, on a thread of its own: a hash takes a tenth of a second and more, during which
// no probe would see its answer come in. One at a time, so that guessing passwords never takes more than one core.
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'

/** The library's text, which the bundle has in it: the thread has nothing to load. Elsewhere it is the package. */
declare const __BCRYPT__: string | undefined

const THREAD = `
const { parentPort, workerData } = require('node:worker_threads')
function library({ text, path }) {
  if (text === undefined) return require(path)
  const module = { exports: {} }
  new Function('module', 'exports', 'require', text)(module, module.exports, require)
  return module.exports
}
const { compareSync } = library(workerData)
parentPort.on('message', ([password, hash]) => parentPort.postMessage(compareSync(password, hash)))
`

/** Beyond it, somebody is guessing. */
const MOST_WAITING = 32

export interface Passwords {
  /** Undefined when too many are waiting, or the thread has died: nobody can tell. */
  isRight(password: string, hash: string): Promise<boolean | undefined>
  close(): Promise<void>
}

export function createPasswords(): Passwords {
  let thread: Worker | undefined
  /** In the order in which they were asked, which is that of the answers. */
  const waiting: ((right: boolean | undefined) => void)[] = []

  function died(): void {
    thread = undefined
    for (const answer of waiting.splice(0)) answer(undefined)
  }

  function start(): Worker {
    const library =
      typeof __BCRYPT__ === 'string'
        ? { text: __BCRYPT__ }
        : { path: createRequire(import.meta.url).resolve('bcryptjs') }
    const started = new Worker(THREAD, { eval: true, workerData: library, execArgv: [], env: {} })
    started.unref()
    started.on('message', (right: boolean) => waiting.shift()?.(right))
    started.on('error', () => {})
    started.on('exit', () => {
      if (thread === started) died()
    })
    return started
  }

  return {
    async isRight(password, hash) {
      if (waiting.length >= MOST_WAITING) return undefined
      thread ??= start()
      thread.postMessage([password, hash])
      return new Promise((resolve) => waiting.push(resolve))
    },
    async close() {
      const ending = thread
      died()
      await ending?.terminate()
    },
  }
}
