// One CIM instance as a peer tells it: text by property name, and the few types that are made of it. Sentinels that
// mean "not known" (0xFFFFFFFF, the year 1601) become undefined here and nowhere else.
import { MalformedMessage } from '../model/failure.ts'

/** Null for nil; a list for an array property. */
export type CimValue = string | null | readonly string[]

/** Keyed by the property's name in lower case: CIM names do not care for case (DSP0004 5.2.1). */
export type CimRow = ReadonlyMap<string, CimValue>

/** Unsigned 32-bit properties say "no value" so, where the documentation says -1 (SoftwareLicensingService). */
const NO_UINT32 = 0xffff_ffff

function valueOf(row: CimRow, name: string): CimValue {
  return row.get(name.toLowerCase()) ?? null
}

/** Undefined for nil, for a property that is not there, and for a list that is not of one element. */
export function textOf(row: CimRow, name: string): string | undefined {
  const value = valueOf(row, name)
  if (typeof value === 'string') return value
  return value?.length === 1 ? value[0] : undefined
}

/** The elements of an array property; none for nil. */
export function listOf(row: CimRow, name: string): readonly string[] {
  const value = valueOf(row, name)
  return typeof value === 'string' ? [value] : (value ?? [])
}

/** Undefined for nil, absent and 0xFFFFFFFF. Throws MalformedMessage for what is no 32-bit number. */
export function uint32Of(row: CimRow, name: string): number | undefined {
  const text = textOf(row, name)
  if (text === undefined || text === '') return undefined
  const number = /^-?\d{1,10}$/.test(text) ? Number(text) : NaN
  if (!(number >= -(2 ** 31) && number <= NO_UINT32))
    throw new MalformedMessage(`${name} is not an unsigned 32-bit number`, 0)
  // ConvertTo-Json and some providers write the same bits as a signed number.
  const unsigned = number >>> 0
  return unsigned === NO_UINT32 ? undefined : unsigned
}

/** Undefined for nil and absent. `TRUE`, as OMI writes it, and 1/0 too. Throws MalformedMessage. */
export function booleanOf(row: CimRow, name: string): boolean | undefined {
  const text = textOf(row, name)?.toLowerCase()
  if (text === undefined || text === '') return undefined
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  throw new MalformedMessage(`${name} is not a boolean`, 0)
}

// DSP0004 5.2.4: yyyymmddHHMMSS.mmmmmm±UUU, with the minutes that local time is ahead of UTC.
const DMTF = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{6})([+-]\d{3})$/
const ISO = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/

/**
 * Unix seconds UTC of an ISO 8601 date (WS-Management) or a DMTF one (WMI). Undefined for nil, absent, and anything
 * before 1970: Windows writes 1601 for "never". Throws MalformedMessage.
 */
export function datetimeOf(row: CimRow, name: string): number | undefined {
  const text = textOf(row, name)
  if (text === undefined || text === '') return undefined
  const parts = DMTF.exec(text) ?? ISO.exec(text)
  if (parts === null) throw new MalformedMessage(`${name} is not a date`, 0)
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = parts
  const [y, mo, d, h, mi, s] = [year, month, day, hour, minute, second].map(Number)
  if (
    y === undefined ||
    mo === undefined ||
    d === undefined ||
    h === undefined ||
    mi === undefined ||
    s === undefined
  )
    throw new MalformedMessage(`${name} is not a date`, 0)
  const midnight = new Date(Date.UTC(y, mo - 1, d))
  if (midnight.getUTCMonth() !== mo - 1 || midnight.getUTCDate() !== d || h > 23 || mi > 59 || s > 60)
    throw new MalformedMessage(`${name} is not a date`, 0)
  const seconds =
    midnight.getTime() / 1000 + h * 3600 + mi * 60 + s + Number(`0.${fraction || '0'}`) - zoneSeconds(zone)
  return seconds < 0 ? undefined : seconds
}

function zoneSeconds(zone: string): number {
  if (zone === 'Z') return 0
  const sign = zone.startsWith('-') ? -1 : 1
  if (!zone.includes(':')) return sign * Number(zone.slice(1)) * 60
  return sign * (Number(zone.slice(1, 3)) * 3600 + Number(zone.slice(4, 6)) * 60)
}
