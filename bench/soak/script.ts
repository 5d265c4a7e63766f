// What happens to whom, and when: breakages and repairs from a seed, the same at each run. Pure.
import { WAYS, whyNot, type Breakage } from '../../src/lab/breakages.ts'
import type { Resident } from '../../src/lab/estate-hosts.ts'
import { forgottenIn } from './estate.ts'

export type Act =
  | { readonly kind: 'break'; readonly resident: Resident; readonly how: Breakage }
  | { readonly kind: 'repair'; readonly resident: Resident }
  /** A record that names a host which is gone appears, and is deleted. */
  | { readonly kind: 'forget' | 'remember'; readonly resident: Resident }

export interface Event {
  /** Since the start of the script. */
  readonly atSeconds: number
  readonly act: Act
}

/** Mulberry32: small, and the same everywhere. From 0 to below 1. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The part of the hosts that is broken: between 5 and 10 %, up and down in ten minutes. */
const shareAt = (seconds: number): number => 0.075 + 0.022 * Math.sin((2 * Math.PI * seconds) / 600)
/** Of all hosts in a second, at most: a script that breaks them all at once has nothing to say about the minutes after. */
const MOST_A_SECOND = 0.004
/** How long it lasts, and how long the host is left alone before and after, in graces: most of both is judged. */
const LASTS = [1.5, 3] as const
const RESTS = 1.5

export interface ScriptOptions {
  readonly seed: number
  readonly seconds: number
  /** See Pace. */
  readonly grace: number
}

export function scriptOf(residents: readonly Resident[], { seed, seconds, grace }: ScriptOptions): Event[] {
  const random = randomFrom(seed)
  const events: Event[] = []
  const freeFrom = new Map<Resident, number>()
  const domains = [...new Set(residents.map(({ domain }) => domain))]
  const mostAtOnce = Math.max(1, Math.ceil(residents.length * MOST_A_SECOND))
  let broken: number[] = []
  let turn = 0

  /** One that is healthy, rested, and can be broken like this; of a few tries, so that it may be nobody. */
  function pick(at: number, how: Breakage): Resident | undefined {
    for (let attempt = 0; attempt < 200; attempt += 1) {
      const resident = residents[Math.floor(random() * residents.length)]
      if (resident === undefined || (freeFrom.get(resident) ?? 0) > at) continue
      if (whyNot(resident, how) === undefined) return resident
    }
    return undefined
  }

  for (let second = 0; second < seconds; second += 1) {
    broken = broken.filter((until) => until > second)
    const wanted = Math.min(mostAtOnce, Math.round(residents.length * shareAt(second)) - broken.length)
    for (let count = 0; count < wanted; count += 1) {
      const how = WAYS[turn++ % WAYS.length] ?? 'stop_service'
      const at = second + random()
      const resident = pick(at, how)
      const until = at + grace * (LASTS[0] + random() * (LASTS[1] - LASTS[0]))
      if (resident === undefined) continue
      freeFrom.set(resident, until + grace * RESTS)
      broken.push(until)
      events.push({ atSeconds: at, act: { kind: 'break', resident, how } })
      events.push({ atSeconds: until, act: { kind: 'repair', resident } })
    }
  }
  // One domain after the other has a record too many.
  const lasts = grace * LASTS[0]
  for (let at = 0, index = 0; at < seconds; at += lasts * 1.1, index += 1) {
    const domain = domains[index % domains.length]
    if (domain === undefined) break
    const resident = forgottenIn(domain)
    events.push({ atSeconds: at, act: { kind: 'forget', resident } })
    events.push({ atSeconds: at + lasts, act: { kind: 'remember', resident } })
  }
  return events.filter(({ atSeconds }) => atSeconds < seconds).toSorted((a, b) => a.atSeconds - b.atSeconds)
}
