// WS-Management (DSP0226; MS-WSMV) as far as reading takes it: a WQL enumeration and its pages, a value of the
// registry, and Identify. These are all the messages there are: nothing here could change anything on a host.
import { MalformedMessage } from '../model/failure.ts'
import type { CimRow } from './cim.ts'
import { childOf, escapeXml, parseXml, pathOf, type XmlElement } from './xml.ts'

const NAMESPACES = {
  s: 'http://www.w3.org/2003/05/soap-envelope',
  a: 'http://schemas.xmlsoap.org/ws/2004/08/addressing',
  n: 'http://schemas.xmlsoap.org/ws/2004/09/enumeration',
  w: 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd',
} as const

const ANONYMOUS = `${NAMESPACES.a}/role/anonymous`
const WMI = 'http://schemas.microsoft.com/wbem/wsman/1/wmi'
const WQL = 'http://schemas.microsoft.com/wbem/wsman/1/WQL'
const IDENTITY = 'http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd'

/** The class of the registry's methods, of which those that read a value are all that is ever called. */
const REGISTRY = `${WMI}/root/default/StdRegProv`
const HKEY_LOCAL_MACHINE = 0x8000_0002

// StdRegProv (Win32 documentation): the method of each type, and the property that its answer carries the value in.
const GETTERS = {
  string: { method: 'GetStringValue', property: 'sValue' },
  multi_string: { method: 'GetMultiStringValue', property: 'sValue' },
  dword: { method: 'GetDWORDValue', property: 'uValue' },
} as const

export interface Addressing {
  readonly to: string
  /** `uuid:` and a UUID in upper case; the answer names it. */
  readonly messageId: string
  readonly maxEnvelopeBytes: number
  readonly timeoutSeconds: number
}

/** As a WS-Management peer may send and as is accepted of one: twice the 150 KB that is asked for. */
export const MOST_ENVELOPE_LENGTH = 320 * 1024

const LIMITS = { mostLength: MOST_ENVELOPE_LENGTH, mostDepth: 40, mostElements: 10_000 }

function envelope(addressing: Addressing, resource: string, action: string, body: string): string {
  const { to, messageId, maxEnvelopeBytes, timeoutSeconds } = addressing
  const names = Object.entries(NAMESPACES).map(([prefix, uri]) => ` xmlns:${prefix}="${uri}"`)
  return [
    `<s:Envelope${names.join('')}><s:Header>`,
    `<a:To>${escapeXml(to)}</a:To>`,
    `<w:ResourceURI s:mustUnderstand="true">${resource}</w:ResourceURI>`,
    `<a:ReplyTo><a:Address s:mustUnderstand="true">${ANONYMOUS}</a:Address></a:ReplyTo>`,
    `<a:Action s:mustUnderstand="true">${action}</a:Action>`,
    `<w:MaxEnvelopeSize s:mustUnderstand="true">${maxEnvelopeBytes}</w:MaxEnvelopeSize>`,
    `<a:MessageID>${escapeXml(messageId)}</a:MessageID>`,
    // Windows speaks to people in its own language otherwise; codes are what is read, and people read English here.
    '<w:Locale xml:lang="en-US" s:mustUnderstand="false"/>',
    `<w:OperationTimeout>PT${timeoutSeconds.toFixed(3)}S</w:OperationTimeout>`,
    `</s:Header><s:Body>${body}</s:Body></s:Envelope>`,
  ].join('')
}

const ALL_OF_CIMV2 = `${WMI}/root/cimv2/*`

/** Asks for the rows of a WQL query in root\cimv2, the first of them in the answer itself (DSP0226 8.2.3). */
export function encodeEnumerate(addressing: Addressing, wql: string, maxElements: number): string {
  const body = [
    '<n:Enumerate><w:OptimizeEnumeration/>',
    `<w:MaxElements>${maxElements}</w:MaxElements>`,
    `<w:Filter Dialect="${WQL}">${escapeXml(wql)}</w:Filter></n:Enumerate>`,
  ]
  return envelope(addressing, ALL_OF_CIMV2, `${NAMESPACES.n}/Enumerate`, body.join(''))
}

/** Asks for more rows; `context` is the newest that an answer gave. */
export function encodePull(addressing: Addressing, context: string, maxElements: number): string {
  const body = [
    `<n:Pull><n:EnumerationContext>${escapeXml(context)}</n:EnumerationContext>`,
    `<n:MaxElements>${maxElements}</n:MaxElements></n:Pull>`,
  ]
  return envelope(addressing, ALL_OF_CIMV2, `${NAMESPACES.n}/Pull`, body.join(''))
}

