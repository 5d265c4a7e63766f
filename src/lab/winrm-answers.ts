// What WinRM of a simulated Windows says to an envelope: pages of a query, a value of the registry, or a fault. There is
// nothing else that it says.
import { randomUUID } from 'node:crypto'
import type { Asked, Fault } from './soap.ts'
import {
  CIMV2,
  ENUMERATION,
  REGISTRY_CLASS,
  WQL_DIALECT,
  enumerateResponse,
  envelope,
  faultBody,
  identifyResponse,
  item,
  methodOutput,
  pullResponse,
} from './soap.ts'
import type { WindowsMachine } from './windows-machine.ts'
import { select } from './wql.ts'

/** What the account may do; everything unless told. */
export interface Rights {
  /** Enable Account and Remote Enable on root\cimv2. Without: a fault. */
  readonly namespace?: boolean
  /** To see services (SCM). Without: no rows. */
  readonly services?: boolean
  /** To read event logs. `hidden`: no rows, neither of events nor of log files. `denied`: a fault. */
  readonly events?: boolean | 'hidden' | 'denied'
  /** Execute Methods on root\default. Without: a fault. `closed_key`: the method answers 5, access denied. */
  readonly registry?: boolean | 'closed_key'
}

const MOST_ENUMERATIONS = 200
/** Recordings have pages of 75 to 77 kB. */
const PAGE_CHARACTERS = 75_000

interface Enumeration {
  /** Rendered, in order. */
  readonly items: readonly string[]
  next: number
  /** MaxElements of the Enumerate. */
  readonly most: string | undefined
}

export interface Session {
  readonly machine: WindowsMachine
  readonly rights: Rights
  readonly enumerations: Map<string, Enumeration>
}

interface Reply {
  readonly action: string
  readonly body: string
}

// ---- Faults, by wsmerror.h

const ACTION_NOT_SUPPORTED: Fault = {
  code: 0x8033_8013,
  subcode: 'a:ActionNotSupported',
  text: 'The WS-Management service cannot complete the operation because the action is not supported.',
}
const NOT_FOUND: Fault = {
  code: 0x8033_8000,
  subcode: 'w:InvalidResourceURI',
  text: 'The service cannot find the resource identified by the resource URI and selectors.',
}
const INVALID_CONTEXT: Fault = {
  code: 0x8033_801b,
  subcode: 'n:InvalidEnumerationContext',
  text: 'The enumeration context that was supplied is not valid.',
}
/** ERROR_WSMAN_PULL_PARAMS_NOT_SAME_AS_ENUM of wsmerror.h; which parameters Windows compares is unverified. */
const OTHER_PARAMETERS: Fault = {
  code: 0x8033_81ad,
  subcode: 'w:InvalidParameter',
  text: 'The Pull parameters are not the same as those of the Enumerate.',
}
const FILTER: Fault = {
  code: 0x8033_801a,
  subcode: 'n:CannotProcessFilter',
  text: 'The data source could not process the filter. The filter might be missing or it might be invalid.',
}
const DIALECT: Fault = {
  code: 0x8033_8019,
  subcode: 'n:FilterDialectRequestedUnavailable',
  text: 'The requested filtering dialect is not supported.',
}
/** WMI_SVC_ACCESS_DENIED, with WBEM_E_ACCESS_DENIED within. */
const DENIED: Fault = {
  code: 0x8033_8104,
  subcode: 'w:AccessDenied',
  text: "The WMI service returned an 'access denied' error.",
  wmi: 0x8004_1003,
}
/** WMI_PROVIDER_ACCESS_DENIED. */
const PROVIDER_DENIED: Fault = { ...DENIED, code: 0x8033_8105, text: 'The WMI provider denied access.' }

function isFault(reply: Reply | Fault): reply is Fault {
  return 'code' in reply
}

export function respond(state: Session, asked: Asked): { readonly text: string; readonly isFault: boolean } {
  if (asked.isIdentify) {
    const version = state.machine.registryValue(
      String.raw`SOFTWARE\Microsoft\Windows NT\CurrentVersion`,
      'CurrentBuildNumber',
    )
    return { text: identifyResponse(`10.0.${String(version)}`), isFault: false }
  }
  const reply = replyTo(state, asked)
  if (!isFault(reply)) return { text: envelope(asked, reply.action, reply.body), isFault: false }
  return {
    text: envelope(asked, 'http://schemas.dmtf.org/wbem/wsman/1/wsman/fault', faultBody(reply)),
    isFault: true,
  }
}

function replyTo(state: Session, asked: Asked): Reply | Fault {
  switch (asked.action) {
    case `${ENUMERATION}/Enumerate`:
      return enumerate(state, asked)
    case `${ENUMERATION}/Pull`:
      return pull(state, asked)
    case `${ENUMERATION}/Release`:
      state.enumerations.delete(asked.text('EnumerationContext') ?? '')
      return { action: `${ENUMERATION}/ReleaseResponse`, body: '' }
    default:
      return getValue(state, asked)
  }
}

