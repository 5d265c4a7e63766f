// DNS messages as bytes, for a server that answers: RFC 1035 4, RFC 2782 (SRV), RFC 6891 (EDNS). No name compression.

interface RecordOf<Type extends string, Data> {
  /** Complete, without the final dot. */
  readonly name: string
  readonly type: Type
  /** Seconds; 3600 unless told. */
  readonly ttl?: number
  readonly data: Data
}

interface SrvData {
  readonly priority: number
  readonly weight: number
  readonly port: number
  readonly target: string
}

export type DnsRecord =
  | RecordOf<'A', string>
  | RecordOf<'AAAA', string>
  | RecordOf<'CNAME', string>
  | RecordOf<'SRV', SrvData>
  | RecordOf<'SOA', { readonly origin: string }>

export const TYPE_CODES = { A: 1, CNAME: 5, SOA: 6, AAAA: 28, SRV: 33 } as const
export const TYPE_ANY = 255

const RCODES = {
  noerror: 0,
  formerr: 1,
  servfail: 2,
  nxdomain: 3,
  notimp: 4,
  refused: 5,
  badvers: 16,
} as const

export type Rcode = keyof typeof RCODES

const TYPE_OPT = 41
const CLASS_IN = 1
const OWN_UDP_BYTES = 1232
const DEFAULT_TTL_SECONDS = 3600

export interface Query {
  readonly id: number
  /** Opcode and recursion-desired bits, to be given back. */
  readonly flags: number
  /** Lower case, without the final dot; the root is ''. */
  readonly name: string
  readonly type: number
  /** The question section as it came, case included. */
  readonly questionBytes: Buffer
  /** Absent when the client speaks no EDNS. */
  readonly edns?: { readonly udpBytes: number; readonly version: number }
  /** What is wrong with the query itself. */
  readonly refusal?: Rcode
}

export interface Answer {
  readonly rcode: Rcode
  readonly authoritative: boolean
  readonly answers: readonly DnsRecord[]
  readonly authority: readonly DnsRecord[]
  readonly additional: readonly DnsRecord[]
}

/** Nothing for what deserves no answer: an answer, or too short to have an id. */
export function decodeQuery(message: Buffer): Query | undefined {
  if (message.length < 12 || (message.readUInt8(2) & 0x80) !== 0) return undefined
  const id = message.readUInt16BE(0)
  const flags = message.readUInt16BE(2) & 0x7900
  const broken = { id, flags, name: '', type: 0, questionBytes: Buffer.alloc(0), refusal: 'formerr' } as const
  if (((flags >> 11) & 15) !== 0) return { ...broken, refusal: 'notimp' }
  if (message.readUInt16BE(4) !== 1 || message.readUInt32BE(6) !== 0) return broken
  const name = readName(message, 12)
  if (!name || message.length < name.end + 4) return broken
  const edns = readOpt(message, name.end + 4)
  if (edns === null) return broken
  const refusal: Rcode | undefined =
    (edns?.version ?? 0) > 0
      ? 'badvers'
      : message.readUInt16BE(name.end + 2) === CLASS_IN
        ? undefined
        : 'refused'
  return {
    id,
    flags,
    name: name.text,
    type: message.readUInt16BE(name.end),
    questionBytes: message.subarray(12, name.end + 4),
    ...(edns && { edns }),
    ...(refusal && { refusal }),
  }
}

function readName(message: Buffer, at: number): { text: string; end: number } | undefined {
  const labels: string[] = []
  for (let i = at; i - at < 255;) {
    const length = message[i]
    if (length === undefined || length > 63) return undefined
    i += 1
    if (length === 0) return { text: labels.join('.').toLowerCase(), end: i }
    if (i + length > message.length) return undefined
    // A dot inside a label is no separator; escaped it matches no name of ours.
    labels.push(message.toString('latin1', i, i + length).replaceAll('.', '\\.'))
    i += length
  }
  return undefined
}

