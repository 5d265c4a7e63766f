// What the SoftwareLicensing classes of a simulated Windows hold: the service, keys for hosts and clients, and the
// hundreds of products without a key. Property names and values after "WMI Properties and Methods for Volume Activation".
import { randomUUID } from 'node:crypto'
import type { KmsRequest } from './event-log.ts'
import type { Os } from './windows-classes.ts'
import { LICENSING_PROPERTIES, PRODUCT_PROPERTIES } from './windows-classes.ts'
import type { CimValue, Instance } from './wql.ts'

/** One that may be changed. */
export type Row = Record<string, CimValue>

const WINDOWS_APP = '55c92734-d682-4d71-983e-d6ec3f16059f'
const OFFICE_APP = '0ff1ce15-a989-479d-af46-f275c6370663'
/** What uint32 makes of -1, which stands for "no KMS host" and for "no requests yet". */
export const NO_COUNT = 0xffff_ffff
const NEVER = new Date('1601-01-01T00:00:00Z')

const COUNTERS = [
  'KeyManagementServiceUnlicensedRequests',
  'KeyManagementServiceLicensedRequests',
  'KeyManagementServiceOOBGraceRequests',
  'KeyManagementServiceOOTGraceRequests',
  'KeyManagementServiceNonGenuineGraceRequests',
  'KeyManagementServiceNotificationRequests',
] as const

/** As a host counts that has processed the request: by the client's status, and what failed apart. */
export function count(row: Row, { hresult = 0, licenseStatus = 1 }: KmsRequest): void {
  const column = hresult === 0 ? COUNTERS[licenseStatus] : 'KeyManagementServiceFailedRequests'
  const columns = hresult === 0 ? [column, 'KeyManagementServiceTotalRequests'] : [column]
  for (const each of columns) {
    const before = each === undefined ? undefined : row[each]
    if (each !== undefined && typeof before === 'number' && before !== NO_COUNT) row[each] = before + 1
  }
}

export function blankLicensing(os: Os): Row {
  return {
    ...Object.fromEntries(LICENSING_PROPERTIES.map((name) => [name, null])),
    ...noCounts(),
    ClientMachineID: randomUUID(),
    DiscoveredKeyManagementServiceMachinePort: 0,
    IsKeyManagementServiceMachine: 0,
    KeyManagementServiceDnsPublishing: true,
    KeyManagementServiceHostCaching: true,
    KeyManagementServiceListeningPort: 0,
    KeyManagementServiceLowPriority: false,
    KeyManagementServicePort: 0,
    PolicyCacheRefreshRequired: 0,
    RemainingWindowsReArmCount: 1001,
    RequiredClientCount: NO_COUNT,
    Version: `${os.version}.${os.ubr}`,
    VLActivationInterval: 120,
    VLRenewalInterval: 10_080,
  }
}

function noCounts(): Row {
  return {
    KeyManagementServiceCurrentCount: NO_COUNT,
    KeyManagementServiceFailedRequests: NO_COUNT,
    KeyManagementServiceTotalRequests: NO_COUNT,
    ...Object.fromEntries(COUNTERS.map((name) => [name, NO_COUNT])),
  }
}

/** Requests by the client's licence status (0 to 5), and those that failed. */
export function counted(byStatus: readonly number[], failed: number): Instance {
  return {
    ...Object.fromEntries(COUNTERS.map((name, status) => [name, byStatus[status] ?? 0])),
    KeyManagementServiceTotalRequests: byStatus.reduce((sum, each) => sum + each, 0),
    KeyManagementServiceFailedRequests: failed,
  }
}

