// The built demo, as a person would run it: every simulated host's cause, and no other, on /metrics and by `diagnose`.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fillIn, rowOf, type Cause } from '../../src/diagnosis/causes.ts'
import { RESIDENTS } from '../../src/lab/estate-hosts.ts'
import { freePort } from '../real/servers/ports.ts'
import { build, causesByHost, freeNetwork, get, run, samplesOf, start, until, type Running } from './built.ts'

/** The least that an idle machine takes is 4 s: what is filtered takes its timeout. */
const FIRST_ROUND_SECONDS = 10
/** On top of that, for a machine that is busy with other tests. */
const PATIENCE_SECONDS = 20
const END_SECONDS = 5

const HOSTS = RESIDENTS.map(({ label, domain, cause }) => ({
  name: `${label}.${domain}`,
  cause: cause as Cause | null,
  serves: cause === null || !rowOf(cause as Cause).stopsService,
}))
const EXPECTED = Object.fromEntries(HOSTS.map(({ name, cause }) => [name, cause === null ? [] : [cause]]))

interface Demo extends Running {
  readonly network: string
  readonly port: number
  readonly url: string
  readonly startedAt: number
}

async function startDemo(...flags: readonly string[]): Promise<Demo> {
  const [network, port] = [await freeNetwork(), await freePort()]
  const startedAt = performance.now()
  const running = start([
    'demo',
    `--demo.network=${network}`,
    `--web.listen-address=127.0.0.1:${port}`,
    ...flags,
  ])
  return { ...running, network, port, url: `http://127.0.0.1:${port}`, startedAt }
}

/** Resolves with the exposition once it is `complete`; every one on the way goes to `look`. */
async function metricsOnce(
  demo: Demo,
  complete: (text: string) => boolean,
  look: (text: string) => void = () => {},
): Promise<string> {
  let last = ''
  return until(
    FIRST_ROUND_SECONDS + PATIENCE_SECONDS,
    () => `complete metrics of the demo\n${last}\n${demo.err()}`,
    async () => {
      const answer = await get(`${demo.url}/metrics`)
      if (answer === undefined) return undefined
      look((last = answer.body))
      return complete(answer.body) ? answer.body : undefined
    },
  )
}

const isExpected = (text: string): boolean =>
  JSON.stringify(sorted(causesByHost(text))) === JSON.stringify(sorted(EXPECTED))

function sorted<T>(record: Readonly<Record<string, T>>): readonly (readonly [string, T])[] {
  return Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1))
}

let folder: string
let configFile: string
let demo: Demo
let aheadDemo: Demo
beforeAll(async () => {
  await build()
  folder = await mkdtemp(join(tmpdir(), 'winkms-demo-'))
  configFile = join(folder, 'demo.yml')
  demo = await startDemo(`--demo.write-config=${configFile}`)
  aheadDemo = await startDemo('--demo.exporter-clock-off=18000')
})
afterAll(async () => {
  await Promise.all([demo, aheadDemo].map((each) => each.stop()))
  await rm(folder, { recursive: true, force: true })
})

describe('on /metrics', () => {
  it('every host has its cause and no other, and never had another on the way', async () => {
    const wrong = new Set<string>()
    let firstSeconds: number | undefined
    const text = await metricsOnce(demo, isExpected, (seen) => {
      firstSeconds ??= (performance.now() - demo.startedAt) / 1000
      for (const [host, causes] of Object.entries(causesByHost(seen)))
        for (const cause of causes)
          if (EXPECTED[host]?.includes(cause as Cause) !== true) wrong.add(`${host}: ${cause}`)
    })
    const seconds = (performance.now() - demo.startedAt) / 1000
    process.stdout.write(
      `demo: first /metrics ${firstSeconds?.toFixed(2)} s after the start, every cause named after ${seconds.toFixed(2)} s\n`,
    )
    expect([...wrong]).toEqual([])
    expect(causesByHost(text)).toEqual(EXPECTED)
  })

  it('the hosts whose cause stops no service serve, and nobody else', async () => {
    const text = await metricsOnce(demo, isExpected)
    const serving = samplesOf(text, 'winkms_host_serving').map(
      ({ labels, value }) => [labels['host'] ?? '', value] as const,
    )
    expect(Object.fromEntries(serving)).toEqual(
      Object.fromEntries(HOSTS.map(({ name, serves }) => [name, serves ? 1 : 0])),
    )
  })

  it('the error that clients show stands beside each named cause that has one', async () => {
    const shown = samplesOf(await metricsOnce(demo, isExpected), 'winkms_diagnosis_client_error_info')
    for (const { name, cause } of HOSTS) {
      // Where other records are found, no client shows an error on account of the one that is missing.
      if (cause === null || cause === 'srv_missing') continue
      const codes = shown.filter(({ labels }) => labels['host'] === name).map(({ labels }) => labels['code'])
      const { clientError } = rowOf(cause)
      expect(codes, name).toEqual(clientError === undefined ? [] : [clientError])
    }
  })
})

