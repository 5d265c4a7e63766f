// That the soak runs, and that it would notice: a minute of it over a hundred hosts, and each of its checks on what it is
// there to find. The long one is soak.long.test.ts.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { residentsOf } from '../bench/soak/estate.ts'
import { label, read } from '../bench/soak/exposition.ts'
import { judge, JUDGED_FAMILIES, type Truth } from '../bench/soak/judge.ts'
import { slopeOf } from '../bench/soak/process.ts'
import { problemsOf, summaryOf, type Summary } from '../bench/soak/result.ts'
import { followRuns, RUN_FAMILIES } from '../bench/soak/runs.ts'
import { scriptOf } from '../bench/soak/script.ts'
import { WAYS } from '../src/lab/breakages.ts'
import { build } from './e2e/built.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SECONDS = 240

it(
  'a minute over a hundred hosts: what is said of them is true, and no run is lost',
  async () => {
    await build()
    const folder = await mkdtemp(join(tmpdir(), 'winkms-soak-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const args = ['bench/run.js', 'soak', '100', '1', folder]
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
      cwd: ROOT,
      timeout: SECONDS * 1000,
    }).catch(async (error: unknown) => {
      const evidence = await readFile(join(folder, 'evidence.jsonl'), 'utf8').catch(() => '')
      throw new Error(`${String((error as { stdout?: string }).stdout)}\n${evidence}`, { cause: error })
    })
    expect(stdout).toMatch(/^soak: passed$/m)
    expect(stderr).toBe('')
    expect(await readFile(join(folder, 'soak.svg'), 'utf8')).toContain('told wrongly')
  },
  (SECONDS + 60) * 1000,
)

describe('the script', () => {
  const residents = residentsOf(2000)
  const options = { seed: 1, seconds: 1800, grace: 60 }
  const script = scriptOf(residents, options)

  it('is the same for the same seed, and another for another', () => {
    expect(scriptOf(residents, options)).toEqual(script)
    expect(scriptOf(residents, { ...options, seed: 2 })).not.toEqual(script)
  })

  it('breaks in every way, between 5 and 10 % at once, and each host once at a time', () => {
    const broken = new Map<string, number>()
    const ways = new Set<string>()
    let [least, most] = [Infinity, 0]
    for (const { atSeconds, act } of script) {
      const name = `${act.resident.label}.${act.resident.domain}`
      if (act.kind === 'break') {
        expect(broken.has(name)).toBe(false)
        broken.set(name, atSeconds)
        ways.add(act.how)
      }
      if (act.kind === 'repair') {
        expect(atSeconds - (broken.get(name) ?? Infinity)).toBeGreaterThan(60)
        broken.delete(name)
      }
      if (atSeconds > 120) [least, most] = [Math.min(least, broken.size), Math.max(most, broken.size)]
    }
    expect(ways).toEqual(new Set(WAYS))
    expect(least).toBeGreaterThanOrEqual(90)
    expect(most).toBeLessThanOrEqual(200)
    expect(script.filter(({ act }) => act.kind === 'forget').length).toBeGreaterThan(5)
  })
})

describe('the judge', () => {
  const scrape = (serving: number | undefined, causes: Readonly<Record<string, number>>): string =>
    [
      'winkms_host_info{host="a",port="1688",discovered="0",wave="1"} 1',
      ...(serving === undefined ? [] : [`winkms_host_serving{host="a"} ${serving}`]),
      ...Object.entries(causes).map(
        ([cause, value]) => `winkms_diagnosis{host="a",cause="${cause}"} ${value}`,
      ),
      '',
    ].join('\n')
  const said = (text: string, truth: Partial<Truth>): readonly string[] => {
    const healthy = { causes: [], sinceSeconds: -Infinity, askedSinceSeconds: -Infinity, watched: true }
    return judge(read(text, JUDGED_FAMILIES), new Map([['a', { ...healthy, ...truth }]]), {
      atSeconds: 100,
      grace: 60,
    }).complaints.map(({ verdict, says }) => `${verdict} ${says}`)
  }
  const stopped = { causes: ['service_stopped'] } as const

  it.each([
    ['a healthy host that serves', scrape(1, { port_blocked: 0 }), {}, []],
    ['a broken one, told so', scrape(0, { service_stopped: 1 }), stopped, []],
    [
      'one healthy and blamed',
      scrape(0, { port_blocked: 1 }),
      {},
      ['wrong named: port_blocked', 'wrong serving: 0'],
    ],
    ['the same, asked anew', scrape(0, {}), { askedSinceSeconds: 90 }, ['wrong serving: 0']],
    ['one broken a moment ago', scrape(1, { service_stopped: 0 }), { ...stopped, sinceSeconds: 50 }, []],
    ['one that is being broken', scrape(1, {}), { ...stopped, sinceSeconds: Infinity }, []],
    [
      'one broken long ago, and not told',
      scrape(1, { service_stopped: 0 }),
      stopped,
      ['wrong serving: 1', 'wrong ruled out: service_stopped'],
    ],
    [
      'one broken in another way',
      scrape(0, { port_blocked: 1 }),
      stopped,
      ['wrong named: port_blocked', 'unknown not told: service_stopped'],
    ],
    ['one of which nothing is known', scrape(undefined, {}), {}, ['unknown not told whether it serves']],
    ['one that is gone', '\n', {}, ['vanished nothing is said of it']],
    ['one that should be', scrape(1, {}), { watched: false }, ['stranger it should not be watched']],
  ] as const)('of %s', (_, text, truth, expected) => {
    expect(said(text, truth)).toEqual(expected)
  })

  it('knows a host that nobody has heard of', () => {
    const judgement = judge(read(scrape(1, {}), JUDGED_FAMILIES), new Map(), { atSeconds: 0, grace: 1 })
    expect(judgement.complaints).toMatchObject([{ verdict: 'stranger', host: 'a' }])
  })
})

