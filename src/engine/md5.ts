// MD5 (RFC 1321), of short texts, for who owns a target: Prometheus's hashmod takes it, and OpenSSL gives it to nobody where
// FIPS 140 is enforced. For nothing else: it protects nothing.

/** RFC 1321 3.4: the shifts of each round. */
const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const
const CONSTANTS = Array.from(
  { length: 64 },
  (_, step) => Math.floor(Math.abs(Math.sin(step + 1)) * 2 ** 32) | 0,
)

const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by))

/** What round `round` makes of three words, and which word of the block it takes at `step`. */
function mix(round: number, step: number, x: number, y: number, z: number): readonly [number, number] {
  switch (round) {
    case 0:
      return [(x & y) | (~x & z), step]
    case 1:
      return [(x & z) | (y & ~z), 5 * step + 1]
    case 2:
      return [x ^ y ^ z, 3 * step + 5]
    default:
      return [y ^ (x | ~z), 7 * step]
  }
}

/** The 16 bytes of the digest of the text in UTF-8. */
export function md5(text: string): Buffer {
  const message = Buffer.from(text, 'utf8')
  const padded = Buffer.alloc((((message.length + 8) >> 6) + 1) << 6)
  padded.set(message)
  padded[message.length] = 0x80
  padded.writeBigUInt64LE(BigInt(message.length) * 8n, padded.length - 8)

  let [a, b, c, d] = [0x6745_2301 | 0, 0xefcd_ab89 | 0, 0x98ba_dcfe | 0, 0x1032_5476 | 0]
  for (let block = 0; block < padded.length; block += 64) {
    const before = [a, b, c, d] as const
    for (let step = 0; step < 64; step++) {
      const round = step >> 4
      const [mixed, word] = mix(round, step, b, c, d)
      const sum = a + mixed + padded.readInt32LE(block + (word & 15) * 4) + (CONSTANTS[step] ?? 0)
      const turned = (b + rotate(sum | 0, SHIFTS[round]?.[step & 3] ?? 0)) | 0
      ;[a, b, c, d] = [d, turned, b, c]
    }
    a = (a + before[0]) | 0
    b = (b + before[1]) | 0
    c = (c + before[2]) | 0
    d = (d + before[3]) | 0
  }
  const digest = Buffer.alloc(16)
  for (const [index, word] of [a, b, c, d].entries()) digest.writeInt32LE(word, index * 4)
  return digest
}
