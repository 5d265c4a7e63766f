// One DNS question to one server: over UDP, and over TCP after truncation (RFC 7766) or where what comes may be forged
// (RFC 5452): a forger who is not on the way cannot take part in a TCP connection.
import { randomInt } from 'node:crypto'
import { ProbeFailure } from '../model/failure.ts'
import { formatEndpoint, type Endpoint } from '../model/target.ts'
import {
  decodeReply,
  encodeQuery,
  frameDnsTcp,
  mixCase,
  repeatsQuestion,
  unwrapTcp,
  wrapTcp,
  type DnsQuestion,
  type DnsReply,
} from '../protocol/dns.ts'
import { secondsBetween, type Clock } from './clock.ts'
import { createDeadline, type Deadline } from './deadline.ts'
import { dial, exchange } from './tcp.ts'
import { Doubtful, type UdpPool } from './udp-pool.ts'

export interface Question {
  readonly name: string
  readonly type: 'A' | 'AAAA' | 'SRV' | 'CNAME'
}

export interface DnsAnswer {
  readonly reply: DnsReply
  readonly resolver: Endpoint
  /** The UDP answer was cut off, so TCP was asked. */
  readonly truncated: boolean
  /** It was cut off, and TCP did not answer: what clients with many records to read would meet. */
  readonly tcpFailure?: ProbeFailure
  readonly seconds: number
}

/** Why TCP was asked after UDP: `cut_off`; `strays`, of which there were too many; `case`, the question was not given back as asked. */
export type WhyTcp = 'cut_off' | 'strays' | 'case'

export interface Asker {
  /** Since the start: datagrams that answer nothing asked, and queries that TCP was asked as well. */
  readonly counts: { readonly strays: number; readonly overTcp: Readonly<Record<WhyTcp, number>> }
  /** Asks this one server. Rejects with ProbeFailure `resolve_timeout`, `connect_*`; any reply at all resolves. `seconds` is the most that UDP may take. */
  ask(server: Endpoint, question: Question, deadline: Deadline, seconds?: number): Promise<DnsAnswer>
}

/** The most that randomInt draws from. */
const MOST_RANDOM = 2 ** 48 - 1

export function unanswered(error: unknown): ProbeFailure {
  if (error instanceof ProbeFailure) return error
  throw error
}

export function createAsker(pool: UdpPool, clock: Clock): Asker {
  const overTcp = { cut_off: 0, strays: 0, case: 0 }
  /** Those that give no question back as it was asked, and do not speak TCP either. */
  const caseless = new Set<string>()

  async function askTcp(
    server: Endpoint,
    question: DnsQuestion,
    deadline: Deadline,
    why: WhyTcp,
  ): Promise<DnsReply> {
    overTcp[why]++
    try {
      const line = await dial(server, deadline, clock)
      const request = wrapTcp(encodeQuery(question))
      const answer = await exchange(line, request, frameDnsTcp, deadline, clock)
      return decodeReply(unwrapTcp(answer.bytes), question)
    } catch (error) {
      if (error instanceof ProbeFailure) throw error
      throw new ProbeFailure('protocol_error', `${formatEndpoint(server)} over TCP: ${String(error)}`, {
        cause: error,
      })
    }
  }

  /** Rather a reply that is as good as any was before letters were mixed than none, where TCP is not to be had. */
  async function unlessBetter(
    reply: DnsReply,
    server: Endpoint,
    question: DnsQuestion,
    deadline: Deadline,
  ): Promise<DnsReply> {
    const soon = createDeadline(deadline.remainingSeconds() / 2)
    const letGo = deadline.own(() => soon.close())
    try {
      return await askTcp(server, question, soon, 'case')
    } catch (error) {
      unanswered(error)
      caseless.add(formatEndpoint(server))
      return reply
    } finally {
      letGo()
      soon.close()
    }
  }

  async function ask(
    server: Endpoint,
    { name, type }: Question,
    deadline: Deadline,
    seconds?: number,
  ): Promise<DnsAnswer> {
    const startedAt = clock.monotonicSeconds()
    const question = { id: 0, name, type }
    const took = (): number => secondsBetween(startedAt, clock.monotonicSeconds())
    const answered = (reply: DnsReply): DnsAnswer => ({
      reply,
      resolver: server,
      truncated: false,
      seconds: took(),
    })
    const mixed = caseless.size === 0 || !caseless.has(formatEndpoint(server))
    let query: Uint8Array
    let repeated = true
    let reply: DnsReply
    try {
      reply = await pool.ask(
        server,
        (id) => {
          question.id = id
          query = encodeQuery(question)
          return mixed ? mixCase(query, randomInt(MOST_RANDOM)) : query
        },
        (bytes) => {
          const decoded = decodeReply(bytes, question)
          repeated = !mixed || repeatsQuestion(bytes, query)
          return decoded
        },
        seconds ?? deadline.remainingSeconds(),
        deadline,
      )
    } catch (error) {
      if (!(error instanceof Doubtful)) throw error
      try {
        return answered(await askTcp(server, question, deadline, 'strays'))
      } catch (overTcp) {
        throw new ProbeFailure('resolve_timeout', `${error.message}; over TCP: ${String(overTcp)}`, {
          cause: overTcp,
        })
      }
    }
    if (!repeated && !reply.truncated) reply = await unlessBetter(reply, server, question, deadline)
    if (!reply.truncated) return answered(reply)
    try {
      const whole = await askTcp(server, question, deadline, 'cut_off')
      return { reply: whole, resolver: server, truncated: true, seconds: took() }
    } catch (error) {
      return { reply, resolver: server, truncated: true, tcpFailure: unanswered(error), seconds: took() }
    }
  }

  return {
    counts: {
      get strays() {
        return pool.strays
      },
      overTcp,
    },
    ask,
  }
}