/** `null` when the additional section is broken, `undefined` when it holds no OPT. */
function readOpt(message: Buffer, start: number): Query['edns'] | null {
  let at = start
  let edns: Query['edns']
  for (let left = message.readUInt16BE(10); left > 0; left -= 1) {
    const name = readName(message, at)
    if (!name || message.length < name.end + 10) return null
    at = name.end + 10 + message.readUInt16BE(name.end + 8)
    if (message.length < at) return null
    if (message.readUInt16BE(name.end) !== TYPE_OPT) continue
    edns = { udpBytes: message.readUInt16BE(name.end + 2), version: message.readUInt8(name.end + 5) }
  }
  return edns
}

/** Cut down to `limitBytes`: first without the additional records, then to an empty answer marked truncated. */
export function encodeAnswer(query: Query, answer: Answer, limitBytes: number): Buffer {
  const whole = assemble(query, answer, false)
  if (whole.length <= limitBytes) return whole
  const lean = assemble(query, { ...answer, additional: [] }, false)
  if (lean.length <= limitBytes) return lean
  return assemble(query, { ...answer, answers: [], authority: [], additional: [] }, true)
}

function assemble(query: Query, answer: Answer, truncated: boolean): Buffer {
  const rcode = RCODES[answer.rcode]
  const header = Buffer.alloc(12)
  header.writeUInt16BE(query.id, 0)
  const bits = 0x8000 | (answer.authoritative ? 0x0400 : 0) | (truncated ? 0x0200 : 0)
  header.writeUInt16BE(bits | query.flags | (rcode & 15), 2)
  header.writeUInt16BE(query.questionBytes.length > 0 ? 1 : 0, 4)
  header.writeUInt16BE(answer.answers.length, 6)
  header.writeUInt16BE(answer.authority.length, 8)
  header.writeUInt16BE(answer.additional.length + (query.edns ? 1 : 0), 10)
  return Buffer.concat([
    header,
    query.questionBytes,
    ...[...answer.answers, ...answer.authority, ...answer.additional].map(encodeRecord),
    query.edns ? encodeOpt(rcode >> 4) : Buffer.alloc(0),
  ])
}

function encodeOpt(extendedRcode: number): Buffer {
  const opt = Buffer.alloc(11)
  opt.writeUInt16BE(TYPE_OPT, 1)
  opt.writeUInt16BE(OWN_UDP_BYTES, 3)
  opt.writeUInt8(extendedRcode, 5)
  return opt
}

function encodeRecord(record: DnsRecord): Buffer {
  const data = encodeData(record)
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(TYPE_CODES[record.type], 0)
  fixed.writeUInt16BE(CLASS_IN, 2)
  fixed.writeUInt32BE(record.ttl ?? DEFAULT_TTL_SECONDS, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([encodeName(record.name), fixed, data])
}

function encodeData(record: DnsRecord): Buffer {
  if (record.type === 'A') return Buffer.from(record.data.split('.').map(Number))
  if (record.type === 'AAAA') return encodeIpv6(record.data)
  if (record.type === 'CNAME') return encodeName(record.data)
  if (record.type === 'SRV') {
    const fixed = Buffer.alloc(6)
    fixed.writeUInt16BE(record.data.priority, 0)
    fixed.writeUInt16BE(record.data.weight, 2)
    fixed.writeUInt16BE(record.data.port, 4)
    return Buffer.concat([fixed, encodeName(record.data.target)])
  }
  const { origin } = record.data
  const times = Buffer.alloc(20)
  // Serial, refresh, retry, expire, and the seconds that an absence may be remembered.
  for (const [i, value] of [1, 900, 600, 86_400, 60].entries()) times.writeUInt32BE(value, 4 * i)
  return Buffer.concat([encodeName(`ns.${origin}`), encodeName(`hostmaster.${origin}`), times])
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '')
  const parts = labels.map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label, 'latin1')]))
  return Buffer.concat([...parts, Buffer.of(0)])
}

function encodeIpv6(text: string): Buffer {
  const [head = '', tail] = text.split('::')
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const front = groups(head)
  const back = groups(tail ?? '')
  const middle: number[] = Array.from({ length: 8 - front.length - back.length }, () => 0)
  const bytes = Buffer.alloc(16)
  for (const [i, group] of [...front, ...middle, ...back].entries()) bytes.writeUInt16BE(group, 2 * i)
  return bytes
}
