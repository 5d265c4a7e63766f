// A simulated Windows machine: what its CIM classes, its registry and its event logs hold at this moment. Built by
// `kmsHost` and `kmsClient`, which are healthy unless told otherwise; changed by its methods, and by time.
import type { Clock } from './clock.ts'
import type { EventLog, EventLogOptions, KmsRequest } from './event-log.ts'
import { createEventLog, published, request12288, request12290, response12289 } from './event-log.ts'
import type { Row } from './licences.ts'
import {
  blankLicensing,
  clientProduct,
  count,
  counted,
  kmsProduct,
  officeKmsProduct,
  unlicensedProduct,
} from './licences.ts'
import type { MachineFacts, Os, Sppsvc, Visible } from './windows-classes.ts'
import { classesOf } from './windows-classes.ts'
import type { CimClasses, Instance } from './wql.ts'

export { NO_COUNT, clientProduct, kmsProduct } from './licences.ts'

type RegistryValue = string | number | readonly string[]

export interface WindowsMachine {
  readonly name: string
  readonly clock: Clock
  /** May be changed. */
  readonly sppsvc: Sppsvc
  /** The one instance of SoftwareLicensingService; may be changed. */
  readonly licensing: Row
  /** SoftwareLicensingProduct, those with a key first; may be changed. */
  readonly products: readonly Row[]
  /** Throws for a log that Windows does not have. */
  log(name: LogName): EventLog
  /** Writes an event 12290, and counts it in the first product, as a host does that processes a request. */
  receive(request: KmsRequest): void
  /** The classes of root\cimv2, as an account sees them. Whatever time brings has happened by then. */
  classes(visible: Visible): CimClasses
  /** To be called before a query of a class: asking for licences starts a stopped sppsvc that is not disabled. */
  touch(className: string): void
  /** A value under HKEY_LOCAL_MACHINE; neither key nor name heeds case. */
  registryValue(key: string, name: string): RegistryValue | undefined
}

export type LogName = 'Key Management Service' | 'Application' | 'System'

export interface MachineStory {
  /** DNS name. */
  readonly name?: string
  /** The machine's own idea of the time; the right one unless told. */
  readonly clock?: Clock
  readonly os?: Partial<Os>
  readonly sppsvc?: Partial<Sppsvc>
  /** Laid over the healthy instance of SoftwareLicensingService. */
  readonly licensing?: Instance
  /** In place of those that a healthy machine has; see `kmsProduct`. */
  readonly products?: readonly Instance[]
  /** Instances without a key, of which every Windows has hundreds; 300 unless told. */
  readonly unlicensedProducts?: number
  readonly logs?: Partial<Record<LogName, EventLogOptions>>
  /** Whether a KMS host's log says that it published itself in its domain, five hours ago; true unless told. */
  readonly publishes?: boolean
  /** Lines of DnsDomainPublishList. */
  readonly publishList?: readonly string[]
  /** More values of the registry, by `KEY\name`, under HKEY_LOCAL_MACHINE. */
  readonly registry?: Readonly<Record<string, RegistryValue>>
  /** Called before each look at the machine, with its time: what has happened since. */
  readonly passTime?: (machine: WindowsMachine, nowSeconds: number) => void
}

const SERVER_2022: Os = {
  caption: 'Microsoft Windows Server 2022 Standard',
  version: '10.0.20348',
  ubr: 2322,
  productType: 3,
  systemDirectory: String.raw`C:\Windows\system32`,
}

const WINDOWS_11: Os = {
  caption: 'Microsoft Windows 11 Enterprise',
  version: '10.0.22631',
  ubr: 3155,
  productType: 1,
  systemDirectory: String.raw`C:\Windows\system32`,
}

/** A KMS host on Windows Server 2022, activated and busy, with keys for Windows and for Office. */
export function kmsHost(story: MachineStory = {}): WindowsMachine {
  const licensing: Instance = {
    IsKeyManagementServiceMachine: 1,
    KeyManagementServiceCurrentCount: 50,
    RequiredClientCount: 25,
    ...counted([310, 8600, 900, 12, 0, 26], 152),
    ...story.licensing,
  }
  const products = story.products ?? [kmsProduct(), officeKmsProduct()]
  const name = story.name ?? 'kms01.lab.example'
  const machine = build({ os: SERVER_2022, ...story, name, licensing, products })
  const domain = name.split('.').slice(1).join('.')
  const fiveHoursAgo = machine.clock() / 1000 - 5 * 3600
  if (story.publishes ?? true) machine.log('Application').append(published(domain, fiveHoursAgo))
  return machine
}

