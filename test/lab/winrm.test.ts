// WinRM of the simulated Windows, asked with envelopes written out here: its habits, its faults, and that it can be made
// to change nothing.
import { afterEach, describe, expect, it } from 'vitest'
import { startHttp } from '../../src/lab/http.ts'
import type { Listener } from '../../src/lab/listener.ts'
import type { MachineStory } from '../../src/lab/windows-machine.ts'
import { kmsClient, kmsHost } from '../../src/lab/windows-machine.ts'
import type { WinrmOptions, WinrmServer } from '../../src/lab/winrm.ts'
import { createWinrm, startWinrm } from '../../src/lab/winrm.ts'
import { LOOPBACK } from './raw-client.ts'
import {
  CREDENTIALS,
  REGISTRY,
  contextOf,
  enumerate,
  fragmentsOf,
  getValue,
  post,
  pull,
  queryAll,
  release,
  soap,
} from './wsman-client.ts'

const WITH_KEY = 'SELECT ID FROM SoftwareLicensingProduct WHERE PartialProductKey <> null'
const SPPSVC = "SELECT Name, State FROM Win32_Service WHERE Name = 'sppsvc'"
const CURRENT_VERSION = String.raw`SOFTWARE\Microsoft\Windows NT\CurrentVersion`

let listener: Listener | undefined
afterEach(async () => {
  await listener?.stop()
})

async function host(options: WinrmOptions = {}, story: MachineStory = {}): Promise<WinrmServer> {
  const server = await startWinrm(kmsHost(story), LOOPBACK, options)
  listener = server
  return server
}

function codesIn(text: string): number[] {
  return [...text.matchAll(/<f:WSManFault [^>]*Code="(\d+)"/g)].map(([, code]) => Number(code))
}

describe('logging on', () => {
  it.each([
    ['nobody', null],
    ['another password', `Basic ${Buffer.from('reader:guessed').toString('base64')}`],
    ['another scheme', 'Bearer x'],
  ])('%s gets 401, and is told what to offer', async (_who, authorization) => {
    const { url, asked } = await host()
    const { status, headers } = await post(url, 'x', authorization)
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toBe('Negotiate, Basic realm="WSMAN"')
    expect(asked).toEqual([])
  })

  it('stands beside the NTLM challenge on a whole host', async () => {
    const machine = kmsHost()
    const server = await startHttp(
      { name: machine.name, clock: machine.clock, metricsPage: () => undefined, winrm: createWinrm(machine) },
      LOOPBACK,
    )
    listener = server
    const url = `http://${server.address}:${server.port}/wsman`
    const negotiate = `Negotiate ${Buffer.from('NTLMSSP\0\x01\0\0\0\x97\x82\x08\xe2', 'latin1').toString('base64')}`
    const challenged = await post(url, '', negotiate)
    expect([challenged.status, challenged.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringMatching(/^Negotiate TlRMTVNTUAACAAAA[\w+/=]+$/),
    ])
    expect(fragmentsOf(await enumerate(url, SPPSVC))).toEqual([{ Name: 'sppsvc', State: 'Running' }])
    expect((await fetch(url, { headers: { authorization: CREDENTIALS } })).status).toBe(401)
  })
})

