// Two vantage points, each a network of its own, and on the way from one of them TCP 1688 is filtered: alerts and dashboards
// say from where it is blocked, whether the label is the exporter's in one Prometheus, or each Prometheus's own.
import { readFile } from 'node:fs/promises'
import { beforeAll, expect, it } from 'vitest'
import { startNtp } from '../../src/lab/ntp.ts'
import { startRpc } from '../../src/lab/rpc.ts'
import { during } from '../during.ts'
import { build, until } from '../e2e/built.ts'
import { startExporter, type Exporter } from '../faults/exporter.ts'
import { ask } from '../grafana/ask.ts'
import { ALL, BOARDS, substitute } from '../grafana/committed.ts'
import { notifying, startAlertmanager, startReceiver, type Labels } from '../real/servers/alertmanager.ts'
import { realServer } from '../real/servers/need.ts'
import { makeNamespaceHost, type NamespaceHost } from '../real/servers/netns.ts'
import { startPrometheus } from '../real/servers/prometheus.ts'
import { firingAt, HASTE, hurriedRules, PATIENCE_SECONDS } from './company.ts'

beforeAll(build)

const HOST = 'kms01.corp.example'
const KMS_PORT = 1688
const EXPORTER_PORT = 11_688

/** The answer of a query of a committed dashboard. */
async function panel(url: string, uid: string, id: number): Promise<readonly object[]> {
  const expr = BOARDS.find((board) => board.uid === uid)?.panels.find((each) => each.id === id)?.targets?.[0]
    ?.expr
  if (expr === undefined) throw new Error(`${uid} has no panel ${id}`)
  const answer = await ask(url, substitute(expr, { ...ALL, host: HOST }))
  return answer
    .map(({ metric, values }) => ({ ...metric, value: values[0]?.[1] }))
    .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

it('a port that is blocked from the branch only is said to be, in alerts and on dashboards', async (context) => {
  realServer(context, ['namespaces', 'ip', 'nft', 'prometheus', 'prometheus-alertmanager'])
  const hq = await during(makeNamespaceHost('hq'))
  const branch = await during(makeNamespaceHost('branch'))
  // The host is this machine, at the address that headquarters see; the branch has a way to it, with a filter on it.
  const host = hq.peerAddress
  const kms = await during(startRpc('kms', { address: host, port: KMS_PORT }))
  const ntp = await during(startNtp(Date.now, { address: host, port: 0 }))
  await branch.exec('ip', 'route', 'add', host, 'via', branch.peerAddress)
  await branch.exec(
    'nft',
    `add chain inet lab way { type filter hook output priority 0; }; add rule inet lab way ip daddr ${host} tcp dport ${kms.port} drop`,
  )
  const startAt = (place: NamespaceHost): Promise<Exporter> =>
    startExporter(
      `domains: []
probes:
  port: { schedule: 2s, timeout: 1s }
  clock: { schedule: 2s, timeout: 1s, sources: [ntp], ports: { ntp: ${ntp.port} } }
hosts:
  - { name: ${HOST}, connect_to: ${host}, port: ${KMS_PORT} }
`,
      { before: place.prefix, flags: { 'web.listen-address': `${place.address}:${EXPORTER_PORT}` } },
    )
  await Promise.all([startAt(hq), startAt(branch)])

  const person = await during(startReceiver())
  const alertmanagerYaml = new URL('../../deploy/alertmanager/alertmanager.yml', import.meta.url)
  const alertmanager = await during(
    startAlertmanager(notifying(await readFile(alertmanagerYaml, 'utf8'), person.url, 1)),
  )
  const files = { 'winkms.rules.yml': await hurriedRules() }
  const target = ({ address }: NamespaceHost, labels: string): string =>
    `{ targets: ['${address}:${EXPORTER_PORT}'], labels: {${labels}} }`
  // One for both, which tells them apart by a label of its targets,
  const central = await during(
    startPrometheus({
      files,
      configYaml: `${HASTE} }
rule_files: [winkms.rules.yml]
scrape_configs:
  - job_name: winkms
    static_configs: [${target(hq, 'vantage: hq')}, ${target(branch, 'vantage: branch')}]
`,
    }),
  )
  // and one beside each exporter, which puts its label on all that leaves it.
  const local = (place: NamespaceHost, vantage: string) =>
    startPrometheus({
      files,
      configYaml: `${HASTE}, external_labels: { vantage: ${vantage} } }
rule_files: [winkms.rules.yml]
alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:${alertmanager.port}'] }] }] }
scrape_configs:
  - { job_name: winkms, static_configs: [${target(place, '')}] }
`,
    })
  await during(local(hq, 'hq'))
  await during(local(branch, 'branch'))

  const alerts = await until(PATIENCE_SECONDS, 'it fires', async () => {
    const firing = await firingAt(central)
    return firing.length > 0 ? firing : undefined
  })
  const blocked = { alertname: 'WinkmsPortBlocked', host: HOST, vantage: 'branch', cause: 'port_blocked' }
  const summary = `The KMS port is blocked: KMS host ${HOST}, seen from branch.`
  expect(alerts).toMatchObject([{ labels: blocked, annotations: { summary } }])

  const told = await until(PATIENCE_SECONDS, 'somebody is notified', () => {
    const all = person.notifications.flatMap((each) => each.alerts)
    return all.length > 0 ? all : undefined
  })
  expect(told).toMatchObject([{ status: 'firing', labels: blocked, annotations: { summary } }])

  // The dashboards: what each of them says, and of one host by where it is seen from.
  expect(await panel(central.url, 'winkms-estate', 25)).toEqual([
    { host: HOST, cause: 'port_blocked', vantage: 'branch', value: 1 },
  ])
  expect(await panel(central.url, 'winkms-host', 5)).toEqual([
    { vantage: 'branch', value: 0 },
    { vantage: 'hq', value: 1 },
  ])
  const alertsPanel = (await panel(central.url, 'winkms-estate', 24)) as readonly Labels[]
  expect(alertsPanel.map(({ vantage, alertname }) => [alertname, vantage])).toEqual([
    ['WinkmsPortBlocked', 'branch'],
  ])
  // Nobody else is blamed meanwhile: hosts may differ by where they are seen from.
  expect(await firingAt(central)).toHaveLength(1)
}, 180_000)