/** Lets go of an enumeration that is not read to its end: an account may only have so many open. */
export function encodeRelease(addressing: Addressing, context: string): string {
  const body = `<n:Release><n:EnumerationContext>${escapeXml(context)}</n:EnumerationContext></n:Release>`
  return envelope(addressing, ALL_OF_CIMV2, `${NAMESPACES.n}/Release`, body)
}

/** DSP0226 11: who are you? Costs a server nothing; carries no addressing. */
export function encodeIdentify(): string {
  return `<s:Envelope xmlns:s="${NAMESPACES.s}" xmlns:i="${IDENTITY}"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>`
}

export type RegistryType = keyof typeof GETTERS

/** Asks StdRegProv for a value under HKEY_LOCAL_MACHINE (MS-WSMV 3.1.4.16, Invoke). */
export function encodeRegistryGet(
  addressing: Addressing,
  { key, name, type }: { readonly key: string; readonly name: string; readonly type: RegistryType },
): string {
  const { method } = GETTERS[type]
  const body = [
    `<p:${method}_INPUT xmlns:p="${REGISTRY}"><p:hDefKey>${HKEY_LOCAL_MACHINE}</p:hDefKey>`,
    `<p:sSubKeyName>${escapeXml(key)}</p:sSubKeyName><p:sValueName>${escapeXml(name)}</p:sValueName>`,
    `</p:${method}_INPUT>`,
  ]
  return envelope(addressing, REGISTRY, `${REGISTRY}/${method}`, body.join(''))
}

export interface Fault {
  /** f:WSManFault/@Code, outermost first: the inner ones are the provider's. Unsigned 32 bits. */
  readonly codes: readonly number[]
  /** Local name of s:Subcode/s:Value: `AccessDenied`, say. */
  readonly subcode: string | undefined
  /** A code of WMI's own (0x8004....), where the detail names one. */
  readonly wmiResult: number | undefined
  /** The peer's words, in the peer's language, on one line; they may say back what the peer was sent. */
  readonly text: string
}

interface Answer {
  readonly fault?: undefined
  readonly body: XmlElement
}

/** The body of an answer to the message of that id, or the fault in its place. Throws MalformedMessage. */
function decodeBody(text: string, messageId: string): Answer | { readonly fault: Fault } {
  const root = parseXml(text, LIMITS)
  if (root.name !== 'Envelope') throw new MalformedMessage('not a SOAP envelope', 0)
  const body = childOf(root, 'Body')
  if (body === undefined) throw new MalformedMessage('a SOAP envelope without a body', 0)
  const fault = childOf(body, 'Fault')
  const relatesTo = pathOf(root, 'Header', 'RelatesTo')?.text.trim()
  // Who cannot read the request cannot say which it was.
  if (relatesTo === undefined && fault !== undefined) return { fault: faultOf(fault) }
  if (relatesTo?.toUpperCase() !== messageId.toUpperCase())
    throw new MalformedMessage('an answer to another question', 0)
  return fault === undefined ? { body } : { fault: faultOf(fault) }
}

const WMI_NAMES: Readonly<Record<string, number>> = {
  WBEM_E_NOT_FOUND: 0x8004_1002,
  WBEM_E_ACCESS_DENIED: 0x8004_1003,
  WBEM_E_INVALID_NAMESPACE: 0x8004_100e,
  WBEM_E_INVALID_CLASS: 0x8004_1010,
  WBEM_E_INVALID_QUERY: 0x8004_1017,
}

function descendantsOf(element: XmlElement): readonly XmlElement[] {
  return element.children.flatMap((child) => [child, ...descendantsOf(child)])
}

function faultOf(fault: XmlElement): Fault {
  const inside = descendantsOf(fault)
  const codes = inside
    .filter(({ name }) => name === 'WSManFault')
    .map(({ attributes }) => attributes.get('Code') ?? '')
    .filter((code) => /^\d{1,10}$/.test(code))
    .map((code) => Number(code) >>> 0)
  const details = inside.map(({ text }) => text).join(' ')
  // Numbers and symbols are the same in every language, the sentences around them are not.
  const hex = /\b0x(8004[0-9a-f]{4})\b/i.exec(details)?.[1]
  const name = /\bWBEM_E_[A-Z_]+/.exec(details)?.[0] ?? ''
  const status = Number(inside.find((element) => element.name === 'StatusCode')?.text)
  const said = [status, hex === undefined ? undefined : parseInt(hex, 16), WMI_NAMES[name], ...codes]
  const value = pathOf(fault, 'Code', 'Subcode', 'Value')?.text.trim()
  const reason = pathOf(fault, 'Reason', 'Text')?.text
  const messages = inside.filter((element) => /^(?:Message|ProviderFault)$/.test(element.name))
  const words = [reason ?? '', ...messages.map(({ text }) => text)].map(oneLine)
  return {
    codes,
    subcode: value === undefined || value === '' ? undefined : value.slice(value.indexOf(':') + 1, 100),
    wmiResult: said.find((code) => code !== undefined && code >= 0x8004_0000 && code <= 0x8004_ffff),
    text: words.find((sentence) => sentence !== '')?.slice(0, MOST_WORDS) ?? '',
  }
}

