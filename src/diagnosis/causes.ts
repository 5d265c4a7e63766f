// Why a client cannot activate: the decision tree of KB 974998 as a table. The rules fill in the verdicts; everything
// that is said about a cause, wherever it is said, is said here once.
import type { ClientErrorCode } from '../kms/error-codes.ts'

export interface CauseRow {
  readonly title: string
  /** What clients show; the most specific one where there are several. */
  readonly clientError: ClientErrorCode | undefined
  /** One sentence. */
  readonly remedy: string
  /** The article's own command, or the nearest to it. */
  readonly command: string
  /** Whether the host, for this cause, does not serve clients. */
  readonly stopsService: boolean
  /** What it takes to tell, where no rule can do so without. */
  readonly needs?: string
}

const WINDOWS = 'hosts[].windows via winrm (or local)'

export const CAUSES = {
  host_unreachable: {
    title: 'The host cannot be reached at all',
    clientError: '0xC004F074',
    remedy: 'Start the machine, or mend the network between clients and host.',
    command: 'Test-NetConnection {host} -Port {port}',
    stopsService: true,
  },
  host_record_wrong: {
    title: "The host's A or AAAA record is wrong or missing",
    clientError: '0xC004F074',
    remedy: 'Correct the A and AAAA records of the host, then clear the caches of the resolvers.',
    command: 'ipconfig /registerdns   (on the host; check with: nslookup {host})',
    stopsService: true,
  },
  srv_missing: {
    title: 'No SRV record names the host',
    clientError: '0x8007232B',
    remedy:
      'Publish the host in _vlmcs._tcp of the domain: allow its dynamic update, or create the record by hand.',
    command:
      'Restart-Service sppsvc   (publishes again; check with: nslookup -type=srv _vlmcs._tcp.{domain})',
    stopsService: true,
  },
  srv_stale: {
    title: 'An SRV record names a host that is gone',
    clientError: '0x800706BA',
    remedy: 'Delete the SRV record of the retired host from _vlmcs._tcp of the domain.',
    command: 'nslookup -type=srv _vlmcs._tcp.{domain}   (then delete the record that names {host})',
    stopsService: true,
  },
  srv_wrong_port: {
    title: 'The SRV record names the wrong port',
    clientError: '0xC004F074',
    remedy: 'Correct the port in the SRV record, or the port that the host listens on.',
    command:
      'slmgr /sprt {port}   (on the host; or correct the record; check with: nslookup -type=srv _vlmcs._tcp.{domain})',
    stopsService: true,
  },
  port_blocked: {
    title: 'The KMS port is blocked',
    clientError: '0xC004F074',
    remedy:
      'Open TCP {port} from the clients to the host: enable the firewall exception "Key Management Service".',
    command: 'Test-NetConnection {host} -Port {port}',
    stopsService: true,
  },
  service_stopped: {
    title: 'The Software Protection service is stopped',
    clientError: '0xC004F074',
    remedy:
      'Start the Software Protection service (sppsvc) on the host, and read its event log for why it stopped.',
    command: 'net start sppsvc',
    stopsService: true,
  },
  not_kms_listener: {
    title: 'What answers on the KMS port is not a KMS host',
    clientError: '0xC004F074',
    remedy: 'Find out which program or proxy owns the port, and check that the KMS host key is installed.',
    command: 'netstat -abno | findstr :{port}   (on the host; then: slmgr /dlv)',
    stopsService: true,
  },
  clock_skew: {
    title: "The host's clock is more than four hours off",
    clientError: '0xC004F06C',
    remedy: 'Correct the time of the host and check where it takes it from.',
    command: 'w32tm /resync   (on the host; then: w32tm /query /status)',
    stopsService: true,
  },
  kms_not_enabled: {
    title: 'KMS is not enabled on the host',
    clientError: '0xC004F039',
    remedy: 'Install and activate the KMS host key.',
    command: 'slmgr /ipk <KMS host key>',
    stopsService: true,
    needs: WINDOWS,
  },
  host_not_licensed: {
    title: 'The KMS host itself is not activated',
    clientError: '0xC004F041',
    remedy: 'Activate the KMS host, online or by telephone.',
    command: 'slmgr /ato',
    stopsService: true,
    needs: WINDOWS,
  },
  count_below_threshold: {
    title: 'Too few clients have asked',
    clientError: '0xC004F038',
    remedy:
      'At least 5 servers or 25 clients must have asked within 30 days; look for images with duplicate CMIDs.',
    command: 'slmgr /dlv',
    stopsService: true,
    needs: WINDOWS,
  },
  version_mismatch: {
    title: 'The host is too old for its clients',
    clientError: '0xC004F042',
    remedy: 'Update the host, or install the host key that activates the newer clients.',
    command: 'slmgr /dlv',
    // The others are served.
    stopsService: false,
    needs: WINDOWS,
  },
  event_log_unreadable: {
    title: "The host's event log cannot be read",
    clientError: undefined,
    remedy:
      'Give the account the right to read the Key Management Service log (Event Log Readers), or let a full log overwrite its oldest events.',
    command: 'wevtutil gl "Key Management Service"',
    stopsService: false,
    needs: WINDOWS,
  },
  exporter_clock_wrong: {
    title: "The exporter's own clock is wrong",
    clientError: undefined,
    remedy: 'Correct the time of the machine that the exporter runs on; the hosts are not at fault.',
    command: 'chronyc makestep   (or, on Windows: w32tm /resync)',
    stopsService: false,
  },
} as const satisfies Record<string, CauseRow>

export type Cause = keyof typeof CAUSES

export const CAUSE_NAMES = Object.keys(CAUSES) as readonly Cause[]

/** The decision tree, in the order in which a client meets the obstacles: every cause once. */
export const TREE: readonly { readonly question: string; readonly causes: readonly Cause[] }[] = [
  {
    question: 'Does DNS lead clients to the host?',
    causes: ['srv_missing', 'srv_stale', 'srv_wrong_port', 'host_record_wrong'],
  },
  { question: 'Can they reach it?', causes: ['host_unreachable', 'port_blocked'] },
  { question: 'Does the KMS service answer?', causes: ['service_stopped', 'not_kms_listener'] },
  { question: 'Do the clocks agree?', causes: ['clock_skew', 'exporter_clock_wrong'] },
  {
    question: 'May the host activate?',
    causes: [
      'kms_not_enabled',
      'host_not_licensed',
      'count_below_threshold',
      'version_mismatch',
      'event_log_unreadable',
    ],
  },
]

/** The row as its type has it, for those who do not care which one it is. */
export function rowOf(cause: Cause): CauseRow {
  return CAUSES[cause]
}

/** Puts the host's own names into a remedy or command. */
export function fillIn(
  text: string,
  facts: { host: string; port: number; domain: string | undefined },
): string {
  return text
    .replaceAll('{host}', facts.host)
    .replaceAll('{port}', String(facts.port))
    .replaceAll('{domain}', facts.domain ?? '<domain>')
}
