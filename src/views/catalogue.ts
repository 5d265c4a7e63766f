// Every family that the exporter can expose, gathered from the declarations: probes, every run, diagnosis, domains.
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import { CAUSE_NAMES } from '../diagnosis/causes.ts'
import { CLOCK_LIMIT_SECONDS } from '../kms/thresholds.ts'
import { REASONS } from '../model/failure.ts'
import { halfWidth, midpoint } from '../model/interval.ts'
import { emitState, type Family, type Metric } from '../model/metric.ts'
import type { Result } from '../model/result.ts'
import { probes } from '../probes/index.ts'
import { serviceStateFamily } from '../probes/service.ts'
import { SERVICE_STATES } from '../probes/windows-facts.ts'

/** What every run says, whatever was asked. Identity labels (host; or domain and resolver; or reference) come first. */
export const runMetrics: readonly Metric<unknown, Result>[] = [
  {
    name: 'winkms_probe_success',
    type: 'gauge',
    help: 'Whether the question was answered, be it badly (a stopped sppsvc or an NXDOMAIN is an answer).',
    labels: ['host', 'probe'],
    samples: ({ probe, failure }, emit) => emit(failure === undefined, probe),
  },
  {
    name: 'winkms_probe_failure_info',
    type: 'gauge',
    help: `Why it was not answered: present, as 1, only meanwhile. Reasons: ${REASONS.join(', ')}.`,
    labels: ['host', 'probe', 'stage', 'reason'],
    samples: ({ probe, failure }, emit) => {
      if (failure !== undefined) emit(1, probe, failure.stage, failure.reason)
    },
  },
  {
    name: 'winkms_probe_duration_seconds',
    type: 'gauge',
    help: 'How long the last run took.',
    labels: ['host', 'probe'],
    samples: ({ probe, durationSeconds }, emit) => emit(durationSeconds, probe),
  },
  {
    name: 'winkms_probe_stage_seconds',
    type: 'gauge',
    help: 'How long each stage of the last run took.',
    labels: ['host', 'probe', 'stage'],
    samples: ({ probe, stages }, emit) => {
      for (const { stage, seconds } of stages) emit(seconds, probe, stage)
    },
  },
  {
    name: 'winkms_probe_timestamp_seconds',
    type: 'gauge',
    help: 'When the last run ended, Unix time.',
    labels: ['host', 'probe'],
    samples: ({ probe, endedAtSeconds }, emit) => emit(endedAtSeconds, probe),
  },
]

/** Metrics of `runMetrics` for a target whose identity is not `host`. */
export function runMetricsFor(identity: readonly string[]): readonly Metric<unknown, Result>[] {
  return runMetrics.map((metric) => ({ ...metric, labels: [...identity, ...metric.labels.slice(1)] }))
}

export const diagnosisMetrics: readonly Metric<unknown, Diagnosis>[] = [
  {
    name: 'winkms_host_serving',
    type: 'gauge',
    help: "Whether every known precondition of a client's activation holds; absent when that cannot be told.",
    labels: ['host'],
    samples: ({ serving }, emit) => emit(serving),
  },
  {
    name: 'winkms_diagnosis',
    type: 'gauge',
    help: `1 when the evidence names this cause, 0 when it rules it out, absent when it cannot be told. Causes: ${CAUSE_NAMES.join(', ')}.`,
    labels: ['host', 'cause'],
    samples: ({ findings }, emit) => {
      for (const { cause, verdict } of findings) if (verdict !== 'unknown') emit(verdict === 'named', cause)
    },
  },
  {
    name: 'winkms_diagnosis_client_error_info',
    type: 'gauge',
    help: 'The error that clients show for a named cause; always 1.',
    labels: ['host', 'cause', 'code'],
    samples: ({ clientErrors }, emit) => {
      for (const { cause, code } of clientErrors) emit(1, cause, code)
    },
  },
  {
    name: 'winkms_host_domain_info',
    type: 'gauge',
    help: 'A watched domain that expects the host, whose SRV records name it, or that the host is told to publish itself in; always 1. For joins.',
    labels: ['host', 'domain'],
    samples: ({ domains }, emit) => {
      for (const domain of domains) emit(1, domain)
    },
  },
  {
    ...serviceStateFamily,
    samples: ({ service: { state, source } }, emit) => {
      // What Windows itself says is exported by the service probe.
      if (source === 'inferred') emitState(emit, SERVICE_STATES, state, source)
    },
  },
  {
    name: 'winkms_clock_drift_seconds',
    type: 'gauge',
    help: "Best estimate of the host's clock minus true time over the sources that agree, corrected by the references where there are any; positive when the host is ahead.",
    labels: ['host'],
    samples: ({ drift }, emit) => emit(drift && midpoint(drift)),
  },
  {
    name: 'winkms_clock_drift_uncertainty_seconds',
    type: 'gauge',
    help: 'Half the width of the interval in which the drift lies.',
    labels: ['host'],
    samples: ({ drift }, emit) => emit(drift && halfWidth(drift)),
  },
  {
    name: 'winkms_clock_source_agrees',
    type: 'gauge',
    help: 'Whether a source agrees with the majority (1) or not (0); absent when there is no majority.',
    labels: ['host', 'source'],
    samples: ({ clockSources }, emit) => {
      for (const { source, agrees } of clockSources) emit(agrees, source)
    },
  },
  {
    name: 'winkms_forecast_clients',
    type: 'gauge',
    help: 'What the count of the host comes to in 23 days, when it has forgotten all clients that have not asked for 7 days, unless they come back; absent unless the event log is known to have been read over more than 7 days, without a loss.',
    labels: ['host'],
    samples: ({ forecastClients }, emit) => emit(forecastClients),
  },
]

