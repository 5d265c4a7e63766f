import { describe, expect, it } from 'vitest'
import { ProbeFailure } from '../../src/model/failure.ts'
import { client, type ClientReading, type ClientTarget } from '../../src/probes/client.ts'
import type { Select } from '../../src/protocol/wql.ts'
import { estate, linesOf, visitTo, WINRM, type FakeWindows, type Row } from './fake-windows.ts'

const AT = 1_800_000_000
const iso = (seconds: number): string => new Date(seconds * 1000).toISOString()

function target(): ClientTarget {
  const [first] = client.targets(estate({ clients: [{ name: 'pc01.corp.example', windows: WINRM }] }))
  if (first === undefined) throw new Error('no target')
  return first
}

const SKU = '73111121-5638-40f6-bc11-f1d7b0d64300'
const OFFICE = '85dd8b5f-eaa4-4af3-a628-cce9e77c9a03'

const PRODUCT: Row = {
  ID: SKU.toUpperCase(),
  Description: 'Windows(R) Operating System, VOLUME_KMSCLIENT channel',
  LicenseStatus: '1',
  LicenseStatusReason: '1074066433',
  GracePeriodRemaining: '243720',
  KeyManagementServiceMachine: '',
  KeyManagementServicePort: '0',
  DiscoveredKeyManagementServiceMachineName: 'KMS01.corp.example',
  DiscoveredKeyManagementServiceMachinePort: '1688',
  VLActivationType: '2',
}
const OS: Row = {
  Caption: 'Microsoft Windows 11 Enterprise',
  BuildNumber: '22631',
  ProductType: '1',
  SystemDirectory: String.raw`C:\Windows\system32`,
  LocalDateTime: iso(AT),
}
const CMID = '2ffcfc30-6a6a-49ec-92b8-f6150c7df211'

/** KB 974998's form: one string, its fields joined by commas. */
function request(
  atSeconds: number,
  code = '0x00000000',
  host = 'KMS01.corp.example:1688',
  record = 10,
  product = SKU,
): Row {
  const fields = `${code}, 0x00000000, ${host}, ${CMID}, 2027/01/15 08:00, 0, 1, 41760, ${product}, 25`
  return {
    RecordNumber: String(record),
    EventCode: '12288',
    TimeGenerated: iso(atSeconds),
    InsertionStrings: [fields],
  }
}

function response(atSeconds: number, code = '0x00000000', record = 11, taken = '0x00000000, 1'): Row {
  const fields = `${code}, ${taken}, 0, 50, 120, 10080, 2027/01/15 08:00`
  return {
    RecordNumber: String(record),
    EventCode: '12289',
    TimeGenerated: iso(atSeconds),
    InsertionStrings: [fields],
  }
}

/** The log as Windows answers: only what the condition on the time lets through. */
function log(rows: readonly Row[]) {
  return ({ where = '' }: Select): readonly Row[] => {
    const [, digits = ''] = /TimeGenerated >= '(\d{14})/.exec(where) ?? []
    const from = Date.parse(digits.replace(/(....)(..)(..)(..)(..)(..)/, '$1-$2-$3T$4:$5:$6Z'))
    return rows.filter(({ TimeGenerated }) => Date.parse(String(TimeGenerated)) >= from)
  }
}

const HEALTHY: FakeWindows['classes'] = {
  SoftwareLicensingProduct: [PRODUCT],
  SoftwareLicensingService: [{ KeyManagementServiceMachine: null }],
  Win32_OperatingSystem: [OS],
  Win32_NTLogEvent: log([request(AT - 7200), response(AT - 7200)]),
  Win32_NTEventlogFile: [{ NumberOfRecords: '4000' }],
}

async function read(
  classes: FakeWindows['classes'],
): Promise<{ reading: ClientReading; asked: readonly string[] }> {
  const { visit, asked } = visitTo({ classes: { ...HEALTHY, ...classes } }, { wallSeconds: AT })
  return { reading: await client.measure(target(), visit), asked }
}

