// Who watches the watch: exporters, their probes, and what keeps them from telling.
import { EXPORTER, HOST, known, type AlertRule, type Group, type Scope } from './rule.ts'

/** Probes by whom they ask. */
const SUBJECTS: readonly {
  readonly scope: Scope
  readonly by: string
  readonly matcher: string
  readonly who: string
}[] = [
  { scope: 'host', by: 'host', matcher: 'host!=""', who: 'KMS host {{ $labels.host }}' },
  {
    scope: 'domain',
    by: 'domain, resolver',
    matcher: 'resolver!=""',
    who: 'resolver {{ $labels.resolver }} about {{ $labels.domain }}',
  },
  { scope: 'client', by: 'client', matcher: 'client!=""', who: 'canary {{ $labels.client }}' },
  {
    scope: 'exporter',
    by: 'reference',
    matcher: 'reference!=""',
    who: 'reference clock {{ $labels.reference }}',
  },
]

/** A query in which `$` stands for the labels of whom it is about, for a template. */
function askOf(by: string, query: string): string {
  const labels = [...by.split(', '), 'probe']
  const matchers = labels.map((label) => `${label}=%q`).join(',')
  const values = labels.map((label) => `$labels.${label}`).join(' ')
  return `printf "${query.replace('$', `{${matchers}}`)}" ${values} | query`
}

const stale = SUBJECTS.map(({ scope, by, matcher, who }): AlertRule => ({
  runbook: 'probe_stale',
  when: `of a ${scope === 'exporter' ? 'reference clock' : scope}`,
  severity: 'warning',
  scope,
  // Of a pair the older one: what it said last stays in the scrape, and would contradict the other for ever.
  expr: `time() - min by (${by}, probe, vantage) (${known(`winkms_probe_timestamp_seconds{${matcher}}`)})
> on (probe, vantage) group_left () (3 * max by (probe, vantage) (${known('winkms_exporter_probe_interval_seconds')}) + 60)`,
  for: '5m',
  keepFiringFor: '10m',
  summary: `The probe {{ $labels.probe }} of ${who} is not run any more.`,
  description: `It ended last {{ $value | humanizeDuration }} ago{{ with ${askOf(by, 'bottomk(1, winkms_probe_timestamp_seconds$)')} }} at {{ . | first | label "instance" }}{{ end }}, more than three times its interval. What is shown of it is old. See the dashboard of the exporter: runs that are skipped, a schedule that lags, a wrong clock.`,
}))

const unanswered = SUBJECTS.map(({ scope, by, matcher, who }): AlertRule => ({
  runbook: 'probe_unanswered',
  when: `of a ${scope === 'exporter' ? 'reference clock' : scope}`,
  severity: 'warning',
  scope,
  expr: `max by (${by}, probe, vantage) (${known(`winkms_probe_success{${matcher}}`)}) == 0`,
  for: '30m',
  keepFiringFor: '10m',
  summary: `The probe {{ $labels.probe }} of ${who} is not answered.`,
  description: `Why: {{ with ${askOf(by, 'winkms_probe_failure_info$')} }}{{ . | first | label "reason" }} at {{ . | first | label "stage" }}{{ else }}see the status page{{ end }}. What it would tell is not known meanwhile.`,
}))

/** A wrong clock is that of an exporter, and said of it. */
const VERDICTS = 'winkms_diagnosis{cause!="exporter_clock_wrong"}'

/** In a template: which exporters say so. */
const instancesBy = (query: string): string =>
  `range $i, $one := printf "${query}" $labels.host | query | sortByLabel "instance" }}{{ if $i }}, {{ end }}{{ $one.Labels.instance }}{{ else }}none{{ end`

