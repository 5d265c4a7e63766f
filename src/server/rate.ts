// How often something may happen: a token bucket, kept as one number (the generic cell rate algorithm, ITU-T I.371).
export interface Rate {
  /** What one token takes to come back. */
  readonly intervalSeconds: number
  /** How many may be taken at once. */
  readonly burst: number
}

/** When the bucket will be full again if this is let through, or undefined if it is not. Both clocks are the same one. */
export function letThrough(
  fullAtSeconds: number,
  nowSeconds: number,
  { intervalSeconds, burst }: Rate,
): number | undefined {
  const next = Math.max(fullAtSeconds, nowSeconds) + intervalSeconds
  // A little tolerance: sums of tenths are not exact.
  return next - nowSeconds > burst * intervalSeconds + 1e-9 ? undefined : next
}

export function createLimiter(): (rate: Rate) => boolean {
  let fullAt = 0
  return (rate) => {
    const next = letThrough(fullAt, performance.now() / 1000, rate)
    fullAt = next ?? fullAt
    return next !== undefined
  }
}

/** One bucket a key. Buckets that are full again are forgotten. */
export function createLimiters(rate: Rate): (key: string) => boolean {
  const fullAt = new Map<string, number>()
  return (key) => {
    const now = performance.now() / 1000
    for (const [other, at] of fullAt) {
      if (at > now) break
      fullAt.delete(other)
    }
    const next = letThrough(fullAt.get(key) ?? 0, now, rate)
    if (next === undefined) return false
    // Last in order, so that the first ones are those that are full again soonest, or nearly so.
    fullAt.delete(key)
    fullAt.set(key, next)
    return true
  }
}