describe('a query of one instance', () => {
  it('is answered whole: an empty context, the end, and a fragment that names no class', async () => {
    const { url } = await host()
    const { status, text, headers } = await enumerate(url, SPPSVC)
    expect([status, headers.get('content-type')]).toEqual([200, 'application/soap+xml;charset=UTF-8'])
    expect(text).toContain('<a:RelatesTo>uuid:A-1</a:RelatesTo>')
    expect(text).toMatch(
      /<n:EnumerateResponse><n:EnumerationContext\/><w:Items><w:XmlFragment [^>]*><Name>sppsvc<\/Name><State>Running<\/State><\/w:XmlFragment><\/w:Items><w:EndOfSequence\/>/,
    )
  })

  it('of no instance too', async () => {
    const { url } = await host()
    const { text } = await enumerate(url, "SELECT Name FROM Win32_Service WHERE Name = 'slsvc'")
    expect(text).toContain('<n:EnumerationContext/><w:Items></w:Items><w:EndOfSequence/>')
  })

  it('of * names the class, and prefixes its properties', async () => {
    const { url } = await host({}, { clock: () => Date.UTC(2024, 4, 6, 7, 8, 9, 840) })
    const { text } = await enumerate(url, 'SELECT * FROM Win32_OperatingSystem')
    expect(text).toMatch(
      /<p:Win32_OperatingSystem [^>]*xmlns:p="http:\/\/schemas\.microsoft\.com\/wbem\/wsman\/1\/wmi\/root\/cimv2\/Win32_OperatingSystem"[^>]* xsi:type="p:Win32_OperatingSystem_Type">/,
    )
    expect(text).toContain('<p:Organization xsi:nil="true"/>')
    expect(text).toContain(
      '<p:LocalDateTime><cim:Datetime>2024-05-06T07:08:09.84Z</cim:Datetime></p:LocalDateTime>',
    )
  })

  it('wraps dates, repeats arrays, and says nil', async () => {
    const { url } = await host({}, { clock: () => Date.UTC(2024, 4, 6, 7, 8, 10) })
    const dates = fragmentsOf(
      await enumerate(url, 'SELECT LocalDateTime, InstallDate FROM Win32_OperatingSystem'),
    )
    expect(dates).toEqual([
      { InstallDate: 'nil', LocalDateTime: '<Datetime>2024-05-06T07:08:10Z</Datetime>' },
    ])
    const query = "SELECT InsertionStrings FROM Win32_NTLogEvent WHERE SourceName = 'VSS'"
    expect(fragmentsOf(await enumerate(url, query))).toEqual([{ InsertionStrings: '0x80042308|volume' }])
  })
})

describe('a query of several instances', () => {
  it('brings one, and the rest by Pull, in another namespace, with a new context each time', async () => {
    const { url } = await host()
    const first = await enumerate(url, 'SELECT Name FROM Win32_Service', { maxElements: 2 })
    expect(fragmentsOf(first)).toHaveLength(1)
    expect(first.text).not.toContain('EndOfSequence')
    const contexts = [contextOf(first) ?? '']
    const second = await pull(url, contexts[0] ?? '', 2)
    expect(fragmentsOf(second)).toHaveLength(2)
    expect(second.text).toContain('<n:Items>')
    contexts.push(contextOf(second) ?? '')
    const third = await pull(url, contexts[1] ?? '', 2)
    contexts.push(contextOf(third) ?? '')
    const last = await pull(url, contexts[2] ?? '', 2)
    expect(fragmentsOf(last)).toHaveLength(1)
    expect(last.text).toMatch(/<n:PullResponse><n:Items>.*<\/n:Items><n:EndOfSequence\/><\/n:PullResponse>/)
    expect(new Set(contexts).size).toBe(3)
    for (const old of contexts) expect(codesIn((await pull(url, old)).text)).toEqual([0x8033_801b])
  })

  it('ends where a Pull wants another page size than the Enumerate did', async () => {
    const { url } = await host()
    const context = contextOf(await enumerate(url, 'SELECT Name FROM Win32_Service', { maxElements: 2 }))
    expect(codesIn((await pull(url, context ?? '', 3)).text)).toEqual([0x8033_81ad])
  })

  it('keeps a page below 76 kB, and loses nothing between pages', async () => {
    const { url } = await host({}, { unlicensedProducts: 700 })
    const first = await enumerate(url, 'SELECT * FROM SoftwareLicensingProduct')
    let context = contextOf(first)
    let items = first.text.split('<p:SoftwareLicensingProduct ').length - 1
    let pages = 0
    while (context !== undefined) {
      const page = await pull(url, context)
      expect(page.text.length).toBeLessThan(76_000)
      items += page.text.split('<p:SoftwareLicensingProduct ').length - 1
      context = contextOf(page)
      pages += 1
    }
    expect(items).toBe(702)
    expect(pages).toBeGreaterThan(5)
    expect(await queryAll(url, 'SELECT ID FROM SoftwareLicensingProduct')).toHaveLength(702)
  })

  it('ends with Release', async () => {
    const { url } = await host()
    const context = contextOf(await enumerate(url, WITH_KEY)) ?? ''
    expect((await release(url, context)).status).toBe(200)
    expect((await pull(url, context)).status).toBe(500)
  })

  it('that is not optimized brings a context alone', async () => {
    const { url } = await host()
    const first = await enumerate(url, WITH_KEY, { optimize: false })
    expect(fragmentsOf(first)).toEqual([])
    expect(fragmentsOf(await pull(url, contextOf(first) ?? ''))).toHaveLength(2)
  })
})

