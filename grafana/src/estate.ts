// Which hosts serve, why the others do not, and whether DNS leads clients to them.
import { LEVELS } from '../../src/kms/levels.ts'
import { dashboard, ALL_ALERTS } from './frame.ts'
import { EXPORTER_PAGES, toHost, toPage, toRunbook, toRunbooks } from './links.ts'
import {
  BAD,
  beyond,
  CAUSE_COLORS,
  CAUSE_WORDS,
  COUNT_WORDS,
  from,
  GOOD,
  LICENSE_WORDS,
  PLAIN,
  plain,
  SERVING_WORDS,
  STATE_WORDS,
  UNKNOWN,
  WARNING,
  words,
  YES_NO,
} from './look.ts'
import { bars, lines, painted, stat, timeline } from './panels.ts'
import {
  BY_URGENCY,
  CHOSEN,
  countOrFull,
  firstCause,
  firstError,
  here,
  HOSTS,
  least,
  series,
  serviceState,
  worst,
} from './query.ts'
import { table } from './table.ts'

const SERVING = least('host', 'winkms_host_serving', CHOSEN)
const NAMED = here(worst('host, cause', 'winkms_diagnosis', CHOSEN))
const IN_DOMAIN = 'domain=~"$domain"'
const UNTOLD = `(count(${HOSTS} unless on (host) ${SERVING}) or 0 * count(${HOSTS}))`
const TOLD = `(${least('host', 'winkms_host_serving')} or 0 * ${worst('host', 'winkms_host_info')} + 0.5)`
/** One series each domain, as the alert has it: 0 when none of its hosts serves, or it has none, and no record either. */
const DOMAIN_SERVED = `(max by (domain) (${worst('host, domain', 'winkms_host_domain_info', IN_DOMAIN)} * on (host) group_left () ${TOLD}) or ${worst('domain', 'winkms_srv_lookup_success', IN_DOMAIN)})`
const ALERTS_FIRING = `ALERTS{${ALL_ALERTS},alertstate="firing"}`

const glance = [
  stat({
    id: 1,
    title: 'Serving',
    description: 'Hosts at which every known precondition of an activation holds.',
    width: 4,
    height: 4,
    unit: 'none',
    queries: [{ expr: `sum(${here(SERVING)})` }],
  }),
  stat({
    id: 2,
    title: 'Not serving',
    description: 'Hosts at which clients cannot activate.',
    width: 4,
    height: 4,
    unit: 'none',
    thresholds: from(1, BAD),
    queries: [{ expr: `sum(1 - (${here(SERVING)}))` }],
  }),
  stat({
    id: 3,
    title: 'Cannot tell',
    description: 'Hosts of which nobody can say whether they serve: no answer yet, or none that tells.',
    width: 4,
    height: 4,
    unit: 'none',
    thresholds: from(1, WARNING),
    queries: [{ expr: UNTOLD }],
  }),
  stat({
    id: 4,
    title: 'Domains without a host',
    description:
      'Watched domains of which no KMS host serves, or that have none and no record either. One with a host of which nobody can tell does not count.',
    width: 4,
    height: 4,
    unit: 'none',
    thresholds: from(1, BAD),
    queries: [{ expr: `count(${DOMAIN_SERVED} == 0) or 0 * count(${DOMAIN_SERVED})` }],
  }),
  stat({
    id: 5,
    title: 'Wrong SRV answers',
    description: 'Resolvers that give a wrong answer for _vlmcs._tcp, counted once for each domain.',
    width: 4,
    height: 4,
    unit: 'none',
    thresholds: from(1, BAD),
    queries: [{ expr: `sum(1 - ${least('domain, resolver', 'winkms_srv_correct', IN_DOMAIN)})` }],
  }),
  stat({
    id: 6,
    title: 'Alerts firing',
    description:
      'Alerts of winkms.rules.yml that fire now. None is seen either when all is well or when Prometheus has not loaded the rules.',
    width: 4,
    height: 4,
    unit: 'none',
    thresholds: from(1, BAD),
    nothing: 'none seen',
    mappings: words({}, ['none seen', UNKNOWN]),
    queries: [{ expr: `count(${ALERTS_FIRING})` }],
  }),
]

