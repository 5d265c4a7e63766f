// Arbitrary configurations as a person could write them: every key, any of them left out, all of it valid. They name no
// file, since there would have to be one.
import * as fc from 'fast-check'
import { vi } from 'vitest'

import { CLIENT_OSES } from '../../src/kms/client-os.ts'

const label = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}[a-z0-9]$/)
const name = fc.array(label, { minLength: 2, maxLength: 4 }).map((labels) => labels.join('.'))
const address = fc.oneof(fc.ipV4(), fc.ipV6())
const port = fc.integer({ min: 1, max: 65535 })

const endpoint = fc.oneof(
  address,
  fc.tuple(fc.ipV4(), port).map(([address, port]) => `${address}:${port}`),
  fc.tuple(fc.ipV6(), port).map(([address, port]) => `[${address}]:${port}`),
)

const schedule = fc.oneof(
  fc.integer({ min: 300, max: 86_400 }).map((seconds) => `${seconds}s`),
  fc.constantFrom('0 */5 * * * *', '*/5 * * * *', '1d', '1h30m'),
)
const timeout = fc.integer({ min: 100, max: 300_000 }).map((milliseconds) => `${milliseconds}ms`)
// Given together, so that none contradicts a default.
const timing = fc.oneof(fc.constant({}), fc.record({ schedule, timeout }))

function some<T>(element: fc.Arbitrary<T>) {
  return fc.uniqueArray(element, { minLength: 1, maxLength: 3, selector: (value) => JSON.stringify(value) })
}

const clock = fc
  .tuple(
    timing,
    fc.record(
      {
        // Not cim alone, which not every host can tell.
        sources: some(fc.constantFrom('smb2', 'ntp', 'http', 'ntlm')).chain((sources) =>
          fc.constantFrom(sources, [...sources, 'cim']),
        ),
        ports: fc.record({ smb2: port, ntp: port, http: port, ntlm: port }, { requiredKeys: [] }),
        references: some(name),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([timing, rest]) => ({ ...timing, ...rest }))

const activity = fc
  .tuple(timing, fc.record({ first_read: fc.constantFrom('1h', '36h', '60d') }, { requiredKeys: [] }))
  .map(([timing, rest]) => ({ ...timing, ...rest }))

const url = (...schemes: readonly string[]) =>
  fc.webUrl({ validSchemes: [...schemes], withQueryParameters: true })

const fingerprint = fc
  .array(fc.integer({ min: 0, max: 255 }), { minLength: 32, maxLength: 32 })
  .chain((bytes) => {
    const digits = bytes.map((byte) => byte.toString(16).padStart(2, '0'))
    return fc.constantFrom(digits.join(''), digits.join(':').toUpperCase())
  })

const tls = fc.oneof(
  fc.record({ fingerprint }, { requiredKeys: [] }),
  fc.record({ server_name: name }, { requiredKeys: [] }),
)

const credentials = {
  basic: { auth: 'basic', username: 'reader', password_env: 'WINKMS_TEST_ESTATE' },
  ntlm: { auth: 'ntlm', username: 'CORP\\reader', password_env: 'WINKMS_TEST_ESTATE' },
  kerberos: { auth: 'kerberos' },
  'kerberos.as': { auth: 'kerberos', username: 'reader@CORP.EXAMPLE' },
}

/** Sets the variable that the estates' logons name. */
export function stubEstatePassword(password: string): void {
  vi.stubEnv('WINKMS_TEST_ESTATE', password)
}

const registry = fc.boolean()
const winrm = fc.oneof(
  fc.record(
    {
      via: fc.constant('winrm'),
      credentials: fc.constantFrom(...Object.keys(credentials)),
      url: url('https'),
      allow_unencrypted: fc.constant(false),
      registry,
      tls,
    },
    { requiredKeys: ['via', 'credentials'] },
  ),
  fc.record(
    {
      via: fc.constant('winrm'),
      credentials: fc.constantFrom('ntlm', 'kerberos'),
      url: url('http'),
      registry,
    },
    { requiredKeys: ['via', 'credentials', 'url'] },
  ),
  fc.record({
    via: fc.constant('winrm'),
    credentials: fc.constant('basic'),
    url: url('http'),
    allow_unencrypted: fc.constant(true),
  }),
)

const exporter = fc.oneof(
  fc.record({ via: fc.constant('windows_exporter'), url: url('http', 'https') }),
  fc.record({
    via: fc.constant('windows_exporter'),
    url: url('https'),
    credentials: fc.constant('basic'),
    tls,
  }),
)

const labels = fc.dictionary(fc.stringMatching(/^[a-z]{2,8}_x$/), fc.string(), { maxKeys: 3 })

const host = fc.record(
  {
    name,
    port,
    connect_to: address,
    addresses: some(fc.ipV4()),
    labels,
    serves: fc.uniqueArray(fc.constantFrom(...CLIENT_OSES), { maxLength: 3 }),
    windows: fc.oneof(exporter, winrm),
    probes: fc.record(
      { port: timing, service: timing, clock, licensing: timing, activity },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ['name'] },
)

const client = fc.record(
  {
    name,
    connect_to: address,
    labels,
    windows: winrm,
    probes: fc.record({ client: timing }, { requiredKeys: [] }),
  },
  { requiredKeys: ['name', 'windows'] },
)

// One of each at most is this machine.
const local = { name: 'this-machine', windows: { via: 'local' } }

const target = fc.record(
  { target: name, port, priority: fc.nat(65535), weight: fc.nat(65535) },
  { requiredKeys: ['target'] },
)

const domain = fc.record(
  {
    name,
    resolvers: some(fc.ipV4()),
    expect: fc.oneof(
      fc.uniqueArray(name, { maxLength: 3 }),
      fc.uniqueArray(target, { maxLength: 3, selector: ({ target }) => target }),
    ),
    unexpected: fc.constantFrom('error', 'ignore'),
    probes: fc.record({ srv: timing }, { requiredKeys: [] }),
  },
  { requiredKeys: ['name'] },
)

const hosts = fc.uniqueArray(host, { maxLength: 4, selector: ({ name }) => name })
const clients = fc.uniqueArray(client, { maxLength: 3, selector: ({ name }) => name })

/** Valid once `stubEstatePassword` was called. */
export const estates = fc
  .record(
    {
      resolvers: fc.array(endpoint, { minLength: 1, maxLength: 1 }),
      hosts: fc.oneof(
        hosts,
        hosts.map((hosts) => [...hosts, local]),
      ),
      clients: fc.oneof(
        clients,
        clients.map((clients) => [local, ...clients]),
      ),
      domains: fc.uniqueArray(domain, { maxLength: 3, selector: ({ name }) => name }),
      probes: fc.record(
        {
          port: timing,
          srv: timing,
          service: timing,
          clock,
          licensing: timing,
          activity,
          client: timing,
        },
        { requiredKeys: [] },
      ),
      limits: fc.record(
        { concurrency: fc.integer({ min: 1, max: 4096 }), per_host: fc.integer({ min: 1, max: 64 }) },
        { requiredKeys: [] },
      ),
      discovery: fc.record({ from_srv: fc.boolean() }),
    },
    { requiredKeys: [] },
  )
  .map((estate) => ({ ...estate, credentials }))
