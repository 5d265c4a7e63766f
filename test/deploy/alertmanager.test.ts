// The example configuration of Alertmanager: whom amtool says it tells, and what a real Alertmanager keeps back while
// something else explains it. The alerts are those of the real rules, by name and by the labels that they always bear.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { CAUSE_NAMES, rowOf, type Cause } from '../../src/diagnosis/causes.ts'
import { alertNameOf, RUNBOOK_NAMES, type RunbookName } from '../../src/runbooks/names.ts'
import {
  amtool,
  notifying,
  startAlertmanager,
  type AlertmanagerServer,
  type Labels,
} from '../real/servers/alertmanager.ts'
import { realServer } from '../real/servers/need.ts'

const fileOf = (path: string): string => fileURLToPath(new URL(`../../deploy/${path}`, import.meta.url))
const FILE = fileOf('alertmanager/alertmanager.yml')

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert?: string; readonly labels?: Labels }[]
  }[]
}

let text: string
let rules: readonly { readonly alert: string; readonly labels: Labels }[]
beforeAll(async () => {
  text = await readFile(FILE, 'utf8')
  const { groups } = parse(await readFile(fileOf('prometheus/winkms.rules.yml'), 'utf8')) as Rules
  rules = groups
    .flatMap((group) => group.rules)
    .flatMap(({ alert, labels = {} }) => (alert === undefined ? [] : [{ alert, labels }]))
})

let alertmanager: AlertmanagerServer | undefined
afterAll(async () => alertmanager?.stop())

