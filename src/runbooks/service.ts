// The service itself; and a host, or a whole domain, that does not serve for whatever cause.
import { TREE } from '../diagnosis/causes.ts'
import { KMS_PORT } from '../kms/thresholds.ts'
import type { RunbookText, Table, TitledText } from './runbook.ts'
import { SOURCES } from './sources.ts'
import {
  ACTIVATE_ONE_CLIENT,
  applicationEvents,
  ASK_SERVICE,
  ASK_SRV,
  askExporter,
  blames,
  CLIENTS_RETURN,
  sayError,
  SERVES_AGAIN,
  SILENCE,
  TEST_PORT,
  verdictGone,
} from './words.ts'

export const SERVICE = {
  service_stopped: {
    meaning: `The Software Protection service (sppsvc), which is KMS, does not run on HOST. Windows says so itself; or TCP ${KMS_PORT} refuses connections while the machine answers otherwise. On a KMS host it runs all the time. On other machines it stops when idle, which is no fault.`,
    clientsSee: SILENCE,
    confirm: [
      askExporter(
        `${blames('service_stopped')} If it rests on the refused port alone, a firewall that refuses looks the same: the next step decides.`,
      ),
      {
        ...ASK_SERVICE,
        sick: '`STATE : 1 STOPPED`. Note `WIN32_EXIT_CODE`: 1066 means that `SERVICE_EXIT_CODE` tells more.',
      },
      {
        at: 'host',
        says: 'Look how it starts.',
        command: 'sc.exe qc sppsvc',
        healthy: '`START_TYPE : 2 AUTO_START`.',
        sick: '`4 DISABLED`: somebody, or a policy, has switched it off.',
      },
      {
        at: 'host',
        says: 'Read why it stopped, and who stopped it.',
        command: `Get-WinEvent -MaxEvents 20 -FilterHashtable @{LogName='System'; ProviderName='Service Control Manager'} | Format-List TimeCreated, Id, Message\n${applicationEvents('900,902,903,12291,12292')}`,
        healthy: 'Nothing after the last start.',
        sick: '12291: KMS could not start, or 12292: its renewal timer could not; the code says why. An unexpected shutdown before (6008 in the System log) goes with a damaged token store (as others describe it; unverified).',
      },
    ],
    fix: [
      {
        at: 'host',
        says: 'Start it, from an elevated prompt.',
        command: 'net start sppsvc',
        changes: 'KMS serves from then on, and publishes itself in DNS.',
        healthy: '`The Software Protection service was started successfully.`',
        sick: 'An error: read the log again, and go on.',
      },
      {
        at: 'host',
        says: 'If it was disabled, set the start type back. Windows may refuse, since the service is a protected one (unverified): then a policy has to.',
        command: 'sc.exe config sppsvc start= delayed-auto',
        changes: 'The service starts by itself after each start of Windows.',
      },
      {
        says: 'If it stops again within minutes, look at `winkms_service_exit_code` and at the events above. Low memory, a full disk and security software that holds its files are what to look for (general knowledge; unverified).',
      },
      {
        says: "Last of all, with codes `0xC004E015` or `0xC004E002` only: the token store is damaged and has to be built anew. That throws away all licences of the machine. Until the host key is installed and activated again, which uses one of its activations, it is no KMS host. Have the key at hand, save the folder first, and do it by Microsoft's instructions.",
      },
    ],
    fixed: [verdictGone('service_stopped', 'port'), SERVES_AGAIN, CLIENTS_RETURN],
    related: [
      ['port_blocked', 'the service runs, and the port is silent'],
      ['kms_not_enabled', 'the machine is no KMS host any more, so that the service stops when idle'],
      ['not_kms_listener', 'another program holds the port'],
      ['event_log_losing', 'the log says nothing of the time in question'],
    ],
    sources: [SOURCES.kb974998, SOURCES.operations, SOURCES.event8198, SOURCES.notStarting],
  },
} as const satisfies Partial<Record<string, RunbookText>>

/** Series of hosts, for those of one domain. */
function ofDomain(series: string): string {
  return `${series} * on (instance, host) group_left (domain) winkms_host_domain_info{domain="DOMAIN"}`
}

const QUESTIONS: Table = {
  title: 'In the order in which a client meets the obstacles',
  head: ['question', 'if not'],
  rows: TREE.map(({ question, causes }) => [question, causes.map((cause) => `[[${cause}]]`).join('; ')]),
}

