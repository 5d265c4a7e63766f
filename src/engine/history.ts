// What the last six hours of each host were like, for the plots of the status page. In memory and bounded: one point a
// minute, by the monotonic clock, so that a wall clock that is set moves the whole of it and tears nothing.
//
// The minute that has begun is exact, and stands with each host. When it has passed, it is packed with that of all other
// hosts into one column, of which the last 359 are kept: not an array or more for each host, and nothing for hours that
// were not seen yet. Counts hardly ever change: a host has a list of when they did, and of what they then were, exactly.
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import type { Clock } from '../io/clock.ts'
import { halfWidth, midpoint } from '../model/interval.ts'
import type { ResultOf } from '../probes/index.ts'
import type { KmsFacts } from '../probes/license-facts.ts'
import { MINUTE_BYTES, packMinute, STATE, unpackMinute } from './minute.ts'

const STEP_SECONDS = 60
const POINTS = 360

type Series =
  | 'connectSeconds'
  | 'bindSeconds'
  | 'driftSeconds'
  | 'driftUncertaintySeconds'
  | 'clients'
  | 'requiredClients'

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
  /**
   * Of each minute the longest latency, and the latest of everything else; NaN where nothing was known. The last point and
   * the counts are exact, the rest as minute.ts has it.
   */
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

/** The minute that has begun, and what the next one begins with. Seconds are NaN where they are not known. */
interface Host {
  /** Where it stands in every column since it was first noted. */
  readonly slot: number
  readonly sinceMinute: number
  /** The last minute in which something was noted; after it, what was known then stands. */
  notedMinute: number
  state: number
  connectSeconds: number
  bindSeconds: number
  driftSeconds: number
  driftUncertaintySeconds: number
  latestState: number
  latestConnectSeconds: number
  latestBindSeconds: number
  /** Minute, clients, required; minute, clients, required; one for each change. Undefined while neither was ever known. */
  counts: number[] | undefined
}

const COUNT_FIELDS = 3
/** Among counts. */
const UNKNOWN_COUNT = -1

const STATES = { [STATE.serving]: true, [STATE.unknown]: undefined, [STATE.notServing]: false } as const

function stateOf(serving: boolean | undefined): number {
  if (serving === undefined) return STATE.unknown
  return serving ? STATE.serving : STATE.notServing
}

function newHost(slot: number, minute: number): Host {
  return {
    slot,
    sinceMinute: minute,
    notedMinute: -1,
    state: STATE.serving,
    connectSeconds: NaN,
    bindSeconds: NaN,
    driftSeconds: NaN,
    driftUncertaintySeconds: NaN,
    latestState: STATE.serving,
    latestConnectSeconds: NaN,
    latestBindSeconds: NaN,
    counts: undefined,
  }
}

function noteCounts(host: Host, minute: number, clients: number, required: number): void {
  const { counts } = host
  if (counts === undefined) {
    if (clients !== UNKNOWN_COUNT || required !== UNKNOWN_COUNT) host.counts = [minute, clients, required]
    return
  }
  const last = counts.length - COUNT_FIELDS
  if (counts[last + 1] === clients && counts[last + 2] === required) return
  if (counts[last] === minute) counts.length = last
  counts.push(minute, clients, required)
  // What ended before the first minute that is kept.
  while ((counts[COUNT_FIELDS] ?? Infinity) <= minute - POINTS + 1) counts.splice(0, COUNT_FIELDS)
}

/** Of two the longer; NaN is none. */
function longer(a: number, b: number): number {
  return a >= b || Number.isNaN(b) ? a : b
}

/** Called for each judgement, hundreds of times a second: nothing is made here. */
function write(host: Host, minute: number, seen: Observation): void {
  const isFirst = host.notedMinute !== minute
  const state = stateOf(seen.serving)
  const connectSeconds = seen.connectSeconds ?? NaN
  const bindSeconds = seen.bindSeconds ?? NaN
  host.state = Math.max(host.state, state)
  host.connectSeconds = isFirst ? connectSeconds : longer(host.connectSeconds, connectSeconds)
  host.bindSeconds = isFirst ? bindSeconds : longer(host.bindSeconds, bindSeconds)
  host.driftSeconds = seen.driftSeconds ?? NaN
  host.driftUncertaintySeconds = seen.driftUncertaintySeconds ?? NaN
  host.latestState = state
  host.latestConnectSeconds = connectSeconds
  host.latestBindSeconds = bindSeconds
  host.notedMinute = minute
  noteCounts(host, minute, seen.clients ?? UNKNOWN_COUNT, seen.requiredClients ?? UNKNOWN_COUNT)
}

