import { describe, expect, it } from 'vitest'
import { ProbeFailure } from '../../src/model/failure.ts'
import type { HostTarget } from '../../src/probes/host-target.ts'
import { licensing, type LicensingReading } from '../../src/probes/licensing.ts'
import { mayReadRegistry } from '../../src/probes/windows-queries.ts'
import { estate, linesOf, visitTo, WINRM, type FakeWindows, type Row } from './fake-windows.ts'

const NAME = 'kms01.corp.example'
const AT = 1_800_000_000

function targetOf(windows: object = WINRM, more: object = {}): HostTarget {
  const [target] = licensing.targets(estate({ hosts: [{ name: NAME, windows, ...more }] }))
  if (target === undefined) throw new Error('no target')
  return target
}

const RUNNING: Row = {
  State: 'Running',
  StartMode: 'Auto',
  ExitCode: '0',
  ServiceSpecificExitCode: '0',
  ProcessId: '4711',
}

const SERVICE: Row = {
  Version: '10.0.20348.2322',
  IsKeyManagementServiceMachine: '1',
  KeyManagementServiceCurrentCount: '50',
  RequiredClientCount: '25',
  KeyManagementServiceListeningPort: '0',
  KeyManagementServiceDnsPublishing: 'true',
  KeyManagementServiceLowPriority: 'false',
  KeyManagementServiceHostCaching: 'true',
  VLActivationInterval: '120',
  VLRenewalInterval: '10080',
}

const WINDOWS_KEY: Row = {
  ID: 'A1B2C3D4-0000-4000-8000-000000000022',
  ApplicationID: '55c92734-d682-4d71-983e-d6ec3f16059f',
  Description: 'Windows(R) Operating System, VOLUME_KMS_WS22 channel',
  LicenseStatus: '1',
  LicenseStatusReason: '0',
  GracePeriodRemaining: '0',
  KeyManagementServiceCurrentCount: '50',
  RequiredClientCount: '25',
  KeyManagementServiceTotalRequests: '826',
  KeyManagementServiceFailedRequests: '7',
  KeyManagementServiceUnlicensedRequests: '3',
  KeyManagementServiceLicensedRequests: '800',
  KeyManagementServiceOOBGraceRequests: '20',
  KeyManagementServiceOOTGraceRequests: '2',
  KeyManagementServiceNonGenuineGraceRequests: '0',
  KeyManagementServiceNotificationRequests: '1',
}

/** Nobody has asked for Office yet: Windows says -1, in 32 bits without a sign. */
const OFFICE_KEY: Row = {
  ...WINDOWS_KEY,
  ID: '98ebfe73-2084-4c97-932c-c0cd1643bea7',
  ApplicationID: '0ff1ce15-a989-479d-af46-f275c6370663',
  Description: 'Office 16, VOLUME_KMS channel',
  LicenseStatus: '5',
  LicenseStatusReason: '3221549065',
  GracePeriodRemaining: '1440',
  RequiredClientCount: '5',
  KeyManagementServiceCurrentCount: '4294967295',
  KeyManagementServiceTotalRequests: '4294967295',
  KeyManagementServiceFailedRequests: '4294967295',
  KeyManagementServiceUnlicensedRequests: null,
  KeyManagementServiceLicensedRequests: '4294967295',
  KeyManagementServiceOOBGraceRequests: '4294967295',
  KeyManagementServiceOOTGraceRequests: '4294967295',
  KeyManagementServiceNonGenuineGraceRequests: '4294967295',
  KeyManagementServiceNotificationRequests: '4294967295',
}

const OWN_CLIENT_KEY: Row = {
  ...OFFICE_KEY,
  ID: '00000000-0000-4000-8000-000000000001',
  Description: 'Windows(R) Operating System, VOLUME_KMSCLIENT channel',
}

const OS: Row = {
  Caption: 'Microsoft Windows Server 2022 Datacenter ',
  BuildNumber: '20348',
  ProductType: '3',
  SystemDirectory: String.raw`C:\Windows\system32`,
  LocalDateTime: new Date((AT + 90) * 1000).toISOString(),
}

