// A few UDP sockets shared among all DNS queries: a socket a query costs three times as much. What a forger would have to
// guess, and how often he may (RFC 5452), is decided here, but for the question itself.
import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram'
import { randomInt } from 'node:crypto'
import { ProbeFailure } from '../model/failure.ts'
import { formatEndpoint, type Endpoint } from '../model/target.ts'
import type { Deadline } from './deadline.ts'
import { socketFailure } from './errno.ts'
import { accepted } from './udp.ts'

/** What came over UDP cannot be told from a forgery any more; asking over TCP can (RFC 5452 9.3, RFC 7766). */
export class Doubtful extends ProbeFailure {}

/** A request whose first two bytes (a DNS id) are chosen by the pool, so that no two in flight share them. */
export type EncodeWithId = (id: number) => Uint8Array

export interface UdpPool {
  /**
   * Rejects with ProbeFailure `resolve_timeout` (after `seconds`, or at the deadline) or `connect_*`; with Doubtful when
   * too much came that answers nothing asked.
   */
  ask<T>(
    endpoint: Endpoint,
    encode: EncodeWithId,
    accept: (bytes: Uint8Array, id: number) => T,
    seconds: number,
    deadline: Deadline,
  ): Promise<T>
  /** How many datagrams came that answer nothing asked over their socket. */
  readonly strays: number
  close(): void
}

const SOCKETS_PER_FAMILY = 4
/**
 * After so many queries, or so long, a socket is replaced: its source port is part of what a forger has to guess, and
 * one that stands open can be searched for.
 */
const QUERIES_PER_SOCKET = 2_000
const MILLISECONDS_PER_SOCKET = 5_000
/** So many guesses a forger has at one query; late and doubled answers do not count. */
const MOST_STRAYS = 4
/** From anybody: in a flood, the answers drown. Who still waits for one then asks anew from elsewhere, so many times. */
const MOST_STRAYS_PER_SOCKET = 64
const MOST_MOVES = 2

/** Endpoints are literals: there is nothing to look up, and not doing so saves a turn of the event loop. */
const asItIs: NonNullable<SocketOptions['lookup']> = (address, _options, callback) =>
  callback(null, address, address.includes(':') ? 6 : 4)

function isFrom({ address, port }: Endpoint, from: RemoteInfo): boolean {
  return from.port === port && from.address === address
}

function isWorn({ used, opened }: Shared): boolean {
  return used.size >= QUERIES_PER_SOCKET || performance.now() - opened > MILLISECONDS_PER_SOCKET
}

interface Waiter {
  readonly endpoint: Endpoint
  receive(bytes: Uint8Array): void
  /** Its server, or somebody in its name, sent what answers nothing. */
  stray(): void
  /** Asks anew, over another socket. */
  move(): void
  fail(error: Error): void
}

interface Shared {
  readonly family: 'udp4' | 'udp6'
  readonly socket: Socket
  /** By id. */
  readonly waiting: Map<number, Waiter>
  /** Ids that were ever asked with: an answer that comes late or twice is nobody's guess. */
  readonly used: Set<number>
  readonly opened: number
  strays: number
  retired: boolean
}

