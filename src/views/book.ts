// What there is to say, as bytes: each owner's lines in a record of its own, without what they have in common. A run writes
// its record anew; a scrape goes through the records family by family and puts in the family's name and the owner's labels.
// Whole lines would take three times the room.
import type { Emit, Family } from '../model/metric.ts'
import { headLines, headOf, numberText, ownPairs, type Format, type Say, type Tell } from './lines.ts'
import { createRecords, RECORDS_A_PAGE, SLACK_BYTES, viewOf, type Page, type Records } from './records.ts'

/**
 * What one owner (one target of one probe, one host's diagnosis) says. Up to the first slash, an owner's name says what kind it
 * is of.
 */
export interface Book {
  /** Replaces what the owner said. Throws for a family that was not declared, and then changes nothing. */
  set(owner: string, tell: Tell): void
  delete(owner: string): void
  /** In the order of the families. A piece is made of whole lines, and holds until the next one is asked for. */
  render(format: Format): Generator<Uint8Array>
}

interface Shelf {
  readonly number: number
  readonly family: Family
  readonly name: DataView
  readonly nameLength: number
  readonly heads: Readonly<Record<Format, Uint8Array>>
}

/** Into which families an owner speaks, block by block: alike for thousands of them. */
interface Shape {
  readonly shelves: readonly Shelf[]
  /** By the number of the shelf: which blocks are its own. */
  readonly blocksOf: readonly (readonly number[] | undefined)[]
}

/** Owners of one kind: those speak into the same families, and stand together lest a scrape go back and forth for each. */
interface Section {
  /** By the number of the shelf: how many blocks there are. */
  readonly taken: Int32Array
  /** By owner. */
  readonly numbers: Map<string, number>
  /** By number. */
  readonly shapes: (Shape | undefined)[]
  /**
   * By number. In a record stand
   * - as uint32 from its start, where each block begins and where the last one ends; with BARE, where the owner's labels are
   *   not to be put in,
   * - the owner's labels, with the brace before them,
   * - the blocks: what the owner says in one family in one go, line by line. Of a histogram's line first what its name ends
   *   in, then what follows the owner's labels up to the end of the line; before each how long it is, in a byte, or where that
   *   is too much LONG and four bytes of seven bits, the lowest first.
   */
  readonly records: Records
}

const OFFSET_BYTES = 4
const BARE = 0x8000_0000
const LONG = 0x7f
const LONG_BYTES = 4
const BEYOND_ASCII = /[\u0080-\uffff]/
const NEWLINE = 0x0a

const PIECE_BYTES = 64 * 1024
const MOST_REMEMBERED = 256

/** By fours, for what is as short: three times as fast as one by one, ten times as `set`. Up to SLACK_BYTES too many. */
function copy(from: DataView, begin: number, length: number, to: DataView, at: number): void {
  for (let done = 0; done < length; done += 4) to.setInt32(at + done, from.getInt32(begin + done, true), true)
}

/** Of what many have alike, one is kept. The latest are remembered: what is said alike is mostly said close together. */
function createCommons<T>(make: (key: string) => T): (key: string) => T {
  const known = new Map<string, T>()
  return (key) => {
    const common = known.get(key) ?? make(key)
    known.delete(key)
    known.set(key, common)
    if (known.size > MOST_REMEMBERED) {
      const [oldest = key] = known.keys()
      known.delete(oldest)
    }
    return common
  }
}

function byteLength(text: string): number {
  return BEYOND_ASCII.test(text) ? Buffer.byteLength(text) : text.length
}

/** A length before its text; in characters of one byte, so that a record is written in one go. */
function prefixOf(length: number): string {
  if (length < LONG) return String.fromCharCode(length)
  const groups = Array.from({ length: LONG_BYTES }, (_, group) => (length >> (group * 7)) & 0x7f)
  return String.fromCharCode(LONG, ...groups)
}

