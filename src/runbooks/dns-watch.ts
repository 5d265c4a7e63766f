// What is wrong in DNS beyond one host: resolvers that disagree, records that nobody expects, records that are badly made,
// and hosts that may not publish themselves.
import { LEVELS } from '../kms/levels.ts'
import { SRV_FINDINGS, type SrvFindingKind } from '../kms/srv.ts'
import { KMS_PORT } from '../kms/thresholds.ts'
import { PUBLISH_CODES } from './codes.ts'
import { ADD_RECORD, deleteRecord, PUBLISH_EVENTS } from './dns.ts'
import type { TitledText } from './runbook.ts'
import { SOURCES } from './sources.ts'
import { ASK_SRV, lasting, sayError } from './words.ts'

const DO: Readonly<Record<SrvFindingKind, string>> = {
  no_record: '[[srv_missing]]',
  misspelt_owner_name: 'Create it under `_vlmcs`, with the letter l, and delete the other.',
  missing_target: '[[srv_missing]]',
  unexpected_target: '[[srv_unexpected_target]]',
  wrong_port: '[[srv_wrong_port]]',
  wrong_priority: 'Correct the record, or what `domains[].expect` says.',
  wrong_weight: 'Correct the record, or what `domains[].expect` says.',
  null_target: 'Delete it: it says that there is no KMS here at all.',
  target_is_address: 'Replace the address by the name of the host.',
  target_unresolvable: '[[host_record_wrong]] if the host exists, [[srv_stale]] if it does not.',
  address_mismatch: '[[host_record_wrong]]',
  truncated_without_tcp: 'Open TCP 53 to the resolver, or delete records that nobody needs.',
  target_is_alias: 'Name the host itself. Windows mostly follows an alias, others may not (unverified).',
  target_not_fqdn: 'Name the host with its domain.',
  duplicate_record: 'Delete one of the two.',
  ttl_out_of_range: 'Give the record a time to live of an hour, say.',
  zero_weight_among_others: 'Give all records of one priority a weight, or none.',
}

