/** The middle one, of an odd number of figures. */
export function medianOf(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? Number.NaN
}

export function spread(figures: readonly number[] | undefined, digits = 1): string {
  if (figures === undefined || figures.length === 0) return '-'
  const [median, least, most] = [medianOf(figures), Math.min(...figures), Math.max(...figures)].map((each) =>
    each.toFixed(digits),
  )
  return `${median} (${least} to ${most})`
}

export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)))
  for (const row of [head, widths.map((width) => '-'.repeat(width)), ...rows])
    process.stdout.write(`| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |\n`)
}
