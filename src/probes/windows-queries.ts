// Questions to Windows itself that several probes ask. Each names its columns and returns one row, or few, so that it is
// one round trip wherever it can be.
import type { WindowsAccess } from '../config/targets.ts'
import type { QueryOptions, WindowsReader } from '../io/windows/windows.ts'
import { MalformedMessage, ProbeFailure } from '../model/failure.ts'
import type { Interval } from '../model/interval.ts'
import { datetimeOf, textOf, uint32Of } from '../protocol/cim.ts'
import { quote, type Select } from '../protocol/wql.ts'
import { cimInterval } from './time-sources.ts'
import {
  SERVICE_STATES,
  START_MODES,
  type OsFacts,
  type ServiceState,
  type StartMode,
} from './windows-facts.ts'

export interface CountingReader extends WindowsReader {
  readonly roundTrips: number
}

export function counting(reader: WindowsReader): CountingReader {
  let roundTrips = 0
  return {
    via: reader.via,
    get roundTrips() {
      return roundTrips
    },
    async query(select: Select, options?: QueryOptions) {
      const answer = await reader.query(select, options)
      roundTrips += answer.roundTrips
      return answer
    },
    async readRegistry(value) {
      roundTrips++
      return reader.readRegistry(value)
    },
  }
}

/** What is nice to know must not cost what is known already: unanswered, it is undefined. */
export async function optional<T>(question: Promise<T>): Promise<T | undefined> {
  try {
    return await question
  } catch (error) {
    const unanswered = error instanceof ProbeFailure && error.reason !== 'internal_error'
    if (unanswered || error instanceof MalformedMessage) return undefined
    throw error
  }
}

/** Whether there is leave to read the registry: on the machine itself always, from afar where the configuration says so. */
export function mayReadRegistry(access: WindowsAccess | undefined): boolean {
  return access?.via === 'local' || (access?.via === 'winrm' && access.registry)
}

// ---- sppsvc

export interface SppsvcFacts {
  /** `unknown` without a row: the right to see the service is missing. Never "stopped" for that. */
  readonly state: ServiceState
  readonly startMode: StartMode | undefined
  /** Of a stopped service. */
  readonly exitCode: number | undefined
  readonly processId: number | undefined
}

/** ERROR_SERVICE_SPECIFIC_ERROR: the service's own code says more (Win32_Service.ExitCode). */
const SERVICE_SPECIFIC = 1066

export async function askSppsvc(windows: WindowsReader): Promise<SppsvcFacts> {
  const { rows } = await windows.query({
    from: 'Win32_Service',
    columns: ['State', 'StartMode', 'ExitCode', 'ServiceSpecificExitCode', 'ProcessId'],
    where: `Name = ${quote('sppsvc')}`,
  })
  const [row] = rows
  if (row === undefined)
    return { state: 'unknown', startMode: undefined, exitCode: undefined, processId: undefined }
  const said = textOf(row, 'State')?.toLowerCase().replaceAll(' ', '_')
  const mode = textOf(row, 'StartMode')?.toLowerCase()
  const state = SERVICE_STATES.find((each) => each === said) ?? 'unknown'
  const exitCode = uint32Of(row, 'ExitCode')
  const processId = uint32Of(row, 'ProcessId')
  return {
    state,
    startMode: START_MODES.find((each) => each === mode),
    exitCode:
      state !== 'stopped'
        ? undefined
        : exitCode === SERVICE_SPECIFIC
          ? uint32Of(row, 'ServiceSpecificExitCode')
          : exitCode,
    processId: processId === 0 ? undefined : processId,
  }
}

/** Unix seconds by the machine's own clock. Undefined when the process is gone, or not to be seen. */
export async function askProcessStart(
  windows: WindowsReader,
  processId: number,
): Promise<number | undefined> {
  const { rows } = await windows.query({
    from: 'Win32_Process',
    columns: ['CreationDate'],
    where: `ProcessId = ${processId} AND Name = ${quote('sppsvc.exe')}`,
  })
  const [row] = rows
  return row && datetimeOf(row, 'CreationDate')
}

// ---- The operating system

export interface OsAnswer {
  /** Without the update revision. */
  readonly os: OsFacts
  /** Like `C:\Windows\system32`. */
  readonly systemDirectory: string | undefined
  /** LocalDateTime, Unix seconds: the time that the events of this machine are in. */
  readonly nowSeconds: number | undefined
  /** Host minus exporter; undefined when our own clock was set meanwhile. */
  readonly offset: Interval | undefined
}

/** Windows' own names are some forty characters long. */
const MOST_CHARACTERS = 128

const PRODUCT_TYPES = ['workstation', 'domain_controller', 'server'] as const

/** Win32_OperatingSystem: one instance. */
export async function askOs(windows: WindowsReader): Promise<OsAnswer> {
  const answer = await windows.query({
    from: 'Win32_OperatingSystem',
    columns: ['Caption', 'BuildNumber', 'ProductType', 'SystemDirectory', 'LocalDateTime'],
  })
  const [row] = answer.rows
  if (row === undefined) throw new ProbeFailure('not_found', 'Win32_OperatingSystem has no instance')
  const nowSeconds = datetimeOf(row, 'LocalDateTime')
  const type = uint32Of(row, 'ProductType')
  return {
    os: {
      caption: textOf(row, 'Caption')?.trim().slice(0, MOST_CHARACTERS) ?? '',
      build: smallNumber(textOf(row, 'BuildNumber')),
      ubr: undefined,
      productType: type === undefined ? undefined : PRODUCT_TYPES[type - 1],
    },
    systemDirectory: textOf(row, 'SystemDirectory'),
    nowSeconds,
    offset: nowSeconds === undefined ? undefined : cimInterval(nowSeconds, answer),
  }
}

function smallNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : undefined
}

const UBR = {
  key: String.raw`SOFTWARE\Microsoft\Windows NT\CurrentVersion`,
  name: 'UBR',
  type: 'dword',
} as const

/**
 * The update revision: from the registry where it may be read, else from the version of the kernel's file, whose last part
 * is that of the last update that changed it (unverified: that most cumulative updates do). Undefined when neither tells.
 */
export async function askUbr(
  windows: WindowsReader,
  { os, systemDirectory }: OsAnswer,
  access: WindowsAccess | undefined,
): Promise<Pick<OsFacts, 'ubr' | 'ubrSource'>> {
  if (mayReadRegistry(access)) {
    const value = await optional(windows.readRegistry(UBR))
    if (typeof value === 'number') return { ubr: value, ubrSource: 'registry' }
  }
  if (systemDirectory === undefined || !/^[A-Za-z]:\\[^\0-\x1f"*?<>|]{1,200}$/.test(systemDirectory))
    return { ubr: undefined }
  const answer = await optional(
    windows.query({
      from: 'CIM_DataFile',
      columns: ['Version'],
      // Its key: any other condition would have Windows search the disk.
      where: `Name = ${quote(`${systemDirectory}\\ntoskrnl.exe`)}`,
    }),
  )
  const version = answer?.rows[0] && textOf(answer.rows[0], 'Version')
  const [, build, ubr] = /^\d{1,3}\.\d{1,3}\.(\d{1,6})\.(\d{1,6})\b/.exec(version ?? '') ?? []
  // Where an enablement package raised the build, the kernel keeps the old one: no word on the new.
  const revision = smallNumber(build) === os.build ? smallNumber(ubr) : undefined
  return revision === undefined ? { ubr: undefined } : { ubr: revision, ubrSource: 'kernel_file' }
}
