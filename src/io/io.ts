// The seam between what is asked and the network: probes see this, and nothing else that has a socket.
import type { Endpoint } from '../model/target.ts'
import { systemClock, type Clock } from './clock.ts'
import type { Deadline } from './deadline.ts'
import { createResolver, type Resolver } from './dns.ts'
import { openHttp, type HttpPeer, type HttpSession } from './http.ts'
import { connect, exchange, type Answer, type Connection, type Frame } from './tcp.ts'
import { askOnce, createUdpPool, type Accept, type Reply } from './udp.ts'

export interface Io {
  readonly clock: Clock
  readonly dns: Resolver
  connect(endpoint: Endpoint, deadline: Deadline): Promise<Connection>
  exchange(connection: Connection, request: Uint8Array, frame: Frame, deadline: Deadline): Promise<Answer>
  askUdp<T>(endpoint: Endpoint, request: Uint8Array, accept: Accept<T>, deadline: Deadline): Promise<Reply<T>>
  openHttp(peer: HttpPeer, deadline: Deadline): Promise<HttpSession>
  close(): void
}

export function createIo(clock: Clock = systemClock): Io {
  const pool = createUdpPool()
  return {
    clock,
    dns: createResolver(pool, clock),
    connect: (endpoint, deadline) => connect(endpoint, deadline, clock),
    exchange: (connection, request, frame, deadline) => exchange(connection, request, frame, deadline, clock),
    askUdp: (endpoint, request, accept, deadline) => askOnce(endpoint, request, accept, deadline, clock),
    openHttp: (peer, deadline) => openHttp(peer, deadline, clock),
    close: () => pool.close(),
  }
}
