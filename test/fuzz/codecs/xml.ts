// What sees XML from WinRM. Seeds as in binary.ts.
import { maskOf } from '../../../src/io/windows/reflected.ts'
import { faultBody, item, methodOutput } from '../../../src/lab/soap.ts'
import { MalformedMessage } from '../../../src/model/failure.ts'
import { faultFailure, registryFailure } from '../../../src/protocol/wsman-fault.ts'
import { decodePage, decodeRegistryAnswer, type RegistryType } from '../../../src/protocol/wsman.ts'
import { escapeXml, parseXml, type XmlElement } from '../../../src/protocol/xml.ts'
import { bytesOf, same, textFrom, type Codec } from '../promises.ts'

const ID = 'uuid:7B4A3F0E-1111-2222-3333-444455556666'
const LIMITS = { mostLength: 320 * 1024, mostDepth: 40, mostElements: 10_000 }

function envelope(body: string, relatesTo = `<a:RelatesTo>${ID}</a:RelatesTo>`): Uint8Array {
  return bytesOf(
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"' +
      ' xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">' +
      `<s:Header>${relatesTo}</s:Header><s:Body>${body}</s:Body></s:Envelope>`,
  )
}

const ROW = { Name: 'a & b', Started: null, List: ['x', 'y'], When: new Date(1_700_000_000_250), Count: 5 }
const ITEMS = item('Win32_Service', undefined, ROW) + item('Win32_Service', ['Name'], ROW)
const PAGES = [
  `<n:EnumerateResponse><n:EnumerationContext/><w:Items>${ITEMS}</w:Items><w:EndOfSequence/></n:EnumerateResponse>`,
  `<n:EnumerateResponse><n:EnumerationContext>uuid:1</n:EnumerationContext><w:Items>${ITEMS}</w:Items></n:EnumerateResponse>`,
  `<n:PullResponse><n:Items>${ITEMS}</n:Items><n:EndOfSequence/></n:PullResponse>`,
  `<n:PullResponse><n:EnumerationContext> uuid:2 </n:EnumerationContext><n:Items/></n:PullResponse>`,
]
const FAULTS = [
  faultBody({ code: 5, subcode: 'w:AccessDenied', text: 'Access is denied.' }),
  faultBody({ code: 2150858778, subcode: 'w:InvalidParameter', text: 'no', wmi: 0x8004_1010 }),
  faultBody({ code: 1, subcode: 'x', text: 'WBEM_E_INVALID_CLASS' }),
]

function deepest({ children }: XmlElement): number {
  return 1 + Math.max(0, ...children.map(deepest))
}

function countOf({ children }: XmlElement): number {
  return children.reduce((sum, child) => sum + countOf(child), 1)
}

function registryType(text: string): RegistryType {
  if (text.includes('GetDWORDValue')) return 'dword'
  return text.includes('GetMultiStringValue') ? 'multi_string' : 'string'
}

/** What is said of a fault goes into a log line. */
function sayable(failure: { readonly message: string }): string {
  same([failure.message.length < 1000, /[\r\n]/.test(failure.message)], [true, false])
  return failure.message
}

const decodeText = (bytes: Uint8Array): ReturnType<typeof decodePage> => {
  const text = textFrom(bytes)
  return decodePage(text, ID, text.includes('PullResponse') ? 'Pull' : 'Enumerate')
}

const MOST = { mostBytes: LIMITS.mostLength, mostGrowth: 64 }

export const XML: readonly Codec[] = [
  {
    name: 'xml',
    decode: (bytes) => parseXml(textFrom(bytes), LIMITS),
    check: (value) => {
      const root = value as XmlElement
      same([deepest(root) <= LIMITS.mostDepth, countOf(root) <= LIMITS.mostElements], [true, true])
      // As an attribute it makes a long tag.
      if (root.text.length > 1000) return
      let escaped: string
      try {
        escaped = escapeXml(root.text)
      } catch (error) {
        if (error instanceof MalformedMessage) return
        throw error
      }
      const again = parseXml(`<a b="${escaped}">${escaped}</a>`, LIMITS)
      same([again.text, again.attributes.get('b')], [root.text, root.text])
    },
    seeds: [
      bytesOf(
        '\uFEFF<?xml version="1.0"?>\n<w:a xmlns:w="u" i:nil="true" b="&lt;1&#38;"> t&#xe4; <w:c/><d>0409</d><![CDATA[<&amp;]]><!-- <x> --></w:a>\n',
      ),
      bytesOf('<a/>'),
    ],
    ...MOST,
  },
  {
    name: 'wsman-page',
    decode: decodeText,
    check: (value) => {
      const page = value as ReturnType<typeof decodePage>
      if (page.fault === undefined) same((page.context ?? '').length <= 4096, true)
    },
    seeds: PAGES.map((page) => envelope(page)),
    ...MOST,
  },
  {
    name: 'wsman-fault',
    decode: (bytes) => {
      const { fault } = decodeText(bytes)
      return fault === undefined ? undefined : sayable(faultFailure(fault, 'wsman', maskOf('correct horse')))
    },
    seeds: [...FAULTS.map((fault) => envelope(fault)), envelope(FAULTS[0] ?? '', '')],
    ...MOST,
  },
  {
    name: 'wsman-registry',
    decode: (bytes) => {
      const text = textFrom(bytes)
      const answer = decodeRegistryAnswer(text, ID, registryType(text))
      if (answer.fault === undefined && answer.returnValue !== 0)
        sayable(registryFailure(answer.returnValue, 'key'))
      return answer
    },
    seeds: [
      methodOutput('GetDWORDValue', { ReturnValue: 0, uValue: 1688 }),
      methodOutput('GetStringValue', { ReturnValue: 0, sValue: 'kms01' }),
      methodOutput('GetMultiStringValue', { ReturnValue: 0, sValue: ['a, 1, 2', 'b'] }),
      methodOutput('GetStringValue', { ReturnValue: 2, sValue: null }),
    ].map((body) => envelope(body)),
    ...MOST,
  },
]
