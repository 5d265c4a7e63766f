// Probes that are not run, or not answered.
import type { TitledText } from './runbook.ts'
import { SOURCES } from './sources.ts'
import { UNSEEN } from './words.ts'

export const ASKING = {
  probe_unanswered: {
    title: 'A probe gets no answer',
    meaning:
      'A question to HOST goes unanswered. What only that answer tells is not known: its series are absent, and causes that rest on it say "cannot tell". This is no verdict on the host: bad news is an answer, and this is none. The label `reason` says why.',
    clientsSee: 'Nothing that could be known from this. If the host is down, its own alert says so.',
    confirm: [
      {
        at: 'prometheus',
        says: 'See which probe, at which stage, and for which reason.',
        command: 'winkms_probe_failure_info{host="HOST"}',
        healthy: 'Nothing: everything is answered.',
        sick: 'Look the `reason` up in the table below. For a domain, ask with `domain` and `resolver` in place of `host`; for a canary, with `client`.',
      },
      {
        at: 'exporter',
        says: 'See it with its details: the end of the output, "Could not be asked", says what it takes.',
        command: 'winkms-exporter diagnose HOST --config.file=winkms.yml',
        healthy: 'Nothing is listed there.',
        sick: 'Stage, reason, what was said, and what it takes.',
      },
    ],
    fix: [
      { says: 'If all probes of the host fail, it is the host, or the way to it: [[host_unreachable]].' },
      {
        says: 'If only those fail that ask Windows (licensing, activity, service, client), it is WinRM or a right: do what the table says.',
      },
      {
        at: 'client',
        says: 'Have the rights checked as the account of the exporter, from another machine. The script is in deploy/windows.',
        command: String.raw`.\Test-KmsReader.ps1 -ComputerName HOST -Credential CORP\svc-kms-reader -UseSsl`,
        healthy: 'Everything may be read.',
        sick: 'It says which right is missing.',
      },
      {
        says: 'After a wrong password the exporter waits before it tries again, so as not to lock the account: up to 65 minutes, or longer after more. A changed password file, or a restart, ends the waiting.',
      },
    ],
    fixed: ['`winkms_probe_success{host="HOST"}` is 1 for each `probe` after its next run.'],
    tables: [
      {
        title: 'Reasons',
        head: ['reason', 'means', 'do this'],
        rows: [
          [
            '`resolve_nxdomain`, `resolve_nodata`',
            'the name has no address',
            '[[host_record_wrong]], [[srv_stale]]',
          ],
          [
            '`resolve_servfail`, `resolve_refused`, `resolve_timeout`',
            'a resolver fails, refuses, or is silent',
            'Look at the resolvers that the exporter asks (`resolvers`).',
          ],
          [
            '`connect_refused`',
            'nobody listens at that port',
            'For WinRM: set a listener up, or give the right port in `windows.url` (5985 is http, 5986 https).',
          ],
          [
            '`connect_timeout`, `connect_unreachable`',
            'a firewall, or the machine is away',
            'Open the port for the exporter; otherwise [[host_unreachable]].',
          ],
          ['`connect_reset`', 'the connection was broken off', 'Look for a firewall or proxy that does so.'],
          [
            '`rpc_rejected`, `rpc_fault`, `rpc_timeout`, `not_rpc`',
            'what listens does not speak as KMS does',
            '[[not_kms_listener]]',
          ],
          [
            '`tls_untrusted`',
            'the certificate is not trusted',
            '`windows.tls`: `ca_file`, `server_name` or `fingerprint`.',
          ],
          ['`tls_expired`', 'the certificate has run out', 'Give the listener of the host a new one.'],
          ['`tls_failed`', 'no TLS at that port', '5986 is for https, 5985 for http.'],
          [
            '`auth_failed`',
            'user name or password is wrong, or the account may not log on',
            'Mend the account or its password; do not try often, or it locks.',
          ],
          ['`access_denied`', 'logged on, and a right is missing', 'Grant it: `Grant-KmsReader.ps1`.'],
          ['`not_found`', 'what was asked for is not there', 'Look at `diagnose`: which class, log or page.'],
          [
            '`protocol_error`, `too_large`',
            'the answer does not follow its specification, or is too long',
            'See what stands between. If nothing does, report it, with what `diagnose --json` prints.',
          ],
          ['`timeout`', 'no answer in time', 'More time (`probes`, `timeout`), or a host that is less busy.'],
          ['`not_configured`', 'it lacks something in the configuration', 'See `diagnose`.'],
          ['`exporter_overloaded`', 'the exporter had no room for it', '[[runs_skipped]]'],
          ['`internal_error`', 'a fault of the exporter', 'Report it, with the log at `--log.level=debug`.'],
        ],
      },
    ],
    related: [
      ['host_unreachable', 'nothing of the host answers'],
      ['event_log_unreadable', 'only the event log cannot be read'],
      ['probe_stale', 'the probe does not run at all'],
    ],
    sources: [SOURCES.permissions, SOURCES.locking, SOURCES.metrics],
  },

  probe_stale: {
    title: 'A probe has not run for too long',
    meaning:
      'The last run of a probe against HOST is older than its schedule allows. What metrics and pages say of it is as old as that. Mostly the exporter is overloaded, was suspended, or its clock has jumped.',
    clientsSee: UNSEEN,
    confirm: [
      {
        at: 'prometheus',
        says: 'See how old it is, in seconds, beside how often it should run.',
        command:
          '(time() - winkms_probe_timestamp_seconds{host="HOST"}) > on (instance, probe) group_left () winkms_exporter_probe_interval_seconds',
        healthy: 'Nothing, or a little more than one interval.',
        sick: 'Many intervals. All probes of all hosts: it is the exporter. One host: it is that host. Where all are old by the same, look at the clocks of the exporter and of Prometheus.',
      },
      {
        at: 'prometheus',
        says: 'See whether runs are skipped, and begin late.',
        command: 'increase(winkms_exporter_probes_skipped_total[1h]) > 0',
        healthy: 'Nothing.',
        sick: 'See [[runs_skipped]].',
      },
      {
        at: 'prometheus',
        says: 'See whether it has time for all of it.',
        command:
          'rate(winkms_exporter_schedule_lag_seconds_sum[15m]) / rate(winkms_exporter_schedule_lag_seconds_count[15m])',
        healthy: 'Far below a second.',
        sick: 'Seconds: the machine is too busy, or too much is asked.',
      },
    ],
    fix: [
      {
        says: 'If the machine is overloaded, or was suspended, give it its time back. Runs that were missed are not made up for.',
      },
      {
        says: 'If too much is asked, ask less often (`probes`), or share the hosts among several exporters (`--shard`).',
      },
      { says: 'If the clock of the exporter jumped, mend that: [[exporter_clock_wrong]].' },
      { says: 'If nothing of this helps, note what `/metrics` says, then restart the exporter.' },
    ],
    fixed: [
      '`winkms_probe_timestamp_seconds{host="HOST"}` moves on with each interval of the probe (`winkms_exporter_probe_interval_seconds`).',
    ],
    related: [
      ['runs_skipped', 'runs are due, and do not begin'],
      ['exporter_down', 'nothing is scraped at all'],
      ['probe_unanswered', 'it runs, and gets no answer'],
    ],
    sources: [SOURCES.metrics],
  },

  runs_skipped: {
    title: 'The exporter skips runs',
    meaning:
      'Runs of a probe were due and did not begin: the one before had not ended (`overlap`), or there was no room for it (`overloaded`). What is known gets older than it should. A host that is slow to answer does this to its own probes; too many hosts do it to all.',
    clientsSee: 'Nothing.',
    confirm: [
      {
        at: 'prometheus',
        says: 'See which probe, and why.',
        command: 'increase(winkms_exporter_probes_skipped_total[1h]) > 0',
        healthy: 'Nothing.',
        sick: '`why="overlap"`: runs last longer than the time between two. `why="overloaded"`: too many wait.',
      },
      {
        at: 'prometheus',
        says: 'See which hosts are slow, in seconds.',
        command: 'topk(10, winkms_probe_duration_seconds)',
        healthy: 'Far below the interval of the probe.',
        sick: 'A few hosts: mend those. All: look at the machine of the exporter.',
      },
      {
        at: 'prometheus',
        says: 'See how many runs are under way.',
        command: 'winkms_exporter_probes_in_flight',
        healthy: 'Below `limits.concurrency` (256 unless set).',
        sick: 'At it.',
      },
    ],
    fix: [
      {
        says: 'If some hosts are slow, find out why ([[probe_unanswered]]), or ask them less often (`hosts[].probes`).',
      },
      {
        says: 'If runs wait for each other, raise `limits.concurrency`, or `limits.per_host` for one host with many probes.',
      },
      {
        says: 'If the machine is too small, give it more, or share the hosts among several exporters (`--shard`).',
      },
    ],
    fixed: [
      '`increase(winkms_exporter_probes_skipped_total[1h])` is 0, an hour after the last one that was skipped.',
    ],
    related: [
      ['probe_stale', 'a probe has not run for long'],
      ['probe_unanswered', 'runs end at their timeout'],
    ],
    sources: [SOURCES.metrics],
  },
} as const satisfies Partial<Record<string, TitledText>>
