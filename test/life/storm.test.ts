// Hundreds of reloads in a second, of files that are good, bad and huge: what is watched stays watched, nobody is asked more
// often for it, and the last file is the one in force.
import { rename, writeFile } from 'node:fs/promises'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { startRpc } from '../../src/lab/rpc.ts'
import { build, get, samplesOf, until } from '../e2e/built.ts'
import { freePort } from '../real/servers/ports.ts'
import { hostsAt, metrics, serve, SOON_SECONDS, type Exporter } from './exporter.ts'

const ASKED = 20
const SECONDS = 5
/** Beyond some number of requests at once the exporter refuses more, which is another matter. */
const MOST_POSTS = 20
/** What a storm may leave behind beyond the one before. One forgotten configuration of a thousand hosts is more. */
const MOST_BYTES_A_STORM = 1_200_000
const LIVE_BYTES = `const { setFlagsFromString } = require('node:v8')
const { runInNewContext } = require('node:vm')
setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc')
process.on('SIGUSR2', () => {
  for (let time = 0; time < 4; time += 1) gc()
  process.stderr.write('live bytes: ' + process.memoryUsage().heapUsed + '\\n')
})`
const BAD = 'hosts:\n  - { name: a.corp.example, prot: 1688 }\n'

beforeAll(build)

/** Whole at every moment, as whoever writes a configuration has to see to: half of one may be a good one too. */
async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text)
  await rename(`${file}.new`, file)
}

async function runs(exporter: Exporter): Promise<number> {
  const all = samplesOf(await metrics(exporter), 'winkms_exporter_probes_total')
  return all.filter(({ labels }) => labels['probe'] === 'port').reduce((sum, { value }) => sum + value, 0)
}

/** Reloads that were taken, as the log has them. */
const successes = (exporter: Exporter): number =>
  exporter.err().split('the configuration was reloaded').length - 1

const value = async (exporter: Exporter, name: string): Promise<number> =>
  samplesOf(await metrics(exporter), name)[0]?.value ?? Number.NaN

/** What is reachable on the heap: what comes and goes with the collector is no growth. */
async function liveBytes(exporter: Exporter): Promise<number> {
  const said = (): string[] => exporter.err().match(/(?<=^live bytes: )\d+$/gm) ?? []
  const before = said().length
  exporter.signal('SIGUSR2')
  return until(SOON_SECONDS, 'it says what it holds', () =>
    said().length > before ? Number(said().at(-1)) : undefined,
  )
}

/** Reloads by signal and by request, as fast as they are taken, each of another file, and returns how many. */
async function storm(
  exporter: Exporter,
  files: readonly string[],
): Promise<{ asked: number; answers: Set<number> }> {
  const end = performance.now() + SECONDS * 1000
  const answers = new Set<number>()
  const posts = new Set<Promise<void>>()
  let asked = 0
  while (performance.now() < end) {
    await replace(exporter.configFile, files[(asked / 10) % files.length] ?? '')
    for (let time = 0; time < 5; time += 1) exporter.signal('SIGHUP')
    for (let time = 0; time < 5 && posts.size < MOST_POSTS; time += 1) {
      const post = get(`${exporter.url}/-/reload`, { method: 'POST' }).then((answer) => {
        answers.add(answer?.status ?? 0)
        posts.delete(post)
      })
      posts.add(post)
    }
    asked += 10
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await Promise.all(posts)
  return { asked, answers }
}

it('a storm of reloads', async () => {
  const port = await freePort()
  const peer = await startRpc('kms', { address: '127.0.0.1', port })
  onTestFinished(() => peer.stop())
  const good = hostsAt(port, ASKED, '2s', '1s')
  // The same hosts and a thousand more, which nobody gets round to asking.
  const huge =
    good +
    Array.from(
      { length: 1_000 },
      (_, index) =>
        `  - { name: more${index}.corp.example, probes: { port: { schedule: 1d }, clock: { schedule: 1d } } }\n`,
    ).join('')
  const exporter = await serve(good, { flags: ['--web.enable-lifecycle'], planted: LIVE_BYTES })
  await until(SOON_SECONDS, 'all were asked', async () =>
    (await runs(exporter)) >= 2 * ASKED ? true : undefined,
  )

  const [before, began] = [await runs(exporter), performance.now()]
  const scrapes = { gaps: 0, all: 0 }
  const state = { over: false }
  const watching = (async () => {
    while (!state.over) {
      const serving = samplesOf(await metrics(exporter), 'winkms_probe_success').filter(
        ({ labels, value: success }) =>
          labels['probe'] === 'port' && labels['host']?.startsWith('kms') && success === 1,
      )
      scrapes.all += 1
      if (serving.length < ASKED) scrapes.gaps += 1
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })()
  const { asked, answers } = await storm(exporter, [good, BAD, good, `${good}#${'x'.repeat(100_000)}\n`])
  state.over = true
  await watching
  const seconds = (performance.now() - began) / 1000
  const more = (await runs(exporter)) - before
  expect(asked).toBeGreaterThan(100)
  expect(scrapes.all).toBeGreaterThan(5)
  expect(scrapes.gaps).toBe(0)
  expect(answers).toEqual(new Set([200, 500]))
  // As often as without: every 2 s, and once more at the edges.
  expect(more).toBeLessThanOrEqual(ASKED * (seconds / 2 + 1))
  const reloads = exporter
    .err()
    .split('\n')
    .filter((line) => line.includes('the configuration was')).length
  expect(reloads).toBeGreaterThan(2)
  expect(reloads).toBeLessThanOrEqual(seconds * 10 + 2)

  // The last one wins, huge or small.
  await storm(exporter, [huge, good, BAD])
  await replace(exporter.configFile, good)
  for (let time = 0; time < 100; time += 1) exporter.signal('SIGHUP')
  await until(SOON_SECONDS, 'the last file is in force', async () =>
    (await get(`${exporter.url}/config`))?.body.includes('more1.corp') === false &&
    (await value(exporter, 'winkms_exporter_config_last_reload_successful')) === 1
      ? true
      : undefined,
  )
  expect(samplesOf(await metrics(exporter), 'winkms_host_info')).toHaveLength(ASKED)

  // What is held does not grow with the reloads.
  const held: number[] = []
  const reloaded: number[] = []
  for (let time = 0; time < 3; time += 1) {
    await storm(exporter, [huge, BAD])
    await replace(exporter.configFile, good)
    await until(SOON_SECONDS, 'the storm is over', async () =>
      (await get(`${exporter.url}/-/reload`, { method: 'POST' }))?.status === 200 &&
      samplesOf(await metrics(exporter), 'winkms_host_info').length === ASKED
        ? true
        : undefined,
    )
    held.push(await liveBytes(exporter))
    reloaded.push(successes(exporter))
  }
  const [, second = 0, third = 0] = held
  expect((reloaded[2] ?? 0) - (reloaded[1] ?? 0)).toBeGreaterThan(1)
  expect(third - second, held.join()).toBeLessThan(MOST_BYTES_A_STORM)
  expect(exporter.ending()).toBeUndefined()
}, 120_000)