describe('what it prints', () => {
  it('is where to look, who lives there, and nothing on stderr', async () => {
    await metricsOnce(demo, isExpected)
    expect(demo.out()).toContain(`${demo.url}/ `)
    expect(demo.out()).toContain(`${demo.url}/metrics `)
    expect(demo.out()).toContain(`${demo.url}/probe?target=`)
    for (const { name, cause } of HOSTS) {
      const line =
        demo
          .out()
          .split('\n')
          .find((each) => each.startsWith(`  ${name} `)) ?? ''
      expect(line).toContain(` ${cause ?? 'healthy'} `)
    }
    expect(demo.out()).not.toContain('\u001b')
    expect(demo.err()).toBe('')
  })

  it('has addresses that answer', async () => {
    const urls = [...demo.out().matchAll(/http:\S+/g)].map(([url]) => url)
    expect(urls.length).toBeGreaterThanOrEqual(3)
    for (const url of urls) expect((await get(url))?.status, url).toBe(200)
  })
})

describe('diagnose', () => {
  interface Report {
    readonly host: string
    readonly serving: boolean | null
    readonly causes: readonly string[]
    readonly findings: readonly {
      readonly cause: string
      readonly verdict: string
      readonly remedy?: string
    }[]
    readonly results: readonly object[]
  }

  // Both wait for timeouts most of the time: side by side.
  it.concurrent(
    '--json names the cause of every host and only that, and ends with 0 or 1',
    async () => {
      const waiting = [...HOSTS]
      const answers = new Map<string, { ending: unknown; err: string; report: Report | undefined }>()
      const worker = async (): Promise<void> => {
        for (let host = waiting.pop(); host !== undefined; host = waiting.pop()) {
          const { ending, out, err } = await run([
            'diagnose',
            `--config.file=${configFile}`,
            host.name,
            '--json',
          ])
          answers.set(host.name, { ending, err, report: (JSON.parse(out) as Report[])[0] })
        }
      }
      await Promise.all(Array.from({ length: 4 }, worker))
      for (const { name, serves } of HOSTS) {
        const answer = answers.get(name)
        expect(answer, name).toMatchObject({
          ending: serves ? 0 : 1,
          err: '',
          report: { host: name, serving: serves, causes: EXPECTED[name] },
        })
        expect(answer?.report?.results.length, name).toBeGreaterThan(3)
        const named = answer?.report?.findings.filter(({ verdict }) => verdict === 'named') ?? []
        expect(
          named.every(({ remedy = '' }) => remedy.length > 10),
          name,
        ).toBe(true)
      }
    },
    90_000,
  )

  it.concurrent(
    'in words gives the cause, the remedy and the command of each, without colours where there is no terminal',
    async () => {
      const { ending, out, err } = await run(
        ['diagnose', `--config.file=${configFile}`, ...HOSTS.map(({ name }) => name)],
        60,
      )
      expect([ending, err]).toEqual([1, ''])
      expect(out).not.toContain('\u001b')
      const parts = out.split(/^(?=\S+ port \d+: )/m)
      expect(parts).toHaveLength(HOSTS.length)
      for (const [index, { name, cause, serves }] of HOSTS.entries()) {
        const part = parts[index] ?? ''
        expect(part.startsWith(`${name} port 1688: ${serves ? 'SERVING' : 'NOT SERVING'} `), part).toBe(true)
        if (cause === null) {
          expect(part).not.toContain('FAIL')
          continue
        }
        const facts = { host: name, port: 1688, domain: name.slice(name.indexOf('.') + 1) }
        expect(part).toContain(`${rowOf(cause).title} (${cause})`)
        expect(part).toContain(fillIn(rowOf(cause).remedy, facts))
        expect(part).toContain(fillIn(rowOf(cause).command, facts))
        expect(part.match(/^ {4}FAIL /gm)).toHaveLength(1)
        expect(part).toMatch(new RegExp(`^ {4}FAIL ${cause} `, 'm'))
      }
    },
    90_000,
  )

  it('of a name that does not exist says that DNS has no such name, and ends with 1', async () => {
    const { ending, out } = await run(['diagnose', `--config.file=${configFile}`, 'nobody.plant.example'])
    expect(ending).toBe(1)
    expect(out).toContain('nobody.plant.example port 1688: NOT SERVING')
    expect(out).toContain('(host_record_wrong)')
    expect(out).toContain('NXDOMAIN')
  })

  it('of a name that the resolver will not speak of cannot tell, and ends with 2', async () => {
    const { ending, out } = await run(['diagnose', `--config.file=${configFile}`, 'nobody.elsewhere.example'])
    expect(ending).toBe(2)
    expect(out).toContain('nobody.elsewhere.example port 1688: CANNOT TELL')
    expect(out).not.toContain('FAIL')
  })

  it('finds the port of a host that is not configured in its SRV record', async () => {
    // Forgotten by the configuration; only the record still names it.
    const { out } = await run(['diagnose', `--config.file=${configFile}`, 'KMS-OLD.plant.example.'])
    expect(out).toContain('kms-old.plant.example port 1688: NOT SERVING')
    const other = await run(['diagnose', `--config.file=${configFile}`, 'kms-old.plant.example', '--port=1'])
    expect(other.out).toContain('kms-old.plant.example port 1: NOT SERVING')
  })
})

