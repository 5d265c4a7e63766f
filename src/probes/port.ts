// Can a client reach the service? Asks DNS for every address of the host, connects to each, and binds to the KMS RPC
// interface (C706 12.6, MS-RPCE 2.2.2): the first thing a client does, and the last that we do. No request is ever sent.
// A second context with a random interface is the negative control: who accepts that as well accepts anything.
import { randomUUID } from 'node:crypto'
import { isIP } from 'node:net'
import type { Host } from '../config/targets.ts'
import { secondsBetween } from '../io/clock.ts'
import { within } from '../io/deadline.ts'
import type { Line } from '../io/tcp.ts'
import { MalformedMessage, ProbeFailure, type Reason } from '../model/failure.ts'
import type { Emit, Metric } from '../model/metric.ts'
import { decodeBindAnswer, encodeBind, frameRpc, KMS_INTERFACE, type BindAnswer } from '../protocol/dcerpc.ts'
import { hostTarget, type HostTarget } from './host-target.ts'
import type { Probe, Visit } from './probe.ts'

export const LISTENERS = [
  'kms',
  'other_rpc',
  'accepts_anything',
  'rpc_fault',
  'not_rpc',
  'silent',
  'closes',
] as const

/** What answers on the port: a KMS host, another RPC server, one that accepts any interface, or no RPC server at all. */
export type Listener = (typeof LISTENERS)[number]

export interface AddressOutcome {
  readonly address: string
  /** Whether the host's A or AAAA records name it; undefined where no record was asked for. */
  readonly inDns: boolean | undefined
  /** Whether the configuration names it; undefined where it names none. */
  readonly expected: boolean | undefined
  /** SYN to connected; undefined while not open. */
  readonly connectSeconds?: number
  readonly connectFailure?: Reason
  readonly listener?: Listener
  /** Bind to its answer; undefined without an answer. */
  readonly bindSeconds?: number | undefined
  /** One sentence for people. */
  readonly says: string
}

export interface PortReading {
  readonly addresses: readonly AddressOutcome[]
  /** Why the name gave no address, when the configured addresses could be tried all the same. */
  readonly resolveFailure?: { readonly reason: Reason; readonly detail: string }
}

/** More addresses than any one host has; what DNS says beyond them is not tried. */
const MOST_ADDRESSES = 16
const CALL_ID = 1

function judge(answer: BindAnswer): { listener: Listener; says: string } {
  switch (answer.kind) {
    case 'fault':
      return {
        listener: 'rpc_fault',
        says: `an RPC server that answers a bind with fault 0x${answer.status.toString(16)}`,
      }
    case 'nak':
      return { listener: 'other_rpc', says: `an RPC server that refuses the bind (reason ${answer.reason})` }
    case 'ack': {
      const [kms, control] = answer.results
      if (kms?.result !== 'acceptance')
        return { listener: 'other_rpc', says: 'an RPC server without the KMS interface' }
      if (control === undefined || control.result === 'acceptance') {
        return { listener: 'accepts_anything', says: 'accepts the KMS interface, but any other just as well' }
      }
      return { listener: 'kms', says: 'the KMS RPC interface accepts a bind' }
    }
  }
}

interface Bound {
  readonly listener: Listener
  readonly bindSeconds?: number
  readonly says: string
}

async function bind(line: Line, visit: Visit): Promise<Bound> {
  const control = { uuid: randomUUID(), major: 1, minor: 0 }
  const request = encodeBind({ callId: CALL_ID, interfaces: [KMS_INTERFACE, control] })
  try {
    const answer = await visit.io.exchange(line, request, frameRpc, visit.deadline)
    const bindSeconds = secondsBetween(answer.sent.monotonicSeconds, answer.received.monotonicSeconds)
    const { listener, says } = judge(decodeBindAnswer(answer.bytes, CALL_ID))
    return { listener, bindSeconds, says }
  } catch (error) {
    if (error instanceof MalformedMessage)
      return { listener: 'not_rpc', says: `not an RPC server: ${error.message}` }
    if (!(error instanceof ProbeFailure)) throw error
    if (error.reason === 'timeout') return { listener: 'silent', says: 'connects, but never answers a bind' }
    if (error.reason === 'connect_reset')
      return { listener: 'closes', says: 'connects, then closes without an answer' }
    if (error.reason === 'too_large') return { listener: 'not_rpc', says: error.message }
    throw error
  }
}

async function tryAddress(
  address: string,
  dns: readonly string[] | undefined,
  host: Host,
  visit: Visit,
): Promise<AddressOutcome> {
  const inDns = dns?.includes(address)
  const expected = host.addresses?.includes(address)
  let line: Line
  try {
    line = await visit.io.dial({ address, port: host.port }, visit.deadline)
  } catch (error) {
    if (!(error instanceof ProbeFailure) || !error.reason.startsWith('connect_')) throw error
    const says = CONNECT_SAYS[error.reason] ?? error.message
    return { address, inDns, expected, connectFailure: error.reason, says }
  }
  visit.enter('bind')
  const { connectSeconds } = line
  const { listener, bindSeconds, says } = await bind(line, visit)
  return { address, inDns, expected, connectSeconds, listener, bindSeconds, says }
}

