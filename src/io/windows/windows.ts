// What only Windows itself knows, asked in one way whatever carries the question: WinRM from afar, PowerShell on the
// machine itself. Reading is all there is: a SELECT, and a value of the registry. Nothing here can change anything.
import type { Client, Host } from '../../config/targets.ts'
import type { CimRow } from '../../protocol/cim.ts'
import type { Select } from '../../protocol/wql.ts'
import type { Moment } from '../clock.ts'
import type { Deadline } from '../deadline.ts'

export interface QueryOptions {
  /** No more rows than this are read; what is left is let go of. 10,000 unless told. */
  readonly mostRows?: number
}

export interface Rows {
  readonly rows: readonly CimRow[]
  /** False when there were more than `mostRows`. */
  readonly complete: boolean
  /** Around the round trip that brought the first row: between the two, Windows read its clock. */
  readonly sent: Moment
  readonly received: Moment
  readonly roundTrips: number
}

/** Under HKEY_LOCAL_MACHINE. */
export interface RegistryValue {
  readonly key: string
  readonly name: string
  readonly type: 'string' | 'multi_string' | 'dword'
}

export interface WindowsReader {
  readonly via: 'winrm' | 'local'
  /**
   * Rows of root\cimv2. Rejects with ProbeFailure: `access_denied` (and which right is missing), `not_found` (no such
   * class or namespace), `protocol_error`, `too_large`, `timeout`, `connect_*`, or MalformedMessage.
   */
  query(select: Select, options?: QueryOptions): Promise<Rows>
  /**
   * Undefined when there is no such value. Asks StdRegProv, which takes the right to *execute methods*: only where the
   * configuration says so (`windows.registry`); rejects with `not_configured` elsewhere.
   */
  readRegistry(value: RegistryValue): Promise<string | number | readonly string[] | undefined>
}

/** What of a host (or of a canary client) it takes to ask its Windows. */
export type WindowsHost = Pick<Host | Client, 'name' | 'connectTo' | 'resolvers' | 'windows'>

export interface WindowsVisit {
  readonly deadline: Deadline
  /** Enters `resolve`, `connect`, `logon` and `ask`, as far as they are needed: a connection that stands needs none. */
  enter(stage: string): void
}
