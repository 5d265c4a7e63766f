// One minute of one host in seven bytes: what the plots show of it, as exactly as they show it.
//
// A number of seconds becomes the nearest of steps that are even below 0.1 ms, which is the last digit on the page, and
// grow with the value above it: the inverse hyperbolic sine does both, on either side of zero. Within each range, a value
// v comes back within `share` of the hypotenuse of v and 0.1 ms, which is of v itself when v is not tiny:
//
//   drift         20 bits  0.003 %  as printed: to 0.1 ms below a second, to a second below an hour
//   connect, bind 12 bits  0.2 %    two digits and more
//   uncertainty   10 bits  1.1 %    the width of a band
//   state          2 bits
//
// What lies outside of its range becomes the end of it. Unknown is NaN here, and code 0 there.

export const MINUTE_BYTES = 7

/** By badness: of two in one minute the greater stays. */
export const STATE = { serving: 1, unknown: 2, notServing: 3 } as const

export interface Minute {
  /** One of STATE. */
  readonly state: number
  readonly connectSeconds: number
  readonly bindSeconds: number
  readonly driftSeconds: number
  readonly driftUncertaintySeconds: number
}

const FINEST_SECONDS = 0.0001

interface Steps {
  readonly leastSeconds: number
  readonly mostSeconds: number
  /** The code of zero seconds. */
  readonly zero: number
  readonly perUnit: number
}

function stepsOf(bits: number, mostSeconds: number, isSigned: boolean): Steps {
  const zero = isSigned ? 2 ** (bits - 1) : 1
  const perUnit = (2 ** bits - 1 - zero) / Math.asinh(mostSeconds / FINEST_SECONDS)
  return { leastSeconds: isSigned ? -mostSeconds : 0, mostSeconds, zero, perUnit }
}

/** As long as the longest timeout that can be configured. */
const LATENCY = stepsOf(12, 300, false)
/** Thirty years: a clock that has lost its battery. */
const DRIFT = stepsOf(20, 1e9, true)
const UNCERTAINTY = stepsOf(10, 86_400, false)

function codeOf(seconds: number, { leastSeconds, mostSeconds, zero, perUnit }: Steps): number {
  if (Number.isNaN(seconds)) return 0
  const within = Math.min(mostSeconds, Math.max(leastSeconds, seconds))
  return zero + Math.round(Math.asinh(within / FINEST_SECONDS) * perUnit)
}

function secondsOf(code: number, { zero, perUnit }: Steps): number {
  return code === 0 ? NaN : Math.sinh((code - zero) / perUnit) * FINEST_SECONDS
}

/** drift 20, connect 12; bind 12, uncertainty 10, state 2. */
export function packMinute(bytes: DataView, at: number, minute: Minute): void {
  const drift = codeOf(minute.driftSeconds, DRIFT)
  const connect = codeOf(minute.connectSeconds, LATENCY)
  const bind = codeOf(minute.bindSeconds, LATENCY)
  const uncertainty = codeOf(minute.driftUncertaintySeconds, UNCERTAINTY)
  bytes.setUint32(at, (drift << 12) | connect)
  bytes.setUint16(at + 4, (bind << 4) | (uncertainty >> 6))
  bytes.setUint8(at + 6, ((uncertainty & 0x3f) << 2) | minute.state)
}

export function unpackMinute(bytes: DataView, at: number): Minute {
  const first = bytes.getUint32(at)
  const second = (bytes.getUint16(at + 4) << 8) | bytes.getUint8(at + 6)
  return {
    state: second & 3,
    connectSeconds: secondsOf(first & 0xfff, LATENCY),
    bindSeconds: secondsOf(second >> 12, LATENCY),
    driftSeconds: secondsOf(first >>> 12, DRIFT),
    driftUncertaintySeconds: secondsOf((second >> 2) & 0x3ff, UNCERTAINTY),
  }
}
