// What the exporter says of itself on /metrics.
import { pause, type Service } from './service.ts'

export function seriesIn(text: string): number {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length
}

/** The sum over all series of a name whose labels match. */
export function sum(text: string, series: RegExp): number {
  let total = 0
  for (const line of text.split('\n'))
    if (series.test(line)) total += Number(line.slice(line.lastIndexOf(' ')))
  return total
}

/** Runs that began within a second of their time, and all of them. */
export function lagsOf(text: string): { readonly inTime: number; readonly all: number } {
  return {
    inTime: sum(text, /^winkms_exporter_schedule_lag_seconds_bucket\{.*le="1(\.0)?"/),
    all: sum(text, /^winkms_exporter_schedule_lag_seconds_count/),
  }
}

/** Seconds until everything has been asked once. */
export async function untilAllAsked(service: Service): Promise<number> {
  const began = performance.now()
  for (;;) {
    const { text } = await service.scrape('identity')
    const asked = sum(text, /^winkms_exporter_probes_total/)
    const wanted = sum(text, /^winkms_exporter_targets/)
    if (asked >= wanted) return (performance.now() - began) / 1000
    await pause(250)
  }
}
