// Whose licence ends first, among clients that are too many to be kept one by one (see distinct.ts)? Of those that were
// refused when they last asked, the ones that end first are listed; where there is no room, it is noted when the first of
// the others ends, so that an end is told only while none that was crowded out may be earlier. A client that was served
// is off the list: with so many clients the count suffices, so that a success renews for 180 days, and by the time that
// these are short it is forgotten.
import { FORGOTTEN_AFTER_SECONDS } from './thresholds.ts'

const DAY_SECONDS = 86_400
/** So many have to be served before what was crowded out is in the way. */
const MOST_REFUSED = 512
const MOST_DAYS = 40
/** Clients say it in whole minutes, by clocks that are set now and then. */
const RESOLUTION_SECONDS = 120

interface Refusal {
  /** Unix seconds, by the client's word. */
  readonly expiresAt: number
  readonly atSeconds: number
}

export interface RefusedClients {
  /** By client and product. */
  readonly listed: ReadonlyMap<string, Refusal>
  /** By the day (since 1970) on which they last asked: the first end among those for whom there was no room. */
  readonly crowdedOut: ReadonlyMap<number, number>
}

interface Draft {
  readonly listed: Map<string, Refusal>
  readonly crowdedOut: Map<number, number>
}

export const NONE_REFUSED: RefusedClients = { listed: new Map(), crowdedOut: new Map() }

/** As of an exporter that kept no list: that others end earlier cannot be excluded before all of these are forgotten. */
export function unknownRefused(lastSeconds: number): RefusedClients {
  return { listed: new Map(), crowdedOut: new Map([[dayOf(lastSeconds), 0]]) }
}

function dayOf(seconds: number): number {
  return Math.floor(seconds / DAY_SECONDS)
}

export function draftOf({ listed, crowdedOut }: RefusedClients): Draft {
  return { listed: new Map(listed), crowdedOut: new Map(crowdedOut) }
}

/** `expiresAt` is undefined for one that was served, or did not say, or is kept one by one from now on. */
export function note(
  { listed, crowdedOut }: Draft,
  id: string,
  { expiresAt, atSeconds }: { readonly expiresAt: number | undefined; readonly atSeconds: number },
): void {
  const before = listed.get(id)
  if (before !== undefined && before.atSeconds > atSeconds) return
  listed.delete(id)
  if (expiresAt === undefined) return
  listed.set(id, { expiresAt, atSeconds })
  if (listed.size <= MOST_REFUSED) return
  const [last, out] = [...listed].reduce((a, b) => (b[1].expiresAt > a[1].expiresAt ? b : a))
  listed.delete(last)
  const day = dayOf(out.atSeconds)
  crowdedOut.set(day, Math.min(out.expiresAt, crowdedOut.get(day) ?? out.expiresAt))
}

/** Whether a client that asked then is remembered still. Not what is of a day to come: our own clock was wrong. */
function isRemembered(atSeconds: number, nowSeconds: number): boolean {
  return atSeconds > nowSeconds - FORGOTTEN_AFTER_SECONDS && atSeconds <= nowSeconds + DAY_SECONDS
}

const endOf = (day: number): number => (day + 1) * DAY_SECONDS

export function forgetOld({ listed, crowdedOut }: Draft, nowSeconds: number): void {
  for (const [id, { atSeconds }] of listed) if (!isRemembered(atSeconds, nowSeconds)) listed.delete(id)
  for (const day of crowdedOut.keys()) if (!isRemembered(endOf(day), nowSeconds)) crowdedOut.delete(day)
}

/**
 * The first end among those that are listed and `others`. Undefined when there is none, and when one that was crowded out
 * may end earlier; but what has ended by now is news however many others have.
 */
export function firstExpiry(
  { listed, crowdedOut }: RefusedClients,
  others: readonly number[],
  nowSeconds: number,
): number | undefined {
  const own = [...listed.values()].filter(({ atSeconds }) => isRemembered(atSeconds, nowSeconds))
  const unseen = [...crowdedOut].filter(([day]) => isRemembered(endOf(day), nowSeconds))
  const first = least([...others, ...own.map(({ expiresAt }) => expiresAt)])
  const doubt = least(unseen.map(([, expiresAt]) => expiresAt))
  if (first === undefined || doubt === undefined) return first
  return first <= nowSeconds || first <= doubt + RESOLUTION_SECONDS ? first : undefined
}

function least(numbers: readonly number[]): number | undefined {
  return numbers.length === 0 ? undefined : numbers.reduce((a, b) => Math.min(a, b))
}

/** As plain lists, for the file. */
export function refusedJson({ listed, crowdedOut }: RefusedClients): object {
  return {
    listed: [...listed].map(([id, { expiresAt, atSeconds }]) => [id, expiresAt, atSeconds]),
    crowdedOut: [...crowdedOut],
  }
}

/** Undefined for anything that `refusedJson` did not write. */
export function refusedFrom(json: unknown): RefusedClients | undefined {
  if (typeof json !== 'object' || json === null) return undefined
  const { listed, crowdedOut } = json as Record<string, unknown>
  if (!Array.isArray(listed) || listed.length > MOST_REFUSED) return undefined
  if (!Array.isArray(crowdedOut) || crowdedOut.length > MOST_DAYS) return undefined
  const read = draftOf(NONE_REFUSED)
  for (const entry of listed as readonly unknown[]) {
    const [id, expiresAt, atSeconds]: readonly unknown[] = Array.isArray(entry) ? entry : []
    if (typeof id !== 'string' || !/^[0-9a-f]{16} \d{1,10}$/.test(id)) return undefined
    if (!isTime(expiresAt) || !isTime(atSeconds)) return undefined
    read.listed.set(id, { expiresAt, atSeconds })
  }
  for (const entry of crowdedOut as readonly unknown[]) {
    const [day, expiresAt]: readonly unknown[] = Array.isArray(entry) ? entry : []
    if (!isTime(day) || !Number.isInteger(day) || !isTime(expiresAt)) return undefined
    read.crowdedOut.set(day, expiresAt)
  }
  return read
}

export function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
