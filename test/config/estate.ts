// Arbitrary configurations as a person could write them: every key, any of them left out, all of it valid.
import * as fc from 'fast-check'

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
        sources: some(fc.constantFrom('smb2', 'ntp', 'http', 'ntlm')),
        ports: fc.record({ smb2: port, ntp: port, http: port, ntlm: port }, { requiredKeys: [] }),
        references: some(name),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([timing, rest]) => ({ ...timing, ...rest }))

const host = fc.record(
  {
    name,
    port,
    connect_to: address,
    addresses: some(fc.ipV4()),
    labels: fc.dictionary(fc.stringMatching(/^[a-z]{2,8}_x$/), fc.string(), { maxKeys: 3 }),
    windows: fc.record({
      via: fc.constant('windows_exporter'),
      url: fc.webUrl({ validSchemes: ['http', 'https'], withQueryParameters: true }),
    }),
    probes: fc.record({ port: timing, service: timing, clock }, { requiredKeys: [] }),
  },
  { requiredKeys: ['name'] },
)

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

export const estates = fc.record(
  {
    resolvers: fc.array(endpoint, { minLength: 1, maxLength: 1 }),
    hosts: fc.uniqueArray(host, { maxLength: 4, selector: ({ name }) => name }),
    domains: fc.uniqueArray(domain, { maxLength: 3, selector: ({ name }) => name }),
    probes: fc.record({ port: timing, srv: timing, service: timing, clock }, { requiredKeys: [] }),
    limits: fc.record(
      { concurrency: fc.integer({ min: 1, max: 4096 }), per_host: fc.integer({ min: 1, max: 64 }) },
      { requiredKeys: [] },
    ),
    discovery: fc.record({ from_srv: fc.boolean() }),
  },
  { requiredKeys: [] },
)
