// The effective configuration as YAML, for the `/config` page and for support tickets: every default filled in, every
// value written as a person would, no secret. What it prints can be loaded again.
import { stringify } from 'yaml'

import { formatEndpoint, type Schedule } from '../model/target.ts'
import { formatDuration } from './duration.ts'
import type { ClientConfig, Config, Credential, HostConfig, WindowsConfig } from './schema.ts'

/** Keys in the order of the schema; entries of mappings in the order of the file. */
export function renderConfig(config: Config): string {
  const { resolvers, hosts, clients, domains, credentials, probes, limits, discovery } = config
  const rendered = {
    resolvers: resolvers?.map(formatEndpoint),
    hosts: hosts.map(host),
    clients: clients.map(client),
    domains: domains?.map(({ name, resolvers, expect, unexpected, probes }) => ({
      name,
      resolvers: resolvers?.map(formatEndpoint),
      expect: expect?.map(({ target, port, priority, weight }) => ({ target, port, priority, weight })),
      unexpected,
      probes: probes && { srv: timing(probes.srv) },
    })),
    credentials: Object.fromEntries(
      Object.entries(credentials).map(([name, entry]) => [name, credential(entry)]),
    ),
    probes: {
      port: timing(probes.port),
      srv: timing(probes.srv),
      service: timing(probes.service),
      clock: clock(probes.clock),
      licensing: timing(probes.licensing),
      activity: activity(probes.activity),
      client: timing(probes.client),
    },
    limits: {
      concurrency: limits.concurrency,
      per_host: limits.per_host,
      discovered_hosts: limits.discovered_hosts,
    },
    discovery: { from_srv: discovery.from_srv },
  }
  return stringify(rendered, { lineWidth: 0, aliasDuplicateObjects: false, keepUndefined: false })
}

function host({ name, port, connect_to, addresses, labels, serves, windows: through, probes }: HostConfig) {
  return {
    name,
    port,
    connect_to,
    addresses,
    labels,
    serves,
    windows: through && windows(through),
    probes: probes && {
      port: timing(probes.port),
      service: timing(probes.service),
      clock: clock(probes.clock),
      licensing: timing(probes.licensing),
      activity: activity(probes.activity),
    },
  }
}

function client({ name, connect_to, labels, windows: through, probes }: ClientConfig) {
  return {
    name,
    connect_to,
    labels,
    windows: windows(through),
    probes: probes && { client: timing(probes.client) },
  }
}

function windows({ via, url, credentials, allow_unencrypted, registry, tls }: WindowsConfig) {
  return {
    via,
    url: url === undefined ? undefined : maskUrl(url),
    credentials,
    allow_unencrypted,
    registry,
    tls: tls && { ca_file: tls.ca_file, server_name: tls.server_name, fingerprint: tls.fingerprint },
  }
}

// Loading refuses such a URL; printing does not rely on it.
function maskUrl(url: string): string {
  if (!URL.canParse(url)) return '<secret>'
  const { username, password } = new URL(url)
  return username === '' && password === '' ? url : url.replace(/\/\/[^/]*@/, '//<secret>@')
}

// Where secrets are, never what they are; key by key, so that a new one does not get here by itself.
function credential(given: Credential) {
  const { auth, username, password_file, password_env } = given
  const { keytab_file, cache_file, certificate_file, key_file } = given
  return { auth, username, password_file, password_env, keytab_file, cache_file, certificate_file, key_file }
}

interface Timing {
  readonly schedule?: Schedule
  readonly timeout?: number
}

function timing(given: Timing | undefined) {
  return given && { schedule: given.schedule && schedule(given.schedule), timeout: duration(given.timeout) }
}

function activity(given: (Timing & { readonly first_read?: number }) | undefined) {
  return given && { ...timing(given), first_read: duration(given.first_read) }
}

function schedule(given: Schedule): string {
  return given.kind === 'every' ? formatDuration(given.seconds) : given.expression
}

function duration(seconds: number | undefined): string | undefined {
  return seconds === undefined ? undefined : formatDuration(seconds)
}

type Clock = NonNullable<NonNullable<HostConfig['probes']>['clock']>

function clock(given: Clock | undefined) {
  if (given === undefined) return undefined
  const { sources, ports, references } = given
  return {
    ...timing(given),
    sources,
    ports: ports && { smb2: ports.smb2, ntp: ports.ntp, http: ports.http, ntlm: ports.ntlm },
    references: references?.map(({ host, port }) => formatEndpoint({ address: host, port })),
  }
}
