// The whole service under load: hosts by the thousand at default schedules, one in five of them sick, scraped as Prometheus
// does. Usage: npm run bench:load [-- HOSTS [MINUTES]]
import { resolve } from 'node:path'
import { configOf } from './estate.ts'
import { inDirectory, startResponder } from './peers.ts'
import { lagsOf, seriesIn, sum, untilAllAsked } from './say.ts'
import { pause, startService } from './service.ts'
import { printTable } from './table.ts'

const hosts = Number(process.argv[2] ?? 10_000)
const minutes = Number(process.argv[3] ?? 15)
const SCRAPE_SECONDS = 15

function connectMilliseconds(text: string): readonly number[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('winkms_port_connect_duration_seconds{'))
    .map((line) => Number(line.slice(line.lastIndexOf(' '))) * 1000)
    .toSorted((a, b) => a - b)
}

const skippedOf = (text: string): number => sum(text, /^winkms_exporter_probes_skipped_total/)

const at = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN

const { ports, stop } = await startResponder(resolve('dist/bench/responder.js'))
await inDirectory(async (directory) => {
  const service = await startService(directory, configOf(hosts, ports))
  const asked = await untilAllAsked(service)
  process.stdout.write(
    `${hosts} hosts; first /metrics after ${service.startSeconds.toFixed(2)} s, everything asked once within ${asked.toFixed(1)} s more\n`,
  )
  // One whole minute, in which every schedule comes round.
  await pause(1000 * Math.min(60, minutes * 20))
  await service.delay()
  const rows: string[][] = []
  const first = await service.scrape('identity')
  let cpu = await service.cpuSeconds()
  let began = performance.now()
  const lagsBefore = lagsOf(first.text)
  const seriesBefore = seriesIn(first.text)
  const skippedBefore = skippedOf(first.text)
  const end = performance.now() + minutes * 60_000
  let worst = 0
  while (performance.now() < end) {
    const scrapes: number[] = []
    for (let scrape = 0; scrape < 4 && performance.now() < end; scrape += 1) {
      await pause(1000 * Math.min(SCRAPE_SECONDS, minutes * 60))
      scrapes.push((await service.scrape()).seconds)
    }
    const delay = await service.delay()
    worst = Math.max(worst, delay.p999)
    const now = performance.now()
    const cpuNow = await service.cpuSeconds()
    rows.push([
      ((now - end) / 60_000 + minutes).toFixed(1),
      ((100 * (cpuNow - cpu)) / ((now - began) / 1000)).toFixed(1),
      ((await service.rssBytes()) / 1e6).toFixed(0),
      String(await service.descriptors()),
      delay.p50.toFixed(2),
      delay.p99.toFixed(1),
      delay.p999.toFixed(1),
      delay.most.toFixed(0),
      (1000 * Math.max(...scrapes)).toFixed(0),
    ])
    process.stdout.write(`${rows.at(-1)?.join('  ')}\n`)
    cpu = cpuNow
    began = now
  }
  printTable(
    [
      'minute',
      'CPU %',
      'RSS MB',
      'descriptors',
      'loop delay ms: p50',
      'p99',
      'p99.9',
      'most',
      'slowest scrape ms',
    ],
    rows,
  )
  const last = await service.scrape('identity')
  const lags = lagsOf(last.text)
  const late = lags.all - lagsBefore.all - (lags.inTime - lagsBefore.inTime)
  const connects = connectMilliseconds(last.text)
  process.stdout
    .write(`runs: ${lags.all - lagsBefore.all}, of which more than 1 s late: ${late}; skipped: ${skippedOf(last.text) - skippedBefore} (${skippedBefore} while all was asked for the first time, and in the minute after)
series: ${seriesBefore} at first, ${seriesIn(last.text)} at last; /metrics of ${(last.bytes / 1e6).toFixed(1)} MB
connect time of hosts that answer: median ${at(connects, 0.5).toFixed(2)} ms, p99 ${at(connects, 0.99).toFixed(2)} ms
event loop held up, worst minute: p99.9 ${worst.toFixed(1)} ms
`)
  await service.stop()
})
stop()
