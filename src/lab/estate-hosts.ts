// Who lives in the simulated estate: two healthy hosts, at least one sick host for each cause that can be named, and two
// clients.
// A table; `estate.ts` brings it to life.
import type { KmsPort } from './host.ts'
import * as stories from './stories.ts'
import type { Story } from './stories.ts'
import type { ServiceState } from './windows-page.ts'
import type { Rights } from './winrm.ts'

export interface Resident {
  /** First label of the host's name. */
  readonly label: string
  readonly domain: string
  /** The last number of its address, 127.88.1.N; see `addressOf`. */
  readonly number: number
  /** What a diagnosis should name; `null` for a healthy host. */
  readonly cause: string | null
  /** One sentence for people at a demo. */
  readonly story: string
  /** Absent where there is no machine at all. */
  readonly kms?: KmsPort
  /** `filtered` when the clock ports time out too. */
  readonly clocks?: 'filtered'
  /** Positive: ahead. */
  readonly clockOffsetSeconds?: number
  readonly ntp?: boolean
  readonly sppsvc?: ServiceState
  /** What Windows says by WinRM, where it is asked; then nobody asks windows_exporter. */
  readonly windows?: Story
  /** What the account may not do there. */
  readonly rights?: Rights
  /** Whether the configuration has the registry read too. */
  readonly registry?: boolean
  /** Clients that the configuration wants activated. */
  readonly serves?: readonly string[]
  /** Whether the configuration says which address its records should have. */
  readonly addressed?: boolean
  /** Port in its SRV record; `null` when no SRV record names it. */
  readonly srvPort: number | null
  /** Last number of the address in its A record, where that is not the real one. */
  readonly recordedNumber?: number
  /** Not expected and not configured: only DNS still speaks of it. */
  readonly forgotten?: boolean
}

export const CORP = 'corp.example'
export const PLANT = 'plant.example'
export const BRANCH = 'branch.example'
/** Hosts of which only Windows itself can tell what is wrong. */
export const LAB = 'lab.example'

