// The CIM classes of root\cimv2 that a simulated Windows has, with the properties that their documentation lists
// (Win32 Provider reference; sppwmi.mof as "WMI Properties and Methods for Volume Activation" and public dumps have it).
import type { EventLog } from './event-log.ts'
import type { CimClass, CimClasses, CimValue, Instance } from './wql.ts'

export interface Os {
  readonly caption: string
  /** Like 10.0.20348. */
  readonly version: string
  /** Update revision: the last part of a file's version. */
  readonly ubr: number
  /** 1 workstation, 2 domain controller, 3 server. */
  readonly productType: 1 | 2 | 3
  readonly systemDirectory: string
}

export interface Sppsvc {
  state:
    | 'Stopped'
    | 'Start Pending'
    | 'Stop Pending'
    | 'Running'
    | 'Continue Pending'
    | 'Pause Pending'
    | 'Paused'
    | 'Unknown'
  startMode: 'Auto' | 'Manual' | 'Disabled'
  exitCode: number
  serviceSpecificExitCode: number
  /** By the machine's own clock. */
  startedAtSeconds: number
}

/** What the classes are read from, at the moment of a question. */
export interface MachineFacts {
  readonly name: string
  readonly os: Os
  readonly sppsvc: Readonly<Sppsvc>
  readonly licensing: Instance
  readonly products: readonly Instance[]
  readonly logs: readonly EventLog[]
  readonly nowMilliseconds: number
  readonly bootedAtSeconds: number
}

const SERVICE_PROPERTIES =
  names(`AcceptPause AcceptStop Caption CheckPoint CreationClassName DelayedAutoStart Description
  DesktopInteract DisplayName ErrorControl ExitCode InstallDate Name PathName ProcessId ServiceSpecificExitCode
  ServiceType Started StartMode StartName State Status SystemCreationClassName SystemName TagId WaitHint`)

const PROCESS_PROPERTIES =
  names(`Caption CommandLine CreationClassName CreationDate CSName ExecutablePath HandleCount
  Name OSName ParentProcessId Priority ProcessId SessionId ThreadCount WindowsVersion WorkingSetSize`)

const OS_PROPERTIES =
  names(`BootDevice BuildNumber BuildType Caption CodeSet CountryCode CreationClassName CSName
  CurrentTimeZone Description InstallDate LastBootUpTime LocalDateTime Locale Manufacturer Name NumberOfProcesses
  NumberOfUsers OperatingSystemSKU Organization OSArchitecture OSLanguage OSType Primary ProductType
  ServicePackMajorVersion ServicePackMinorVersion Status SystemDirectory SystemDrive Version WindowsDirectory`)

const FILE_PROPERTIES =
  names(`Archive Caption Description Drive Extension FileName FileSize FileType Hidden LastModified
  Manufacturer Name Path Readable Status System Version Writeable`)

const EVENT_PROPERTIES = names(`Category CategoryString ComputerName Data EventCode EventIdentifier EventType
  InsertionStrings Logfile Message RecordNumber SourceName TimeGenerated TimeWritten Type User`)

const EVENT_FILE_PROPERTIES =
  names(`Archive Caption Description Drive Extension FileName FileSize FileType LogfileName
  MaxFileSize Name NumberOfRecords OverWritePolicy OverwriteOutDated Path Sources Status`)

export const LICENSING_PROPERTIES = names(`ClientMachineID DiscoveredKeyManagementServiceMachineIpAddress
  DiscoveredKeyManagementServiceMachineName DiscoveredKeyManagementServiceMachinePort IsKeyManagementServiceMachine
  KeyManagementServiceCurrentCount KeyManagementServiceDnsPublishing KeyManagementServiceFailedRequests
  KeyManagementServiceHostCaching KeyManagementServiceLicensedRequests KeyManagementServiceListeningPort
  KeyManagementServiceLookupDomain KeyManagementServiceLowPriority KeyManagementServiceMachine
  KeyManagementServiceNonGenuineGraceRequests KeyManagementServiceNotificationRequests
  KeyManagementServiceOOBGraceRequests KeyManagementServiceOOTGraceRequests KeyManagementServicePort
  KeyManagementServiceProductKeyID KeyManagementServiceTotalRequests KeyManagementServiceUnlicensedRequests
  OA2xBiosMarkerMinorVersion OA2xBiosMarkerStatus OA3xOriginalProductKey OA3xOriginalProductKeyDescription
  OA3xOriginalProductKeyPkPn PolicyCacheRefreshRequired RemainingWindowsReArmCount RequiredClientCount
  TokenActivationAdditionalInfo TokenActivationCertificateThumbprint TokenActivationGrantNumber TokenActivationILID
  TokenActivationILVID Version VLActivationInterval VLRenewalInterval`)

