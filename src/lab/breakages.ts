// Ways to break a host of the running estate, and the cause that each must lead to. A table; `estate.ts` does it.
// Two causes are not in it: srv_stale is of a host that nobody expects any more, and exporter_clock_wrong of the exporter.
import type { Resident } from './estate-hosts.ts'
import { NO_COUNT } from './windows-machine.ts'
import type { WindowsMachine } from './windows-machine.ts'

interface BreakageRow {
  /** What a diagnosis should name. */
  readonly cause: string
  /** What it does to the host, in one sentence for people at a demo. */
  readonly story: string
  /** What the host has to have, so that somebody can tell. */
  readonly needs?: 'windows' | 'addressed' | 'serves'
  /** What becomes of the resident. */
  readonly resident?: Partial<Resident>
  /** What becomes of what its Windows says. Changes rows in place, and nothing else. */
  readonly windows?: (machine: WindowsMachine) => void
}

export const BREAKAGES = {
  stop_service: {
    cause: 'service_stopped',
    story: 'sppsvc is stopped: the port refuses, and whoever speaks for Windows says so.',
    resident: { kms: 'closed', sppsvc: 'stopped' },
  },
  filter: {
    cause: 'port_blocked',
    story: 'A firewall drops port 1688: the port times out, the machine answers.',
    resident: { kms: 'filtered' },
  },
  power_off: {
    cause: 'host_unreachable',
    story: 'The machine is gone: neither the port nor anything else on it answers.',
    resident: { kms: 'filtered', clocks: 'filtered' },
  },
  impostor: {
    cause: 'not_kms_listener',
    story: 'Another RPC server has taken the port.',
    resident: { kms: 'other_rpc' },
  },
  clock_ahead: {
    cause: 'clock_skew',
    story: 'The clock of the host is five hours ahead.',
    resident: { clockOffsetSeconds: 5 * 3600 },
  },
  unpublish: {
    cause: 'srv_missing',
    story: 'No SRV record names the host any more.',
    resident: { srvPort: null },
  },
  wrong_srv_port: {
    cause: 'srv_wrong_port',
    story: 'The SRV record sends clients to port 1689.',
    resident: { srvPort: 1689 },
  },
  move_record: {
    cause: 'host_record_wrong',
    story: 'The A record leads to an address where nobody is.',
    needs: 'addressed',
    resident: { recordedNumber: 250 },
  },
  disable_kms: {
    cause: 'kms_not_enabled',
    story: 'The KMS host keys have been removed: the service runs, and does not listen.',
    needs: 'windows',
    resident: { kms: 'closed' },
    windows: ({ licensing, products }) => {
      licensing['IsKeyManagementServiceMachine'] = 0
      licensing['KeyManagementServiceCurrentCount'] = NO_COUNT
      licensing['RequiredClientCount'] = NO_COUNT
      for (const product of products) product['PartialProductKey'] = null
    },
  },
  lose_licence: {
    cause: 'host_not_licensed',
    story: 'The host itself is no longer activated.',
    needs: 'windows',
    windows: ({ products: [first] }) => {
      if (first === undefined) return
      first['LicenseStatus'] = 5
      first['LicenseStatusReason'] = 0xc004_f009
    },
  },
  lose_clients: {
    cause: 'count_below_threshold',
    story: 'The count of clients has fallen to three.',
    needs: 'windows',
    windows: ({ licensing, products: [first] }) => {
      licensing['KeyManagementServiceCurrentCount'] = 3
      if (first !== undefined) first['KeyManagementServiceCurrentCount'] = 3
    },
  },
  old_key: {
    cause: 'version_mismatch',
    story: 'The host key of Windows Server 2016 has taken the place of the newer one.',
    needs: 'serves',
    windows: ({ products: [first] }) => {
      if (first !== undefined) first['Description'] = 'Windows(R) Operating System, VOLUME_KMS_WS16 channel'
    },
  },
  hide_log: {
    cause: 'event_log_unreadable',
    story: 'The account that watches the host may not read its event log any more.',
    needs: 'windows',
    resident: { rights: { events: 'hidden' } },
  },
} as const satisfies Record<string, BreakageRow>

export type Breakage = keyof typeof BREAKAGES

export const WAYS = Object.keys(BREAKAGES) as readonly Breakage[]

/** The row as its type has it. */
export function breakageOf(how: Breakage): BreakageRow {
  return BREAKAGES[how]
}

const LACKS = {
  windows: 'its Windows is not asked by WinRM',
  addressed: 'its address is not configured',
  serves: 'no client is configured that it has to activate',
} as const

/** Why nobody could tell that this host is broken in this way; undefined where it can be told. */
export function whyNot(resident: Resident, how: Breakage): string | undefined {
  const { needs } = breakageOf(how)
  return needs === undefined || resident[needs] ? undefined : LACKS[needs]
}
