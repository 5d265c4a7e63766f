// The configuration under which the daemon watches the simulated estate, as YAML text, and the DNS zones behind it.
import type { DnsRecord } from './dns.ts'
import type { Canary, Resident } from './estate-hosts.ts'
import { BRANCH, CANARIES, CORP, LAB, PLANT, RESIDENTS } from './estate-hosts.ts'
import { LAB_PORTS } from './host.ts'
import { READER } from './winrm.ts'

export interface EstatePlan {
  /** First two numbers of every address: 127.88. */
  readonly network: string
  readonly resolvers: readonly [string, string]
  readonly reference: string
  /** Holds the password for WinRM. */
  readonly passwordFile: string
}

const SITES: Readonly<Record<string, string>> = {
  [CORP]: 'hq',
  [PLANT]: 'plant',
  [BRANCH]: 'branch',
  [LAB]: 'lab',
}

export function nameOf({ label, domain }: Pick<Resident, 'label' | 'domain'>): string {
  return `${label}.${domain}`
}

/** Beyond 255 in the next block of addresses. */
export function addressOf(network: string, { number }: Pick<Resident, 'number'>): string {
  return `${network}.${1 + (number >> 8)}.${number & 0xff}`
}

/** `withBranch` is false for the server on which the branch's SRV record is missing. */
export function zonesOf(
  network: string,
  withBranch: boolean,
  residents: Iterable<Resident> = RESIDENTS,
): Record<string, DnsRecord[]> {
  const zones: Record<string, DnsRecord[]> = {}
  for (const resident of residents) {
    const records = (zones[resident.domain] ??= [])
    const target = nameOf(resident)
    const recorded = { number: resident.recordedNumber ?? resident.number }
    records.push({ name: target, type: 'A', data: addressOf(network, recorded) })
    if (resident.srvPort === null || (resident.domain === BRANCH && !withBranch)) continue
    const data = { priority: 0, weight: 0, port: resident.srvPort, target }
    records.push({ name: `_vlmcs._tcp.${resident.domain}`, type: 'SRV', data })
  }
  for (const canary of CANARIES) {
    const records = (zones[canary.domain] ??= [])
    records.push({ name: nameOf(canary), type: 'A', data: addressOf(network, canary) })
  }
  return zones
}

export function renderConfig({ network, resolvers, reference, passwordFile }: EstatePlan): string {
  const watched = RESIDENTS.filter(({ forgotten }) => !forgotten)
  const both = JSON.stringify(resolvers)
  const hosts = watched.map((resident) =>
    hostEntry(network, resident, `site: ${SITES[resident.domain] ?? 'elsewhere'}`),
  )
  const clients = CANARIES.map((canary) =>
    [
      `  - name: ${nameOf(canary)}`,
      `    labels: { site: ${SITES[canary.domain] ?? 'elsewhere'} }`,
      ...access(network, canary).map((line) => `    ${line}`),
    ].join('\n'),
  )
  const domains = [CORP, PLANT, BRANCH, LAB].map((domain) => {
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
clients:
${clients.join('\n')}
domains:
${domains.join('\n')}
${credentialsEntry(passwordFile)}
probes:
  port: { schedule: 5s, timeout: 2s }
  srv: { schedule: 10s, timeout: 2s }
  service: { schedule: 5s, timeout: 2s }
  clock:
    schedule: 10s
    timeout: 3s
    sources: [smb2, ntp, http, ntlm, cim]
    ports: ${CLOCK_PORTS}
    references: ["${reference}"]
  licensing: { schedule: 10s, timeout: 3s }
  activity: { schedule: 5s, timeout: 3s }
  client: { schedule: 10s, timeout: 3s }
discovery: { from_srv: true }
`
}

/** Where the clocks of all simulated hosts are, as `probes.clock.ports`. */
export const CLOCK_PORTS = `{ smb2: ${LAB_PORTS.smb2}, ntp: ${LAB_PORTS.ntp}, http: ${LAB_PORTS.http}, ntlm: ${LAB_PORTS.http} }`

/** The account with which the simulated Windows is read. */
export function credentialsEntry(passwordFile: string): string {
  return `credentials:
  reader: { auth: basic, username: ${READER.username}, password_file: ${JSON.stringify(passwordFile)} }`
}

/** An element of `hosts`. `labels` as they stand between the braces. */
export function hostEntry(network: string, resident: Resident, labels: string): string {
  return [
    `  - name: ${nameOf(resident)}`,
    ...(resident.addressed ? [`    addresses: ["${addressOf(network, resident)}"]`] : []),
    `    labels: { ${labels} }`,
    ...(resident.serves === undefined ? [] : [`    serves: [${resident.serves.join(', ')}]`]),
    ...access(network, resident).map((line) => `    ${line}`),
  ].join('\n')
}

/** How Windows is asked: by WinRM where it can be, else by windows_exporter, else not at all. */
function access(network: string, machine: Resident | Canary): readonly string[] {
  const { registry = false, sppsvc }: Partial<Resident> = machine
  const url = (path: string): string =>
    JSON.stringify(`http://${addressOf(network, machine)}:${LAB_PORTS.http}/${path}`)
  if (machine.windows !== undefined) {
    return [
      'windows:',
      '  via: winrm',
      `  url: ${url('wsman')}`,
      '  credentials: reader',
      // Only here, where nothing leaves the machine.
      '  allow_unencrypted: true',
      ...(registry ? ['  registry: true'] : []),
    ]
  }
  return sppsvc === undefined ? [] : [`windows: { via: windows_exporter, url: ${url('metrics')} }`]
}

/** One host is written out in full, so that the demo's configuration shows that form too. */
function expectation(resident: Resident): string {
  const target = nameOf(resident)
  return resident.label === 'kms02' ? `{ target: ${target}, port: 1688, priority: 0, weight: 0 }` : target
}