export const PRODUCT_PROPERTIES = names(`ADActivationCsvlkPid ADActivationCsvlkSkuId ADActivationObjectDN
  ADActivationObjectName ApplicationID AutomaticVMActivationHostDigitalPid2 AutomaticVMActivationHostMachineName
  AutomaticVMActivationLastActivationTime Description DiscoveredKeyManagementServiceMachineIpAddress
  DiscoveredKeyManagementServiceMachineName DiscoveredKeyManagementServiceMachinePort EvaluationEndDate ExtendedGrace
  GenuineStatus GracePeriodRemaining IAID ID IsKeyManagementServiceMachine KeyManagementServiceCurrentCount
  KeyManagementServiceFailedRequests KeyManagementServiceLicensedRequests KeyManagementServiceLookupDomain
  KeyManagementServiceMachine KeyManagementServiceNonGenuineGraceRequests KeyManagementServiceNotificationRequests
  KeyManagementServiceOOBGraceRequests KeyManagementServiceOOTGraceRequests KeyManagementServicePort
  KeyManagementServiceProductKeyID KeyManagementServiceTotalRequests KeyManagementServiceUnlicensedRequests
  LicenseDependsOn LicenseFamily LicenseIsAddon LicenseStatus LicenseStatusReason MachineURL Name
  OfflineInstallationId PartialProductKey ProcessorURL ProductKeyChannel ProductKeyID ProductKeyID2 ProductKeyURL
  RemainingAppReArmCount RemainingSkuReArmCount RequiredClientCount TokenActivationAdditionalInfo
  TokenActivationCertificateThumbprint TokenActivationGrantNumber TokenActivationILID TokenActivationILVID TrustedTime
  UseLicenseURL ValidationURL VLActivationInterval VLActivationType VLActivationTypeEnabled VLRenewalInterval`)

function names(text: string): readonly string[] {
  return text.split(/\s+/)
}

/** Which rows an account may see; those that it may not are simply not there. */
export interface Visible {
  readonly services: boolean
  readonly events: boolean
}

/** `facts` is asked at each question, once. */
export function classesOf(facts: () => MachineFacts, visible: Visible): CimClasses {
  const of = (
    properties: readonly string[],
    instances: (facts: MachineFacts) => readonly Instance[],
  ): CimClass => ({ properties, instances: () => instances(facts()) })
  return {
    Win32_Service: of(SERVICE_PROPERTIES, (all) => (visible.services ? services(all) : [])),
    Win32_Process: of(PROCESS_PROPERTIES, processes),
    Win32_OperatingSystem: of(OS_PROPERTIES, (all) => [operatingSystem(all)]),
    CIM_DataFile: of(FILE_PROPERTIES, files),
    SoftwareLicensingService: of(LICENSING_PROPERTIES, ({ licensing }) => [licensing]),
    SoftwareLicensingProduct: of(PRODUCT_PROPERTIES, ({ products }) => products),
    Win32_NTLogEvent: of(EVENT_PROPERTIES, (all) => (visible.events ? events(all) : [])),
    Win32_NTEventlogFile: of(EVENT_FILE_PROPERTIES, (all) => (visible.events ? logFiles(all) : [])),
  }
}

const SPPSVC_PROCESS = 5712

interface ServiceRow {
  readonly Name: string
  readonly State: string
  readonly StartMode: string
  readonly processId: number
  readonly display: string
}

const OTHER_SERVICES: readonly ServiceRow[] = [
  { Name: 'EventLog', State: 'Running', StartMode: 'Auto', processId: 1204, display: 'Windows Event Log' },
  {
    Name: 'RpcSs',
    State: 'Running',
    StartMode: 'Auto',
    processId: 1012,
    display: 'Remote Procedure Call (RPC)',
  },
  { Name: 'Spooler', State: 'Stopped', StartMode: 'Disabled', processId: 0, display: 'Print Spooler' },
  { Name: 'W32Time', State: 'Running', StartMode: 'Auto', processId: 1380, display: 'Windows Time' },
  {
    Name: 'WinRM',
    State: 'Running',
    StartMode: 'Auto',
    processId: 1688,
    display: 'Windows Remote Management (WS-Management)',
  },
]

function runs({ state }: Readonly<Sppsvc>): boolean {
  return state !== 'Stopped' && state !== 'Unknown'
}

function services({ name, sppsvc }: MachineFacts): readonly Instance[] {
  const own: ServiceRow = {
    Name: 'sppsvc',
    State: sppsvc.state,
    StartMode: sppsvc.startMode,
    processId: runs(sppsvc) ? SPPSVC_PROCESS : 0,
    display: 'Software Protection',
  }
  return [...OTHER_SERVICES, own].map(({ processId, display, ...row }) => ({
    ...row,
    Caption: display,
    DisplayName: display,
    Started: row.State === 'Running',
    ProcessId: processId,
    ExitCode: row.Name === 'sppsvc' ? sppsvc.exitCode : 0,
    ServiceSpecificExitCode: row.Name === 'sppsvc' ? sppsvc.serviceSpecificExitCode : 0,
    ServiceType: 'Own Process',
    StartName: String.raw`NT AUTHORITY\NetworkService`,
    DelayedAutoStart: row.Name === 'sppsvc',
    ErrorControl: 'Normal',
    Status: 'OK',
    SystemName: hostnameOf(name),
    CreationClassName: 'Win32_Service',
    SystemCreationClassName: 'Win32_ComputerSystem',
  }))
}

