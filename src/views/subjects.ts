// The lines of each kind of subject: a result, a diagnosis, a host.
import type { Client, Host } from '../config/targets.ts'
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import type { Task } from '../engine/plan.ts'
import type { Metric } from '../model/metric.ts'
import type { Result } from '../model/result.ts'
import { clientInfoFamily, diagnosisMetrics, hostInfoFamily, runMetricsFor } from './catalogue.ts'
import { sampleLine, writeLines, type Lines } from './lines.ts'

const runMetricsOf = new Map<string, readonly Metric<unknown, Result>[]>()

/** What the run says, and what the reading says where there is one. */
export function linesOfResult({ probe, target }: Task, result: Result): Lines {
  let own = runMetricsOf.get(probe.name)
  if (own === undefined) runMetricsOf.set(probe.name, (own = runMetricsFor(probe.identity)))
  const lines = writeLines(own, result, target, target.labels)
  if (result.failure !== undefined) return lines
  return writeLines(probe.metrics, result.reading, target, target.labels, lines)
}

export function linesOfDiagnosis(diagnosis: Diagnosis): Lines {
  return writeLines(diagnosisMetrics, diagnosis, diagnosis, { host: diagnosis.host.name })
}

export function linesOfHost({ name, port, discovered, labels }: Host): Lines {
  const own = { host: name, port: String(port), discovered: discovered ? '1' : '0', ...labels }
  return new Map([[hostInfoFamily.name, sampleLine(hostInfoFamily.name, own, 1)]])
}

export function linesOfClient({ name, labels }: Client): Lines {
  const own = { client: name, ...labels }
  return new Map([[clientInfoFamily.name, sampleLine(clientInfoFamily.name, own, 1)]])
}
