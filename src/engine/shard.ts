// Which of n exporters watches a target, by the very function of Prometheus's hashmod relabelling (the last 8 bytes of
// MD5, big-endian, modulo n), so that both agree. And the stable place of a task within its interval.
import { createHash } from 'node:crypto'

export interface Shard {
  readonly index: number
  readonly count: number
}

export function hashmod(value: string, modulus: number): number {
  const digest = createHash('md5').update(value, 'utf8').digest()
  return Number(digest.readBigUInt64BE(8) % BigInt(modulus))
}

export function ownedBy(shard: Shard | undefined, name: string): boolean {
  return shard === undefined || hashmod(name, shard.count) === shard.index
}

/** A number in [0, 1), always the same for the same key, evenly spread over keys. */
export function phaseOf(key: string): number {
  return createHash('md5').update(key, 'utf8').digest().readUInt32BE(0) / 2 ** 32
}
