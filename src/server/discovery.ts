// Service discovery for Prometheus (http_sd): who wants Prometheus to drive `/probe`, or to scrape the hosts'
// windows_exporter, needs no second list of hosts.
import type { Estate } from '../config/targets.ts'

export interface TargetGroup {
  readonly targets: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

/** For relabelling into `__param_target` of `/probe`. */
export function hostTargets({ hosts }: Estate): readonly TargetGroup[] {
  return hosts.map(({ name, port, discovered, labels }) => ({
    targets: [name],
    labels: {
      __meta_winkms_port: String(port),
      __meta_winkms_discovered: String(discovered),
      ...Object.fromEntries(
        Object.entries(labels).map(([label, value]) => [`__meta_winkms_label_${label}`, value]),
      ),
    },
  }))
}

/** The windows_exporters of the configured hosts, as scrape targets. */
export function windowsExporterTargets({ hosts }: Estate): readonly TargetGroup[] {
  return hosts.flatMap(({ name, windows }) => {
    if (windows?.via !== 'windows_exporter') return []
    const url = new URL(windows.url)
    const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port
    const labels = {
      __scheme__: url.protocol.slice(0, -1),
      __metrics_path__: url.pathname,
      __meta_winkms_host: name,
    }
    return [{ targets: [`${url.hostname}:${port}`], labels }]
  })
}
