// From the file to whom is asked how.
import { beforeAll, afterAll, describe, expect, it, vi } from 'vitest'

import { parseConfig } from '../../src/config/load.ts'
import { estateOf, hostNamed, type Estate } from '../../src/config/targets.ts'

const machine = { resolvers: [{ address: '192.0.2.53', port: 53 }], searchDomains: [] }

function load(text: string) {
  const { config, problems } = parseConfig(text, { file: 'winkms.yml', checkCron: () => undefined })
  if (config === undefined) throw new Error(JSON.stringify(problems))
  return config
}

function estate(text: string): Estate {
  return estateOf(load(text), machine, [{ name: 'found.corp.example', port: 1688 }])
}

const CREDENTIALS = `
credentials:
  reader: { auth: ntlm, username: reader, password_env: WINKMS_TEST_TARGETS }
  scraper: { auth: basic, username: scraper, password_env: WINKMS_TEST_TARGETS }
  sealed: { auth: kerberos }
`

describe('the way to a Windows', () => {
  beforeAll(() => {
    vi.stubEnv('WINKMS_TEST_TARGETS', 'x')
  })
  afterAll(() => {
    vi.unstubAllEnvs()
  })

  for (const [name, url] of [
    ['KMS01.corp.example', 'https://kms01.corp.example:5986/wsman'],
    ['192.0.2.10', 'https://192.0.2.10:5986/wsman'],
    ['"2001:DB8:0::1"', 'https://[2001:db8::1]:5986/wsman'],
  ] as const) {
    it(`is ${url} by WinRM unless one is given`, () => {
      const text = `hosts: [{ name: ${name}, windows: { via: winrm, credentials: reader } }]${CREDENTIALS}`
      expect(estate(text).hosts[0]?.windows).toStrictEqual({
        via: 'winrm',
        url,
        credential: { auth: 'ntlm', username: 'reader', password_env: 'WINKMS_TEST_TARGETS' },
        tls: undefined,
        allowUnencrypted: false,
        registry: false,
      })
    })
  }

  it('is not there for a host that only a record names, whatever the configured ones are shown', () => {
    const { hosts } = estate(
      `hosts: [{ name: kms01.corp.example, windows: { via: winrm, credentials: reader } }]${CREDENTIALS}`,
    )
    expect(hosts.map(({ name, windows }) => [name, windows?.via])).toEqual([
      ['kms01.corp.example', 'winrm'],
      ['found.corp.example', undefined],
    ])
  })

  it('is as it is given', () => {
    const { hosts, clients } = estate(`
hosts:
  - name: a.corp.example
    windows:
      via: winrm
      url: http://b.corp.example:5985/wsman
      credentials: scraper
      allow_unencrypted: true
      registry: true
  - name: c.corp.example
    windows: { via: windows_exporter, url: 'https://c.corp.example:9182/metrics', credentials: scraper, tls: { server_name: c } }
  - name: d.corp.example
    windows: { via: local }
  - name: e.corp.example
clients:
  - name: a.corp.example
    connect_to: 192.0.2.42
    labels: { site: berlin }
    windows:
      via: winrm
      credentials: sealed
      tls: { fingerprint: 'E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55' }
${CREDENTIALS}`)
    const scraper = { auth: 'basic', username: 'scraper', password_env: 'WINKMS_TEST_TARGETS' }
    expect(hosts.map(({ windows }) => windows)).toStrictEqual([
      {
        via: 'winrm',
        url: 'http://b.corp.example:5985/wsman',
        credential: scraper,
        tls: undefined,
        allowUnencrypted: true,
        registry: true,
      },
      {
        via: 'windows_exporter',
        url: 'https://c.corp.example:9182/metrics',
        credential: scraper,
        tls: { server_name: 'c' },
      },
      { via: 'local' },
      undefined,
      undefined,
    ])
    expect(clients).toStrictEqual([
      {
        name: 'a.corp.example',
        connectTo: '192.0.2.42',
        labels: { site: 'berlin' },
        windows: {
          via: 'winrm',
          url: 'https://a.corp.example:5986/wsman',
          credential: { auth: 'kerberos' },
          tls: { fingerprint: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' },
          allowUnencrypted: false,
          registry: false,
        },
        resolvers: machine.resolvers,
        probe: { schedule: { kind: 'every', seconds: 600 }, timeout: 20 },
      },
    ])
  })
})

describe('what a host or client is asked', () => {
  const TEXT = `
hosts:
  - name: a.corp.example
    serves: [windows_server_2025, windows_11]
    probes: { licensing: { timeout: 9s }, activity: { first_read: 1d } }
  - name: b.corp.example
clients:
  - { name: pc.corp.example, windows: { via: local }, probes: { client: { schedule: 1h } } }
probes:
  licensing: { schedule: 2m }
  activity: { schedule: 3m, first_read: 2d }
  client: { timeout: 7s }
`

  it('is as it says, and else as all are', () => {
    const { hosts, clients } = estate(TEXT)
    expect(hosts.map(({ probes }) => probes.licensing)).toStrictEqual([
      { schedule: { kind: 'every', seconds: 120 }, timeout: 9 },
      { schedule: { kind: 'every', seconds: 120 }, timeout: 20 },
      { schedule: { kind: 'every', seconds: 120 }, timeout: 20 },
    ])
    expect(hosts.map(({ probes }) => probes.activity)).toStrictEqual([
      { schedule: { kind: 'every', seconds: 180 }, timeout: 20, first_read: 86_400 },
      { schedule: { kind: 'every', seconds: 180 }, timeout: 20, first_read: 2 * 86_400 },
      { schedule: { kind: 'every', seconds: 180 }, timeout: 20, first_read: 2 * 86_400 },
    ])
    expect(clients.map(({ probe }) => probe)).toStrictEqual([
      { schedule: { kind: 'every', seconds: 3600 }, timeout: 7 },
    ])
    expect(hosts.map(({ serves }) => serves)).toStrictEqual([['windows_server_2025', 'windows_11'], [], []])
  })

  it('is the same for one host as for all', () => {
    const config = load(TEXT)
    const { hosts } = estate(TEXT)
    expect(hostNamed(config, machine, 'a.corp.example')).toStrictEqual(hosts[0])
    expect(hostNamed(config, machine, 'found.corp.example')).toStrictEqual(hosts[2])
  })
})

describe('a domain that lists nobody', () => {
  it('expects the hosts whose names end in its own, however far below it, in their order', () => {
    const { domains } = estate(`
hosts:
  - { name: b.corp.example, addresses: [192.0.2.2] }
  - { name: a.berlin.corp.example }
  - { name: a.xcorp.example }
  - { name: corp.example }
  - { name: 192.0.2.1 }
domains:
  - { name: corp.example }
  - { name: berlin.corp.example }
  - { name: example, expect: [] }
  - { name: other.example }
`)
    expect(domains.map(({ expect }) => expect.map(({ target }) => target))).toEqual([
      ['b.corp.example', 'a.berlin.corp.example'],
      ['a.berlin.corp.example'],
      [],
      [],
    ])
    expect(domains.map(({ exact }) => exact)).toEqual([false, false, true, false])
    for (const { addresses } of domains) expect([...addresses]).toEqual([['b.corp.example', ['192.0.2.2']]])
  })
})

describe('hosts that say the same', () => {
  it('share what comes of it', () => {
    const own = 'probes: { clock: { sources: [ntp] } }'
    const { hosts } = estate(`
hosts:
  - { name: a.corp.example, ${own} }
  - { name: b.corp.example, ${own} }
  - { name: c.corp.example }
  - { name: d.corp.example }
`)
    const [a, b, c, d, found] = hosts.map(({ probes }) => probes)
    expect(a).toBe(b)
    expect(a).not.toBe(c)
    expect(c).toBe(d)
    expect(c).toBe(found)
    expect(a?.clock).toStrictEqual({ ...c?.clock, sources: ['ntp'] })
    expect(a?.port).toBe(c?.port)
  })
})
