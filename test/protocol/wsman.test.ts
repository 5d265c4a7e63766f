import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { datetimeOf, listOf, textOf, type CimRow } from '../../src/protocol/cim.ts'
import { faultFailure } from '../../src/protocol/wsman-fault.ts'
import {
  decodePage,
  decodeRegistryAnswer,
  encodeEnumerate,
  encodeIdentify,
  encodePull,
  encodeRegistryGet,
  encodeRelease,
} from '../../src/protocol/wsman.ts'
import { malformedBy } from './support.ts'

const ID = 'uuid:7B4A3F0E-1111-2222-3333-444455556666'
const ADDRESSING = {
  to: 'https://kms01.corp.example:5986/wsman',
  messageId: ID,
  maxEnvelopeBytes: 153_600,
  timeoutSeconds: 19.5,
}

// In the form of recorded answers of Windows Server 2012: namespaces, prefixes and blanks are as they were seen.
const HEAD =
  '<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope"' +
  ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"' +
  ' xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"' +
  ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Header>' +
  '<a:Action>http://schemas.xmlsoap.org/ws/2004/09/enumeration/EnumerateResponse</a:Action>'

function answer(body: string, relatesTo: string | undefined = ID): string {
  const relates = relatesTo === undefined ? '' : `<a:RelatesTo>${relatesTo}</a:RelatesTo>`
  return `${HEAD}${relates}</s:Header><s:Body>${body}</s:Body></s:Envelope>`
}

function enumerateResponse(items: string, rest = '<w:EndOfSequence/>', context = ''): string {
  return answer(
    `<n:EnumerateResponse><n:EnumerationContext>${context}</n:EnumerationContext><w:Items>${items}</w:Items>${rest}</n:EnumerateResponse>`,
  )
}

function rowsOf(items: string): readonly CimRow[] {
  const page = decodePage(enumerateResponse(items), ID, 'Enumerate')
  if (page.fault !== undefined) throw new Error('a fault')
  return page.rows
}

const FRAGMENT =
  '<w:XmlFragment><Name>sppsvc</Name><DelayedAutoStart xsi:nil="true"/><Description></Description>' +
  '<InsertionStrings>0x0,5</InsertionStrings><InsertionStrings xsi:nil="true"/><InsertionStrings>c &amp; d</InsertionStrings>' +
  '<LocalDateTime><Datetime>2013-04-15T20:28:20.84Z</Datetime></LocalDateTime></w:XmlFragment>'

const INSTANCE =
  '<q:Win32_OperatingSystem xmlns:q="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_OperatingSystem"' +
  ' xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common" xsi:type="q:Win32_OperatingSystem_Type">' +
  '<q:LocalDateTime><cim:Datetime>2013-04-15T20:28:20.913Z</cim:Datetime></q:LocalDateTime>' +
  '<q:Locale>0409</q:Locale></q:Win32_OperatingSystem>'

describe('a row', () => {
  it('of a projection: nil, empty, an array with its gaps, a date in its wrapper', () => {
    const [row = new Map()] = rowsOf(FRAGMENT)
    expect(textOf(row, 'name')).toBe('sppsvc')
    expect(textOf(row, 'DelayedAutoStart')).toBeUndefined()
    expect(row.has('delayedautostart')).toBe(true)
    expect(textOf(row, 'Description')).toBe('')
    expect(listOf(row, 'InsertionStrings')).toEqual(['0x0,5', '', 'c & d'])
    expect(datetimeOf(row, 'LocalDateTime')).toBe(Date.UTC(2013, 3, 15, 20, 28, 20, 840) / 1000)
  })

  it('of an instance: prefixes do not matter, and text stays text', () => {
    const [row = new Map()] = rowsOf(INSTANCE)
    expect(textOf(row, 'Locale')).toBe('0409')
    expect(datetimeOf(row, 'LocalDateTime')).toBe(Date.UTC(2013, 3, 15, 20, 28, 20, 913) / 1000)
  })

  it('may come alone or with others', () => {
    expect(rowsOf('')).toEqual([])
    expect(rowsOf(FRAGMENT + FRAGMENT + FRAGMENT)).toHaveLength(3)
  })

  it('of one property many thousand times is read in good time', () => {
    const began = performance.now()
    const [row = new Map()] = rowsOf(`<w:XmlFragment>${'<A>1</A>'.repeat(9_000)}</w:XmlFragment>`)
    expect(listOf(row, 'A')).toHaveLength(9_000)
    expect(performance.now() - began).toBeLessThan(3_000)
  })
})

