// The book keeps bytes and changes them in place; here it plays against the plain way, which writes all lines anew.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Family, Metric } from '../../src/model/metric.ts'
import { createBook, type Book } from '../../src/views/book.ts'
import { familyText, type Tell } from '../../src/views/lines.ts'
import { linesOf } from './lines-of.ts'

const FAMILIES: readonly Family[] = [
  { name: 'plain', type: 'gauge', help: 'H.', labels: ['host'] },
  { name: 'wide', type: 'gauge', help: 'H.', labels: ['host', 'address', 'state'] },
  { name: 'counted_total', type: 'counter', help: 'H.', labels: ['host', 'code'] },
  { name: 'skew', type: 'histogram', help: 'H.', labels: ['host'] },
  { name: 'bare', type: 'gauge', help: 'H.', labels: [] },
]

type Said = readonly [family: number, samples: readonly (readonly [number | undefined, ...string[]])[]]

/** Everything that was said, in order; a family may come up more than once. */
function telling(labels: Record<string, string>, said: readonly Said[]): Tell {
  return (say) => {
    for (const [index, samples] of said) {
      const family = FAMILIES[index % FAMILIES.length] as Family
      const metric: Metric<null, null> = {
        ...family,
        samples: (_, emit) => samples.forEach(([value, ...words]) => emit(value, ...words)),
      }
      say([metric], null, null, family.name === 'bare' ? {} : labels)
    }
  }
}

/** A piece holds until the next, and is made of whole lines. */
function text(book: Book): string {
  let page = ''
  for (const piece of book.render('text')) {
    expect(piece.at(-1)).toBe('\n'.charCodeAt(0))
    page += Buffer.from(piece).toString()
  }
  return page
}

