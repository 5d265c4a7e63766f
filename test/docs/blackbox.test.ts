// docs/migration/blackbox.md: blackbox_exporter itself with the page's configuration, ours with the page's, both over the same
// simulated hosts and scraped by a real Prometheus. Every row of its table is brought about and looked at.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { get, samplesOf, until } from '../e2e/built.ts'
import { CLOCK_PORTS } from '../../src/lab/estate-config.ts'
import { BREAKAGES, type Breakage } from '../../src/lab/breakages.ts'
import { realServer } from '../real/servers/need.ts'
import { startPrometheus, type PrometheusServer } from '../real/servers/prometheus.ts'
import { blocksOf, readPage } from './pages.ts'
import { makeStage, stepsOf, type Stage } from './stage.ts'

const PAGE = 'docs/migration/blackbox.md'
const PATIENCE_SECONDS = 30
const STEPS = stepsOf(PAGE)

/** The rows of the table, by their first column. */
const HOW: Readonly<Record<string, Breakage | undefined>> = {
  'is well': undefined,
  'its service is stopped': 'stop_service',
  'its port is blocked': 'filter',
  'another RPC server has its port': 'impostor',
  'its SRV record is gone': 'unpublish',
  'its SRV record has another port': 'wrong_srv_port',
  'its A record leads elsewhere': 'move_record',
  'its clock is five hours ahead': 'clock_ahead',
}

const COLUMNS = [
  'max(probe_success{job="kms-tcp",host="kms02.corp.example"})',
  'max(probe_success{job="kms-rpc",host="kms02.corp.example"})',
  'max(probe_success{job="kms-srv",host="kms02.corp.example"})',
  'max(winkms_port_open{job="winkms",host="kms02.corp.example"})',
  'max(winkms_rpc_bound{job="winkms",host="kms02.corp.example"})',
  'min(winkms_srv_correct{job="winkms",domain="corp.example"})',
  'max(winkms_host_serving{job="winkms",host="kms02.corp.example"})',
]

const ROWS = [
  ...readPage(PAGE).matchAll(/^\| ([a-z].+?) \|((?: \**(?:0|1|absent)\** \|){7}) `?(\w+)`? \|$/gm),
].map(([, state = '', values = '', cause = '']) => ({
  state,
  values: values
    .split('|')
    .map((each) => each.replaceAll(/[ *]/g, ''))
    .slice(0, COLUMNS.length),
  cause,
}))

const fileOf = (name: string): string => STEPS.find((step) => step.name === name)?.text ?? ''
const jobsOf = (name: string): readonly object[] =>
  (parse(fileOf(name)) as { scrape_configs: readonly object[] }).scrape_configs

let stage: Stage
let prometheus: PrometheusServer | undefined

beforeAll(async () => {
  stage = await makeStage()
})

beforeEach(async (context) => {
  realServer(context, ['prometheus', 'promtool', 'prometheus-blackbox-exporter'])
  if (prometheus !== undefined) return
  for (const { kind, name, text } of STEPS) if (kind === 'file') await stage.write(name, text)
  // So that nobody has to wait, and clocks where the simulated hosts have them.
  const probes = `probes:
  port: { schedule: 1s, timeout: 800ms }
  srv: { schedule: 1s, timeout: 800ms }
  clock: { schedule: 1s, timeout: 900ms, ports: ${CLOCK_PORTS} }
`
  await stage.write('winkms.yml', `${fileOf('winkms.yml')}${probes}`)
  // The demo for its hosts; its own exporter is not the one that is looked at, and has another of the pages' ports.
  stage.begin('node dist/main.js demo --demo.control=127.0.0.1:11689 --web.listen-address=127.0.0.1:9090')
  await until(PATIENCE_SECONDS, 'the hosts are there', async () => get(stage.here('http://127.0.0.1:11689/')))
  stage.begin('node dist/main.js --config.file=winkms.yml --web.listen-address=127.0.0.1:11688')
  stage.begin('prometheus-blackbox-exporter --config.file=blackbox.yml --web.listen-address=127.0.0.1:9115')
  const jobs = [...jobsOf('before.yml'), ...jobsOf('after.yml'), ...jobsOf('after-probe.yml')].map((job) => {
    const quick = 'scrape_interval' in job ? { scrape_interval: '4s', scrape_timeout: '3s' } : {}
    return { ...job, ...quick }
  })
  prometheus = await startPrometheus({
    configYaml: stage.here(
      JSON.stringify({ global: { scrape_interval: '1s', scrape_timeout: '1s' }, scrape_configs: jobs }),
    ),
  })
})

