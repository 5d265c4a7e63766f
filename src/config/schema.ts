// The configuration file on one page: keys, units, limits and defaults. What two keys must have in common is in
// `check.ts`; how a fault reads to a person, in `problem.ts`. Keys keep the file's snake_case in the types too.
import * as z from 'zod'

import { CLIENT_OSES } from '../kms/client-os.ts'
import { DURATION_PATTERN } from './duration.ts'
import { notEmpty, some, text, whole } from './fields.ts'
import { KEYS_OF_AUTH, KEYS_OF_VIA, keysByChoice } from './keys.ts'
import * as values from './values.ts'

/** The defaults that checks across keys need as well. */
export const PROBE_DEFAULTS = {
  port: { schedule: '15s', timeout: '5s' },
  srv: { schedule: '1m', timeout: '5s' },
  service: { schedule: '30s', timeout: '10s' },
  clock: { schedule: '1m', timeout: '5s' },
  licensing: { schedule: '5m', timeout: '20s' },
  activity: { schedule: '1m', timeout: '20s' },
  client: { schedule: '10m', timeout: '20s' },
} as const

/** `cim` asks Windows itself, and so only where `windows` says how. */
export const CLOCK_SOURCES = ['smb2', 'ntp', 'http', 'ntlm', 'cim'] as const
export type ClockSource = (typeof CLOCK_SOURCES)[number]

const RESERVED_LABELS = ['host', 'client', 'port', 'probe', 'address', 'instance', 'job']
const LABEL_NAME = new RegExp(`^(?!__|(?:${RESERVED_LABELS.join('|')})$)[a-zA-Z_][a-zA-Z0-9_]*$`)

const name = text(values.parseName)
const host = text(values.parseHost)
const resolvers = some(text((given) => values.parseEndpoint(given, 53)))
const references = z.array(text((given) => values.parseReference(given, 123)))
const port = whole(1, 65535)
const schedule = text(values.parseSchedule, { title: 'schedule' })
const timeout = text(values.parseTimeout, { title: 'duration', pattern: DURATION_PATTERN })
const sources = some(z.enum(CLOCK_SOURCES))
const firstRead = text(values.parseFirstRead, { title: 'period', pattern: DURATION_PATTERN })

const SAYS = {
  schedule: 'How often, 1s to 1d, or when, as a cron expression of 6 fields (seconds first)',
  timeout: 'How long one run may take, 100ms to 5m; not longer than the schedule',
  sources: "Which of the host's services may tell its time, in order of preference",
  ports: 'The port of each source',
  firstRead: 'How much of the event log is read the first time, 1h to 60d; later runs go on where one ended',
  references: "NTP servers whose time is the right one; without any, this machine's clock is",
  probes:
    'Settings of the probes for this target only; whatever is not given is as under the top-level probes',
}

function timing(defaults: { schedule: string; timeout: string }) {
  return {
    schedule: schedule.prefault(defaults.schedule).describe(SAYS.schedule),
    timeout: timeout.prefault(defaults.timeout).describe(SAYS.timeout),
  }
}

const timingOverride = {
  schedule: schedule.exactOptional().describe(SAYS.schedule),
  timeout: timeout.exactOptional().describe(SAYS.timeout),
}

const probes = z.strictObject({
  port: z.strictObject(timing(PROBE_DEFAULTS.port)).prefault({}).describe('TCP connect and RPC bind'),
  srv: z.strictObject(timing(PROBE_DEFAULTS.srv)).prefault({}).describe('The _vlmcs._tcp SRV records'),
  service: z.strictObject(timing(PROBE_DEFAULTS.service)).prefault({}).describe('The sppsvc service'),
  clock: z
    .strictObject({
      ...timing(PROBE_DEFAULTS.clock),
      sources: sources.default([...CLOCK_SOURCES]).describe(SAYS.sources),
      ports: z
        .strictObject({
          smb2: port.default(445).describe('SMB2 negotiate, TCP'),
          ntp: port.default(123).describe('NTP, UDP'),
          http: port.default(5985).describe('The Date header of an HTTP answer, TCP'),
          ntlm: port.default(5985).describe('The time in an NTLM challenge over HTTP, TCP'),
        })
        .prefault({})
        .describe(SAYS.ports),
      references: references.prefault([]).describe(SAYS.references),
    })
    .prefault({})
    .describe("The offset of the host's clock"),
  licensing: z
    .strictObject(timing(PROBE_DEFAULTS.licensing))
    .prefault({})
    .describe("The host's licence, count and settings, from Windows itself"),
  activity: z
    .strictObject({
      ...timing(PROBE_DEFAULTS.activity),
      first_read: firstRead.prefault('30d').describe(SAYS.firstRead),
    })
    .prefault({})
    .describe("What the host's event log says of the requests it had, from Windows itself"),
  client: z
    .strictObject(timing(PROBE_DEFAULTS.client))
    .prefault({})
    .describe('Whether activation works for the canary clients, from their Windows'),
})

