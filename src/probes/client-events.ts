// A client's last attempt to activate, by what it wrote into its Application log: 12288 for the request, 12289 for the answer.
import { parseHost } from '../config/values.ts'
import type { WindowsReader } from '../io/windows/windows.ts'
import { NOT_ENOUGH_COUNT, NOT_WINDOWS_SLP } from '../kms/known-results.ts'
import { MalformedMessage } from '../model/failure.ts'
import { hresultText } from '../model/hresult.ts'
import { datetimeOf, listOf, uint32Of, type CimRow } from '../protocol/cim.ts'
import { decodeClientRequest, decodeClientResponse, type ClientResponse } from '../protocol/kms-event.ts'
import { quote, quoteTime } from '../protocol/wql.ts'
import { FROM_SPP } from './event-records.ts'

export interface Activation {
  /** The event's own time, Unix seconds by the client's clock. */
  readonly atSeconds: number
  /**
   * Of 12289 where both are there. `0x00000000` for success; `not_activated` where the answer was taken without an error,
   * and without an activation, for a reason that it does not give.
   */
  readonly code: string
  /** Whether an answer arrived (12289); 12288 alone means that nobody answered. */
  readonly answered: boolean
  /** Host of the request, as event 12288 has it, in lower case. */
  readonly host: string | undefined
}

/** A client asks every two hours until it is activated, every seven days from then on. */
const WINDOWS_SECONDS = [86_400, 8 * 86_400]
/** Between asking for the time and for the events. */
const SLACK_SECONDS = 60
/** More than a client writes in 8 days, even if it tries every quarter of an hour. */
const MOST_EVENTS = 2000

interface Attempt {
  readonly atSeconds: number
  readonly record: number
  readonly eventCode: number
  readonly code: string
  readonly host: string | undefined
  /** Of the request's product; a GUID in lower case. */
  readonly activationId: string | undefined
}

/**
 * An answer without an error may well activate nothing: the documented example has HRESULT 0x0, "activated" 0, and in the
 * flags why (ff793440).
 */
function outcomeOf({ hresult, activated, flags }: ClientResponse): string {
  if (hresult !== 0 || activated) return hresultText(hresult)
  if ((flags & 0x0400_0000) !== 0) return hresultText(NOT_ENOUGH_COUNT)
  return (flags & 0x0800_0000) !== 0 ? hresultText(NOT_WINDOWS_SLP) : 'not_activated'
}

function attemptOf(row: CimRow): readonly Attempt[] {
  const eventCode = uint32Of(row, 'EventCode')
  const atSeconds = datetimeOf(row, 'TimeGenerated')
  const strings = listOf(row, 'InsertionStrings')
  const record = uint32Of(row, 'RecordNumber')
  if (atSeconds === undefined || record === undefined) return []
  const at = { atSeconds, record }
  try {
    if (eventCode === 12288) {
      const { hresult, host, activationId } = decodeClientRequest(strings)
      return [{ ...at, eventCode, code: hresultText(hresult), host: parseHost(host).value, activationId }]
    }
    if (eventCode === 12289) {
      const code = outcomeOf(decodeClientResponse(strings))
      return [{ ...at, eventCode, code, host: undefined, activationId: undefined }]
    }
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
  }
  return []
}

/** By the number: the clock may have been set back in between. */
function newest(attempts: readonly Attempt[]): Attempt | undefined {
  return attempts.toSorted((a, b) => b.record - a.record)[0]
}

/** Without those for another product, such as Office. An answer does not say for which it is: for the request before it. */
function ofProduct(attempts: readonly Attempt[], id: string | undefined): readonly Attempt[] {
  if (id === undefined) return attempts
  let other = false
  return attempts
    .toSorted((a, b) => a.record - b.record)
    .filter(({ eventCode, activationId }) => {
      if (eventCode === 12288) other = activationId !== undefined && activationId !== id
      return !other
    })
}

/** A request is logged before its answer: one with a lower number belongs to a request before it. */
function activationOf(rows: readonly CimRow[], productId: string | undefined): Activation | undefined {
  const attempts = ofProduct(rows.flatMap(attemptOf), productId)
  const request = newest(attempts.filter(({ eventCode }) => eventCode === 12288))
  const response = newest(attempts.filter(({ eventCode }) => eventCode === 12289))
  const host = request?.host
  if (response !== undefined && response.record > (request?.record ?? -1))
    return { atSeconds: response.atSeconds, code: response.code, answered: true, host }
  if (request === undefined) return undefined
  return { atSeconds: request.atSeconds, code: request.code, answered: false, host }
}

/** Whether there is a right to read the Application log. Without it, queries of events find nothing, and say nothing. */
async function isLogVisible(windows: WindowsReader): Promise<boolean> {
  const { rows } = await windows.query({
    from: 'Win32_NTEventlogFile',
    columns: ['NumberOfRecords'],
    where: `LogfileName = ${quote('Application')}`,
  })
  return rows.length > 0
}

/**
 * Of the product with this activation id (lower case), or of any. Rejects where events cannot be asked for; `readable` is
 * false where the answer says nothing for want of a right.
 */
export async function askLastActivation(
  windows: WindowsReader,
  productId: string | undefined,
  nowSeconds: number,
): Promise<{ readonly lastActivation: Activation | undefined; readonly readable: boolean }> {
  let found: Activation | undefined
  for (const seconds of WINDOWS_SECONDS) {
    const { rows } = await windows.query(
      {
        from: 'Win32_NTLogEvent',
        columns: ['RecordNumber', 'EventCode', 'TimeGenerated', 'InsertionStrings'],
        where:
          `Logfile = ${quote('Application')} AND (EventCode = 12288 OR EventCode = 12289)` +
          ` AND (${FROM_SPP}) AND TimeGenerated >= ${quoteTime(nowSeconds - seconds)}`,
      },
      { mostRows: MOST_EVENTS },
    )
    const lastActivation = activationOf(rows, productId)
    found = lastActivation ?? found
    // One from a time when the clock was ahead may not be the last: that is looked for further back.
    if (lastActivation !== undefined && lastActivation.atSeconds <= nowSeconds + SLACK_SECONDS) break
  }
  return { lastActivation: found, readable: found !== undefined || (await isLogVisible(windows)) }
}
