// What one row of the tables of company is, and the words that they have in common.
import type { Samples } from './play.ts'
import type { Said, Value } from './rule-scenes.ts'

export interface Company {
  readonly what: string
  readonly alert: string
  /** What the first exporter says, and what the other. */
  readonly one: readonly Said[]
  readonly two?: readonly Said[]
  /** Series of somebody else, with all their labels. */
  readonly besides?: Readonly<Record<string, Samples>>
  /** In minutes; 90 and 1 unless told. */
  readonly at?: number
  readonly step?: number
  /** `critical a`: severity, about whom, and from where. */
  readonly expected: readonly string[]
}

export const DAY = 86_400
export const DAY_MINUTES = 1_440

export const says = (series: string, value: Value = 1): Said => ({ series, sick: value })
export const serving = (host: string, value: Value): Said =>
  says(`winkms_host_serving{host="${host}"}`, value)
export const inDomain = (host: string, domain = 'd.example'): Said =>
  says(`winkms_host_domain_info{host="${host}",domain="${domain}"}`)
export const known = (host: string, serves: Value): readonly Said[] => [serving(host, serves), inDomain(host)]
export const cause = (host: string, name: string, value: Value = 1): Said =>
  says(`winkms_diagnosis{host="${host}",cause="${name}"}`, value)
export const from = (vantage: string, said: readonly Said[]): readonly Said[] =>
  said.map((each) => ({ ...each, series: each.series.replace('{', `{vantage="${vantage}",`) }))

export const finding = (count: number, resolver = 'r1', kind = 'unexpected_target'): Said =>
  says(`winkms_srv_findings{domain="d.example",resolver="${resolver}",finding="${kind}"}`, count)
export const drifting = (uncertainty: number): readonly Said[] => [
  says('winkms_clock_drift_seconds{host="a"}', 4_000),
  says('winkms_clock_drift_uncertainty_seconds{host="a"}', uncertainty),
]
export const publishing = (success: Value): Said =>
  says('winkms_dns_publish_success{host="a",domain="d.example"}', success)
