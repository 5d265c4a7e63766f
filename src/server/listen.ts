// Listening: on several addresses, all or none of them, or on sockets that are open already; in clear or by TLS, as the
// doors are at the moment.
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TlsConfig } from '../config/web-tls.ts'
import type { Log } from '../model/log.ts'
import { clientOptions, contextOptions, strangerAt } from './client-certificate.ts'
import { createCrowd } from './crowd.ts'
import type { Doors } from './doors.ts'

export interface Address {
  readonly host: string | undefined
  readonly port: number
}

/** A listening socket that somebody else opened. */
export interface Passed {
  readonly fd: number
}

export interface Listening {
  readonly urls: readonly string[]
  /** Undefined where it is every address. */
  readonly hosts: readonly (string | undefined)[]
  close(): Promise<void>
}

export interface ListenOptions {
  readonly doors: Doors
  readonly log: Log
  readonly maxConnections: number
  readonly refused: (why: 'connections' | 'handshake' | 'certificate') => void
}

/** A client that has not asked by then is not going to. Node looks every so often. */
const LIMITS = {
  keepAliveTimeout: 125_000,
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16 * 1024,
} as const
const HANDSHAKE_MILLISECONDS = 10_000
/** Whoever is still reading a page when the rules change has this long; and when all of it ends, this. */
const LEAVE_MILLISECONDS = 3_000
const LAST_MILLISECONDS = 5_000
const AGAIN_MILLISECONDS = 1_000

/** Rejects with the listener's own error (EADDRINUSE, ...), having closed those that were open. */
export async function listen(
  app: RequestListener,
  places: readonly (Address | Passed)[],
  options: ListenOptions,
): Promise<Listening> {
  const crowd = createCrowd(options.maxConnections, () => options.refused('connections'))
  const entrances: Entrance[] = []
  const close = async (): Promise<void> => {
    await Promise.all(entrances.map((each) => each.close()))
  }
  try {
    for (const place of places) {
      entrances.push(await openEntrance(app, place, { ...options, enter: (socket) => crowd.add(socket) }))
    }
  } catch (error) {
    await close()
    throw error
  }
  return { urls: entrances.map(({ url }) => url), hosts: entrances.map(({ host }) => host), close }
}

interface Entrance {
  readonly url: string
  readonly host: string | undefined
  close(): Promise<void>
}

async function openEntrance(
  app: RequestListener,
  place: Address | Passed,
  { doors, log, refused, enter }: ListenOptions & { readonly enter: (socket: Socket) => void },
): Promise<Entrance> {
  let { tls } = doors.config
  let closing = false
  const sockets = new Set<Socket>()

  function make(): Server {
    const server =
      tls === undefined
        ? createServer(LIMITS, app)
        : createTlsServer(
            {
              ...LIMITS,
              ...contextOptions(tls),
              ...clientOptions(tls),
              handshakeTimeout: HANDSHAKE_MILLISECONDS,
            },
            app,
          )
    server.prependListener('connection', (socket: Socket) => {
      doors.refresh()
      // That very look may have changed how one comes in.
      if (server !== current) {
        socket.destroy()
        return
      }
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      enter(socket)
    })
    if (server instanceof TlsServer) {
      server.prependListener('secureConnection', (socket) => {
        const stranger = tls && strangerAt(socket, tls)
        if (stranger === undefined) return
        refused('certificate')
        log.debug({ address: socket.remoteAddress, why: stranger }, 'a client was turned away')
        socket.destroy()
      })
      server.on('tlsClientError', (error, socket) => {
        refused('handshake')
        log.debug({ address: socket.remoteAddress, why: error.message }, 'TLS was not agreed on')
      })
    }
    return server
  }

  /** Connections under the old rules: those that are idle go at once, the others in a moment. */
  function retire(server: Server): void {
    const old = [...sockets]
    server.closeIdleConnections()
    setTimeout(() => old.forEach((socket) => socket.destroy()), LEAVE_MILLISECONDS).unref()
  }

  async function reopen(): Promise<void> {
    if (closing) return
    try {
      await begin(current, { host, port })
    } catch (error) {
      log.error({ host, port, err: String(error) }, 'the address cannot be listened on again yet')
      setTimeout(() => void reopen(), AGAIN_MILLISECONDS)
    }
  }

  let current = make()
  await begin(current, place)
  const { address, port } = current.address() as AddressInfo
  const host = 'fd' in place ? address : place.host

  doors.onChange((config) => {
    if (closing || JSON.stringify(config.tls) === JSON.stringify(tls)) return
    const before = tls
    ;({ tls } = config)
    const old = current
    if (before && tls && sameQuestion(before, tls) && old instanceof TlsServer) {
      old.setSecureContext(contextOptions(tls))
    } else {
      current = make()
      if ('fd' in place) {
        // Closed, it could not be had again. Taken over, it keeps those who wait to be let in.
        current.listen(old)
      } else {
        old.close()
        void reopen()
      }
    }
    retire(old)
  })

  const everywhere = host === undefined || host === '0.0.0.0' || host === '::'
  const name = everywhere ? 'localhost' : host
  return {
    url: `${tls ? 'https' : 'http'}://${name.includes(':') ? `[${name}]` : name}:${port}`,
    host: everywhere ? undefined : host,
    async close() {
      closing = true
      // A connection is kept by its client for the next question, after the answer to the one before.
      const idle = setInterval(() => current.closeIdleConnections(), 100)
      setTimeout(() => sockets.forEach((socket) => socket.destroy()), LAST_MILLISECONDS).unref()
      await new Promise<void>((resolve) => current.close(() => resolve()))
      clearInterval(idle)
    },
  }
}

function sameQuestion(a: TlsConfig, b: TlsConfig): boolean {
  return JSON.stringify(clientOptions(a)) === JSON.stringify(clientOptions(b))
}

/** Rejects for a descriptor that is no listening TCP socket: what Node.js says then names neither. */
async function begin(server: Server, place: Address | Passed): Promise<void> {
  const listening = new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(place, () => {
      server.off('error', reject)
      resolve()
    })
  })
  if (!('fd' in place)) return listening
  const what = `the socket that was passed as descriptor ${place.fd}`
  await listening.catch((error: unknown) => {
    throw new Error(`${what} cannot be listened on: ${String(error)}`, { cause: error })
  })
  if (!isTcp(server.address())) {
    server.close().closeAllConnections()
    throw new Error(`${what} is none of TCP`)
  }
}

function isTcp(bound: AddressInfo | string | null): bound is AddressInfo {
  return typeof bound === 'object' && bound !== null
}
