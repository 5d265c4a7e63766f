// The dashboards as JSON, for scripts/docs.ts: laid out as prettier would, and the same at each run.
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { format } from 'prettier'
import { activity } from '../grafana/src/activity.ts'
import { capacity } from '../grafana/src/capacity.ts'
import { estate } from '../grafana/src/estate.ts'
import { exporter } from '../grafana/src/exporter.ts'
import { host } from '../grafana/src/host.ts'

export const DASHBOARDS: readonly Dashboard[] = [estate, host, capacity, activity, exporter]

/** Path to text. `id` is null, as Grafana wants it of what it has to create. */
export async function dashboardFiles(): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const dashboard of DASHBOARDS) {
    const text = JSON.stringify({ id: null, ...dashboard })
    files[`grafana/dashboards/${dashboard.uid}.json`] = await format(text, {
      parser: 'json',
      printWidth: 110,
    })
  }
  return files
}