export const OUTAGES = {
  host_not_serving: {
    title: 'A KMS host does not serve',
    meaning:
      'HOST does not do what a client needs: its KMS port does not answer as KMS, or a cause is named that keeps it from activating. If the cause is known, its own runbook is shorter than this one; go there.',
    clientsSee: `${sayError('0xC004F074')}, or the code of the cause; nothing, while other hosts of the domain serve. ${SILENCE}`,
    confirm: [
      {
        ...askExporter(
          '`NOT SERVING`. The first cause in the list has a runbook of its own. If none is named, look at the lines with `?`: each says what is missing to tell, and "Could not be asked" says what it takes.',
        ),
      },
      {
        at: 'prometheus',
        says: 'Or see which causes are named.',
        command: 'winkms_diagnosis{host="HOST"} == 1',
        healthy: 'Nothing: no cause is named.',
        sick: 'One series a cause: `cause` is the name of its runbook.',
      },
      TEST_PORT,
      ASK_SERVICE,
      {
        at: 'host',
        says: 'If the service runs, ask it about itself.',
        command: 'slmgr /dlv',
        healthy:
          '`Key Management Service is enabled on this machine`, `License Status: Licensed`, and `Current count` of 25, or of 5 where there are servers only.',
        sick: 'No such line: [[kms_not_enabled]]. Another status: [[host_not_licensed]]. A low count: [[count_below_threshold]].',
      },
    ],
    fix: [
      {
        says: 'Mend the first obstacle in the table below, and ask again. Later ones are often its consequences.',
      },
      {
        says: 'If no other host serves the domain, that is more urgent than to know why: [[domain_not_served]].',
      },
    ],
    fixed: [SERVES_AGAIN, CLIENTS_RETURN],
    tables: [QUESTIONS],
    related: [
      ['domain_not_served', 'no other host serves the domain'],
      ['replicas_disagree', 'another exporter says that the host serves'],
      ['probe_unanswered', 'too little could be asked to name a cause'],
    ],
    sources: [SOURCES.kb974998, SOURCES.general],
  },

  domain_not_served: {
    title: 'No KMS host serves a domain',
    meaning:
      'Of the hosts that should serve DOMAIN, or that its SRV records name, none serves; or no resolver gives any record at all. Clients of the domain cannot activate or renew. One host that serves is enough to end this.',
    clientsSee: `${sayError('0xC004F074')}, or ${sayError('0x8007232B')} where DNS names nobody. ${SILENCE}`,
    confirm: [
      {
        at: 'prometheus',
        says: 'See which hosts the domain has.',
        command: ofDomain('winkms_host_serving'),
        healthy: 'A host with 1.',
        sick: 'Only 0. A host that should be there and is not is one of which it cannot be told.',
      },
      {
        at: 'prometheus',
        says: 'See which causes are named for them.',
        command: ofDomain('(winkms_diagnosis == 1)'),
        healthy: 'Nothing.',
        sick: 'One series a host and cause. `cause` is the name of its runbook.',
      },
      ASK_SRV,
      TEST_PORT,
      {
        at: 'exporter',
        says: 'Ask all of them again, now. Name each.',
        command: 'winkms-exporter diagnose HOST OTHERHOST --config.file=winkms.yml',
        healthy: 'One says `SERVING`.',
        sick: 'All say `NOT SERVING`. If it is the same cause everywhere, look for what they have in common: DNS, a firewall, a patch, a clock.',
      },
    ],
    fix: [
      {
        says: 'Mend the host that is quickest to mend: [[service_stopped]] takes a minute, [[port_blocked]] a rule, [[srv_missing]] a record. Leave the others for daylight.',
      },
      {
        says: 'If DNS is what is broken and a host is well, the SRV record by hand is enough: [[srv_missing]].',
      },
      {
        at: 'client',
        says: 'For a machine that cannot wait, name a host that serves, of another domain if need be.',
        command: `slmgr /skms HOST:${KMS_PORT}\nslmgr /ato`,
        changes:
          'This client asks that host only, and DNS no more, until `slmgr /ckms` takes it back. Note which machines you do this to.',
      },
      {
        says: 'There is time: whoever is activated stays so for up to 180 days. [[client_expiry]] says when the first one runs out.',
      },
    ],
    fixed: [
      `One host of the domain serves: \`max by (domain) (${ofDomain('winkms_host_serving')})\` is 1.`,
      CLIENTS_RETURN,
      `${ACTIVATE_ONE_CLIENT.says} \`slmgr /ato\` says \`Product activated successfully.\``,
    ],
    tables: [QUESTIONS],
    related: [
      ['host_not_serving', 'how to find the cause for one host'],
      ['srv_missing', 'hosts serve, and DNS names none of them'],
      ['client_expiry', 'how long until the first client runs out'],
      ['exporter_clock_wrong', 'all hosts are said to have a wrong clock at once'],
    ],
    sources: [SOURCES.kb974998, SOURCES.planning, SOURCES.slmgr],
  },
} as const satisfies Partial<Record<string, TitledText>>
