// Domains as their clients meet them: whether anybody serves, and what DNS says.
import { DOMAIN, HOST, known, type AlertRule, type Group } from './rule.ts'

/** Of severity error, and of no host's cause. */
const FINDINGS =
  'wrong_priority|wrong_weight|null_target|target_is_address|misspelt_owner_name|truncated_without_tcp'

/** Hosts of the domain, each with what is known of it. */
const hostsOfDomain =
  '{{ range printf "winkms:host:domain{domain=%q}" $labels.domain | query | sortByLabel "host" }}' +
  ' {{ .Labels.host }}{{ range printf "winkms:cause:named{host=%q} == 1" .Labels.host | query | sortByLabel "cause" }} ({{ .Labels.cause }}){{ end }};' +
  '{{ else }} none is known;{{ end }}'

const notServing = {
  runbook: 'host_not_serving',
  scope: 'host',
  for: '10m',
  keepFiringFor: '10m',
  summary: 'KMS host {{ $labels.host }} does not serve, and it cannot be told why.',
} as const
const why =
  'No cause is named. `winkms-exporter diagnose {{ $labels.host }}` says what is missing to tell one, and what it takes.'

const unexplained = `winkms:host:serving == 0 unless on (${HOST}) winkms:host:stopping_causes`

function finding(matcher: string, by: string): string {
  // By what all of a pair find.
  const found = known(`winkms_srv_findings{${matcher}}`)
  return `max by (${by}) (min by (resolver, ${by}) (${found}))`
}

const rules: readonly AlertRule[] = [
  {
    runbook: 'domain_not_served',
    severity: 'critical',
    scope: 'domain',
    // Where a host's own cause has woken somebody, this is not said once more.
    expr: `(
  winkms:domain:hosts_serving == 0
  unless on (${DOMAIN}) winkms:domain:hosts_unknown
  unless on (vantage) winkms:exporter:shards_missing > 0
  unless on (${DOMAIN}) (winkms:host:domain * on (${HOST}) group_left () winkms:host:stopping_causes)
)
or (
  max by (${DOMAIN}) (${known('winkms_srv_lookup_success')}) == 0
  unless on (${DOMAIN}) winkms:host:domain
)`,
    for: '10m',
    keepFiringFor: '10m',
    summary: 'No KMS host serves {{ $labels.domain }}.',
    description: `Clients of the domain cannot activate. Hosts:${hostsOfDomain} start with the one that is quickest to mend.`,
  },
  {
    ...notServing,
    when: 'no other host serves a domain of this one',
    severity: 'critical',
    expr: `${unexplained} unless on (${HOST}) winkms:host:others_serving > 0`,
    description: `No other host is known to serve its clients. ${why}`,
  },
  {
    ...notServing,
    when: 'other hosts serve all its domains',
    severity: 'warning',
    expr: `(${unexplained}) and on (${HOST}) winkms:host:others_serving > 0`,
    description: `Other hosts serve its domains meanwhile. ${why}`,
  },
  {
    runbook: 'srv_inconsistent',
    severity: 'warning',
    scope: 'domain',
    // Where it is a host's own cause that one resolver lacks it, that is the alert.
    expr: `max by (${DOMAIN}) (${known('winkms_srv_consistent')}) == 0
unless on (${DOMAIN}) (winkms:host:domain and on (${HOST}) winkms:cause:named{cause=~"srv_.+"} == 1)`,
    // Replication takes its time, and hosts publish once a day.
    for: '1h',
    keepFiringFor: '10m',
    summary: 'Resolvers disagree on _vlmcs._tcp.{{ $labels.domain }}.',
    description:
      'Which KMS hosts a client finds depends on the resolver that it asks: {{ range printf "winkms_srv_records{domain=%q}" $labels.domain | query | sortByLabel "resolver" }}{{ .Labels.resolver }} has {{ .Value }} records; {{ end }}compare them with `nslookup -type=srv _vlmcs._tcp.{{ $labels.domain }} RESOLVER`.',
  },
  {
    runbook: 'srv_unexpected_target',
    severity: 'warning',
    scope: 'domain',
    // What is stale is its own host's cause.
    expr: `${finding('finding="unexpected_target"', DOMAIN)}
> on (${DOMAIN}) (
  count by (${DOMAIN}) (winkms:host:domain and on (${HOST}) winkms:cause:named{cause="srv_stale"} == 1)
  or 0 * ${finding('finding="unexpected_target"', DOMAIN)}
)`,
    for: '1h',
    keepFiringFor: '10m',
    summary: '_vlmcs._tcp.{{ $labels.domain }} names a host that nobody expects.',
    description:
      'It is rogue, or new and not in domains[].expect yet. Clients may ask it: its count takes from that of the others. The status page and `nslookup -type=srv _vlmcs._tcp.{{ $labels.domain }}` name it.',
  },
  {
    runbook: 'srv_incorrect',
    severity: 'warning',
    scope: 'domain',
    expr: `${finding(`finding=~"${FINDINGS}"`, `finding, ${DOMAIN}`)} > 0`,
    for: '1h',
    keepFiringFor: '10m',
    summary: '_vlmcs._tcp.{{ $labels.domain }} is wrong: {{ $labels.finding }}.',
    description:
      'Records differ from what the configuration expects, or from what RFC 2782 allows. At: {{ range printf "winkms_srv_findings{domain=%q,finding=%q} > 0" $labels.domain $labels.finding | query | sortByLabel "resolver" }}{{ .Labels.resolver }} {{ end }}.',
  },
]

export const domains: Group = { name: 'winkms-domains', rules }
