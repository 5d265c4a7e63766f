// Every query of every panel and variable, run against a real Prometheus that scrapes the built demo as two replicas: it
// returns what its panel needs, once for each host and not once for each replica.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { rowOf, type Cause } from '../../src/diagnosis/causes.ts'
import { CANARIES, RESIDENTS } from '../../src/lab/estate-hosts.ts'
import { FULL } from '../../grafana/src/query.ts'
import { build, causesByHost, freeNetwork, get, start, until, type Running } from '../e2e/built.ts'
import { realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { startPrometheus, type PrometheusServer } from '../real/servers/prometheus.ts'
import { ask, askRange, type Series } from './ask.ts'
import {
  ALL,
  BOARDS,
  definitionOf,
  panelsOf,
  substitute,
  type Board,
  type Panel,
  type Target,
} from './committed.ts'
import { EMPTY_IN_THE_DEMO, MAY_BE_EMPTY } from './empty.ts'

const PATIENCE_SECONDS = 60
vi.setConfig({ testTimeout: 2 * PATIENCE_SECONDS * 1000, hookTimeout: 3 * PATIENCE_SECONDS * 1000 })
/** Longer than several scrapes of a second. */
const RATE_INTERVAL = '10s'
const nameOf = ({ label, domain }: { label: string; domain: string }): string => `${label}.${domain}`
const HOSTS = RESIDENTS.map(nameOf).toSorted()
const CAUSED = RESIDENTS.flatMap((resident) =>
  resident.cause === null ? [] : [{ host: nameOf(resident), cause: resident.cause as Cause }],
)
const BROKEN = CAUSED.filter(({ cause }) => rowOf(cause).stopsService).map(({ host }) => host)
/** Together they have something to show in each panel: healthy, behind a firewall, stopped, and no account. */
const SHOWN = [
  'kms01.corp.example',
  'kms-filtered.plant.example',
  'kms-stopped-w.plant.example',
  'kms-unread.lab.example',
]

let demo: Running | undefined
let prometheus: PrometheusServer | undefined
let exporterPort: number

beforeAll(async () => {
  await build()
  exporterPort = await freePort()
  const address = `127.0.0.1:${exporterPort}`
  demo = start(['demo', `--demo.network=${await freeNetwork()}`, `--web.listen-address=${address}`])
  await until(PATIENCE_SECONDS, 'the demo has named every cause', async () => {
    const named = Object.values(causesByHost((await get(`http://${address}/metrics`))?.body ?? ''))
    return named.flat().length === CAUSED.length ? true : undefined
  })
})

beforeEach(async (context) => {
  realServer(context, ['prometheus'])
  if (prometheus !== undefined) return
  prometheus = await startPrometheus({
    files: { 'alerts.yml': ALERTS },
    // One exporter by two names: what two replicas would say, with nothing to tell them apart but the instance.
    configYaml: `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: [alerts.yml]
scrape_configs:
  - job_name: winkms
    static_configs: [{ targets: ['127.0.0.1:${exporterPort}', 'localhost:${exporterPort}'], labels: { vantage: lab } }]
`,
  })
  // A rate needs two scrapes, and the demo's traffic some seconds for the next request.
  await prometheus.waitFor(
    'sum(increase(winkms_activation_requests_total[10s])) > 0 and count(up == 1) == 2 and count(ALERTS) > 0',
    (samples) => samples.length === 1,
    PATIENCE_SECONDS,
  )
})

afterAll(async () => {
  await Promise.all([prometheus?.stop(), demo?.stop()])
})

const ALERTS = `groups:
  - name: winkms
    rules:
      - alert: WinkmsServiceStopped
        expr: max by (host, vantage) (winkms_diagnosis{cause="service_stopped"}) == 1
        labels: { severity: critical }
      - alert: WinkmsDomainNotServed
        expr: count by (domain) (winkms_srv_records{domain="plant.example"}) > 0
        labels: { severity: critical }
`

function url(): string {
  if (prometheus === undefined) throw new Error('Prometheus has not been started')
  return prometheus.url
}

/** As the panel asks: now, or the last half minute. */
async function answerOf(target: Target, host: string): Promise<readonly Series[]> {
  const query = substitute(target.expr, { ...ALL, host, __rate_interval: RATE_INTERVAL })
  if (target.instant === true) return ask(url(), query)
  const end = Date.now() / 1000
  return askRange(url(), query, { start: end - 30, end, step: 5 })
}

/** Of the host dashboard: for each of the hosts shown. */
async function answersOf(board: Board, target: Target): Promise<readonly Series[]> {
  const hosts = board.uid === 'winkms-host' ? SHOWN : ['.+']
  return (await Promise.all(hosts.map((host) => answerOf(target, host)))).flat()
}

const cases = BOARDS.flatMap((board) =>
  panelsOf(board).map((panel) => ({ where: `${board.uid} ${panel.id}: ${panel.title}`, board, panel })),
)

/** Labels that mappings, columns and links take from the panel's series. */
function labelsNeeded(panel: Panel): readonly string[] {
  const options = panel.transformations?.map((each) => each.options) ?? []
  const columns = options.flatMap(({ include, columnField, rowField }) => [
    ...((include as { names: string[] } | undefined)?.names ?? []),
    ...[columnField, rowField].filter((field) => typeof field === 'string'),
  ])
  const links = panel.fieldConfig?.defaults.links ?? []
  const linked = links.flatMap(({ url: to = '' }) =>
    [...to.matchAll(/__field\.labels\.(\w+)/g)].map(([, label = '']) => label),
  )
  return [...columns.filter((field) => !field.startsWith('Value')), ...linked]
}

describe.each(cases)('$where', ({ board, panel }) => {
  it('gets what it needs, for replicas once', async () => {
    const seen = new Set<string>()
    for (const target of panel.targets ?? []) {
      const where = `${board.uid} ${panel.id} ${target.refId}`
      if (where in EMPTY_IN_THE_DEMO) {
        expect(await answersOf(board, target), `${where} is not empty any more`).toEqual([])
        continue
      }
      // Some have to wait for the next request of a simulated client.
      const answer = await until(where in MAY_BE_EMPTY ? 0 : PATIENCE_SECONDS, where, async () => {
        const found = await answersOf(board, target)
        return found.length > 0 || where in MAY_BE_EMPTY ? found : undefined
      })
      for (const { metric, values } of answer) {
        for (const label of Object.keys(metric)) seen.add(label)
        expect(values.length).toBeGreaterThan(0)
        for (const [, label = ''] of (target.legendFormat ?? '').matchAll(/\{\{(\w+)\}\}/g)) {
          expect(Object.keys(metric), where).toContain(label)
        }
        // What is said of hosts is said once. What exporters say of themselves may be told apart.
        if (board.uid !== 'winkms-exporter') expect(metric, where).not.toHaveProperty('instance')
      }
    }
    const refIds = (panel.targets ?? []).map(({ refId }) => `${board.uid} ${panel.id} ${refId}`)
    if (refIds.every((where) => where in EMPTY_IN_THE_DEMO || where in MAY_BE_EMPTY)) return
    expect(labelsNeeded(panel).filter((label) => !seen.has(label))).toEqual([])
  })
})

describe.each(BOARDS)('$uid', (board) => {
  const variables = board.templating.list.filter(({ type }) => type === 'query')

  it.each(variables)('its variable $name has values', async (variable) => {
    const [, selector = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(definitionOf(variable)) ?? []
    const match = new URLSearchParams({ 'match[]': substitute(selector) }).toString()
    const response = await fetch(`${url()}/api/v1/label/${label}/values?${match}`)
    const { data } = (await response.json()) as { data: readonly string[] }
    expect(data.length).toBeGreaterThan(0)
    if (variable.name.startsWith('host')) expect(data.toSorted()).toEqual(HOSTS)
    if (variable.name === 'instance') expect(data).toHaveLength(2)
  })

  it('its annotations have something to mark', async () => {
    const [alerts] = board.annotations.list
    const values = { ...ALL, host: 'kms-stopped.plant.example' }
    const answer = await ask(url(), substitute(alerts?.expr ?? '', values))
    expect(answer.map(({ metric }) => metric['alertname'])).toEqual(
      expect.arrayContaining(['WinkmsServiceStopped', 'WinkmsDomainNotServed']),
    )
  })
})

/** The answer of one query, by host. */
async function byHost(uid: string, id: number, refId: string): Promise<ReadonlyMap<string, Series>> {
  const panel = BOARDS.find((board) => board.uid === uid)?.panels.find((each) => each.id === id)
  const target = panel?.targets?.find((each) => each.refId === refId)
  if (target === undefined) throw new Error(`${uid} has no panel ${id} with a query ${refId}`)
  const answer = await answerOf(target, '.+')
  expect(answer.length, 'one row a host').toBe(new Set(answer.map(({ metric }) => metric['host'])).size)
  return new Map(answer.map((series) => [series.metric['host'] ?? '', series]))
}

/** Judged again for a while: on a loaded machine, some host may just have left a question unanswered. */
function settled(judge: () => Promise<void>): () => Promise<void> {
  return async () => vi.waitFor(judge, { timeout: PATIENCE_SECONDS * 1000, interval: 1000 })
}

describe('the table of hosts', () => {
  it(
    'has a row for each host, and says which do not serve',
    settled(async () => {
      expect([...(await byHost('winkms-estate', 11, 'A')).keys()].toSorted()).toEqual(HOSTS)
      const serving = [...(await byHost('winkms-estate', 11, 'B'))]
      const broken = serving.filter(([, { values }]) => values[0]?.[1] === 0).map(([host]) => host)
      expect(broken.toSorted()).toEqual(BROKEN.toSorted())
    }),
  )

  it(
    'gives each its cause, and the error that clients show for it',
    settled(async () => {
      const causes = [...(await byHost('winkms-estate', 11, 'C'))].map(([host, { metric }]) => ({
        host,
        cause: metric['cause'],
      }))
      const order = (a: { host: string }, b: { host: string }): number => a.host.localeCompare(b.host)
      expect(causes.toSorted(order)).toEqual(CAUSED.toSorted(order))
      const errors = await byHost('winkms-estate', 11, 'E')
      for (const { host, cause } of CAUSED) {
        // The one that no record names at one resolver only shows nothing at the other.
        if (errors.has(host)) expect(errors.get(host)?.metric['code'], host).toBe(rowOf(cause).clientError)
      }
      expect(errors.size).toBeGreaterThan(10)
    }),
  )

  it(
    'says "full" and no number where the count has reached its limit',
    settled(async () => {
      const counts = await byHost('winkms-estate', 11, 'H')
      expect(counts.get('kms01.corp.example')?.values[0]?.[1]).toBe(FULL)
      expect(counts.get('kms-clones.lab.example')?.values[0]?.[1]).toBe(12)
    }),
  )
})

it(
  'counts hosts once, though two exporters tell of them',
  settled(async () => {
    const stat = async (id: number): Promise<number | undefined> => {
      const target = BOARDS[0]?.panels.find((panel) => panel.id === id)?.targets?.[0]
      const [answer] = target === undefined ? [] : await answerOf(target, '.+')
      return answer?.values[0]?.[1]
    }
    expect(await stat(1)).toBe(RESIDENTS.length - BROKEN.length)
    expect(await stat(2)).toBe(BROKEN.length)
    expect(await stat(3)).toBe(0)
  }),
)

it(
  'has a row for each canary',
  settled(async () => {
    const target = BOARDS[0]?.panels.find((panel) => panel.id === 41)?.targets?.[0]
    const answer = target === undefined ? [] : await answerOf(target, '.+')
    expect(answer.map(({ metric }) => metric['client'] ?? '').toSorted()).toEqual(
      CANARIES.map(nameOf).toSorted(),
    )
  }),
)
