// The configuration under which the daemon watches the simulated estate, as YAML text, and the DNS zones behind it.
import type { DnsRecord } from './dns.ts'
import type { Resident } from './estate-hosts.ts'
import { BRANCH, CORP, PLANT, RESIDENTS } from './estate-hosts.ts'
import { LAB_PORTS } from './host.ts'

export interface EstatePlan {
  /** First two numbers of every address: 127.88. */
  readonly network: string
  readonly resolvers: readonly [string, string]
  readonly reference: string
}

const SITES: Readonly<Record<string, string>> = { [CORP]: 'hq', [PLANT]: 'plant', [BRANCH]: 'branch' }

export function nameOf({ label, domain }: Resident): string {
  return `${label}.${domain}`
}

export function addressOf(network: string, { number }: Resident): string {
  return `${network}.1.${number}`
}

/** `withBranch` is false for the server on which the branch's SRV record is missing. */
export function zonesOf(network: string, withBranch: boolean): Record<string, DnsRecord[]> {
  const zones: Record<string, DnsRecord[]> = {}
  for (const resident of RESIDENTS) {
    const records = (zones[resident.domain] ??= [])
    const target = nameOf(resident)
    const recorded = resident.recordedNumber ?? resident.number
    records.push({ name: target, type: 'A', data: `${network}.1.${recorded}` })
    if (resident.srvPort === null || (resident.domain === BRANCH && !withBranch)) continue
    const data = { priority: 0, weight: 0, port: resident.srvPort, target }
    records.push({ name: `_vlmcs._tcp.${resident.domain}`, type: 'SRV', data })
  }
  return zones
}

export function renderConfig({ network, resolvers, reference }: EstatePlan): string {
  const watched = RESIDENTS.filter(({ forgotten }) => !forgotten)
  const both = JSON.stringify(resolvers)
  const hosts = watched.map((resident) => {
    const address = addressOf(network, resident)
    const url = JSON.stringify(`http://${address}:${LAB_PORTS.http}/metrics`)
    return [
      `  - name: ${nameOf(resident)}`,
      ...(resident.recordedNumber === undefined ? [] : [`    addresses: ["${address}"]`]),
      `    labels: { site: ${SITES[resident.domain] ?? 'elsewhere'} }`,
      ...(resident.sppsvc === undefined ? [] : [`    windows: { via: windows_exporter, url: ${url} }`]),
    ].join('\n')
  })
  const domains = [CORP, PLANT, BRANCH].map((domain) => {
    const expected = watched.filter((resident) => resident.domain === domain)
    return [
      `  - name: ${domain}`,
      `    resolvers: ${both}`,
      '    expect:',
      ...expected.map((resident) => `      - ${expectation(resident)}`),
      '    unexpected: error',
    ].join('\n')
  })
  return `resolvers: ["${resolvers[0]}"]
hosts:
${hosts.join('\n')}
domains:
${domains.join('\n')}
probes:
  port: { schedule: 5s, timeout: 2s }
  srv: { schedule: 10s, timeout: 2s }
  service: { schedule: 5s, timeout: 2s }
  clock:
    schedule: 10s
    timeout: 3s
    sources: [smb2, ntp, http, ntlm]
    ports: { smb2: ${LAB_PORTS.smb2}, ntp: ${LAB_PORTS.ntp}, http: ${LAB_PORTS.http}, ntlm: ${LAB_PORTS.http} }
    references: ["${reference}"]
discovery: { from_srv: true }
`
}

/** One host is written out in full, so that the demo's configuration shows that form too. */
function expectation(resident: Resident): string {
  const target = nameOf(resident)
  return resident.label === 'kms02' ? `{ target: ${target}, port: 1688, priority: 0, weight: 0 }` : target
}
