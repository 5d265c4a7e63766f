// The exporter itself: it is away, disagrees with another, has an old configuration, or cannot keep what it knows.
import type { TitledText } from './runbook.ts'
import { SOURCES } from './sources.ts'
import { UNSEEN } from './words.ts'

export const EXPORTER = {
  exporter_down: {
    title: 'The exporter cannot be scraped',
    meaning:
      'Prometheus gets no metrics from winkms-exporter: the process or its machine is down, or the way between is. All that is known of KMS hosts is gone until it is back, and their alerts do not fire. Hosts and clients are not touched.',
    clientsSee: UNSEEN,
    confirm: [
      {
        at: 'prometheus',
        says: 'See which instance it is. Under Targets stands the error of the last scrape.',
        command: 'up{job="winkms"}',
        healthy: '1 for each instance.',
        sick: '0. Nothing at all: the job is not configured, or has another name.',
      },
      {
        at: 'exporter',
        says: 'See whether it answers there.',
        command: 'curl -sS http://localhost:11688/-/healthy',
        healthy: 'It answers: the way from Prometheus is broken, or the scrape runs into its timeout.',
        sick: '`Connection refused`: it does not run, or listens elsewhere.',
      },
      {
        at: 'exporter',
        says: 'See whether it could start with its configuration.',
        command: 'winkms-exporter config check winkms.yml',
        healthy: '`correct`.',
        sick: 'What is wrong, with line and column. It does not start with that.',
      },
      { says: 'Read the last lines of its log, on stderr: it says why it ended.' },
    ],
    fix: [
      {
        at: 'exporter',
        says: 'Start it.',
        command: 'winkms-exporter --config.file=winkms.yml',
        changes:
          'It asks everything once within the first minute or so, spread out. How far event logs were read is remembered: nothing is counted twice.',
      },
      {
        says: 'If it cannot have its address, another process has it: `--web.listen-address` gives it another.',
      },
      { says: 'If it is killed again and again, look at its memory: `process_resident_memory_bytes`.' },
      {
        says: 'Until it is back, ask by hand: `winkms-exporter diagnose HOST --config.file=winkms.yml` runs without it, on any machine that has it.',
      },
    ],
    fixed: [
      '`up{job="winkms"}` is 1, and after some minutes `winkms_probe_timestamp_seconds` is recent for every probe.',
    ],
    related: [
      ['config_reload_failed', 'it runs, with an old configuration'],
      ['probe_stale', 'it answers, and does not ask'],
      ['shard_missing', 'it was the only one of its shard'],
    ],
    sources: [SOURCES.metrics],
  },

  shard_missing: {
    title: 'A shard of the exporter is missing',
    meaning:
      'The hosts are shared among several exporters (`--shard`), and one share has nobody: its exporter is down, was never started, cannot be scraped, or goes by another number of shards than the rest. Its hosts are not watched, and the domains and canaries whose names fall to it are not told of. The other shards go on, and what they say of their own hosts holds.',
    clientsSee: UNSEEN,
    confirm: [
      {
        at: 'prometheus',
        says: 'See which shards there are, and of how many each believes that there are.',
        command: 'sort(winkms_exporter_shards)',
        healthy: 'Every number from 0 up to one less than the value, and the same value everywhere.',
        sick: 'A number is missing, or the values differ: then hosts fall to nobody, and others to two.',
      },
      {
        at: 'prometheus',
        says: 'See whether it is a target that does not answer.',
        command: 'up{job="winkms"} == 0',
        healthy: 'Nothing: the shard was never started, or is no target.',
        sick: 'Its instance: see [[exporter_down]].',
      },
    ],
    fix: [
      { says: 'If it is down, start it as [[exporter_down]] says.' },
      {
        says: 'If the number of shards was changed, restart all exporters with the new one: `--shard=0/N` to `--shard=N-1/N`, with the same configuration. Hosts change owners by that.',
      },
      { says: 'If it runs and is no target, add it to the scrape configuration.' },
      {
        says: 'Until it is back, ask by hand: `winkms-exporter diagnose HOST --config.file=winkms.yml` asks any host, whatever shard it falls to.',
      },
    ],
    fixed: ['`winkms:exporter:shards_missing` is 0.'],
    related: [
      ['exporter_down', 'why it cannot be scraped'],
      ['replicas_disagree', 'two exporters watch the same host'],
    ],
    sources: [SOURCES.metrics],
  },

  replicas_disagree: {
    title: 'Two exporters say different things of a host',
    meaning:
      'Two exporters watch HOST, and one says that it serves while the other says that it does not; or one names a cause that the other rules out. They see it from different places, with different resolvers, rights or clocks; so do clients. No alert fires for a cause on which they differ: take the bad word seriously until you know better.',
    clientsSee:
      'It may be that some get through and others do not: where an exporter cannot get through, clients beside it cannot either.',
    confirm: [
      {
        at: 'prometheus',
        says: 'See which one says what.',
        command: 'winkms_host_serving{host="HOST"}',
        healthy: 'The same for each `instance`.',
        sick: '0 and 1. One that is missing cannot tell.',
      },
      {
        at: 'prometheus',
        says: 'See on which cause they differ. One that cannot tell a cause has no series of it, and contradicts nobody.',
        command:
          'max by (cause, vantage) (winkms_diagnosis{host="HOST"}) - min by (cause, vantage) (winkms_diagnosis{host="HOST"}) > 0',
        healthy: 'Nothing, or only `exporter_clock_wrong`: that is of an exporter, and not of HOST.',
        sick: 'Each cause that one names and another rules out. The next query says which one.',
      },
      {
        at: 'prometheus',
        says: 'See which one names which cause.',
        command: 'winkms_diagnosis{host="HOST"} == 1',
        healthy: 'The same causes for each `instance`.',
        sick: 'A cause of one `instance` only. Its runbook says how to confirm it: do that from the machine of each.',
      },
      {
        at: 'exporter',
        says: 'On the machine of each, ask now, and compare.',
        command: 'winkms-exporter diagnose HOST --config.file=winkms.yml',
        healthy: 'Both say the same: one of them had an old answer.',
        sick: 'They differ in the evidence after "because".',
      },
    ],
    fix: [
      {
        says: 'If one cannot reach the host or the port, it is a firewall or a route on its way: [[port_blocked]].',
      },
      { says: 'If their resolvers differ, see [[srv_inconsistent]].' },
      { says: 'If their clocks differ, see [[exporter_clock_wrong]].' },
      {
        says: 'If their configurations or versions differ (`winkms_exporter_build_info`, `/config`), make them the same.',
      },
      {
        says: 'If they are meant to see different things, such as two sites, scrape them as two jobs, and not as a pair.',
      },
    ],
    fixed: [
      '`min by (host) (winkms_host_serving{host="HOST"})` and `max by (host) (winkms_host_serving{host="HOST"})` are the same.',
      'No cause is left on which they differ, by the query above.',
    ],
    related: [
      ['config_reload_failed', 'one of them has an old configuration'],
      ['exporter_clock_wrong', 'one of them has a wrong clock'],
      ['srv_inconsistent', 'their resolvers differ'],
      ['host_not_serving', 'both say the same by now'],
    ],
    sources: [SOURCES.metrics],
  },

  config_reload_failed: {
    title: 'The configuration could not be loaded',
    meaning:
      'The exporter was told to reload its configuration, and the file is wrong. It goes on with the one that it had: hosts that were added are not watched. At its next start it would not start at all.',
    clientsSee: 'Nothing.',
    confirm: [
      {
        at: 'exporter',
        says: 'See everything that is wrong with the file.',
        command: 'winkms-exporter config check winkms.yml',
        healthy:
          '`correct`: it was mended since, and not reloaded. Or a file that it names (password, certificate) was missing then.',
        sick: 'Line, column and what is wrong; often what was meant.',
      },
      {
        at: 'exporter',
        says: 'If it is started with `--web.config.file`: the same for that file, and the certificates that it names. It is read again whenever one of them changes.',
        command: 'winkms-exporter config check-web web.yml',
        healthy: '`correct`.',
        sick: 'Line, column and what is wrong. A certificate that was renewed without its key is such a case.',
      },
      {
        at: 'prometheus',
        says: 'See since when.',
        command: 'winkms_exporter_config_last_reload_success_timestamp_seconds',
        healthy: 'The time of the last change.',
        sick: 'A time before it.',
      },
    ],
    fix: [
      { says: 'Correct the file, or put the old one back.' },
      {
        at: 'exporter',
        says: 'Reload it. PID is that of the exporter. With `--web.enable-lifecycle` it can be told over HTTP as well: POST to `/-/reload`.',
        command: 'kill -HUP PID',
        changes: 'The new configuration is in force at once. A bad one changes nothing.',
      },
    ],
    fixed: ['`winkms_exporter_config_last_reload_successful` is 1, at the next scrape.'],
    related: [
      ['exporter_down', 'it was restarted, and did not start'],
      ['replicas_disagree', 'another exporter has the new configuration'],
    ],
    sources: [SOURCES.metrics],
  },

  storage_failing: {
    title: 'The exporter cannot keep what it has read',
    meaning:
      'Files under `--storage.path`, in which it stands how far each event log was read, cannot be used (`unusable`) or written (`not_written`). Until it is mended, counting goes on in memory. A restart would go on from the last file that is good, or begin anew where there is none: counters fall back, which Prometheus copes with, and what the logs have overwritten since is missing.',
    clientsSee: 'Nothing.',
    confirm: [
      {
        at: 'prometheus',
        says: 'See which kind. What happens when it starts is in its first scrape already, and never increases.',
        command:
          'increase(winkms_exporter_storage_problems_total[1h]) > 0 or winkms_exporter_storage_problems_total > 0 unless on (kind, job, instance) last_over_time(winkms_exporter_storage_problems_total[1h] offset 1h)',
        healthy: 'Nothing.',
        sick: '`kind="not_written"`: disk or rights. `kind="unusable"`: a file was damaged, or is none of the exporter\'s, and was put aside as `.corrupt`; or another version of the exporter wrote it, and it was put aside as `.unknown`; or somebody took it away.',
      },
      {
        at: 'exporter',
        says: 'See room and rights. `data` is where it is unless `--storage.path` says otherwise.',
        command: 'df -h data; ls -la data',
        healthy: 'There is room, and the files belong to the account of the exporter.',
        sick: 'No room, a disk that is read-only, or another owner.',
      },
      { says: 'Read its log, on stderr: it names the file and the error.' },
    ],
    fix: [
      {
        says: 'Make room, or mend the rights of the directory. Nothing else has to be done: what is kept in memory is written with the next run.',
      },
      { says: 'Do not restart the exporter before that: what it has in memory only would be lost.' },
      {
        says: 'With `unusable`: look whether two exporters share one directory. Each needs its own. Files that end in `.corrupt` may be deleted once nobody wants to look at them; one that ends in `.unknown` is whole, and goes on counting under its old name for the version that wrote it.',
      },
    ],
    fixed: ['The query above finds nothing, from an hour after the last problem on.'],
    related: [
      ['event_log_losing', 'events were lost meanwhile'],
      ['exporter_down', 'the exporter was restarted'],
    ],
    sources: [SOURCES.state, SOURCES.metrics],
  },
} as const satisfies Partial<Record<string, TitledText>>
