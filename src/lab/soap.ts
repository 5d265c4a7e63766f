// WS-Management as Windows writes it: DSP0226, MS-WSMV, and what recordings of Windows 2008 R2 and 2012 show. Reading is
// by pattern, as tolerant as a simulator may be: elements are known by their local names.
import { randomUUID } from 'node:crypto'
import type { CimValue, Instance } from './wql.ts'

const NS = {
  s: 'http://www.w3.org/2003/05/soap-envelope',
  a: 'http://schemas.xmlsoap.org/ws/2004/08/addressing',
  n: 'http://schemas.xmlsoap.org/ws/2004/09/enumeration',
  w: 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd',
  p: 'http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd',
} as const

const IDENTITY = 'http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd'
const WMI = 'http://schemas.microsoft.com/wbem/wsman/1/wmi'
const XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
const CIM = 'xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common"'

export const ENUMERATION = NS.n
export const WQL_DIALECT = 'http://schemas.microsoft.com/wbem/wsman/1/WQL'
export const CIMV2 = `${WMI}/root/cimv2`
export const REGISTRY_CLASS = `${WMI}/root/default/StdRegProv`

// ---- Reading

export interface Asked {
  readonly isIdentify: boolean
  readonly action: string
  readonly resource: string
  readonly messageId: string | undefined
  /** Of the filter. */
  readonly dialect: string | undefined
  /** The text of the first element of that local name; undefined where there is none. */
  text(name: string): string | undefined
  has(name: string): boolean
}

/** Undefined for what is no SOAP envelope at all. */
export function readEnvelope(body: string): Asked | undefined {
  if (!/^[\s\S]{0,200}<(?:\w+:)?Envelope[\s>]/.test(body)) return undefined
  const text = (name: string): string | undefined => {
    const found = new RegExp(`<(?:\\w+:)?${name}(?:\\s[^<>]*)?>([^<]*)</(?:\\w+:)?${name}\\s*>`).exec(
      body,
    )?.[1]
    return found === undefined ? undefined : unescapeXml(found).trim()
  }
  const has = (name: string): boolean => new RegExp(`<(?:\\w+:)?${name}[\\s/>]`).test(body)
  return {
    isIdentify: has('Identify'),
    action: text('Action') ?? '',
    resource: text('ResourceURI') ?? '',
    messageId: text('MessageID'),
    dialect: /<(?:\w+:)?Filter\s[^<>]*\bDialect=["']([^"']*)["']/.exec(body)?.[1],
    text,
    has,
  }
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function unescapeXml(text: string): string {
  return text.replaceAll(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(\w+));/gi,
    (whole, hexCode?: string, code?: string, name?: string) => {
      if (name !== undefined) return ENTITIES[name] ?? whole
      const point = hexCode === undefined ? Number(code) : parseInt(hexCode, 16)
      return point <= 0x10_ffff ? String.fromCodePoint(point) : whole
    },
  )
}

// ---- Writing

function escapeXml(text: string): string {
  return (
    text
      // XML 1.0 cannot hold them in any form.
      // oxlint-disable-next-line no-control-regex
      .replaceAll(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
  )
}

export function envelope(asked: Asked, action: string, body: string): string {
  const namespaces = Object.entries(NS).map(([prefix, uri]) => ` xmlns:${prefix}="${uri}"`)
  const relates =
    asked.messageId === undefined ? '' : `<a:RelatesTo>${escapeXml(asked.messageId)}</a:RelatesTo>`
  return (
    `<s:Envelope xml:lang="en-US"${namespaces.join('')}><s:Header><a:Action>${action}</a:Action>` +
    `<a:MessageID>uuid:${randomUUID().toUpperCase()}</a:MessageID>` +
    `<a:To>${NS.a}/role/anonymous</a:To>${relates}</s:Header><s:Body>${body}</s:Body></s:Envelope>`
  )
}

/** An instance as it stands in Items: whole, or the fragment of a projection, which does not name its class. */
export function item(className: string, columns: readonly string[] | undefined, row: Instance): string {
  const properties = Object.entries(row).map(([name, value]) =>
    property(
      columns === undefined ? `p:${name}` : name,
      value,
      columns === undefined ? 'cim:Datetime' : 'Datetime',
    ),
  )
  if (columns !== undefined) return `<w:XmlFragment ${XSI}>${properties.join('')}</w:XmlFragment>`
  const uri = `${CIMV2}/${className}`
  return (
    `<p:${className} ${XSI} xmlns:p="${uri}" ${CIM} xsi:type="p:${className}_Type">` +
    `${properties.join('')}</p:${className}>`
  )
}

function property(name: string, value: CimValue, wrapper: string): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return `<${name} xsi:nil="true"/>`
    return value.map((element: string) => `<${name}>${escapeXml(element)}</${name}>`).join('')
  }
  if (value === null) return `<${name} xsi:nil="true"/>`
  if (value instanceof Date) return `<${name}><${wrapper}>${iso(value)}</${wrapper}></${name}>`
  const text = escapeXml(String(value))
  return text === '' ? `<${name}/>` : `<${name}>${text}</${name}>`
}