const hosts = table({
  id: 11,
  title: 'Hosts',
  description:
    'Every watched host, one row each however many exporters watch it. The cause is the first that a client meets; "causes" says how many are named. The count is the smallest among its products, and "full" where all have reached their limit and say no more.',
  width: 24,
  height: 15,
  sort: ['Serving', 'Host'],
  queries: [
    {
      expr: `topk by (host) (1, max by (host, site) (${series('winkms_host_info', CHOSEN, 'site=~"$site"')}))`,
    },
    { expr: here(SERVING) },
    { expr: here(firstCause(CHOSEN)) },
    { expr: `sum by (host) (${NAMED})` },
    { expr: here(firstError(CHOSEN)) },
    { expr: here(serviceState('host', CHOSEN)) },
    { expr: here(`avg by (host) (${series('winkms_clock_drift_seconds', CHOSEN)})`) },
    { expr: here(`min by (host) ${countOrFull('host, product', CHOSEN)}`) },
  ],
  columns: [
    { title: 'Host', of: 'host', width: 230, links: [toHost('${__value.raw}'), toPage('${__value.raw}')] },
    { title: 'Serving', of: 1, width: 110, paint: 'cell', mappings: SERVING_WORDS },
    {
      title: 'Cause',
      of: 'cause',
      paint: 'text',
      mappings: CAUSE_WORDS,
      links: [toRunbook('${__value.raw}')],
    },
    { title: 'Causes', of: 3, width: 80, mappings: words({ 0: ['none', PLAIN] }) },
    { title: 'Clients show', of: 'code', width: 120 },
    { title: 'Site', of: 'site', width: 100 },
    { title: 'sppsvc', of: 5, width: 120, paint: 'text', mappings: STATE_WORDS },
    {
      title: 'Drift',
      of: 6,
      width: 110,
      unit: 's',
      decimals: 1,
      paint: 'text',
      thresholds: beyond(LEVELS.driftSeconds),
    },
    { title: 'Count', of: 7, width: 90, paint: 'text', mappings: COUNT_WORDS },
  ],
})

const overTime = [
  lines({
    id: 21,
    title: 'Hosts by what is known of them',
    description: 'How many serve, do not serve, and cannot be told about.',
    width: 12,
    height: 8,
    unit: 'none',
    decimals: 0,
    stacked: true,
    min: 0,
    queries: [
      { expr: `sum(1 - (${here(SERVING)}))`, legend: 'not serving', properties: [painted(BAD)] },
      { expr: UNTOLD, legend: 'cannot tell', properties: [painted(UNKNOWN)] },
      { expr: `sum(${here(SERVING)})`, legend: 'serving', properties: [painted(GOOD)] },
    ],
  }),
  lines({
    id: 22,
    title: 'Named causes over time',
    description: 'Hosts at which the evidence names a cause. A host may have several.',
    width: 12,
    height: 8,
    unit: 'none',
    decimals: 0,
    stacked: true,
    min: 0,
    nothing: 'no cause is named',
    named: Object.fromEntries(
      BY_URGENCY.map((cause, index) => [cause, [painted(CAUSE_COLORS[index] ?? BAD)]]),
    ),
    links: [toRunbook('${__field.labels.cause}')],
    queries: [{ expr: `sum by (cause) (${NAMED}) > 0`, legend: '{{cause}}' }],
  }),
  bars({
    id: 23,
    title: 'Named causes now',
    description: 'Hosts for each named cause. Each bar links to the runbook.',
    width: 12,
    height: 13,
    unit: 'none',
    thresholds: from(1, BAD),
    nothing: 'no cause is named',
    mappings: words({}, ['no cause is named', UNKNOWN]),
    links: [toRunbook('${__field.labels.cause}')],
    queries: [{ expr: `sort_desc(sum by (cause) (${NAMED}) > 0)`, legend: '{{cause}}' }],
  }),
  table({
    id: 24,
    title: 'Alerts firing or pending',
    description:
      'From Prometheus, once winkms.rules.yml is loaded. Pending alerts have not lasted long enough yet.',
    width: 12,
    height: 13,
    nothing: 'No alert is seen. If the rules are loaded, none fires.',
    sort: ['State', 'Alert'],
    queries: [{ expr: `ALERTS{${ALL_ALERTS},alertstate=~"firing|pending"}` }],
    columns: [
      { title: 'Alert', of: 'alertname', links: [toRunbooks()] },
      {
        title: 'State',
        of: 'alertstate',
        width: 90,
        paint: 'text',
        mappings: words({ firing: ['firing', BAD], pending: ['pending', WARNING] }),
      },
      { title: 'Severity', of: 'severity', width: 90 },
      { title: 'Host', of: 'host', width: 200, links: [toHost('${__value.raw}')] },
      { title: 'Domain', of: 'domain', width: 130 },
      { title: 'Vantage', of: 'vantage', width: 100 },
    ],
  }),
  table({
    id: 25,
    title: 'Named causes, by where they are seen from',
    description:
      'Each named cause of each host, once for each vantage point that names it: what is blocked from one place only is seen here. Without a label "vantage" on exporters, the column is empty.',
    width: 24,
    height: 8,
    nothing: 'No cause is named.',
    sort: ['Host', 'Cause', 'Vantage'],
    queries: [{ expr: here(`${worst('host, cause, vantage', 'winkms_diagnosis', CHOSEN)} == 1`) }],
    columns: [
      { title: 'Host', of: 'host', width: 300, links: [toHost('${__value.raw}')] },
      {
        title: 'Cause',
        of: 'cause',
        paint: 'text',
        mappings: CAUSE_WORDS,
        links: [toRunbook('${__value.raw}')],
      },
      { title: 'Vantage', of: 'vantage' },
    ],
  }),
]

