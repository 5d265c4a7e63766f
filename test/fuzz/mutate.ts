// Changes to an input, one to several at a time, as fuzzers have made them since AFL: bits, numbers at their edges, pieces
// cut, doubled and moved, words of a dictionary, parts of other inputs, and what the decoder compared the input with.

/** An integer from 0 to before `below`. */
export type Random = (below: number) => number

/** Mulberry32: small, good enough to choose with, and the same for the same seed. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** Bytes that were compared with others: where the first are found, the second may lead on. */
export type Hint = readonly [found: Uint8Array, wanted: Uint8Array]

export interface Surroundings {
  readonly random: Random
  readonly words: readonly Uint8Array[]
  readonly hints: readonly Hint[]
  /** Another input that led somewhere. */
  readonly other: () => Uint8Array
  readonly mostBytes: number
}

const EDGES = [
  0, 1, 2, 7, 8, 15, 16, 31, 32, 63, 64, 100, 127, 128, 192, 254, 255, 256, 511, 512, 1000, 1024, 4095, 4096,
]
const WIDE = [
  ...EDGES,
  0x7fff,
  0x8000,
  0xfffe,
  0xffff,
  0x1_0000,
  0x7fff_ffff,
  0x8000_0000,
  0xffff_fffe,
  0xffff_ffff,
]
const NUMBERS = [
  '0',
  '-1',
  '-0',
  '00',
  '1e9',
  '65535',
  '65536',
  '4294967295',
  '4294967296',
  '9007199254740993',
  '99999999999',
  '0x10',
  'NaN',
  '1.5',
  '',
]

function spliced(input: Uint8Array, at: number, cut: number, piece: Uint8Array): Uint8Array {
  const end = Math.min(input.length, at + cut)
  const result = new Uint8Array(at + piece.length + input.length - end)
  result.set(input.subarray(0, at))
  result.set(piece, at)
  result.set(input.subarray(end), at + piece.length)
  return result
}

/** Short lengths more often than long ones. */
function some(random: Random, most: number): number {
  return 1 + random(Math.max(1, Math.min(most, 1 << random(9))))
}

