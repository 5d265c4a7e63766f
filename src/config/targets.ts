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

/** The hosts under each of `names`, in their order: a host is under every domain that its name ends in. */
function hostsUnder(names: ReadonlySet<string>, config: Config): ReadonlyMap<string, readonly string[]> {
  const under = new Map<string, string[]>()
  if (names.size === 0) return under
  for (const { name } of config.hosts) {
    for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) {
      const domain = name.slice(dot + 1)
      if (!names.has(domain)) continue
      const hosts = under.get(domain)
      if (hosts === undefined) under.set(domain, [name])
      else hosts.push(name)
    }
  }
  return under
}

function domainsOf(
  config: Config,
  domains: readonly DomainConfig[],
  resolvers: readonly Endpoint[],
): readonly Domain[] {
  const silent = domains.filter(({ expect }) => expect === undefined)
  const under = hostsUnder(new Set(silent.map(({ name }) => name)), config)
  const addresses = new Map(
    config.hosts.flatMap((host) => (host.addresses ? [[host.name, host.addresses]] : [])),
  )
  return domains.map((domain) => ({
    name: domain.name,
    resolvers: domain.resolvers ?? resolvers,
    // A KMS host publishes itself in its own primary domain, so a configured host is expected there even where no
    // list says so; such an implied list is never the whole one.
    expect: domain.expect ?? under.get(domain.name)?.map((target) => ({ target })) ?? [],
    exact: domain.expect !== undefined && domain.unexpected === 'error',
    probe: overridden(config.probes.srv, domain.probes?.srv),
    addresses,
  }))
}

/** The general settings themselves where nothing is said: most hosts then share one object. */
function overridden<T extends object>(general: T, own: Partial<T> | undefined): T {
  return own === undefined ? general : { ...general, ...own }
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
    probe: overridden(config.probes.client, client.probes?.client),
  }
}

/** Hosts that say the same, which loading makes one object, share what comes of it. */
function hostProbes(config: Config): (own: HostConfig['probes']) => Host['probes'] {
  const { port, service, clock, licensing, activity } = config.probes
  const known = new Map<HostConfig['probes'], Host['probes']>([
    [undefined, { port, service, clock, licensing, activity }],
  ])
  return (own) => {
    const found = known.get(own) ?? {
      port: overridden(port, own?.port),
      service: overridden(service, own?.service),
      clock: own?.clock ? { ...clock, ...own.clock, ports: overridden(clock.ports, own.clock.ports) } : clock,
      licensing: overridden(licensing, own?.licensing),
      activity: overridden(activity, own?.activity),
    }
    known.set(own, found)
    return found
  }
}

const NO_SYSTEMS: readonly ClientOs[] = []
const NO_LABELS: Host['labels'] = {}

function hostOf(
  config: Config,
  host: HostConfig,
  resolvers: readonly Endpoint[],
  probes: Host['probes'],
): Host {
  return {
    name: host.name,
    port: host.port,
    connectTo: host.connect_to,
    addresses: host.addresses,
    labels: host.labels,
    serves: host.serves ?? NO_SYSTEMS,
    windows: accessOf(config, host.name, host.windows),
    resolvers,
    probes,
    discovered: false,
  }
}

/** A host whether or not the configuration has it: then as if an SRV record had named it. `name` in lower case. */
export function hostNamed(config: Config, machine: MachineFacts, name: string): Host {
  const resolvers = config.resolvers ?? machine.resolvers
  const configured = config.hosts.find((host) => host.name === name)
  const probesOf = hostProbes(config)
  return configured === undefined
    ? foundHost({ name, port: KMS_PORT }, resolvers, probesOf(undefined))
    : hostOf(config, configured, resolvers, probesOf(configured.probes))
}

function foundHost({ name, port }: Discovered, resolvers: readonly Endpoint[], probes: Host['probes']): Host {
  return { name, port, labels: NO_LABELS, serves: NO_SYSTEMS, resolvers, probes, discovered: true }
}

export function estateOf(config: Config, machine: MachineFacts, discovered: readonly Discovered[]): Estate {
  const resolvers = config.resolvers ?? machine.resolvers
  const domains: readonly DomainConfig[] =
    config.domains ?? machine.searchDomains.map((name) => ({ name, unexpected: 'ignore' }))
  const configured = new Set(config.hosts.map((host) => host.name))
  const probesOf = hostProbes(config)
  const found = discovered
    .filter((host) => !configured.has(host.name))
    .slice(0, config.limits.discovered_hosts)
    .map((host) => foundHost(host, resolvers, probesOf(undefined)))
  return {
    hosts: [...config.hosts.map((host) => hostOf(config, host, resolvers, probesOf(host.probes))), ...found],
    domains: domainsOf(config, domains, resolvers),
    references: config.probes.clock.references.map((reference) => ({
      ...reference,
      resolvers,
      probe: config.probes.clock,
    })),
    clients: config.clients.map((client) => clientOf(config, client, resolvers)),
  }
}