const srv = [
  table({
    id: 31,
    title: 'SRV answers',
    description:
      'What each resolver says for _vlmcs._tcp of each domain: whether it is right, how many records, what is wrong with them, and the error of clients that find no host.',
    width: 16,
    height: 9,
    sort: ['Correct', 'Domain'],
    queries: [
      { expr: least('domain, resolver', 'winkms_probe_success', 'probe="srv"', IN_DOMAIN) },
      { expr: least('domain, resolver', 'winkms_srv_correct', IN_DOMAIN) },
      { expr: worst('domain, resolver', 'winkms_srv_records', IN_DOMAIN) },
      {
        expr: `sum by (domain, resolver) (${worst('domain, resolver, finding', 'winkms_srv_findings', IN_DOMAIN)})`,
      },
      {
        expr: `topk by (domain, resolver) (1, ${worst('domain, resolver, finding', 'winkms_srv_findings', IN_DOMAIN)} > 0)`,
      },
      {
        expr: `topk by (domain, resolver) (1, ${worst('domain, resolver, code', 'winkms_srv_client_error_info', IN_DOMAIN)})`,
      },
    ],
    columns: [
      { title: 'Domain', of: 'domain' },
      { title: 'Resolver', of: 'resolver' },
      {
        title: 'Answered',
        of: 0,
        width: 90,
        paint: 'text',
        mappings: words({ 1: ['yes', GOOD], 0: ['no', WARNING] }),
      },
      { title: 'Correct', of: 1, width: 90, paint: 'cell', mappings: YES_NO },
      { title: 'Records', of: 2, width: 80 },
      { title: 'Findings', of: 3, width: 80 },
      { title: 'Above all', of: 'finding', width: 170 },
      { title: 'Clients show', of: 'code', width: 120 },
    ],
  }),
  timeline({
    id: 32,
    title: 'Do the resolvers agree?',
    description:
      'Whether all resolvers of a domain give the same SRV records. Nothing can be told unless two answer.',
    width: 8,
    height: 9,
    unit: 'none',
    mappings: words({ 1: ['agree', GOOD], 0: ['differ', BAD], '-1': ['cannot tell', UNKNOWN] }),
    queries: [
      {
        expr: `${least('domain', 'winkms_srv_consistent', IN_DOMAIN)} or on (domain) (0 * ${least('domain', 'winkms_probe_success', 'probe="srv"', IN_DOMAIN)} - 1)`,
        legend: '{{domain}}',
      },
    ],
  }),
]

const canaries = table({
  id: 41,
  title: 'Canary clients',
  description:
    'Whether activation works from a seat in the estate: by what Windows on these clients says of itself.',
  width: 24,
  height: 7,
  nothing: 'No canary client is configured, or none has been asked.',
  sort: ['Client'],
  queries: [
    { expr: least('client', 'winkms_probe_success', 'client!=""') },
    { expr: `topk by (client) (1, ${worst('client, status', 'winkms_client_license_status')} == 1)` },
    { expr: `topk by (client) (1, ${worst('client, code', 'winkms_client_last_activation_result_info')})` },
    { expr: `topk by (client) (1, ${worst('client, host, discovered_by', 'winkms_client_kms_info')})` },
    { expr: least('client', 'winkms_client_grace_seconds') },
    { expr: `time() - ${worst('client', 'winkms_client_last_activation_timestamp_seconds')}` },
  ],
  columns: [
    { title: 'Client', of: 'client' },
    {
      title: 'Answered',
      of: 0,
      width: 90,
      paint: 'text',
      mappings: words({ 1: ['yes', GOOD], 0: ['no', WARNING] }),
    },
    { title: 'Licence', of: 'status', width: 150, paint: 'cell', mappings: LICENSE_WORDS },
    {
      title: 'Last attempt',
      of: 'code',
      width: 150,
      paint: 'text',
      thresholds: plain(BAD),
      mappings: words({
        '0x00000000': ['success', GOOD],
        no_answer: ['no answer', BAD],
        not_activated: ['not activated', BAD],
      }),
    },
    { title: 'Tried', of: 5, width: 130, unit: 's', decimals: 0 },
    { title: 'Asks', of: 'host', links: [toHost('${__value.raw}')] },
    { title: 'Found by', of: 'discovered_by', width: 140 },
    { title: 'Licence lasts', of: 4, width: 140, unit: 's', decimals: 0 },
  ],
})

export const estate = dashboard({
  uid: 'winkms-estate',
  title: 'KMS estate',
  description: 'Which KMS hosts serve, why the others do not, and whether DNS leads clients to them.',
  choices: ['site', 'domain', 'hosts'],
  since: 'now-6h',
  pages: [EXPORTER_PAGES.status, EXPORTER_PAGES.runbooks],
  sections: [
    { id: 101, title: 'At a glance', panels: [...glance, hosts] },
    { id: 102, title: 'Causes and alerts', panels: overTime },
    { id: 103, title: 'DNS', panels: srv },
    { id: 104, title: 'From a client’s seat', panels: [canaries] },
  ],
})
