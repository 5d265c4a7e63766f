// Whom to watch: the configuration, completed by what the machine knows and by the hosts that SRV records name.
// Pure. Probes make their targets from this, so that no probe has to know where a host came from.
import { KMS_PORT } from '../kms/thresholds.ts'
import type { Endpoint } from '../model/target.ts'
import type { ClientOs } from '../kms/client-os.ts'
import type { ClientConfig, Config, Credential, DomainConfig, HostConfig, WindowsConfig } from './schema.ts'

/** How a host's or client's Windows is asked. */
export type WindowsAccess =
  | {
      readonly via: 'windows_exporter'
      readonly url: string
      readonly credential: Credential | undefined
      readonly tls: WindowsConfig['tls']
    }
  | {
      readonly via: 'winrm'
      readonly url: string
      readonly credential: Credential
      readonly tls: WindowsConfig['tls']
      /** Basic may go over http. */
      readonly allowUnencrypted: boolean
      /** StdRegProv may be asked, which takes the right to execute methods. */
      readonly registry: boolean
    }
  | { readonly via: 'local' }

export interface Host {
  /** The `host` label; a DNS name in lower case, or an IP literal. */
  readonly name: string
  readonly port: number
  readonly connectTo?: string | undefined
  /** What its A and AAAA records should say; undefined when nobody said. */
  readonly addresses?: readonly string[] | undefined
  readonly labels: Readonly<Record<string, string>>
  /** Clients that must be able to activate here. */
  readonly serves: readonly ClientOs[]
  readonly windows?: WindowsAccess | undefined
  readonly resolvers: readonly Endpoint[]
  readonly probes: {
    readonly [Name in 'port' | 'service' | 'clock' | 'licensing' | 'activity']: Config['probes'][Name]
  }
  /** Named by an SRV record only: whether it should exist is not known from the configuration. */
  readonly discovered: boolean
}

/** A canary: a real KMS client, whose own word on its activation is read. */
export interface Client {
  /** The `client` label. */
  readonly name: string
  readonly connectTo?: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly windows?: WindowsAccess | undefined
  readonly resolvers: readonly Endpoint[]
  readonly probe: Config['probes']['client']
}

export interface Expectation {
  readonly target: string
  readonly port?: number | undefined
  readonly priority?: number | undefined
  readonly weight?: number | undefined
}

export interface Domain {
  readonly name: string
  readonly resolvers: readonly Endpoint[]
  /** Targets that its SRV records must name. */
  readonly expect: readonly Expectation[]
  /** `expect` is the whole list: any other target is a finding. */
  readonly exact: boolean
  readonly probe: Config['probes']['srv']
  /** Addresses that configured hosts should have, for comparison with what this domain's resolvers say. */
  readonly addresses: ReadonlyMap<string, readonly string[]>
}

export interface Reference {
  readonly host: string
  readonly port: number
  readonly resolvers: readonly Endpoint[]
  readonly probe: Pick<Config['probes']['clock'], 'schedule' | 'timeout'>
}

export interface Estate {
  readonly hosts: readonly Host[]
  readonly domains: readonly Domain[]
  readonly references: readonly Reference[]
  readonly clients: readonly Client[]
}

/** A host that an SRV record names. */
export interface Discovered {
  readonly name: string
  readonly port: number
}

export interface MachineFacts {
  readonly resolvers: readonly Endpoint[]
  readonly searchDomains: readonly string[]
}

function isUnder(name: string, domain: string): boolean {
  return name.endsWith(`.${domain}`)
}

function domainOf(config: Config, domain: DomainConfig, resolvers: readonly Endpoint[]): Domain {
  // A KMS host publishes itself in its own primary domain, so a configured host is expected there even where no
  // list says so; such an implied list is never the whole one.
  const implied = config.hosts.filter((host) => isUnder(host.name, domain.name))
  return {
    name: domain.name,
    resolvers: domain.resolvers ?? resolvers,
    expect: domain.expect ?? implied.map((host) => ({ target: host.name })),
    exact: domain.expect !== undefined && domain.unexpected === 'error',
    probe: { ...config.probes.srv, ...domain.probes?.srv },
    addresses: new Map(config.hosts.flatMap((host) => (host.addresses ? [[host.name, host.addresses]] : []))),
  }
}

