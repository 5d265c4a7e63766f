// The lines of each kind of subject: a result, a diagnosis, a host.
import type { Client, Host } from '../config/targets.ts'
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import type { Task } from '../engine/plan.ts'
import type { Family, Metric } from '../model/metric.ts'
import type { Result } from '../model/result.ts'
import type { Labels } from '../model/target.ts'
import {
  clientInfoFamily,
  constantMetrics,
  diagnosisMetrics,
  domainMetrics,
  hostInfoFamily,
  runMetricsFor,
  type DomainSummary,
} from './catalogue.ts'
import type { Tell } from './lines.ts'

const runMetricsOf = new Map<string, readonly Metric<unknown, Result>[]>()

/** What the run says, and what the reading says where there is one. */
export function tellResult({ probe, target }: Task, result: Result): Tell {
  const own = runMetricsOf.get(probe.name) ?? runMetricsFor(probe.identity)
  runMetricsOf.set(probe.name, own)
  return (say) => {
    say(own, result, target, target.labels)
    if (result.failure === undefined) say(probe.metrics, result.reading, target, target.labels)
  }
}

const hostLabels = new WeakMap<Host, Labels>()

export function tellDiagnosis(diagnosis: Diagnosis): Tell {
  const { host } = diagnosis
  const labels = hostLabels.get(host) ?? { host: host.name }
  hostLabels.set(host, labels)
  return (say) => say(diagnosisMetrics, diagnosis, diagnosis, labels)
}

export function tellDomain(domain: string, summary: DomainSummary): Tell {
  return (say) => say(domainMetrics, summary, null, { domain })
}

export const tellConstants: Tell = (say) => say(constantMetrics, null, null, {})

export function tellHost({ name, port, discovered, labels }: Host): Tell {
  return tellInfo(hostInfoFamily, {
    host: name,
    port: String(port),
    discovered: discovered ? '1' : '0',
    ...labels,
  })
}

export function tellClient({ name, labels }: Client): Tell {
  return tellInfo(clientInfoFamily, { client: name, ...labels })
}

function tellInfo(family: Family, labels: Labels): Tell {
  const metric: Metric<null, null> = { ...family, samples: (_, emit) => emit(1) }
  return (say) => say([metric], null, null, labels)
}
