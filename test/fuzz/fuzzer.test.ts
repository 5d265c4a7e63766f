// The fuzzer is one: it finds what is planted. And with its counters, what no clock can say reliably: that the work of no
// decoder grows faster than its input.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundle } from './bundle.ts'
import { CODECS } from './codecs/index.ts'
import { instrument } from './instrument.ts'

const directory = mkdtempSync(join(tmpdir(), 'fuzzer-'))
let tried: typeof import('./tried.ts')
const stackTraceLimit = Error.stackTraceLimit

beforeAll(async () => {
  tried = (await import(await bundle('tried.ts', directory))) as typeof tried
})
afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
  Error.stackTraceLimit = stackTraceLimit
})

function planted(name: string): (typeof tried.PLANTED)[number] {
  const codec = tried.PLANTED.find((each) => each.name === name)
  if (codec === undefined) throw new Error('unreachable: it is planted')
  return codec
}

describe('the fuzzer', () => {
  it.each([
    ['throwing', 'TypeError: the planted defect'],
    ['slow', 'steps for'],
    ['greedy', 'a value of over'],
  ])('finds what is planted in a decoder that is %s, behind a number and a word', (name, says) => {
    const codec = planted(name)
    const explorer = tried.createExplorer(codec, tried.createRandom(1))
    explorer.add(codec.seeds)
    expect(explorer.state.findings).toEqual([])
    for (let round = 0; round < 40 && explorer.state.findings.length === 0; round++) {
      explorer.explore(1000)
      explorer.stretch()
    }
    const [finding] = explorer.state.findings
    expect(finding?.message).toContain(says)
    expect(Buffer.from(finding?.input.subarray(0, 4) ?? []).toString('hex')).toBe('02b0ad1b')
  })

  it('finds nothing in a decoder that is sound, whatever stage its refusals come at', () => {
    const codec = planted('sound')
    const explorer = tried.createExplorer(codec, tried.createRandom(1))
    explorer.add(codec.seeds)
    for (let time = 0; time < 10; time++) explorer.stretch()
    expect(explorer.state.findings).toEqual([])
  })

  it('keeps few inputs that reach all that was reached', () => {
    const codec = planted('throwing')
    const explorer = tried.createExplorer(codec, tried.createRandom(1))
    explorer.add(codec.seeds)
    explorer.explore(10_000)
    const again = tried.createExplorer(codec, tried.createRandom(2))
    again.add([...codec.seeds, ...explorer.corpus(4096)])
    expect(again.state.places).toBe(explorer.state.places)
    expect(again.state.kept).toBeLessThanOrEqual(explorer.state.kept + codec.seeds.length)
  })

  it.each(CODECS.map(({ name }) => name))('has seeds for %s that reach into it', (name) => {
    const codec = tried.CODECS.find((each) => each.name === name)
    if (codec === undefined) throw new Error('unreachable: it is in the table')
    const explorer = tried.createExplorer(codec, tried.createRandom(1))
    explorer.add(codec.seeds)
    const { places } = explorer.state
    expect(places).toBeGreaterThan(3)
    // A little of what `npm run fuzz` does for hours, the same each time.
    explorer.explore(50)
    explorer.stretch()
    expect(explorer.state.findings).toEqual([])
  })
})

describe('instrumented code', () => {
  it.each([
    [
      'branches without an else',
      'let a = 0; for (const b of [1, 2]) if (b === 2) a++; else if (b !== 1) a = 9; out(a)',
      1,
    ],
    [
      'a case that falls through',
      'switch (2) { case 1: out(1); case 2: case 3: out(3); break; default: out(4) }',
      3,
    ],
    ['arrows that give objects', 'const f = () => ({ a: 5 }); out(f().a)', 5],
    [
      'defaults, and what stands for nothing',
      'const f = (a = 2, { b } = { b: 3 }) => a * (b ?? 1) || 7; out(f())',
      6,
    ],
    [
      'directives',
      '"use strict"; function f() { "use strict"; return this === undefined }; out(f() ? 8 : 9)',
      8,
    ],
    ['comparisons within comparisons', 'out(typeof (1 === 1) === "boolean" && 1 + 1 !== 3 ? 1 : 0)', 1],
    [
      'loops of one statement',
      'let a = 0; do a++; while (a < 3); while (a < 5) a++; for (;a < 7;) a++; out(a)',
      7,
    ],
  ])('does what the code did: %s', (_, source, expected) => {
    const { code, places } = instrument(source, 0, 0)
    expect(places).toBeGreaterThan(0)
    const counters = { counts: new Uint32Array(places), touched: new Uint8Array(1), pairs: undefined }
    const results: unknown[] = []
    runInNewContext(code, { $fuzz: counters, out: (value: unknown) => results.push(value) })
    expect(results).toEqual([expected])
    expect(counters.counts.some((count) => count > 0)).toBe(true)
  })

  it('tells what it compares with, and what was compared in vain', () => {
    const { code, texts, numbers } = instrument('out(/ab+cd/.test("x") || "word" === `y${7}` || 3n)', 0, 0)
    expect(texts).toEqual(expect.arrayContaining(['ab', 'cd', 'x', 'word', 'y']))
    expect(numbers).toEqual([7, 3n])
    const counters = {
      counts: new Uint32Array(9),
      touched: new Uint8Array(1),
      pairs: [] as [unknown, unknown][],
    }
    runInNewContext(code, { $fuzz: counters, out: () => {} })
    expect(counters.pairs.map((pair) => pair.join(' '))).toEqual(['word y7'])
  })
})