describe('who follows the runs', () => {
  const at = (endedAt: number): string =>
    `winkms_probe_timestamp_seconds{host="a",probe="port"} ${endedAt}\nwinkms_probe_duration_seconds{host="a",probe="port"} 1\n`
  /** Scrapes every five seconds of a target that is asked every ten, its runs ending then. */
  const missing = (ends: readonly number[], until: number, excused = false): number => {
    const follower = followRuns({ port: 10 }, 1)
    let lost = 0
    for (let now = 5; now <= until; now += 5) {
      const last = ends.findLast((end) => end <= now)
      const seen = read(last === undefined ? '\n' : at(last), RUN_FAMILIES)
      lost += follower.follow(seen, now, () => excused).reduce((sum, { runs }) => sum + runs, 0)
    }
    return lost
  }

  it.each([
    ['one that comes every time', [3, 13, 23, 33], 35, 0],
    ['one that comes late and after half an interval', [3, 18, 23, 33], 35, 0],
    ['one that does not come once', [3, 13, 33], 35, 1],
    ['one that does not come any more', [3, 13], 45, 2],
  ] as const)('finds what is missing of %s', (_, ends, until, expected) => {
    expect(missing(ends, until)).toBe(expected)
    expect(missing(ends, until, true)).toBe(0)
  })

  it('finds nothing missing where it could not look: the scrape took so long that two runs ended meanwhile', () => {
    const follower = followRuns({ port: 10 }, 1)
    const seen = [at(3), at(23)].map((text, index) =>
      follower.follow(read(text, RUN_FAMILIES), 5 + 5 * index, () => false),
    )
    expect([seen, follower.blind]).toEqual([[[], []], 1])
  })

  it('knows that a run of all its time, before one of none, is seen only for what is left of the interval', () => {
    const follower = followRuns({ port: 10 }, 5)
    for (const began of [0, 5.5]) follower.follow(read('\n', RUN_FAMILIES), began, () => false)
    expect(follower.blind).toBe(1)
  })

  it('misses a target whose series are gone', () => {
    const follower = followRuns({ port: 10 }, 1)
    follower.follow(read(at(3), RUN_FAMILIES), 5, () => false)
    expect(follower.follow(read('\n', RUN_FAMILIES), 10, () => false)).toHaveLength(1)
  })
})

it('reads what the exporter writes, and labels whose names end alike', () => {
  const seen = read('# HELP a b\na{xhost="1",host="2"} 3\na{host="4"} 5.5\nb 6\n# EOF\n', ['a', 'b', 'c'])
  expect([...(seen.get('a') ?? [])]).toEqual([
    ['xhost="1",host="2"', 3],
    ['host="4"', 5.5],
  ])
  expect([seen.get('b')?.get(''), seen.get('c')?.size]).toEqual([6, 0])
  expect([label('xhost="1",host="2"', 'host'), label('host="4"', 'host'), label('a="1"', 'host')]).toEqual([
    '2',
    '4',
    undefined,
  ])
})

it('tells what grows from what comes and goes', () => {
  const points = (value: (minute: number) => number) =>
    Array.from({ length: 60 }, (_, minute) => [minute, value(minute)] as const)
  expect(slopeOf(points((minute) => 100 + 2 * minute + (minute % 2)))).toBeCloseTo(2, 1)
  expect(slopeOf(points((minute) => 100 + 20 * (minute % 2)))).toBeCloseTo(0, 0)
})

describe('the result', () => {
  const counted = { begun: 0, ended: 0, skipped: 0, inFlight: 0, ownFaults: 0, lateBySecond: 0 }
  const sample = (minute: number, grown: number) => ({
    atSeconds: 60 * minute,
    rssBytes: 3e8 + grown,
    liveBytes: 5e7 + grown,
    handles: 200,
    descriptors: { socket: 100 + (minute % 7) },
    heldUpMilliseconds: 20,
    labHeldUpSeconds: 0.02,
    scrapeSeconds: 0.2,
    broken: 100,
    wrong: 0,
    unknown: 0,
    strained: false,
  })
  const result = (grownAMinute: number, more: Partial<Summary> = {}): readonly string[] =>
    problemsOf({
      ...summaryOf({
        hosts: 2000,
        minutes: 90,
        seed: 1,
        samples: Array.from({ length: 91 }, (_, minute) => sample(minute, grownAMinute * minute)),
        latencies: [17],
        tally: { complaints: new Map(), missing: 0, reloads: 89, lostReloads: 0, pages: 9, badPages: 0 },
        acts: 9000,
        totals: { scrapes: 1080, judged: 2e6, owed: 1e6, targets: 4600, blind: 0, strained: 0 },
        counted: { first: counted, last: { ...counted, begun: 1e6, ended: 1e6 } },
        cpuPercent: 30,
        labCpuPercent: 20,
      }),
      ...more,
    })

  it.each([
    ['nothing where all is well', 0, {}, []],
    ['memory that grows', 1e6, {}, ['live_kilobytes_a_minute', 'rss_kilobytes_a_minute']],
    ['runs that never began', 0, { runs: 9.9e5 }, ['runs']],
    ['the same that were skipped', 0, { runs: 9.9e5, skipped: 1e4 }, []],
    ['one wrong word in millions', 0, { wrong: 1 }, ['wrong']],
    ['a lost reload', 0, { lost_reloads: 1 }, ['lost_reloads']],
    ['a soak of nothing', 0, { judgements: 0 }, ['judgements']],
  ] as const)('complains of %s', (_, grown, more, expected) => {
    expect(result(grown, more).map((problem) => problem.replace(/:.*/, ''))).toEqual(expected)
  })
})