describe('amtool', () => {
  beforeEach((context) => realServer(context, ['amtool']))

  async function check(yaml: string): Promise<number> {
    const folder = await mkdtemp(join(tmpdir(), 'winkms-amtool-'))
    await writeFile(join(folder, 'alertmanager.yml'), yaml)
    const { code } = await amtool(['check-config', join(folder, 'alertmanager.yml')])
    await rm(folder, { recursive: true })
    return code
  }

  it('accepts the configuration, and with e-mail in place of the webhook', async () => {
    expect(await check(text)).toBe(0)
    const byMail = text.replaceAll(/^( +)# (email_configs:| {2}[- ] \S+: )/gm, '$1$2')
    expect(byMail.match(/^ +email_configs:$/gm)).toHaveLength(1)
    expect(byMail).not.toMatch(/^ +# {3}/m)
    expect(await check(byMail)).toBe(0)
    expect(await check(text.replace('receiver: winkms-page', 'receiver: nobody'))).toBe(1)
  })

  it('has every alert of the rules go to the pager when it is critical, and else to the tickets', async () => {
    expect(rules.length).toBeGreaterThan(RUNBOOK_NAMES.length / 2)
    const kinds = new Map(
      rules.map(({ alert, labels }) => [`${alert} ${labels['severity']}`, { alert, labels }]),
    )
    for (const { alert, labels } of kinds.values()) {
      const pairs = Object.entries({ ...labels, alertname: alert }).map(([name, value]) => `${name}=${value}`)
      const { out } = await amtool(['config', 'routes', 'test', `--config.file=${FILE}`, ...pairs])
      expect(out.trim(), alert).toBe(labels['severity'] === 'critical' ? 'winkms-page' : 'winkms-ticket')
    }
  })

  it('loses no alert that it does not know', async () => {
    const { out } = await amtool(['config', 'routes', 'test', `--config.file=${FILE}`, 'alertname=Other'])
    expect(out.trim()).toBe('winkms-ticket')
  })
})

it('names no alert that there is not', () => {
  const known = new Set(RUNBOOK_NAMES.map(alertNameOf))
  const named = [...text.matchAll(/Winkms\w+/g)].map(([name]) => name)
  expect(named.length).toBeGreaterThan(5)
  expect(named.filter((name) => !known.has(name))).toEqual([])
})

type Severity = 'critical' | 'warning'
/** An alert: what it is of, and labels that it gets from the data. */
type Given = readonly [slug: RunbookName, severity: Severity, more?: Labels]

const HOST = { host: 'kms01.corp.example' }
const OTHER = { host: 'kms02.corp.example' }
const CLIENT = { client: 'pc-042.corp.example', ...HOST }
const DOMAIN = { domain: 'corp.example' }

/** All that a host can be reported for besides its causes. */
const CONSEQUENCES: readonly Given[] = [
  ['host_not_serving', 'warning', HOST],
  ['probe_unanswered', 'warning', { ...HOST, probe: 'licensing' }],
  ['probe_stale', 'warning', { ...HOST, probe: 'port' }],
  ['host_idle', 'warning', HOST],
  ['requests_failing', 'warning', { ...HOST, result: '0xC004F042' }],
  ['drift_high', 'warning', HOST],
  ['count_near_threshold', 'warning', { ...HOST, product: 'ws2022' }],
  ['count_forecast_low', 'warning', HOST],
  ['client_expiry', 'warning', HOST],
  ['dns_publishing_failed', 'warning', { ...HOST, ...DOMAIN }],
  ['canary_failing', 'warning', CLIENT],
]

const STOPPING = CAUSE_NAMES.filter((cause) => rowOf(cause).stopsService)

interface Scene {
  readonly what: string
  readonly given: readonly Given[]
  /** Which of them are kept back by the others; the rest is sent. */
  readonly kept: readonly number[]
}

const allBut = (count: number, from: readonly Given[]): readonly number[] =>
  from.map((_, index) => index).slice(count)

function explained(cause: Cause, severity: Severity): Scene {
  const given: readonly Given[] = [[cause, severity, HOST], ...CONSEQUENCES]
  return { what: `${severity} ${cause} is one notification, not twelve`, given, kept: allBut(1, given) }
}

const SCENES: readonly Scene[] = [
  ...STOPPING.map((cause) => explained(cause, 'warning')),
  explained('service_stopped', 'critical'),
  {
    what: 'another host keeps its own',
    given: [['service_stopped', 'critical', OTHER], ...CONSEQUENCES],
    kept: [],
  },
  {
    what: 'so does the same host, seen from elsewhere',
    given: [
      ['service_stopped', 'critical', { ...HOST, vantage: 'berlin' }],
      ['host_not_serving', 'warning', { ...HOST, vantage: 'oslo' }],
      ['probe_unanswered', 'warning', { ...HOST, vantage: 'berlin' }],
    ],
    kept: [2],
  },
  {
    what: 'two causes of one host are two things to do',
    given: [
      ['service_stopped', 'warning', HOST],
      ['srv_missing', 'warning', HOST],
    ],
    kept: [],
  },
  {
    what: 'of a host that cannot be reached nothing else is known, of the domain and of others it is',
    given: [
      ['host_unreachable', 'critical', HOST],
      ['srv_missing', 'critical', HOST],
      ['version_mismatch', 'warning', HOST],
      ...CONSEQUENCES,
      ['domain_not_served', 'critical', DOMAIN],
      ['service_stopped', 'critical', OTHER],
    ],
    kept: [1, 2, ...CONSEQUENCES.map((_, index) => index + 3)],
  },
  {
    what: 'what pages is not kept back by what does not',
    given: [
      ['host_unreachable', 'warning', HOST],
      ['service_stopped', 'warning', OTHER],
      ['client_expiry', 'critical', HOST],
      ['client_expiry', 'critical', OTHER],
    ],
    kept: [],
  },
  {
    what: 'but by what pages itself',
    given: [
      ['service_stopped', 'critical', HOST],
      ['client_expiry', 'critical', HOST],
    ],
    kept: [1],
  },
  {
    what: 'an old host explains requests that it refuses, and no more',
    given: [
      ['version_mismatch', 'warning', HOST],
      ['requests_failing', 'warning', HOST],
      ['canary_failing', 'warning', CLIENT],
      ['host_idle', 'warning', HOST],
      ['requests_failing', 'warning', OTHER],
    ],
    kept: [1, 2],
  },
  {
    what: 'a log that cannot be read explains that it is not read, and no more',
    given: [
      ['event_log_unreadable', 'warning', HOST],
      ['probe_unanswered', 'warning', { ...HOST, probe: 'activity' }],
      ['event_log_losing', 'warning', HOST],
      ['probe_unanswered', 'warning', { ...HOST, probe: 'licensing' }],
      ['probe_unanswered', 'warning', { ...OTHER, probe: 'activity' }],
    ],
    kept: [1, 2],
  },
  {
    what: 'a wrong clock of the exporter makes doubtful what it says of others, but no host stops for it',
    given: [
      ['exporter_clock_wrong', 'warning', { instance: 'a:11688' }],
      ['drift_high', 'warning', HOST],
      ['clock_skew', 'warning', OTHER],
      ['clock_skew', 'critical', HOST],
      ['service_stopped', 'warning', HOST],
    ],
    // The drift also because of its own cause.
    kept: [1, 2],
  },
  {
    what: 'of an exporter that is down nothing new is known, of its replica there is',
    given: [
      ['exporter_down', 'warning', { instance: 'a:11688' }],
      ['runs_skipped', 'warning', { instance: 'a:11688' }],
      ['config_reload_failed', 'warning', { instance: 'a:11688' }],
      ['storage_failing', 'warning', { instance: 'b:11688' }],
      ['probe_stale', 'warning', HOST],
    ],
    kept: [1, 2],
  },
  {
    what: 'a shard that is missing pages, and who is down is a ticket besides',
    given: [
      ['shard_missing', 'critical'],
      ['exporter_down', 'warning', { instance: 'a:11688' }],
    ],
    kept: [],
  },
  {
    what: 'that no exporter is left is said once',
    given: [
      ['exporter_down', 'critical'],
      ['exporter_down', 'warning', { instance: 'a:11688' }],
      ['exporter_down', 'warning', { instance: 'b:11688' }],
      ['storage_failing', 'warning', { instance: 'b:11688' }],
      ['service_stopped', 'critical', HOST],
    ],
    kept: [1, 2, 3],
  },
  {
    what: 'what is critical is not a warning besides',
    given: [
      ['client_expiry', 'critical', HOST],
      ['client_expiry', 'warning', HOST],
      ['client_expiry', 'warning', OTHER],
      ['dns_publishing_failed', 'critical', { ...OTHER, ...DOMAIN }],
      ['dns_publishing_failed', 'warning', { ...OTHER, ...DOMAIN }],
      ['dns_publishing_failed', 'warning', { ...OTHER, domain: 'plant.example' }],
    ],
    kept: [1, 4],
  },
  {
    what: 'a cause that has turned critical lets its warning be taken back',
    given: [
      ['service_stopped', 'critical', HOST],
      ['service_stopped', 'warning', HOST],
    ],
    kept: [],
  },
  {
    what: 'nothing keeps itself back',
    given: STOPPING.map((cause) => [cause, 'warning', { host: `${cause}.corp.example` }]),
    kept: [],
  },
]

describe('a real Alertmanager', () => {
  beforeEach(async (context) => {
    realServer(context, ['prometheus-alertmanager'])
    // Nobody listens there, and nothing is sent before the end.
    alertmanager ??= await startAlertmanager(notifying(text, 'http://127.0.0.1:9/', 3600))
  })

  it.each(SCENES.map((scene, index) => [scene.what, index, scene] as const))(
    '%s',
    async (_what, index, scene) => {
      // One of its own for each scene, since these alerts are all there at once.
      const vantage = `scene ${index}`
      const alerts = scene.given.map(labelsOf).map((labels) => ({
        ...labels,
        vantage: [vantage, labels['vantage']].join(' ').trim(),
      }))
      await alertmanager?.post(alerts)
      const held = (await alertmanager?.alerts()) ?? []
      const states = alerts.map((labels) => held.find((each) => same(each.labels, labels))?.status.state)
      expect(states).toEqual(alerts.map((_, which) => (scene.kept.includes(which) ? 'suppressed' : 'active')))
    },
  )

  it('makes one notification of twenty hosts that one patch has stopped, and one of each other cause', async () => {
    const given = Array.from({ length: 20 }, (_, index): Given => [
      'service_stopped',
      'warning',
      { host: `h${index}` },
    ])
    await alertmanager?.post(
      [...given, ['port_blocked', 'warning', HOST] as const].map((each) => labelsOf(each)),
    )
    const answer = await fetch(`${alertmanager?.url}/api/v2/alerts/groups?filter=vantage=""`)
    const groups = (await answer.json()) as readonly {
      readonly labels: Labels
      readonly alerts: readonly object[]
    }[]
    expect(groups.map(({ labels, alerts }) => [labels, alerts.length])).toEqual([
      [{ alertname: 'WinkmsPortBlocked' }, 1],
      [{ alertname: 'WinkmsServiceStopped' }, 20],
    ])
  })
})

function same(some: Labels, others: Labels): boolean {
  const names = new Set([...Object.keys(some), ...Object.keys(others)])
  return [...names].every((name) => some[name] === others[name])
}

function labelsOf([slug, severity, more]: Given): Labels {
  const alertname = alertNameOf(slug)
  const rule = rules.find(({ alert, labels }) => alert === alertname && labels['severity'] === severity)
  expect(rule, `${severity} ${alertname} is in the rules`).toBeDefined()
  return { ...rule?.labels, alertname, ...more }
}
