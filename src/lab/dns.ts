// An authoritative DNS server over UDP and TCP, with ways to be wrong. RFC 1034 4.3.2, RFC 2308 (negative answers),
// RFC 7766 (TCP). It forwards nothing and knows only the zones that it was given.
import type { Answer, DnsRecord, Query, Rcode } from './dns-wire.ts'
import { TYPE_ANY, TYPE_CODES, decodeQuery, encodeAnswer } from './dns-wire.ts'
import { onFrames } from './frames.ts'
import { listenTcp, listenUdp } from './listener.ts'
import type { Listener, Where } from './listener.ts'

export type { DnsRecord } from './dns-wire.ts'

/** What happens to questions about one name: an error, or no answer at all. */
type DnsOverride = 'servfail' | 'refused' | 'drop'

export interface DnsOptions {
  /** Records by zone: `{ 'corp.example': [...] }`. Names are complete and carry no final dot. */
  readonly zones: Readonly<Record<string, readonly DnsRecord[]>>
  readonly overrides?: Readonly<Record<string, DnsOverride>>
  /** Whether SRV answers bring the addresses of their targets along; true unless told. */
  readonly additional?: boolean
}

export interface DnsServer extends Listener {
  /** Replaces all records of one zone, which is added if it is new. */
  setRecords(zone: string, records: readonly DnsRecord[]): void
  setOverride(name: string, override: DnsOverride | null): void
}

interface State {
  readonly zones: Map<string, readonly DnsRecord[]>
  readonly overrides: Map<string, DnsOverride>
  readonly additional: boolean
}

const TCP_BYTES = 65_535
const MIN_UDP_BYTES = 512
const TCP_IDLE_MILLISECONDS = 10_000
const MAX_ALIASES = 8

const MOST_ATTEMPTS = 5

/** At port 0, tries others where one that is free over TCP is taken over UDP. */
export async function startDns(options: DnsOptions, where: Where): Promise<DnsServer> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      return await startOnce(options, where)
    } catch (error) {
      if (where.port !== 0 || attempts === MOST_ATTEMPTS) throw error
    }
  }
}

async function startOnce(options: DnsOptions, where: Where): Promise<DnsServer> {
  const state: State = {
    zones: new Map(Object.entries(options.zones).map(([zone, records]) => [canonical(zone), records])),
    overrides: new Map(
      Object.entries(options.overrides ?? {}).map(([name, what]) => [canonical(name), what]),
    ),
    additional: options.additional ?? true,
  }
  const tcp = await listenTcp(where, (socket) => {
    socket.setTimeout(TCP_IDLE_MILLISECONDS, () => socket.destroy())
    onFrames(socket, frameLength, (frame) => {
      const answer = respond(state, frame.subarray(2), () => TCP_BYTES)
      if (!answer) return
      const length = Buffer.alloc(2)
      length.writeUInt16BE(answer.length)
      socket.write(Buffer.concat([length, answer]))
    })
  })
  const udp = await listenUdp({ address: where.address, port: tcp.port }, (message, reply) => {
    const answer = respond(state, message, ({ edns }) => Math.max(MIN_UDP_BYTES, edns?.udpBytes ?? 0))
    if (answer) reply(answer)
  }).catch(async (error: unknown) => {
    await tcp.stop()
    throw error
  })
  return {
    address: where.address,
    port: tcp.port,
    stop: async () => {
      await Promise.all([tcp.stop(), udp.stop()])
    },
    setRecords: (zone, records) => void state.zones.set(canonical(zone), records),
    setOverride: (name, override) => {
      if (override === null) state.overrides.delete(canonical(name))
      else state.overrides.set(canonical(name), override)
    },
  }
}

function frameLength(received: Buffer): number | undefined {
  return received.length < 2 ? undefined : 2 + received.readUInt16BE(0)
}

function respond(state: State, message: Buffer, limitBytes: (query: Query) => number): Buffer | undefined {
  const query = decodeQuery(message)
  if (!query) return undefined
  const override = query.refusal ? undefined : state.overrides.get(query.name)
  if (override === 'drop') return undefined
  const refusal = query.refusal ?? override
  return encodeAnswer(query, refusal ? refused(refusal) : lookUp(state, query), limitBytes(query))
}

function refused(rcode: Rcode): Answer {
  return { rcode, authoritative: false, answers: [], authority: [], additional: [] }
}

/** Follows aliases as far as our zones reach. The code speaks of the last name, as RFC 2308 2.1 wants it. */
function lookUp(state: State, { name, type }: Query): Answer {
  const answers: DnsRecord[] = []
  let current = name
  let origin = zoneOf(state, current)
  if (origin === undefined) return refused('refused')
  for (let aliases = 0; aliases <= MAX_ALIASES; aliases += 1) {
    const records = recordsOf(state, origin)
    const here = records.filter((record) => canonical(record.name) === current)
    const wanted = here.filter((record) => type === TYPE_ANY || TYPE_CODES[record.type] === type)
    if (wanted.length > 0) {
      answers.push(...wanted)
      return { ...found(answers), additional: state.additional ? addressesOfTargets(state, wanted) : [] }
    }
    const alias = here.find((record) => record.type === 'CNAME')
    if (!alias) {
      const exists =
        here.length > 0 || records.some((record) => canonical(record.name).endsWith(`.${current}`))
      return { ...found(answers), rcode: exists ? 'noerror' : 'nxdomain', authority: [soa(origin)] }
    }
    answers.push(alias)
    current = canonical(alias.data)
    origin = zoneOf(state, current)
    if (origin === undefined) break
  }
  return found(answers)
}

function found(answers: readonly DnsRecord[]): Answer {
  return { rcode: 'noerror', authoritative: true, answers, authority: [], additional: [] }
}

function addressesOfTargets(state: State, answers: readonly DnsRecord[]): DnsRecord[] {
  const targets = new Set(
    answers.flatMap(({ type, data }) => (type === 'SRV' ? [canonical(data.target)] : [])),
  )
  return [...targets].flatMap((target) => {
    const origin = zoneOf(state, target)
    if (origin === undefined) return []
    return recordsOf(state, origin).filter(
      ({ name, type }) => (type === 'A' || type === 'AAAA') && canonical(name) === target,
    )
  })
}

function recordsOf(state: State, origin: string): readonly DnsRecord[] {
  return [soa(origin), ...(state.zones.get(origin) ?? [])]
}

function soa(origin: string): DnsRecord {
  return { name: origin, type: 'SOA', ttl: 60, data: { origin } }
}

/** The longest of our zones that holds the name. */
function zoneOf(state: State, name: string): string | undefined {
  return [...state.zones.keys()]
    .filter((zone) => name === zone || name.endsWith(`.${zone}`))
    .sort((a, b) => b.length - a.length)[0]
}

function canonical(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}
