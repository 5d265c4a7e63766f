// DNS questions and the answers to them (RFC 1035, SRV: RFC 2782, EDNS0: RFC 6891). Answers are decoded by dns-packet,
// which does not check what it decodes: messages are walked first (dns-walk.ts).
import dnsPacket from 'dns-packet'
import { MalformedMessage } from '../model/failure.ts'
import { checkName, normaliseName } from './dns-name.ts'
import {
  CLASS_IN,
  HEADER_LENGTH,
  MAX_MESSAGE,
  TYPE,
  readHeader,
  walkRecords,
  type DnsHeader,
  type RecordPlace,
} from './dns-walk.ts'

export { checkName }

export type QueryType = 'A' | 'AAAA' | 'SRV' | 'CNAME'

export interface DnsQuestion {
  /** 0 to 65535, random for each query. */
  readonly id: number
  readonly name: string
  readonly type: QueryType
}

/** All names in lower case without the final dot, the root as `.`, unusual bytes as `\DDD`. */
export interface DnsReply {
  /** `NOERROR`, `NXDOMAIN`, ..., or `RCODE_n`; header and, unless truncated, OPT combined. */
  readonly rcode: string
  readonly authoritative: boolean
  /** Ask again over TCP: what arrived is not the whole answer, and so no records are reported (RFC 2181 9). */
  readonly truncated: boolean
  /** CNAME records of the answer section. */
  readonly aliases: readonly AliasRecord[]
  /** SRV records of the answer section. A target of `.` means that the service is not offered. */
  readonly srv: readonly SrvRecord[]
  readonly addresses: readonly AddressRecord[]
  /** Neither an answer nor "no such records": the server only names others to ask. */
  readonly referral: boolean
}

export interface AliasRecord {
  readonly name: string
  readonly target: string
  readonly ttlSeconds: number
}

export interface SrvRecord {
  readonly name: string
  readonly priority: number
  readonly weight: number
  readonly port: number
  readonly target: string
  readonly ttlSeconds: number
}

export interface AddressRecord {
  readonly name: string
  /** An IPv4 or IPv6 literal. */
  readonly address: string
  readonly ttlSeconds: number
  readonly section: 'answer' | 'additional'
}

const UDP_PAYLOAD_SIZE = 1232
const FLAG_RESPONSE = 0x8000
const FLAG_RECURSION_DESIRED = 0x0100
const MASK_OPCODE = 0x7800
const FLAG_AUTHORITATIVE = 0x0400
const FLAG_TRUNCATED = 0x0200
const DECODED: readonly number[] = [TYPE.A, TYPE.AAAA, TYPE.CNAME, TYPE.SRV]
// IANA DNS parameters, in order from 0; 16 is BADVERS.
const RCODES =
  'NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH NOTZONE'.split(' ')

/** RFC 6891 6.1.2: the root's name, the type, the payload size in the place of a class, no flags, no options. */
const OPT = Buffer.from([0, 0, TYPE.OPT, UDP_PAYLOAD_SIZE >> 8, UDP_PAYLOAD_SIZE & 0xff, 0, 0, 0, 0, 0, 0])
const DOT = 0x2e
const CASE_BIT = 0x20
const LETTER_A = 0x61
const LETTER_Z = 0x7a

/** A recursive query with EDNS0 (RFC 1035 4.1.1, 4.1.2). Throws MalformedMessage when the name is none. */
export function encodeQuery({ id, name, type }: DnsQuestion): Uint8Array {
  const text = checkName(name)
  const end = HEADER_LENGTH + 1 + text.length
  const bytes = Buffer.alloc(end + 5 + OPT.length)
  bytes.writeUInt16BE(id, 0)
  bytes.writeUInt16BE(FLAG_RECURSION_DESIRED, 2)
  bytes.writeUInt16BE(1, 4) // questions
  bytes.writeUInt16BE(1, 10) // additional records
  bytes.write(text, HEADER_LENGTH + 1, 'latin1')
  // A label's length stands where the text has the dot before it.
  let start = HEADER_LENGTH
  for (let at = start + 1; at <= end; at += 1) {
    if (at < end && bytes[at] !== DOT) continue
    bytes[start] = at - start - 1
    start = at
  }
  bytes[end] = 0
  bytes.writeUInt16BE(TYPE[type], end + 1)
  bytes.writeUInt16BE(CLASS_IN, end + 3)
  bytes.set(OPT, end + 5)
  return bytes
}

