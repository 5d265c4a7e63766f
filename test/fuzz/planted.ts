// Decoders with defects that random bytes would find after 2^64 or so, and one without: whether the fuzzer is one is
// tried on them.
import { MalformedMessage } from '../../src/model/failure.ts'
import { Reader } from '../../src/protocol/bytes.ts'

function wordOf(bytes: Uint8Array): string {
  const reader = new Reader(bytes)
  if (reader.u32le() !== 0x1badb002) throw new MalformedMessage('another magic number', 0)
  const length = reader.u16be()
  if (length > reader.remaining) throw new MalformedMessage('not as long as announced', 4)
  if (length < 4) return ''
  return Buffer.from(reader.bytes(4)).toString('latin1')
}

export function decodeThrowing(bytes: Uint8Array): string {
  const word = wordOf(bytes)
  if (word === 'dead') throw new TypeError('the planted defect')
  return word
}

/** Looks at each byte once for each byte. */
export function decodeSlowly(bytes: Uint8Array): number {
  if (wordOf(bytes) !== 'slow') return 0
  let sum = 0
  for (const one of bytes) for (const other of bytes) sum += one ^ other
  return sum
}

/** A length that nobody looks at before there is an array of it. */
export function decodeGreedily(bytes: Uint8Array): readonly number[] {
  if (wordOf(bytes) !== 'much') return []
  return Array.from({ length: new Reader(bytes, 4).u16be() * 100 }, () => 0)
}

/** In proportion to the length, without a defect: but a short one is refused before the most of the work. */
export function decodeInStages(bytes: Uint8Array): number {
  let sum = 0
  const look = (times: number): void => {
    for (let time = 0; time < times; time++) for (const byte of bytes) sum += byte
  }
  look(30)
  if (bytes.length < 3072) throw new MalformedMessage('without its head', bytes.length)
  look(30)
  if (bytes.length < 6144) throw new MalformedMessage('without its body', bytes.length)
  look(60)
  return sum
}
