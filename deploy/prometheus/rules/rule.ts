// What a rule is, before it is YAML; and the words that all rules have in common.
import { alertNameOf, type RunbookName } from '../../../src/runbooks/names.ts'

export interface RecordingRule {
  readonly record: string
  readonly expr: string
}

export type Severity = 'critical' | 'warning'
export type Scope = 'host' | 'domain' | 'client' | 'exporter'

export interface AlertRule {
  readonly runbook: RunbookName
  /** Of several rules of one alert: what tells this one from the others, for docs/alerts.md. */
  readonly when?: string
  readonly severity: Severity
  readonly scope: Scope
  readonly cause?: string
  readonly expr: string
  /** Prometheus' durations: `5m`. */
  readonly for: string
  readonly keepFiringFor?: string
  /** One short sentence; no number that changes while it fires. */
  readonly summary: string
  readonly description: string
}

export interface Group {
  readonly name: string
  readonly rules: readonly (RecordingRule | AlertRule)[]
}

/** Who is meant, whatever exporter says so: `vantage` is a label that users may put on exporters. */
export const HOST = 'host, vantage'
export const DOMAIN = 'domain, vantage'
export const CLIENT = 'client, vantage'
export const EXPORTER = 'job, instance, vantage'

/**
 * A failed scrape ends no alert: what was said within five minutes before it still stands. What an exporter that is scraped
 * does not say any more is not known any more.
 */
export function known(selector: string): string {
  return `(${selector} or last_over_time(${selector}[5m]) unless on (job, instance) winkms_exporter_build_info)`
}

/** The result of a request that was answered well. */
export const SUCCESS = '0x00000000'

/** `http://exporter:11688/runbooks/service_stopped`, by what the exporter says of itself. */
export function runbookUrl(runbook: RunbookName): string {
  return `{{ with query "winkms_exporter_external_url_info" }}{{ . | first | label "url" }}{{ end }}/runbooks/${runbook}`
}

/** A text of the diagnosis table, its names filled in when the alert fires. */
export function fillInLater(text: string): string {
  const ask = (family: string, label: string, otherwise: string): string =>
    `{{ with printf "${family}{host=%q}" $labels.host | query }}{{ . | first | label "${label}" }}{{ else }}${otherwise}{{ end }}`
  return text
    .replaceAll('{host}', '{{ $labels.host }}')
    .replaceAll('{port}', ask('winkms_host_info', 'port', '1688'))
    .replaceAll('{domain}', ask('winkms_host_domain_info', 'domain', 'DOMAIN'))
}

/**
 * From where it is seen, where that is told: by a label of the exporter, or by one that the Prometheus puts on all its
 * alerts. What the text looks up is of the same place.
 */
function seenFrom({ summary, description }: AlertRule): Pick<AlertRule, 'summary' | 'description'> {
  const place = '{{ with or $labels.vantage $externalLabels.vantage }}, seen from {{ . }}{{ end }}.'
  const ofPlace = (whole: string, begin: string, end: string, values: string): string =>
    begin.includes('vantage=')
      ? whole
      : `printf "${begin},vantage=%q}${end}" ${values} $labels.vantage | query`
  return {
    summary: summary.replace(/\.$/, () => place),
    description: description.replaceAll(/printf "([^"}]*)\}([^"]*)" ([^|]*?) \| query/g, ofPlace),
  }
}

/** As it stands in the file of rules. */
export function ruleYaml(rule: RecordingRule | AlertRule): object {
  if ('record' in rule) return { record: rule.record, expr: rule.expr }
  const { runbook, severity, scope, cause, expr, keepFiringFor } = rule
  const { summary, description } = seenFrom(rule)
  return {
    alert: alertNameOf(runbook),
    expr,
    for: rule.for,
    ...(keepFiringFor && { keep_firing_for: keepFiringFor }),
    labels: { severity, scope, ...(cause && { cause }) },
    annotations: { summary, description, runbook_url: runbookUrl(runbook) },
  }
}
