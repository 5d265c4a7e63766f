// UDP, two ways. `askOnce` connects a socket of its own, so that the kernel drops strangers' datagrams and reports a
// closed port. `createUdpPool` shares a few sockets among all DNS queries: a socket a query costs three times as much.
import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram'
import { randomInt } from 'node:crypto'
import { MalformedMessage, ProbeFailure } from '../model/failure.ts'
import { formatEndpoint, type Endpoint } from '../model/target.ts'
import { now, type Clock, type Moment } from './clock.ts'
import type { Deadline } from './deadline.ts'
import { socketFailure } from './errno.ts'

export interface Reply<T> {
  readonly value: T
  readonly sent: Moment
  readonly received: Moment
}

/**
 * Decodes a datagram; a MalformedMessage means that it is not the answer to this request: it is ignored, and the wait
 * goes on, so that a forged or late datagram cannot end it.
 */
export type Accept<T> = (bytes: Uint8Array) => T

function accepted<T>(accept: Accept<T>, bytes: Uint8Array): { value: T } | undefined {
  try {
    return { value: accept(bytes) }
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined
    throw error
  }
}

/** Rejects with ProbeFailure `timeout`, or `connect_*` when the kernel reports an ICMP error. */
export function askOnce<T>(
  endpoint: Endpoint,
  request: Uint8Array,
  accept: Accept<T>,
  deadline: Deadline,
  clock: Clock,
): Promise<Reply<T>> {
  return new Promise((resolve, reject) => {
    const where = formatEndpoint(endpoint)
    const socket = createSocket(endpoint.address.includes(':') ? 'udp6' : 'udp4')
    let strangers = 0
    let sent: Moment | undefined
    const settle = (act: () => void): void => {
      letGo()
      socket.close()
      act()
    }
    const letGo = deadline.own(() => {
      socket.close()
      const also = strangers === 0 ? '' : ` (${strangers} datagrams that do not answer the request)`
      reject(new ProbeFailure('timeout', `${where}: no answer${also}`))
    })
    if (deadline.ended) return
    socket.on('error', (error) => settle(() => reject(socketFailure(error, where))))
    socket.on('message', (bytes) => {
      const received = now(clock)
      try {
        const answer = accepted(accept, bytes)
        if (answer === undefined || sent === undefined) strangers++
        else settle(() => resolve({ value: answer.value, sent: sent ?? received, received }))
      } catch (error) {
        settle(() => reject(error instanceof Error ? error : new Error(String(error))))
      }
    })
    socket.connect(endpoint.port, endpoint.address, (error?: Error) => {
      if (deadline.ended) return
      if (error !== undefined) {
        settle(() => reject(socketFailure(error, where)))
        return
      }
      sent = now(clock)
      socket.send(request)
    })
  })
}

/** A request whose first two bytes (a DNS id) are chosen by the pool, so that no two in flight share them. */
export type EncodeWithId = (id: number) => Uint8Array

export interface UdpPool {
  /** Rejects with ProbeFailure `resolve_timeout` (after `seconds`, or at the deadline) or `connect_*`. */
  ask<T>(
    endpoint: Endpoint,
    encode: EncodeWithId,
    accept: (bytes: Uint8Array, id: number) => T,
    seconds: number,
    deadline: Deadline,
  ): Promise<T>
  close(): void
}

const SOCKETS_PER_FAMILY = 4
/** After so many queries a socket is replaced: its source port is part of what a forger has to guess. */
const QUERIES_PER_SOCKET = 2_000

/** Endpoints are literals: there is nothing to look up, and not doing so saves a turn of the event loop. */
const asItIs: NonNullable<SocketOptions['lookup']> = (address, _options, callback) =>
  callback(null, address, address.includes(':') ? 6 : 4)

function isFrom({ address, port }: Endpoint, from: RemoteInfo): boolean {
  return from.port === port && from.address === address
}

interface Waiter {
  readonly endpoint: Endpoint
  receive(bytes: Uint8Array): void
  fail(error: Error): void
}

interface Shared {
  readonly family: 'udp4' | 'udp6'
  readonly socket: Socket
  /** By id. */
  readonly waiting: Map<number, Waiter>
  asked: number
  retired: boolean
}

export function createUdpPool(): UdpPool {
  const pools = { udp4: [] as Shared[], udp6: [] as Shared[] }
  /** Replaced ones with queries still in flight included. */
  const inUse = new Set<Shared>()
  let closed = false

  function open(family: 'udp4' | 'udp6'): Shared {
    const socket = createSocket({ type: family, recvBufferSize: 1 << 20, lookup: asItIs })
    const shared: Shared = { family, socket, waiting: new Map(), asked: 0, retired: false }
    inUse.add(shared)
    socket.once('close', () => inUse.delete(shared))
    socket.on('message', (bytes, from) => {
      if (bytes.length < 2) return
      const waiter = shared.waiting.get(bytes.readUInt16BE(0))
      if (waiter !== undefined && isFrom(waiter.endpoint, from)) waiter.receive(bytes)
    })
    socket.on('error', (error) => {
      retire(shared)
      for (const waiter of shared.waiting.values()) waiter.fail(error)
    })
    return shared
  }

  function retire(shared: Shared): void {
    shared.retired = true
    pools[shared.family] = pools[shared.family].filter((other) => other !== shared)
    if (shared.waiting.size === 0) shared.socket.close()
  }

  function take(family: 'udp4' | 'udp6'): Shared {
    const pool = pools[family]
    const at = randomInt(SOCKETS_PER_FAMILY)
    let shared = pool[at]
    if (shared !== undefined && shared.asked >= QUERIES_PER_SOCKET) {
      retire(shared)
      shared = undefined
    }
    if (shared === undefined) {
      shared = open(family)
      pools[family].push(shared)
    }
    shared.asked++
    return shared
  }

  return {
    ask(endpoint, encode, accept, seconds, deadline) {
      return new Promise((resolve, reject) => {
        if (closed || deadline.ended) {
          reject(new ProbeFailure('resolve_timeout', `${formatEndpoint(endpoint)}: not asked, time was up`))
          return
        }
        const shared = take(endpoint.address.includes(':') ? 'udp6' : 'udp4')
        let id = randomInt(0x10000)
        while (shared.waiting.has(id)) id = (id + 1) & 0xffff
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
        const giveUp = (): void => {
          if (settle()) reject(new ProbeFailure('resolve_timeout', `${formatEndpoint(endpoint)}: no answer`))
        }
        shared.waiting.set(id, {
          endpoint,
          receive(bytes) {
            try {
              const answer = accepted((datagram) => accept(datagram, id), bytes)
              if (answer === undefined) return
              settle()
              resolve(answer.value)
            } catch (error) {
              settle()
              reject(error instanceof Error ? error : new Error(String(error)))
            }
          },
          fail,
        })
        // Where the deadline comes first, it needs no timer beside it. What has come meanwhile is heard first, as there.
        const timer =
          seconds < deadline.remainingSeconds()
            ? setTimeout(() => setImmediate(giveUp), seconds * 1000)
            : undefined
        const letGo = deadline.own(giveUp)
        shared.socket.send(request, endpoint.port, endpoint.address, (error) => {
          if (error !== null) fail(error)
        })
      })
    },
    close() {
      closed = true
      for (const shared of inUse) {
        if (!shared.retired) retire(shared)
        for (const waiter of shared.waiting.values()) {
          waiter.fail(new ProbeFailure('resolve_timeout', 'the exporter is stopping'))
        }
      }
    },
  }
}