const HEALTHY: FakeWindows['classes'] = {
  Win32_Service: [RUNNING],
  SoftwareLicensingService: [SERVICE],
  SoftwareLicensingProduct: [WINDOWS_KEY, OFFICE_KEY, OWN_CLIENT_KEY],
  Win32_OperatingSystem: [OS],
  CIM_DataFile: [{ Version: '10.0.20348.2322' }],
}

async function read(
  windows: FakeWindows,
  target = targetOf(),
): Promise<{ reading: LicensingReading; asked: readonly string[] }> {
  const { visit, asked } = visitTo(windows, { wallSeconds: AT })
  return { reading: await licensing.measure(target, visit), asked }
}

describe('a host that is well', () => {
  it('says all of it', async () => {
    const { reading } = await read({ classes: HEALTHY })
    expect(reading).toEqual({
      service: { state: 'running', startMode: 'auto' },
      kms: {
        service: {
          version: '10.0.20348.2322',
          kmsEnabled: true,
          currentClients: 50,
          requiredClients: 25,
          listeningPort: 1688,
          dnsPublishing: true,
          lowPriority: false,
          hostCaching: true,
          activationIntervalSeconds: 7200,
          renewalIntervalSeconds: 604_800,
        },
        products: [
          {
            id: 'a1b2c3d4-0000-4000-8000-000000000022',
            product: 'ws2022',
            application: 'windows',
            licenseStatus: 'licensed',
            licenseReason: undefined,
            graceSeconds: undefined,
            currentClients: 50,
            requiredClients: 25,
            clientsLimit: 50,
            requestsReceived: 826,
            requestsFailed: 7,
            requests: {
              unlicensed: 3,
              licensed: 800,
              oob_grace: 20,
              oot_grace: 2,
              non_genuine_grace: 0,
              notification: 1,
            },
          },
          {
            id: '98ebfe73-2084-4c97-932c-c0cd1643bea7',
            product: 'office2016',
            application: 'office',
            licenseStatus: 'notification',
            licenseReason: '0xC004F009',
            graceSeconds: 86_400,
            currentClients: undefined,
            requiredClients: 5,
            clientsLimit: 10,
            requestsReceived: undefined,
            requestsFailed: undefined,
            requests: {},
          },
        ],
      },
      os: {
        caption: 'Microsoft Windows Server 2022 Datacenter',
        build: 20_348,
        ubr: 2322,
        ubrSource: 'kernel_file',
        productType: 'server',
      },
      publishList: undefined,
      clock: [],
      roundTrips: 6,
    })
  })

  it('exports it', async () => {
    const { reading } = await read({ classes: HEALTHY })
    const lines = linesOf(licensing.metrics, reading, targetOf())
    expect(lines).toEqual(
      expect.arrayContaining([
        'winkms_kms_enabled 1',
        'winkms_current_clients{product="ws2022"} 50',
        'winkms_current_clients_limit{product="office2016"} 10',
        'winkms_required_clients{product="office2016"} 5',
        'winkms_requests_total{product="ws2022",license_status="oob_grace"} 20',
        'winkms_requests_received_total{product="ws2022"} 826',
        'winkms_requests_failed_total{product="ws2022"} 7',
        'winkms_host_license_status{product="ws2022",status="licensed"} 1',
        'winkms_host_license_status{product="office2016",status="notification"} 1',
        'winkms_host_license_status{product="office2016",status="licensed"} 0',
        'winkms_host_license_reason_info{product="office2016",reason="0xC004F009"} 1',
        'winkms_host_license_grace_seconds{product="office2016"} 86400',
        'winkms_listening_port 1688',
        'winkms_dns_publishing_enabled 1',
        'winkms_low_priority 0',
        'winkms_host_caching_enabled 1',
        'winkms_activation_interval_seconds 7200',
        'winkms_renewal_interval_seconds 604800',
        'winkms_host_os_info{caption="Microsoft Windows Server 2022 Datacenter",build="20348",ubr="2322",ubr_source="kernel_file"} 1',
        'winkms_client_os_supported{client_os="windows_server_2022"} 1',
        'winkms_client_os_supported{client_os="windows_server_2025"} 0',
      ]),
    )
    // Nobody has asked for Office: unknown, and not zero.
    expect(
      lines.filter((line) => /winkms_(current_clients|requests_\w+)\{product="office/.test(line)),
    ).toEqual([])
    expect(lines.filter((line) => line.includes('ws2022",reason'))).toEqual([])
  })

  it('is asked named columns only, and for nothing that is a secret or names a machine', async () => {
    const { asked } = await read({ classes: HEALTHY })
    for (const text of asked) {
      const columns = text.slice(0, text.indexOf(' FROM '))
      expect(columns).not.toMatch(/\*|PartialProductKey|ProductKeyID|ClientMachineID|OfflineInstallationId/i)
    }
    expect(asked[0]).toContain('FROM Win32_Service')
  })
})

describe('sppsvc', () => {
  it.for(['Stopped', 'Stop Pending', 'Paused', 'Pause Pending', 'Continue Pending'])(
    '%s: the licensing classes, which would start it, are not asked',
    async (State) => {
      const { reading, asked } = await read({
        classes: { ...HEALTHY, Win32_Service: [{ ...RUNNING, State }] },
      })
      expect(asked.join('\n')).not.toContain('SoftwareLicensing')
      expect(reading.kms).toBeUndefined()
      expect(reading.os?.ubr).toBe(2322)
      const lines = linesOf(licensing.metrics, reading, targetOf())
      expect(lines.map((line) => line.replace(/[ {].*/s, ''))).toEqual(['winkms_host_os_info'])
    },
  )

  it('starting, or not to be seen for want of a right: they are', async () => {
    for (const rows of [[], [{ ...RUNNING, State: 'Start Pending' }], [{ ...RUNNING, State: 'Dreaming' }]]) {
      const { reading } = await read({ classes: { ...HEALTHY, Win32_Service: rows } })
      expect(reading.kms?.products).toHaveLength(2)
    }
  })
})

describe('keys', () => {
  const withProducts = (rows: readonly Row[]): FakeWindows => ({
    classes: { ...HEALTHY, SoftwareLicensingProduct: rows },
  })

  it('none: an empty list, and nothing on what the host supports', async () => {
    const { reading } = await read(withProducts([OWN_CLIENT_KEY]))
    expect(reading.kms?.products).toEqual([])
    expect(linesOf(licensing.metrics, reading, targetOf()).join('\n')).not.toContain('client_os')
  })

  it('two with one short name go by their ids, so that no series is there twice', async () => {
    const other = { ...WINDOWS_KEY, ID: '00000000-0000-4000-8000-000000000002' }
    const { reading } = await read(withProducts([WINDOWS_KEY, other, WINDOWS_KEY]))
    expect(reading.kms?.products.map(({ product }) => product)).toEqual([
      'a1b2c3d4-0000-4000-8000-000000000022',
      '00000000-0000-4000-8000-000000000002',
    ])
    const lines = linesOf(licensing.metrics, reading, targetOf()).map((line) => line.replace(/ \S+$/, ''))
    expect(new Set(lines).size).toBe(lines.length)
  })

  it('by the thousand make series for twenty at most', async () => {
    const many = Array.from({ length: 1000 }, (_, index) => ({
      ...WINDOWS_KEY,
      ID: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    }))
    const { reading } = await read(withProducts(many))
    expect(reading.kms?.products).toHaveLength(20)
  })

  it.for([
    ['an id that is no GUID', { ID: 'kms"} 1\nevil 1' }],
    ['a count that is no number', { KeyManagementServiceCurrentCount: 'many' }],
    ['a licence status that is no number', { LicenseStatus: 'good' }],
  ] as const)('malformed: %s', async ([, changes]) => {
    await expect(read(withProducts([{ ...WINDOWS_KEY, ...changes }]))).rejects.toThrow(/\(at offset \d+\)/)
  })

  it.for([
    ['0', '1', [], true],
    ['0', '0', [], false],
    ['1', '0', [], true],
    [null, '1', [], true],
    [null, null, [], undefined],
    ['0', '1', [WINDOWS_KEY], false],
  ] as const)('KMS: the machine says %s, a key for Office %s', async ([machine, key, more, kmsEnabled]) => {
    const { reading } = await read({
      classes: {
        ...HEALTHY,
        SoftwareLicensingService: [{ ...SERVICE, IsKeyManagementServiceMachine: machine }],
        SoftwareLicensingProduct: [
          ...more,
          { ...OFFICE_KEY, IsKeyManagementServiceMachine: key },
          { ...OWN_CLIENT_KEY, IsKeyManagementServiceMachine: '1' },
        ],
      },
    })
    expect(reading.kms?.service.kmsEnabled).toBe(kmsEnabled)
  })

  it('that take no client at all do not say how many they take', async () => {
    const { reading } = await read({
      classes: {
        ...HEALTHY,
        SoftwareLicensingService: [{ ...SERVICE, RequiredClientCount: '0' }],
        SoftwareLicensingProduct: [{ ...WINDOWS_KEY, RequiredClientCount: '0' }],
      },
    })
    expect(reading.kms?.service.requiredClients).toBeUndefined()
    expect(reading.kms?.products[0]?.requiredClients).toBeUndefined()
  })

  it('a status that nobody knows is no status', async () => {
    const { reading } = await read(withProducts([{ ...WINDOWS_KEY, LicenseStatus: '99' }]))
    expect(reading.kms?.products[0]?.licenseStatus).toBeUndefined()
    expect(linesOf(licensing.metrics, reading, targetOf()).join('\n')).not.toContain('license_status{')
  })

  it.for([
    ['5', '9', 10],
    // A client system has asked before.
    ['5', '11', 50],
    ['25', '3', 50],
    ['25', '4294967295', 50],
    [null, null, undefined],
  ] as const)('with %s required and a count of %s, it saturates at %s', async ([required, count, limit]) => {
    const changes = { RequiredClientCount: required, KeyManagementServiceCurrentCount: count }
    const { reading } = await read(withProducts([{ ...WINDOWS_KEY, ...changes }]))
    expect(reading.kms?.products[0]?.clientsLimit).toBe(limit)
  })
})

describe('what may be missing', () => {
  const denied = new ProbeFailure('access_denied', 'no')

  it('the licensing classes are denied: no answer', async () => {
    for (const name of ['SoftwareLicensingService', 'SoftwareLicensingProduct'])
      await expect(read({ classes: { ...HEALTHY, [name]: denied } })).rejects.toMatchObject({
        reason: 'access_denied',
      })
  })

  it('no instance of the service: not found', async () => {
    await expect(read({ classes: { ...HEALTHY, SoftwareLicensingService: [] } })).rejects.toMatchObject({
      reason: 'not_found',
    })
  })

  it('the system or its kernel say nothing, in time or at all: the licence is known all the same', async () => {
    const late = new ProbeFailure('timeout', 'late')
    for (const failure of [denied, late]) {
      const { reading } = await read({ classes: { ...HEALTHY, Win32_OperatingSystem: failure } })
      expect(reading.os).toBeUndefined()
      expect(reading.kms?.products).toHaveLength(2)
    }
    const { reading } = await read({ classes: { ...HEALTHY, CIM_DataFile: late } })
    expect(reading.os).toMatchObject({ build: 20_348, ubr: undefined })
    const lines = linesOf(licensing.metrics, reading, targetOf())
    // Whether a host that has the key has the update too is then not known, and says so by its absence.
    expect(lines).toContain(
      'winkms_host_os_info{caption="Microsoft Windows Server 2022 Datacenter",build="20348",ubr="",ubr_source=""} 1',
    )
    expect(lines).toContain('winkms_client_os_supported{client_os="windows_server_2019"} 1')
  })

  it("a kernel of another build, as after an enablement package, or a path that is none: no word on the system's", async () => {
    const versions = ['10.0.19041.4000', '10.0.20348', 'unknown', '']
    for (const Version of versions) {
      const { reading } = await read({ classes: { ...HEALTHY, CIM_DataFile: [{ Version }] } })
      expect(reading.os?.ubr, Version).toBeUndefined()
    }
    const odd = { ...OS, SystemDirectory: `C:\\x' OR Name <> '` + 'y'.repeat(300) }
    const { asked } = await read({ classes: { ...HEALTHY, Win32_OperatingSystem: [odd] } })
    expect(asked.join('\n')).not.toContain('CIM_DataFile')
  })
})

describe('the registry', () => {
  const registry = {
    UBR: 3091,
    DnsDomainPublishList: [
      'CORP.example, 10, 20',
      'lab.example',
      'not a domain!, 1, 1',
      'low.example, x, 99999',
    ],
  }

  it('is left alone unless the configuration says so', async () => {
    const { asked, reading } = await read({ classes: HEALTHY, registry })
    expect(asked.filter((text) => text.startsWith('registry'))).toEqual([])
    expect(reading.publishList).toBeUndefined()
  })

  it('tells the update revision and where the host publishes itself', async () => {
    const target = targetOf({ ...WINRM, registry: true })
    const { asked, reading } = await read({ classes: HEALTHY, registry }, target)
    expect(reading.os).toMatchObject({ ubr: 3091, ubrSource: 'registry' })
    expect(linesOf(licensing.metrics, reading, target)).toEqual(
      expect.arrayContaining([
        'winkms_dns_publish_list_info{domain="corp.example",priority="10",weight="20"} 1',
        'winkms_dns_publish_list_info{domain="low.example",priority="0",weight="65535"} 1',
      ]),
    )
    expect(asked.join('\n')).not.toContain('CIM_DataFile')
    expect(reading.publishList).toEqual([
      { domain: 'corp.example', priority: 10, weight: 20 },
      { domain: 'lab.example', priority: 0, weight: 0 },
      { domain: 'low.example', priority: 0, weight: 65_535 },
    ])
  })

  it('without the value: its own domain only; denied: not known, and the file tells the revision', async () => {
    const target = targetOf({ ...WINRM, registry: true })
    const without = await read({ classes: HEALTHY, registry: { UBR: 1 } }, target)
    expect(without.reading.publishList).toEqual([])
    const denied = new ProbeFailure('access_denied', 'no')
    const refused = await read(
      { classes: HEALTHY, registry: { UBR: denied, DnsDomainPublishList: denied } },
      target,
    )
    expect(refused.reading.publishList).toBeUndefined()
    expect(refused.reading.os).toMatchObject({ ubr: 2322, ubrSource: 'kernel_file' })
  })

  it('may be read on the machine itself without a word from the configuration', () => {
    expect(mayReadRegistry({ via: 'local' })).toBe(true)
    expect(mayReadRegistry(targetOf().host.windows)).toBe(false)
    expect(mayReadRegistry(undefined)).toBe(false)
  })
})

describe('the clock', () => {
  const without = { probes: { clock: { sources: ['smb2'] } } }

  it('is read along where the clock probe does not ask for it: one source has one voice', async () => {
    expect((await read({ classes: HEALTHY })).reading.clock).toEqual([])
    const { reading } = await read({ classes: HEALTHY }, targetOf(WINRM, without))
    const [sample] = reading.clock
    expect(sample?.source).toBe('cim')
    // 90 s ahead when asked, at most 0.8 s after the visit began; the question took 0.2 s.
    expect(sample?.offset.low).toBeGreaterThan(88.9)
    expect(sample?.offset.high).toBeLessThan(90.1)
  })

  it('says nothing when our own was set meanwhile, and the rest is known all the same', async () => {
    const { reading } = await read({ classes: HEALTHY, stepSeconds: 60 }, targetOf(WINRM, without))
    expect(reading.clock).toEqual([])
    expect(reading.kms?.products).toHaveLength(2)
  })
})

it('asks only hosts whose Windows can be asked', () => {
  const { hosts } = estate({
    hosts: [
      { name: NAME, windows: WINRM },
      { name: 'kms02.corp.example', windows: { via: 'windows_exporter', url: 'http://kms02:9182/metrics' } },
      { name: 'kms03.corp.example' },
    ],
  })
  const targets = licensing.targets({ hosts, domains: [], references: [], clients: [] })
  expect(targets.map(({ key }) => key)).toEqual([NAME])
})
