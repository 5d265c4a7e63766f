// RC4, the stream cipher of NTLM's sealing, which OpenSSL 3 no longer gives to Node. Long broken: for nothing else.

/** Encrypts, or decrypts, the next bytes of one stream; a new array each time. */
export type Rc4 = (bytes: Uint8Array) => Uint8Array

/** A stream that begins with this key (1 to 256 bytes). */
export function createRc4(key: Uint8Array): Rc4 {
  const state = Uint8Array.from({ length: 256 }, (_, index) => index)
  const at = (index: number): number => state[index & 0xff] ?? 0
  const swap = (i: number, j: number): void => {
    const kept = at(i)
    state[i] = at(j)
    state[j] = kept
  }
  let j = 0
  for (let i = 0; i < 256; i++) {
    j = (j + at(i) + (key[i % key.length] ?? 0)) & 0xff
    swap(i, j)
  }
  let i = 0
  j = 0
  return (bytes) =>
    bytes.map((byte) => {
      i = (i + 1) & 0xff
      j = (j + at(i)) & 0xff
      swap(i, j)
      return byte ^ at(at(i) + at(j))
    })
}