describe('what cannot be asked', () => {
  it.each([
    ['an unknown column', 'SELECT Colour FROM Win32_Service', '0x80041017'],
    ['an unknown class', 'SELECT Name FROM Win32_Unheard', '0x80041010'],
  ])("%s: a fault with WMI's code in its words", async (_what, wql, code) => {
    const { url } = await host()
    const { status, text } = await enumerate(url, wql)
    expect([status, codesIn(text)]).toEqual([500, [0x8033_801a, 0x8033_801a]])
    expect(text).toContain(`HRESULT = ${code}`)
  })

  it('another namespace, another dialect, no SOAP', async () => {
    const { url } = await host()
    const resource = 'http://schemas.microsoft.com/wbem/wsman/1/wmi/root/default/*'
    expect(codesIn((await enumerate(url, SPPSVC, { resource })).text)).toEqual([0x8033_8000])
    expect(codesIn((await enumerate(url, SPPSVC, { dialect: 'x' })).text)).toEqual([0x8033_8019])
    expect((await post(url, '<html/>')).status).toBe(400)
  })
})

describe('an account without', () => {
  it('the namespace gets access denied', async () => {
    const { url } = await host({ rights: { namespace: false } })
    const { status, text } = await enumerate(url, SPPSVC)
    expect([status, codesIn(text)]).toEqual([500, [0x8033_8104, 0x8033_8104]])
    expect(text).toContain('0x80041003')
  })

  it('the service manager sees no services', async () => {
    const { url } = await host({ rights: { services: false } })
    expect(await queryAll(url, SPPSVC)).toEqual([])
    expect(await queryAll(url, WITH_KEY)).toHaveLength(2)
  })

  it('event logs sees none, or is refused', async () => {
    const files = 'SELECT LogfileName FROM Win32_NTEventlogFile'
    expect(await queryAll((await host({ rights: { events: 'hidden' } })).url, files)).toEqual([])
    await listener?.stop()
    const { text } = await enumerate((await host({ rights: { events: 'denied' } })).url, files)
    expect(codesIn(text)[0]).toBe(0x8033_8105)
  })

  it('methods is refused the registry, or the key', async () => {
    const refused = await host({ rights: { registry: false } })
    expect((await getValue(refused.url, 'GetDWORDValue', CURRENT_VERSION, 'UBR')).text).toContain(
      '0x80041003',
    )
    await refused.stop()
    const closed = await host({ rights: { registry: 'closed_key' } })
    expect((await getValue(closed.url, 'GetDWORDValue', CURRENT_VERSION, 'UBR')).text).toContain(
      '<p:ReturnValue>5</p:ReturnValue>',
    )
  })

  it('luck gets 500 with nothing in it', async () => {
    const { url } = await host({ emptyBody: true })
    expect(await enumerate(url, SPPSVC)).toMatchObject({ status: 500, text: '' })
  })
})

describe('the registry', () => {
  const platform = String.raw`${CURRENT_VERSION}\SoftwareProtectionPlatform`
  it.each([
    ['GetDWORDValue', CURRENT_VERSION, 'UBR', '<p:ReturnValue>0</p:ReturnValue><p:uValue>2322</p:uValue>'],
    [
      'GetStringValue',
      CURRENT_VERSION,
      'ProductName',
      '<p:ReturnValue>0</p:ReturnValue><p:sValue>Windows Server 2022 Standard</p:sValue>',
    ],
    [
      'GetMultiStringValue',
      platform,
      'DnsDomainPublishList',
      '<p:ReturnValue>0</p:ReturnValue><p:sValue>a.example,0,0</p:sValue><p:sValue>b.example</p:sValue>',
    ],
    [
      'GetDWORDValue',
      CURRENT_VERSION,
      'Nothing',
      '<p:ReturnValue>2</p:ReturnValue><p:uValue xsi:nil="true"/>',
    ],
    ['GetStringValue', CURRENT_VERSION, 'UBR', '<p:ReturnValue>2147749893</p:ReturnValue>'],
  ])('%s %s %s', async (method, key, name, expected) => {
    const { url, asked } = await host({}, { publishList: ['a.example,0,0', 'b.example'] })
    const { status, text } = await getValue(url, method, key, name)
    expect(status).toBe(200)
    expect(text).toContain(`<p:${method}_OUTPUT `)
    expect(text).toContain(expected)
    expect(asked).toEqual([`${method} ${name}`])
  })
})

