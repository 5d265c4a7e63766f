// What the codec tests share: hex fixtures, and the promises that every decoder and every framing function keeps.
import * as fc from 'fast-check'
import { expect } from 'vitest'
import { MalformedMessage } from '../../src/model/failure.ts'

/** Bytes of hex text; blanks and lines are for the reader. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '')
  const bytes = Buffer.from(digits, 'hex')
  if (bytes.length * 2 !== digits.length) throw new Error('fixture is not hex')
  return new Uint8Array(bytes)
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** A copy with some bytes replaced. */
export function patched(bytes: Uint8Array, at: number, replacement: string): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy.set(fromHex(replacement), at)
  return copy
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** What was thrown; anything but a MalformedMessage fails the test. */
export function malformedBy(work: () => unknown): MalformedMessage | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    expect(error.offset).toBeGreaterThanOrEqual(0)
    return error
  }
}

/** Every proper prefix of a message is refused. */
export function expectTruncationsRefused(message: Uint8Array, decode: (bytes: Uint8Array) => unknown): void {
  decode(message)
  for (let length = 0; length < message.length; length++) {
    const cut = message.slice(0, length)
    expect(
      malformedBy(() => decode(cut)),
      `cut to ${length} bytes`,
    ).toBeInstanceOf(MalformedMessage)
  }
}

/** Any bytes, and about a second's worth of mutated messages, give a value or a MalformedMessage. */
export function expectNothingElse(
  messages: readonly Uint8Array[],
  decode: (bytes: Uint8Array) => unknown,
): void {
  const anything = fc.uint8Array({ maxLength: 400 })
  fc.assert(
    fc.property(anything, (bytes) => void malformedBy(() => decode(bytes))),
    { numRuns: 500 },
  )
  let malformed = 0
  let runs = 0
  const edit = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) })
  const mutated = fc
    .tuple(fc.constantFrom(...messages), fc.array(edit, { minLength: 1, maxLength: 6 }), anything)
    .map(([message, edits, tail]) => {
      const copy = Uint8Array.from(message)
      for (const { at, byte } of edits) copy[at % copy.length] = byte
      return tail.length % 4 === 0 ? joined(copy, tail) : copy
    })
  fc.assert(
    fc.property(mutated, (bytes) => {
      runs++
      if (malformedBy(() => decode(bytes)) !== undefined) malformed++
    }),
    { numRuns: 1_000_000, interruptAfterTimeLimit: 1000 },
  )
  expect(runs).toBeGreaterThan(0)
  expect(malformed).toBeGreaterThan(0)
}

type Frame = (bytesSoFar: Uint8Array) => number

/** However a message is split, its framing asks for more until it is there, and then for exactly it. */
export function expectFraming(message: Uint8Array, frame: Frame): void {
  let before = 0
  for (let length = 0; length < message.length; length++) {
    const wanted = frame(message.slice(0, length))
    expect(wanted).toBeGreaterThan(length)
    expect(wanted).toBeLessThanOrEqual(message.length)
    expect(wanted).toBeGreaterThanOrEqual(before)
    before = wanted
  }
  expect(frame(message)).toBe(message.length)
  expect(frame(joined(message, fromHex('ff00ff')))).toBe(message.length)
}

/** Over any bytes a framing function is total, and more bytes never change what it has said. */
export function expectFramingTotal(frame: Frame, limit: number, likely: readonly Uint8Array[]): void {
  const start = fc.constantFrom(new Uint8Array(0), ...likely.map((message) => message.slice(0, 12)))
  const stream = fc
    .tuple(start, fc.nat({ max: 12 }), fc.uint8Array({ maxLength: 60 }))
    .map(([prefix, length, rest]) => joined(prefix.slice(0, length), rest))
  fc.assert(
    fc.property(stream, (bytes) => {
      let refused = false
      let done: number | undefined
      for (let length = 0; length <= bytes.length; length++) {
        let wanted: number | undefined
        const error = malformedBy(() => (wanted = frame(bytes.slice(0, length))))
        if (refused) expect(error).toBeDefined()
        refused = error !== undefined
        if (wanted === undefined) continue
        expect(wanted).toBeGreaterThan(0)
        expect(wanted).toBeLessThanOrEqual(limit)
        if (done !== undefined) expect(wanted).toBe(done)
        if (wanted <= length) done = wanted
      }
      // Complete is complete: nothing that follows a message can make it malformed.
      if (done !== undefined) expect(refused).toBe(false)
    }),
  )
}

/** Milliseconds of wall clock that the work takes. */
export function timed(work: () => unknown): number {
  const start = performance.now()
  work()
  return performance.now() - start
}
