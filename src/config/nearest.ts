// "Did you mean": the closest of the words that would have been right. A slip of the fingers, not a synonym.

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1))
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? Infinity) + 1)
      row.push(best)
    }
    before = last
    last = row
  }
  return last[b.length] ?? 0
}

/** The nearest candidate, unless even that one is too far away to be what was meant. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  // A long word is not a slip of a short one, and measuring it would cost its square.
  if (word.length > 64) return undefined
  const given = word.toLowerCase().replaceAll('-', '_')
  let best: string | undefined
  let bestDistance = Infinity
  for (const candidate of candidates) {
    const steps = distance(given, candidate.toLowerCase().replaceAll('-', '_'))
    const allowed = Math.max(1, Math.floor(Math.max(given.length, candidate.length) / 3))
    if (steps <= allowed && steps < bestDistance) [best, bestDistance] = [candidate, steps]
  }
  return best
}

/** The hint for one wrong word out of a closed set. */
export function didYouMean(word: string, candidates: readonly string[]): string | undefined {
  const found = nearest(word, candidates)
  return found === undefined ? undefined : `did you mean "${found}"?`
}
