// The soak: the built exporter over an estate in which hosts break and are repaired by a script, reloaded every minute and
// scraped every few seconds. Is what it says true, is no run lost, and does what it holds stay flat?
// Usage: npm run bench:soak [-- HOSTS [MINUTES [FOLDER [RECORD]]]]; samples and evidence go into FOLDER, the summary and the
// plot into RECORD. A fourth of the intervals where it lasts less than three minutes.
import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { request } from 'undici'
import { nameOf } from '../src/lab/estate-config.ts'
import { freeNetwork } from '../test/e2e/built.ts'
import { cpuOf, inDirectory } from './peers.ts'
import { untilAllAsked } from './say.ts'
import { pause, startService } from './service.ts'
import { configOf, guestsOf, isGuestOf, isRelabelled, paceOf, residentsOf } from './soak/estate.ts'
import type { Resident } from '../src/lab/estate-hosts.ts'
import type { Complaint, Truth } from './soak/judge.ts'
import { problemsOf, record, summaryOf, type Tally } from './soak/result.ts'
import { scriptOf } from './soak/script.ts'
import { healthy, nowSeconds, play, startLab } from './soak/stage.ts'
import { createWatch, type Look, type Sample } from './soak/watch.ts'
import { printTable } from './table.ts'

const hosts = Number(process.argv[2] ?? 2000)
const minutes = Number(process.argv[3] ?? 90)
const folder = resolve(process.argv[4] ?? 'soak')
const recordIn = process.argv[5]
const SEED = 20_261_127
const MOST_EVIDENCE = 200
const MOST_EVIDENCE_A_LOOK = 10
const ROUTES = ['/', '/api/v1/hosts', '/sd/hosts', '/sd/windows_exporter', '/config', '/runbooks', '/-/ready']

const pace = paceOf(minutes < 3 ? 0.25 : 1)
const residents = residentsOf(hosts)
const relabelled = residents.filter((_, index) => isRelabelled(index))
const guests = guestsOf(hosts)
await mkdir(folder, { recursive: true })
const evidenceFile = join(folder, 'evidence.jsonl')
await writeFile(evidenceFile, '')

const samples: Sample[] = []
const latencies: number[] = []
const tally: Tally = { complaints: new Map(), missing: 0, reloads: 0, lostReloads: 0, pages: 0, badPages: 0 }
let evidence = 0
let reload = 0
/** Of a reload that the exporter has not confirmed yet. */
let sentAtUnixSeconds: number | undefined

const lab = await startLab(resolve('dist/bench/soak-lab.js'), { hosts, network: await freeNetwork() })

