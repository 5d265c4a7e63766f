// What a check costs, in CPU of the process that makes it, beside blackbox_exporter and beside the kernel alone (a loop in
// C), in turn within one run. Usage: npm run bench [-- CHECKS [ROUNDS]]
import { fileURLToPath } from 'node:url'
import { createCalendar } from '../src/engine/calendar.ts'
import { systemClock } from '../src/io/clock.ts'
import { createOurs } from './ours.ts'
import {
  BLACKBOX_PROBES,
  buildLimit,
  inDirectory,
  startBlackbox,
  startResponder,
  type Check,
} from './peers.ts'
import { medianOf, printTable, spread } from './table.ts'

const checks = Number(process.argv[2] ?? 3000)
const rounds = Number(process.argv[3] ?? 5)
const AT_ONCE = 32
const HOSTS_A_SECOND = 667
/** More than are checked within the quarter of a second in which lookups are shared. */
const HOSTS = Math.min(10_000, checks * 3)

const { ports, stop } = await startResponder(fileURLToPath(new URL('responder.js', import.meta.url)))

type Many = (count: number, work: () => Promise<unknown>) => Promise<void>

/**
 * So many, begun by `start` one by one, yet at most `AT_ONCE` at a time: after a pause the responder's socket would drop what it
 * has no room for.
 */
function bounded(start: (count: number, begin: () => void) => void): Many {
  return (count, work) =>
    new Promise((resolve, reject) => {
      let due = 0
      let inFlight = 0
      let ended = 0
      const go = (): void => {
        for (; due > 0 && inFlight < AT_ONCE; due -= 1) {
          inFlight += 1
          work().then(() => {
            inFlight -= 1
            ended += 1
            if (ended === count) resolve()
            else go()
          }, reject)
        }
      }
      start(count, () => {
        due += 1
        go()
      })
    })
}

/** As fast as they end. */
const flood = bounded((count, begin) => {
  for (let index = 0; index < count; index += 1) begin()
})

/** Each a moment after the last, as Prometheus asks. */
const paceEvenly = bounded((count, begin) => {
  const start = performance.now()
  let begun = 0
  const ticking = setInterval(() => {
    const due = Math.min(count, Math.ceil(((performance.now() - start) * HOSTS_A_SECOND) / 1000))
    for (; begun < due; begun += 1) begin()
    if (begun === count) clearInterval(ticking)
  }, 1)
})

/** Each a moment after the last, as this exporter's own calendar has them begun. */
const paceByCalendar = bounded((count, begin) => {
  const start = systemClock.monotonicSeconds()
  let begun = 0
  const calendar = createCalendar(systemClock, () => {
    begin()
    begun += 1
    if (begun < count) return
    clearInterval(ticking)
    calendar.stop()
  })
  const ticking = setInterval(() => calendar.tick(), 1000)
  for (let index = 0; index < count; index += 1) calendar.put(index, start + index / HOSTS_A_SECOND)
})

function ownCpu(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

await inDirectory(async (directory) => {
  const limit = await buildLimit(directory, ports)
  const blackbox = await startBlackbox(directory, ports)
  const ours = createOurs(ports, HOSTS)
  const figures = new Map<string, number[]>()
  const note = (name: string, value: number): void =>
    void figures.set(name, [...(figures.get(name) ?? []), value])

  async function measureOurs(check: Check, many: Many, count = checks): Promise<number> {
    const before = ownCpu()
    await many(count, () => ours.check(check))
    return (ownCpu() - before) / count
  }
  async function measureBlackbox(check: Check, many: Many, count: number): Promise<number | undefined> {
    if (blackbox === undefined) return undefined
    const before = await blackbox.cpuMicroseconds()
    await many(count, async () => {
      for (const module of BLACKBOX_PROBES[check]) await blackbox.probe(module)
    })
    return ((await blackbox.cpuMicroseconds()) - before) / count
  }

  for (let round = 0; round <= rounds; round += 1) {
    const take = (name: string, value: number | undefined): void => {
      // The first round warms up.
      if (round > 0 && value !== undefined) note(name, value)
    }
    for (const check of ['port', 'srv', 'host'] as const) {
      take(`${check} ours`, await measureOurs(check, flood))
      take(`${check} c`, await limit(check, checks, AT_ONCE))
      take(`${check} blackbox`, await measureBlackbox(check, flood, Math.ceil(checks / 3)))
    }
    take('paced ours', await measureOurs('host', paceByCalendar))
    take('paced blackbox', await measureBlackbox('host', paceEvenly, Math.ceil(checks / 3)))
  }

  const row = (
    what: string,
    name: string,
    base: string,
    goal: Record<'blackbox' | 'c', number | undefined>,
  ) => {
    const own = figures.get(`${name} ours`) ?? []
    const against = (peer: 'blackbox' | 'c', from: string): string => {
      const theirs = figures.get(`${from} ${peer}`)
      if (theirs === undefined) return 'not measured'
      const ratio = medianOf(own) / medianOf(theirs)
      const wanted = goal[peer]
      return `${ratio.toFixed(3)}${wanted === undefined ? '' : ` (goal ${wanted.toFixed(3)})`}`
    }
    return [
      what,
      spread(own),
      spread(figures.get(`${name} blackbox`)),
      spread(figures.get(`${base} c`)),
      against('blackbox', name),
      against('c', base),
    ]
  }
  process.stdout.write(
    `CPU of the process, microseconds a check: median (least to most) of ${rounds} rounds of ${checks}\n`,
  )
  printTable(
    ['check', 'ours', 'blackbox_exporter', 'C', 'ours / blackbox', 'ours / C'],
    [
      row('port', 'port', 'port', { blackbox: 1 / 4, c: 2.2 }),
      row('srv (3 queries)', 'srv', 'srv', { blackbox: 1 / 12, c: undefined }),
      row('host, saturated', 'host', 'host', { blackbox: 1 / 5, c: 3.5 }),
      row(`host, ${HOSTS_A_SECOND} a second`, 'paced', 'host', { blackbox: 1 / 5, c: undefined }),
    ],
  )
  if (blackbox === undefined)
    process.stdout.write('blackbox_exporter is not installed (Debian: prometheus-blackbox-exporter)\n')
  if (ours.failed() > 0) {
    process.stdout.write(
      `${ours.failed()} of our checks failed: the machine is too busy for these figures to count\n`,
    )
    process.exitCode = 1
  }
  ours.close()
  await blackbox?.stop()
})
stop()
