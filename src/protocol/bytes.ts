// Reads numbers and slices out of bytes that nobody vouches for: every read is checked against the end.
// No knowledge of any protocol, and no copy of the data: a slice is a view.
import { MalformedMessage } from '../model/failure.ts'

/** A cursor over a peer's message. Every read past the end throws MalformedMessage with the cursor's offset. */
export class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #offset: number

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (offset < 0 || offset > bytes.length) throw new MalformedMessage('points outside the message', offset)
    this.#offset = offset
  }

  /** Where the next read begins, in bytes from the start of the message. */
  get offset(): number {
    return this.#offset
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  /** A second cursor over the same message; this one stays where it is. */
  at(offset: number): Reader {
    return new Reader(this.#bytes, offset)
  }

  /** The error to throw for something wrong at the cursor. */
  malformed(detail: string): MalformedMessage {
    return new MalformedMessage(detail, this.#offset)
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1))
  }

  u16le(): number {
    return this.#view.getUint16(this.#advance(2), true)
  }

  u16be(): number {
    return this.#view.getUint16(this.#advance(2))
  }

  u32le(): number {
    return this.#view.getUint32(this.#advance(4), true)
  }

  u32be(): number {
    return this.#view.getUint32(this.#advance(4))
  }

  u64le(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true)
  }

  bytes(count: number): Uint8Array {
    const start = this.#advance(count)
    return this.#bytes.subarray(start, start + count)
  }

  skip(count: number): void {
    this.#advance(count)
  }

  #advance(count: number): number {
    const start = this.#offset
    if (count < 0 || count > this.remaining) {
      throw new MalformedMessage(`ends early: ${count} bytes wanted, ${this.remaining} left`, start)
    }
    this.#offset = start + count
    return start
  }
}

/** Whether two byte strings are the same. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

/** Text from a peer, fit for a log line: bytes outside printable ASCII become `?`. */
export function printableAscii(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : '?'
  return text
}
