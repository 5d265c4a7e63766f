// Ready lines of the exposition format, kept as bytes: a run changes the numbers that it changes, where they stand, and a
// scrape copies pages. Most runs say the same of the same labels as the one before, so neither a run nor a scrape makes
// lines; only what a run says for the first time is written out.
import type { Emit, Family } from '../model/metric.ts'
import { headLines, headOf, numberText, samplePrefix, type Format, type Say, type Tell } from './lines.ts'

/** What one owner (one target of one probe, one host's diagnosis) says. */
export interface Book {
  /** Replaces what the owner said. Throws for a family that was not declared. */
  set(owner: string, tell: Tell): void
  delete(owner: string): void
  /** In the order of the families. A piece holds until the book is written in: whoever waits in between copies it first. */
  render(format: Format): Generator<Uint8Array>
}

const BLOCKS_A_PAGE = 64
const NOTHING = Buffer.alloc(0)

/** The lines of up to so many owners in one family, without gaps: a block that grows moves those behind it. */
interface Page {
  bytes: Buffer
  /** Where each block begins; the last entry is where the last one ends. */
  readonly starts: Int32Array
}

interface Shelf {
  readonly number: number
  readonly family: Family
  readonly heads: Readonly<Record<Format, Uint8Array>>
  readonly pages: Page[]
  /** Blocks are numbered through the pages. */
  readonly free: number[]
  taken: number
}

/** Into which families an owner speaks, and how often: alike for thousands of them. */
interface Shape {
  /** Of each block: what an owner said in one family in one go. */
  readonly shelves: readonly Shelf[]
  /** The first sample of each block, and at the end the number of samples. */
  readonly firsts: readonly number[]
}

/** What an owner said last, sample by sample. */
interface Account {
  readonly shape: Shape
  readonly blocks: readonly number[]
  /** Of each block; a single one where all have the same. */
  readonly pairs: string | readonly string[]
  readonly values: number[]
  /** Of each sample in turn: its values of the labels that are not the target's own. */
  readonly words: readonly string[]
}

/** Of what many have alike, one is kept. The latest are remembered: what is said alike is mostly said close together. */
function createCommons<T>(): (key: string, one: T) => T {
  const known = new Map<string, T>()
  return (key, one) => {
    const common = known.get(key) ?? one
    known.delete(key)
    known.set(key, common)
    if (known.size > MOST_REMEMBERED) {
      const [oldest = key] = known.keys()
      known.delete(oldest)
    }
    return common
  }
}

const MOST_REMEMBERED = 256

const NEWLINE = 0x0a
const SPACE = 0x20

function startOf(page: Page, slot: number): number {
  return page.starts[slot] ?? 0
}

function usedBytes(page: Page): number {
  return startOf(page, BLOCKS_A_PAGE)
}

/** Makes `length` bytes at `at` of a block into `wanted`, whose content is then the caller's to write. */
function resize(page: Page, slot: number, at: number, length: number, wanted: number): void {
  const delta = wanted - length
  if (delta === 0) return
  const used = usedBytes(page)
  const behind = startOf(page, slot) + at + length
  if (used + delta > page.bytes.length) {
    // Room for what is likely to come, but little: there are many pages.
    const grown = Buffer.allocUnsafeSlow((used + delta) * (used === 0 ? 1 : 1.125) + 64)
    page.bytes.copy(grown, 0, 0, behind)
    page.bytes.copy(grown, behind + delta, behind, used)
    page.bytes = grown
  } else page.bytes.copyWithin(behind + delta, behind, used)
  const { starts } = page
  for (let each = slot + 1; each <= BLOCKS_A_PAGE; each += 1) starts[each] = (starts[each] ?? 0) + delta
  if (used + delta === 0) page.bytes = NOTHING
}

function writeAscii(bytes: Buffer, at: number, text: string): void {
  for (let index = 0; index < text.length; index += 1) bytes[at + index] = text.charCodeAt(index)
}

function pageOf(shelf: Shelf, block: number): Page {
  const page = shelf.pages[Math.floor(block / BLOCKS_A_PAGE)]
  if (page === undefined) throw new RangeError(`${shelf.family.name} has no block ${block}`)
  return page
}

function takeBlock(shelf: Shelf): number {
  shelf.taken += 1
  const known = shelf.free.pop()
  if (known !== undefined) return known
  const first = shelf.pages.length * BLOCKS_A_PAGE
  shelf.pages.push({ bytes: NOTHING, starts: new Int32Array(BLOCKS_A_PAGE + 1) })
  for (let block = first + BLOCKS_A_PAGE - 1; block > first; block -= 1) shelf.free.push(block)
  return first
}

function writeBlock(shelf: Shelf, block: number, text: string): void {
  const page = pageOf(shelf, block)
  const slot = block % BLOCKS_A_PAGE
  const before = startOf(page, slot + 1) - startOf(page, slot)
  const length = Buffer.byteLength(text)
  resize(page, slot, 0, before, length)
  page.bytes.write(text, startOf(page, slot), length, 'utf8')
}

function freeBlock(shelf: Shelf, block: number): void {
  writeBlock(shelf, block, '')
  shelf.taken -= 1
  shelf.free.push(block)
}

