// Series as SVG shapes, and what they say in numbers. Pure text; colours, widths and words are the style's and the page's.
// Points are minutes, drawn as steps: a value stands until the next one. What is unknown is a gap, never a zero.

export interface Scale {
  readonly low: number
  readonly high: number
}

/** How many points wide a plot is whose last point is at its right edge. */
const WINDOWS = [30, 60, 120, 180, 360]

const HEIGHT = 100

export interface Summary {
  readonly now: number | undefined
  readonly least: number
  readonly median: number
  readonly most: number
  /** Points of which nothing is known. */
  readonly unknown: number
}

/** The narrowest window that shows all points. */
export function windowFor(points: number): number {
  return WINDOWS.find((each) => each >= points) ?? points
}

/** A new list, of those that are no gap. */
function knownOf(values: Float32Array): Float32Array {
  const known = new Float32Array(values.length)
  let count = 0
  // Not filter(): a page has a hundred of these.
  for (const value of values) {
    if (Number.isNaN(value)) continue
    known[count] = value
    count += 1
  }
  return known.subarray(0, count)
}

/** Undefined when no value is known. */
export function summaryOf(values: Float32Array): Summary | undefined {
  const known = knownOf(values).sort()
  const [least] = known
  const most = known.at(-1)
  if (least === undefined || most === undefined) return undefined
  const middle = known.length >> 1
  const upper = known[middle] ?? least
  const median = known.length % 2 === 1 ? upper : ((known[middle - 1] ?? upper) + upper) / 2
  const last = values.at(-1)
  const now = last === undefined || Number.isNaN(last) ? undefined : last
  return { now, least, median, most, unknown: values.length - known.length }
}

/** The next 1, 2 or 5 times a power of ten that is not less. */
export function roundUp(value: number): number {
  if (!(value > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  // Powers of ten below one are not exact.
  const times = [1, 2, 5, 10].find((each) => value <= each * power * (1 + 1e-9)) ?? 10
  return times * power
}

/** Where a scale of seconds may end: 1, 2, 5 times a power of ten, and from a minute on what clocks count by. */
export function roundUpSeconds(seconds: number): number {
  const steps = [60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400]
  if (seconds <= 50) return roundUp(seconds)
  return steps.find((each) => seconds <= each) ?? roundUp(seconds / 86_400) * 86_400
}

function heightOf(value: number, { low, high }: Scale): number {
  const share = Math.min(1, Math.max(0, (value - low) / (high - low)))
  return Math.round((1 - share) * HEIGHT * 10) / 10
}

/** Runs of known points: [first, end). */
function runsOf(values: Float32Array): readonly (readonly [first: number, end: number])[] {
  const runs: [number, number][] = []
  let first = -1
  for (let index = 0; index <= values.length; index += 1) {
    const known = index < values.length && !Number.isNaN(values[index] ?? NaN)
    if (known && first === -1) first = index
    if (!known && first !== -1) {
      runs.push([first, index])
      first = -1
    }
  }
  return runs
}

/** `M0 40H3V38H4`: horizontal where nothing changes, and broken at gaps. */
function stepsOf(values: Float32Array, offset: number, scale: Scale): string {
  return runsOf(values)
    .map(([first, end]) => {
      let height = heightOf(values[first] ?? 0, scale)
      let path = `M${offset + first} ${height}`
      for (let index = first + 1; index < end; index += 1) {
        const next = heightOf(values[index] ?? 0, scale)
        if (next === height) continue
        path += `H${offset + index}V${next}`
        height = next
      }
      return `${path}H${offset + end}`
    })
    .join('')
}

export interface Line {
  readonly kind: string
  readonly values: Float32Array
}

/** Series of one length over one scale; the window may be wider than they are. */
export function lineOf({ kind, values }: Line, window: number, scale: Scale): string {
  const path = stepsOf(values, window - values.length, scale)
  return path === '' ? '' : `<path class="line ${kind}" d="${path}" vector-effect="non-scaling-stroke"/>`
}

/** The area between two series, point by point. */
export function bandOf(low: Float32Array, high: Float32Array, window: number, scale: Scale): string {
  const offset = window - low.length
  const path = runsOf(low)
    .map(([first, end]) => {
      const points = Array.from({ length: end - first }, (_, index) => first + index)
      const upper = points.map((at) => `V${heightOf(high[at] ?? 0, scale)}H${offset + at + 1}`)
      const lower = points.toReversed().map((at) => `V${heightOf(low[at] ?? 0, scale)}H${offset + at}`)
      return `M${offset + first} ${heightOf(low[first] ?? 0, scale)}${upper.join('')}${lower.join('')}Z`
    })
    .join('')
  return path === '' ? '' : `<path class="band" d="${path}"/>`
}

/** A level across the whole plot; nothing where it lies outside. */
export function levelOf(value: number, kind: string, window: number, scale: Scale): string {
  if (value < scale.low || value > scale.high) return ''
  return `<path class="level ${kind}" d="M0 ${heightOf(value, scale)}H${window}" vector-effect="non-scaling-stroke"/>`
}

/** `label`: what it shows, for those who do not see it, escaped; without one it is decoration beside text that says it. */
export function svg(shapes: string, kind: string, window: number, label?: string): string {
  const alternative = label === undefined ? 'aria-hidden="true"' : `role="img" aria-label="${label}"`
  return `<svg class="${kind}" viewBox="0 0 ${window} ${HEIGHT}" preserveAspectRatio="none" ${alternative}>${shapes}</svg>`
}

const SPARKS = 60

/** At most so many points: the greatest of each group, so that no peak is lost. */
function thinned(values: Float32Array, window: number): Float32Array {
  const group = Math.ceil(window / SPARKS)
  const groups = Math.ceil(values.length / group)
  return Float32Array.from({ length: groups }, (_, index) => {
    // Counted from the end, so that only the oldest group is short.
    const end = values.length - (groups - 1 - index) * group
    let most = NaN
    for (const value of values.subarray(Math.max(0, end - group), end))
      if (!(value <= most)) most = Number.isNaN(value) ? most : value
    return most
  })
}

/** From zero to the greatest value; empty when nothing is known. */
export function sparkline(values: Float32Array, label: string): string {
  const summary = summaryOf(values)
  if (summary === undefined) return ''
  const window = windowFor(values.length)
  const scale = { low: 0, high: roundUp(summary.most) }
  const width = Math.min(window, SPARKS)
  return svg(lineOf({ kind: 'one', values: thinned(values, window) }, width, scale), 'spark', width, label)
}

const BARS = { true: ['good', 30], undefined: ['unknown', 60], false: ['bad', 100] } as const

/** Bars that differ in height as well: low while it served, high while it did not, between where nobody knows. */
export function stripOf(states: readonly (boolean | undefined)[], window: number): string {
  const offset = window - states.length
  const bars: string[] = []
  let first = 0
  for (let index = 1; index <= states.length; index += 1) {
    if (index < states.length && states[index] === states[first]) continue
    const [kind, height] = BARS[`${states[first]}`]
    bars.push(
      `<rect class="${kind}" x="${offset + first}" y="${HEIGHT - height}" width="${index - first}" height="${height}"/>`,
    )
    first = index
  }
  return bars.join('')
}
