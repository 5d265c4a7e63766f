// How many different clients? A sample of them that stays small whatever comes: exact up to 4,096 clients of the last 30
// days, above that only those whose hash begins with enough zero bits (adaptive sampling: P. Flajolet, "On adaptive
// sampling", Computing 34, 1990). With k kept the relative standard error is about 1/√k: 2 to 3 %. Hashes are salted, so
// that nobody can choose client ids that are all kept or all dropped, and neither ids nor names can be read from the file.
import { createHash } from 'node:crypto'
import {
  draftOf,
  firstExpiry,
  forgetOld,
  isTime,
  NONE_REFUSED,
  note,
  refusedFrom,
  refusedJson,
  unknownRefused,
  type RefusedClients,
} from './refused.ts'

const DAY_SECONDS = 86_400
/** How long a client is remembered; KMS itself counts clients of 30 days. */
const REMEMBERED_SECONDS = 30 * DAY_SECONDS
const MOST_KEPT = 4096
/** A machine with Windows and Office asks for both under one id. */
const MOST_PRODUCTS = 4

interface NameSeen {
  readonly hash: number
  readonly atSeconds: number
}

interface ProductSeen {
  readonly hash: number
  /** Unix seconds; undefined where the client has just been served, or said nothing. */
  readonly expiresAt: number | undefined
  /** Answered with success: either it has a new licence now, or it comes back. */
  readonly served: boolean
  readonly atSeconds: number
}

interface ClientSeen {
  readonly lastSeconds: number
  /** The last two different names. */
  readonly names: readonly NameSeen[]
  readonly products: readonly ProductSeen[]
}

/** Treat as opaque; `sampleJson` writes it, `sampleFrom` reads it. */
export interface ClientSample {
  readonly salt: string
  /** Every client whose hash has so many leading zero bits is kept, if it was seen after `sinceSeconds`. */
  readonly level: number
  readonly sinceSeconds: number
  /** And every one with so many, since 30 days ago at least. Never less than `level`. */
  readonly settledLevel: number
  /** By hash: 16 hexadecimal digits. */
  readonly clients: ReadonlyMap<string, ClientSeen>
  /** Among the others. */
  readonly refused: RefusedClients
}

/** What one request says of its client. */
export interface ClientSighting {
  readonly cmid: string
  /** NetBIOS or DNS name; they are one name when their first labels are. Empty: unknown. */
  readonly name: string
  readonly product: string
  readonly atSeconds: number
  /** Unix seconds, by the client's word in its request; undefined when it said nothing usable. */
  readonly expiresAtSeconds: number | undefined
  /** The host answered with success. */
  readonly answered: boolean
}

export function emptySample(salt: string): ClientSample {
  return { salt, level: 0, sinceSeconds: 0, settledLevel: 0, clients: new Map(), refused: NONE_REFUSED }
}

function hash32(salt: string, text: string): number {
  return createHash('sha256').update(`${salt}\0${text}`).digest().readUInt32BE(0)
}

function levelOf(key: string): number {
  return Math.clz32(Number.parseInt(key.slice(0, 8), 16))
}

function namesAfter(known: readonly NameSeen[], hash: number, atSeconds: number): readonly NameSeen[] {
  const before = known.find((name) => name.hash === hash)
  const seen = { hash, atSeconds: Math.max(atSeconds, before?.atSeconds ?? 0) }
  const others = known.filter((name) => name.hash !== hash).toSorted((a, b) => b.atSeconds - a.atSeconds)
  return [seen, ...others].slice(0, 2)
}

function productsAfter(
  known: readonly ProductSeen[],
  hash: number,
  { atSeconds, expiresAtSeconds, answered }: ClientSighting,
): readonly ProductSeen[] {
  const before = known.find((product) => product.hash === hash)
  if (before !== undefined && before.atSeconds > atSeconds) return known
  // What a client says was so before the answer, and a success renews it: the 30 days of a fresh installation, or what a
  // laptop has left after months in a drawer, would count down for a week after all was well. Whether a success did renew
  // it (it does not where the count is too low, say) is told by its next request: then its word stands.
  const expiresAt = answered && before?.served !== true ? undefined : expiresAtSeconds
  const others = known
    .filter((product) => product.hash !== hash)
    .toSorted((a, b) => b.atSeconds - a.atSeconds)
  return [{ hash, expiresAt, served: answered, atSeconds }, ...others].slice(0, MOST_PRODUCTS)
}

