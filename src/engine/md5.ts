// MD5 (RFC 1321), of short texts, for who owns a target: Prometheus's hashmod takes it, and OpenSSL gives it to nobody where
// FIPS 140 is enforced. For nothing else: it protects nothing.

/** RFC 1321 3.4: of each of the 64 steps, its shift, its constant, and which word of the block it takes. */
const ROUNDS = [
  { shifts: [7, 12, 17, 22], word: (step: number) => step },
  { shifts: [5, 9, 14, 20], word: (step: number) => 5 * step + 1 },
  { shifts: [4, 11, 16, 23], word: (step: number) => 3 * step + 5 },
  { shifts: [6, 10, 15, 21], word: (step: number) => 7 * step },
] as const
const SHIFTS = Uint8Array.from({ length: 64 }, (_, step) => ROUNDS[step >> 4]?.shifts[step & 3] ?? 0)
const WORDS = Uint8Array.from({ length: 64 }, (_, step) => (ROUNDS[step >> 4]?.word(step) ?? 0) & 15)
const CONSTANTS = Int32Array.from({ length: 64 }, (_, step) =>
  Math.floor(Math.abs(Math.sin(step + 1)) * 2 ** 32),
)

function mix(step: number, x: number, y: number, z: number): number {
  if (step < 16) return (x & y) | (~x & z)
  if (step < 32) return (x & z) | (y & ~z)
  return step < 48 ? x ^ y ^ z : y ^ (x | ~z)
}

/** The 16 bytes of the digest of the text in UTF-8. */
export function md5(text: string): Buffer {
  const message = Buffer.from(text, 'utf8')
  const padded = Buffer.alloc((((message.length + 8) >> 6) + 1) << 6)
  padded.set(message)
  padded[message.length] = 0x80
  padded.writeBigUInt64LE(BigInt(message.length) * 8n, padded.length - 8)

  // Plain variables and no arrays: ten thousand names are hashed while nothing else happens.
  let a = 0x6745_2301
  let b = 0xefcd_ab89 | 0
  let c = 0x98ba_dcfe | 0
  let d = 0x1032_5476
  for (let block = 0; block < padded.length; block += 64) {
    const [a0, b0, c0, d0] = [a, b, c, d]
    for (let step = 0; step < 64; step++) {
      const word = padded.readInt32LE(block + (WORDS[step] ?? 0) * 4)
      const sum = (a + mix(step, b, c, d) + word + (CONSTANTS[step] ?? 0)) | 0
      const shift = SHIFTS[step] ?? 0
      a = d
      d = c
      c = b
      b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0
    }
    a = (a + a0) | 0
    b = (b + b0) | 0
    c = (c + c0) | 0
    d = (d + d0) | 0
  }
  const digest = Buffer.alloc(16)
  for (const [index, word] of [a, b, c, d].entries()) digest.writeInt32LE(word, index * 4)
  return digest
}
