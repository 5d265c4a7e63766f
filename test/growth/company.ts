// What the tests of growth have in common: a small estate that several exporters watch, the shipped rules in a hurry, and
// what a Prometheus alerts.
import { readFile } from 'node:fs/promises'
import { parseDuration } from '../../src/config/duration.ts'
import { startDns, type DnsRecord } from '../../src/lab/dns.ts'
import { startNtp } from '../../src/lab/ntp.ts'
import { startRpc } from '../../src/lab/rpc.ts'
import { during } from '../during.ts'
import type { PrometheusServer } from '../real/servers/prometheus.ts'
import { freePort } from '../real/servers/ports.ts'

/** Of a machine that is busy; on a quiet one all is there in a few seconds. */
export const PATIENCE_SECONDS = 60
/** What was said in a scrape that has failed since counts for so long, instead of five minutes. */
const REMEMBERED = '8s'
/** Longer than the interval and the timeout of any probe here. */
const LEAST_FOR_SECONDS = 6
const MOST_FOR_SECONDS = 15

/** The rules, with their waits shortened, so that what waited longer still does; nothing else is changed. */
export async function hurriedRules(): Promise<string> {
  const file = new URL('../../deploy/prometheus/winkms.rules.yml', import.meta.url)
  return (await readFile(file, 'utf8'))
    .replaceAll(/^(\s*(?:for|keep_firing_for): )(\S+)$/gm, (_, key: string, text: string) => {
      const seconds = (parseDuration(text) ?? 0) / 60
      return `${key}${Math.round(Math.min(MOST_FOR_SECONDS, Math.max(LEAST_FOR_SECONDS, seconds)))}s`
    })
    .replaceAll('[5m]', `[${REMEMBERED}]`)
}

export const HASTE = 'global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s'

export interface Alert {
  readonly state: 'pending' | 'firing'
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export async function firingAt({ url }: PrometheusServer): Promise<readonly Alert[]> {
  const answer = await fetch(`${url}/api/v1/alerts`, { signal: AbortSignal.timeout(5_000) })
  const { data } = (await answer.json()) as { data: { alerts: readonly Alert[] } }
  return data.alerts.filter(({ state }) => state === 'firing')
}

/** `warning WinkmsServiceStopped kms01.corp.example`: for people, in alphabetical order. */
export function brief(alerts: readonly Pick<Alert, 'labels'>[]): readonly string[] {
  return alerts
    .map(({ labels: { alertname, severity, host, domain, instance } }) =>
      [severity, alertname, host ?? domain ?? instance].filter(Boolean).join(' '),
    )
    .toSorted()
}

export interface SmallEstate {
  /** Of a configuration that watches it once a second or two. */
  readonly yaml: string
  readonly hosts: readonly string[]
  readonly domains: readonly string[]
  /** From then on its service is stopped: its port refuses. */
  stopService(host: string): Promise<void>
}

/** Hosts `kms0` and so on of each domain, all of which serve; each on a port of its own of this machine. */
export async function startSmallEstate(
  domains: readonly string[],
  each: number,
  hostSchedule = '2s',
): Promise<SmallEstate> {
  const at = { address: '127.0.0.1', port: 0 }
  const ntp = await during(startNtp(Date.now, at))
  const names = domains.flatMap((domain) =>
    Array.from({ length: each }, (_, index) => `kms${index}.${domain}`),
  )
  const hosts = await Promise.all(
    names.map(async (name) => {
      const kms = await startRpc('kms', { address: '127.0.0.1', port: await freePort() })
      return { name, kms: await during(Promise.resolve(kms)) }
    }),
  )
  const inDomain = (domain: string) => hosts.filter(({ name }) => name.endsWith(`.${domain}`))
  const zone = (domain: string): readonly DnsRecord[] =>
    inDomain(domain).flatMap(({ name, kms }): readonly DnsRecord[] => [
      { name, type: 'A', data: '127.0.0.1' },
      {
        name: `_vlmcs._tcp.${domain}`,
        type: 'SRV',
        data: { priority: 0, weight: 0, port: kms.port, target: name },
      },
    ])
  const dns = await during(
    startDns({ zones: Object.fromEntries(domains.map((domain) => [domain, zone(domain)])) }, at),
  )
  const expected = (domain: string): string =>
    inDomain(domain)
      .map(({ name, kms }) => `{ target: ${name}, port: ${kms.port} }`)
      .join(', ')
  return {
    hosts: names,
    domains,
    yaml: `resolvers: ["127.0.0.1:${dns.port}"]
domains:
${domains.map((domain) => `  - { name: ${domain}, expect: [${expected(domain)}] }`).join('\n')}
probes:
  port: { schedule: ${hostSchedule}, timeout: 2s }
  srv: { schedule: 2s, timeout: 2s }
  clock: { schedule: ${hostSchedule}, timeout: 2s, sources: [ntp], ports: { ntp: ${ntp.port} }, references: ["127.0.0.1:${ntp.port}"] }
hosts:
${hosts.map(({ name, kms }) => `  - { name: ${name}, addresses: [127.0.0.1], port: ${kms.port} }`).join('\n')}
`,
    stopService: async (host) => hosts.find(({ name }) => name === host)?.kms.stop(),
  }
}
