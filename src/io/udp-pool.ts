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
/** From anybody: in a flood, the answers drown. */
const MOST_STRAYS_PER_SOCKET = 64

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
  doubt(): void
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

  function suspect(shared: Shared, from: RemoteInfo): void {
    noteStray(shared)
    for (const waiter of shared.waiting.values()) if (isFrom(waiter.endpoint, from)) waiter.stray()
  }

  function noteStray(shared: Shared): void {
    strays++
    shared.strays++
    if (shared.strays < MOST_STRAYS_PER_SOCKET) return
    retire(shared)
    for (const waiter of shared.waiting.values()) waiter.doubt()
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
        const shared = take(endpoint.address.includes(':') ? 'udp6' : 'udp4')
        let id = randomInt(0x10000)
        while (shared.used.has(id)) id = randomInt(0x10000)
        shared.used.add(id)
        let doubts = 0
        const request = encode(id)

        /** False for who was told already. */
        const settle = (): boolean => {
          clearTimeout(timer)
          letGo()
          if (!shared.waiting.delete(id)) return false
          if (shared.retired && shared.waiting.size === 0) shared.socket.close()
          return true
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
          if (settle()) reject(new Doubtful('resolve_timeout', unanswered()))
        }
        const stray = (): void => {
          doubts++
          if (doubts < MOST_STRAYS) return
          retire(shared)
          doubt()
        }
        shared.waiting.set(id, {
          endpoint,
          receive(bytes) {
            try {
              const answer = accepted((datagram) => accept(datagram, id), bytes)
              if (answer === undefined) {
                noteStray(shared)
                stray()
                return
              }
              settle()
              resolve(answer.value)
            } catch (error) {
              settle()
              reject(error instanceof Error ? error : new Error(String(error)))
            }
          },
          stray,
          doubt,
          fail,
        })
        // Where the deadline comes first, it needs no timer beside it.
        const timer = seconds < deadline.remainingSeconds() ? setTimeout(giveUp, seconds * 1000) : undefined
        const letGo = deadline.own(giveUp)
        shared.socket.send(request, endpoint.port, endpoint.address, (error) => {
          if (error !== null) fail(error)
        })
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