/** The minute that has passed, of all hosts; the next one begins with what was known at the end of it. */
function passed(hosts: Iterable<Host>, slots: number): DataView {
  const column = new DataView(new ArrayBuffer(slots * MINUTE_BYTES))
  for (const host of hosts) {
    packMinute(column, host.slot * MINUTE_BYTES, host)
    host.state = host.latestState
    host.connectSeconds = host.latestConnectSeconds
    host.bindSeconds = host.latestBindSeconds
  }
  return column
}

/** Of each minute from `first` on. */
function countSeries(
  { counts = [] }: Host,
  first: number,
  length: number,
): Pick<Trail['values'], 'clients' | 'requiredClients'> {
  const clients = new Float32Array(length).fill(NaN)
  const requiredClients = new Float32Array(length).fill(NaN)
  const known = (count = UNKNOWN_COUNT): number => (count === UNKNOWN_COUNT ? NaN : count)
  for (let at = 0; at < counts.length; at += COUNT_FIELDS) {
    const from = Math.max(0, (counts[at] ?? 0) - first)
    clients.fill(known(counts[at + 1]), from)
    requiredClients.fill(known(counts[at + 2]), from)
  }
  return { clients, requiredClients }
}

/**
 * About 2.8 KB a host after six hours, of which 2.5 are columns, and 0.1 more with a count that stays. Columns have room
 * for as many hosts as there ever were at once.
 */
export function createHistory(clock: Clock): History {
  const hosts = new Map<string, Host>()
  const freeSlots: number[] = []
  let slots = 0
  /** By minute modulo POINTS. */
  const columns: DataView[] = []
  const thisMinute = (): number => Math.floor(clock.monotonicSeconds() / STEP_SECONDS)
  /** The one that has begun, as far as the hosts know. */
  let minute = thisMinute()

  function turn(): void {
    const next = thisMinute()
    if (next <= minute) return
    columns[minute % POINTS] = passed(hosts.values(), slots)
    if (minute + 1 < next) {
      // Nobody was noted in any of these.
      const standing = passed(hosts.values(), slots)
      const first = Math.max(minute + 1, next - POINTS + 1)
      for (let each = first; each < next; each += 1) columns[each % POINTS] = standing
    }
    minute = next
  }

  return {
    note(name, seen) {
      turn()
      let host = hosts.get(name)
      if (host === undefined) {
        host = newHost(freeSlots.pop() ?? slots++, minute)
        hosts.set(name, host)
      }
      write(host, minute, seen)
    },
    trail(name) {
      turn()
      const host = hosts.get(name)
      if (host === undefined) return undefined
      const first = Math.max(host.sinceMinute, minute - POINTS + 1)
      const length = minute - first + 1
      const serving: (boolean | undefined)[] = []
      const values = {
        connectSeconds: new Float32Array(length),
        bindSeconds: new Float32Array(length),
        driftSeconds: new Float32Array(length),
        driftUncertaintySeconds: new Float32Array(length),
        ...countSeries(host, first, length),
      }
      for (let at = 0; at < length; at += 1) {
        const column = first + at === minute ? undefined : columns[(first + at) % POINTS]
        const point = column === undefined ? host : unpackMinute(column, host.slot * MINUTE_BYTES)
        serving.push(STATES[point.state as keyof typeof STATES])
        values.connectSeconds[at] = point.connectSeconds
        values.bindSeconds[at] = point.bindSeconds
        values.driftSeconds[at] = point.driftSeconds
        values.driftUncertaintySeconds[at] = point.driftUncertaintySeconds
      }
      return {
        fromSeconds: clock.wallSeconds() - clock.monotonicSeconds() + first * STEP_SECONDS,
        stepSeconds: STEP_SECONDS,
        serving,
        values,
      }
    },
    forget(name) {
      const host = hosts.get(name)
      if (host === undefined) return
      freeSlots.push(host.slot)
      hosts.delete(name)
    },
  }
}
