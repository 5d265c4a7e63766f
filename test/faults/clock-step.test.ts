// The machine's clock is set by hours while the exporter runs: what is asked goes on at its pace, cron expressions go on by
// the new clock, and it is the exporter's clock that is called wrong, not that of every host.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { startNtp } from '../../src/lab/ntp.ts'
import { startRpc } from '../../src/lab/rpc.ts'
import { during } from '../during.ts'
import { build, causesByHost, samplesOf } from '../e2e/built.ts'
import { startChrony } from '../real/servers/chrony.ts'
import { faketimeLibrary, realServer } from '../real/servers/need.ts'
import {
  cpuSeconds,
  expectNoInternalError,
  folder,
  startExporter,
  untilMetrics,
  valueOf,
  type Exporter,
} from './exporter.ts'
import { LOOPBACK } from './hosts.ts'

const HOSTS = 5
const HOUR_SECONDS = 3_600
/** Seconds by the true clock, after each step. */
const WATCHED_SECONDS = 4

beforeAll(build)

interface Scene {
  readonly exporter: Exporter
  /** From now on the exporter's clock is ahead of the true one by so much; negative: behind. */
  setClock(seconds: number): Promise<void>
}

async function scene(): Promise<Scene> {
  const reference = await during(startChrony())
  const kms = await during(startRpc('kms', LOOPBACK))
  const ntp = await during(startNtp(Date.now, LOOPBACK))
  const file = join(await folder(), 'faketime')
  const setClock = (seconds: number): Promise<void> =>
    writeFile(file, `${seconds < 0 ? '' : '+'}${seconds}\n`)
  await setClock(0)
  const hosts = Array.from(
    { length: HOSTS },
    (_, index) => `  - { name: kms${index}.corp.example, connect_to: 127.0.0.1, port: ${kms.port} }`,
  )
  const exporter = await startExporter(
    `domains: []
probes:
  port: { schedule: 1s, timeout: 1s }
  clock:
    schedule: 1s
    timeout: 1s
    sources: [ntp]
    ports: { ntp: ${ntp.port} }
    references: ["127.0.0.1:${reference.port}"]
hosts:
${hosts.join('\n')}
  - { name: cron.corp.example, connect_to: 127.0.0.1, port: ${kms.port}, probes: { port: { schedule: "*/2 * * * * *" }, clock: { schedule: "*/2 * * * * *" } } }
`,
    {
      env: {
        LD_PRELOAD: faketimeLibrary(),
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    },
  )
  return { exporter, setClock }
}

const NEITHER = { clock_skew: false, exporter_clock_wrong: false }

/** Of every host; undefined while that differs, or is not told. */
function judgementOf(exposition: string): typeof NEITHER | undefined {
  const hosts = Object.values(causesByHost(exposition))
  const [first, ...others] = hosts.map((causes) =>
    JSON.stringify({
      clock_skew: causes.includes('clock_skew'),
      exporter_clock_wrong: causes.includes('exporter_clock_wrong'),
    }),
  )
  if (first === undefined || hosts.length !== HOSTS + 1 || others.some((other) => other !== first))
    return undefined
  return JSON.parse(first) as typeof NEITHER
}

const judged =
  (wanted: Partial<typeof NEITHER>) =>
  (exposition: string): boolean =>
    JSON.stringify(judgementOf(exposition)) === JSON.stringify({ ...NEITHER, ...wanted })

/** On the way there, too, no host is called wrong: a run before the step is nothing to one after it. */
const withoutBlame =
  (reached: (exposition: string) => boolean) =>
  (exposition: string): boolean => {
    for (const [host, causes] of Object.entries(causesByHost(exposition)))
      expect(causes, host).not.toContain('clock_skew')
    return reached(exposition)
  }

const runs = (exposition: string, probe: string): number =>
  valueOf(exposition, 'winkms_exporter_probes_total', { probe, outcome: 'answered' }) ?? 0

const asked = (exposition: string, host: string): number =>
  valueOf(exposition, 'winkms_probe_timestamp_seconds', { host, probe: 'port' }) ?? 0

/** Runs go on, at their pace: neither none nor a burst of what would have been due between the old time and the new. */
async function expectPace({ exporter }: Scene, aheadSeconds: number): Promise<void> {
  const cpu = cpuSeconds(exporter)
  const [before, began] = [await exporter.metrics(), performance.now()]
  const goal = runs(before, 'port') + HOSTS * WATCHED_SECONDS
  const after = await untilMetrics(exporter, 'runs go on', (text) => runs(text, 'port') >= goal)
  const seconds = (performance.now() - began) / 1000
  const most = (HOSTS + 1) * (seconds + 3)
  for (const probe of ['port', 'clock']) expect(runs(after, probe) - runs(before, probe)).toBeLessThan(most)
  // Ten thousand ticks gone through one by one would be seconds.
  expect(cpuSeconds(exporter) - cpu).toBeLessThan(seconds)

  const now = Date.now() / 1000 + aheadSeconds
  await untilMetrics(exporter, 'what cron says goes on as well', (text) => {
    return Math.abs(asked(text, 'cron.corp.example') - now) < 60
  })
  const exposition = await exporter.metrics()
  for (let host = 0; host < HOSTS; host += 1)
    expect(Math.abs(asked(exposition, `kms${host}.corp.example`) - now)).toBeLessThan(60)
  for (const name of [
    'winkms_probe_duration_seconds',
    'winkms_probe_stage_seconds',
    'winkms_port_connect_duration_seconds',
    'winkms_rpc_bind_duration_seconds',
    'winkms_exporter_schedule_lag_seconds_sum',
    'winkms_exporter_probe_duration_seconds_sum',
  ])
    for (const { value } of samplesOf(exposition, name)) {
      expect(value, name).toBeGreaterThanOrEqual(0)
      expect(value, name).toBeLessThan(HOUR_SECONDS / 2)
    }
}

describe.each([
  ['ahead by hours', 5],
  ['back by hours', -5],
  // A machine without a battery, and then set right: a billion seconds lie between the two.
  ['back by decades', -40 * 365 * 24],
])('the clock set %s', (_, hours) => {
  it('stops nothing, is told apart from wrong hosts, and is as if it had not been once it is set right', async (context) => {
    realServer(context, ['chronyd', 'faketime'])
    const it = await scene()
    const { exporter, setClock } = it
    await untilMetrics(exporter, 'all is well', judged({}))
    await expectPace(it, 0)
    const seconds = hours * HOUR_SECONDS
    await setClock(seconds)
    const wrong = await untilMetrics(
      exporter,
      'the exporter is wrong',
      withoutBlame(judged({ exporter_clock_wrong: true })),
    )
    const offsets = samplesOf(wrong, 'winkms_exporter_clock_offset_seconds').map(({ value }) => value)
    expect(offsets).toHaveLength(1)
    expect(Math.abs((offsets[0] ?? 0) - seconds)).toBeLessThan(5)
    for (const { value } of samplesOf(wrong, 'winkms_clock_drift_seconds'))
      expect(Math.abs(value)).toBeLessThan(5)
    await expectPace(it, seconds)
    await setClock(0)
    await untilMetrics(exporter, 'all is well again', withoutBlame(judged({})))
    await expectPace(it, 0)
    expectNoInternalError(exporter)
  }, 300_000)
})
