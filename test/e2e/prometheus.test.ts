// A real Prometheus over the built demo: both exposition formats, the questions that people ask, promtool, service
// discovery that drives /probe, and the scrape timeout that Prometheus announces.
import { once } from 'node:events'
import { createServer, request, type IncomingHttpHeaders } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { RESIDENTS } from '../../src/lab/estate-hosts.ts'
import { realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { promtoolCheckMetrics, startPrometheus, type PrometheusServer } from '../real/servers/prometheus.ts'
import { rowOf, type Cause } from '../../src/diagnosis/causes.ts'
import { build, causesByHost, freeNetwork, get, start, until, type Running } from './built.ts'

const PATIENCE_SECONDS = 30
// Some wait twice.
vi.setConfig({ testTimeout: 2 * PATIENCE_SECONDS * 1000 + 10_000 })
const nameOf = ({ label, domain }: { label: string; domain: string }): string => `${label}.${domain}`
const CAUSED = RESIDENTS.filter(({ cause }) => cause !== null)
const isServing = ({ cause }: { cause: string | null }): boolean =>
  cause === null || !rowOf(cause as Cause).stopsService
const SERVING = RESIDENTS.filter(isServing).map(nameOf).toSorted()
const BROKEN = RESIDENTS.filter((resident) => !isServing(resident))
  .map(nameOf)
  .toSorted()
const CAUSES = [...new Set(RESIDENTS.flatMap(({ cause }) => cause ?? []))].toSorted()

/** Between Prometheus and the exporter: keeps what was said, and may hide which formats Prometheus would take. */
interface Between {
  readonly port: number
  readonly seen: { readonly asked: IncomingHttpHeaders; readonly type: string }[]
  stop(): Promise<void>
}

async function startBetween(exporterPort: number, hideAccept: boolean): Promise<Between> {
  const seen: Between['seen'] = []
  const server = createServer((asked, answer) => {
    const { accept, ...others } = asked.headers
    const headers = hideAccept || accept === undefined ? others : { ...others, accept }
    const onward = request(
      { host: '127.0.0.1', port: exporterPort, path: asked.url ?? '/', headers },
      (response) => {
        seen.push({ asked: asked.headers, type: response.headers['content-type'] ?? '' })
        answer.writeHead(response.statusCode ?? 502, response.headers)
        response.pipe(answer)
      },
    )
    onward.on('error', () => answer.destroy())
    onward.end()
  })
  const port = await freePort()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    port,
    seen,
    stop: async () => {
      server.close()
      server.closeAllConnections()
      if (server.listening) await once(server, 'close')
    },
  }
}

let demo: Running | undefined
let open: Between | undefined
let textOnly: Between | undefined
let prometheus: PrometheusServer | undefined
let exporterPort: number

const scrape = (job: string, port: number): string => `
  - job_name: ${job}
    scrape_interval: 1s
    scrape_timeout: 1s
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]`

beforeAll(async () => {
  await build()
  exporterPort = await freePort()
  demo = start([
    'demo',
    `--demo.network=${await freeNetwork()}`,
    `--web.listen-address=127.0.0.1:${exporterPort}`,
  ])
  open = await startBetween(exporterPort, false)
  textOnly = await startBetween(exporterPort, true)
  await until(PATIENCE_SECONDS, 'the demo has named every cause', async () => {
    const named = Object.values(
      causesByHost((await get(`http://127.0.0.1:${exporterPort}/metrics`))?.body ?? ''),
    )
    return named.flat().length === CAUSED.length ? true : undefined
  })
})

beforeEach(async (context) => {
  realServer(context, ['prometheus', 'promtool'])
  prometheus ??= await startPrometheus({
    configYaml: `global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:${scrape('openmetrics', open?.port ?? 0)}${scrape('text', textOnly?.port ?? 0)}
  - job_name: probe
    metrics_path: /probe
    scrape_interval: 3s
    scrape_timeout: 2s
    http_sd_configs: [{ url: 'http://127.0.0.1:${exporterPort}/sd/hosts', refresh_interval: 2s }]
    relabel_configs:
      - { source_labels: [__address__], target_label: __param_target }
      - { source_labels: [__address__], target_label: instance }
      - { source_labels: [__meta_winkms_label_site], target_label: site }
      - { target_label: __address__, replacement: '127.0.0.1:${exporterPort}' }
`,
  })
})

afterAll(async () => {
  await prometheus?.stop()
  await Promise.all([demo?.stop(), open?.stop(), textOnly?.stop()])
})

function server(): PrometheusServer {
  if (prometheus === undefined) throw new Error('Prometheus has not been started')
  return prometheus
}