function pieceOf(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random(bytes.length)
  return bytes.subarray(at, at + some(random, bytes.length - at))
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

type Change = (input: Uint8Array, surroundings: Surroundings) => Uint8Array

const CHANGES: readonly Change[] = [
  (input, { random }) => {
    const at = random(input.length)
    const copy = Uint8Array.from(input)
    copy[at] = (copy[at] ?? 0) ^ (1 << random(8))
    return copy
  },
  (input, { random }) => {
    const copy = Uint8Array.from(input)
    copy[random(input.length)] = random(256)
    return copy
  },
  (input, { random }) => {
    const at = random(input.length)
    const copy = Uint8Array.from(input)
    copy[at] = (copy[at] ?? 0) + random(35) - 17
    return copy
  },
  // A number of two or four bytes, in either order, at an edge or near what it is.
  (input, { random }) => {
    const width = random(2) === 0 ? 2 : 4
    if (input.length < width) return input
    const copy = Buffer.from(input)
    const at = random(input.length - width + 1)
    const little = random(2) === 0
    const before = little ? copy.readUIntLE(at, width) : copy.readUIntBE(at, width)
    const edge = WIDE[random(WIDE.length)] ?? 0
    const value = (random(2) === 0 ? edge : before + random(35) - 17) & (width === 2 ? 0xffff : 0xffff_ffff)
    if (little) copy.writeUIntLE(value >>> 0, at, width)
    else copy.writeUIntBE(value >>> 0, at, width)
    return Uint8Array.from(copy)
  },
  (input, { random }) => spliced(input, random(input.length), some(random, input.length), new Uint8Array()),
  (input, { random }) => input.slice(0, random(input.length + 1)),
  (input, { random }) => spliced(input, random(input.length + 1), 0, pieceOf(input, random)),
  (input, { random }) => spliced(input, random(input.length + 1), some(random, 64), pieceOf(input, random)),
  // One piece many times.
  (input, { random }) => {
    const piece = pieceOf(input, random)
    const times = 1 + random(Math.min(64, Math.ceil(1024 / piece.length)))
    return spliced(
      input,
      random(input.length + 1),
      0,
      Buffer.concat(Array.from({ length: times }, () => piece)),
    )
  },
  (input, { random }) => spliced(input, random(input.length + 1), 0, Uint8Array.of(random(256))),
  (input, { random, words }) =>
    spliced(input, random(input.length + 1), 0, words[random(words.length)] ?? input),
  (input, { random, words }) => {
    const word = words[random(words.length)] ?? input
    return spliced(input, random(input.length + 1), word.length, word)
  },
  (input, { random, other }) => {
    const piece = pieceOf(other(), random)
    return spliced(input, random(input.length + 1), random(2) === 0 ? 0 : piece.length, piece)
  },
  (input, { random, other }) => {
    const tail = other()
    return spliced(input, random(input.length + 1), input.length, tail.subarray(random(tail.length + 1)))
  },
  // A number in digits.
  (input, { random }) => {
    const from = random(input.length)
    const at = input.findIndex((byte, index) => index >= from && isDigit(byte))
    if (at < 0) return input
    let end = at
    while (isDigit(input[end])) end++
    return spliced(input, at, end - at, Buffer.from(NUMBERS[random(NUMBERS.length)] ?? ''))
  },
]

const follow: Change = (input, { random, hints }) => {
  const hint = hints[random(hints.length)]
  if (hint === undefined) return input
  const [found, wanted] = hint
  const from = random(input.length + 1)
  const later = Buffer.from(input.buffer, input.byteOffset, input.length).indexOf(found, from)
  const at = later >= 0 ? later : Buffer.from(input.buffer, input.byteOffset, input.length).indexOf(found)
  return at < 0 ? spliced(input, from, wanted.length, wanted) : spliced(input, at, found.length, wanted)
}

export function mutated(input: Uint8Array, surroundings: Surroundings): Uint8Array {
  const { random, hints, mostBytes } = surroundings
  let result = input
  for (let left = 1 << random(5); left > 0; left--) {
    if (result.length === 0) result = Uint8Array.of(random(256))
    const change = hints.length > 0 && random(6) === 0 ? follow : CHANGES[random(CHANGES.length)]
    result = change?.(result, surroundings) ?? result
    if (result.length > mostBytes) result = result.subarray(0, mostBytes)
  }
  return result
}

/** As bytes may hold it: little and big endian in the fewest bytes, two, four and eight; and in digits. */
function encodingsOf(value: unknown): readonly Uint8Array[] {
  if (typeof value === 'string')
    return value.length <= 64 ? [Buffer.from(value), Buffer.from(value, 'utf16le')] : []
  if (typeof value === 'boolean' || value === undefined || value === null) return []
  const number = typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : NaN
  if (!Number.isSafeInteger(number)) return []
  if (number < 0) return [Buffer.from(String(number))]
  const widths = [1, 2, 4, 6].filter((width) => number < 2 ** (8 * width))
  const binary = widths.flatMap((width) => {
    const little = Buffer.alloc(width)
    little.writeUIntLE(number, 0, width)
    return width === 1 ? [little] : [little, Buffer.from(little).reverse()]
  })
  return [...binary, Buffer.from(String(number))]
}

export function wordsOf(texts: readonly string[], numbers: readonly string[]): readonly Uint8Array[] {
  const values = numbers.map((text) => (text.endsWith('n') ? BigInt(text.slice(0, -1)) : Number(text)))
  const words = [
    ...texts.flatMap((text) => encodingsOf(text)),
    ...values.flatMap((value) => encodingsOf(value)),
  ]
  return [...new Map(words.map((word) => [Buffer.from(word).toString('latin1'), word])).values()]
}

/** Each way from one side of an unequal comparison to the other, in one encoding. */
export function hintsOf(pairs: readonly (readonly [unknown, unknown])[]): readonly Hint[] {
  return pairs.flatMap(([a, b]) => {
    if (typeof a !== typeof b) return []
    const left = encodingsOf(a)
    const right = encodingsOf(b)
    return left.flatMap((found, index): Hint[] => {
      const wanted = right[index]
      return wanted === undefined
        ? []
        : [
            [found, wanted],
            [wanted, found],
          ]
    })
  })
}
