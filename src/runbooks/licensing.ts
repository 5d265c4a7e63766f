// The host runs, and may not activate: KMS is not enabled, its own licence is missing, or it is too old.
import type { ClientOs } from '../kms/client-os.ts'
import { judgeSupport } from '../kms/support-matrix.ts'
import { furtherCodes } from './codes.ts'
import type { RunbookText, Step, Table } from './runbook.ts'
import { SOURCES } from './sources.ts'
import {
  ACTIVATE_ONE_CLIENT,
  ASK_SERVICE,
  askExporter,
  blames,
  CLIENTS_RETURN,
  REQUEST_EVENTS,
  sayError,
  verdictGone,
} from './words.ts'

const UNASKED =
  ' It takes Windows itself to tell: with `cannot tell`, see whether `hosts[].windows` is configured.'

const INSTALL: Step = {
  at: 'host',
  says: 'Install the KMS host key (CSVLK), from an elevated prompt. It is not the key that clients have.',
  command: 'slmgr /ipk KMS-HOST-KEY',
  changes:
    'Replaces the Windows key of this machine. Note the last five characters of the old one (`slmgr /dli`) before.',
  healthy: '`Installed product key ... successfully.`',
  sick: '`0xC004F015`: the host is too old for this key, see [[version_mismatch]].',
}

const ACTIVATE: Step = {
  at: 'host',
  says: 'Activate the host itself. That takes access to the internet.',
  command: 'slmgr /ato',
  changes:
    'Uses one activation of the host key: it is good for 6 hosts, and each may be activated 9 more times.',
  healthy: '`Product activated successfully.`',
  sick: 'A code: look it up under [[host_not_licensed]]. Events 8200 and 8208 without access to the internet are noise.',
}

/** Updates that hosts need for newer servers, as the support matrix has them. */
function updates(): readonly (readonly string[])[] {
  const hosts = [
    ['Windows Server 2022', 20_348],
    ['Windows Server 2019', 17_763],
    ['Windows Server 2016', 14_393],
  ] as const
  const clients: readonly ClientOs[] = ['windows_server_2025', 'windows_server_2022', 'windows_server_2019']
  const facts = { ubr: undefined, productType: 'server', channels: ['ws2025'] } as const
  return hosts.flatMap(([name, build]) =>
    clients.flatMap((client) => {
      const { why } = judgeSupport({ ...facts, build }, client)
      const [, update] = /^it takes (.*); the update revision is not known$/.exec(why) ?? []
      return update === undefined ? [] : [[name, `\`${client}\``, update]]
    }),
  )
}

const UPDATES: Table = {
  title: 'Updates that a host needs',
  head: ['host', 'to activate', 'build and revision, or any later'],
  rows: updates(),
}