await inDirectory(async (directory) => {
  const file = join(directory, 'winkms.yml')
  const flags = [`--storage.path=${join(directory, 'data')}`]
  const service = await startService(directory, configOf(hosts, reload, pace, lab.addresses), flags)
  try {
    const asked = await untilAllAsked(service)
    process.stdout.write(`${hosts} hosts, everything asked once within ${asked.toFixed(1)} s\n`)
    // The first regular run comes up to one and a half intervals after the first of all.
    await pause(1500 * Math.max(...Object.values(pace.probes)))
    const truths = healthy([...residents, ...guests])
    welcomeGuests()
    const watch = createWatch({ service, lab, pace, truths })
    const first = await watch.look()
    const [cpu, labCpu] = [await service.cpuSeconds(), await cpuOf(lab.pid)]
    const began = nowSeconds()
    const end = began + 60 * minutes
    const acting = play(
      scriptOf(residents, { seed: SEED, seconds: 60 * minutes, grace: pace.grace }),
      lab,
      truths,
      began,
    )
    let last = first
    const right = new Map<string, number>()
    let nextReload = began + pace.reload
    let nextMinute = began + 60

    for (let turn = 1; nowSeconds() < end; turn += 1) {
      await Promise.race([pause(1000 * Math.max(0, began + turn * pace.scrape - nowSeconds())), acting.ended])
      last = await watch.look()
      await note(last)
      if (turn % 4 === 0) await browse(turn / 4)
      if (nowSeconds() > nextReload) {
        nextReload += pace.reload
        await sendReload()
      }
      if (nowSeconds() > nextMinute) {
        nextMinute += 60
        sayMinute(last)
      }
    }
    acting.stop()
    await acting.ended

    const seconds = nowSeconds() - began
    const summary = summaryOf({
      hosts,
      minutes: seconds / 60,
      seed: SEED,
      samples,
      latencies,
      tally,
      acts: acting.acts,
      totals: watch.totals,
      counted: { first: first.counted, last: last.counted },
      cpuPercent: (100 * ((await service.cpuSeconds()) - cpu)) / seconds,
      labCpuPercent: ((await cpuOf(lab.pid)) - labCpu) / 1e4 / seconds,
    })
    printTable(
      ['what', 'seen'],
      Object.entries(summary).map(([what, seen]) => [what, String(seen)]),
    )
    const problems = problemsOf(summary)
    await record({ summary, problems, samples, folder, recordIn })
    for (const problem of problems) process.stdout.write(`problem: ${problem}\n`)
    if (problems.length > 0) process.exitCode = 1
    process.stdout.write(problems.length === 0 ? 'soak: passed\n' : `soak: failed, see ${evidenceFile}\n`)

    /** What the look shows is counted; of what is wrong, all that can be had is kept. */
    async function note(look: Look): Promise<void> {
      samples.push(look.sample)
      for (const host of look.right) {
        const since = truths.get(host)?.sinceSeconds ?? -Infinity
        if (!Number.isFinite(since) || right.get(host) === since || acting.storyOf(host).length === 0)
          continue
        right.set(host, since)
        latencies.push(nowSeconds() - since)
      }
      for (const { verdict } of look.complaints)
        tally.complaints.set(verdict, (tally.complaints.get(verdict) ?? 0) + 1)
      for (const complaint of look.complaints.slice(0, MOST_EVIDENCE_A_LOOK)) await keep(complaint)
      for (const each of look.missing) {
        tally.missing += each.runs
        await write({ verdict: 'lost run', ...each, story: acting.storyOf(each.host) })
      }
      if (sentAtUnixSeconds !== undefined && look.reloadedAtUnixSeconds >= sentAtUnixSeconds) {
        sentAtUnixSeconds = undefined
        tally.reloads += 1
        welcomeGuests()
      }
      if (!look.reloadedWell) tally.lostReloads += 1
    }

    async function write(what: object): Promise<void> {
      if ((evidence += 1) > MOST_EVIDENCE) return
      await appendFile(evidenceFile, `${JSON.stringify({ at: new Date().toISOString(), ...what })}\n`)
    }

    async function keep(complaint: Complaint): Promise<void> {
      if (evidence >= MOST_EVIDENCE) return
      const { body } = await request(`${service.url}/api/v1/hosts/${complaint.host}`)
      await write({ ...complaint, story: acting.storyOf(complaint.host), api: await body.json() })
    }

    /** Pages, as people look at them, and by programs: in turn of any host and of a broken one. */
    async function browse(number: number): Promise<void> {
      const names = [...truths].flatMap(([host, { watched, causes }]) =>
        watched && (causes.length > 0 || number % 2 === 0) ? [host] : [],
      )
      const host = names[(number * 37) % names.length] ?? ''
      await askApi(host)
      for (const route of [ROUTES[number % ROUTES.length], `/hosts/${host}`]) {
        const { statusCode, body } = await request(`${service.url}${route}`)
        await body.dump({ limit: 2 ** 30 })
        tally.pages += 1
        if (statusCode !== 200) tally.badPages += 1
      }
    }

    /** What the API says of a host has to be what is true, as in the metrics. */
    async function askApi(host: string): Promise<void> {
      const truth = truths.get(host)
      if (truth === undefined) return
      const { causes, sinceSeconds, askedSinceSeconds } = truth
      const isSettled = nowSeconds() - Math.max(sinceSeconds, askedSinceSeconds) > pace.grace
      const { body } = await request(`${service.url}/api/v1/hosts/${host}`)
      const api = (await body.json()) as { readonly causes?: readonly string[] }
      if (!isSettled || last.sample.strained || truth.sinceSeconds !== sinceSeconds) return
      if (api.causes?.join() === causes.join()) return
      tally.complaints.set('wrong', (tally.complaints.get('wrong') ?? 0) + 1)
      await write({ verdict: 'wrong by the API', host, truth: causes, story: acting.storyOf(host), api })
    }

    async function sendReload(): Promise<void> {
      // The one before has not been confirmed.
      if (sentAtUnixSeconds !== undefined) tally.lostReloads += 1
      reload += 1
      await writeFile(file, configOf(hosts, reload, pace, lab.addresses))
      for (const resident of relabelled) truthOf(resident).askedSinceSeconds = Infinity
      for (const guest of guests)
        Object.assign(truthOf(guest), { sinceSeconds: Infinity, askedSinceSeconds: Infinity })
      sentAtUnixSeconds = Date.now() / 1000
      process.kill(service.pid, 'SIGHUP')
    }

    /** Whom the configuration now in force has. */
    function welcomeGuests(): void {
      const now = nowSeconds()
      for (const [index, guest] of guests.entries())
        Object.assign(truthOf(guest), {
          watched: isGuestOf(index, reload),
          sinceSeconds: now,
          askedSinceSeconds: now,
        })
      for (const resident of relabelled) truthOf(resident).askedSinceSeconds = now
    }

    function truthOf(resident: Resident): Truth {
      const truth = truths.get(nameOf(resident))
      if (truth === undefined) throw new Error(`nobody knows ${nameOf(resident)}`)
      return truth
    }

    function sayMinute({ sample, counted }: Look): void {
      const { broken, rssBytes, liveBytes, descriptors } = sample
      const open = Object.values(descriptors).reduce((sum, count) => sum + count, 0)
      process.stdout.write(
        `minute ${((nowSeconds() - began) / 60).toFixed(0)}: ${broken} broken, ${sumOf(samples, 'wrong')} wrong and ${sumOf(samples, 'unknown')} unknown of ${watch.totals.judged}, ${counted.ended} runs, ${tally.missing} lost, ${counted.skipped} skipped, ${watch.totals.strained} scrapes strained, RSS ${(rssBytes / 1e6).toFixed(0)} MB, live ${(liveBytes / 1e6).toFixed(1)} MB, ${open} descriptors\n`,
      )
    }
  } finally {
    await service.stop()
  }
})
lab.stop()

function sumOf(all: readonly Sample[], what: 'wrong' | 'unknown'): number {
  return all.reduce((sum, sample) => sum + sample[what], 0)
}
