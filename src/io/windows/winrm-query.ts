// An enumeration from its first answer to its end, within bounds.
import { ProbeFailure } from '../../model/failure.ts'
import type { CimRow } from '../../protocol/cim.ts'
import {
  decodePage,
  encodeEnumerate,
  encodePull,
  encodeRelease,
  type Addressing,
  type Page,
} from '../../protocol/wsman.ts'
import { faultFailure } from '../../protocol/wsman-fault.ts'
import type { QueryOptions, Rows } from './windows.ts'
import type { Round } from './winrm-session.ts'

const MOST_ROWS = 10_000
/** Windows sends fewer where they do not fit into an envelope. */
const ROWS_A_PAGE = 100
/** A thousand events of the usual size are 1.5 MB. Many hosts may be asked at once. */
const MOST_LENGTH = 16 * 1024 * 1024
const MOST_ROUND_TRIPS = 2_000
const MOST_EMPTY_PAGES = 3

export interface Question<T> {
  readonly encode: (addressing: Addressing) => string
  readonly decode: (text: string, messageId: string) => T
  /** Asked anew over a fresh connection where a standing one turned out closed: only where the answer is the same. */
  readonly again: boolean
}

export type Say = <T>(question: Question<T>) => Promise<Round<T>>

/** Rejects as `WindowsReader.query` does. `letGo` releases what is not read on, as well as it can. */
export async function enumerate(
  wql: string,
  { mostRows = MOST_ROWS }: QueryOptions,
  where: string,
  { say, letGo }: { readonly say: Say; readonly letGo: (question: Question<void>) => Promise<void> },
): Promise<Rows> {
  const rows: CimRow[] = []
  let context: string | undefined
  let first: Round<unknown> | undefined
  let length = 0
  let empty = 0
  // One more than is wanted, to see whether there is more. The same in every question: Windows knows a fault for a Pull
  // whose parameters are others than the Enumerate's (0x803381AD), and its own clients cannot change this one midway.
  const most = Math.min(ROWS_A_PAGE, mostRows + 1)
  for (let roundTrips = 1; ; roundTrips++) {
    const round = await say(pageQuestion(wql, context, most))
    if (round.value.fault !== undefined) throw faultFailure(round.value.fault, where, round.mask)
    const page: Page = round.value
    for (const row of page.rows) rows.push(row)
    if (first === undefined && rows.length > 0) first = round
    context = page.context
    const enough = rows.length > mostRows
    if (enough && context !== undefined) await letGo(releaseQuestion(context))
    if (enough || context === undefined) {
      const { sent, received } = first ?? round
      return { rows: rows.slice(0, mostRows), complete: !enough, sent, received, roundTrips }
    }
    length += round.length
    empty = page.rows.length === 0 ? empty + 1 : 0
    if (length > MOST_LENGTH) throw new ProbeFailure('too_large', `${where}: rows without end`)
    if (roundTrips >= MOST_ROUND_TRIPS)
      throw new ProbeFailure('too_large', `${where}: no end after ${roundTrips} answers`)
    if (empty > MOST_EMPTY_PAGES)
      throw new ProbeFailure('protocol_error', `${where}: keeps saying that there is more, and sends nothing`)
  }
}

function pageQuestion(
  wql: string,
  context: string | undefined,
  most: number,
): Question<ReturnType<typeof decodePage>> {
  if (context === undefined)
    return {
      encode: (addressing) => encodeEnumerate(addressing, wql, most),
      decode: (text, messageId) => decodePage(text, messageId, 'Enumerate'),
      again: true,
    }
  // Rows that were sent and lost are not sent again.
  return {
    encode: (addressing) => encodePull(addressing, context, most),
    decode: (text, messageId) => decodePage(text, messageId, 'Pull'),
    again: false,
  }
}

function releaseQuestion(context: string): Question<void> {
  return { encode: (addressing) => encodeRelease(addressing, context), decode: () => {}, again: false }
}
