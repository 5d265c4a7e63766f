// Which of n exporters watches a target, by the very function of Prometheus's hashmod relabelling (the last 8 bytes of
// MD5, big-endian, modulo n), so that both agree. And the stable place of a task within its interval.
import type { Target } from '../model/target.ts'
import { md5 } from './md5.ts'

export interface Shard {
  readonly index: number
  readonly count: number
}

export function hashmod(value: string, modulus: number): number {
  return Number(md5(value).readBigUInt64BE(8) % BigInt(modulus))
}

export function ownedBy(shard: Shard | undefined, name: string): boolean {
  return shard === undefined || hashmod(name, shard.count) === shard.index
}

/**
 * Whether this shard tells what it is answered. Domains and canaries are asked by every shard, whose hosts are judged by
 * them, and told by one: the owner of their name. Hosts are asked by their owner only; clocks of reference are each
 * exporter's own matter.
 */
export function toldBy(shard: Shard | undefined, { labels }: Pick<Target, 'labels'>): boolean {
  const name = labels['domain'] ?? labels['client']
  return name === undefined || ownedBy(shard, name)
}

/** A number in [0, 1), always the same for the same key, evenly spread over keys. */
export function phaseOf(key: string): number {
  return md5(key).readUInt32BE(0) / 2 ** 32
}
