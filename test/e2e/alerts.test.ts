// From a broken host to a person: the built demo, a real Prometheus with the real rules, a real Alertmanager with the
// example configuration, and somebody who is notified. Only waiting times are shortened, and that mechanically.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CAUSES, CAUSE_NAMES, rowOf, type Cause } from '../../src/diagnosis/causes.ts'
import { BREAKAGES, WAYS, type Breakage } from '../../src/lab/breakages.ts'
import { RESIDENTS } from '../../src/lab/estate-hosts.ts'
import { alertNameOf } from '../../src/runbooks/names.ts'
import {
  notifying,
  startAlertmanager,
  startReceiver,
  type AlertmanagerServer,
  type Labels,
  type Notified,
} from '../real/servers/alertmanager.ts'
import { realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { parseDuration } from '../../src/config/duration.ts'
import { startPrometheus, type PrometheusServer } from '../real/servers/prometheus.ts'
import { build, causesByHost, freeNetwork, get, run, start, until, type Running } from './built.ts'

/**
 * The rules wait so many times as long. Their shortest wait stays longer than the longest interval and timeout of the demo's
 * probes, so that a passing guess is nobody's alert, and their longest is cut.
 */
const SHORTENED = 30
const LEAST_FOR_SECONDS = 14
const MOST_SECONDS = 20
/** Long enough for what fires together to be told together. */
const GROUP_SECONDS = 3
/** The longest interval of a probe in the demo and its timeout; on top of that, for a machine that is busy. */
const INTERVAL_SECONDS = 13
const PATIENCE_SECONDS = 40
/** Nothing more may come for so long: longer than two groups wait, and, with all before it, than any rule. */
const QUIET_SECONDS = 6

/** The rules, with their waits shortened, so that what waited longer still does; nothing else is changed. */
function shortened(rules: string): string {
  return rules
    .replaceAll(/^(\s*(for|keep_firing_for): )(\S+)$/gm, (_, key: string, name: string, text: string) => {
      const seconds = Math.max(name === 'for' ? LEAST_FOR_SECONDS : 1, (parseDuration(text) ?? 0) / SHORTENED)
      return `${key}${Math.round(Math.min(MOST_SECONDS, seconds))}s`
    })
    .replaceAll(/^(\s*interval: ).+$/gm, '$11s')
}

const read = async (path: string): Promise<string> =>
  readFile(new URL(`../../deploy/${path}`, import.meta.url), 'utf8')

let demo: Running
let url: string
let control: string
let configFile: string
let folder: string
let person: Notified
let prometheus: PrometheusServer | undefined
let alertmanager: AlertmanagerServer | undefined

beforeAll(async () => {
  await build()
  folder = await mkdtemp(join(tmpdir(), 'winkms-alerts-'))
  configFile = join(folder, 'demo.yml')
  const [port, controlPort] = [await freePort(), await freePort()]
  url = `http://127.0.0.1:${port}`
  control = `http://127.0.0.1:${controlPort}`
  demo = start([
    'demo',
    `--demo.network=${await freeNetwork()}`,
    `--web.listen-address=127.0.0.1:${port}`,
    `--demo.control=127.0.0.1:${controlPort}`,
    `--demo.write-config=${configFile}`,
  ])
  person = await startReceiver()
  await until(PATIENCE_SECONDS, 'the demo answers', async () => get(`${url}/metrics`))
})

beforeEach(async (context) => {
  realServer(context, ['prometheus', 'prometheus-alertmanager'])
  alertmanager ??= await startAlertmanager(
    notifying(await read('alertmanager/alertmanager.yml'), person.url, GROUP_SECONDS),
  )
  prometheus ??= await startPrometheus({
    files: { 'winkms.rules.yml': shortened(await read('prometheus/winkms.rules.yml')) },
    configYaml: `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: [winkms.rules.yml]
alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:${alertmanager.port}'] }] }] }
scrape_configs:
  - { job_name: winkms, static_configs: [{ targets: ['${url.replace('http://', '')}'] }] }
`,
  })
})

afterAll(async () => {
  await prometheus?.stop()
  await alertmanager?.stop()
  await Promise.all([demo.stop(), person.stop()])
  await rm(folder, { recursive: true, force: true })
})

async function order(what: string): Promise<void> {
  const answer = await get(`${control}/${what}`, { method: 'POST' })
  expect(answer?.status, answer?.body).toBe(200)
}

/** What it is about, for people: `critical WinkmsServiceStopped kms02.corp.example`. */
function say({ alertname, severity, host, client, domain, instance }: Labels): string {
  return [severity, alertname, host ?? client ?? domain ?? instance].join(' ')
}

/** What the person believes to be wrong, from all notifications so far. */
function believed(notifications = person.notifications): readonly string[] {
  const wrong = new Set<string>()
  for (const { status, labels } of notifications.flatMap(({ alerts }) => alerts))
    if (status === 'firing') wrong.add(say(labels))
    else wrong.delete(say(labels))
  return [...wrong].toSorted()
}

/** What the person has learned since, and in how many notifications. */
function news(since: number): { readonly said: readonly string[]; readonly notifications: number } {
  const before = new Set(believed(person.notifications.slice(0, since)))
  const said = new Set<string>()
  for (const { status, labels } of person.notifications.slice(since).flatMap(({ alerts }) => alerts)) {
    const line = say(labels)
    if (before.has(line) === (status === 'firing')) continue
    said.add(`${status} ${line}`)
  }
  return { said: [...said].toSorted(), notifications: person.notifications.length - since }
}

/** Waits until all that is expected is there, and then for what is not. */
async function settled<T>(look: () => T, expected: T): Promise<void> {
  const same = (): boolean => JSON.stringify(look()) === JSON.stringify(expected)
  await until(
    MOST_SECONDS + PATIENCE_SECONDS,
    () => {
      expect(look()).toEqual(expected)
      return 'expected'
    },
    () => (same() ? true : undefined),
  )
  await pause(QUIET_SECONDS * 1000)
  expect(look()).toEqual(expected)
}

const nameOf = ({ label, domain }: { label: string; domain: string }): string => `${label}.${domain}`

/** Whether a host of the domain serves, so that clients there find one that does. */
const isServed = (domain: string): boolean =>
  RESIDENTS.some((each) => each.domain === domain && !(each.cause && rowOf(each.cause as Cause).stopsService))

/** What is told besides. */
const ALSO_AT_START: readonly string[] = [
  // Of one client with a clock of its own, PC-LOST.
  'warning WinkmsClientExpiry kms01.corp.example',
]

/** Of the demo's hosts as they are from the start: who is sick has one notification, and that by the name of its cause. */
function expectedAtStart(): readonly string[] {
  const sick = RESIDENTS.flatMap((resident) => {
    if (resident.cause === null) return []
    const cause = resident.cause as Cause
    const severity = rowOf(cause).stopsService && !isServed(resident.domain) ? 'critical' : 'warning'
    return [`${severity} ${alertNameOf(cause)} ${nameOf(resident)}`]
  })
  return [...sick, ...ALSO_AT_START].toSorted()
}

it('the demo says how to break a host, and its control which ways there are', async () => {
  expect(demo.out()).toContain(`curl -X POST '${control}/break?host=kms02.corp.example&how=stop_service'`)
  const overview = (await get(`${control}/`))?.body ?? ''
  for (const way of WAYS) expect(overview).toContain(`  ${way} `)
})

describe('who is notified', () => {
  it('from the start: of every sick host once, by its cause, and of nothing else', async () => {
    await settled(believed, expectedAtStart())
  }, 120_000)

  it('kms02 stops: one notification, that sppsvc is stopped; a warning, for kms01 serves the domain', async () => {
    const since = person.notifications.length
    await order('break?host=kms02.corp.example&how=stop_service')
    await settled(() => news(since), {
      said: ['firing warning WinkmsServiceStopped kms02.corp.example'],
      notifications: 1,
    })
  }, 120_000)

  it('kms01 stops as well: now nobody serves the domain, and that pages, once', async () => {
    const since = person.notifications.length
    await order('break?host=kms01.corp.example&how=stop_service')
    await settled(
      () => news(since).said,
      [
        'firing critical WinkmsServiceStopped kms01.corp.example',
        'firing critical WinkmsServiceStopped kms02.corp.example',
        'resolved warning WinkmsServiceStopped kms02.corp.example',
      ],
    )
  }, 120_000)

  it('both start again: what was said is taken back, and nothing else is said', async () => {
    const since = person.notifications.length
    await order('repair')
    await settled(
      () => news(since).said,
      [
        'resolved critical WinkmsServiceStopped kms01.corp.example',
        'resolved critical WinkmsServiceStopped kms02.corp.example',
      ],
    )
    expect(believed()).toEqual(expectedAtStart())
  }, 120_000)
})

/** Each way on a host of its own, so that all can be shown at once; `also` is what is wrong with it besides. */
const BROKEN: Readonly<Record<Breakage, { readonly host: string; readonly also: readonly Cause[] }>> = {
  stop_service: { host: 'kms02.corp.example', also: [] },
  filter: { host: 'kms-branch.branch.example', also: ['srv_missing'] },
  power_off: { host: 'kms-port.plant.example', also: ['srv_wrong_port'] },
  impostor: { host: 'kms-moved.plant.example', also: ['host_record_wrong'] },
  clock_ahead: { host: 'kms-anything.plant.example', also: ['not_kms_listener'] },
  unpublish: { host: 'kms-2016.lab.example', also: ['version_mismatch'] },
  wrong_srv_port: { host: 'kms-few.lab.example', also: ['count_below_threshold'] },
  move_record: { host: 'kms-unread.lab.example', also: ['event_log_unreadable'] },
  disable_kms: { host: 'kms-clock.plant.example', also: ['clock_skew'] },
  lose_licence: { host: 'kms-unlisted.plant.example', also: ['srv_missing'] },
  lose_clients: { host: 'kms-unlicensed.lab.example', also: ['host_not_licensed'] },
  old_key: { host: 'kms01.corp.example', also: [] },
  hide_log: { host: 'kms-clones.lab.example', also: ['count_below_threshold'] },
}

/** What each of those that people ask says of a host: the causes that it names, in order. */
const WITNESSES: Readonly<Record<string, (host: string) => Promise<readonly string[]>>> = {
  'the metrics': async (host) => causesByHost((await get(`${url}/metrics`))?.body ?? '')[host] ?? [],
  'the API': async (host) => {
    const { causes } = JSON.parse((await get(`${url}/api/v1/hosts/${host}`))?.body ?? '{}') as Told
    return causes.toSorted()
  },
  'the status page': async (host) => {
    const html = (await get(`${url}/hosts/${host}`))?.body ?? ''
    const headings = [...html.matchAll(/<h2 id="why-\w+">([^<]+?) *</g)].map(([, title]) => title)
    return CAUSE_NAMES.filter((cause) => headings.includes(escaped(CAUSES[cause].title))).toSorted()
  },
  'the alerts in Prometheus': async (host) => {
    const { data } = JSON.parse((await get(`${prometheus?.url}/api/v1/alerts`))?.body ?? '{}') as Alerts
    return data.alerts
      .filter(({ state, labels }) => state === 'firing' && labels['host'] === host)
      .flatMap(({ labels }) => labels['cause'] ?? [])
      .toSorted()
  },
  'diagnose --json': async (host) => {
    const { out } = await run(['diagnose', `--config.file=${configFile}`, host, '--json'])
    return (JSON.parse(out) as readonly Told[])[0]?.causes.toSorted() ?? []
  },
}

interface Told {
  readonly causes: readonly string[]
}

interface Alerts {
  readonly data: { readonly alerts: readonly { readonly state: string; readonly labels: Labels }[] }
}

const escaped = (text: string): string => text.replaceAll("'", '&#39;')

/** Asks one after the other until what is said is what is expected. Rejects with who said what. */
async function heard(
  witness: string,
  expected: Readonly<Record<string, readonly string[]>>,
): Promise<number> {
  const startedAt = performance.now()
  const seconds =
    (witness.includes('Prometheus') ? 2 * MOST_SECONDS : 0) + INTERVAL_SECONDS + PATIENCE_SECONDS
  const waiting = new Set(Object.keys(expected))
  let last: Record<string, readonly string[]> = {}
  await until(
    seconds,
    () => {
      for (const [host, causes] of Object.entries(last))
        expect(causes, `${witness}, ${host}`).toEqual(expected[host])
      return witness
    },
    async () => {
      last = {}
      for (const host of waiting) {
        last[host] = (await WITNESSES[witness]?.(host)) ?? []
        if (JSON.stringify(last[host]) === JSON.stringify(expected[host])) waiting.delete(host)
      }
      return waiting.size === 0 ? true : undefined
    },
  )
  return (performance.now() - startedAt) / 1000
}

describe('a host broken in each way', () => {
  const hosts = WAYS.map((way) => BROKEN[way].host)

  it('has the cause on the page, in the metrics, in the alert and by diagnose, and after a repair nowhere', async () => {
    expect(new Set(hosts).size).toBe(WAYS.length)
    await Promise.all(WAYS.map(async (way) => order(`break?host=${BROKEN[way].host}&how=${way}`)))
    const broken: Record<string, readonly string[]> = {
      ...Object.fromEntries(
        WAYS.map((way) => [BROKEN[way].host, [BREAKAGES[way].cause, ...BROKEN[way].also].toSorted()]),
      ),
      // Nothing to break there: nobody expects it.
      'kms-old.plant.example': ['srv_stale'],
    }
    const took = await Promise.all(Object.keys(WITNESSES).map(async (each) => heard(each, broken)))
    process.stdout.write(
      `alerts: all causes named after ${Object.keys(WITNESSES)
        .map((each, index) => `${took[index]?.toFixed(1)} s by ${each}`)
        .join(', ')}\n`,
    )
    await order('repair')
    const repaired = Object.fromEntries(
      RESIDENTS.filter((resident) => hosts.includes(nameOf(resident))).map((resident) => [
        nameOf(resident),
        resident.cause === null ? [] : [resident.cause],
      ]),
    )
    await Promise.all(Object.keys(WITNESSES).map(async (each) => heard(each, repaired)))
  }, 180_000)
})