describe('a client that is well', () => {
  it('says so', async () => {
    const { reading } = await read({})
    expect(reading).toEqual({
      licenseStatus: 'licensed',
      licenseReason: '0x4004F401',
      graceSeconds: 243_720 * 60,
      isKmsClient: true,
      kms: { host: 'kms01.corp.example', port: 1688, discoveredBy: 'dns' },
      lastActivation: {
        atSeconds: AT - 7200,
        code: '0x00000000',
        answered: true,
        host: 'kms01.corp.example',
      },
      eventsReadable: true,
      os: {
        caption: 'Microsoft Windows 11 Enterprise',
        build: 22_631,
        ubr: undefined,
        productType: 'workstation',
      },
      clientOs: 'windows_11',
      roundTrips: 6,
    })
    expect(linesOf(client.metrics, reading, target())).toEqual([
      ...[
        'unlicensed 0',
        'licensed 1',
        'oob_grace 0',
        'oot_grace 0',
        'non_genuine_grace 0',
        'notification 0',
      ].map((line) => `winkms_client_license_status{status="${line.replace(' ', '"} ')}`),
      'winkms_client_license_status{status="extended_grace"} 0',
      'winkms_client_grace_seconds 14623200',
      'winkms_client_kms_info{host="kms01.corp.example",discovered_by="dns"} 1',
      'winkms_client_last_activation_result_info{code="0x00000000"} 1',
      `winkms_client_last_activation_timestamp_seconds ${AT - 7200}`,
    ])
  })

  it('is asked neither for its CMID nor for its key', async () => {
    const { asked } = await read({})
    for (const text of asked)
      expect(text.slice(0, text.indexOf(' FROM '))).not.toMatch(
        /\*|ClientMachineID|PartialProductKey|ProductKeyID/i,
      )
  })
})

describe('the host that it asks', () => {
  const withProduct = (changes: Row): FakeWindows['classes'] => ({
    SoftwareLicensingProduct: [{ ...PRODUCT, ...changes }],
  })

  it('configured goes before discovered, for the product before the machine', async () => {
    const configured = { KeyManagementServiceMachine: 'KMS02', KeyManagementServicePort: '1700' }
    const onProduct = await read(withProduct(configured))
    expect(onProduct.reading.kms).toEqual({ host: 'kms02', port: 1700, discoveredBy: 'configured' })
    const onMachine = await read({ SoftwareLicensingService: [configured] })
    expect(onMachine.reading.kms).toEqual({ host: 'kms02', port: 1700, discoveredBy: 'configured' })
    expect(
      (await read({ SoftwareLicensingService: new ProbeFailure('access_denied', 'no') })).reading.kms,
    ).toEqual({
      host: 'kms01.corp.example',
      port: 1688,
      discoveredBy: 'dns',
    })
  })

  it.for([
    ['192.0.2.7', '0', { host: '192.0.2.7', port: 1688 }],
    ['[2001:db8::1]:1700', '4294967295', { host: '2001:db8::1', port: 1700 }],
  ] as const)(
    'may be %s, port %s',
    async ([KeyManagementServiceMachine, KeyManagementServicePort, expected]) => {
      const { reading } = await read(withProduct({ KeyManagementServiceMachine, KeyManagementServicePort }))
      expect(reading.kms).toEqual({ ...expected, discoveredBy: 'configured' })
    },
  )

  it('by Active Directory there is none', async () => {
    const { reading } = await read(withProduct({ VLActivationType: '1' }))
    expect(reading.kms).toEqual({ host: '', port: undefined, discoveredBy: 'active_directory' })
  })

  it('a Windows without that property is asked for it by itself, and answers the rest', async () => {
    const invalid = new ProbeFailure('protocol_error', 'invalid query')
    const { reading } = await read({
      SoftwareLicensingProduct: ({ columns }) => (columns.includes('VLActivationType') ? invalid : [PRODUCT]),
    })
    expect(reading).toMatchObject({ licenseStatus: 'licensed', kms: { discoveredBy: 'dns' } })
  })

  it('a name that is none is no host, and no label', async () => {
    const { reading } = await read(
      withProduct({ DiscoveredKeyManagementServiceMachineName: 'kms"} 1\nevil{a="' }),
    )
    expect(reading.kms).toBeUndefined()
    expect(linesOf(client.metrics, reading, target()).join('\n')).not.toContain('evil')
  })
})