const clockOverride = z.strictObject({
  ...timingOverride,
  sources: sources.exactOptional().describe(SAYS.sources),
  ports: z
    .strictObject({
      smb2: port.exactOptional().describe('SMB2 negotiate, TCP'),
      ntp: port.exactOptional().describe('NTP, UDP'),
      http: port.exactOptional().describe('The Date header of an HTTP answer, TCP'),
      ntlm: port.exactOptional().describe('The time in an NTLM challenge over HTTP, TCP'),
    })
    .exactOptional()
    .describe(SAYS.ports),
  references: references.exactOptional().describe(SAYS.references),
})

const windowsKeys = {
  url: text(values.parseUrl, { pattern: '^https?://' })
    .exactOptional()
    .describe('windows_exporter: its metrics page. winrm: not given, https://NAME:5986/wsman'),
  credentials: notEmpty().exactOptional().describe('The name of an entry of credentials; winrm needs one'),
  allow_unencrypted: z
    .boolean()
    .exactOptional()
    .describe('winrm: let a password of auth basic go over http, in clear text'),
  registry: z
    .boolean()
    .exactOptional()
    .describe('winrm: also read the registry, which takes the right to execute methods on root/default'),
  tls: z
    .strictObject({
      ca_file: notEmpty()
        .exactOptional()
        .describe("A PEM file of the authorities to trust instead of the system's"),
      server_name: name
        .exactOptional()
        .describe("The name that the certificate must carry, if not the URL's"),
      fingerprint: text(values.parseFingerprint)
        .exactOptional()
        .describe('The SHA-256 of the one certificate to accept, whoever signed it; instead of the others'),
    })
    .exactOptional()
    .describe("How to check the server's certificate"),
}

const VIA = 'Who tells what only Windows itself knows; local: this machine, by PowerShell'

const windows = z
  .strictObject({ via: z.enum(['windows_exporter', 'winrm', 'local']).describe(VIA), ...windowsKeys })
  .meta(keysByChoice('via', KEYS_OF_VIA, Object.keys(windowsKeys)))

// windows_exporter knows nothing of a client's activation.
const clientWindows = z
  .strictObject({ via: z.enum(['winrm', 'local']).describe(VIA), ...windowsKeys })
  .meta(keysByChoice('via', KEYS_OF_VIA, Object.keys(windowsKeys)))

const labels = z
  .record(z.string().regex(LABEL_NAME, { error: (issue) => labelProblem(issue.input) }), z.string())
  .default({})

const hostEntry = z.strictObject({
  name: host.describe('A DNS name or IP address; the label host'),
  port: port.default(1688).describe('The TCP port of the KMS service'),
  connect_to: text(values.parseAddress)
    .exactOptional()
    .describe('Connect to this IP address; do not resolve the name'),
  addresses: some(text(values.parseAddress))
    .exactOptional()
    .describe('What the A and AAAA records should say'),
  labels: labels.describe('Added to every series about this host'),
  serves: z
    .array(z.enum(CLIENT_OSES))
    .exactOptional()
    .describe(
      'The newest clients that have to activate here: an update that the host lacks for them is a fault; so is a count below 25 where there is a client system among them',
    ),
  windows: windows.exactOptional().describe('How to ask Windows itself'),
  probes: z
    .strictObject({
      port: z.strictObject(timingOverride).exactOptional().describe('TCP connect and RPC bind'),
      service: z.strictObject(timingOverride).exactOptional().describe('The sppsvc service'),
      clock: clockOverride.exactOptional().describe("The offset of the host's clock"),
      licensing: z.strictObject(timingOverride).exactOptional().describe('Licence, count and settings'),
      activity: z
        .strictObject({ ...timingOverride, first_read: firstRead.exactOptional().describe(SAYS.firstRead) })
        .exactOptional()
        .describe("What the host's event log says"),
    })
    .exactOptional()
    .describe(SAYS.probes),
})

const clientEntry = z.strictObject({
  name: host.describe('A DNS name or IP address; the label client'),
  connect_to: text(values.parseAddress)
    .exactOptional()
    .describe('Connect to this IP address; do not resolve the name'),
  labels: labels.describe('Added to winkms_client_info of this client'),
  windows: clientWindows.describe('How to ask Windows itself'),
  probes: z
    .strictObject({
      client: z.strictObject(timingOverride).exactOptional().describe('Whether activation works from here'),
    })
    .exactOptional()
    .describe(SAYS.probes),
})

function labelProblem(given: unknown): string {
  if (RESERVED_LABELS.includes(String(given))) return 'is a label that the exporter or Prometheus sets itself'
  return 'must be a label name: letters, digits and _, not starting with a digit or __'
}