function idOf(key: string, product: number): string {
  return `${key} ${product}`
}

/** Drops who is too old, and then as many as it takes. Changes `clients` and `refused`. */
function fit(
  sample: ClientSample,
  clients: Map<string, ClientSeen>,
  refused: ReturnType<typeof draftOf>,
  nowSeconds: number,
): Pick<ClientSample, 'level' | 'sinceSeconds' | 'settledLevel'> {
  let { level, sinceSeconds, settledLevel } = sample
  for (const [key, { lastSeconds }] of clients) {
    if (lastSeconds < nowSeconds - REMEMBERED_SECONDS) clients.delete(key)
  }
  if (nowSeconds - sinceSeconds >= REMEMBERED_SECONDS) {
    settledLevel = level
    // There is room for twice as many, or more: from now on they are kept, and in 30 days they count.
    while (level > 0 && clients.size * 2 ** (settledLevel - level + 1) <= MOST_KEPT / 2) level -= 1
    if (level < settledLevel) sinceSeconds = nowSeconds
  }
  while (clients.size > MOST_KEPT) {
    level += 1
    for (const [key, { products }] of clients) {
      if (levelOf(key) >= level) continue
      clients.delete(key)
      for (const { hash, served, ...seen } of products) if (!served) note(refused, idOf(key, hash), seen)
    }
  }
  forgetOld(refused, nowSeconds)
  return { level, sinceSeconds, settledLevel: Math.max(level, settledLevel) }
}

/** In any order; `nowSeconds` bounds their times, for a host's clock may be ahead. */
export function addSightings(
  sample: ClientSample,
  sightings: readonly ClientSighting[],
  nowSeconds: number,
): ClientSample {
  const clients = new Map(sample.clients)
  const refused = draftOf(sample.refused)
  let state = sample
  for (const sighting of sightings) {
    const key = createHash('sha256').update(`${sample.salt}\0${sighting.cmid}`).digest('hex').slice(0, 16)
    const atSeconds = Math.min(sighting.atSeconds, nowSeconds)
    if (atSeconds < nowSeconds - REMEMBERED_SECONDS) continue
    const product = hash32(sample.salt, sighting.product)
    const isKept = levelOf(key) >= state.level
    const expiresAt = isKept || sighting.answered ? undefined : sighting.expiresAtSeconds
    note(refused, idOf(key, product), { expiresAt, atSeconds })
    if (!isKept) continue
    const known = clients.get(key)
    const label = sighting.name.split('.', 1)[0]?.toLowerCase() ?? ''
    const names = known?.names ?? []
    clients.set(key, {
      lastSeconds: Math.max(atSeconds, known?.lastSeconds ?? 0),
      names: label === '' ? names : namesAfter(names, hash32(sample.salt, label), atSeconds),
      products: productsAfter(known?.products ?? [], product, { ...sighting, atSeconds }),
    })
    if (clients.size > MOST_KEPT) state = { ...state, ...fit(state, clients, refused, nowSeconds) }
  }
  return { ...state, ...fit(state, clients, refused, nowSeconds), clients, refused }
}

interface SampleCounts {
  /** By window, in the order given: those seen within so many seconds. */
  readonly distinct: readonly number[]
  readonly duplicates: number
  /** 1 while the numbers are exact. */
  readonly sampledOneIn: number
  /** Unix seconds; undefined where it cannot be told. */
  readonly earliestExpiry: number | undefined
}

