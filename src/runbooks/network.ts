// Clients do not get through to the host: it is away, its port is blocked, or somebody else answers there.
import { KMS_PORT } from '../kms/thresholds.ts'
import type { RunbookText } from './runbook.ts'
import { SOURCES } from './sources.ts'
import {
  ASK_SERVICE,
  askExporter,
  blames,
  CLIENTS_RETURN,
  SERVES_AGAIN,
  SILENCE,
  TEST_PORT,
  verdictGone,
} from './words.ts'

const LISTENS = `netstat -abno | findstr :${KMS_PORT}`

const THROUGH =
  '`TcpTestSucceeded : True`. Clients get through, and the exporter does not: look at its way to the host.'

export const NETWORK = {
  host_unreachable: {
    meaning:
      'Nothing on HOST answers: neither the KMS port, nor a clock, nor Windows. The machine is down, its network is, or something between the exporter and the host drops everything. Clients that DNS leads here try the other hosts of their domain, where there are any.',
    clientsSee: SILENCE,
    confirm: [
      askExporter(blames('host_unreachable')),
      {
        ...TEST_PORT,
        healthy: THROUGH,
        sick: '`TcpTestSucceeded : False`, and `PingSucceeded : False` as well. A firewall may drop the ping alone: that by itself says nothing.',
      },
      {
        at: 'client',
        says: 'Look where the name leads.',
        command: 'Resolve-DnsName HOST',
        healthy: 'The addresses that the machine has.',
        sick: 'Others: see [[host_record_wrong]].',
      },
      {
        says: 'Look at the console of the machine, or at what runs it: is it on, is it up, is it restarting after updates?',
        healthy: 'It runs: the network is what is left.',
        sick: 'It is off, or stuck while it starts.',
      },
    ],
    fix: [
      { says: 'Start the machine, or let it finish starting.' },
      {
        at: 'host',
        says: 'At the console, look at its network: address, gateway, a cable or virtual switch that is disconnected.',
        command: 'ipconfig /all',
        healthy: 'The address that DNS gives, and a gateway that answers a ping.',
        sick: 'No address, or one that begins with 169.254: the machine has no network.',
      },
      {
        says: 'If the machine is well and others in its network are away too, give this to whoever runs the network.',
      },
      {
        says: 'If it will not be back within days, see that another host serves the domain: [[domain_not_served]]. If it is gone for good, take its record away: [[srv_stale]].',
      },
    ],
    fixed: [verdictGone('host_unreachable', 'port'), SERVES_AGAIN, CLIENTS_RETURN],
    related: [
      ['port_blocked', 'the machine answers, and only the KMS port does not'],
      ['host_record_wrong', 'the name leads to an address that is not its own'],
      ['srv_stale', 'the host was retired, and DNS still names it'],
      ['domain_not_served', 'no other host serves the domain'],
    ],
    sources: [SOURCES.kb974998, SOURCES.clients],
  },

  port_blocked: {
    meaning: `The machine answers, and TCP ${KMS_PORT} on it does not. Mostly it is a firewall: the exception for KMS is there on each Windows Server, and is not enabled by default. Without a word from Windows itself a stopped service can look the same, for Windows Firewall may stay silent for a port at which nobody listens (unverified).`,
    clientsSee: SILENCE,
    confirm: [
      {
        ...askExporter(
          `${blames('port_blocked')} Look at \`service_stopped\` in the tree: \`ok\` means that Windows says the service runs, so that it is the firewall for certain; \`?\` means that the next step decides.`,
        ),
      },
      ASK_SERVICE,
      {
        at: 'host',
        says: 'Look whether the service listens.',
        command: LISTENS,
        healthy: `A line with \`:${KMS_PORT}\` and \`LISTENING\`: the service is there, and something is in the way.`,
        sick: 'No line: it listens elsewhere ([[srv_wrong_port]]), or KMS is not enabled ([[kms_not_enabled]]).',
      },
      { ...TEST_PORT, healthy: THROUGH },
      {
        at: 'host',
        says: 'Look at the exception in Windows Firewall. The name is that of an English Windows.',
        command:
          "Get-NetFirewallRule -DisplayGroup 'Key Management Service' | Format-Table DisplayName, Enabled, Profile, Action",
        healthy:
          '`Enabled` is `True` for the profile of the network that the host is in: look at the firewalls between.',
        sick: '`Enabled` is `False`, or the profile is another.',
      },
    ],
    fix: [
      {
        at: 'host',
        says: 'Enable the exception.',
        command: "Enable-NetFirewallRule -DisplayGroup 'Key Management Service'",
        changes:
          'Opens the KMS port of the host to whomever the rule allows. `Disable-NetFirewallRule` takes it back. A group policy may override it: then change the policy.',
      },
      {
        says: `Open TCP ${KMS_PORT} from the clients' networks to the host in each firewall between. A VPN that forces all traffic through its tunnel needs it too.`,
      },
      {
        says: 'If clients get through and the exporter does not, open the port for the exporter. Until then the host is reported as not serving.',
      },
    ],
    fixed: [verdictGone('port_blocked', 'port'), SERVES_AGAIN, CLIENTS_RETURN],
    related: [
      ['service_stopped', 'nobody listens, because the service does not run'],
      ['srv_wrong_port', 'the service listens on another port than DNS says'],
      ['kms_not_enabled', 'the service runs, and does not listen at all'],
      ['host_unreachable', 'nothing else of the machine answers either'],
    ],
    sources: [SOURCES.kb974998, SOURCES.general, SOURCES.event8198, SOURCES.firewall],
  },

  not_kms_listener: {
    meaning: `Something accepts connections to TCP ${KMS_PORT} on HOST, and it is not KMS: it does not accept an RPC bind to the KMS interface, or it accepts one to any interface at all. Mostly another program took the port, or a proxy or load balancer stands before a host that is down.`,
    clientsSee: `${SILENCE} Their requests go to a program that does not understand them.`,
    confirm: [
      askExporter(blames('not_kms_listener')),
      {
        at: 'prometheus',
        says: 'See what kind of listener it is, and look it up below.',
        command: 'winkms_port_listener{host="HOST"} == 1',
        healthy: '`listener="kms"`.',
        sick: 'Any other.',
      },
      {
        at: 'host',
        says: 'Find the program that owns the port. The last number of the line is its process id: put it in place of 1234.',
        command: `${LISTENS}\ntasklist /svc /fi "PID eq 1234"`,
        healthy: '`sppsvc.exe`: then something between answers in its place. Compare the addresses.',
        sick: 'Another program; or no line at all, and a proxy or load balancer answers.',
      },
      {
        at: 'host',
        says: 'See whether the machine is a KMS host at all.',
        command: 'slmgr /dlv',
        healthy:
          '`Key Management Service is enabled on this machine`, and `Listening on Port` is the one that was asked.',
        sick: 'No such line: see [[kms_not_enabled]].',
      },
    ],
    fix: [
      { says: 'Move the other program to another port, or remove it.' },
      {
        at: 'host',
        says: 'Then let KMS have its port.',
        command: 'Restart-Service sppsvc',
        changes: 'KMS is away for some seconds; clients that ask meanwhile ask again.',
      },
      {
        says: `If a proxy or load balancer owns the address, let it pass TCP ${KMS_PORT} on as it is, to hosts that are up. KMS needs none: DNS spreads clients over hosts.`,
      },
    ],
    fixed: [verdictGone('not_kms_listener', 'port'), SERVES_AGAIN, CLIENTS_RETURN],
    tables: [
      {
        title: 'What answers',
        head: ['listener', 'what it does', 'mostly'],
        rows: [
          [
            '`other_rpc`',
            'is an RPC server, and refuses the KMS interface',
            'another Windows service, or KMS is not enabled',
          ],
          [
            '`accepts_anything`',
            'accepts a bind to an interface that does not exist',
            'a trap or an imitation: find out whose it is',
          ],
          ['`rpc_fault`', 'answers a bind with a fault', 'a KMS or RPC server in trouble'],
          ['`not_rpc`', 'speaks something else', 'a web server, or a proxy'],
          ['`silent`', 'accepts, and says nothing', 'a proxy, or a service that hangs'],
          ['`closes`', 'accepts, and closes', 'a load balancer with nothing behind it'],
        ],
      },
    ],
    related: [
      ['kms_not_enabled', 'the host key is not installed'],
      ['service_stopped', 'sppsvc does not run, and so lost its port'],
      ['srv_wrong_port', 'KMS listens, on another port'],
      ['host_record_wrong', 'the name leads to another machine'],
    ],
    sources: [SOURCES.kb974998, SOURCES.clients, SOURCES.metrics],
  },
} as const satisfies Partial<Record<string, RunbookText>>
