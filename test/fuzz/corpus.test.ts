// Every input that fuzzing kept, and every one that ever found something: a value or MalformedMessage, in bounded time, by
// the code as it is, without counters.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { CODECS } from './codecs/index.ts'
import { readCorpus, readFindings } from './kept.ts'
import { hold, type Codec } from './promises.ts'

/** For one input, of what takes microseconds: generous, and yet out of reach of what grows with the square. */
const MOST_SECONDS = 5

function tryAll(codec: Codec, inputs: readonly Uint8Array[]): void {
  for (const input of inputs) {
    const before = process.cpuUsage()
    hold(codec, input)
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1e6, `seconds for ${input.length} bytes`).toBeLessThan(MOST_SECONDS)
  }
}

function importsOf(file: string): readonly string[] {
  return [...readFileSync(file, 'utf8').matchAll(/from '[./]+src\/protocol\/([^']+)'/g)].map(
    ([, name = '']) => name,
  )
}

describe.each(CODECS.map((codec) => [codec.name, codec] as const))('%s', (name, codec) => {
  it('keeps its promises for its seeds', () => {
    tryAll(codec, codec.seeds)
    // Or there would be nothing to mutate but refusals.
    expect(codec.seeds.some((seed) => 'value' in hold(codec, seed))).toBe(true)
  })

  it('keeps them for all that fuzzing kept', () => {
    const inputs = [...readCorpus(name), ...readFindings(name)]
    tryAll(codec, inputs)
  })

  it('keeps them for each input cut off, and for its last byte over and over', () => {
    for (const input of codec.seeds) {
      const last = input.at(-1) ?? 0
      for (const length of [0, 1, input.length >> 1, input.length - 1])
        tryAll(codec, [input.subarray(0, Math.max(0, length))])
      const long = new Uint8Array(codec.mostBytes).fill(last)
      long.set(input)
      tryAll(codec, [long])
    }
  })
})

describe('the table of codecs', () => {
  it('has each name once', () => {
    const names = CODECS.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })

  it('has a row that imports from every file of src/protocol that decodes', () => {
    // rc4, md4: they decode nothing. wql: it only writes. bytes: what all others read with.
    const others = new Set(['bytes.ts', 'md4.ts', 'rc4.ts', 'wql.ts'])
    const folder = fileURLToPath(new URL('../../src/protocol', import.meta.url))
    const codecs = fileURLToPath(new URL('codecs', import.meta.url))
    const imported = new Set(readdirSync(codecs).flatMap((file) => importsOf(`${codecs}/${file}`)))
    const missing = readdirSync(folder).filter((file) => !others.has(file) && !imported.has(file))
    expect(missing).toEqual([])
  })

  it('has a corpus each, and none besides', () => {
    const corpus = fileURLToPath(new URL('corpus', import.meta.url))
    const names = CODECS.map(({ name }) => `${name}.txt`)
    expect(readdirSync(corpus).toSorted()).toEqual(names.toSorted())
  })
})