describe('a page', () => {
  const page = (text: string, to: 'Enumerate' | 'Pull' = 'Enumerate') => decodePage(text, ID, to)
  const pull = (inside: string): string => answer(`<n:PullResponse>${inside}</n:PullResponse>`)

  it('is the last by its mark, or goes on with the context that it gives', () => {
    expect(page(enumerateResponse(FRAGMENT))).toMatchObject({ context: undefined })
    expect(page(enumerateResponse(FRAGMENT, '', 'uuid:1'))).toMatchObject({ context: 'uuid:1' })
    expect(page(enumerateResponse('', '', ''))).toMatchObject({ context: undefined, rows: [] })
    const more = pull(`<n:EnumerationContext> uuid:2 </n:EnumerationContext><n:Items>${FRAGMENT}</n:Items>`)
    expect(page(more, 'Pull')).toMatchObject({ context: 'uuid:2', rows: [expect.any(Map)] })
    expect(page(pull(`<n:Items>${FRAGMENT}</n:Items><n:EndOfSequence/>`), 'Pull')).toMatchObject({
      context: undefined,
    })
  })

  it.each([
    ['of a list without end and without context', pull(`<n:Items>${FRAGMENT}</n:Items>`), 'Pull'],
    [
      'of a list that is begun without context',
      answer(`<n:EnumerateResponse><w:Items/></n:EnumerateResponse>`),
      'Enumerate',
    ],
    ['with an empty context amid a list', pull('<n:EnumerationContext/>'), 'Pull'],
    [
      'with a context of any length',
      pull(`<n:EnumerationContext>${'x'.repeat(5000)}</n:EnumerationContext>`),
      'Pull',
    ],
    ['of another kind', enumerateResponse(FRAGMENT), 'Pull'],
    ['that is empty', answer(''), 'Enumerate'],
    ['that answers another question', answer('<n:EnumerateResponse/>', 'uuid:OTHER'), 'Enumerate'],
    [
      'that does not say what it answers',
      enumerateResponse('').replace(/<a:RelatesTo>.*<\/a:RelatesTo>/, ''),
      'Enumerate',
    ],
    ['that is no envelope', '<html><body/></html>', 'Enumerate'],
    ['without a body', `${HEAD}</s:Header></s:Envelope>`, 'Enumerate'],
  ] as const)('%s is malformed', (_name, text, to) => {
    expect(malformedBy(() => page(text, to))).toBeDefined()
  })

  it('cut off anywhere is malformed', () => {
    const text = enumerateResponse(FRAGMENT)
    for (let length = 0; length < text.length; length += 7)
      expect(malformedBy(() => page(text.slice(0, length)))).toBeDefined()
  })

  it('may relate to the message in lower case', () => {
    expect(page(enumerateResponse('').replace(ID, ID.toLowerCase()))).toMatchObject({ rows: [] })
  })

  it('is decoded totally, whatever is changed in it', () => {
    const texts = [enumerateResponse(FRAGMENT), enumerateResponse(INSTANCE, '', 'uuid:1'), answer(fault(5))]
    const edit = fc.record({
      at: fc.nat(),
      piece: fc.constantFrom('<', '>', '/', '"', '&', 'n:', '<s:Fault>', ''),
    })
    const decoded = fc.property(
      fc.constantFrom(...texts),
      fc.array(edit, { maxLength: 5 }),
      (text, edits) => {
        const changed = edits.reduce((now, { at, piece }) => {
          const place = at % now.length
          return now.slice(0, place) + piece + now.slice(place + 1)
        }, text)
        malformedBy(() => page(changed))
      },
    )
    fc.assert(decoded, { numRuns: 100_000, interruptAfterTimeLimit: 1_000 })
  })
})

