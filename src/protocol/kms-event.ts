// What the Software Protection service writes into the event log about KMS: the insertion strings of events 12288 to
// 12294 (Volume Activation 2.0 Operations Guide, "KMS Events Logged in Windows Event Log"; KB 974998; ff793440). Two
// shapes are met: one string with all fields, joined by commas (12288, 12289, and 12290 as it is rendered), or a string
// a field, after one more string of unknown meaning (12290 as three public scripts read it).
import { MalformedMessage } from '../model/failure.ts'
import { checkName } from './dns-name.ts'

/** Event 12290: a KMS host has processed a request. */
export interface HostRequest {
  /** Unsigned; 0 is success. */
  readonly hresult: number
  /** How many clients the product needs: 5 or 25. */
  readonly minCount: number
  /** As the client calls itself, NetBIOS or DNS; anything at all, for it is the client's word. */
  readonly clientName: string
  /** A GUID in lower case. */
  readonly cmid: string
  /**
   * Unix seconds by the client's clock, cut to a minute. KMS reckons in UTC (KB 974998); that the printed time is UTC is
   * not documented (unverified). Undefined when the date is in none of the documented forms.
   */
  readonly clientTimeSeconds: number | undefined
  readonly vmInfo: number | undefined
  /** 0 unlicensed, 1 licensed, 2 to 6 kinds of grace, before this request. */
  readonly licenseStatus: number | undefined
  /** Of the client's licence or grace, before this request. */
  readonly minutesToExpiration: number | undefined
  /** Of the product; a GUID in lower case. */
  readonly activationId: string | undefined
}

/** Event 12288: a client has sent a request, or could not. */
export interface ClientRequest extends Omit<HostRequest, 'clientName'> {
  readonly flags: number
  /** The KMS host that was asked. */
  readonly host: string
  readonly port: number | undefined
}

/** Event 12289: a client has processed the answer. */
export interface ClientResponse {
  readonly hresult: number
  /** 0x04000000: the count is too low (SL_VL_BINDING_ERROR_NOT_ENOUGH_COUNT). */
  readonly flags: number
  readonly activated: boolean
  readonly currentCount: number | undefined
  readonly clientTimeSeconds: number | undefined
}

/** A machine's name has 255 characters at most; no field is longer than a GUID otherwise. */
const MOST_CHARACTERS = 4096
const MOST_STRINGS = 16

const GUID = /^\{?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\}?$/i

type Fields = readonly string[]

function boundedOf(strings: readonly string[]): readonly string[] {
  const first = strings.slice(0, MOST_STRINGS)
  if (first.some((text) => text.length > MOST_CHARACTERS))
    throw new MalformedMessage('a string of the event is too long', MOST_CHARACTERS)
  return first
}

/**
 * `count` fields in whichever shape they come. One of them, `free`, may itself hold commas: in a joined string the
 * others are counted from both ends. Where there are strings enough for a field each, none of them is taken apart: a
 * client's name may itself look like a whole record.
 */
function shapesOf(strings: readonly string[], count: number, free: number): readonly Fields[] {
  const first = boundedOf(strings)
  const separate = [first.slice(1), first].filter((fields) => fields.length >= count)
  const joined = first
    .map((text) => text.split(','))
    .filter((parts) => parts.length >= count)
    .map((parts) => {
      const after = count - free - 1
      const middle = parts.slice(free, parts.length - after).join(',')
      return [...parts.slice(0, free), middle, ...parts.slice(parts.length - after)]
    })
  return (separate.length > 0 ? separate : joined).map((fields) => fields.map((field) => field.trim()))
}

/** The first shape whose `anchors` hold what they must. Throws MalformedMessage. */
function fieldsOf(
  strings: readonly string[],
  count: number,
  free: number,
  anchors: readonly (readonly [number, (text: string) => unknown])[],
): Fields {
  const found = shapesOf(strings, count, free).find((fields) =>
    anchors.every(([index, parse]) => parse(fields[index] ?? '') !== undefined),
  )
  if (found === undefined)
    throw new MalformedMessage('the strings of the event have none of the known shapes', 0)
  return found
}

function wholeOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined
}

/** Hexadecimal, of any number of digits, or decimal, signed as PowerShell has it; always given unsigned. */
function hresultOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^0x[0-9a-f]{1,8}$/i.test(text)) return Number(text)
  if (!/^-?\d{1,10}$/.test(text)) return undefined
  const number = Number(text)
  return number >= -(2 ** 31) && number < 2 ** 32 ? number >>> 0 : undefined
}

function guidOf(text: string | undefined): string | undefined {
  return GUID.exec(text ?? '')?.[1]?.toLowerCase()
}

// The two documented forms: 2006/1/14 2:30 and 1/14/2006 2:30. Seconds and AM/PM are there in case the host's language
// adds them (unverified).
const DATE =
  /^(?:(\d{4})\/(\d{1,2})\/(\d{1,2})|(\d{1,2})\/(\d{1,2})\/(\d{4})) (\d{1,2}):(\d{2})(?::(\d{2}))?(?: ?([AP])M)?$/i