/**
 * The same query, in place, with letters of its name in the other case where `bits` (48 of them, over and over) say so.
 * Servers give a question back as it came, so that a forger has to guess that as well (draft-vixie-dnsext-dns0x20).
 */
export function mixCase(query: Uint8Array, bits: number): Uint8Array {
  let left = bits
  const end = questionEnd(query)
  for (let at = HEADER_LENGTH; at < end; at++) {
    const byte = query[at] ?? 0
    const letter = byte | CASE_BIT
    // Lengths, types and classes lie below any letter.
    if (letter < LETTER_A || letter > LETTER_Z) continue
    if (left % 2 === 1) query[at] = byte ^ CASE_BIT
    left = left < 2 ? bits : Math.floor(left / 2)
  }
  return query
}

/** Whether the answer repeats the question of the query letter by letter. Both have been read, or written, already. */
export function repeatsQuestion(answer: Uint8Array, query: Uint8Array): boolean {
  const end = questionEnd(query)
  for (let at = HEADER_LENGTH; at < end; at++) if (answer[at] !== query[at]) return false
  return true
}

/** Of a query of ours, which ends with its OPT record. */
function questionEnd(query: Uint8Array): number {
  return query.length - OPT.length
}

/** How many bytes the message at the start of `bytesSoFar` has over TCP, its 2-byte length included: RFC 1035 4.2.2. */
export function frameDnsTcp(bytesSoFar: Uint8Array): number {
  const [high, low] = bytesSoFar
  if (high === undefined || low === undefined) return 2
  const length = high * 256 + low
  if (length < HEADER_LENGTH) throw new MalformedMessage(`message of ${length} bytes`, 0)
  return 2 + length
}

/** The message with its length in front. Throws RangeError when it has more than 65,535 bytes. */
export function wrapTcp(message: Uint8Array): Uint8Array {
  if (message.length > MAX_MESSAGE) throw new RangeError(`message of ${message.length} bytes`)
  const bytes = new Uint8Array(2 + message.length)
  bytes.set([message.length >> 8, message.length & 0xff])
  bytes.set(message, 2)
  return bytes
}

/** The message behind its length, as `frameDnsTcp` cuts it. Throws MalformedMessage when it is not all there. */
export function unwrapTcp(bytes: Uint8Array): Uint8Array {
  const length = frameDnsTcp(bytes)
  if (bytes.length < length) throw new MalformedMessage(`ends early: ${length} bytes announced`, bytes.length)
  return bytes.subarray(2, length)
}

/**
 * Reads the answer to exactly this question. Throws MalformedMessage when it is malformed, too much to decode, or
 * answers another question: over UDP such a datagram is to be ignored, for anybody can send one.
 */
export function decodeReply(bytes: Uint8Array, question: DnsQuestion): DnsReply {
  const header = readHeader(bytes)
  if (header.id !== question.id) throw new MalformedMessage(`answers query ${header.id}`, 0)
  if ((header.flags & FLAG_RESPONSE) === 0) throw new MalformedMessage('a query, not a response', 2)
  if ((header.flags & MASK_OPCODE) !== 0) throw new MalformedMessage('answers another opcode', 2)
  if (header.counts.questions !== 1) throw new MalformedMessage('does not repeat one question', 4)
  const truncated = (header.flags & FLAG_TRUNCATED) !== 0
  const kept = truncated ? withoutRecords(header) : header
  const places = walkRecords(bytes, kept)
  const packet = decodeGuarded(bytes, kept, places)
  checkQuestion(packet.questions?.[0], question)
  const authority = places.filter(({ section }) => section === 'authority')
  const rcode = combineRcode(header.flags & 0xf, places)
  const authoritative = (header.flags & FLAG_AUTHORITATIVE) !== 0
  const referral =
    rcode === 'NOERROR' &&
    kept.counts.answer === 0 &&
    !authoritative &&
    authority.some(({ type }) => type === TYPE.NS) &&
    !authority.some(({ type }) => type === TYPE.SOA)
  const { aliases, srv, addresses } = readRecords(packet)
  return { rcode, authoritative, truncated, aliases, srv, addresses, referral }
}