function fault(code: number, detail = ''): string {
  return (
    '<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>w:InvalidParameter</s:Value></s:Subcode></s:Code>' +
    '<s:Reason><s:Text xml:lang="de-DE">Der Parameter\n  ist falsch. </s:Text></s:Reason><s:Detail>' +
    `<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="${code}" Machine="KMS01">` +
    `<f:Message>${detail}</f:Message></f:WSManFault></s:Detail></s:Fault>`
  )
}

function faultIn(body: string, relatesTo?: string) {
  const page = decodePage(answer(body, relatesTo ?? ID), ID, 'Enumerate')
  if (page.fault === undefined) throw new Error('no fault')
  return page.fault
}

describe('a fault', () => {
  it('has its codes, outermost first, its subcode and its words on one line', () => {
    const inner =
      '<f:ProviderFault provider="WMI Provider"><f:WSManFault Code="2150858778"/></f:ProviderFault>'
    expect(faultIn(fault(87, inner))).toEqual({
      codes: [87, 0x8033_801a],
      subcode: 'InvalidParameter',
      wmiResult: undefined,
      text: 'Der Parameter ist falsch.',
    })
  })

  it.each([
    ['a number amid the words', fault(0x8033_8102, 'Fehler: HRESULT 0x80041033'), 0x8004_1033],
    ['a symbol amid the words', fault(0x8033_801a, 'unknown error: WBEM_E_INVALID_CLASS'), 0x8004_1010],
    ['a code itself', fault(0x8004_1003), 0x8004_1003],
    ['a status', fault(1, '<q:X xmlns:q="u"><q:StatusCode>2147749902</q:StatusCode></q:X>'), 0x8004_100e],
  ])('names what WMI said by %s', (_name, text, expected) => {
    expect(faultIn(text).wmiResult).toBe(expected)
  })

  it('is one, too, where the peer could not read what it was asked', () => {
    const text = answer(fault(5)).replace(/<a:RelatesTo>.*<\/a:RelatesTo>/, '')
    expect(decodePage(text, ID, 'Pull').fault?.codes).toEqual([5])
    expect(malformedBy(() => decodePage(answer(fault(5), 'uuid:OTHER'), ID, 'Pull'))).toBeDefined()
  })

  it('has bounds on its words, and none of its control characters', () => {
    const { message } = faultFailure(
      faultIn(fault(1, '').replace('Der', `${'x'.repeat(9_000)}\u202e`)),
      'here',
      String,
    )
    expect(message.length).toBeLessThan(400)
    expect(message).not.toContain('\u202e')
  })

  it.each([
    [[5], undefined, 'access_denied'],
    [[0x8007_0005], undefined, 'access_denied'],
    [[0x8033_8104], undefined, 'access_denied'],
    [[0x8033_8105], undefined, 'access_denied'],
    [[1], 0x8004_1003, 'access_denied'],
    [[0x8033_801a], 0x8004_1010, 'not_found'],
    [[0x8033_801a], undefined, 'not_found'],
    [[0x8033_8122], undefined, 'not_found'],
    [[0x8033_8000], 0x8004_100e, 'not_found'],
    [[0x8033_803b], undefined, 'not_found'],
    [[0x8033_8029], undefined, 'timeout'],
    [[0x8033_8048], undefined, 'too_large'],
    [[0x8033_8036], undefined, 'auth_failed'],
    [[0x8033_81a6], undefined, 'protocol_error'],
    [[], undefined, 'protocol_error'],
  ] as const)('of the codes %j and %j is %s', (codes, wmiResult, reason) => {
    expect(faultFailure({ codes, subcode: undefined, wmiResult, text: '' }, 'here', String).reason).toBe(
      reason,
    )
  })

  it('without a code is told by its subcode', () => {
    const denied = { codes: [], subcode: 'AccessDenied', wmiResult: undefined, text: '' }
    expect(faultFailure(denied, 'here', String).reason).toBe('access_denied')
  })
})