function accessOf(
  config: Config,
  name: string,
  windows: WindowsConfig | undefined,
): WindowsAccess | undefined {
  if (windows === undefined) return undefined
  const { via, tls } = windows
  if (via === 'local') return { via }
  const credential = windows.credentials === undefined ? undefined : config.credentials[windows.credentials]
  // Loading has seen to it that what each way needs is there.
  if (via === 'windows_exporter') return { via, url: windows.url ?? '', credential, tls }
  if (credential === undefined) return undefined
  const address = name.includes(':') ? `[${name}]` : name
  return {
    via,
    url: windows.url ?? `https://${address}:5986/wsman`,
    credential,
    tls,
    allowUnencrypted: windows.allow_unencrypted ?? false,
    registry: windows.registry ?? false,
  }
}

function clientOf(config: Config, client: ClientConfig, resolvers: readonly Endpoint[]): Client {
  return {
    name: client.name,
    connectTo: client.connect_to,
    labels: client.labels,
    windows: accessOf(config, client.name, client.windows),
    resolvers,
    probe: { ...config.probes.client, ...client.probes?.client },
  }
}

function hostOf(config: Config, host: HostConfig, resolvers: readonly Endpoint[]): Host {
  const { port, service, clock, licensing, activity } = config.probes
  return {
    name: host.name,
    port: host.port,
    connectTo: host.connect_to,
    addresses: host.addresses,
    labels: host.labels,
    serves: host.serves ?? [],
    windows: accessOf(config, host.name, host.windows),
    resolvers,
    probes: {
      port: { ...port, ...host.probes?.port },
      service: { ...service, ...host.probes?.service },
      clock: { ...clock, ...host.probes?.clock, ports: { ...clock.ports, ...host.probes?.clock?.ports } },
      licensing: { ...licensing, ...host.probes?.licensing },
      activity: { ...activity, ...host.probes?.activity },
    },
    discovered: false,
  }
}

/** A host whether or not the configuration has it: then as if an SRV record had named it. `name` in lower case. */
export function hostNamed(config: Config, machine: MachineFacts, name: string): Host {
  const resolvers = config.resolvers ?? machine.resolvers
  const configured = config.hosts.find((host) => host.name === name)
  return configured === undefined
    ? foundHost(config, { name, port: KMS_PORT }, resolvers)
    : hostOf(config, configured, resolvers)
}

function foundHost(config: Config, { name, port }: Discovered, resolvers: readonly Endpoint[]): Host {
  const { port: portProbe, service, clock, licensing, activity } = config.probes
  return {
    name,
    port,
    labels: {},
    serves: [],
    resolvers,
    probes: { port: portProbe, service, clock, licensing, activity },
    discovered: true,
  }
}

export function estateOf(config: Config, machine: MachineFacts, discovered: readonly Discovered[]): Estate {
  const resolvers = config.resolvers ?? machine.resolvers
  const domains: readonly DomainConfig[] =
    config.domains ?? machine.searchDomains.map((name) => ({ name, unexpected: 'ignore' }))
  const configured = new Set(config.hosts.map((host) => host.name))
  const found = discovered
    .filter((host) => !configured.has(host.name))
    .slice(0, config.limits.discovered_hosts)
    .map((host) => foundHost(config, host, resolvers))
  return {
    hosts: [...config.hosts.map((host) => hostOf(config, host, resolvers)), ...found],
    domains: domains.map((domain) => domainOf(config, domain, resolvers)),
    references: config.probes.clock.references.map((reference) => ({
      ...reference,
      resolvers,
      probe: config.probes.clock,
    })),
    clients: config.clients.map((client) => clientOf(config, client, resolvers)),
  }
}
