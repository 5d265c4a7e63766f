// The seam between what is asked and the network: probes see this, and nothing else that has a socket.
import type { Endpoint } from '../model/target.ts'
import { systemClock, type Clock } from './clock.ts'
import type { Deadline } from './deadline.ts'
import { createResolver, type Resolver } from './dns.ts'
import type { HttpPeer, HttpSession } from './http.ts'
import { createStateStore, type StateProblem, type StateStore } from './state.ts'
import { createWinrmPool, type WinrmPool } from './windows/winrm.ts'
import { dial, exchange, type Answer, type Frame, type Line } from './tcp.ts'
import { createUdpPool } from './udp-pool.ts'
import { askOnce, type Accept, type Reply } from './udp.ts'

export interface Io {
  readonly clock: Clock
  readonly dns: Resolver
  readonly winrm: WinrmPool
  readonly state: StateStore
  dial(endpoint: Endpoint, deadline: Deadline): Promise<Line>
  exchange(line: Line, request: Uint8Array, frame: Frame, deadline: Deadline): Promise<Answer>
  askUdp<T>(endpoint: Endpoint, request: Uint8Array, accept: Accept<T>, deadline: Deadline): Promise<Reply<T>>
  openHttp(peer: HttpPeer, deadline: Deadline): Promise<HttpSession>
  close(): void
}

export interface IoOptions {
  readonly clock?: Clock
  /** Where bookmarks are kept over restarts; in memory only when not given. */
  readonly stateDirectory?: string | undefined
  /** Hears of every file that could not be read or written. */
  readonly onStateProblem?: ((problem: StateProblem) => void) | undefined
}

export function createIo({ clock = systemClock, stateDirectory, onStateProblem }: IoOptions = {}): Io {
  const pool = createUdpPool()
  const dns = createResolver(pool, clock)
  const winrm = createWinrmPool(dns, clock)
  return {
    clock,
    dns,
    winrm,
    state: createStateStore(stateDirectory, onStateProblem),
    dial: (endpoint, deadline) => dial(endpoint, deadline, clock),
    exchange: (line, request, frame, deadline) => exchange(line, request, frame, deadline, clock),
    askUdp: (endpoint, request, accept, deadline) => askOnce(endpoint, request, accept, deadline, clock),
    async openHttp(peer, deadline) {
      const { openHttp } = await import('./http.ts')
      return openHttp(peer, deadline, clock)
    },
    close() {
      pool.close()
      winrm.close()
    },
  }
}
