// One host: the decision tree over time, and what was measured to decide it.
import { rowOf } from '../../src/diagnosis/causes.ts'
import { LEVELS } from '../../src/kms/levels.ts'
import { dashboard } from './frame.ts'
import { EXPORTER_PAGES, toRunbook } from './links.ts'
import {
  beyond,
  CANNOT_TELL,
  GOOD,
  BAD,
  PLAIN,
  SERVING_WORDS,
  STATE_WORDS,
  UNKNOWN,
  VERDICT_WORDS,
  WARNING,
  words,
  YES_NO,
} from './look.ts'
import { lines, painted, stat, timeline, type Query } from './panels.ts'
import { BY_URGENCY, THIS_HOST, least, series, serviceState, verdict, worst } from './query.ts'
import { table } from './table.ts'

/** Without a gap: what is not there cannot be told. */
function orUnknown(vector: string): string {
  return `${vector} or vector(-1)`
}

const verdicts = BY_URGENCY.map((cause): Query => ({ expr: verdict(cause), legend: rowOf(cause).title }))

const DRIFT = series('winkms_clock_drift_seconds', THIS_HOST)
const UNCERTAINTY = series('winkms_clock_drift_uncertainty_seconds', THIS_HOST)
const DOMAINS = worst('domain', 'winkms_host_domain_info', THIS_HOST)

/** For each resolver of the host's domains: 1 where its answer names the host, 0 where not, -1 where there is no answer. */
const NAMED_BY_SRV = [
  worst('domain, resolver', 'winkms_srv_record_info', 'target=~"$host"'),
  `(0 * ${worst('domain, resolver', 'winkms_srv_records')} * on (domain) group_left () ${DOMAINS})`,
  `(0 * ${worst('domain, resolver', 'winkms_probe_success', 'probe="srv"')} * on (domain) group_left () ${DOMAINS} - 1)`,
].join(' or ')

const glance = [
  stat({
    id: 1,
    title: 'Does it serve now?',
    description: 'Whether every known precondition of an activation holds at this host.',
    width: 4,
    height: 4,
    unit: 'none',
    mappings: SERVING_WORDS,
    queries: [{ expr: least('host', 'winkms_host_serving', THIS_HOST), legend: '{{host}}' }],
  }),
  stat({
    id: 2,
    title: 'sppsvc',
    description: 'State of the Software Protection service, from Windows itself or inferred from the port.',
    width: 4,
    height: 4,
    unit: 'none',
    mappings: STATE_WORDS,
    queries: [{ expr: serviceState('host', THIS_HOST), legend: '{{host}}' }],
  }),
  stat({
    id: 3,
    title: 'Drift',
    description:
      "The host's clock minus true time; positive when the host is ahead. KMS refuses requests that are more than four hours off.",
    width: 4,
    height: 4,
    unit: 's',
    decimals: 1,
    thresholds: beyond(LEVELS.driftSeconds),
    queries: [{ expr: `avg by (host) (${DRIFT})`, legend: '{{host}}' }],
  }),
  table({
    id: 4,
    title: 'Named causes',
    description: 'What the evidence names now, with the error that clients show. Each links to its runbook.',
    width: 12,
    height: 4,
    nothing: 'No cause is named.',
    sort: ['Cause'],
    queries: [
      { expr: `${worst('cause', 'winkms_diagnosis', THIS_HOST)} == 1` },
      { expr: worst('cause, code', 'winkms_diagnosis_client_error_info', THIS_HOST) },
    ],
    columns: [
      { title: 'Cause', of: 'cause', links: [toRunbook('${__value.raw}')] },
      { title: 'Clients show', of: 'code', width: 140 },
    ],
  }),
  timeline({
    id: 5,
    title: 'Does it serve, by where it is seen from?',
    description:
      'What the exporters of each vantage point say: a host that serves from one place and not from another is blocked on the way.',
    width: 24,
    height: 4,
    unit: 'none',
    mappings: SERVING_WORDS,
    queries: [{ expr: least('vantage', 'winkms_host_serving', THIS_HOST), legend: '{{vantage}}' }],
  }),
]

const tree = [
  timeline({
    id: 11,
    title: 'Serving over time',
    description: 'Serving, not serving, or nobody can tell.',
    width: 24,
    height: 3,
    unit: 'none',
    mappings: SERVING_WORDS,
    queries: [{ expr: orUnknown(`min(${series('winkms_host_serving', THIS_HOST)})`), legend: 'serving' }],
  }),
  timeline({
    id: 12,
    title: 'The decision tree over time',
    description:
      'One row for each cause, in the order in which a client meets it, those that stop the service first. Grey: cannot be told, for which most often something has to be read from Windows itself.',
    width: 24,
    height: 15,
    unit: 'none',
    mappings: VERDICT_WORDS,
    links: [toRunbook('${__field.labels.cause}')],
    queries: verdicts,
  }),
]