describe('with the clock of the exporter five hours ahead', () => {
  it("that is what is named, and no host's clock is blamed but the one that is really wrong", async () => {
    // Every host is seen by the same wrong clock, so all of them share the finding; each keeps its own cause.
    const expected = Object.fromEntries(
      HOSTS.map(({ name }) => [name, [...(EXPECTED[name] ?? []), 'exporter_clock_wrong'].toSorted()]),
    )
    const text = await metricsOnce(
      aheadDemo,
      (seen) => JSON.stringify(sorted(causesByHost(seen))) === JSON.stringify(sorted(expected)),
    )
    expect(causesByHost(text)).toEqual(expected)
    const blamed = Object.entries(causesByHost(text)).filter(([, causes]) => causes.includes('clock_skew'))
    expect(blamed.map(([host]) => host)).toEqual(['kms-clock.plant.example'])
    const serving = samplesOf(text, 'winkms_host_serving').filter(({ value }) => value === 1)
    expect(serving.map(({ labels }) => labels['host'] ?? '').toSorted()).toEqual(
      HOSTS.flatMap(({ name, serves }) => (serves ? [name] : [])).toSorted(),
    )
  })
})

describe('a second demo', () => {
  it('on the same network fails with one clear sentence', async () => {
    const port = await freePort()
    const second = await run([
      'demo',
      `--demo.network=${demo.network}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ])
    expect([second.ending, second.out]).toEqual([1, ''])
    expect(second.err).toMatch(
      /^the simulated estate could not start: 127\.\d+\.\d+\.\d+:\d+ \(\w+\) is already in use: [^\n]+\n$/,
    )
  })

  it('on the same port fails with one clear sentence', async () => {
    const second = await run([
      'demo',
      `--demo.network=${await freeNetwork()}`,
      `--web.listen-address=127.0.0.1:${demo.port}`,
    ])
    expect([second.ending, second.out]).toEqual([1, ''])
    expect(second.err).toMatch(/^[^\n]*address already in use[^\n]*\n$/)
  })

  it('has not disturbed the first', async () => {
    expect((await get(`${demo.url}/-/ready`))?.status).toBe(200)
    expect(await readFile(configFile, 'utf8')).toContain(`${demo.network}.0.53`)
  })
})

describe('the end', () => {
  it.each([
    ['SIGTERM', () => demo],
    ['SIGINT', () => aheadDemo],
  ] as const)('by %s comes within seconds, in order, without a word of complaint', async (signal, which) => {
    const running = which()
    expect((await get(`${running.url}/-/ready`))?.status).toBe(200)
    running.signal(signal)
    const { ending, err } = await running.ended(END_SECONDS)
    expect([ending, err]).toEqual([0, ''])
    expect(await get(`${running.url}/-/healthy`)).toBeUndefined()
  })
})
