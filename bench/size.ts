// What size costs: start, memory, CPU at default schedules, and a scrape beside prom-client's.
// Usage: npm run bench:size [-- SIZES [SECONDS [PLOT.svg]]], sizes with commas; the largest is scraped beside prom-client.
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { freePort } from '../test/real/servers/ports.ts'
import { configOf } from './estate.ts'
import { growthSvg, type Growth } from './growth-plot.ts'
import { inDirectory, startResponder } from './peers.ts'
import { seriesIn, untilAllAsked } from './say.ts'
import { pause, startService, watch, type Service } from './service.ts'
import { medianOf, printTable, spread } from './table.ts'

const sizes = (process.argv[2] ?? '10,100,1000,10000').split(',').map(Number)
const seconds = Number(process.argv[3] ?? 60)
const plot = process.argv[4]
const ROUNDS = 5
const SCRAPES = 4

const { ports, stop } = await startResponder(resolve('dist/bench/responder.js'))

/** CPU milliseconds a scrape, and the longest time that the event loop was held up. */
async function scrapes(
  service: Service,
  encoding: 'gzip' | 'identity',
): Promise<{ readonly cpu: number; readonly held: number }> {
  await service.delay()
  const before = await service.cpuSeconds()
  for (let scrape = 0; scrape < SCRAPES; scrape += 1) await service.scrape(encoding)
  const cpu = ((await service.cpuSeconds()) - before) * 1000
  return { cpu: cpu / SCRAPES, held: (await service.delay()).most }
}

const rows: string[][] = []
const growth: Growth[] = []
for (const hosts of sizes) {
  await inDirectory(async (directory) => {
    const service = await startService(directory, configOf(hosts, ports, { healthy: true }))
    const asked = await untilAllAsked(service)
    // Half a minute in which everything settles.
    await pause(Math.min(30, seconds) * 1000)
    const before = await service.cpuSeconds()
    const began = performance.now()
    for (let part = 0; part < 4; part += 1) {
      await pause((seconds * 1000) / 4)
      await service.scrape()
    }
    const cpu = (await service.cpuSeconds()) - before
    const share = cpu / ((performance.now() - began) / 1000)
    const rssMegabytes = (await service.rssBytes()) / 1e6
    growth.push({ hosts, cpuPercent: 100 * share, rssMegabytes })
    rows.push([
      String(hosts),
      service.startSeconds.toFixed(2),
      asked.toFixed(1),
      rssMegabytes.toFixed(0),
      (100 * share).toFixed(2),
      ((1e6 * share) / hosts).toFixed(0),
    ])
    await service.stop()
  })
}
printTable(
  ['hosts', 'first /metrics s', 'all asked s', 'RSS MB', 'CPU % of a core', 'CPU us a host and second'],
  rows,
)

if (plot !== undefined) await writeFile(plot, growthSvg(growth))

const most = Math.max(...sizes)
await inDirectory(async (directory) => {
  const ours = await startService(directory, configOf(most, ports, { healthy: true, once: true }))
  await untilAllAsked(ours)
  const { text } = await ours.scrape('identity')
  const page = join(directory, 'page.txt')
  await writeFile(page, text)
  const port = await freePort()
  const theirs = await watch(directory, [resolve('dist/bench/prom-client.js'), page, String(port)], port)
  const figures = { ours: [] as number[], gzip: [] as number[], theirs: [] as number[] }
  const held = { ours: [] as number[], gzip: [] as number[], theirs: [] as number[] }
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [who, service, encoding] of [
      ['ours', ours, 'identity'],
      ['gzip', ours, 'gzip'],
      ['theirs', theirs, 'identity'],
    ] as const) {
      const { cpu, held: longest } = await scrapes(service, encoding)
      // The first round warms up.
      if (round === 0) continue
      figures[who].push(cpu)
      held[who].push(longest)
    }
  }
  process.stdout.write(
    `/metrics of ${most} hosts, ${seriesIn(text)} series, ${(text.length / 1e6).toFixed(1)} MB; median (least to most) of ${ROUNDS} rounds of ${SCRAPES}\n`,
  )
  printTable(
    ['who', 'CPU ms a scrape', 'longest block ms', 'of prom-client'],
    (['ours', 'gzip', 'theirs'] as const).map((who) => [
      { ours: 'ours', gzip: 'ours, gzip (on other threads)', theirs: 'prom-client' }[who],
      spread(figures[who]),
      spread(held[who]),
      `1/${(medianOf(figures.theirs) / medianOf(figures[who])).toFixed(0)}`,
    ]),
  )
  await Promise.all([ours.stop(), theirs.stop()])
})
stop()