/** Unix seconds, the text taken to be UTC (unverified). Undefined for any other form, and for a day that is none. */
function clientTimeOf(text: string | undefined): number | undefined {
  const [, year, month, day, monthFirst, dayFirst, yearLast, hourText, minute, second, half] =
    DATE.exec(text ?? '') ?? []
  if (hourText === undefined) return undefined
  const y = Number(year ?? yearLast)
  const m = Number(month ?? monthFirst)
  const d = Number(day ?? dayFirst)
  const twelve = half === undefined ? undefined : Number(hourText)
  const hour =
    twelve === undefined ? Number(hourText) : (twelve % 12) + (half?.toUpperCase() === 'P' ? 12 : 0)
  const midnight = new Date(Date.UTC(y, m - 1, d))
  const isDay = midnight.getUTCFullYear() === y && midnight.getUTCMonth() === m - 1 && y >= 1970
  const isHour = twelve === undefined ? hour <= 23 : twelve >= 1 && twelve <= 12
  if (!isDay || !isHour || Number(minute) > 59 || Number(second ?? 0) > 59) return undefined
  return midnight.getTime() / 1000 + hour * 3600 + Number(minute) * 60 + Number(second ?? 0)
}

/** What a request is made of stands in the same places on either side. */
function requestOf(fields: Fields) {
  return {
    hresult: hresultOf(fields[0]) ?? 0,
    cmid: guidOf(fields[3]) ?? '',
    clientTimeSeconds: clientTimeOf(fields[4]),
    vmInfo: wholeOf(fields[5]),
    licenseStatus: wholeOf(fields[6]),
    minutesToExpiration: wholeOf(fields[7]),
    activationId: guidOf(fields[8]),
  }
}

/** Event 12290. Throws MalformedMessage when the code, the count or the CMID cannot be made out. */
export function decodeHostRequest(strings: readonly string[]): HostRequest {
  const fields = fieldsOf(strings, 9, 2, [
    [0, hresultOf],
    [1, wholeOf],
    [3, guidOf],
  ])
  return { ...requestOf(fields), minCount: wholeOf(fields[1]) ?? 0, clientName: fields[2] ?? '' }
}

/** Event 12288. Throws MalformedMessage when the code, the flags or the CMID cannot be made out. */
export function decodeClientRequest(strings: readonly string[]): ClientRequest {
  const fields = fieldsOf(strings, 10, 2, [
    [0, hresultOf],
    [1, hresultOf],
    [3, guidOf],
  ])
  const [, host = '', port] = /^(.*?)(?::(\d{1,5}))?$/s.exec(fields[2] ?? '') ?? []
  return {
    ...requestOf(fields),
    flags: hresultOf(fields[1]) ?? 0,
    host: host.replace(/^\[(.*)\]$/s, '$1'),
    port: port === undefined || Number(port) > 65_535 ? undefined : Number(port),
    minCount: wholeOf(fields[9]) ?? 0,
  }
}

/** Event 12289. Throws MalformedMessage when the code, the flags or `activated` cannot be made out. */
export function decodeClientResponse(strings: readonly string[]): ClientResponse {
  const fields = fieldsOf(strings, 8, 7, [
    [0, hresultOf],
    [1, hresultOf],
    [2, wholeOf],
  ])
  return {
    hresult: hresultOf(fields[0]) ?? 0,
    flags: hresultOf(fields[1]) ?? 0,
    activated: wholeOf(fields[2]) !== 0,
    currentCount: wholeOf(fields[4]),
    clientTimeSeconds: clientTimeOf(fields[7]),
  }
}

/**
 * Event 12293 (HRESULT, domain; a string each, or joined by a comma) and 12294 (domain): publishing in DNS failed or
 * succeeded. The code is undefined for a success. Throws MalformedMessage when the domain is no DNS name.
 */
export function decodePublish(
  eventCode: 12293 | 12294,
  strings: readonly string[],
): { readonly domain: string; readonly hresult: number | undefined } {
  const given = boundedOf(strings)
  // Neither a code nor a domain holds a comma.
  const [code, domain] =
    eventCode === 12293 ? given.flatMap((text) => text.split(',')) : [undefined, ...given]
  if (domain === undefined) throw new MalformedMessage('the event names no domain', 0)
  return { domain: checkName(domain.trim()), hresult: hresultOf(code?.trim()) }
}

/** Events 12291 and 12292 (HRESULT): KMS, or its renewal timer, could not start. Undefined when no code is there. */
export function decodeInit(strings: readonly string[]): number | undefined {
  return strings
    .slice(0, MOST_STRINGS)
    .map((text) => hresultOf(text.slice(0, 32).trim()))
    .find((code) => code !== undefined)
}
