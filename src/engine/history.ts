// What the last six hours of each host were like, for the plots of the status page. In memory and bounded: a ring of one
// point a minute, by the monotonic clock, so that a wall clock that is set moves the whole of it and tears nothing.
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import type { Clock } from '../io/clock.ts'
import { halfWidth, midpoint } from '../model/interval.ts'
import type { ResultOf } from '../probes/index.ts'
import type { KmsFacts } from '../probes/license-facts.ts'

const STEP_SECONDS = 60
const POINTS = 360

/** Of a minute the longest latency, and the latest of everything else. */
const LONGEST = ['connectSeconds', 'bindSeconds'] as const
const LATEST = ['driftSeconds', 'driftUncertaintySeconds', 'clients', 'requiredClients'] as const
const SERIES = [...LONGEST, ...LATEST]

type Series = (typeof SERIES)[number]

/** What is known of a host at one moment; undefined where it is not. */
export type Observation = Readonly<Record<Series, number | undefined>> & {
  readonly serving: boolean | undefined
}

/** Oldest first, the last one of the minute that has begun. Each value stands until there is another. */
export interface Trail {
  /** When the first point's minute began, Unix seconds by the wall clock of today. */
  readonly fromSeconds: number
  readonly stepSeconds: number
  /** The worst of each minute: not serving, then cannot tell, then serving. */
  readonly serving: readonly (boolean | undefined)[]
  /** NaN where nothing was known. */
  readonly values: Readonly<Record<Series, Float32Array>>
}

export interface History {
  note(host: string, seen: Observation): void
  /** Undefined for a host of which nothing was noted. */
  trail(host: string): Trail | undefined
  forget(host: string): void
}

export interface Count {
  readonly product: string
  readonly clients: number
  readonly required: number | undefined
}

/** Of several keys the one that is nearest to what it takes, or furthest below. */
export function countOf(kms: KmsFacts | undefined): Count | undefined {
  let nearest: Count | undefined
  for (const { product, currentClients, requiredClients } of kms?.products ?? []) {
    if (currentClients === undefined) continue
    const count = { product, clients: currentClients, required: requiredClients }
    if (nearest === undefined || spare(count) < spare(nearest)) nearest = count
  }
  return nearest
}

function spare({ clients, required }: Count): number {
  return required === undefined ? Infinity : clients - required
}

/** The slowest of a host's addresses that answered. */
export function slowest(
  port: ResultOf<'port'> | undefined,
  which: 'connectSeconds' | 'bindSeconds',
): number | undefined {
  const known = (port?.reading?.addresses ?? []).flatMap((each) => each[which] ?? [])
  return known.length === 0 ? undefined : Math.max(...known)
}

export function observe(
  { serving, drift }: Pick<Diagnosis, 'serving' | 'drift'>,
  port: ResultOf<'port'> | undefined,
  licensing: ResultOf<'licensing'> | undefined,
): Observation {
  const count = countOf(licensing?.reading?.kms)
  return {
    serving,
    connectSeconds: slowest(port, 'connectSeconds'),
    bindSeconds: slowest(port, 'bindSeconds'),
    driftSeconds: drift && midpoint(drift),
    driftUncertaintySeconds: drift && halfWidth(drift),
    clients: count?.clients,
    requiredClients: count?.required,
  }
}

/** By badness: of two in one minute the greater stays. */
const CODES = { true: 1, undefined: 2, false: 3 } as const
const STATES = [undefined, true, undefined, false] as const

function codeOf({ serving }: Observation): number {
  return CODES[`${serving}`]
}

interface Ring {
  /** Of the newest point, counted by the monotonic clock. */
  minute: number
  /** The last minute in which something was noted; after it, what was known then stands. */
  notedMinute: number
  length: number
  latest: Observation
  readonly states: Uint8Array
  /** Made when there is something to put in: most hosts have no count. */
  readonly values: Partial<Record<Series, Float32Array>>
}

function put(ring: Ring, slot: number, series: Series, value: number | undefined): void {
  if (value === undefined && ring.values[series] === undefined) return
  const values = (ring.values[series] ??= new Float32Array(POINTS).fill(NaN))
  values[slot] = value ?? NaN
}

/** A minute begins with what was known at the end of the one before. */
function advance(ring: Ring, minute: number): void {
  const first = Math.max(ring.minute + 1, minute - POINTS + 1)
  for (let each = first; each <= minute; each += 1) {
    const slot = each % POINTS
    ring.states[slot] = codeOf(ring.latest)
    for (const series of SERIES) put(ring, slot, series, ring.latest[series])
  }
  ring.length = Math.min(POINTS, ring.length + Math.max(0, minute - ring.minute))
  ring.minute = Math.max(ring.minute, minute)
}

function write(ring: Ring, seen: Observation): void {
  const slot = ring.minute % POINTS
  const isFirst = ring.notedMinute !== ring.minute
  ring.states[slot] = Math.max(ring.states[slot] ?? 0, codeOf(seen))
  for (const series of LATEST) put(ring, slot, series, seen[series])
  for (const series of LONGEST) {
    const before = isFirst ? NaN : (ring.values[series]?.[slot] ?? NaN)
    const value = seen[series]
    put(ring, slot, series, Number.isNaN(before) ? value : Math.max(before, value ?? before))
  }
  ring.notedMinute = ring.minute
  ring.latest = seen
}

const NOTHING = new Float32Array(POINTS).fill(NaN)

/** A copy in the order of time. */
function unwound<T extends Float32Array | Uint8Array>(ring: T, first: number, length: number): T {
  const begin = first % POINTS
  const copy = ring.slice(0, length)
  const older = ring.subarray(begin, Math.min(POINTS, begin + length))
  copy.set(older)
  copy.set(ring.subarray(0, length - older.length), older.length)
  return copy as T
}

/** About 9 KiB a host; 6 without a count. */
export function createHistory(clock: Clock): History {
  const rings = new Map<string, Ring>()
  const thisMinute = (): number => Math.floor(clock.monotonicSeconds() / STEP_SECONDS)

  return {
    note(host, seen) {
      const minute = thisMinute()
      let ring = rings.get(host)
      if (ring === undefined) {
        const states = new Uint8Array(POINTS)
        ring = { minute, notedMinute: -1, length: 1, latest: seen, states, values: {} }
        rings.set(host, ring)
      }
      advance(ring, minute)
      write(ring, seen)
    },
    trail(host) {
      const ring = rings.get(host)
      if (ring === undefined) return undefined
      advance(ring, thisMinute())
      const { minute, length, states, values } = ring
      const first = minute - length + 1
      const known = SERIES.map(
        (series) => [series, unwound(values[series] ?? NOTHING, first, length)] as const,
      )
      return {
        fromSeconds: clock.wallSeconds() - clock.monotonicSeconds() + first * STEP_SECONDS,
        stepSeconds: STEP_SECONDS,
        serving: Array.from(unwound(states, first, length), (code) => STATES[code]),
        values: Object.fromEntries(known) as Record<Series, Float32Array>,
      }
    },
    forget: (host) => void rings.delete(host),
  }
}