/** Zeros at the end of the fraction are dropped: `.84Z`. */
function iso(date: Date): string {
  return date.toISOString().replace(/\.?0*Z$/, 'Z')
}

/** `context` is '' when all is said, and stands there empty. */
export function enumerateResponse(items: string, context: string): string {
  const end = context === '' ? '<w:EndOfSequence/>' : ''
  const given =
    context === '' ? '<n:EnumerationContext/>' : `<n:EnumerationContext>${context}</n:EnumerationContext>`
  return `<n:EnumerateResponse>${given}<w:Items>${items}</w:Items>${end}</n:EnumerateResponse>`
}

export function pullResponse(items: string, context: string | undefined): string {
  if (context === undefined)
    return `<n:PullResponse><n:Items>${items}</n:Items><n:EndOfSequence/></n:PullResponse>`
  return (
    `<n:PullResponse><n:EnumerationContext>${context}</n:EnumerationContext>` +
    `<n:Items>${items}</n:Items></n:PullResponse>`
  )
}

/** `output` gives the values of `<METHOD>_OUTPUT`, ReturnValue among them. */
export function methodOutput(method: string, output: Instance): string {
  const values = Object.entries(output).map(([name, value]) => property(`p:${name}`, value, 'cim:Datetime'))
  return `<p:${method}_OUTPUT ${XSI} xmlns:p="${REGISTRY_CLASS}" ${CIM}>${values.join('')}</p:${method}_OUTPUT>`
}

export function identifyResponse(osVersion: string): string {
  return (
    `<s:Envelope xml:lang="en-US" xmlns:s="${NS.s}"><s:Header/><s:Body><wsmid:IdentifyResponse xmlns:wsmid="${IDENTITY}">` +
    `<wsmid:ProtocolVersion>${NS.w}</wsmid:ProtocolVersion><wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>` +
    `<wsmid:ProductVersion>OS: ${osVersion} SP: 0.0 Stack: 3.0</wsmid:ProductVersion></wsmid:IdentifyResponse></s:Body></s:Envelope>`
  )
}

export interface Fault {
  /** wsmerror.h, or a Win32 error. */
  readonly code: number
  /** Of the namespaces above. */
  readonly subcode: string
  readonly text: string
  /** WMI's own HRESULT, which then stands in the words of the provider (unverified: where exactly). */
  readonly wmi?: number
}

export function faultBody({ code, subcode, text, wmi }: Fault): string {
  const said = wmi === undefined ? text : `${text} HRESULT = 0x${wmi.toString(16)}`
  const f = 'xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"'
  const provider =
    `<f:ProviderFault provider="WMI Provider" path="%systemroot%\\system32\\WsmWmiPl.dll">` +
    `<f:WSManFault ${f} Code="${code}" Machine="localhost"><f:Message>${said} </f:Message></f:WSManFault></f:ProviderFault>`
  return (
    `<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>${subcode}</s:Value></s:Subcode></s:Code>` +
    `<s:Reason><s:Text xml:lang="en-US">${text} </s:Text></s:Reason><s:Detail>` +
    `<f:WSManFault ${f} Code="${code}" Machine="localhost"><f:Message>${wmi === undefined ? said : provider}</f:Message></f:WSManFault>` +
    `</s:Detail></s:Fault>`
  )
}
