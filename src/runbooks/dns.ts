// DNS does not lead clients to the host: its SRV record is missing, stale or wrong, or its own address is.
import { KMS_PORT } from '../kms/thresholds.ts'
import type { RunbookText, Step } from './runbook.ts'
import { SOURCES } from './sources.ts'
import {
  applicationEvents,
  ASK_SRV,
  askExporter,
  blames,
  CLIENTS_RETURN,
  sayError,
  SERVES_AGAIN,
  SILENCE,
  verdictGone,
} from './words.ts'

const PLATFORM = String.raw`HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform`

/** For every change of a record. */
const CACHES =
  'Resolvers and clients keep the old answer until its time to live has passed: `winkms_srv_record_ttl_seconds` says how long for SRV records. `Clear-DnsServerCache` on a DNS server and `ipconfig /flushdns` on a client make them forget at once.'

const SHOW_RECORDS = 'Get-DnsServerResourceRecord -ZoneName DOMAIN -Name _vlmcs._tcp -RRType Srv'

/** Looking and deleting are two steps, so that nobody pastes both at once. `which`: the end of PowerShell's condition. */
export function deleteRecord(says: string, which = ''): readonly Step[] {
  return [
    {
      at: 'dns',
      says: `${says} Look at the records first, and note port, priority and weight.`,
      command: SHOW_RECORDS,
    },
    {
      at: 'dns',
      says: 'Then delete that one. The name has a dot at its end.',
      command: `${SHOW_RECORDS} | Where-Object { $_.RecordData.DomainName -eq 'HOST.'${which} } | Remove-DnsServerResourceRecord -ZoneName DOMAIN`,
      changes:
        'Clients of the whole domain are no longer led there. It asks before it deletes. To take it back, create the record by hand.',
    },
  ]
}

export const ADD_RECORD: Step = {
  at: 'dns',
  says: 'Or create the record by hand, where hosts may not publish themselves.',
  command: `Add-DnsServerResourceRecord -Srv -ZoneName DOMAIN -Name _vlmcs._tcp -DomainName HOST -Priority 0 -Weight 0 -Port ${KMS_PORT}`,
  changes:
    'Leads clients of the domain to the host. On the host, `slmgr /cdns` then stops its own attempts, which would fail once a day.',
}

export const PUBLISH_EVENTS: Step = {
  at: 'host',
  says: 'Read how publishing went. The host tries once a day, and when the service starts.',
  command: applicationEvents('12293,12294'),
  healthy: 'The newest one for DOMAIN is 12294.',
  sick: '12293, with a code: see [[dns_publishing_failed]]. Neither: publishing is off, or it goes to other domains.',
}

