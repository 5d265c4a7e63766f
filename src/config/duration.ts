// Durations as people write them in the file: `15s`, `1m30s`, `500ms`. Units go from large to small, each at most
// once, whole numbers only: Prometheus's own notation, without its weeks and years.

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const

const DURATION = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/

/** The duration as a regular expression for the JSON Schema. */
export const DURATION_PATTERN = '^(?=.)(\\d+d)?(\\d+h)?(\\d+m)?(\\d+s)?(\\d+ms)?$'

/** Seconds, or undefined when `text` is not a duration: a number without a unit is not one. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text)
  if (match === null || text === '') return undefined
  let milliseconds = 0
  for (const [index, [, size]] of UNITS.entries()) milliseconds += Number(match[index + 1] ?? 0) * size
  return Number.isSafeInteger(milliseconds) ? milliseconds / 1000 : undefined
}

/** The shortest text that `parseDuration` reads back as the same number of seconds, to the millisecond. */
export function formatDuration(seconds: number): string {
  let rest = Math.round(seconds * 1000)
  let text = ''
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size)
    if (count > 0) text += `${count}${unit}`
    rest -= count * size
  }
  return text === '' ? '0s' : text
}
