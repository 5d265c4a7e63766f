// Everything twice: a pair of exporters, a pair of Prometheus servers that each scrape both, a pair of Alertmanagers. One
// stopped service is one notification, also when one of each pair is gone.
import { readFile } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { during } from '../during.ts'
import { build, until } from '../e2e/built.ts'
import { startExporter } from '../faults/exporter.ts'
import { notifying, startAlertmanager, startReceiver } from '../real/servers/alertmanager.ts'
import { realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { startPrometheus } from '../real/servers/prometheus.ts'
import { brief, HASTE, hurriedRules, PATIENCE_SECONDS, startSmallEstate } from './company.ts'

beforeAll(build)

/** How long the second Alertmanager waits for the first; what a group waits besides. */
const PEER_TIMEOUT_SECONDS = 4
const GROUP_SECONDS = 1
/** By then, whoever wanted to say it once more has: the last one of all, and one interval of the group. */
const QUIET_SECONDS = 10

const read = (path: string): Promise<string> =>
  readFile(new URL(`../../deploy/${path}`, import.meta.url), 'utf8')

it('one stopped service is one notification, with all of both pairs and with one of each', async (context) => {
  realServer(context, ['prometheus', 'prometheus-alertmanager'])
  const estate = await startSmallEstate(['corp.example'], 4)
  const exporters = await Promise.all([startExporter(estate.yaml), startExporter(estate.yaml)])
  const person = await during(startReceiver())

  const alertmanagerYaml = notifying(await read('alertmanager/alertmanager.yml'), person.url, GROUP_SECONDS)
  const ports = [await freePort(), await freePort()]
  const alertmanagers = await Promise.all(
    ports.map((port) =>
      during(
        startAlertmanager(alertmanagerYaml, {
          port,
          peers: ports.filter((other) => other !== port),
          peerTimeoutSeconds: PEER_TIMEOUT_SECONDS,
        }),
      ),
    ),
  )
  for (const { url } of alertmanagers)
    await until(PATIENCE_SECONDS, 'the two know each other', async () => {
      const answer = await fetch(`${url}/api/v2/status`)
      const { cluster } = (await answer.json()) as { cluster: { status: string; peers: readonly object[] } }
      return cluster.status === 'ready' && cluster.peers.length === 2 ? true : undefined
    })

  // As the example has it, but for what is faster here and where things are.
  const example = parse(await read('prometheus/pair.yml')) as {
    readonly alerting: { readonly alert_relabel_configs: readonly object[] }
  }
  const quoted = (urls: readonly string[]): string =>
    urls.map((url) => `'${url.replace('http://', '')}'`).join(', ')
  const rules = await hurriedRules()
  const servers = await Promise.all(
    ['a', 'b'].map((replica) =>
      during(
        startPrometheus({
          files: { 'winkms.rules.yml': rules },
          configYaml: `${HASTE}, external_labels: { replica: ${replica} } }
rule_files: [winkms.rules.yml]
alerting:
  alert_relabel_configs: ${JSON.stringify(example.alerting.alert_relabel_configs)}
  alertmanagers: [{ static_configs: [{ targets: [${quoted(alertmanagers.map(({ url }) => url))}] }] }]
scrape_configs:
  - { job_name: winkms, static_configs: [{ targets: [${quoted(exporters.map(({ url }) => url))}] }] }
`,
        }),
      ),
    ),
  )
  for (const prometheus of servers)
    await prometheus.waitFor(
      'count(winkms_host_serving == 1)',
      ([sample]) => sample?.value === 2 * estate.hosts.length,
      PATIENCE_SECONDS,
    )

  const [first = '', second = ''] = estate.hosts
  const told = (): readonly (readonly string[])[] =>
    person.notifications.map(({ alerts }) => brief(alerts.filter(({ status }) => status === 'firing')))
  const stopped = (host: string): string => `warning WinkmsServiceStopped ${host}`

  await estate.stopService(first)
  await until(PATIENCE_SECONDS, 'somebody is told', () => (told().length > 0 ? true : undefined))
  await pause(QUIET_SECONDS * 1000)
  expect(told()).toEqual([[stopped(first)]])
  // Nobody was silent: all four ways led to an Alertmanager.
  for (const { alerts } of alertmanagers) expect(brief(await alerts())).toEqual([stopped(first)])
  const labels = person.notifications[0]?.alerts[0]?.labels ?? {}
  expect(Object.keys(labels)).not.toContain('replica')
  expect(Object.keys(labels)).not.toContain('instance')

  // The first in the cluster has no one to wait for, so that the second has to notice, whichever is gone.
  await alertmanagers[0]?.stop()
  await servers[0]?.stop()
  await estate.stopService(second)
  await until(PATIENCE_SECONDS, 'somebody is told of the other', () => (told().length > 1 ? true : undefined))
  await pause(QUIET_SECONDS * 1000)
  expect(told()).toEqual([[stopped(first)], [stopped(first), stopped(second)]])
}, 240_000)