// ---- Enumerating

function enumerate(state: Session, asked: Asked): Reply | Fault {
  const { machine, rights, enumerations } = state
  if (asked.resource !== `${CIMV2}/*`) return NOT_FOUND
  if (!asked.has('Filter')) return FILTER
  if (asked.dialect !== WQL_DIALECT) return DIALECT
  if (rights.namespace === false) return DENIED
  const wql = asked.text('Filter') ?? ''
  const { events = true, services = true } = rights
  const ofEvents = /\bfrom\s+win32_nt(?:logevent|eventlogfile)\b/i.test(wql)
  if (ofEvents && events === 'denied') return PROVIDER_DENIED
  machine.touch(/\bfrom\s+(\w+)/i.exec(wql)?.[1] ?? '')
  const selection = select(wql, machine.classes({ services, events: events === true }))
  if (typeof selection === 'number') return { ...FILTER, wmi: selection }
  const { className, columns, rows } = selection
  const items = rows.map((row) => item(className, columns, row))
  const most = asked.text('MaxElements')
  const action = `${ENUMERATION}/EnumerateResponse`
  if (!asked.has('OptimizeEnumeration')) {
    return {
      action,
      body: `<n:EnumerateResponse><n:EnumerationContext>${keep(enumerations, { items, next: 0, most })}</n:EnumerationContext></n:EnumerateResponse>`,
    }
  }
  // Windows 2008 R2 and 2012 send one item and no more, however many are asked for.
  const [first = ''] = items
  const context = items.length > 1 ? keep(enumerations, { items, next: 1, most }) : ''
  return { action, body: enumerateResponse(first, context) }
}

function keep(enumerations: Session['enumerations'], enumeration: Enumeration): string {
  const context = `uuid:${randomUUID().toUpperCase()}`
  enumerations.set(context, enumeration)
  const [oldest] = enumerations.keys()
  if (enumerations.size > MOST_ENUMERATIONS && oldest !== undefined) enumerations.delete(oldest)
  return context
}

function pull({ enumerations }: Session, asked: Asked): Reply | Fault {
  const context = asked.text('EnumerationContext') ?? ''
  const enumeration = enumerations.get(context)
  if (enumeration === undefined) return INVALID_CONTEXT
  enumerations.delete(context)
  const { items, next } = enumeration
  if (asked.text('MaxElements') !== enumeration.most) return OTHER_PARAMETERS
  const most = Math.max(1, Number(enumeration.most ?? 1) || 1)
  const page: string[] = []
  let characters = 0
  for (const each of items.slice(next, next + most)) {
    if (page.length > 0 && characters + each.length > PAGE_CHARACTERS) break
    page.push(each)
    characters += each.length
  }
  enumeration.next = next + page.length
  const rest = enumeration.next < items.length ? keep(enumerations, enumeration) : undefined
  return { action: `${ENUMERATION}/PullResponse`, body: pullResponse(page.join(''), rest) }
}

// ---- The registry (StdRegProv, "Registry Provider"): nothing but three getters

const GETTERS = {
  GetStringValue: { property: 'sValue', fits: (value: unknown) => typeof value === 'string' },
  GetMultiStringValue: { property: 'sValue', fits: (value: unknown) => Array.isArray(value) },
  GetDWORDValue: { property: 'uValue', fits: (value: unknown) => typeof value === 'number' },
} as const

const HKEY_LOCAL_MACHINE = '2147483650'
const ERROR_FILE_NOT_FOUND = 2
const ERROR_ACCESS_DENIED = 5
const WBEM_E_TYPE_MISMATCH = 0x8004_1005

function getValue({ machine, rights }: Session, asked: Asked): Reply | Fault {
  const method = asked.action.slice(`${REGISTRY_CLASS}/`.length)
  const getter = Object.entries(GETTERS).find(([name]) => name === method)?.[1]
  const isGetter = getter !== undefined && asked.action === `${REGISTRY_CLASS}/${method}`
  if (!isGetter || asked.resource !== REGISTRY_CLASS) return ACTION_NOT_SUPPORTED
  const { registry = true } = rights
  if (registry === false) return DENIED
  const say = (output: Parameters<typeof methodOutput>[1]): Reply => ({
    action: `${REGISTRY_CLASS}/${method}Response`,
    body: methodOutput(method, output),
  })
  if (registry === 'closed_key') return say({ ReturnValue: ERROR_ACCESS_DENIED, [getter.property]: null })
  const isOurs = asked.text('hDefKey') === HKEY_LOCAL_MACHINE
  const value = isOurs
    ? machine.registryValue(asked.text('sSubKeyName') ?? '', asked.text('sValueName') ?? '')
    : undefined
  if (value === undefined) return say({ ReturnValue: ERROR_FILE_NOT_FOUND, [getter.property]: null })
  if (!getter.fits(value)) return say({ ReturnValue: WBEM_E_TYPE_MISMATCH, [getter.property]: null })
  return say({ ReturnValue: 0, [getter.property]: value })
}
