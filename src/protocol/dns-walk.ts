// Where the records of a DNS message are (RFC 1035 4.1), without decoding them: the guard before a decoder that trusts
// lengths and follows every compression pointer. After this walk a decode costs little, whatever the bytes.
import { MalformedMessage } from '../model/failure.ts'
import { Reader } from './bytes.ts'

export type Section = 'answer' | 'authority' | 'additional'

/** One resource record's place and its fixed fields; types and classes are IANA numbers. */
export interface RecordPlace {
  readonly section: Section
  readonly type: number
  readonly class: number
  /** As on the wire; for OPT, flags rather than a time. */
  readonly ttl: number
  readonly typeOffset: number
}

export interface DnsHeader {
  readonly id: number
  readonly flags: number
  readonly counts: { readonly questions: number } & Readonly<Record<Section, number>>
}

export const HEADER_LENGTH = 12
export const MAX_MESSAGE = 65_535
export const TYPE = { A: 1, CNAME: 5, SOA: 6, AAAA: 28, NS: 2, SRV: 33, OPT: 41 } as const
export const CLASS_IN = 1

// A site with 512 records of one kind has other problems than this exporter.
const MAX_RECORDS = 512
// A name has at most 127 labels, and a compressor points at most once for each.
const MAX_POINTERS = 127
// 255 octets on the wire, the last of them the root's.
const MAX_NAME_LENGTH = 254

/** Reads the header. Throws MalformedMessage also when it announces more than one could want to decode. */
export function readHeader(bytes: Uint8Array): DnsHeader {
  if (bytes.length > MAX_MESSAGE) throw new MalformedMessage(`message of ${bytes.length} bytes`, MAX_MESSAGE)
  const reader = new Reader(bytes)
  const id = reader.u16be()
  const flags = reader.u16be()
  const questions = reader.u16be()
  const answer = reader.u16be()
  const authority = reader.u16be()
  const additional = reader.u16be()
  const records = answer + authority + additional
  if (records > MAX_RECORDS) throw new MalformedMessage(`announces ${records} records`, 6)
  return { id, flags, counts: { questions, answer, authority, additional } }
}

/** Finds the records after the questions. Bytes after the last record are ignored, as resolvers do. */
export function walkRecords(bytes: Uint8Array, { counts }: DnsHeader): readonly RecordPlace[] {
  const reader = new Reader(bytes, HEADER_LENGTH)
  for (let index = 0; index < counts.questions; index++) {
    walkName(reader)
    reader.skip(4)
  }
  const records: RecordPlace[] = []
  for (const section of ['answer', 'authority', 'additional'] as const) {
    for (let index = 0; index < counts[section]; index++) records.push(walkRecord(reader, section))
  }
  return records
}

function walkRecord(reader: Reader, section: Section): RecordPlace {
  walkName(reader)
  const typeOffset = reader.offset
  const type = reader.u16be()
  const klass = reader.u16be()
  const ttl = reader.u32be()
  const length = reader.u16be()
  const start = reader.offset
  if (klass === CLASS_IN) checkData(reader, type, length)
  reader.at(start).skip(length)
  reader.skip(start + length - reader.offset)
  return { section, type, class: klass, ttl, typeOffset }
}

/** Data of the types that will be decoded must fill its length exactly: the decoder does not look at it. */
function checkData(reader: Reader, type: number, length: number): void {
  const start = reader.offset
  if (type === TYPE.A) reader.skip(4)
  else if (type === TYPE.AAAA) reader.skip(16)
  else if (type === TYPE.CNAME) walkName(reader)
  else if (type === TYPE.SRV) {
    reader.skip(6)
    walkName(reader)
  } else return
  if (reader.offset !== start + length) {
    throw new MalformedMessage(`record data of ${reader.offset - start} bytes in ${length}`, start)
  }
}

/** Leaves the reader behind the name. Pointers lead strictly backwards, and not too often. */
function walkName(reader: Reader): void {
  let labels = reader
  let pointers = 0
  let length = 0
  // A name may only point before its own start, and from there only further back.
  let before = reader.offset
  for (;;) {
    const size = labels.u8()
    if (size === 0) return
    if (size < 0x40) {
      length += size + 1
      if (length > MAX_NAME_LENGTH) throw labels.malformed('name longer than 255 octets')
      labels.skip(size)
    } else if (size >= 0xc0) {
      const target = (size - 0xc0) * 256 + labels.u8()
      if (target < HEADER_LENGTH || target >= before) throw labels.malformed(`name pointer to ${target}`)
      if (++pointers > MAX_POINTERS) throw labels.malformed('name of pointers without end')
      before = target
      labels = reader.at(target)
    } else {
      throw labels.malformed('label of a kind that is not in use')
    }
  }
}
