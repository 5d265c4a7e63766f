// Whom most probes ask: a host, under its own name.
import type { Host } from '../config/targets.ts'
import type { Target } from '../model/target.ts'

export interface HostTarget extends Target {
  readonly host: Host
}

export function hostTarget(host: Host, probe: keyof Host['probes']): HostTarget {
  const { schedule, timeout } = host.probes[probe]
  return {
    key: host.name,
    labels: { host: host.name },
    schedule,
    timeoutSeconds: timeout,
    group: host.name,
    host,
  }
}
