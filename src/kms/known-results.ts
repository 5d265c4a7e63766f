// The outcomes of a request that are told apart in a label. Source: Microsoft's lists of activation error codes
// (activation-error-codes, troubleshoot-activation-error-codes), KB 974998 and slerror.h. Which of them a host writes into
// event 12290 is documented for 0xC004F06C alone; the others are those that can concern a request (unverified).
import { hresultText } from '../model/hresult.ts'

/** The host's clock and the client's differ by more than four hours, or the host is too old for the client. */
export const INVALID_TIMESTAMP = 0xc004f06c

/** A product that none of this host's keys activates. */
export const ID_MISMATCH = 0xc004f042

/** The host counts too few clients. */
export const NOT_ENOUGH_COUNT = 0xc004f038

/** No qualifying system in the firmware. */
export const NOT_WINDOWS_SLP = 0xc004f035

const KNOWN = new Set([
  0x0000_0000,
  ID_MISMATCH,
  INVALID_TIMESTAMP,
  0xc004f015, // the licence for the key is not installed
  NOT_WINDOWS_SLP,
  NOT_ENOUGH_COUNT,
  0xc004f039, // KMS is not enabled
  0xc004f041, // the host itself is not activated
  0xc004f069, // no such product
  0xc004f06b, // not in a virtual machine
  0xc004f074, // no host could be contacted
  0x80070005, // access denied
])

/** As a label: the code, or `other` for whatever is not in the list. */
export function resultLabel(hresult: number): string {
  return KNOWN.has(hresult) ? hresultText(hresult) : 'other'
}
