// Where a server may listen. Ports are chosen below the range from which the kernel takes those of outgoing connections
// (32768 and up on Linux), so that a port found free is not taken by a passing client a moment later.
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Endpoint } from '../../../src/model/target.ts'
import type { NamespaceHost } from './netns.ts'

/** Where to start a server: by default on 127.0.0.1 and a free high port; in a namespace, on the real port. */
export interface Placement {
  readonly address?: string
  readonly port?: number
  readonly within?: NamespaceHost
}

async function canBindTcp({ address, port }: Endpoint): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, address)
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}

async function canBindUdp({ address, port }: Endpoint): Promise<boolean> {
  const socket = createSocket('udp4')
  try {
    socket.bind(port, address)
    await once(socket, 'listening')
    return true
  } catch {
    return false
  } finally {
    socket.close()
  }
}

/** True when this user may listen there and nobody does, on TCP and on UDP alike. */
export async function canBind(endpoint: Endpoint): Promise<boolean> {
  return (await canBindTcp(endpoint)) && (await canBindUdp(endpoint))
}

/** A port free on TCP and on UDP alike. Rejects when twenty random ones in a row are taken. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const port = randomInt(10_000, 32_000)
    if (await canBind({ address, port })) return port
  }
  throw new Error(`no free port found on ${address}`)
}

/** A loopback address that nobody else is likely to use, for servers that need well-known or several ports. */
export function loopbackAddress(): string {
  return `127.${randomInt(1, 255)}.${randomInt(1, 255)}.${randomInt(1, 255)}`
}

/** The endpoint for a placement. `realPort` is the protocol's own, used in a namespace, where all ports are free. */
export async function place({ address, port, within }: Placement, realPort: number): Promise<Endpoint> {
  if (within) return { address: address ?? within.address, port: port ?? realPort }
  const chosen = address ?? '127.0.0.1'
  return { address: chosen, port: port ?? (await freePort(chosen)) }
}
