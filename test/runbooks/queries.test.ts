// Every query that a runbook tells people to ask is asked of a real Prometheus that scrapes the demo twice, as a pair of
// exporters would be: what does not parse, or matches many to many, is refused there.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { RESIDENTS } from '../../src/lab/estate-hosts.ts'
import { RUNBOOK_NAMES } from '../../src/runbooks/names.ts'
import { build, freeNetwork, start, type Running } from '../e2e/built.ts'
import { realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { startPrometheus, type PrometheusServer } from '../real/servers/prometheus.ts'
import { codesOf, commandsOf } from './spoken.ts'

const PATIENCE_SECONDS = 60
const DOMAIN = RESIDENTS.find(({ cause }) => cause === 'service_stopped')?.domain ?? ''

/** Each query, without the selectors that narrow it to one host: those would hide what does not match. */
const queries = new Set(
  RUNBOOK_NAMES.flatMap((name) => [
    ...commandsOf(name).flatMap(({ line, step }) => (step.at === 'prometheus' ? [line] : [])),
    ...codesOf(name).filter((text) => /^\w+ ?(?:by )?\(.*winkms_|^winkms_\w+\{/.test(text)),
  ]).map((query) =>
    query
      .replaceAll(/\bDOMAIN\b/g, DOMAIN)
      .replaceAll(/(host|client|target)="[A-Z]+",?/g, '')
      .replaceAll('{}', ''),
  ),
)

/** Those that must find something wrong in a demo in which everything is wrong somewhere. */
const TELLING =
  /^(winkms_host_serving \*|\(winkms_diagnosis == 1\) \*|winkms_port_listener|winkms_srv_findings|winkms_probe_failure_info|winkms_duplicate_client_ids|winkms_client_kms_info)/

let port: number
let demo: Running | undefined
let prometheus: PrometheusServer | undefined

beforeAll(async () => {
  await build()
  port = await freePort()
  demo = start(['demo', `--demo.network=${await freeNetwork()}`, `--web.listen-address=127.0.0.1:${port}`])
}, 120_000)

afterAll(async () => {
  await prometheus?.stop()
  await demo?.stop()
})

beforeEach(async (context) => {
  realServer(context, ['prometheus'])
  const scrape = (instance: string): string => `
  - job_name: winkms-${instance}
    scrape_interval: 1s
    scrape_timeout: 1s
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]
    relabel_configs:
      - { target_label: instance, replacement: ${instance} }
      - { target_label: job, replacement: winkms }`
  prometheus ??= await startPrometheus({ configYaml: `scrape_configs:${scrape('a')}${scrape('b')}` })
})

describe('the queries of runbooks', () => {
  it('are those that were meant', () => {
    expect(queries.size).toBeGreaterThan(40)
  })

  it('are taken by Prometheus, and find what is wrong in the demo', async () => {
    const server = prometheus
    if (server === undefined) throw new Error('Prometheus did not start')
    await server.waitFor(
      'count(winkms_host_serving == 0) > 5 and count(winkms_duplicate_client_ids > 0) > 0 and count(winkms_client_kms_info) > 0',
      (samples) => samples.length > 0,
      PATIENCE_SECONDS,
    )
    const telling: string[] = []
    for (const query of queries) {
      const samples = await server.query(query)
      if (!TELLING.test(query)) continue
      telling.push(query)
      expect(samples, query).not.toEqual([])
    }
    expect(telling.length).toBeGreaterThanOrEqual(6)
  }, 120_000)
})
