// What a scrape says, in one pass over its megabytes. Knows what the exporter writes, and no more of the format than that.

/** By family, then by labels as they stand between the braces. */
export type Seen = ReadonlyMap<string, ReadonlyMap<string, number>>

export function read(text: string, families: readonly string[]): Seen {
  const seen = new Map(families.map((family) => [family, new Map<string, number>()]))
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    if (text[start] !== '#') {
      const brace = text.indexOf('{', start)
      const labelled = brace > 0 && brace < end
      const value = text.lastIndexOf(' ', end - 1)
      const nameEnds = labelled ? brace : value
      const samples = seen.get(text.slice(start, nameEnds))
      samples?.set(labelled ? text.slice(brace + 1, value - 1) : '', Number(text.slice(value + 1, end)))
    }
    start = end + 1
  }
  return seen
}

/** The value of one label; undefined where there is none of that name. */
export function label(labels: string, name: string): string | undefined {
  const start = labels.startsWith(`${name}="`) ? 0 : labels.indexOf(`,${name}="`) + 1
  if (start === 0 && !labels.startsWith(`${name}="`)) return undefined
  const from = start + name.length + 2
  return labels.slice(from, labels.indexOf('"', from))
}

/** The samples of a family that has been read. */
export function samplesOf(seen: Seen, family: string): ReadonlyMap<string, number> {
  const samples = seen.get(family)
  if (samples === undefined) throw new Error(`${family} was not read`)
  return samples
}

export function sumOf(seen: Seen, family: string, having = ''): number {
  let sum = 0
  for (const [labels, value] of samplesOf(seen, family)) if (labels.includes(having)) sum += value
  return sum
}