const srvNumber = whole(0, 65535)
const fqdn = text(values.parseFqdn)

interface Expectation {
  target: string
  port?: number
  priority?: number
  weight?: number
}

const expectation = z.union([
  fqdn.transform((target): Expectation => ({ target })),
  z.strictObject({
    target: fqdn.describe('The host that the record names'),
    port: port.exactOptional().describe('The port that the record names; not given: any'),
    priority: srvNumber.exactOptional().describe('Not given: any'),
    weight: srvNumber.exactOptional().describe('Not given: any'),
  }),
])

const domainEntry = z.strictObject({
  name: name.describe('The DNS domain that is asked for _vlmcs._tcp'),
  resolvers: resolvers
    .exactOptional()
    .describe('Each is asked by itself; not given: the top-level resolvers'),
  expect: z
    .array(expectation)
    .exactOptional()
    .describe('The targets that the records must name; [] means that there must be no record'),
  unexpected: z
    .enum(['error', 'ignore'])
    .default('error')
    .describe('Whether a record that nobody expects is a fault: it may be stale or rogue'),
  probes: z
    .strictObject({ srv: z.strictObject(timingOverride).exactOptional().describe('The SRV records') })
    .exactOptional()
    .describe(SAYS.probes),
})

const logonKeys = {
  // RFC 7617 2: the first colon ends the user-id, so it cannot hold one; nor may an account's name on Windows.
  username: notEmpty()
    .regex(/^[^:]*$/, { error: 'must not hold a colon' })
    .exactOptional()
    .describe('basic: the user name. ntlm: DOMAIN\\user or user@domain. kerberos: the principal'),
  password_file: notEmpty()
    .exactOptional()
    .describe('basic, ntlm: a file that holds the password; read again when it changes'),
  password_env: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'must be the name of an environment variable' })
    .exactOptional()
    .describe('basic, ntlm: the environment variable that holds the password'),
  keytab_file: notEmpty().exactOptional().describe('kerberos: a keytab with the key of the principal'),
  cache_file: notEmpty()
    .exactOptional()
    .describe(
      "kerberos: a credential cache that is kept filled by others; without either, the process's own",
    ),
  certificate_file: notEmpty().exactOptional().describe('certificate: our certificate, in PEM'),
  key_file: notEmpty().exactOptional().describe('certificate: its key, in PEM, without a passphrase'),
}

const credential = z
  .strictObject({
    auth: z
      .enum(['basic', 'ntlm', 'kerberos', 'certificate'])
      .describe('How to log on; basic sends the password itself, and so needs https, as certificate does'),
    ...logonKeys,
  })
  .meta(keysByChoice('auth', KEYS_OF_AUTH, Object.keys(logonKeys)))

const credentialName = z.string().regex(/^[A-Za-z0-9_.-]+$/, { error: 'must be letters, digits, _, . and -' })

export const schema = z.strictObject({
  resolvers: resolvers
    .exactOptional()
    .describe("DNS servers, as address or address:port; not given: the machine's own"),
  hosts: z.array(hostEntry).prefault([]).describe('The KMS hosts that should exist'),
  clients: z
    .array(clientEntry)
    .prefault([])
    .describe('Canaries: real KMS clients whose activation is watched, read only'),
  domains: z
    .array(domainEntry)
    .exactOptional()
    .describe("The domains that publish KMS hosts; not given: the machine's search domains; []: none"),
  credentials: z.record(credentialName, credential).default({}).describe('Named logons'),
  probes: probes.prefault({}).describe('What is asked, how often, and for how long at most'),
  limits: z
    .strictObject({
      concurrency: whole(1, 4096).default(1024).describe('Runs at one time'),
      per_host: whole(1, 64).default(4).describe('Runs at one time against one host'),
      discovered_hosts: whole(0, 10_000)
        .default(100)
        .describe('Hosts that are watched only because a record names them'),
    })
    .prefault({})
    .describe("Bounds of the exporter's own work"),
  discovery: z
    .strictObject({
      from_srv: z.boolean().default(true).describe("Also watch the hosts that the domains' SRV records name"),
    })
    .prefault({})
    .describe('Hosts that are found rather than configured'),
})

type DeepReadonly<T> = T extends readonly (infer Element)[]
  ? readonly DeepReadonly<Element>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T

/** The file after defaults. Schedules are `Schedule`, timeouts seconds, resolvers `Endpoint`, paths absolute. */
export type Config = DeepReadonly<z.output<typeof schema>>
export type HostConfig = Config['hosts'][number]
export type ClientConfig = Config['clients'][number]
export type WindowsConfig = NonNullable<HostConfig['windows']>
export type DomainConfig = NonNullable<Config['domains']>[number]
export type Credential = Config['credentials'][string]