/** A volume client on Windows 11, activated an hour ago by the host that DNS named. */
export function kmsClient(story: MachineStory = {}): WindowsMachine {
  const name = story.name ?? 'pc01.lab.example'
  const products = story.products ?? [clientProduct()]
  const machine = build({
    os: WINDOWS_11,
    ...story,
    name,
    products,
    licensing: { IsKeyManagementServiceMachine: 0, ...story.licensing },
  })
  if (story.products !== undefined) return machine
  const hourAgo = machine.clock() / 1000 - 3600
  const application = machine.log('Application')
  application.append(request12288({ host: 'kms01.lab.example', atSeconds: hourAgo }))
  application.append(response12289({ atSeconds: hourAgo + 1 }))
  return machine
}

function build(story: MachineStory & { readonly os: Partial<Os>; readonly name: string }): WindowsMachine {
  const { name, clock = Date.now, passTime } = story
  const os = { ...SERVER_2022, ...(story.os.productType === 1 ? WINDOWS_11 : {}), ...story.os }
  const startedAt = Math.floor(clock() / 1000)
  const bootedAtSeconds = startedAt - 12 * 86_400
  const sppsvc: Sppsvc = {
    state: 'Running',
    startMode: 'Auto',
    exitCode: 0,
    serviceSpecificExitCode: 0,
    startedAtSeconds: bootedAtSeconds + 95,
    ...story.sppsvc,
  }
  const licensing: Row = { ...blankLicensing(os), ...story.licensing }
  const products: Row[] = [
    ...(story.products ?? []).map((product) => ({ ...product })),
    ...Array.from({ length: story.unlicensedProducts ?? 300 }, (_, index) => unlicensedProduct(index)),
  ]
  const logs = (['Key Management Service', 'Application', 'System'] as const).map((log) =>
    createEventLog(log, clock, { firstRecord: log === 'Application' ? 24_117 : 1, ...story.logs?.[log] }),
  )
  // Others write too, and some use the same numbers.
  const application = logs.find((log) => log.name === 'Application')
  const atSeconds = bootedAtSeconds + 300
  application?.append({
    atSeconds,
    eventCode: 12_289,
    sourceName: 'VSS',
    eventType: 1,
    strings: ['0x80042308', 'volume'],
  })
  application?.append({
    atSeconds,
    eventCode: 16_384,
    strings: [new Date(clock() + 3.15e12).toISOString(), 'RulesEngine'],
  })
  const registry = registryOf(os, story)

  const facts = (): MachineFacts => {
    const nowMilliseconds = clock()
    passTime?.(machine, nowMilliseconds / 1000)
    return { name, os, sppsvc, licensing, products, logs, nowMilliseconds, bootedAtSeconds }
  }
  const machine: WindowsMachine = {
    name,
    clock,
    sppsvc,
    licensing,
    products,
    log(wanted) {
      const log = logs.find((each) => each.name === wanted)
      if (log === undefined) throw new Error(`There is no log "${wanted}".`)
      return log
    },
    receive(request) {
      machine.log('Key Management Service').append(request12290(request))
      for (const row of [licensing, products[0]]) if (row !== undefined) count(row, request)
    },
    classes: (visible) => classesOf(facts, visible),
    touch(className) {
      // Unverified: that a remote question starts it, as a local one does.
      const starts = className.startsWith('SoftwareLicensing') && sppsvc.state === 'Stopped'
      if (!starts || sppsvc.startMode === 'Disabled') return
      sppsvc.state = 'Running'
      sppsvc.startedAtSeconds = Math.floor(clock() / 1000)
    },
    registryValue: (key, value) => registry.get(`${key}\\${value}`.toLowerCase()),
  }
  return machine
}

function registryOf(
  os: Os,
  { publishList, registry = {} }: MachineStory,
): ReadonlyMap<string, RegistryValue> {
  const current = String.raw`SOFTWARE\Microsoft\Windows NT\CurrentVersion`
  const values: Record<string, RegistryValue> = {
    [String.raw`${current}\UBR`]: os.ubr,
    [String.raw`${current}\CurrentBuildNumber`]: os.version.split('.')[2] ?? '',
    [String.raw`${current}\ProductName`]: os.caption.replace(/^Microsoft /, ''),
    ...(publishList && {
      [String.raw`${current}\SoftwareProtectionPlatform\DnsDomainPublishList`]: publishList,
    }),
    ...registry,
  }
  return new Map(Object.entries(values).map(([name, value]) => [name.toLowerCase(), value]))
}