export const DNS_WATCH = {
  srv_inconsistent: {
    title: 'Resolvers give different SRV records',
    meaning:
      'Two resolvers answer `_vlmcs._tcp.DOMAIN`, and their answers differ in more than order and age. Some clients then find hosts that others do not find. Right after a change it is caches or replication; if it lasts longer than the records live, it is not.',
    clientsSee:
      'It depends on the resolver that they ask: all is well for some, and others find fewer hosts, old ones, or none.',
    confirm: [
      {
        at: 'prometheus',
        says: 'See who says what.',
        command: 'winkms_srv_record_info{domain="DOMAIN"}',
        healthy: 'The same targets, ports, priorities and weights at each `resolver`.',
        sick: 'A target that is missing at one of them, or differs.',
      },
      { ...ASK_SRV, says: 'Ask each resolver yourself, and each DNS server that holds the zone.' },
    ],
    fix: [
      {
        says: 'If somebody changed the records lately, wait for as long as `winkms_srv_record_ttl_seconds` says, and ask again.',
      },
      {
        says: 'If servers that hold the zone differ, replication between them is what is broken: give it to whoever runs the domain controllers.',
      },
      {
        at: 'dns',
        says: 'If only a resolver that caches differs, empty its cache.',
        command: 'Clear-DnsServerCache',
        changes: 'The server asks again for everything: some slow answers, no wrong ones.',
      },
      {
        says: 'If the zone is meant to look different inside and outside, watch it as two domains with resolvers of their own (`domains[].resolvers`).',
      },
    ],
    fixed: [
      '`winkms_srv_consistent{domain="DOMAIN"}` is 1. Absent means that fewer than two resolvers answer: that is not known then, and not fixed.',
    ],
    related: [
      ['srv_missing', 'one of them lacks a host'],
      ['srv_stale', 'one of them names a host that is gone'],
      ['dns_publishing_failed', 'the host could not change its record'],
      ['probe_unanswered', 'one of them does not answer'],
    ],
    sources: [SOURCES.dns, SOURCES.rfc2782],
  },

  srv_unexpected_target: {
    title: 'An SRV record names a host that nobody expects',
    meaning:
      'DOMAIN names a host in `_vlmcs._tcp` that the list `domains[].expect` does not have. It is new and the configuration was not told; or it was retired; or somebody installed a KMS host key where it does not belong. Clients share themselves out over all hosts that are named, so that each may count too few.',
    clientsSee:
      'Mostly nothing. Where the host does not serve, some lose time, or fail at the first attempt. Where counts are low, new clients show ' +
      `${sayError('0xC004F038')}.`,
    confirm: [
      {
        at: 'prometheus',
        says: 'See which target it is.',
        command: 'winkms_srv_record_info{domain="DOMAIN"}',
        healthy: 'Only targets that you know.',
        sick: 'One that you do not know.',
      },
      {
        at: 'exporter',
        says: 'See what is there. Here HOST is the target that nobody expects.',
        command: 'winkms-exporter diagnose HOST --config.file=winkms.yml',
        healthy: '`SERVING`: somebody runs a KMS host there.',
        sick: '`NOT SERVING`: most likely [[srv_stale]].',
      },
    ],
    fix: [
      { says: 'Find the owner of the machine.' },
      {
        says: 'If it belongs there, add it to `hosts` and to `domains[].expect`, check the file with `winkms-exporter config check winkms.yml`, and reload it (SIGHUP, or POST /-/reload).',
      },
      {
        at: 'host',
        says: 'If it does not, stop it from publishing itself.',
        command: 'slmgr /cdns\nRestart-Service sppsvc',
        changes:
          'The host no longer updates DNS; `slmgr /sdns` takes it back. Clients that know it already go on asking it until it is away.',
      },
      ...deleteRecord('Delete the record that names the host.'),
      { says: 'If you do not want to keep a complete list, set `domains[].unexpected` to `ignore`.' },
    ],
    fixed: [
      '`winkms_srv_findings{domain="DOMAIN",finding="unexpected_target"}` is 0 at every resolver. A record that comes back within a day was published by the host: it still runs.',
    ],
    related: [
      ['srv_stale', 'the host is gone'],
      ['count_below_threshold', 'hosts share too few clients'],
      ['srv_inconsistent', 'only some resolvers name it'],
    ],
    sources: [SOURCES.clients, SOURCES.planning, SOURCES.slmgr],
  },

  srv_incorrect: {
    title: 'SRV records are wrong',
    meaning:
      'At a resolver, something about the records of `_vlmcs._tcp.DOMAIN` is wrong: the label `finding` says what. What is an error keeps clients from a host; what is a warning does so at times, or in time.',
    clientsSee:
      'Nothing, while another record leads them to a host that serves. Otherwise the error that `winkms_srv_client_error_info` says.',
    confirm: [
      {
        at: 'prometheus',
        says: 'See what was found, and look it up below.',
        command: 'winkms_srv_findings{domain="DOMAIN"} > 0',
        healthy: 'Nothing.',
        sick: 'One series a finding and resolver.',
      },
      ASK_SRV,
    ],
    fix: [
      {
        says: 'Do what the table below says. Most of these records were made by hand: one that a host publishes itself is well made.',
      },
      ...deleteRecord(
        'Correct each record that is wrong in the DNS console, or delete it and create it anew.',
      ),
      ADD_RECORD,
    ],
    fixed: [
      '`winkms_srv_correct{domain="DOMAIN"}` is 1 at every resolver, within the time to live of the old record (`winkms_srv_record_ttl_seconds`) and one run of the probe srv.',
    ],
    tables: [
      {
        title: 'Findings',
        head: ['finding', 'severity', 'meaning', 'do this'],
        rows: Object.entries(SRV_FINDINGS).map(([kind, [severity, says]]) => [
          `\`${kind}\``,
          severity,
          says.replaceAll(/_v\wmcs/g, '`$&`'),
          DO[kind as SrvFindingKind],
        ]),
      },
    ],
    related: [
      ['srv_missing', 'a host is not named'],
      ['srv_wrong_port', 'the port is wrong'],
      ['srv_unexpected_target', 'somebody is named whom nobody expects'],
      ['host_record_wrong', 'the name in the record leads to the wrong address'],
    ],
    sources: [SOURCES.rfc2782, SOURCES.dns, SOURCES.metrics],
  },

  dns_publishing_failed: {
    title: 'A KMS host cannot publish itself in DNS',
    meaning: `HOST tried to publish its SRV record in DOMAIN, and failed (event 12293). It tries once a day. This is reported after ${lasting(LEVELS.dnsPublishFailedSeconds.warning)}, and more loudly after ${lasting(LEVELS.dnsPublishFailedSeconds.critical)}. While an old record stands, nothing else happens; once that is scavenged or deleted, clients do not find the host.`,
    clientsSee: `Nothing yet. Later ${sayError('0x8007232B')}, where no other host is named.`,
    confirm: [
      { ...PUBLISH_EVENTS, sick: '12293. Its code is in the table below.' },
      ASK_SRV,
      {
        at: 'host',
        says: 'See whether it is meant to publish itself. Where records are made by hand, it is not.',
        command: 'slmgr /dlv',
        healthy: '`DNS publishing enabled`.',
        sick: '`DNS publishing disabled`: then the event is an old one.',
      },
    ],
    fix: [
      {
        at: 'dns',
        says: 'With `0x80072338`: give a group that holds all KMS hosts Full Control on the record `_vlmcs` below `_tcp` (in the DNS console: properties, security). The first host to publish owns the record, and others may not change it.',
      },
      {
        at: 'dns',
        says: 'With `0x8007232D`: allow dynamic updates in the zone, secure ones where the host is a member of the domain.',
      },
      {
        at: 'host',
        says: 'Then let it try again.',
        command: 'Restart-Service sppsvc',
        changes:
          'KMS is away for some seconds; clients that ask meanwhile ask again. New membership in a group may take a restart of the whole machine.',
        healthy: 'Event 12294 for DOMAIN.',
        sick: 'Event 12293 again.',
      },
      {
        ...ADD_RECORD,
        says: `Or create the record by hand, with port ${KMS_PORT}, and stop the attempts with \`slmgr /cdns\` on the host.`,
      },
    ],
    fixed: [
      '`winkms_dns_publish_success{host="HOST",domain="DOMAIN"}` is 1 after the next run of the probe activity, with a new `winkms_dns_publish_timestamp_seconds`. Without a restart of the service it takes up to 24 hours. If you switched publishing off, the series goes away 7 days after the last attempt, where the host publishes in other domains still.',
    ],
    tables: [PUBLISH_CODES],
    related: [
      ['srv_missing', 'the record is not there any more'],
      ['srv_stale', 'the old record is that of a host that is gone'],
      ['srv_inconsistent', 'only some servers have the new record'],
    ],
    sources: [SOURCES.kb2553863, SOURCES.deploy, SOURCES.operations, SOURCES.registry],
  },
} as const satisfies Partial<Record<string, TitledText>>
