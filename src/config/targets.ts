// Whom to watch: the configuration, completed by what the machine knows and by the hosts that SRV records name.
// Pure. Probes make their targets from this, so that no probe has to know where a host came from.
import { KMS_PORT } from '../kms/thresholds.ts'
import type { Endpoint } from '../model/target.ts'
import type { Config, DomainConfig, HostConfig } from './schema.ts'

export interface Host {
  /** The `host` label; a DNS name in lower case, or an IP literal. */
  readonly name: string
  readonly port: number
  readonly connectTo?: string | undefined
  /** What its A and AAAA records should say; undefined when nobody said. */
  readonly addresses?: readonly string[] | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly windows?: HostConfig['windows']
  readonly credentials?: Config['credentials'][string] | undefined
  readonly resolvers: readonly Endpoint[]
  readonly probes: { readonly [Name in 'port' | 'service' | 'clock']: Config['probes'][Name] }
  /** Named by an SRV record only: whether it should exist is not known from the configuration. */
  readonly discovered: boolean
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

function hostOf(config: Config, host: HostConfig, resolvers: readonly Endpoint[]): Host {
  const { port, service, clock } = config.probes
  return {
    name: host.name,
    port: host.port,
    connectTo: host.connect_to,
    addresses: host.addresses,
    labels: host.labels,
    windows: host.windows,
    credentials:
      host.windows?.credentials === undefined ? undefined : config.credentials[host.windows.credentials],
    resolvers,
    probes: {
      port: { ...port, ...host.probes?.port },
      service: { ...service, ...host.probes?.service },
      clock: { ...clock, ...host.probes?.clock, ports: { ...clock.ports, ...host.probes?.clock?.ports } },
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
  const { port: portProbe, service, clock } = config.probes
  return { name, port, labels: {}, resolvers, probes: { port: portProbe, service, clock }, discovered: true }
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
  }
}
