import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashmod, ownedBy, phaseOf } from '../../src/engine/shard.ts'

// Made by hand: `printf %s NAME | md5sum`, the last 16 digits as a number (bc, ibase=16), modulo n. Prometheus computes
// the same (model/relabel/relabel.go, hashmod).
const VECTORS = [
  // 93393fabc043beb5 434bac784943cd78
  ['kms01.corp.example', { 2: 0, 3: 2, 10: 4, 1000: 184 }],
  // 22254f63d7fdc3d8 8785d9a9c615d817
  ['kms02.corp.example', { 2: 1, 3: 2, 10: 7, 1000: 367 }],
  // 1cdd216ebd4187eb 90a3c225785749aa
  ['kms.plant.example', { 2: 0, 3: 1, 10: 8, 1000: 618 }],
  // d0f88d6c87767262 ba8e93d6acccd784
  ['192.0.2.1', { 2: 0, 3: 2, 10: 2, 1000: 332 }],
  // d41d8cd98f00b204 e9800998ecf8427e
  ['', { 2: 0, 3: 1, 10: 8, 1000: 958 }],
  // 6f0651b2284937c2 b434d4f6b1a690da: the text is hashed as UTF-8
  ['k\u00e4se.example', { 2: 0, 3: 0, 10: 0, 1000: 210 }],
] as const

describe('a shard', () => {
  it.each(VECTORS)('of %j is the one that hashmod relabelling gives', (name, expected) => {
    for (const [modulus, rest] of Object.entries(expected)) expect(hashmod(name, Number(modulus))).toBe(rest)
    expect(hashmod(name, 1)).toBe(0)
  })

  it('owns what no other does, and together they own everything', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 50 }), (name, count) => {
        const owners = Array.from({ length: count }, (_, index) => index).filter((index) =>
          ownedBy({ index, count }, name),
        )
        expect(owners).toHaveLength(1)
      }),
    )
  })

  it('not told of is all there is', () => {
    expect(ownedBy(undefined, 'kms01.corp.example')).toBe(true)
  })
})

describe('a phase', () => {
  it('is within [0, 1), the same whenever it is asked for, and evenly spread', () => {
    const tenths = Array.from({ length: 10 }, () => 0)
    for (let index = 0; index < 10_000; index++) {
      const phase = phaseOf(`port/kms${index}.corp.example`)
      const tenth = Math.floor(phase * 10)
      tenths[tenth] = (tenths[tenth] ?? 0) + 1
    }
    for (const count of tenths) expect(Math.abs(count - 1_000)).toBeLessThan(150)
    expect(tenths).toHaveLength(10)
    // The first 8 digits of the MD5 of the name: 0x93393fab / 2 ** 32.
    expect(phaseOf('kms01.corp.example')).toBe(0x93393fab / 2 ** 32)
  })
})