describe('its licence', () => {
  it('is that of Windows itself, not of an add-on', async () => {
    const addOn = { ...PRODUCT, Description: 'Windows(R), VOLUME_MAK channel', LicenseStatus: '0' }
    const { reading } = await read({ SoftwareLicensingProduct: [addOn, PRODUCT] })
    expect(reading).toMatchObject({ licenseStatus: 'licensed', isKmsClient: true })
  })

  it('with another kind of key: no KMS client', async () => {
    const { reading } = await read({
      SoftwareLicensingProduct: [{ ...PRODUCT, Description: 'Windows(R), VOLUME_MAK channel' }],
    })
    expect(reading.isKmsClient).toBe(false)
  })

  it('without a key: nothing known', async () => {
    const { reading } = await read({ SoftwareLicensingProduct: [] })
    expect(reading).toMatchObject({ licenseStatus: undefined, isKmsClient: undefined, kms: undefined })
  })

  it.for([
    ['1', undefined],
    ['5', 0],
    ['0', 0],
    [null, undefined],
  ] as const)('of status %s with 0 minutes left has %s seconds', async ([LicenseStatus, seconds]) => {
    const changed = { ...PRODUCT, LicenseStatus, GracePeriodRemaining: '0' }
    const { reading } = await read({ SoftwareLicensingProduct: [changed] })
    expect(reading.graceSeconds).toBe(seconds)
  })

  it('denied is no answer', async () => {
    const SoftwareLicensingProduct = new ProbeFailure('access_denied', 'no')
    await expect(read({ SoftwareLicensingProduct })).rejects.toMatchObject({ reason: 'access_denied' })
  })
})