function blankProduct(id: string): Row {
  return {
    ...Object.fromEntries(PRODUCT_PROPERTIES.map((name) => [name, null])),
    ...noCounts(),
    ApplicationID: WINDOWS_APP,
    AutomaticVMActivationLastActivationTime: NEVER,
    DiscoveredKeyManagementServiceMachinePort: 0,
    EvaluationEndDate: NEVER,
    ExtendedGrace: NO_COUNT,
    GenuineStatus: 0,
    GracePeriodRemaining: 0,
    ID: id,
    IsKeyManagementServiceMachine: 0,
    KeyManagementServicePort: 0,
    LicenseIsAddon: false,
    LicenseStatus: 0,
    LicenseStatusReason: 0xc004_f014,
    RemainingAppReArmCount: 1001,
    RemainingSkuReArmCount: 1001,
    RequiredClientCount: NO_COUNT,
    TrustedTime: NEVER,
    VLActivationInterval: 120,
    VLActivationType: 0,
    VLActivationTypeEnabled: 0,
    VLRenewalInterval: 10_080,
  }
}

export function unlicensedProduct(index: number): Row {
  const id = `f0000000-0000-4000-8000-${String(index).padStart(12, '0')}`
  const channel = ['RETAIL', 'VOLUME_MAK', 'VOLUME_KMSCLIENT', 'OEM_DM'][index % 4] ?? ''
  return {
    ...blankProduct(id),
    Name: `Windows(R), ServerStandard edition ${index}`,
    Description: `Windows(R) Operating System, ${channel} channel`,
  }
}

/** The host key for Windows Server 2022, activated; its ID is invented. `overrides` are properties of SoftwareLicensingProduct. */
export function kmsProduct(overrides: Instance = {}): Instance {
  return {
    ...blankProduct('0a000022-1111-4222-8333-444455556666'),
    Name: 'Windows(R), ServerStandard edition',
    Description: 'Windows(R) Operating System, VOLUME_KMS_WS22 channel',
    LicenseFamily: 'ServerStandard',
    ProductKeyChannel: 'Volume:CSVLK',
    PartialProductKey: 'H0ST1',
    ProductKeyID: '00454-30000-00001-AA000',
    GenuineStatus: 0,
    LicenseStatus: 1,
    LicenseStatusReason: 0x4004_f040,
    IsKeyManagementServiceMachine: 1,
    KeyManagementServiceCurrentCount: 50,
    RequiredClientCount: 25,
    ...counted([310, 8600, 900, 12, 0, 26], 152),
    ...overrides,
  }
}

/** The host key for Office LTSC 2021, activated; 10 is where its count saturates. */
export function officeKmsProduct(overrides: Instance = {}): Instance {
  return {
    ...blankProduct('47f3b983-7c53-4d45-abc6-bcd91e2dd90a'),
    ApplicationID: OFFICE_APP,
    Name: 'Office 21, OfficeLTSC2021KMSHostVL_KMS_Host edition',
    Description: 'Office 21, VOLUME_KMS channel',
    LicenseFamily: 'OfficeLTSC2021KMSHostVL_KMS_Host',
    ProductKeyChannel: 'Volume:CSVLK',
    PartialProductKey: '0FF1C',
    LicenseStatus: 1,
    LicenseStatusReason: 0x4004_f040,
    IsKeyManagementServiceMachine: 1,
    KeyManagementServiceCurrentCount: 10,
    RequiredClientCount: 5,
    ...counted([40, 2100, 77, 0, 0, 3], 0),
    ...overrides,
  }
}

/** Windows 11 Enterprise with a volume client key, activated for 172.5 days more. */
export function clientProduct(overrides: Instance = {}): Instance {
  return {
    ...blankProduct('73111121-5638-40f6-bc11-f1d7b0d64300'),
    Name: 'Windows(R), Enterprise edition',
    Description: 'Windows(R) Operating System, VOLUME_KMSCLIENT channel',
    LicenseFamily: 'Enterprise',
    ProductKeyChannel: 'Volume:GVLK',
    PartialProductKey: 'CL13N',
    LicenseStatus: 1,
    LicenseStatusReason: 0x4004_f040,
    GracePeriodRemaining: 248_400,
    VLActivationType: 2,
    DiscoveredKeyManagementServiceMachineName: 'kms01.lab.example',
    DiscoveredKeyManagementServiceMachinePort: 1688,
    DiscoveredKeyManagementServiceMachineIpAddress: '192.0.2.17',
    KeyManagementServiceProductKeyID: '03612-00206-530-000000-03-1033-20348.0000-0012024',
    ...overrides,
  }
}
