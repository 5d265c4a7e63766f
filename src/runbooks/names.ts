// What there is a runbook for: every cause, and everything else that an alert can wake somebody for. An alert, its
// runbook's file and its page share one name: WinkmsServiceStopped, docs/runbooks/service_stopped.md,
// /runbooks/service_stopped.
import { CAUSE_NAMES, type Cause } from '../diagnosis/causes.ts'

const OTHERS = [
  // An estate, or a host whose cause nobody knows.
  'domain_not_served',
  'host_not_serving',
  'srv_inconsistent',
  'srv_unexpected_target',
  'srv_incorrect',
  // What becomes a cause if nobody acts.
  'drift_high',
  'count_near_threshold',
  'count_forecast_low',
  'host_idle',
  'client_expiry',
  'requests_failing',
  'dns_publishing_failed',
  'canary_failing',
  'event_log_losing',
  // The watch itself.
  'exporter_down',
  'shard_missing',
  'probe_stale',
  'probe_unanswered',
  'runs_skipped',
  'replicas_disagree',
  'config_reload_failed',
  'storage_failing',
] as const

export type RunbookName = Cause | (typeof OTHERS)[number]

export const RUNBOOK_NAMES: readonly RunbookName[] = [...CAUSE_NAMES, ...OTHERS]

/** `service_stopped`: WinkmsServiceStopped. */
export function alertNameOf(name: RunbookName): string {
  const words = name.split('_').map((word) => word.charAt(0).toUpperCase() + word.slice(1))
  return `Winkms${words.join('')}`
}