export function createUdpPool(): UdpPool {
  const pools = { udp4: [] as Shared[], udp6: [] as Shared[] }
  /** Replaced ones with queries still in flight included. */
  const inUse = new Set<Shared>()
  let closed = false
  let strays = 0

  function open(family: 'udp4' | 'udp6'): Shared {
    const socket = createSocket({ type: family, recvBufferSize: 1 << 20, lookup: asItIs })
    const shared: Shared = {
      family,
      socket,
      waiting: new Map(),
      used: new Set(),
      opened: performance.now(),
      strays: 0,
      retired: false,
    }
    inUse.add(shared)
    socket.once('close', () => inUse.delete(shared))
    socket.on('message', (bytes, from) => {
      if (bytes.length < 2) return
      const id = bytes.readUInt16BE(0)
      const waiter = shared.waiting.get(id)
      if (waiter !== undefined && isFrom(waiter.endpoint, from)) waiter.receive(bytes)
      else if (!shared.used.has(id)) suspect(shared, from)
    })
    socket.on('error', (error) => {
      retire(shared)
      for (const waiter of shared.waiting.values()) waiter.fail(error)
    })
    return shared
  }

  /** From who is asked over this socket, it is between him and us; others are not to suffer from it. */
  function suspect(shared: Shared, from: RemoteInfo): void {
    strays++
    let asked = false
    for (const waiter of shared.waiting.values()) {
      if (!isFrom(waiter.endpoint, from)) continue
      asked = true
      waiter.stray()
    }
    if (asked || ++shared.strays < MOST_STRAYS_PER_SOCKET) return
    retire(shared)
    for (const waiter of shared.waiting.values()) waiter.move()
  }

  function retire(shared: Shared): void {
    if (shared.retired) return
    shared.retired = true
    pools[shared.family] = pools[shared.family].filter((other) => other !== shared)
    if (shared.waiting.size === 0) shared.socket.close()
  }

  function take(family: 'udp4' | 'udp6'): Shared {
    const pool = pools[family]
    const at = randomInt(SOCKETS_PER_FAMILY)
    let shared = pool[at]
    if (shared !== undefined && isWorn(shared)) {
      retire(shared)
      shared = undefined
    }
    if (shared === undefined) {
      shared = open(family)
      pools[family].push(shared)
    }
    return shared
  }

  return {
    get strays() {
      return strays
    },
    ask(endpoint, encode, accept, seconds, deadline) {
      return new Promise((resolve, reject) => {
        if (closed || deadline.ended) {
          reject(new ProbeFailure('resolve_timeout', `${formatEndpoint(endpoint)}: not asked, time was up`))
          return
        }
        const family = endpoint.address.includes(':') ? 'udp6' : 'udp4'
        let shared: Shared
        let id = 0
        let doubts = 0
        let moves = 0

        const begin = (): void => {
          const socket = (shared = take(family))
          do id = randomInt(0x10000)
          while (shared.used.has(id))
          shared.used.add(id)
          const request = encode(id)
          shared.waiting.set(id, waiter)
          shared.socket.send(request, endpoint.port, endpoint.address, (error) => {
            if (error !== null && shared === socket) fail(error)
          })
        }
        /** False for who had left already. */
        const leave = (): boolean => {
          if (!shared.waiting.delete(id)) return false
          if (shared.retired && shared.waiting.size === 0) shared.socket.close()
          return true
        }
        /** False for who was told already. */
        const settle = (): boolean => {
          clearTimeout(timer)
          letGo()
          return leave()
        }
        const fail = (error: Error): void => {
          if (settle()) reject(socketFailure(error, formatEndpoint(endpoint)))
        }
        const unanswered = (): string => {
          const also = doubts === 0 ? '' : ` (${doubts} datagrams that do not answer the query)`
          return `${formatEndpoint(endpoint)}: no answer${also}`
        }
        const giveUp = (): void => {
          if (settle()) reject(new ProbeFailure('resolve_timeout', unanswered()))
        }
        const doubt = (): void => {
          retire(shared)
          if (settle()) reject(new Doubtful('resolve_timeout', unanswered()))
        }
        const waiter: Waiter = {
          endpoint,
          receive(bytes) {
            try {
              const answer = accepted((datagram) => accept(datagram, id), bytes)
              if (answer === undefined) {
                strays++
                waiter.stray()
                return
              }
              settle()
              resolve(answer.value)
            } catch (error) {
              settle()
              reject(error instanceof Error ? error : new Error(String(error)))
            }
          },
          stray() {
            if (++doubts >= MOST_STRAYS) doubt()
          },
          move() {
            if (++moves > MOST_MOVES) doubt()
            else if (leave()) begin()
          },
          fail,
        }
        // Where the deadline comes first, it needs no timer beside it. What has come meanwhile is heard first, as there.
        const timer =
          seconds < deadline.remainingSeconds()
            ? setTimeout(() => setImmediate(giveUp), seconds * 1000)
            : undefined
        const letGo = deadline.own(giveUp)
        // Last: where there is no descriptor left, it fails at once.
        begin()
      })
    },
    close() {
      closed = true
      for (const shared of inUse) {
        retire(shared)
        for (const waiter of shared.waiting.values()) {
          waiter.fail(new ProbeFailure('resolve_timeout', 'the exporter is stopping'))
        }
      }
    },
  }
}