function withoutRecords(header: DnsHeader): DnsHeader {
  return { ...header, counts: { questions: 1, answer: 0, authority: 0, additional: 0 } }
}

/**
 * dns-packet's reading of a walked message. Records of no interest get type 0, which it leaves alone: its decoders for
 * other types are not guarded. (Zeros can only shorten a name that points into them.)
 */
function decodeGuarded(
  bytes: Uint8Array,
  { counts }: DnsHeader,
  places: readonly RecordPlace[],
): dnsPacket.DecodedPacket {
  const copy = Buffer.from(bytes)
  for (const [index, section] of (['answer', 'authority', 'additional'] as const).entries()) {
    copy.writeUInt16BE(counts[section], 6 + 2 * index)
  }
  for (const place of places) {
    const wanted = place.class === CLASS_IN && DECODED.includes(place.type)
    if (!wanted) copy.writeUInt16BE(0, place.typeOffset)
  }
  try {
    return dnsPacket.decode(copy)
  } catch (error) {
    throw new MalformedMessage(
      `not DNS: ${error instanceof Error ? error.message : String(error)}`,
      HEADER_LENGTH,
    )
  }
}

function checkQuestion(found: dnsPacket.Question | undefined, asked: DnsQuestion): void {
  const same =
    found !== undefined &&
    found.type === asked.type &&
    found.class === 'IN' &&
    normaliseName(found.name) === checkName(asked.name)
  if (!same) throw new MalformedMessage('answers another question', HEADER_LENGTH)
}

/** The upper eight bits of the response code are in the OPT record, where other records have their TTL. */
function combineRcode(low: number, places: readonly RecordPlace[]): string {
  const [opt, ...others] = places.filter(({ type, section }) => type === TYPE.OPT && section === 'additional')
  if (others.length > 0) throw new MalformedMessage('more than one OPT record', others[0]?.typeOffset ?? 0)
  const code = (opt === undefined ? 0 : (opt.ttl >>> 24) * 16) + low
  return code === 16 ? 'BADVERS' : (RCODES[code] ?? `RCODE_${code}`)
}

function readRecords(packet: dnsPacket.DecodedPacket): Pick<DnsReply, 'aliases' | 'srv' | 'addresses'> {
  const aliases: AliasRecord[] = []
  const srv: SrvRecord[] = []
  const addresses: AddressRecord[] = []
  for (const section of ['answer', 'additional'] as const) {
    for (const record of (section === 'answer' ? packet.answers : packet.additionals) ?? []) {
      if (record.type === 'OPT') continue
      const name = normaliseName(record.name)
      const ttlSeconds = toTtl(record.ttl)
      if (record.type === 'A' || record.type === 'AAAA') {
        addresses.push({ name, address: record.data, ttlSeconds, section })
      } else if (section === 'answer' && record.type === 'CNAME') {
        aliases.push({ name, target: normaliseName(record.data), ttlSeconds })
      } else if (section === 'answer' && record.type === 'SRV') {
        const { priority = 0, weight = 0, port, target } = record.data
        srv.push({ name, priority, weight, port, target: normaliseName(target), ttlSeconds })
      }
    }
  }
  return { aliases, srv, addresses }
}

/** RFC 2181 8: a TTL with the top bit set counts as zero. */
function toTtl(ttl = 0): number {
  return ttl > 0x7fff_ffff ? 0 : ttl
}
