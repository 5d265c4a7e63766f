// Listening on loopback, over TCP and UDP, so that stopping ends every connection too.
// Knows no protocol. Turns the errors that a person at a demo can do something about into sentences.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'

export interface Where {
  /** An IPv4 literal, normally of 127.0.0.0/8. */
  readonly address: string
  /** 0 picks a free port; the listener says which. */
  readonly port: number
}

/** Something that answers, and where. `stop` ends its connections as well and may be called twice. */
export interface Listener extends Where {
  stop(): Promise<void>
}

/** Listens, and destroys whatever is still connected on `stop`. Rejects with one clear sentence. */
export async function listenServer(server: Server, where: Where): Promise<Listener> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    // Peers that break off are part of the game, and an unheard error would end the process.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(error, where, 'TCP')))
    server.listen({ host: where.address, port: where.port }, resolve)
  })
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : where.port
  return {
    address: where.address,
    port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

export async function listenTcp(
  where: Where,
  onConnection: (socket: Socket) => void,
  options: { readonly allowHalfOpen?: boolean } = {},
): Promise<Listener> {
  return listenServer(createServer({ noDelay: true, ...options }, onConnection), where)
}

export async function listenUdp(
  where: Where,
  onMessage: (message: Buffer, reply: (bytes: Uint8Array) => void) => void,
): Promise<Listener> {
  // The default holds some 250 questions: thousands of hosts may be asked for in the moment in which we were busy.
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 })
  let open = true
  socket.on('message', (message, peer) => {
    onMessage(message, (bytes) => {
      // A reply that can no longer be delivered is lost, as datagrams are.
      if (open) socket.send(bytes, peer.port, peer.address, () => {})
    })
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => {
      open = false
      socket.close()
      reject(cannotListen(error, where, 'UDP'))
    })
    socket.bind(where.port, where.address, resolve)
  })
  socket.removeAllListeners('error')
  socket.on('error', () => {})
  return {
    address: where.address,
    port: socket.address().port,
    stop: () =>
      new Promise((resolve) => {
        if (!open) return resolve()
        open = false
        socket.close(() => resolve())
      }),
  }
}

/** One sentence that says what to do, for the errors that come from the machine rather than from a defect. */
export function cannotListen(error: unknown, where: Where, protocol: 'TCP' | 'UDP'): Error {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const place = `${where.address}:${where.port} (${protocol})`
  if (code === 'EADDRINUSE') {
    return new Error(
      `${place} is already in use: stop the other demo or program that holds it, or choose another loopback network.`,
      { cause: error },
    )
  }
  if (code === 'EADDRNOTAVAIL') {
    return new Error(
      `${where.address} is not an address of this machine: Linux has all of 127.0.0.0/8 by itself, on macOS run "sudo ifconfig lo0 alias ${where.address} up" for each address of the lab.`,
      { cause: error },
    )
  }
  if (code === 'EACCES') {
    return new Error(
      `${place} may not be opened by this user: run as one who may, or lower ip_unprivileged_port_start.`,
      { cause: error },
    )
  }
  return new Error(`${place} cannot be opened: ${String(error)}`, { cause: error })
}
