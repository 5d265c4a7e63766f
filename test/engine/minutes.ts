// How exact what is kept of past minutes has to be, and numbers to try it with.
import * as fc from 'fast-check'

/** Of the hypotenuse of the value and 0.1 ms. */
export const bounds = {
  connectSeconds: 0.002,
  bindSeconds: 0.002,
  driftSeconds: 0.00003,
  driftUncertaintySeconds: 0.011,
} as const

/** NaN is within nothing but NaN. */
export function within(actual: number, wanted: number, share: number): boolean {
  if (Number.isNaN(wanted)) return Number.isNaN(actual)
  return Math.abs(actual - wanted) <= share * Math.hypot(wanted, 0.0001)
}

/** As many small ones as large ones. */
function spread(least: number, most: number): fc.Arbitrary<number> {
  return fc
    .double({ min: Math.log(least), max: Math.log(most), noNaN: true })
    .map((power) => Math.min(most, Math.exp(power)))
}

export const seconds = {
  latency: spread(0.00001, 300),
  drift: fc.tuple(spread(1e-7, 1e9), fc.constantFrom(-1, 0, 1)).map(([size, sign]) => size * sign),
  uncertainty: spread(1e-6, 86_400),
} as const