/** By family its head and its lines, sorted: owners may stand in any order. */
function sorted(page: string): readonly string[] {
  return page
    .split(/(?=# HELP)/)
    .filter((part) => part !== '')
    .map((part) => {
      const [help, type, ...lines] = part.trimEnd().split('\n')
      return [help, type, ...lines.toSorted()].join('\n')
    })
}

function expectSame(book: Book, owners: ReadonlyMap<string, Tell>): void {
  const written = [...owners.values()].map(linesOf)
  const wanted = FAMILIES.map((family) => {
    const lines = written.map((each) => each.get(family.name) ?? '').join('')
    return familyText(family, lines, 'text')
  })
  expect(sorted(text(book))).toEqual(sorted(wanted.join('')))
}

const number = fc.oneof(
  fc.constantFrom(0, 1, -0, NaN, Infinity, -Infinity, 5e-324, -1.7976931348623157e308, 1764167591.123),
  fc.double(),
  fc.nat(1_000_000),
)
const word = fc.constantFrom(
  'a',
  'bb',
  'ü😀',
  'x"y',
  '',
  'in two\nlines',
  'a much longer value than the others have',
  'ü'.repeat(100),
)
type SampleArbitrary = fc.Arbitrary<Said[1][number]>
const sample: SampleArbitrary = fc.tuple(fc.option(number, { nil: undefined, freq: 4 }), word, word)
const bucket: SampleArbitrary = fc.tuple(
  number,
  fc.constantFrom('bucket', 'sum', 'count'),
  fc.constantFrom('0.5', '+Inf'),
)
const said: fc.Arbitrary<Said> = fc
  .nat(FAMILIES.length - 1)
  .chain((index) =>
    fc.tuple(
      fc.constant(index),
      fc.array(FAMILIES[index]?.type === 'histogram' ? bucket : sample, { maxLength: 4 }),
    ),
  )
const step = fc.record({
  owner: fc.nat(150),
  /** Most runs differ from the one before in their numbers only. */
  what: fc.oneof(
    { weight: 6, arbitrary: fc.constant('numbers' as const) },
    { weight: 3, arbitrary: fc.array(said, { maxLength: 6 }) },
    { weight: 1, arbitrary: fc.constant('gone' as const) },
  ),
  host: fc.constantFrom('kms01', 'kms01', 'kms02.corp.example'),
  fresh: fc.array(number, { minLength: 30, maxLength: 30 }),
})

describe('the book', () => {
  it('says what was said last by each owner, and nothing else, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 120 }), (steps) => {
        const book = createBook(FAMILIES)
        const owners = new Map<string, Tell>()
        const words = new Map<string, readonly Said[]>()
        for (const { owner, what, host, fresh } of steps) {
          // Few owners that speak often, or many: pages fill up either way.
          const name = `owner ${steps.length % 2 === 0 ? owner % 5 : owner}`
          if (what === 'gone') {
            book.delete(name)
            owners.delete(name)
            words.delete(name)
            continue
          }
          let at = 0
          const next =
            what === 'numbers'
              ? (words.get(name) ?? []).map(([family, samples]): Said => [
                  family,
                  samples.map(([value, ...rest]) => [
                    value === undefined ? undefined : fresh[at++ % fresh.length],
                    ...rest,
                  ]),
                ])
              : what
          words.set(name, next)
          const tell = telling({ host }, next)
          owners.set(name, tell)
          book.set(name, tell)
        }
        expectSame(book, owners)
      }),
      { numRuns: 300 },
    )
  })

  it('keeps pages of many owners apart, when numbers grow and shrink and owners come and go', () => {
    const book = createBook(FAMILIES)
    const owners = new Map<string, Tell>()
    let state = 1
    const random = (): number => (state = (state * 48271) % 0x7fffffff) / 0x7fffffff
    for (let turn = 0; turn < 4000; turn += 1) {
      const name = `owner ${Math.floor(random() * 200)}`
      if (random() < 0.05) {
        owners.delete(name)
        book.delete(name)
        continue
      }
      const value = random() < 0.5 ? Math.floor(random() * 2) : random() * 10 ** Math.floor(random() * 12)
      const tell = telling({ host: name }, [
        [0, [[value]]],
        [
          1,
          [
            [value, '10.0.0.1', 'ok'],
            [random(), '10.0.0.2', 'ok'],
          ],
        ],
      ])
      owners.set(name, tell)
      book.set(name, tell)
      if (turn % 500 === 0) expectSame(book, owners)
    }
    expectSame(book, owners)
  })

  it('shows no owner twice to a scrape that is under way while owners say something else', () => {
    const book = createBook(FAMILIES)
    const tell = (host: string, address: string): Tell => telling({ host }, [[1, [[1, address, 'x']]]])
    // More than two pieces of 64 KiB.
    const owners = 4_000
    for (let owner = 0; owner < owners; owner += 1) book.set(`${owner}`, tell(`h${owner}`, 'before'))
    book.delete('3')
    let scraped = ''
    let piece = 0
    for (const bytes of book.render('text')) {
      scraped += Buffer.from(bytes).toString()
      if (piece++ === 2)
        for (let owner = 4; owner < owners; owner += 1)
          book.set(`${owner}`, tell(`h${owner}`, 'after, and longer'))
    }
    expect(piece).toBeGreaterThan(3)
    expect(scraped).toContain('"before"')
    expect(scraped).toContain('"after, and longer"')
    const hosts = scraped.match(/host="h\d+"/g) ?? []
    expect(new Set(hosts).size).toBe(hosts.length)
    expect(hosts.length).toBe(owners - 1)
  })

  it('has room for an owner that says more in one family than a piece holds', () => {
    const book = createBook(FAMILIES)
    const much = Array.from({ length: 5_000 }, (_, at): Said[1][number] => [at, `10.0.0.${at}`, 'ü'])
    const owners = new Map([
      ['one', telling({ host: 'kms01' }, [[1, much.slice(0, 10)]])],
      ['much', telling({ host: 'kms02' }, [[1, much]])],
    ])
    for (const [owner, tell] of owners) book.set(owner, tell)
    expectSame(book, owners)
  })

  it('keeps what was said where saying something else fails', () => {
    const book = createBook(FAMILIES)
    const owners = new Map([['one', telling({ host: 'kms01' }, [[0, [[1]]]])]])
    for (const [owner, tell] of owners) book.set(owner, tell)
    const unknown: Metric<null, null> = {
      name: 'undeclared',
      type: 'gauge',
      help: 'H.',
      labels: [],
      samples: (_, emit) => emit(1),
    }
    for (const owner of ['one', 'two'])
      expect(() =>
        book.set(owner, (say) => {
          telling({ host: 'kms09' }, [[2, [[7, '404']]]])(say)
          say([unknown], null, null, {})
        }),
      ).toThrow('undeclared')
    expectSame(book, owners)
  })

  it('takes no more room for owners that come again', () => {
    const book = createBook(FAMILIES)
    const size = (): number => text(book).length
    const all = Array.from({ length: 100 }, (_, owner) => `${owner}`)
    const say = (): void => all.forEach((owner) => book.set(owner, telling({ host: owner }, [[0, [[1]]]])))
    say()
    const before = size()
    for (let turn = 0; turn < 50; turn += 1) {
      all.forEach((owner) => book.delete(owner))
      expect(text(book)).toBe('')
      say()
    }
    expect(size()).toBe(before)
  })
})
