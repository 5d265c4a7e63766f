// What a WS-Management fault means, told by its codes (wsmerror.h, WMI's and Win32's own), never by its text: that is
// in the language of the host.
import { ProbeFailure, type Reason } from '../model/failure.ts'
import { hresultText } from '../model/hresult.ts'
import type { Fault } from './wsman.ts'

interface Meaning {
  readonly reason: Reason
  readonly codes: readonly number[]
  readonly sentence: string
}

const NAMESPACE_RIGHTS =
  'the account lacks "Enable Account" and "Remote Enable" on the WMI namespace, or "Execute Methods" to read the registry'

// In order: WMI's own word comes before WinRM's, which only passes it on.
const MEANINGS: readonly Meaning[] = [
  {
    reason: 'access_denied',
    // WBEM_E_ACCESS_DENIED; WMI_SVC_ACCESS_DENIED, WMI_CANNOT_CONNECT_ACCESS_DENIED.
    codes: [0x8004_1003, 0x8033_8104, 0x8033_8106],
    sentence: `WMI refuses: ${NAMESPACE_RIGHTS}`,
  },
  {
    reason: 'access_denied',
    // WMI_PROVIDER_ACCESS_DENIED.
    codes: [0x8033_8105],
    sentence: 'WMI lets the account in, but what it asks for is closed to it (an event log, a service)',
  },
  {
    reason: 'access_denied',
    // ERROR_ACCESS_DENIED, plain and as an HRESULT.
    codes: [5, 0x8007_0005],
    sentence: `WinRM refuses: the account is neither in Remote Management Users nor in the listener's RootSDDL, or ${NAMESPACE_RIGHTS}`,
  },
  {
    reason: 'not_found',
    // WBEM_E_INVALID_NAMESPACE, _INVALID_CLASS, _NOT_FOUND.
    codes: [0x8004_100e, 0x8004_1010, 0x8004_1002],
    sentence: 'this Windows has no such WMI class or namespace',
  },
  {
    reason: 'not_found',
    // WBEM_E_INVALID_QUERY; CANNOT_PROCESS_FILTER, by its two numbers: what Windows 2008 R2 says of an unknown class.
    codes: [0x8004_1017, 0x8033_801a, 0x8033_8122],
    sentence: 'this Windows has no such WMI class, or not with these properties',
  },
  {
    reason: 'not_found',
    // RESOURCE_NOT_FOUND, INVALID_URI, INVALID_RESOURCE_URI.
    codes: [0x8033_8000, 0x8033_8002, 0x8033_803b],
    sentence: 'WinRM knows no such resource',
  },
  {
    reason: 'timeout',
    // OPERATION_TIMEDOUT, ENUMERATE_TIMED_OUT, WBEM_E_TIMED_OUT.
    codes: [0x8033_8029, 0x8033_801c, 0x8004_1069],
    sentence: 'Windows was not done in time',
  },
  {
    reason: 'too_large',
    // ENVELOPE_TOO_LARGE, MAX_ENVELOPE_SIZE_EXCEEDED, SERVER_ENVELOPE_LIMIT.
    codes: [0x8033_8026, 0x8033_8048, 0x8033_8049],
    sentence: 'one row is larger than an answer may be',
  },
  {
    reason: 'auth_failed',
    // FAILED_AUTHENTICATION.
    codes: [0x8033_8036],
    sentence: 'WinRM does not accept the logon',
  },
  {
    // The list of reasons has none for a peer that is busy.
    reason: 'protocol_error',
    // QUOTA_LIMIT, QUOTA_MAX_OPERATIONS, QUOTA_USER, QUOTA_SYSTEM, QUOTA_MAX_OPERATIONS_USER_PPQ; WBEM_E_QUOTA_VIOLATION.
    codes: [0x8033_803f, 0x8033_81a6, 0x8033_81a7, 0x8033_81a8, 0x8033_81e8, 0x8004_106c],
    sentence: 'a quota of WinRM or WMI is used up: other programs ask too much with this account',
  },
]

const MOST_WORDS = 200

/** The failure that a fault is. `where` begins its message; `mask` makes the peer's words fit to be shown. */
export function faultFailure(fault: Fault, where: string, mask: (words: string) => string): ProbeFailure {
  const { codes, subcode, wmiResult, text } = fault
  const known = wmiResult === undefined ? codes : [wmiResult, ...codes]
  const meaning =
    MEANINGS.find((each) => each.codes.some((code) => known.includes(code))) ??
    (subcode === 'AccessDenied' ? MEANINGS.find((each) => each.codes.includes(5)) : undefined)
  const told = [...new Set(known)].slice(0, 3).map(hresultText).join(', ')
  const code = told === '' ? mask(subcode ?? 'no code') : told
  const words = text === '' ? '' : `: ${mask(text).slice(0, MOST_WORDS)}`
  return new ProbeFailure(
    meaning?.reason ?? 'protocol_error',
    `${where}: ${meaning?.sentence ?? 'a fault'} (${code}${words})`,
  )
}

/** ReturnValue of StdRegProv's methods: a Win32 error code, or WMI's. */
export function registryFailure(returnValue: number, where: string): ProbeFailure {
  if (returnValue === 5 || returnValue === 0x8007_0005)
    return new ProbeFailure('access_denied', `${where}: the account may not read this key of the registry`)
  return new ProbeFailure(
    'protocol_error',
    `${where}: the registry answers with error ${hresultText(returnValue)}`,
  )
}