const rules: readonly AlertRule[] = [
  {
    runbook: 'exporter_down',
    when: 'none is left',
    severity: 'critical',
    scope: 'exporter',
    expr: 'absent(last_over_time(winkms_exporter_build_info[15m]))',
    for: '5m',
    keepFiringFor: '5m',
    summary: 'No winkms-exporter is scraped: nobody watches the KMS hosts.',
    description:
      'Prometheus has had nothing of any exporter for 15 minutes. Is it running, is its target configured, can it be reached?',
  },
  {
    runbook: 'exporter_down',
    when: 'one is down',
    severity: 'warning',
    scope: 'exporter',
    // Whatever the job is called.
    expr: 'up == 0 and on (job, instance) winkms:exporter:seen',
    for: '10m',
    keepFiringFor: '5m',
    summary: 'winkms-exporter {{ $labels.instance }} cannot be scraped.',
    description: 'It is down, or Prometheus cannot reach it. Its /-/healthy says whether it runs.',
  },
  {
    runbook: 'shard_missing',
    severity: 'critical',
    scope: 'exporter',
    expr: 'winkms:exporter:shards_missing > 0',
    // Longer than a restart of all, with another number of shards.
    for: '10m',
    keepFiringFor: '5m',
    summary: 'A part of the KMS hosts is not watched: a shard of winkms-exporter is missing.',
    description:
      'Of {{ with printf "max(winkms_exporter_shards{vantage=%q})" $labels.vantage | query }}{{ . | first | value }}{{ end }} shards {{ $value }} cannot be scraped, or are of another division. There are:{{ range printf "winkms_exporter_shards{vantage=%q}" $labels.vantage | query | sortByLabel "instance" }} {{ .Labels.shard }}/{{ .Value }} at {{ .Labels.instance }};{{ end }} start the others. Their hosts and domains have no alerts meanwhile.',
  },
  ...stale,
  ...unanswered,
  {
    runbook: 'runs_skipped',
    severity: 'warning',
    scope: 'exporter',
    expr: `sum by (probe, why, ${EXPORTER}) (increase(winkms_exporter_probes_skipped_total[15m]))
> on (probe, ${EXPORTER}) group_left () 0.1 * sum by (probe, ${EXPORTER}) (increase(winkms_exporter_probes_total[15m]))`,
    for: '30m',
    keepFiringFor: '15m',
    summary:
      'Runs of the probe {{ $labels.probe }} are skipped at {{ $labels.instance }}: {{ $labels.why }}.',
    description:
      '{{ $value | humanize }} in 15 minutes. overlap: the run before had not ended, its timeout is near its interval. overloaded: limits.concurrency or the machine is too small for so many hosts.',
  },
  {
    runbook: 'replicas_disagree',
    severity: 'warning',
    scope: 'host',
    // On a cause, too: what one of them rules out is no alert, whatever it keeps from being one.
    expr: `max by (${HOST}) (${known('winkms_host_serving')}) - min by (${HOST}) (${known('winkms_host_serving')}) > 0
or max by (${HOST}) (
  max by (host, cause, vantage) (${known(VERDICTS)}) - winkms:cause:named
) > 0`,
    for: '30m',
    keepFiringFor: '10m',
    summary: 'Exporters disagree on KMS host {{ $labels.host }}.',
    description: `It serves by {{ ${instancesBy('winkms_host_serving{host=%q} == 1')} }} and not by {{ ${instancesBy('winkms_host_serving{host=%q} == 0')} }}. Causes:{{ range printf "winkms_diagnosis{host=%q} == 1" $labels.host | query | sortByLabel "instance" }} {{ .Labels.cause }} by {{ .Labels.instance }};{{ else }} none;{{ end }} one of them sees another network, another DNS, or another configuration.`,
  },
  {
    runbook: 'config_reload_failed',
    severity: 'warning',
    scope: 'exporter',
    expr: `min by (${EXPORTER}) (${known('winkms_exporter_config_last_reload_successful')}) == 0`,
    for: '10m',
    keepFiringFor: '5m',
    summary: 'The configuration of winkms-exporter {{ $labels.instance }} was not loaded.',
    description:
      'The one before stays in force, until a restart, which would fail. `winkms-exporter config check FILE` says what is wrong, with line and column.',
  },
  {
    runbook: 'storage_failing',
    severity: 'warning',
    scope: 'exporter',
    // What happens when it starts is in its first scrape already: a counter that is born with 1 has never increased.
    expr: `sum by (kind, ${EXPORTER}) (increase(winkms_exporter_storage_problems_total[1h])) > 0
or sum by (kind, ${EXPORTER}) (
  winkms_exporter_storage_problems_total
  unless on (kind, job, instance) last_over_time(winkms_exporter_storage_problems_total[1h] offset 1h)
) > 0`,
    for: '5m',
    keepFiringFor: '1h',
    summary: 'The storage of winkms-exporter {{ $labels.instance }} fails: {{ $labels.kind }}.',
    description:
      'not_written: what was read of event logs is remembered in memory only, and is lost with the process. unusable: a file was put aside, and the counters of its host begin anew. Look at --storage.path: disk full, read only, no right?',
  },
]

export const watch: Group = { name: 'winkms-watch', rules }