export const DNS = {
  srv_missing: {
    meaning:
      'A domain that should name HOST in `_vlmcs._tcp` does not, at one resolver at least; or that resolver fails or refuses. Clients there do not find this host. If the records name other hosts, clients go to those, and this one idles; if there is no record at all, they find nobody.',
    clientsSee: `So it is where the name is missing altogether. It is ${sayError('0x8007251D')} where only the record is, ${sayError('0x8007232A')} where the server fails, ${sayError('0x8007232D')} where it refuses. Nobody shows an error while the records name other hosts. ${SILENCE}`,
    confirm: [
      askExporter(blames('srv_missing')),
      ASK_SRV,
      {
        at: 'client',
        says: 'Ask as Windows does. That nslookup finds it does not prove that the client does.',
        command: 'Resolve-DnsName -Type SRV _vlmcs._tcp.DOMAIN',
        healthy: '`NameTarget` is HOST.',
        sick: '`DNS name does not exist`, or other hosts.',
      },
      PUBLISH_EVENTS,
      {
        at: 'host',
        says: 'See whether the host publishes itself, and where.',
        command: `slmgr /dlv\n(Get-ItemProperty '${PLATFORM}').DnsDomainPublishList`,
        healthy:
          '`DNS publishing enabled`; the list names DOMAIN, or is empty and DOMAIN is the domain of the host itself.',
        sick: "`DNS publishing disabled`, or a list without DOMAIN. Whether a host with a list still publishes in its own domain, Microsoft's documents say both ways: name it.",
      },
    ],
    fix: [
      {
        at: 'host',
        says: 'Let the host publish itself again.',
        command: 'Restart-Service sppsvc',
        changes: 'KMS is away for some seconds; clients that ask meanwhile ask again.',
        healthy: 'Event 12294 for DOMAIN.',
        sick: 'Event 12293: see [[dns_publishing_failed]].',
      },
      {
        at: 'host',
        says: 'If publishing is disabled, and the record is not meant to be made by hand, enable it.',
        command: 'slmgr /sdns\nRestart-Service sppsvc',
        changes: 'The host updates DNS by itself from now on; `slmgr /cdns` takes it back.',
      },
      {
        at: 'host',
        says: 'If DOMAIN is not the domain of the host, name all its domains, one a line: name, priority, weight.',
        command: `Set-ItemProperty '${PLATFORM}' -Name DnsDomainPublishList -Type MultiString -Value 'DOMAIN, 0, 0'\nRestart-Service sppsvc`,
        changes:
          'Replaces the whole list: name every domain in it, that of the host too. Note what was there before.',
      },
      ADD_RECORD,
      {
        says: 'If one resolver only fails or refuses, mend that resolver, or take it away from the clients.',
      },
    ],
    fixed: [
      verdictGone('srv_missing', 'srv'),
      '`winkms_srv_lookup_success{domain="DOMAIN"}` is 1 at every resolver.',
      CACHES,
      CLIENTS_RETURN,
    ],
    related: [
      ['dns_publishing_failed', 'the host tries to publish itself, and may not'],
      ['srv_incorrect', 'the record stands under a misspelt name'],
      ['srv_inconsistent', 'some resolvers have the record, and some do not'],
      ['probe_unanswered', 'the resolver does not answer at all'],
    ],
    sources: [SOURCES.kb974998, SOURCES.noName, SOURCES.dns, SOURCES.deploy, SOURCES.registry],
  },

  srv_stale: {
    meaning:
      'DOMAIN names HOST in `_vlmcs._tcp`, and no such host serves: its name does not exist any more, or it does not answer and no configuration expects it. Mostly it was retired, and its record was left behind. Clients that choose it lose time, and choose another if there is one.',
    clientsSee:
      'So it is where no other host is named, and then nobody can activate or renew. Otherwise nobody shows an error: a client that fails at one host tries the next.',
    confirm: [
      askExporter('Below `(srv_stale)`: which resolver names it, and why it is thought to be gone.'),
      ASK_SRV,
      {
        at: 'client',
        says: 'See whether the host exists.',
        command: `Resolve-DnsName HOST\nTest-NetConnection HOST -Port ${KMS_PORT}`,
        healthy: 'It has an address, and `TcpTestSucceeded : True`: it lives. See [[srv_unexpected_target]].',
        sick: 'No address, or nothing answers.',
      },
      {
        says: 'Ask who ran it whether it was retired. If it is only away, it is [[host_unreachable]]: name it in the configuration.',
      },
    ],
    fix: [
      {
        at: 'host',
        says: 'If the machine still runs, stop it from publishing itself: it would do so again within a day.',
        command: 'slmgr /cdns\nRestart-Service sppsvc',
        changes: 'The host no longer updates DNS; `slmgr /sdns` takes it back.',
      },
      ...deleteRecord('Delete the record that names the host.'),
      {
        at: 'client',
        says: 'Look at some clients: those that name the host themselves do not ask DNS.',
        command: 'slmgr /dlv',
        healthy: '`KMS machine name from DNS`.',
        sick: '`Registered KMS machine name: HOST`: `slmgr /ckms` there lets the client ask DNS again.',
      },
    ],
    fixed: [
      'The records at each resolver no longer name the host: `winkms_srv_record_info{domain="DOMAIN",target="HOST"}` is gone. The exporter then forgets a host that it knew from there only, and `winkms_diagnosis{host="HOST",cause="srv_stale"}` is absent.',
      CACHES,
    ],
    related: [
      ['srv_unexpected_target', 'the host lives, and nobody expects it'],
      ['host_unreachable', 'the host should be there, and is away'],
      ['domain_not_served', 'no other host is named'],
    ],
    sources: [SOURCES.kb974998, SOURCES.slmgr, SOURCES.clients],
  },

  srv_wrong_port: {
    meaning:
      'The SRV record leads clients to another port than the one where HOST listens. Either the port of the host was changed and a record made by hand was not, or the other way round.',
    clientsSee: SILENCE,
    confirm: [
      askExporter(`${blames('srv_wrong_port')} It says both ports.`),
      ASK_SRV,
      {
        at: 'host',
        says: 'See where the host listens.',
        command: 'slmgr /dlv',
        healthy: '`Listening on Port` is the port of the record.',
        sick: `Another. ${KMS_PORT} is the one that clients and firewalls expect.`,
      },
    ],
    fix: [
      {
        at: 'host',
        says: `If it is the host that is wrong, give it port ${KMS_PORT}.`,
        command: `slmgr /sprt ${KMS_PORT}\nRestart-Service sppsvc`,
        changes:
          'The host listens there from then on, and publishes that port. Clients that name the old port themselves (`slmgr /skms`) do not find it any more.',
      },
      {
        says: 'If it is the record that is wrong, let the host publish it (`Restart-Service sppsvc` there), or correct it by hand.',
      },
      ...deleteRecord(
        'A record with the old port may stay beside the new one: delete it.',
        ` -and $_.RecordData.Port -ne ${KMS_PORT}`,
      ),
    ],
    fixed: [verdictGone('srv_wrong_port', 'srv'), CACHES, SERVES_AGAIN, CLIENTS_RETURN],
    related: [
      ['port_blocked', 'the port is right, and does not answer'],
      ['not_kms_listener', 'something else answers at the port of the record'],
      ['srv_incorrect', 'priority or weight is wrong, too'],
    ],
    sources: [SOURCES.kb974998, SOURCES.deploy, SOURCES.registry, SOURCES.slmgr],
  },

  host_record_wrong: {
    meaning:
      'The name HOST leads nowhere, or to other addresses than those that the configuration says are its own (`hosts[].addresses`). Clients go where DNS sends them. Mostly the machine got a new address, or was cloned, or an old record was left behind.',
    clientsSee: SILENCE,
    confirm: [
      askExporter(`${blames('host_record_wrong')} It says what DNS has and what the configuration has.`),
      {
        at: 'client',
        says: 'Ask for both kinds of address.',
        command: 'Resolve-DnsName HOST -Type A\nResolve-DnsName HOST -Type AAAA',
        healthy: 'The addresses of the host, and no others.',
        sick: '`DNS name does not exist`, or an address that it does not have.',
      },
      {
        at: 'host',
        says: 'Compare with what the machine has.',
        command: 'ipconfig /all',
        healthy: 'The same. If the configuration says otherwise, it is out of date.',
        sick: 'Others: DNS is wrong.',
      },
    ],
    fix: [
      {
        at: 'host',
        says: 'Let the host register itself.',
        command: 'ipconfig /registerdns',
        changes:
          'Registers the addresses of all its network cards that are set to do so. It takes some minutes.',
      },
      {
        at: 'dns',
        says: 'Delete A and AAAA records that are not its own, or create the record by hand. The host needs the right to change them, as for its SRV record.',
      },
      {
        at: 'exporter',
        says: 'If the host is right and the configuration is not, correct `hosts[].addresses`, check the file, and reload it (SIGHUP, or POST /-/reload).',
        command: 'winkms-exporter config check winkms.yml',
        healthy: '`correct`.',
        sick: 'Line and column of what is wrong.',
      },
    ],
    fixed: [
      verdictGone('host_record_wrong', 'port'),
      '`winkms_host_address_expected{host="HOST"}` is 1 for each address.',
      CACHES,
      SERVES_AGAIN,
      CLIENTS_RETURN,
    ],
    related: [
      ['srv_stale', 'the host was retired, and only the SRV record is left'],
      ['host_unreachable', 'the address is right, and nobody answers'],
      ['srv_inconsistent', 'resolvers say different things'],
    ],
    sources: [SOURCES.kb974998, SOURCES.deploy],
  },
} as const satisfies Partial<Record<string, RunbookText>>