export const RESIDENTS: readonly Resident[] = [
  {
    label: 'kms01',
    domain: CORP,
    number: 1,
    cause: null,
    story: 'Healthy: serves clients, is published in DNS, keeps the time, and Windows itself agrees.',
    kms: 'kms',
    ntp: true,
    sppsvc: 'running',
    windows: stories.busyHost,
    registry: true,
    serves: ['windows_server_2022'],
    addressed: true,
    srvPort: 1688,
  },
  {
    label: 'kms02',
    domain: CORP,
    number: 2,
    cause: null,
    story: 'Healthy, and the one to break: stop its service or filter its port and watch what changes.',
    kms: 'kms',
    sppsvc: 'running',
    addressed: true,
    srvPort: 1688,
  },
  {
    label: 'kms-down',
    domain: PLANT,
    number: 11,
    cause: 'host_unreachable',
    story: 'The machine is gone: neither the KMS port nor any clock on it answers.',
    kms: 'filtered',
    clocks: 'filtered',
    srvPort: 1688,
  },
  {
    label: 'kms-filtered',
    domain: PLANT,
    number: 12,
    cause: 'port_blocked',
    story: 'A firewall drops port 1688: the port times out, the machine answers.',
    kms: 'filtered',
    srvPort: 1688,
  },
  {
    label: 'kms-stopped',
    domain: PLANT,
    number: 13,
    cause: 'service_stopped',
    story: 'sppsvc is stopped: the port refuses, the machine answers.',
    kms: 'closed',
    srvPort: 1688,
  },
  {
    label: 'kms-stopped-w',
    domain: PLANT,
    number: 14,
    cause: 'service_stopped',
    story: 'sppsvc is stopped, and windows_exporter on the machine says so itself.',
    kms: 'closed',
    sppsvc: 'stopped',
    srvPort: 1688,
  },
  {
    label: 'kms-impostor',
    domain: PLANT,
    number: 15,
    cause: 'not_kms_listener',
    story: 'Another RPC server took port 1688: it answers, but does not serve KMS.',
    kms: 'other_rpc',
    srvPort: 1688,
  },
  {
    label: 'kms-anything',
    domain: PLANT,
    number: 16,
    cause: 'not_kms_listener',
    story: 'Something on port 1688 says yes to every interface, even one invented a moment ago.',
    kms: 'accept_all',
    srvPort: 1688,
  },
  {
    label: 'kms-web',
    domain: PLANT,
    number: 17,
    cause: 'not_kms_listener',
    story: 'A web server sits on port 1688: it connects, then answers in HTTP.',
    kms: 'http',
    srvPort: 1688,
  },
  {
    label: 'kms-unlisted',
    domain: PLANT,
    number: 18,
    cause: 'srv_missing',
    story: 'Serves well, but no SRV record names it: DNS refuses its update, as its own log says.',
    kms: 'kms',
    windows: stories.unpublishedHost,
    srvPort: null,
  },
  {
    label: 'kms-port',
    domain: PLANT,
    number: 19,
    cause: 'srv_wrong_port',
    story: 'Serves on port 1688 while its SRV record sends clients to 1689.',
    kms: 'kms',
    srvPort: 1689,
  },
  {
    label: 'kms-moved',
    domain: PLANT,
    number: 20,
    cause: 'host_record_wrong',
    story: 'Serves at its new address, but its A record still leads clients to the old one.',
    kms: 'kms',
    srvPort: 1688,
    recordedNumber: 250,
    addressed: true,
  },
  {
    label: 'kms-clock',
    domain: PLANT,
    number: 21,
    cause: 'clock_skew',
    story: 'Its clock is five hours ahead, which is more than the four hours that clients tolerate.',
    kms: 'kms',
    clockOffsetSeconds: 5 * 3600,
    ntp: true,
    windows: stories.skewedHost,
    srvPort: 1688,
  },
  {
    label: 'kms-old',
    domain: PLANT,
    number: 251,
    cause: 'srv_stale',
    story: 'Retired long ago, but its SRV record stayed and still sends clients to nowhere.',
    srvPort: 1688,
    forgotten: true,
  },
  {
    label: 'kms-branch',
    domain: BRANCH,
    number: 31,
    cause: 'srv_missing',
    story: 'Serves well, but the second DNS server has never heard of its SRV record.',
    kms: 'kms',
    srvPort: 1688,
  },
  {
    label: 'kms-disabled',
    domain: LAB,
    number: 41,
    cause: 'kms_not_enabled',
    story: 'The service runs, but no KMS host key is installed, so nothing listens.',
    kms: 'closed',
    windows: stories.disabledHost,
    srvPort: 1688,
  },
  {
    label: 'kms-unlicensed',
    domain: LAB,
    number: 42,
    cause: 'host_not_licensed',
    story: 'Its host key was never activated: the grace period is over, and it refuses its clients.',
    kms: 'kms',
    windows: stories.unlicensedHost,
    srvPort: 1688,
  },
  {
    label: 'kms-few',
    domain: LAB,
    number: 43,
    cause: 'count_below_threshold',
    story: 'Three servers have asked, where it takes five before any is activated.',
    kms: 'kms',
    windows: stories.emptyHost,
    srvPort: 1688,
  },
  {
    label: 'kms-clones',
    domain: LAB,
    number: 44,
    cause: 'count_below_threshold',
    story: 'Thirty clients from one image count as twelve, where it takes 25.',
    kms: 'kms',
    windows: stories.clonedHost,
    srvPort: 1688,
  },
  {
    label: 'kms-2016',
    domain: LAB,
    number: 45,
    cause: 'version_mismatch',
    story: 'Serves well, but lacks the update without which it cannot activate Windows Server 2022.',
    kms: 'kms',
    windows: stories.oldHost,
    registry: true,
    serves: ['windows_server_2022'],
    srvPort: 1688,
  },
  {
    label: 'kms-unread',
    domain: LAB,
    number: 46,
    cause: 'event_log_unreadable',
    story: 'Serves well, but the account that watches it may not read its event log.',
    kms: 'kms',
    windows: stories.unreadableHost,
    rights: { events: 'hidden' },
    addressed: true,
    srvPort: 1688,
  },
]

export interface Canary {
  readonly label: string
  readonly domain: string
  readonly number: number
  readonly story: string
  readonly windows: Story
}

/** Clients whose activation is watched. */
export const CANARIES: readonly Canary[] = [
  {
    label: 'pc01',
    domain: LAB,
    number: 61,
    story: 'Activated by kms01, which it found in DNS.',
    windows: stories.activatedClient,
  },
  {
    label: 'pc02',
    domain: LAB,
    number: 62,
    story: 'Told by hand to ask kms-stopped, and without a licence since that stopped.',
    windows: stories.strandedClient,
  },
]