describe('a question', () => {
  const elements = (text: string, name: string): (string | undefined)[] =>
    [...text.matchAll(new RegExp(`<(?:\\w+:)?${name}(?: [^>]*)?>([^<]*)<`, 'g'))].map(([, inside]) => inside)

  it('to enumerate has what Windows insists on', () => {
    const text = encodeEnumerate(ADDRESSING, "SELECT Name FROM A WHERE B < '&'", 100)
    expect(elements(text, 'To')).toEqual([ADDRESSING.to])
    expect(elements(text, 'MessageID')).toEqual([ID])
    expect(elements(text, 'OperationTimeout')).toEqual(['PT19.500S'])
    expect(elements(text, 'MaxEnvelopeSize')).toEqual(['153600'])
    expect(elements(text, 'ResourceURI')).toEqual([
      'http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/*',
    ])
    expect(text).toContain('<w:OptimizeEnumeration/>')
    expect(elements(text, 'Filter')).toEqual(['SELECT Name FROM A WHERE B &#60; &#39;&#38;&#39;'])
    expect(text).toContain('Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL"')
  })

  it('cannot be turned into another by what a peer gave as context', () => {
    const text = encodePull(ADDRESSING, '</n:EnumerationContext><evil/>', 100)
    expect(text).not.toContain('<evil/>')
    expect(encodeRelease(ADDRESSING, '<evil/>')).not.toContain('<evil/>')
  })

  it('is one of seven, and none of them changes anything', () => {
    const value = { key: 'SOFTWARE', name: '<x>' }
    const questions = [
      encodeEnumerate(ADDRESSING, 'SELECT A FROM B', 1),
      encodePull(ADDRESSING, 'c', 1),
      encodeRelease(ADDRESSING, 'c'),
      ...(['string', 'multi_string', 'dword'] as const).map((type) =>
        encodeRegistryGet(ADDRESSING, { ...value, type }),
      ),
    ]
    expect(
      questions.flatMap((text) => elements(text, 'Action')).map((action) => action?.replace(/.*\//, '')),
    ).toEqual(['Enumerate', 'Pull', 'Release', 'GetStringValue', 'GetMultiStringValue', 'GetDWORDValue'])
    expect(encodeIdentify()).toMatch(/<s:Body><i:Identify\/><\/s:Body>/)
  })
})

describe('a value of the registry', () => {
  const output = (method: string, inside: string): string =>
    answer(
      `<p:${method}_OUTPUT xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/default/StdRegProv">${inside}</p:${method}_OUTPUT>`,
    )

  it('is of the type that was asked for', () => {
    const ok = '<p:ReturnValue>0</p:ReturnValue>'
    const dword = output('GetDWORDValue', `${ok}<p:uValue>2322</p:uValue>`)
    expect(decodeRegistryAnswer(dword, ID, 'dword')).toEqual({ returnValue: 0, value: 2322 })
    const text = output('GetStringValue', `${ok}<p:sValue>0409</p:sValue>`)
    expect(decodeRegistryAnswer(text, ID, 'string')).toEqual({ returnValue: 0, value: '0409' })
    const list = output('GetMultiStringValue', `${ok}<p:sValue>a</p:sValue>`)
    expect(decodeRegistryAnswer(list, ID, 'multi_string')).toEqual({ returnValue: 0, value: ['a'] })
    expect(
      decodeRegistryAnswer(output('GetStringValue', '<p:ReturnValue>2</p:ReturnValue>'), ID, 'string'),
    ).toEqual({
      returnValue: 2,
      value: undefined,
    })
  })

  it.each([
    ['is no number', output('GetDWORDValue', '<p:ReturnValue>0</p:ReturnValue><p:uValue>x</p:uValue>')],
    ['is not there, though it says so', output('GetDWORDValue', '<p:ReturnValue>0</p:ReturnValue>')],
    [
      'is larger than 32 bits',
      output('GetDWORDValue', '<p:ReturnValue>0</p:ReturnValue><p:uValue>4294967296</p:uValue>'),
    ],
    ['has no return value', output('GetDWORDValue', '<p:uValue>1</p:uValue>')],
    ["is another method's", output('GetStringValue', '<p:ReturnValue>0</p:ReturnValue>')],
  ])('that %s is malformed', (_name, text) => {
    expect(malformedBy(() => decodeRegistryAnswer(text, ID, 'dword'))).toBeDefined()
  })

  it('may be a fault', () => {
    expect(decodeRegistryAnswer(answer(fault(5)), ID, 'dword').fault?.codes).toEqual([5])
  })
})