/** More than is shown, so that nothing that is masked is cut in half. */
const MOST_WORDS = 4096

function oneLine(text: string): string {
  return text.replaceAll(/[\s\p{C}]+/gu, ' ').trim()
}

export interface Page {
  readonly fault?: undefined
  readonly rows: readonly CimRow[]
  /** What the next Pull must name; undefined at the end. Its text is the peer's affair. */
  readonly context: string | undefined
}

const MOST_CONTEXT_LENGTH = 4096

/**
 * The answer to an Enumerate or a Pull. Throws MalformedMessage, among others for an answer that says neither that
 * it is the end nor how to go on: half a list must not pass for a whole one.
 */
export function decodePage(
  text: string,
  messageId: string,
  to: 'Enumerate' | 'Pull',
): Page | { readonly fault: Fault } {
  const answer = decodeBody(text, messageId)
  if (answer.fault !== undefined) return answer
  const response = childOf(answer.body, `${to}Response`)
  if (response === undefined) throw new MalformedMessage(`not an answer to ${to}`, 0)
  // In the one these are of WS-Management's namespace, in the other of WS-Enumeration's; there is no other Items.
  const rows = childOf(response, 'Items')?.children.map(rowOf) ?? []
  const context = childOf(response, 'EnumerationContext')?.text.trim()
  const ended = childOf(response, 'EndOfSequence') !== undefined
  if (ended) return { rows, context: undefined }
  // A list that is whole in its first answer comes with an empty context, which says as much as the mark of the end.
  if (context === undefined || (context === '' && to === 'Pull'))
    throw new MalformedMessage('neither the end of the list nor a context to go on with', 0)
  if (context.length > MOST_CONTEXT_LENGTH)
    throw new MalformedMessage('an enumeration context without bounds', 0)
  return { rows, context: context === '' ? undefined : context }
}

/** An instance (its properties prefixed), or the XmlFragment of a projection (not prefixed, its class not named). */
function rowOf(item: XmlElement): CimRow {
  const seen = new Map<string, (string | null)[]>()
  for (const property of item.children) {
    const name = property.name.toLowerCase()
    const values = seen.get(name)
    if (values === undefined) seen.set(name, [valueOf(property)])
    else values.push(valueOf(property))
  }
  // A property that comes again is an array. One of its elements may be nil, and counts: they are known by their place.
  return new Map(
    [...seen].map(([name, values]) => [
      name,
      values.length === 1 ? (values[0] ?? null) : values.map((value) => value ?? ''),
    ]),
  )
}

function valueOf(property: XmlElement): string | null {
  if (/^(?:true|1)$/.test(property.attributes.get('nil') ?? '')) return null
  const [wrapped] = property.children
  return wrapped?.name === 'Datetime' ? wrapped.text.trim() : property.text
}

export interface RegistryAnswer {
  readonly fault?: undefined
  /** A Win32 error code; 0 is success, 2 "no such key or value", 5 "access denied". */
  readonly returnValue: number
  /** Present with `returnValue` 0. */
  readonly value: string | number | readonly string[] | undefined
}

export function decodeRegistryAnswer(
  text: string,
  messageId: string,
  type: RegistryType,
): RegistryAnswer | { readonly fault: Fault } {
  const answer = decodeBody(text, messageId)
  if (answer.fault !== undefined) return answer
  const { method, property } = GETTERS[type]
  const output = childOf(answer.body, `${method}_OUTPUT`)
  if (output === undefined) throw new MalformedMessage(`not an answer to ${method}`, 0)
  const returned = childOf(output, 'ReturnValue')?.text.trim() ?? ''
  if (!/^-?\d{1,10}$/.test(returned)) throw new MalformedMessage('no return value', 0)
  const returnValue = Number(returned) >>> 0
  if (returnValue !== 0) return { returnValue, value: undefined }
  const values = output.children.filter(({ name }) => name === property).map(valueOf)
  const texts = values.filter((value) => value !== null)
  if (type === 'multi_string') return { returnValue, value: texts }
  const [first] = texts
  if (type === 'string') return { returnValue, value: first }
  if (first === undefined || !/^\d{1,10}$/.test(first) || Number(first) > 0xffff_ffff)
    throw new MalformedMessage('not an unsigned 32-bit number', 0)
  return { returnValue, value: Number(first) }
}
