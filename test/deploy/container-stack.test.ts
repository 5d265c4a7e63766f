// What compose.yml would bring up, as processes: the demo with its own flags, Prometheus and Alertmanager with the very files
// that are mounted, at the paths where they are mounted, but for names of services, which are loopback addresses here.
// Debian's Prometheus and Alertmanager, not the images that compose.yml names; and no Grafana.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { RESIDENTS } from '../../src/lab/estate-hosts.ts'
import { alertNameOf } from '../../src/runbooks/names.ts'
import { build, causesByHost, freeNetwork, get, start, until } from '../e2e/built.ts'
import { notifying, startAlertmanager } from '../real/servers/alertmanager.ts'
import { program, realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { startPrometheus } from '../real/servers/prometheus.ts'
import { mountsOf, serviceOf } from './compose.ts'

const PATIENCE_SECONDS = 60
const CAUSES = ['service_stopped', 'port_blocked', 'host_unreachable'] as const
vi.setConfig({ testTimeout: 3 * PATIENCE_SECONDS * 1000 })

/** What the service reads there. */
function mounted(service: string, to: string): string {
  const mount = mountsOf(serviceOf(service)).find((each) => each.to === to)
  if (mount === undefined) throw new Error(`nothing is mounted at ${to}`)
  return readFileSync(mount.from, 'utf8')
}

const flagOf = (service: string, flag: string): string =>
  serviceOf(service)
    .command?.find((word) => word.startsWith(`--${flag}=`))
    ?.slice(flag.length + 3) ?? ''

beforeAll(build)
beforeEach((context) => realServer(context, ['prometheus', 'promtool', 'prometheus-alertmanager', 'amtool']))

/** A health check of compose.yml, at another port. */
async function health(service: string, from: string, to: string): Promise<number> {
  const [kind, command = '', ...args] = serviceOf(service).healthcheck?.test ?? []
  expect(kind).toBe('CMD')
  const there = args.map((word) => word.replace(from, to))
  expect(there).not.toEqual(args)
  if (command !== 'promtool' && command !== 'amtool') throw new Error(`${command} is of no package here`)
  return promisify(execFile)(program(command), there).then(
    () => 0,
    (error: { code?: number }) => error.code ?? -1,
  )
}

it.each(['prometheus', 'alertmanager'] as const)(
  '%s knows the flags that compose.yml gives it',
  async (name) => {
    const command = program(name === 'prometheus' ? name : 'prometheus-alertmanager')
    // Which stream it goes to, and how it ends, is different between the two.
    const help = await promisify(execFile)(command, ['--help']).catch((error: { stderr: string }) => error)
    const told = 'stdout' in help ? `${help.stdout}${help.stderr}` : help.stderr
    const flags = (serviceOf(name).command ?? []).flatMap((word) => /^--[^=]+/.exec(word) ?? [])
    expect(flags.length).toBeGreaterThan(2)
    for (const flag of flags) expect(told).toContain(`${flag}=`)
  },
)

describe('the demo, Prometheus and Alertmanager of compose.yml', () => {
  it('find each other: causes are scraped, rules are evaluated, alerts arrive, health checks tell', async () => {
    const exporterPort = await freePort()
    const demoFlags = (serviceOf('demo').command ?? []).map((word) =>
      word.replace(/^--web\.listen-address=:11688$/, `--web.listen-address=127.0.0.1:${exporterPort}`),
    )
    expect(demoFlags.join()).toContain(String(exporterPort))
    const demo = start([...demoFlags, `--demo.network=${await freeNetwork()}`])
    onTestFinished(() => demo.stop())

    const alertmanagerYaml = mounted('alertmanager', flagOf('alertmanager', 'config.file'))
    // Nobody listens there, and nothing is sent before the end.
    const alertmanager = await startAlertmanager(notifying(alertmanagerYaml, 'http://127.0.0.1:9/', 3600))
    onTestFinished(() => alertmanager.stop())

    const configFile = flagOf('prometheus', 'config.file')
    const folder = configFile.slice(0, configFile.lastIndexOf('/'))
    const shipped = mounted('prometheus', configFile)
    const configYaml = shipped
      .replace('exporter:11688', `127.0.0.1:${exporterPort}`)
      .replace('alertmanager:9093', `127.0.0.1:${alertmanager.port}`)
      .replaceAll(/(scrape_interval|evaluation_interval): 1m/g, '$1: 1s')
    expect(configYaml.match(/127\.0\.0\.1|: 1s/g)).toHaveLength(4)
    const ruleFiles = [...shipped.matchAll(/rule_files: \[(.+)\]/g)].map(([, name = '']) => name)
    expect(ruleFiles).toHaveLength(1)
    const prometheus = await startPrometheus({
      configYaml,
      // They want some minutes of a cause.
      files: Object.fromEntries(
        ruleFiles.map((name) => [
          name,
          mounted('prometheus', `${folder}/${name}`).replaceAll(/\bfor: \w+/g, 'for: 0s'),
        ]),
      ),
    })
    onTestFinished(() => prometheus.stop())

    await until(PATIENCE_SECONDS, 'the demo has named every cause', async () => {
      const exposition = (await get(`http://127.0.0.1:${exporterPort}/metrics`))?.body ?? ''
      const named = Object.values(causesByHost(exposition)).flat().length
      return named === RESIDENTS.filter(({ cause }) => cause !== null).length ? true : undefined
    })
    await prometheus.waitFor('up{job="winkms"} == 1', (samples) => samples.length === 1, PATIENCE_SECONDS)
    await prometheus.waitFor('winkms:cause:named == 1', (samples) => samples.length > 5, PATIENCE_SECONDS)
    await until(PATIENCE_SECONDS, 'Alertmanager has an alert of each kind', async () => {
      const held = new Set((await alertmanager.alerts()).map(({ labels }) => labels['alertname']))
      return CAUSES.every((cause) => held.has(alertNameOf(cause))) ? true : undefined
    })

    expect(await health('prometheus', 'localhost:9090', `127.0.0.1:${prometheus.port}`)).toBe(0)
    expect(await health('alertmanager', 'localhost:9093', `127.0.0.1:${alertmanager.port}`)).toBe(0)
    const nobody = `127.0.0.1:${await freePort()}`
    expect(await health('prometheus', 'localhost:9090', nobody)).toBe(1)
    expect(await health('alertmanager', 'localhost:9093', nobody)).toBe(1)
  })
})