const CONNECT_SAYS: Partial<Record<Reason, string>> = {
  connect_refused: 'refuses connections: the machine answers, nobody listens there',
  connect_timeout: 'does not answer connection attempts',
  connect_unreachable: 'cannot be reached: no route, or the network says so',
  connect_reset: 'resets connection attempts',
}

/** Where addresses are known without it, DNS has only this part of the time: they must not pay for a silent resolver. */
const DNS_SHARE = 0.5

/** The addresses to try: what DNS says, and what the configuration says, whether or not they agree. */
async function addressesOf(
  host: Host,
  visit: Visit,
): Promise<{ dns: readonly string[] | undefined; failure?: ProbeFailure }> {
  if (host.connectTo !== undefined || isIP(host.name) !== 0) return { dns: undefined }
  if (host.addresses === undefined)
    return { dns: await visit.io.dns.resolve(host.name, host.resolvers, visit.deadline) }
  const share = within(visit.deadline, DNS_SHARE * visit.deadline.remainingSeconds())
  try {
    return { dns: await visit.io.dns.resolve(host.name, host.resolvers, share) }
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error
    return { dns: [], failure: error }
  } finally {
    share.close()
  }
}

/** Silence that was waited for in less than this part of the time says nothing about the host. */
const LEAST_PART = 0.25

function isSilent({ connectFailure, listener }: AddressOutcome): boolean {
  return connectFailure === 'connect_timeout' || listener === 'silent'
}

function perAddress(
  name: string,
  help: string,
  valueOf: (outcome: AddressOutcome) => number | boolean | undefined,
): Metric<HostTarget, PortReading> {
  const samples = ({ addresses }: PortReading, emit: Emit): void => {
    for (const outcome of addresses) emit(valueOf(outcome), outcome.address)
  }
  return { name, type: 'gauge', help, labels: ['host', 'address'], samples }
}

export const port: Probe<'port', HostTarget, PortReading> = {
  name: 'port',
  question: 'Can a client reach the KMS service on this host?',
  stages: ['resolve', 'connect', 'bind'],
  identity: ['host'],

  targets: ({ hosts }) => hosts.map((host) => hostTarget(host, 'port')),

  async measure({ host, timeoutSeconds }, visit) {
    visit.enter('resolve')
    const { dns, failure } = await addressesOf(host, visit)
    const literal = host.connectTo ?? host.name
    const configured = host.addresses ?? []
    const addresses = [...new Set(dns === undefined ? [literal] : [...configured, ...dns])].slice(
      0,
      MOST_ADDRESSES,
    )
    visit.enter('connect')
    const left = visit.deadline.remainingSeconds()
    const outcomes = await Promise.all(addresses.map((address) => tryAddress(address, dns, host, visit)))
    if (left < LEAST_PART * timeoutSeconds && outcomes.some(isSilent))
      throw new ProbeFailure(
        'timeout',
        `DNS took so long that only ${left.toFixed(2)} s were left to ask the host`,
      )
    if (failure === undefined) return { addresses: outcomes }
    return { addresses: outcomes, resolveFailure: { reason: failure.reason, detail: failure.message } }
  },

  metrics: [
    perAddress(
      'winkms_port_open',
      'Whether a TCP connection to the KMS port succeeded (1) or not (0), for each A and AAAA address.',
      ({ connectFailure }) => connectFailure === undefined,
    ),
    {
      name: 'winkms_port_failure_info',
      type: 'gauge',
      help: 'Why the TCP connection failed; present, as 1, only while it does.',
      labels: ['host', 'address', 'reason'],
      samples: ({ addresses }, emit) => {
        for (const { address, connectFailure } of addresses) {
          if (connectFailure !== undefined) emit(1, address, connectFailure)
        }
      },
    },
    perAddress(
      'winkms_port_connect_duration_seconds',
      'From SYN to connected.',
      ({ connectSeconds }) => connectSeconds,
    ),
    perAddress(
      'winkms_rpc_bound',
      'Whether the KMS RPC interface, and not just any, accepted a bind. No request is sent. Absent while the port is not open.',
      ({ listener }) => (listener === undefined ? undefined : listener === 'kms'),
    ),
    {
      name: 'winkms_port_listener',
      type: 'gauge',
      help: `What answers on the open KMS port: 1 on one of ${LISTENERS.join(', ')}.`,
      labels: ['host', 'address', 'listener'],
      samples: ({ addresses }, emit) => {
        for (const { address, listener } of addresses) {
          if (listener !== undefined) for (const kind of LISTENERS) emit(kind === listener, address, kind)
        }
      },
    },
    perAddress(
      'winkms_rpc_bind_duration_seconds',
      'From RPC bind to its answer.',
      ({ bindSeconds }) => bindSeconds,
    ),
    perAddress(
      'winkms_host_address_expected',
      'Whether an address in DNS is among the configured ones; absent without configured addresses.',
      ({ inDns, expected }) => (inDns === true ? expected : undefined),
    ),
  ],
}
