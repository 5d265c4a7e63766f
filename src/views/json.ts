// The snapshot for programs: `/api/v1/...` and `diagnose --json`. Described by docs/openapi.yaml.
import type { WindowsAccess } from '../config/targets.ts'
import { fillIn, rowOf } from '../diagnosis/causes.ts'
import type { Diagnosis } from '../diagnosis/diagnose.ts'
import { checkSrv, clientErrorOf } from '../kms/srv.ts'
import { halfWidth, midpoint } from '../model/interval.ts'
import type { Result } from '../model/result.ts'
import type { ResultOf } from '../probes/index.ts'
import { printable } from './printable.ts'
import type { ClientView, DomainView, HostView, Snapshot } from './snapshot.ts'

function time(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}

/** How Windows was asked; of the logon only its kind. */
function accessJson(access: WindowsAccess): object {
  if (access.via === 'local') return { via: access.via }
  return { via: access.via, url: access.url, auth: access.credential?.auth ?? null }
}

export function diagnosisJson(diagnosis: Diagnosis): object {
  const { host, serving, findings, service, drift, clockSources, clientErrors, domains, forecastClients } =
    diagnosis
  const facts = { host: host.name, port: host.port, domain: domains[0] }
  return plain({
    host: host.name,
    port: host.port,
    discovered: host.discovered,
    labels: host.labels,
    windows: host.windows === undefined ? null : accessJson(host.windows),
    serving: serving ?? null,
    causes: findings.filter(({ verdict }) => verdict === 'named').map(({ cause }) => cause),
    findings: findings.map((finding) => {
      const row = rowOf(finding.cause)
      return {
        cause: finding.cause,
        title: row.title,
        verdict: finding.verdict,
        ...(finding.missing === undefined ? {} : { cannot_tell_because: finding.missing }),
        ...(finding.warning === undefined ? {} : { warning: finding.warning }),
        for: finding.for.map(({ source, says, atSeconds }) => ({ source, says, at: time(atSeconds) })),
        against: finding.against.map(({ source, says, atSeconds }) => ({
          source,
          says,
          at: time(atSeconds),
        })),
        ...(finding.verdict === 'named'
          ? {
              client_error: clientErrors.find(({ cause }) => cause === finding.cause)?.code ?? null,
              remedy: fillIn(row.remedy, facts),
              command: fillIn(row.command, facts),
            }
          : {}),
      }
    }),
    service,
    clock:
      drift === undefined
        ? null
        : { drift_seconds: midpoint(drift), uncertainty_seconds: halfWidth(drift), sources: clockSources },
    forecast_clients: forecastClients ?? null,
  })
}

export function resultJson(result: Result): object {
  return plain({
    probe: result.probe,
    target: result.target.key,
    started_at: time(result.startedAtSeconds),
    ended_at: time(result.endedAtSeconds),
    duration_seconds: result.durationSeconds,
    stages: result.stages,
    ...(result.failure === undefined ? { reading: result.reading } : { failure: result.failure }),
  })
}

/** Maps become objects; everything else is plain data. Peers' text is for terminals too: `diagnose --json | less`. */
function plain(value: object): object
function plain(value: unknown): unknown
function plain(value: unknown): unknown {
  if (typeof value === 'string') return printable(value)
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, each]) => [printable(String(key)), plain(each)]))
  if (Array.isArray(value)) return value.map((each: unknown) => plain(each))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]))
}

export function hostJson({ diagnosis, sinceSeconds, results }: HostView): object {
  return { ...diagnosisJson(diagnosis), since: time(sinceSeconds), results: results.map(resultJson) }
}

function srvJson(result: ResultOf<'srv'>): object {
  const { reading, target } = result
  return plain({
    ...resultJson(result),
    ...(reading === undefined
      ? {}
      : { findings: checkSrv(reading, target.domain), client_error: clientErrorOf(reading) ?? null }),
  })
}

function domainJson({ name, consistent, results }: DomainView): object {
  return { domain: printable(name), consistent: consistent ?? null, resolvers: results.map(srvJson) }
}

function clientJson({ name, result }: ClientView): object {
  return { client: printable(name), last_run: result === undefined ? null : resultJson(result) }
}

export function hostsJson({ atSeconds, hosts, domains, clients, nothingFound }: Snapshot): object {
  return {
    at: time(atSeconds),
    hosts: hosts.map(({ diagnosis, sinceSeconds }) => ({
      host: printable(diagnosis.host.name),
      port: diagnosis.host.port,
      discovered: diagnosis.host.discovered,
      serving: diagnosis.serving ?? null,
      since: time(sinceSeconds),
      causes: diagnosis.findings.filter(({ verdict }) => verdict === 'named').map(({ cause }) => cause),
    })),
    domains: domains.map(domainJson),
    clients: clients.map(clientJson),
    nothing_found: nothingFound ?? null,
  }
}