/** Waits until the hosts in the answer are these. */
async function hostsOf(expression: string, hosts: readonly string[], label = 'host'): Promise<void> {
  const found = await server().waitFor(
    expression,
    (samples) =>
      samples
        .map(({ metric }) => metric[label] ?? '')
        .toSorted()
        .join(' ') === hosts.join(' '),
    PATIENCE_SECONDS,
  )
  expect(found).toHaveLength(hosts.length)
}

describe.each(['openmetrics', 'text'])('a scrape as %s', (job) => {
  it('succeeds, with all of the samples', async () => {
    await server().waitFor(`up{job="${job}"}`, (samples) => samples[0]?.value === 1, PATIENCE_SECONDS)
    const [count] = await server().query(`scrape_samples_scraped{job="${job}"}`)
    expect(count?.value).toBeGreaterThan(500)
    // One for one: a sample that stood there twice would have been stored once.
    const stored = `count by (job) ({job="${job}",__name__=~"(winkms|process|nodejs)_.+"})`
    const missing = `scrape_samples_scraped{job="${job}"} - on (job) ${stored}`
    await server().waitFor(missing, (samples) => samples[0]?.value === 0, PATIENCE_SECONDS)
  })

  it('is what was negotiated', async () => {
    await server().waitFor(`up{job="${job}"}`, (samples) => samples[0]?.value === 1, PATIENCE_SECONDS)
    const seen = (job === 'text' ? textOnly : open)?.seen ?? []
    expect(seen.length).toBeGreaterThan(0)
    for (const { asked, type } of seen) {
      expect(asked.accept).toContain('application/openmetrics-text')
      expect(type).toMatch(
        job === 'text' ? /^text\/plain; version=0\.0\.4/ : /^application\/openmetrics-text; version=1\.0\.0/,
      )
    }
  })

  it('answers which hosts do not serve, and why', async () => {
    await hostsOf(`winkms_host_serving{job="${job}"} == 0`, BROKEN)
    await hostsOf(`winkms_host_serving{job="${job}"} == 1`, SERVING)
    await hostsOf(`max by (cause) (winkms_diagnosis{job="${job}"}) == 1`, CAUSES, 'cause')
    await hostsOf(
      `winkms_diagnosis{job="${job}"} * on (job, host) group_left (site) winkms_host_info == 1`,
      CAUSED.map(nameOf).toSorted(),
    )
  })
})

it('counters count: what the exporter did is there as a rate', async () => {
  await server().waitFor(
    'sum by (job) (rate(winkms_exporter_probes_total[10s])) > 0',
    (samples) => samples.length === 2,
    PATIENCE_SECONDS,
  )
  await server().waitFor(
    'histogram_quantile(0.9, sum by (job, le) (rate(winkms_exporter_probe_duration_seconds_bucket[10s]))) > 0',
    (samples) => samples.length === 2,
    PATIENCE_SECONDS,
  )
})

describe('/probe, driven by what /sd/hosts lists', () => {
  it('says of every host whether it serves, with the labels of the configuration', async () => {
    await hostsOf('probe_success{job="probe"} == 1', SERVING, 'instance')
    await hostsOf('probe_success{job="probe"} == 0', BROKEN, 'instance')
    const sites = await server().query('probe_success{job="probe",site="hq"}')
    expect(sites.map(({ metric }) => metric['instance'] ?? '').toSorted()).toEqual(
      RESIDENTS.filter(({ domain }) => domain === 'corp.example')
        .map(nameOf)
        .toSorted(),
    )
  })

  it('answers before the scrape timeout, even of a host that does not', async () => {
    // Its own timeouts are 2 s and 3 s, and a scrape may take 2 s: without the header, this target would be down.
    const job = 'job="probe",instance="kms-down.plant.example"'
    await server().waitFor(`up{${job}} == 1`, (samples) => samples.length === 1, PATIENCE_SECONDS)
    const [took] = await server().waitFor(
      `probe_duration_seconds{${job}}`,
      (samples) => samples.length === 1,
      PATIENCE_SECONDS,
    )
    expect(took?.value).toBeLessThan(2)
  })
})

it('promtool has nothing to remark on the live exposition', async () => {
  const exposition = await get(`http://127.0.0.1:${exporterPort}/metrics`)
  expect(exposition?.body.split('\n').length).toBeGreaterThan(500)
  expect(await promtoolCheckMetrics(exposition?.body ?? '')).toEqual({ code: 0, output: '' })
})

it('Prometheus, after all this, has logged no complaint: no duplicate, nothing out of order', () => {
  const lines = server().output().split('\n')
  expect(lines.filter((line) => line.includes('level=info')).length).toBeGreaterThan(0)
  const complaint = /level=(?:warn|error)|duplicate|out.of.order/i
  expect(lines.filter((line) => complaint.test(line))).toEqual([])
})