describe('nothing can be changed', () => {
  const cimv2 = (name: string): string => `http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/${name}`
  const transfer = 'http://schemas.xmlsoap.org/ws/2004/09/transfer'
  const shell = 'http://schemas.microsoft.com/wbem/wsman/1/windows/shell'
  // Methods as sppwmi.mof, the Win32 Provider and the Registry Provider list them; DSP0226's and MS-WSMV's other actions.
  const changes: readonly (readonly [resource: string, action: string])[] = [
    ...[
      'Activate',
      'SetKeyManagementServiceMachine',
      'ClearKeyManagementServiceMachine',
      'UninstallProductKey',
      'ReArmsku',
    ].map((method) => [cimv2('SoftwareLicensingProduct'), method] as const),
    ...[
      'InstallProductKey',
      'InstallLicense',
      'RefreshLicenseStatus',
      'ReArmWindows',
      'AcquireGenuineTicket',
      'SetKeyManagementServiceListeningPort',
      'DisableKeyManagementServiceDnsPublishing',
      'SetVLActivationInterval',
    ].map((method) => [cimv2('SoftwareLicensingService'), method] as const),
    ...['StartService', 'StopService', 'ChangeStartMode', 'Delete'].map(
      (method) => [cimv2('Win32_Service'), method] as const,
    ),
    [cimv2('Win32_Process'), 'Create'],
    [cimv2('Win32_NTEventlogFile'), 'ClearEventlog'],
    [cimv2('Win32_OperatingSystem'), 'Reboot'],
    ...[
      'SetDWORDValue',
      'SetStringValue',
      'SetMultiStringValue',
      'CreateKey',
      'DeleteKey',
      'DeleteValue',
      'SetSecurityDescriptor',
      'EnumKey',
    ].map((method) => [REGISTRY, method] as const),
    // A getter, but of a class that has none.
    [cimv2('SoftwareLicensingService'), 'GetDWORDValue'],
  ]
  const actions = [
    ...changes.map(([resource, method]) => [resource, `${resource}/${method}`] as const),
    ...['Put', 'Create', 'Delete', 'Get'].map(
      (verb) => [cimv2('SoftwareLicensingService'), `${transfer}/${verb}`] as const,
    ),
    ...['Command', 'Send', 'Signal'].map((verb) => [`${shell}/cmd`, `${shell}/${verb}`] as const),
    ['http://schemas.microsoft.com/wbem/wsman/1/config', `${transfer}/Put`] as const,
    [REGISTRY, 'GetDWORDValue'] as const,
    [cimv2('*'), `${REGISTRY}/GetDWORDValue`] as const,
  ]

  it.each(actions)('%s %s gets a fault', async (resource, action) => {
    const machine = kmsClient({ unlicensedProducts: 3, sppsvc: { state: 'Stopped' } })
    const { sppsvc, licensing, products } = machine
    const logs = (['Key Management Service', 'Application', 'System'] as const).map((name) =>
      machine.log(name),
    )
    const picture = (): string =>
      JSON.stringify([sppsvc, licensing, products, logs.map(({ records }) => records)])
    const before = picture()
    const { url } = (listener = await startWinrm(machine, LOOPBACK))
    const input = `<x:Anything_INPUT xmlns:x="${resource}"><x:hDefKey>2147483650</x:hDefKey>
      <x:sSubKeyName>${CURRENT_VERSION}</x:sSubKeyName><x:sValueName>UBR</x:sValueName><x:uValue>1</x:uValue></x:Anything_INPUT>`
    const { status, text } = await post(url, soap(action, resource, input))
    expect([status, codesIn(text)]).toEqual([500, [0x8033_8013]])
    expect(text).not.toContain('_OUTPUT')
    expect(picture()).toBe(before)
  })
})

it('Identify names Windows, without addressing', async () => {
  const { url, asked } = await host()
  const identify =
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>'
  expect((await post(url, identify)).text).toContain(
    '<wsmid:ProductVersion>OS: 10.0.20348 SP: 0.0 Stack: 3.0</wsmid:ProductVersion>',
  )
  expect(asked).toEqual(['Identify'])
})