afterAll(async () => {
  await prometheus?.stop()
  await stage.leave()
})

function server(): PrometheusServer {
  if (prometheus === undefined) throw new Error('Prometheus has not been started')
  return prometheus
}

async function become(how: Breakage | undefined): Promise<void> {
  const order = how === undefined ? 'repair' : `break?host=kms02.corp.example&how=${how}`
  const answer = await get(stage.here(`http://127.0.0.1:11689/${order}`), { method: 'POST' })
  expect(answer?.status, answer?.body).toBe(200)
}

async function now(expression: string): Promise<string> {
  const [sample] = await server().query(expression)
  return sample === undefined ? 'absent' : String(sample.value)
}

async function causes(): Promise<string> {
  const named = await server().query('winkms_diagnosis{job="winkms",host="kms02.corp.example"} == 1')
  return named.map(({ metric }) => metric['cause']).join(' ') || 'none'
}

it('promtool accepts both sets of rules', async () => {
  for (const file of ['before.rules.yml', 'after.rules.yml']) {
    const { ending, output } = await stage.run(`promtool check rules ${file}`)
    expect([ending, output]).toEqual([0, expect.stringContaining('4 rules found')])
  }
})

describe('kms02', () => {
  it('has a row for each state that is tried', () => {
    expect(ROWS.map(({ state }) => state)).toEqual(Object.keys(HOW))
  })

  it.each(ROWS)(
    '$state',
    async ({ state, values, cause }) => {
      await become(HOW[state])
      let seen: readonly string[] = []
      await until(
        PATIENCE_SECONDS,
        () => `${state}: ${[...values, cause].join(' ')}, and not ${seen.join(' ')}`,
        async () => {
          seen = [...(await Promise.all(COLUMNS.map(now))), await causes()]
          return seen.join(' ') === [...values, cause].join(' ') ? true : undefined
        },
      )
    },
    60_000,
  )
})

describe('side by side', () => {
  const queries = blocksOf(PAGE)
    .filter(({ language }) => language === 'promql')
    .map(({ text }) => text)
  const differing = async (): Promise<readonly number[]> =>
    Promise.all(queries.map(async (query) => (await server().query(query)).length))

  it.each([
    ['stop_service', [0, 0]],
    ['unpublish', [0, 0]],
    ['move_record', [0, 1]],
  ] as const)(
    '%s: the two queries give %j',
    async (how, expected) => {
      await become(how)
      await until(PATIENCE_SECONDS, 'it is named', async () =>
        (await causes()) === BREAKAGES[how].cause ? true : undefined,
      )
      await until(
        PATIENCE_SECONDS,
        () => `they give ${expected.join(', ')}`,
        async () => ((await differing()).join() === expected.join() ? true : undefined),
      )
    },
    90_000,
  )

  it('/probe says by probe_success whether the host serves', async () => {
    for (const [how, serves] of [
      [undefined, 1],
      ['stop_service', 0],
    ] as const) {
      await become(how)
      await server().waitFor(
        'probe_success{job="kms-probe",instance="kms02.corp.example"}',
        ([sample]) => sample?.value === serves,
        PATIENCE_SECONDS,
      )
    }
  }, 90_000)

  it('what accepts a bind to any interface is KMS to blackbox_exporter only', async () => {
    const target = `${stage.network}.1.16:1688`
    await until(PATIENCE_SECONDS, "blackbox_exporter's probe succeeds", async () => {
      const theirs = await get(stage.here(`http://127.0.0.1:9115/probe?module=kms_rpc&target=${target}`))
      return samplesOf(theirs?.body ?? '', 'probe_success')[0]?.value === 1 ? true : undefined
    })
    const named = await until(PATIENCE_SECONDS, 'ours names a cause', async () => {
      const ours = await get(stage.here('http://127.0.0.1:9090/metrics'))
      const causes = samplesOf(ours?.body ?? '', 'winkms_diagnosis').filter(
        ({ labels, value }) => labels['host'] === 'kms-anything.plant.example' && value === 1,
      )
      return causes.length > 0 ? causes : undefined
    })
    expect(named.map(({ labels }) => labels['cause'])).toEqual(['not_kms_listener'])
  }, 60_000)
})