/** A line ends in its number; where those stand is not kept, for there are hundreds of thousands. */
function writeNumber(account: Account, block: number, sample: number, value: number): void {
  const { shelves, firsts } = account.shape
  const shelf = shelves[block]
  const number = account.blocks[block]
  if (shelf === undefined || number === undefined) return
  const page = pageOf(shelf, number)
  const slot = number % BLOCKS_A_PAGE
  const { bytes } = page
  const start = startOf(page, slot)
  let end = startOf(page, slot + 1) - 1
  const last = (firsts[block + 1] ?? 0) - 1
  for (let later = last; later > sample; later -= 1) end = bytes.lastIndexOf(NEWLINE, end - 1)
  let at = end
  while (at > start && bytes[at - 1] !== SPACE) at -= 1
  const text = numberText(value)
  account.values[sample] = value
  resize(page, slot, at - start, end - at, text.length)
  writeAscii(page.bytes, at, text)
}

/** How many values a sample has beyond the target's own: a histogram's are what it ends in, and its bound. */
function wordCount({ type, labels }: Family, own: number): number {
  return type === 'histogram' ? 2 : Math.max(0, labels.length - own)
}

export function createBook(families: readonly Family[]): Book {
  const shelves = new Map(
    families.map((family, number): [string, Shelf] => {
      const heads = {
        text: Buffer.from(headLines(family, 'text')),
        openmetrics: Buffer.from(headLines(family, 'openmetrics')),
      }
      return [family.name, { number, family, heads, pages: [], free: [], taken: 0 }]
    }),
  )
  const accounts = new Map<string, Account>()
  const commonShape = createCommons<Shape>()
  const commonWords = createCommons<readonly string[]>()

  const shelfOf = (name: string): Shelf => {
    const shelf = shelves.get(name)
    if (shelf === undefined) throw new Error(`${name} is not among the declared families`)
    return shelf
  }

  /** Writes the numbers that are new; false as soon as anything but a number is. */
  function amend(account: Account, tell: Tell): boolean {
    const { shape } = account
    let same = true
    let sample = 0
    let block = 0
    let word = 0
    let shelf: Shelf
    let pairs: string
    let words: number
    const emit: Emit = (value, ...values) => {
      if (value === undefined || !same) return
      if (sample === shape.firsts[block + 1]) block += 1
      const before = typeof account.pairs === 'string' ? account.pairs : account.pairs[block]
      if (shape.shelves[block] !== shelf || before !== pairs) {
        same = false
        return
      }
      for (let index = 0; index < words; index += 1, word += 1) {
        if (account.words[word] !== (values[index] ?? '')) {
          same = false
          return
        }
      }
      const number = Number(value)
      if (!Object.is(account.values[sample], number)) writeNumber(account, block, sample, number)
      sample += 1
    }
    const say: Say = (metrics, reading, subject, labels) => {
      const head = headOf(labels)
      pairs = head.pairs
      for (const metric of metrics) {
        shelf = shelfOf(metric.name)
        words = wordCount(metric, head.count)
        metric.samples(reading, emit, subject)
      }
    }
    tell(say)
    return same && sample === account.values.length
  }

  /** Writes all of it. A family keeps its place, lest a scrape under way find it twice. */
  function write(owner: string, before: Account | undefined, tell: Tell): void {
    const spoken: Shelf[] = []
    const blocks: number[] = []
    const pairs: string[] = []
    const firsts: number[] = []
    const values: number[] = []
    const words: string[] = []
    const texts: string[] = []
    const say: Say = (metrics, reading, subject, labels) => {
      const head = headOf(labels)
      for (const metric of metrics) {
        const shelf = shelfOf(metric.name)
        let text = ''
        const count = wordCount(metric, head.count)
        const emit: Emit = (value, ...own) => {
          if (value === undefined) return
          if (text === '') {
            spoken.push(shelf)
            pairs.push(head.pairs)
            firsts.push(values.length)
          }
          values.push(Number(value))
          for (let index = 0; index < count; index += 1) words.push(own[index] ?? '')
          text += `${samplePrefix(metric, head, own)}${numberText(Number(value))}\n`
        }
        metric.samples(reading, emit, subject)
        if (text !== '') texts.push(text)
      }
    }
    tell(say)
    firsts.push(values.length)
    const left = new Map<Shelf, number[]>()
    for (const [index, each] of (before?.shape.shelves ?? []).entries()) {
      const block = before?.blocks[index]
      if (block !== undefined) left.set(each, [...(left.get(each) ?? []), block])
    }
    for (const [index, text] of texts.entries()) {
      const own = spoken[index]
      if (own === undefined) continue
      const block = left.get(own)?.shift() ?? takeBlock(own)
      blocks.push(block)
      writeBlock(own, block, text)
    }
    for (const [each, free] of left) for (const block of free) freeBlock(each, block)
    const [one] = pairs
    // Arrays that grew by `push` are half empty.
    accounts.set(owner, {
      shape: commonShape(`${spoken.map(({ number }) => number).join()} ${firsts.join()}`, {
        shelves: spoken.slice(),
        firsts: firsts.slice(),
      }),
      blocks: blocks.slice(),
      pairs: one !== undefined && pairs.every((each) => each === one) ? one : pairs.slice(),
      values: values.slice(),
      words: commonWords(JSON.stringify(words), words.slice()),
    })
  }

  return {
    set(owner, tell) {
      const account = accounts.get(owner)
      if (account === undefined || !amend(account, tell)) write(owner, account, tell)
    },
    delete(owner) {
      const account = accounts.get(owner)
      accounts.delete(owner)
      for (const [index, shelf] of (account?.shape.shelves ?? []).entries()) {
        const block = account?.blocks[index]
        if (block !== undefined) freeBlock(shelf, block)
      }
    },
    *render(format) {
      for (const { heads, pages, taken } of shelves.values()) {
        if (taken === 0) continue
        yield heads[format]
        for (const page of pages) if (page.bytes.length > 0) yield page.bytes.subarray(0, usedBytes(page))
      }
    },
  }
}