export interface DomainSummary {
  /** undefined unless at least two resolvers answered. */
  readonly consistent: boolean | undefined
}

export const domainMetrics: readonly Metric<unknown, DomainSummary>[] = [
  {
    name: 'winkms_srv_consistent',
    type: 'gauge',
    help: 'Whether all resolvers that answer give the same SRV records; absent unless two answer.',
    labels: ['domain'],
    samples: ({ consistent }, emit) => emit(consistent),
  },
]

export const constantMetrics: readonly Metric<unknown, null>[] = [
  {
    name: 'winkms_clock_drift_limit_seconds',
    type: 'gauge',
    help: 'Beyond this drift KMS answers 0xC004F06C (KB 974998).',
    labels: [],
    samples: (_, emit) => emit(CLOCK_LIMIT_SECONDS),
  },
]

/** Its further labels are the host's own, from the configuration. */
export const hostInfoFamily: Family = {
  name: 'winkms_host_info',
  type: 'gauge',
  help: 'A watched host with the labels that the configuration gives it; always 1. `discovered` is 1 for a host that only SRV records name.',
  labels: ['host', 'port', 'discovered'],
}

/** As `winkms_host_info`, for canaries. */
export const clientInfoFamily: Family = {
  name: 'winkms_client_info',
  type: 'gauge',
  help: 'A canary client with the labels that the configuration gives it; always 1.',
  labels: ['client'],
}

export interface Section {
  readonly title: string
  readonly families: readonly Family[]
}

/** Diagnosis' metrics by what they are about. */
function diagnosisFamilies(...names: readonly string[]): readonly Family[] {
  return diagnosisMetrics.filter(({ name }) => names.includes(name))
}

export const SECTIONS: readonly Section[] = [
  {
    title: 'Diagnosis: the answer',
    families: diagnosisFamilies(
      'winkms_host_serving',
      'winkms_diagnosis',
      'winkms_diagnosis_client_error_info',
      'winkms_host_domain_info',
    ),
  },
  { title: 'Every probe', families: [...runMetrics, hostInfoFamily] },
  { title: `port: ${probes.port.question}`, families: probes.port.metrics },
  { title: `srv: ${probes.srv.question}`, families: [...probes.srv.metrics, ...domainMetrics] },
  { title: `service: ${probes.service.question}`, families: probes.service.metrics },
  {
    title: `clock: ${probes.clock.question}`,
    families: [
      ...probes.clock.metrics,
      ...diagnosisFamilies(
        'winkms_clock_drift_seconds',
        'winkms_clock_drift_uncertainty_seconds',
        'winkms_clock_source_agrees',
      ),
      ...constantMetrics,
    ],
  },
  { title: `reference: ${probes.reference.question}`, families: probes.reference.metrics },
  { title: `licensing: ${probes.licensing.question}`, families: probes.licensing.metrics },
  {
    title: `activity: ${probes.activity.question}`,
    families: [...probes.activity.metrics, ...diagnosisFamilies('winkms_forecast_clients')],
  },
  { title: `client: ${probes.client.question}`, families: [...probes.client.metrics, clientInfoFamily] },
]

/** Each family once, though several probes may add to it. */
export const FAMILIES: readonly Family[] = [
  ...new Map(SECTIONS.flatMap(({ families }) => families).map((family) => [family.name, family])).values(),
]