describe('its last attempt', () => {
  const codeLine = (reading: ClientReading): string | undefined =>
    linesOf(client.metrics, reading, target()).find((line) => line.includes('result_info'))

  it.for([
    {
      says: 'an answer that refuses, whatever the order of the rows',
      rows: [response(AT - 60, '0xC004F06C', 11), request(AT - 60, '0x00000000', 'kms01:1688', 10)],
      code: '0xC004F06C',
      answered: true,
      host: 'kms01',
    },
    {
      says: 'a request after the last answer',
      rows: [request(AT - 60, '0x800706BA', 'kms09:1688', 12), response(AT - 7200), request(AT - 7200)],
      code: '0x800706BA',
      answered: false,
      host: 'kms09',
    },
    {
      says: 'an answer after the request, though the clock was set back in between',
      rows: [
        request(AT - 60, '0x00000000', 'kms01:1688', 10),
        response(AT - 3600, '0xC004F06C', 11),
        request(AT - 30, '0x800706BA', 'kms09:1688', 8),
      ],
      code: '0xC004F06C',
      answered: true,
      host: 'kms01',
    },
    {
      says: 'a request in the second of the answer to the one before it',
      rows: [
        request(AT - 60, '0x00000000', 'kms01:1688', 10),
        response(AT - 60, '0x00000000', 11),
        request(AT - 60, '0x800706BA', 'kms09:1688', 12),
      ],
      code: '0x800706BA',
      answered: false,
      host: 'kms09',
    },
    {
      says: 'a request, and an answer that is later by a clock which was set back, but was there before',
      rows: [
        response(AT - 10, '0x00000000', 11),
        request(AT - 10, '0x00000000', 'kms01:1688', 10),
        request(AT - 3600, '0x800706BA', 'kms09:1688', 12),
      ],
      code: '0x800706BA',
      answered: false,
      host: 'kms09',
    },
    {
      says: 'nothing for days, then a failure without an answer',
      rows: [request(AT - 7 * 86_400, '0xC004F074')],
      code: '0xC004F074',
      answered: false,
      host: 'kms01.corp.example',
    },
  ])('$says', async ({ rows, code, answered, host }) => {
    const { reading } = await read({ Win32_NTLogEvent: log(rows) })
    expect(reading.lastActivation).toMatchObject({ code, answered, host })
    expect(codeLine(reading)).toBe(`winkms_client_last_activation_result_info{code="${code}"} 1`)
  })

  it('sent and never answered is not taken for success', async () => {
    const { reading } = await read({ Win32_NTLogEvent: log([request(AT - 60)]) })
    expect(reading.lastActivation).toMatchObject({ code: '0x00000000', answered: false })
    expect(codeLine(reading)).toBe('winkms_client_last_activation_result_info{code="no_answer"} 1')
  })

  // The first is the example of Microsoft's table of KMS events (ff793440): flags 0x4000008, not activated.
  it.for([
    ['0x4000008, 0', '0xC004F038'],
    ['0x8000008, 0', '0xC004F035'],
    ['0x8, 0', 'not_activated'],
    ['0x8, 1', '0x00000000'],
  ] as const)('answered without an error, flags and outcome %s: %s', async ([taken, code]) => {
    const rows = [request(AT - 60), response(AT - 60, '0x0', 11, taken)]
    const { reading } = await read({ Win32_NTLogEvent: log(rows) })
    expect(reading.lastActivation).toMatchObject({ code, answered: true })
    expect(codeLine(reading)).toBe(`winkms_client_last_activation_result_info{code="${code}"} 1`)
  })

  it('is one for Windows: Office asks for itself, and says nothing of it', async () => {
    const own = [request(AT - 300, '0x00000000', 'kms01:1688', 1), response(AT - 300, '0x00000000', 2)]
    const office = [
      request(AT - 60, '0x00000000', 'kms02:1688', 3, OFFICE.toUpperCase()),
      response(AT - 60, '0xC004F042', 4),
    ]
    const { reading } = await read({ Win32_NTLogEvent: log([...office, ...own]) })
    expect(reading.lastActivation).toEqual({
      atSeconds: AT - 300,
      code: '0x00000000',
      answered: true,
      host: 'kms01',
    })
    const unanswered = own.slice(0, 1)
    const alone = await read({ Win32_NTLogEvent: log([...office, ...unanswered]) })
    expect(alone.reading.lastActivation).toMatchObject({ answered: false, host: 'kms01' })
    const nameless = await read({
      SoftwareLicensingProduct: [{ ...PRODUCT, ID: null }],
      Win32_NTLogEvent: log([...office, ...own]),
    })
    expect(nameless.reading.lastActivation).toMatchObject({ code: '0xC004F042', host: 'kms02' })
  })

  it('is looked for by the clock of the client', async () => {
    const ahead = AT + 30 * 86_400
    const { reading } = await read({
      Win32_OperatingSystem: [{ ...OS, LocalDateTime: iso(ahead) }],
      Win32_NTLogEvent: log([response(ahead - 60, '0xC004F06C'), request(AT - 60)]),
    })
    expect(reading.lastActivation?.code).toBe('0xC004F06C')
  })

  it('is looked for further back when all that is new is of a clock that was ahead', async () => {
    const month = 30 * 86_400
    const ahead = [request(AT + month, '0x0', 'kms09:1688', 20), response(AT + month, '0x0', 21)]
    const since = [
      request(AT - 3 * 86_400, '0x0', 'kms01:1688', 22),
      response(AT - 3 * 86_400, '0xC004F038', 23),
    ]
    const { reading } = await read({ Win32_NTLogEvent: log([...ahead, ...since]) })
    expect(reading.lastActivation).toMatchObject({ code: '0xC004F038', host: 'kms01' })
    const alone = await read({ Win32_NTLogEvent: log(ahead) })
    expect(alone.reading.lastActivation?.host).toBe('kms09')
  })

  it('is of the Software Protection service: others have events of these numbers too', async () => {
    const { asked } = await read({})
    const [query = ''] = asked.filter((text) => text.includes('Win32_NTLogEvent'))
    expect(query).toContain("SourceName = 'Microsoft-Windows-Security-SPP'")
    expect(query).toContain("Logfile = 'Application'")
  })

  it('older than 8 days, or none: read, and none', async () => {
    const { reading, asked } = await read({ Win32_NTLogEvent: log([request(AT - 9 * 86_400)]) })
    expect(reading).toMatchObject({ lastActivation: undefined, eventsReadable: true })
    expect(asked.filter((text) => text.includes('Win32_NTLogEvent'))).toHaveLength(2)
    expect(codeLine(reading)).toBeUndefined()
  })

  it('not to be read, for want of a right or of time: the licence is an answer all the same', async () => {
    const denied = new ProbeFailure('access_denied', 'no')
    const late = new ProbeFailure('timeout', 'late')
    for (const classes of [
      { Win32_NTLogEvent: denied },
      { Win32_NTLogEvent: late },
      { Win32_NTLogEvent: [], Win32_NTEventlogFile: [] },
      { Win32_NTLogEvent: [], Win32_NTEventlogFile: denied },
    ]) {
      const { reading } = await read(classes)
      expect(reading).toMatchObject({
        licenseStatus: 'licensed',
        lastActivation: undefined,
        eventsReadable: false,
      })
    }
  })

  it('strings that nobody can read are stepped over', async () => {
    const { reading } = await read({
      Win32_NTLogEvent: log([
        { ...request(AT - 10), InsertionStrings: ['nonsense'] },
        { ...response(AT - 10), InsertionStrings: null },
        { ...request(AT - 20, '0xC004F074'), TimeGenerated: iso(AT - 20) },
      ]),
    })
    expect(reading.lastActivation).toMatchObject({ code: '0xC004F074', atSeconds: AT - 20 })
  })
})