export function createBook(families: readonly Family[]): Book {
  const shelves = families.map((family, number): Shelf => {
    const heads = {
      text: Buffer.from(headLines(family, 'text')),
      openmetrics: Buffer.from(headLines(family, 'openmetrics')),
    }
    const name = viewOf(Buffer.concat([Buffer.from(family.name), Buffer.alloc(SLACK_BYTES)]))
    return { number, family, name, nameLength: name.byteLength - SLACK_BYTES, heads }
  })
  const shelfByName = new Map(shelves.map((shelf) => [shelf.family.name, shelf]))
  const sections = new Map<string, Section>()

  const shapeOf = createCommons((key): Shape => {
    const spoken = key === '' ? [] : key.split(' ').map((number) => shelves[Number(number)] as Shelf)
    const blocksOf: (number[] | undefined)[] = shelves.map(() => undefined)
    for (const [block, { number }] of spoken.entries()) (blocksOf[number] ??= []).push(block)
    return { shelves: spoken, blocksOf }
  })

  const spoken: Shelf[] = []
  const starts: number[] = []
  /** The blocks of a record; where each begins goes into `starts`, and in which family it is into `spoken`. */
  function compose(tell: Tell): { labels: string; blocks: string } {
    spoken.length = 0
    starts.length = 0
    let common: string | undefined
    let blocks = ''
    let length = 0
    const add = (text: string): void => {
      const bytes = byteLength(text)
      const prefix = prefixOf(bytes)
      blocks += prefix + text
      length += prefix.length + bytes
    }
    const say: Say = (metrics, reading, subject, labels) => {
      const { pairs, count } = headOf(labels)
      common ??= pairs
      const isBare = pairs !== common || pairs === ''
      for (const metric of metrics) {
        const shelf = shelfByName.get(metric.name)
        if (shelf === undefined) throw new Error(`${metric.name} is not among the declared families`)
        const begin = length
        const emit: Emit = (value, ...values) => {
          if (value === undefined) return
          if (metric.type === 'histogram') add(`_${values[0] ?? ''}`)
          const own = ownPairs(metric, count, values)
          let line = own
          if (pairs !== '') line = `${isBare ? `{${pairs}` : ''}${own === '' ? '' : ','}${own}}`
          else if (own !== '') line = `{${own}}`
          add(`${line} ${numberText(Number(value))}`)
        }
        metric.samples(reading, emit, subject)
        if (length === begin) continue
        spoken.push(shelf)
        starts.push(isBare ? begin + BARE : begin)
      }
    }
    tell(say)
    starts.push(length)
    return { labels: common === undefined || common === '' ? '' : `{${common}`, blocks }
  }

  function sectionOf(owner: string): Section {
    const slash = owner.indexOf('/')
    const kind = slash === -1 ? '' : owner.slice(0, slash)
    let section = sections.get(kind)
    if (section === undefined) {
      const taken = new Int32Array(shelves.length)
      section = { taken, numbers: new Map(), shapes: [], records: createRecords() }
      sections.set(kind, section)
    }
    return section
  }

  function reshape({ taken, shapes }: Section, number: number, shape: Shape | undefined): void {
    for (const shelf of shapes[number]?.shelves ?? []) taken[shelf.number] = (taken[shelf.number] ?? 0) - 1
    for (const shelf of shape?.shelves ?? []) taken[shelf.number] = (taken[shelf.number] ?? 0) + 1
    shapes[number] = shape
  }

  /** What an owner says in one block, as whole lines; how far they reach, or -1 where there is no room for them. */
  function expand(
    { view, starts }: Page,
    number: number,
    shape: Shape,
    block: number,
    out: DataView,
    begin: number,
  ): number {
    const shelf = shape.shelves[block]
    const record = starts[number % RECORDS_A_PAGE]
    if (shelf === undefined || record === undefined) return begin
    const { name, nameLength } = shelf
    const isHistogram = shelf.family.type === 'histogram'
    const labels = record + (shape.shelves.length + 1) * OFFSET_BYTES
    const offset = view.getUint32(record + block * OFFSET_BYTES, true)
    const labelsLength = offset >= BARE ? 0 : record + (view.getUint32(record, true) & ~BARE) - labels
    const end = record + (view.getUint32(record + (block + 1) * OFFSET_BYTES, true) & ~BARE)
    let from = record + (offset & ~BARE)
    let at = begin
    while (from < end) {
      // All that a line can have of the record, and then some.
      if (at + nameLength + labelsLength + (end - from) + 1 + SLACK_BYTES > out.byteLength) return -1
      copy(name, 0, nameLength, out, at)
      at += nameLength
      if (isHistogram) {
        const suffix = view.getUint8(from++)
        copy(view, from, suffix, out, at)
        at += suffix
        from += suffix
      }
      copy(view, labels, labelsLength, out, at)
      at += labelsLength
      let rest = view.getUint8(from++)
      if (rest === LONG) {
        rest = 0
        for (let group = 0; group < LONG_BYTES; group += 1) rest += view.getUint8(from++) << (group * 7)
      }
      copy(view, from, rest, out, at)
      at += rest
      from += rest
      out.setUint8(at++, NEWLINE)
    }
    return at
  }

  return {
    set(owner, tell) {
      const { labels, blocks } = compose(tell)
      const section = sectionOf(owner)
      const { numbers, shapes, records } = section
      let number = numbers.get(owner)
      if (number === undefined) numbers.set(owner, (number = records.take()))
      const before = shapes[number]?.shelves
      if (before?.length !== spoken.length || spoken.some((shelf, block) => shelf !== before[block]))
        reshape(section, number, shapeOf(spoken.map((shelf) => shelf.number).join(' ')))
      const first = starts.length * OFFSET_BYTES + byteLength(labels)
      records.resize(number, first + (starts.at(-1) ?? 0))
      const page = records.page(number)
      const start = page.starts[number % RECORDS_A_PAGE] ?? 0
      for (let block = 0; block < starts.length; block += 1)
        page.view.setUint32(start + block * OFFSET_BYTES, first + (starts[block] ?? 0), true)
      page.bytes.write(labels + blocks, start + starts.length * OFFSET_BYTES)
    },
    delete(owner) {
      const section = sectionOf(owner)
      const number = section.numbers.get(owner)
      if (number === undefined) return
      section.numbers.delete(owner)
      reshape(section, number, undefined)
      section.records.drop(number)
    },
    *render(format) {
      let out = new DataView(new ArrayBuffer(PIECE_BYTES))
      for (const { number: shelf, heads } of shelves) {
        let isTold = false
        let at = 0
        for (const { taken, shapes, records } of sections.values()) {
          if (taken[shelf] === 0) continue
          if (!isTold) yield heads[format]
          isTold = true
          for (let owner = 0; owner < shapes.length; owner += 1) {
            // While a piece is handed on, the owner may say something else: a block is looked up anew after that.
            for (let nth = 0; ;) {
              const shape = shapes[owner]
              const block = shape?.blocksOf[shelf]?.[nth]
              if (shape === undefined || block === undefined) break
              const reached = expand(records.page(owner), owner, shape, block, out, at)
              if (reached >= 0) {
                at = reached
                nth += 1
              } else if (at > 0) {
                yield new Uint8Array(out.buffer, 0, at)
                at = 0
              } else out = new DataView(new ArrayBuffer(out.byteLength * 2))
            }
          }
        }
        if (at > 0) yield new Uint8Array(out.buffer, 0, at)
      }
    },
  }
}

/** All of a small book. */
export function bookText(book: Book, format: Format): string {
  let text = ''
  for (const piece of book.render(format)) text += Buffer.from(piece).toString()
  return text
}
