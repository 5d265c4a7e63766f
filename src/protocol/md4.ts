// MD4 (RFC 1320), which NTLM hashes passwords with and which OpenSSL 3 no longer gives to Node. Broken as a hash for
// twenty years: for nothing else.

const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by))

/** The three rounds of RFC 1320 3.4: function, constant, order of the words, shifts. */
const ROUNDS: readonly {
  readonly mix: (x: number, y: number, z: number) => number
  readonly constant: number
  readonly order: readonly number[]
  readonly shifts: readonly [number, number, number, number]
}[] = [
  {
    mix: (x, y, z) => (x & y) | (~x & z),
    constant: 0,
    order: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    shifts: [3, 7, 11, 19],
  },
  {
    mix: (x, y, z) => (x & y) | (x & z) | (y & z),
    constant: 0x5a82_7999,
    order: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
    shifts: [3, 5, 9, 13],
  },
  {
    mix: (x, y, z) => x ^ y ^ z,
    constant: 0x6ed9_eba1,
    order: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
    shifts: [3, 9, 11, 15],
  },
]

/** The 16 bytes of the digest. */
export function md4(message: Uint8Array): Uint8Array {
  const padded = Buffer.alloc((((message.length + 8) >> 6) + 1) << 6)
  padded.set(message)
  padded[message.length] = 0x80
  padded.writeBigUInt64LE(BigInt(message.length) * 8n, padded.length - 8)

  let [a, b, c, d] = [0x6745_2301 | 0, 0xefcd_ab89 | 0, 0x98ba_dcfe | 0, 0x1032_5476 | 0]
  for (let block = 0; block < padded.length; block += 64) {
    const before = [a, b, c, d] as const
    for (const { mix, constant, order, shifts } of ROUNDS) {
      order.forEach((word, step) => {
        const sum = a + mix(b, c, d) + padded.readUInt32LE(block + word * 4) + constant
        ;[a, b, c, d] = [d, rotate(sum | 0, shifts[step & 3] ?? 0), b, c]
      })
    }
    a = (a + before[0]) | 0
    b = (b + before[1]) | 0
    c = (c + before[2]) | 0
    d = (d + before[3]) | 0
  }
  const digest = Buffer.alloc(16)
  for (const [index, word] of [a, b, c, d].entries()) digest.writeInt32LE(word, index * 4)
  return new Uint8Array(digest)
}
