// What every decoder promises, for any input: a value or MalformedMessage; bounded time; a result of bounded size; and what
// its codec promises besides. Framing functions: never less than what is there, never more than their limit, once said
// always said.
import { inspect, isDeepStrictEqual } from 'node:util'
import { MalformedMessage } from '../../src/model/failure.ts'

export interface Codec {
  readonly name: string
  /** Throws nothing but MalformedMessage. */
  readonly decode: (input: Uint8Array) => unknown
  /** Good ones and bad ones: what mutations begin with. */
  readonly seeds: readonly Uint8Array[]
  readonly frame?: { readonly of: (bytesSoFar: Uint8Array) => number; readonly limit: number }
  /** Throws where `value` is not what it should be: what encodes to it, say. */
  readonly check?: (value: unknown, input: Uint8Array) => void
  /** More than these are never handed to the decoder. */
  readonly mostBytes: number
  /** How much larger than the input a value may be, and how large anyhow. */
  readonly mostGrowth?: number
  readonly mostValue?: number
}

/** A promise that was not kept. */
export class Broken extends Error {
  constructor(promise: string, cause?: unknown) {
    super(promise, { cause })
    this.name = 'Broken'
  }
}

/** About as many bytes as the value takes; stops counting once it is beyond `most`. */
function sizeOf(value: unknown, most: number): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 8
  if (ArrayBuffer.isView(value)) return value.byteLength
  let size = 8
  const add = (part: unknown): boolean => (size += sizeOf(part, most - size)) > most
  if (Array.isArray(value) || value instanceof Set) {
    for (const each of value) if (add(each)) return size
  } else if (value instanceof Map) {
    for (const [key, each] of value) if (add(key) || add(each)) return size
  } else for (const key in value) if (add((value as Record<string, unknown>)[key])) return size
  return size
}

function framing(frame: NonNullable<Codec['frame']>, bytes: Uint8Array): void {
  let refused = false
  let whole: number | undefined
  const most = Math.min(bytes.length, 20)
  for (let length = 0; length <= most + 1; length++) {
    const there = length > most ? bytes : bytes.subarray(0, length)
    let wanted: number
    try {
      wanted = frame.of(there)
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error
      if (whole !== undefined) throw new Broken('framing refuses what it had called whole')
      refused = true
      continue
    }
    if (refused) throw new Broken('framing takes what it had refused')
    if (!Number.isSafeInteger(wanted) || wanted <= 0) throw new Broken(`framing asks for ${wanted} bytes`)
    if (wanted > frame.limit) throw new Broken(`framing asks for ${wanted} bytes, over ${frame.limit}`)
    if (whole !== undefined && wanted !== whole) throw new Broken('framing changes its mind')
    if (wanted <= there.length) whole = wanted
  }
}

export type Ending = { readonly value: unknown } | { readonly malformed: string }

/** Throws Broken, or whatever the decoder should not have thrown. */
export function hold(codec: Codec, input: Uint8Array): Ending {
  if (codec.frame !== undefined) framing(codec.frame, input)
  let value: unknown
  try {
    value = codec.decode(input)
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    if (!(error.offset >= 0)) throw new Broken(`malformed at offset ${error.offset}`)
    return { malformed: error.message }
  }
  const most = (codec.mostValue ?? 4096) + (codec.mostGrowth ?? 32) * input.length
  if (sizeOf(value, most) > most) throw new Broken(`a value of over ${most} bytes from ${input.length}`)
  codec.check?.(value, input)
  return { value }
}

/** For a codec's `check`. */
export function same(found: unknown, expected: unknown): void {
  if (isDeepStrictEqual(found, expected)) return
  throw new Broken(`${inspect(found, { depth: 4 })} is not ${inspect(expected, { depth: 4 })}`.slice(0, 1000))
}

export function bytesOf(text: string | Uint8Array): Uint8Array {
  return Uint8Array.from(Buffer.from(text))
}

/** As the exporter reads what should be UTF-8. */
export function textFrom(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
}

/** Bytes of hex text; blanks and lines are for the reader. */
export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s+/g, ''), 'hex'))
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}