export const LICENSING = {
  kms_not_enabled: {
    meaning:
      'Windows on HOST says that it is no KMS host. No KMS host key is installed: it never was, or somebody installed another key in its place, such as that of a client. The service then does not listen, or stops when idle. A Windows Server Azure Edition cannot be a KMS host at all.',
    clientsSee:
      'Where nobody listens any more, it is the same as with a stopped service. New machines and those that run out notice; the others stay activated for up to 180 days.',
    confirm: [
      askExporter(blames('kms_not_enabled') + UNASKED),
      ASK_SERVICE,
      {
        at: 'host',
        says: 'Ask the licensing service.',
        command: 'slmgr /dlv',
        healthy:
          '`Key Management Service is enabled on this machine`, and a description with `VOLUME_KMS` in it.',
        sick: 'No such line. `VOLUME_KMSCLIENT`: it has the key of a client.',
      },
    ],
    fix: [
      {
        says: 'If it should not be a KMS host, take it out of `hosts`, and its record out of DNS: [[srv_stale]].',
      },
      INSTALL,
      ACTIVATE,
      {
        says: 'Then open the firewall ([[port_blocked]]), and see that it publishes itself ([[srv_missing]]).',
      },
    ],
    fixed: [
      verdictGone('kms_not_enabled', 'licensing'),
      '`winkms_kms_enabled{host="HOST"}` is 1.',
      'A new host counts from nothing: it activates nobody before 5 servers or 25 clients have asked. See [[count_below_threshold]].',
      CLIENTS_RETURN,
    ],
    tables: [
      furtherCodes('Codes of slmgr', '0xC004F015', '0xC004F050', '0xC004F051', '0xC004C008', '0x80070005'),
    ],
    related: [
      ['host_not_licensed', 'the key is installed, and not activated'],
      ['service_stopped', 'the service does not run, so that it cannot be asked'],
      ['version_mismatch', 'the key cannot be installed: the host is too old'],
    ],
    sources: [SOURCES.codes, SOURCES.planning, SOURCES.slmgr],
  },

  host_not_licensed: {
    meaning:
      'A KMS host key on HOST is not activated, or not any more. Each host must be activated with Microsoft before it may activate others. It is lost when hardware changes, or when the key was activated too often.',
    clientsSee:
      'They get an answer, and it is a refusal. Clients that are activated stay so for up to 180 days from their last renewal.',
    confirm: [
      askExporter(`${blames('host_not_licensed')} It says the state and the code.${UNASKED}`),
      {
        at: 'host',
        says: 'Ask for every key.',
        command: 'slmgr /dlv all',
        healthy: '`License Status: Licensed` for each key with `VOLUME_KMS` in its description.',
        sick: 'Another status, with a code under `Notification Reason` mostly: look it up below.',
      },
      {
        at: 'prometheus',
        says: 'See which key it is, and why.',
        command: 'winkms_host_license_reason_info{host="HOST"}',
        healthy: 'Nothing.',
        sick: '`product` is the key, `reason` the code. `winkms_host_license_grace_seconds` says what is left.',
      },
    ],
    fix: [
      {
        ...ACTIVATE,
        sick: 'A code: look it up below. Events 8200 and 8208 without access to the internet are noise.',
      },
      {
        at: 'host',
        says: 'Without access to the internet, by telephone: read the installation id to Microsoft, and type what you are told.',
        command: 'slmgr /dti\nslmgr /atp CONFIRMATION-ID',
        changes: 'Uses one activation of the host key, as online.',
      },
      {
        says: 'With `0xC004C008` the key is used up: ask the Activation Centre for more, and find out who used it. A host key does not belong on clients.',
      },
      {
        says: 'Leave `slmgr /rearm` alone. It sets the grace period of the machine back, uses up one of a few times that this can be done, and activates nothing.',
      },
    ],
    fixed: [
      verdictGone('host_not_licensed', 'licensing'),
      '`winkms_host_license_status{host="HOST",status="licensed"}` is 1 for each `product`.',
      CLIENTS_RETURN,
      `${ACTIVATE_ONE_CLIENT.says} \`slmgr /ato\` says \`Product activated successfully.\``,
    ],
    tables: [
      furtherCodes(
        'Codes of the host',
        '0xC004C008',
        '0xC004F00F',
        '0xC004F009',
        '0xC004F014',
        '0xC004F050',
        '0xC004F051',
        '0xC004F015',
        '0x80072EE7',
        '0x80070005',
      ),
    ],
    related: [
      ['kms_not_enabled', 'there is no KMS host key at all'],
      ['count_below_threshold', 'the host is activated, and activates nobody'],
      ['version_mismatch', 'the host is activated, and refuses some clients'],
    ],
    sources: [SOURCES.codes, SOURCES.general, SOURCES.planning, SOURCES.slmgr, SOURCES.noise],
  },

  version_mismatch: {
    meaning:
      'HOST cannot activate clients that it has to: its key is not for their release, or an update is missing that makes it know them. It serves the others. The clients that it has to serve are those of `hosts[].serves`, and canaries; or it has lately refused somebody.',
    clientsSee: `Only the newer ones are refused, with this code, or with ${sayError('0xC004F06C')} although their clocks are right. They never activate here, and run out after their grace period.`,
    confirm: [
      {
        ...askExporter(
          `The line \`(version_mismatch)\`: which client, and which build it takes. The host may be \`SERVING\` all the same, for it serves others.${UNASKED}`,
        ),
        healthy: '`version_mismatch` is `ok` in the tree.',
      },
      {
        at: 'host',
        says: 'See what the host is, and which key it has.',
        command:
          String.raw`Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion' | Format-List ProductName, CurrentBuild, UBR` +
          '\nslmgr /dlv',
        healthy:
          'Build and UBR are those of the table below, or later; the channel in the description is that of the newest clients.',
        sick: 'An older build, or a key of an older release.',
      },
      {
        at: 'host',
        says: 'See whom it refused.',
        command: REQUEST_EVENTS,
        healthy: '`0x0` in all of them.',
        sick: '`0xC004F042`: the key is not for that product. `0xC004F06C`: the clock of that client, or its release.',
      },
    ],
    fix: [
      {
        says: "If an update is missing, install the latest cumulative update on the host, and restart it. Compare builds, not KB numbers: later updates replace those that Microsoft's tables name.",
      },
      {
        ...INSTALL,
        sick: '`0xC004F015`: the host is too old for this key. Update it first, by the table below.',
        says: `If the key is too old, install the one of the newest release that you have to activate. It activates all before it. It can be installed on its own release and on the two before, once they are updated. ${INSTALL.says}`,
      },
      ACTIVATE,
      {
        says: 'If the host is too old for that key, set up a newer host beside it, and let DNS name both until the old one has no clients left (`winkms_distinct_clients`).',
      },
      {
        says: 'If it is Office, or a product that this host was never to serve, lead those clients to the right host.',
      },
    ],
    fixed: [
      '`winkms_client_os_supported{host="HOST"}` is 1 for each client that it has to serve, after the next run of the probe licensing. It is absent where that is not known.',
      'A refusal of the last day goes on to be named until a day has passed: `winkms_diagnosis{host="HOST",cause="version_mismatch"}` is 0 then.',
      `${ACTIVATE_ONE_CLIENT.says} Take one that was refused.`,
    ],
    tables: [UPDATES],
    related: [
      ['clock_skew', 'all clients are refused with the code of a wrong time'],
      ['requests_failing', 'see all codes that clients were answered'],
      ['kms_not_enabled', 'there is no key at all'],
    ],
    sources: [SOURCES.planning, SOURCES.kb974998, SOURCES.codes],
  },
} as const satisfies Partial<Record<string, RunbookText>>
