// What the counters of instrumented code (bundle.ts) say of one execution, and what all executions together have reached.
import type { CountedFile } from './bundle.ts'
import type { Counters } from './instrument.ts'

export const { $fuzz: counters, $fuzzFiles: files } = globalThis as unknown as {
  readonly $fuzz: Counters
  readonly $fuzzFiles: readonly CountedFile[]
}

const byNumber = files.toSorted((a, b) => a.number - b.number)

const magnitudeOf = (count: number): number => 31 - Math.clz32(count)

/** Before each execution. Costs little where little was reached. */
export function clear(): void {
  for (const { number, first, end } of byNumber) {
    if (counters.touched[number] === 0) continue
    counters.counts.fill(0, first, end)
    counters.touched[number] = 0
  }
}

function each(work: (place: number, count: number) => void): void {
  for (const { number, first, end } of byNumber) {
    if (counters.touched[number] === 0) continue
    for (let place = first; place < end; place++) {
      const count = counters.counts[place] ?? 0
      if (count > 0) work(place, count)
    }
  }
}

/** How many places were passed, each as often as it was. */
export function countSteps(): number {
  let steps = 0
  each((_, count) => (steps += count))
  return steps
}

export interface Reached {
  /** How much of the last execution is not in here: places, and orders of magnitude (of 2) at them. */
  countNew(): number
  countNewPlaces(): number
  /** Takes in the last execution. */
  note(): void
  readonly places: number
  hasAnyOf(file: CountedFile): boolean
}

export function createReached(): Reached {
  /** By place, a bit for each order of magnitude. */
  const seen = new Uint32Array(counters.counts.length)
  let places = 0
  return {
    countNew() {
      let found = 0
      each((place, count) => {
        if (((seen[place] ?? 0) & (1 << magnitudeOf(count))) === 0) found++
      })
      return found
    },
    countNewPlaces() {
      let found = 0
      each((place) => {
        if (seen[place] === 0) found++
      })
      return found
    },
    note() {
      each((place, count) => {
        const before = seen[place] ?? 0
        if (before === 0) places++
        seen[place] = before | (1 << magnitudeOf(count))
      })
    },
    get places() {
      return places
    },
    hasAnyOf: ({ first, end }) => seen.subarray(first, end).some((bits) => bits !== 0),
  }
}
