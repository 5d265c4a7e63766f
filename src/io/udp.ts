// One question over a UDP socket of its own, which is connected: the kernel drops strangers' datagrams and reports a
// closed port.
import { createSocket } from 'node:dgram'
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

export function accepted<T>(accept: Accept<T>, bytes: Uint8Array): { value: T } | undefined {
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