function hostnameOf(name: string): string {
  return (name.split('.')[0] ?? '').toUpperCase().slice(0, 15)
}

function processes({ name, sppsvc, bootedAtSeconds, os }: MachineFacts): readonly Instance[] {
  const all: [number, string, number][] = [
    [4, 'System', bootedAtSeconds],
    [1012, 'svchost.exe', bootedAtSeconds + 9],
    [1204, 'svchost.exe', bootedAtSeconds + 10],
  ]
  if (runs(sppsvc)) all.push([SPPSVC_PROCESS, 'sppsvc.exe', sppsvc.startedAtSeconds])
  return all.map(([ProcessId, Name, started]) => ({
    ProcessId,
    Name,
    Caption: Name,
    CreationDate: new Date(started * 1000),
    CreationClassName: 'Win32_Process',
    CSName: hostnameOf(name),
    ParentProcessId: 4,
    WindowsVersion: os.version,
  }))
}

function operatingSystem({ name, os, nowMilliseconds, bootedAtSeconds }: MachineFacts): Instance {
  return {
    BuildNumber: os.version.split('.')[2] ?? '',
    BuildType: 'Multiprocessor Free',
    Caption: os.caption,
    CreationClassName: 'Win32_OperatingSystem',
    CSName: hostnameOf(name),
    CurrentTimeZone: 60,
    LastBootUpTime: new Date(bootedAtSeconds * 1000),
    LocalDateTime: new Date(nowMilliseconds),
    Locale: '0409',
    Manufacturer: 'Microsoft Corporation',
    Name: String.raw`${os.caption}|C:\Windows|\Device\Harddisk0\Partition4`,
    NumberOfUsers: 1,
    OSArchitecture: '64-bit',
    OSLanguage: 1033,
    Primary: true,
    ProductType: os.productType,
    ServicePackMajorVersion: 0,
    ServicePackMinorVersion: 0,
    Status: 'OK',
    SystemDirectory: os.systemDirectory,
    SystemDrive: 'C:',
    Version: os.version,
    WindowsDirectory: String.raw`C:\Windows`,
  }
}

/** WMI writes the names of files in lower case. */
function files({ os }: MachineFacts): readonly Instance[] {
  return ['ntoskrnl', 'sppsvc'].map((FileName) => ({
    Name: `${os.systemDirectory.toLowerCase()}\\${FileName}.exe`,
    FileName,
    Extension: 'exe',
    FileType: 'Application',
    Drive: 'c:',
    Path: `${os.systemDirectory.toLowerCase().slice(2)}\\`,
    Manufacturer: 'Microsoft Corporation',
    Status: 'OK',
    Version: `${os.version}.${os.ubr}`,
  }))
}

const EVENT_TYPES = { 1: 'Error', 2: 'Warning', 3: 'Information' } as const

/** Newest first, as WMI lists them in practice; of several logs, one after the other. */
function events({ name, logs }: MachineFacts): readonly Instance[] {
  return logs.flatMap((log) =>
    log.records.toReversed().map((event): Record<string, CimValue> => {
      const at = new Date(event.atSeconds * 1000)
      return {
        ComputerName: name,
        EventCode: event.eventCode,
        // Severity above, code below: 0x40000000 is informational.
        EventIdentifier:
          event.eventCode + { 1: 0xc000_0000, 2: 0x8000_0000, 3: 0x4000_0000 }[event.eventType],
        EventType: event.eventType,
        InsertionStrings: event.strings,
        Logfile: log.name,
        Message: `Event ${event.eventCode}:\r\n${event.strings.join(',')}`,
        RecordNumber: event.record,
        SourceName: event.sourceName,
        TimeGenerated: at,
        TimeWritten: at,
        Type: EVENT_TYPES[event.eventType],
      }
    }),
  )
}

/** OverwriteOutDated is 0 for "as needed", 4294967295 for "never", and days between. */
const OUTDATED_DAYS = { WhenNeeded: 0, OutDated: 7, Never: 0xffff_ffff } as const

function logFiles({ logs }: MachineFacts): readonly Instance[] {
  return logs.map((log) => ({
    LogfileName: log.name,
    Name: `c:\\windows\\system32\\winevt\\logs\\${log.name.toLowerCase()}.evtx`,
    FileName: log.name.toLowerCase(),
    Extension: 'evtx',
    Drive: 'c:',
    FileSize: log.fileBytes,
    MaxFileSize: log.mostBytes,
    NumberOfRecords: log.records.length,
    OverWritePolicy: log.overwrites,
    OverwriteOutDated: OUTDATED_DAYS[log.overwrites],
    Sources: [log.name, 'Microsoft-Windows-Security-SPP'],
    Status: 'OK',
  }))
}
