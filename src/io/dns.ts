// A stub resolver of our own: getaddrinfo cannot tell NXDOMAIN from NODATA, nor SERVFAIL from no resolver at all, and
// those are different faults. One attempt at each resolver.
import { isIP } from 'node:net'
import { ProbeFailure, type Reason } from '../model/failure.ts'
import { formatEndpoint, type Endpoint } from '../model/target.ts'
import { checkName, type DnsReply } from '../protocol/dns.ts'
import type { Clock } from './clock.ts'
import { heldTo, type Deadline } from './deadline.ts'
import { createAsker, unanswered, type Asker, type DnsAnswer } from './dns-ask.ts'
import type { UdpPool } from './udp-pool.ts'

export type { DnsReply } from '../protocol/dns.ts'
export type { DnsAnswer } from './dns-ask.ts'

/** A's answer and AAAA's, or why there is none. */
export type Addresses = readonly [DnsAnswer | ProbeFailure, DnsAnswer | ProbeFailure]

export interface Resolver extends Asker {
  /**
   * What it says of a name's addresses; up to `SHARED_SECONDS` old: what asks about one host at one time gets one answer,
   * and the resolver one question of each kind. Rejects with MalformedMessage where the name is none.
   */
  lookUp(server: Endpoint, name: string, deadline: Deadline, seconds?: number): Promise<Addresses>
  /** A and AAAA of `name` from the first server that answers. Rejects with ProbeFailure `resolve_*`. */
  resolve(name: string, servers: readonly Endpoint[], deadline: Deadline): Promise<readonly string[]>
}

/** Long enough for what begins together, however slow the resolver; short, for thousands of answers are kept meanwhile. */
const SHARED_SECONDS = 0.25

/** Questions on their way, and then their answers. Monotonic seconds. */
interface Flight {
  readonly begun: number
  readonly ends: number
  readonly answers: Promise<Addresses>
}

const RCODE_REASON: Readonly<Record<string, Reason>> = {
  NXDOMAIN: 'resolve_nxdomain',
  SERVFAIL: 'resolve_servfail',
  REFUSED: 'resolve_refused',
}

/** Why this reply has no address, or undefined when its rcode is NOERROR. */
export function rcodeReason(rcode: string): Reason | undefined {
  return rcode === 'NOERROR' ? undefined : (RCODE_REASON[rcode] ?? 'protocol_error')
}

/** The name and those that it is an alias of, as the reply has them. Total: a loop of aliases ends at its first repeat. */
export function namesOf(reply: DnsReply, name: string): ReadonlySet<string> {
  const names = new Set([name])
  // What is added while we walk is walked as well, so the order of the records does not matter.
  for (const known of names) {
    for (const alias of reply.aliases) if (alias.name === known) names.add(alias.target)
  }
  return names
}

/** Addresses at the end of the alias chain that starts at `name`, written as in replies; none beside an error. */
export function addressesOf(reply: DnsReply, name: string): readonly string[] {
  if (reply.rcode !== 'NOERROR') return []
  const names = namesOf(reply, name)
  const addresses = reply.addresses.filter((record) => record.section === 'answer' && names.has(record.name))
  return distinct(addresses.map(({ address }) => address))
}

const timeIsUp = (): ProbeFailure => new ProbeFailure('resolve_timeout', 'time was up')

function distinct(addresses: readonly string[]): readonly string[] {
  return addresses.length < 2 ? addresses : [...new Set(addresses)]
}

export function createResolver(pool: UdpPool, clock: Clock): Resolver {
  const asker = createAsker(pool, clock)
  const { ask } = asker
  let flights = new Map<string, Flight>()
  let earlier = flights
  let turnedAt = -Infinity

  function lookUp(
    server: Endpoint,
    name: string,
    deadline: Deadline,
    seconds = deadline.remainingSeconds(),
  ): Promise<Addresses> {
    const begun = clock.monotonicSeconds()
    const ends = begun + seconds
    if (begun - turnedAt > SHARED_SECONDS) {
      earlier = flights
      flights = new Map()
      turnedAt = begun
    }
    const key = `${name} ${server.address} ${server.port}`
    const known = flights.get(key) ?? earlier.get(key)
    // One that may take longer than there is time here is no help.
    if (known !== undefined && begun - known.begun <= SHARED_SECONDS && known.ends <= ends)
      return join(known, server, name, deadline, ends)
    const told = (type: 'A' | 'AAAA') => ask(server, { name, type }, deadline, seconds).catch(unanswered)
    const answers = Promise.all([told('A'), told('AAAA')])
    flights.set(key, { begun, ends, answers })
    return answers
  }

  /** What nobody answered to the one who asked first is asked again, in what time there is left here. */
  async function join(
    flight: Flight,
    server: Endpoint,
    name: string,
    deadline: Deadline,
    ends: number,
  ): Promise<Addresses> {
    const [a, aaaa] = await heldTo(deadline, flight.answers, timeIsUp).catch((error: unknown): Addresses => {
      const failure = unanswered(error)
      return [failure, failure]
    })
    const again = (type: 'A' | 'AAAA', told: DnsAnswer | ProbeFailure) => {
      if (!(told instanceof ProbeFailure)) return told
      return ask(server, { name, type }, deadline, Math.max(0, ends - clock.monotonicSeconds())).catch(
        unanswered,
      )
    }
    return Promise.all([again('A', a), again('AAAA', aaaa)])
  }

  async function resolveAt(
    name: string,
    server: Endpoint,
    deadline: Deadline,
    seconds: number,
  ): Promise<readonly string[]> {
    const answers = await lookUp(server, name, deadline, seconds)
    const addresses: string[] = []
    for (const told of answers) {
      if (told instanceof ProbeFailure) throw told
      addresses.push(...addressesOf(told.reply, name))
    }
    if (addresses.length > 0) return distinct(addresses)
    const where = `${name} at ${formatEndpoint(server)}`
    for (const told of answers) {
      if (told instanceof ProbeFailure) continue
      const reason = rcodeReason(told.reply.rcode)
      if (reason !== undefined) throw new ProbeFailure(reason, `${where}: ${told.reply.rcode}`)
      // What was cut off is unknown, not absent.
      if (told.tcpFailure !== undefined) {
        throw new ProbeFailure(
          'resolve_timeout',
          `${where}: cut off, and over TCP: ${told.tcpFailure.message}`,
          { cause: told.tcpFailure },
        )
      }
    }
    throw new ProbeFailure('resolve_nodata', `${where}: the name has neither an A nor an AAAA record`)
  }

  return {
    counts: asker.counts,
    ask,
    lookUp,
    async resolve(given, servers, deadline) {
      if (isIP(given) !== 0) return [given]
      const name = checkName(given)
      // RFC 6761 6.3: never asked of a server.
      if (name === 'localhost' || name.endsWith('.localhost')) return ['127.0.0.1']
      let last: unknown
      for (const [index, server] of servers.entries()) {
        try {
          // The next resolver is asked only when one says nothing or fails, as every stub resolver does; what
          // is left of the time is shared out among those that are left.
          return await resolveAt(
            name,
            server,
            deadline,
            deadline.remainingSeconds() / (servers.length - index),
          )
        } catch (error) {
          last = error
          const reason = error instanceof ProbeFailure ? error.reason : undefined
          if (deadline.ended || reason === 'resolve_nxdomain' || reason === 'resolve_nodata') break
        }
      }
      throw last ?? new ProbeFailure('resolve_timeout', `${name}: there is no resolver to ask`)
    },
  }
}