export function countSample(
  sample: ClientSample,
  windows: readonly number[],
  nowSeconds: number,
): SampleCounts {
  const levelFor = (seconds: number): number =>
    nowSeconds - sample.sinceSeconds >= seconds ? sample.level : sample.settledLevel
  const oldest = nowSeconds - REMEMBERED_SECONDS
  const kept = [...sample.clients].filter(([, { lastSeconds }]) => lastSeconds > oldest)
  const estimate = (seconds: number, counts: (client: ClientSeen) => boolean): number => {
    const level = levelFor(seconds)
    return kept.filter(([key, client]) => levelOf(key) >= level && counts(client)).length * 2 ** level
  }
  const expiries = kept.flatMap(([, { products }]) =>
    products.flatMap(({ expiresAt, atSeconds }) =>
      expiresAt !== undefined && atSeconds > oldest ? [expiresAt] : [],
    ),
  )
  return {
    distinct: windows.map((seconds) =>
      estimate(seconds, ({ lastSeconds }) => lastSeconds > nowSeconds - seconds),
    ),
    duplicates: estimate(
      REMEMBERED_SECONDS,
      ({ names }) => names.filter(({ atSeconds }) => atSeconds > oldest).length > 1,
    ),
    sampledOneIn: 2 ** levelFor(REMEMBERED_SECONDS),
    earliestExpiry: firstExpiry(sample.refused, expiries, nowSeconds),
  }
}

/** As plain lists, for the file. */
export function sampleJson({ clients, refused, ...rest }: ClientSample): object {
  return {
    ...rest,
    refused: refusedJson(refused),
    clients: [...clients].map(([key, { lastSeconds, names, products }]) => [
      key,
      lastSeconds,
      names.map(({ hash, atSeconds }) => [hash, atSeconds]),
      products.map(({ hash, expiresAt, served, atSeconds }) => [
        hash,
        expiresAt ?? null,
        Number(served),
        atSeconds,
      ]),
    ]),
  }
}

function isWhole(value: unknown, most: number): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most
}

function clientFrom(json: unknown): readonly [string, ClientSeen] | undefined {
  if (!Array.isArray(json)) return undefined
  const [key, lastSeconds, names, products]: readonly unknown[] = json
  if (typeof key !== 'string' || !/^[0-9a-f]{16}$/.test(key) || !isTime(lastSeconds)) return undefined
  if (!Array.isArray(names) || !Array.isArray(products)) return undefined
  if (names.length > 2 || products.length > MOST_PRODUCTS) return undefined
  const namesSeen: NameSeen[] = []
  for (const name of names as readonly unknown[]) {
    const [hash, atSeconds]: readonly unknown[] = Array.isArray(name) ? name : []
    if (!isWhole(hash, 2 ** 32 - 1) || !isTime(atSeconds)) return undefined
    namesSeen.push({ hash, atSeconds })
  }
  const productsSeen: ProductSeen[] = []
  for (const product of products as readonly unknown[]) {
    const [hash, expiresAt, served, atSeconds]: readonly unknown[] = Array.isArray(product) ? product : []
    if (!isWhole(hash, 2 ** 32 - 1) || !isTime(atSeconds) || !isWhole(served, 1)) return undefined
    if (expiresAt !== null && !isTime(expiresAt)) return undefined
    productsSeen.push({ hash, expiresAt: expiresAt ?? undefined, served: served === 1, atSeconds })
  }
  return [key, { lastSeconds, names: namesSeen, products: productsSeen }]
}

/** Undefined for anything that `sampleJson` did not write. */
export function sampleFrom(json: unknown): ClientSample | undefined {
  if (typeof json !== 'object' || json === null) return undefined
  const { salt, level, sinceSeconds, settledLevel, clients, refused } = json as Record<string, unknown>
  if (typeof salt !== 'string' || salt.length > 64 || !isTime(sinceSeconds)) return undefined
  if (!isWhole(level, 32) || !isWhole(settledLevel, 32) || settledLevel < level) return undefined
  if (!Array.isArray(clients) || clients.length > MOST_KEPT) return undefined
  const kept = new Map<string, ClientSeen>()
  for (const client of clients as readonly unknown[]) {
    const entry = clientFrom(client)
    if (entry === undefined) return undefined
    kept.set(...entry)
  }
  const others = refused === undefined ? refusedBefore(kept, settledLevel) : refusedFrom(refused)
  return others && { salt, level, sinceSeconds, settledLevel, clients: kept, refused: others }
}

/** For a file of an exporter that did not know of the others. */
function refusedBefore(kept: ReadonlyMap<string, ClientSeen>, settledLevel: number): RefusedClients {
  if (settledLevel === 0) return NONE_REFUSED
  return unknownRefused([...kept.values()].reduce((last, { lastSeconds }) => Math.max(last, lastSeconds), 0))
}