const service = [
  timeline({
    id: 21,
    title: 'State of sppsvc',
    description:
      'The Software Protection service over time. "unknown" is what Windows says; "cannot tell" that nobody has said anything.',
    width: 24,
    height: 3,
    unit: 'none',
    mappings: STATE_WORDS,
    queries: [{ expr: orUnknown(`max(${serviceState('host', THIS_HOST)})`), legend: 'sppsvc' }],
  }),
  timeline({
    id: 22,
    title: 'Does the KMS interface accept a bind?',
    description:
      'For each address: whether the KMS RPC interface, and not just any, accepted a bind. Cannot be told while the port is not open.',
    width: 12,
    height: 6,
    unit: 'none',
    mappings: YES_NO,
    queries: [
      {
        expr: `${least('address', 'winkms_rpc_bound', THIS_HOST)} or on (address) (0 * ${least('address', 'winkms_port_open', THIS_HOST)} - 1)`,
        legend: '{{address}}',
      },
    ],
  }),
  timeline({
    id: 23,
    title: 'Do SRV records name it?',
    description: "For each resolver of the host's domains: whether its answer names the host.",
    width: 12,
    height: 6,
    unit: 'none',
    mappings: words({ 1: ['named', GOOD], 0: ['not named', BAD], '-1': CANNOT_TELL }),
    queries: [{ expr: NAMED_BY_SRV, legend: '{{domain}} by {{resolver}}' }],
  }),
]

const measured = [
  lines({
    id: 31,
    title: 'Time to connect and to bind',
    description:
      'For each address: from SYN to connected, and from the RPC bind to its answer. Of several exporters, the slower.',
    width: 12,
    height: 8,
    unit: 's',
    min: 0,
    queries: [
      {
        expr: worst('address', 'winkms_port_connect_duration_seconds', THIS_HOST),
        legend: 'connect {{address}}',
      },
      { expr: worst('address', 'winkms_rpc_bind_duration_seconds', THIS_HOST), legend: 'bind {{address}}' },
    ],
  }),
  lines({
    id: 32,
    title: 'Drift, with its uncertainty',
    description:
      "The host's clock minus true time. The true drift lies in the band. Lines are where the alerts are: Kerberos fails long before KMS refuses.",
    width: 12,
    height: 8,
    unit: 's',
    levels: true,
    thresholds: beyond(LEVELS.driftSeconds),
    queries: [
      {
        expr: `max(${DRIFT} + ${UNCERTAINTY})`,
        legend: 'at most',
        properties: [
          painted(PLAIN),
          { id: 'custom.lineWidth', value: 0 },
          { id: 'custom.fillBelowTo', value: 'at least' },
          { id: 'custom.fillOpacity', value: 30 },
        ],
      },
      {
        expr: `min(${DRIFT} - ${UNCERTAINTY})`,
        legend: 'at least',
        properties: [painted(PLAIN), { id: 'custom.lineWidth', value: 0 }],
      },
      {
        expr: `avg(${DRIFT})`,
        legend: 'drift',
        properties: [painted(PLAIN), { id: 'custom.lineWidth', value: 2 }],
      },
    ],
  }),
]

const asked = [
  timeline({
    id: 41,
    title: 'Were the questions answered?',
    description: 'For each probe of this host. A bad answer is an answer; without one, nothing can be told.',
    width: 12,
    height: 8,
    unit: 'none',
    mappings: words({ 1: ['answered', PLAIN], 0: ['no answer', WARNING] }, ['not asked', UNKNOWN]),
    queries: [{ expr: least('probe', 'winkms_probe_success', THIS_HOST), legend: '{{probe}}' }],
  }),
  table({
    id: 42,
    title: 'Why not, and how long ago',
    description:
      'The last run of each probe: when it ended, how long it took, and, unless it was answered, the stage and the reason.',
    width: 12,
    height: 8,
    sort: ['Probe'],
    queries: [
      { expr: `time() - ${worst('probe', 'winkms_probe_timestamp_seconds', THIS_HOST)}` },
      { expr: worst('probe', 'winkms_probe_duration_seconds', THIS_HOST) },
      {
        expr: `topk by (probe) (1, ${worst('probe, stage, reason', 'winkms_probe_failure_info', THIS_HOST)})`,
      },
    ],
    columns: [
      { title: 'Probe', of: 'probe' },
      { title: 'Ended', of: 0, unit: 's', decimals: 0, width: 100 },
      { title: 'Took', of: 1, unit: 's', width: 100 },
      { title: 'Stage', of: 'stage', width: 120 },
      { title: 'Reason', of: 'reason', paint: 'text', width: 200 },
    ],
  }),
]

export const host = dashboard({
  uid: 'winkms-host',
  title: 'KMS host',
  description: 'One KMS host: the decision tree over time, and what was measured to decide it.',
  choices: ['host'],
  since: 'now-6h',
  pages: [EXPORTER_PAGES.host, EXPORTER_PAGES.runbooks],
  sections: [
    { id: 101, title: 'Now', panels: glance },
    { id: 102, title: 'Diagnosis', panels: tree },
    { id: 103, title: 'Service and DNS', panels: service },
    { id: 104, title: 'Latency and clock', panels: measured },
    { id: 105, title: 'The questions', panels: asked },
  ],
})
