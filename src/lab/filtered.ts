// A TCP port that times out as behind a firewall that drops, without privileges or firewall.
// A worker listens with the least backlog and sleeps; once its accept queue is full, Linux drops further SYNs
// (net/ipv4/tcp_input.c, tcp_conn_request). Other systems answer or reset instead: there `start` throws.
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { cannotListen } from './listener.ts'
import type { Listener, Where } from './listener.ts'

// Source text, because a bundle has no second file to point a Worker at. It never returns to its event loop between
// listening and sleeping, so that nothing is ever accepted.
const SLEEPER = `
const { createServer } = require('node:net')
const { parentPort, workerData } = require('node:worker_threads')
const server = createServer()
server.on('error', (error) => parentPort.postMessage({ code: error.code, message: error.message }))
server.listen({ host: workerData.address, port: workerData.port, backlog: 1 }, () => {
  parentPort.postMessage({ port: server.address().port })
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})
`

/** A connection that neither succeeds nor fails for so long counts as dropped. */
const HANGS_AFTER_MILLISECONDS = 300
const MAX_FILLERS = 64
const RETRY_MILLISECONDS = 1000

/** Throws where the operating system does not drop connections to a full listener. */
export async function startFiltered(where: Where): Promise<Listener> {
  const worker = new Worker(SLEEPER, {
    eval: true,
    workerData: { address: where.address, port: where.port },
    // Loaders and flags of the parent are of no use here and may not even load.
    execArgv: [],
    env: {},
  })
  let filling: Filling | undefined
  const stop = async (): Promise<void> => {
    filling?.stop()
    await worker.terminate()
  }
  try {
    const port = await listening(worker, where)
    filling = keepFull({ address: where.address, port })
    await filling.full
    return { address: where.address, port, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function listening(worker: Worker, where: Where): Promise<number> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.once('exit', () =>
      reject(new Error(`The worker behind ${where.address}:${where.port} ended early.`)),
    )
    worker.once('message', (message: { port: number } | { code: string; message: string }) => {
      if ('port' in message) resolve(message.port)
      else
        reject(cannotListen(Object.assign(new Error(message.message), { code: message.code }), where, 'TCP'))
    })
  })
}

interface Filling {
  /** Resolves once connections hang. */
  readonly full: Promise<void>
  stop(): void
}

/**
 * One connection attempt is always under way. While it hangs, the queue is full; should it ever succeed, it fills the
 * place that it found and the next attempt follows.
 */
function keepFull(where: Where): Filling {
  const sockets = new Set<Socket>()
  let retry: NodeJS.Timeout | undefined
  let hung: NodeJS.Timeout | undefined
  let stopped = false
  const stop = (): void => {
    stopped = true
    clearTimeout(retry)
    clearTimeout(hung)
    for (const socket of sockets) socket.destroy()
  }
  const full = new Promise<void>((resolve, reject) => {
    const attempt = (): void => {
      if (sockets.size >= MAX_FILLERS) return reject(notDropped(where, `accepted ${MAX_FILLERS} connections`))
      const socket = connect({ host: where.address, port: where.port })
      let connected = false
      sockets.add(socket)
      hung = setTimeout(() => {
        // A busy process runs its timers before it hears of a connection made meanwhile: hear first, then judge.
        setImmediate(() => setImmediate(() => (connected || stopped ? undefined : resolve())))
      }, HANGS_AFTER_MILLISECONDS)
      socket.on('connect', () => {
        connected = true
        clearTimeout(hung)
        attempt()
      })
      socket.on('error', (error) => {
        clearTimeout(hung)
        if (!connected) reject(notDropped(where, `answered "${error.message}"`))
      })
      socket.on('close', () => {
        sockets.delete(socket)
        // A dead filler keeps its place in the queue; an attempt that gave up after minutes is simply made again.
        if (!connected && !stopped) retry = setTimeout(attempt, RETRY_MILLISECONDS)
      })
    }
    attempt()
  })
  return { full, stop }
}

function notDropped(where: Where, what: string): Error {
  return new Error(
    `A port that times out cannot be simulated here: ${where.address}:${where.port} ${what} where Linux would drop the connection, so run the lab on Linux.`,
  )
}
