import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CLIENT_OSES, type ClientOs } from '../../src/kms/client-os.ts'
import { clientOsOf, judgeSupport, supports, type HostFacts } from '../../src/kms/support-matrix.ts'

const server = (build: number | undefined, ubr: number | undefined, ...channels: string[]): HostFacts => ({
  build,
  ubr,
  productType: 'server',
  channels,
})

const verdict = (host: HostFacts, os: ClientOs): boolean | undefined => supports(host)[os]

describe('updates', () => {
  // The last build that lacks each update, and the first that has it.
  it.for([
    [20_348, 2321, 2322, 'ws2025', 'windows_server_2025'],
    [17_763, 5457, 5458, 'ws2025', 'windows_server_2025'],
    [17_763, 1998, 1999, 'ws2022', 'windows_server_2022'],
    [14_393, 4466, 4467, 'ws2022', 'windows_server_2022'],
  ] as const)('%i.%i lacks what %i has: %s activates %s', ([build, before, from, key, os]) => {
    expect(verdict(server(build, before, key), os)).toBe(false)
    expect(verdict(server(build, from, key), os)).toBe(true)
    expect(verdict(server(build, 60_000, key), os)).toBe(true)
    expect(verdict(server(build, undefined, key), os)).toBeUndefined()
    expect(verdict(server(undefined, from, key), os)).toBeUndefined()
    expect(judgeSupport(server(build, before, key), os).why).toContain(`${build}.${from}`)
  })

  it('as the kernel tells it: enough is enough, and too little is the least that it can be', () => {
    const host = { ...server(20_348, 2321, 'ws2025'), ubrIsLeast: true }
    expect(verdict(host, 'windows_server_2025')).toBeUndefined()
    expect(judgeSupport(host, 'windows_server_2025').why).toContain('its registry would tell')
    expect(verdict({ ...host, ubr: 2322 }, 'windows_server_2025')).toBe(true)
  })

  it('not confirmed: enough is enough, too little is not known', () => {
    for (const [build, ubr, key, os] of [
      [14_393, 4467, 'ws2019', 'windows_server_2019'],
      [17_763, 1999, 'ws2022', 'windows_11'],
      [14_393, 4467, 'ws2022', 'windows_11'],
    ] as const) {
      expect(verdict(server(build, ubr, key), os)).toBe(true)
      expect(verdict(server(build, ubr - 1, key), os)).toBeUndefined()
    }
  })

  it('of which only a KB is known: not known, whatever the revision', () => {
    for (const ubr of [0, 60_000, undefined]) {
      expect(verdict(server(9600, ubr, 'ws2016'), 'windows_server_2016')).toBeUndefined()
      expect(verdict(server(9600, ubr, 'ws2016'), 'windows_10')).toBeUndefined()
      expect(verdict(server(9200, ubr, 'ws2016'), 'windows_8_1')).toBeUndefined()
    }
  })

  it('are not needed for what is as old as the host, or older', () => {
    const host = server(20_348, undefined, 'ws2022')
    for (const os of [
      'windows_server_2022',
      'windows_server_2008_r2',
      'windows_11',
      'windows_10',
      'windows_7',
    ] as const)
      expect(verdict(host, os), os).toBe(true)
  })
})

describe('keys', () => {
  it('a key activates nothing newer than itself, however new the host', () => {
    const host = server(26_100, 60_000, 'ws2022')
    expect(verdict(host, 'windows_server_2025')).toBe(false)
    expect(judgeSupport(host, 'windows_server_2025').why).toContain('ws2022')
    expect(verdict(host, 'windows_server_2022')).toBe(true)
  })

  it('a key that does not activate it rules it out without the build', () => {
    expect(verdict(server(undefined, undefined, 'ws2019'), 'windows_server_2022')).toBe(false)
  })

  it('where the table is silent, it is not known', () => {
    expect(verdict(server(17_763, 60_000, 'ws2019'), 'windows_11')).toBeUndefined()
    for (const key of ['ws2025', 'ws2022', 'ws2019', 'ws2016', 'w10'])
      expect(verdict(server(26_100, 60_000, key), 'windows_8'), key).toBeUndefined()
    expect(verdict(server(9600, undefined, 'ws2012_r2'), 'windows_8')).toBe(true)
  })

  it('of Office activate no Windows', () => {
    expect(Object.values(supports(server(20_348, 3000, 'office2016')))).toEqual(CLIENT_OSES.map(() => false))
    expect(verdict(server(20_348, 3000, 'office2016', 'ws2022'), 'windows_11')).toBe(true)
  })

  it('not known here: what the known ones do, and nothing is ruled out', () => {
    const unknown = 'a1b2c3d4-0000-4000-8000-000000000022'
    expect(supports(server(26_100, 1, unknown))).toEqual({})
    const both = supports(server(26_100, 1, unknown, 'ws2019'))
    expect(both.windows_server_2019).toBe(true)
    expect(Object.values(both)).not.toContain(false)
  })

  it('none: nothing follows', () => {
    expect(supports(server(20_348, 3000))).toEqual({})
  })
})

it('a client system as a host activates client systems only', () => {
  const host: HostFacts = { build: 19_045, ubr: 5000, productType: 'workstation', channels: ['w10'] }
  const said = supports(host)
  expect(said.windows_10).toBe(true)
  expect(said.windows_7).toBe(true)
  expect(said.windows_11).toBeUndefined()
  for (const os of CLIENT_OSES.filter((each) => each.startsWith('windows_server_')))
    expect(said[os]).toBe(false)
})

it('knowing less never turns one answer into the other, and a later update takes nothing away', () => {
  const number = (max: number) => fc.option(fc.nat({ max }), { nil: undefined })
  const builds = fc.constantFrom(7601, 9200, 9600, 14_393, 17_763, 19_045, 20_348, 25_398, 26_100)
  const hosts = fc.record({
    build: fc.option(builds, { nil: undefined }),
    ubr: number(9999),
    productType: fc.constantFrom('workstation', 'server', 'domain_controller', undefined),
    channels: fc.subarray([
      'ws2025',
      'ws2022',
      'ws2019',
      'ws2016',
      'w10',
      'ws2012_r2',
      'office2019',
      'other',
    ]),
  })
  fc.assert(
    fc.property(hosts, (host) => {
      const said = supports(host)
      const later = supports({ ...host, ubr: host.ubr === undefined ? undefined : host.ubr + 1 })
      const less = supports({ ...host, ubr: undefined })
      for (const os of CLIENT_OSES) {
        if (said[os] === true) expect(later[os]).toBe(true)
        if (less[os] !== undefined) expect(said[os]).toBe(less[os])
        expect(judgeSupport(host, os).why).not.toBe('')
      }
    }),
  )
})

it.for([
  [26_100, 'server', 'windows_server_2025'],
  [20_348, 'domain_controller', 'windows_server_2022'],
  [14_393, 'server', 'windows_server_2016'],
  [7600, 'server', 'windows_server_2008_r2'],
  [25_398, 'server', undefined],
  [26_100, 'workstation', 'windows_11'],
  [22_000, 'workstation', 'windows_11'],
  [21_999, 'workstation', 'windows_10'],
  [14_393, 'workstation', 'windows_10'],
  [9600, 'workstation', 'windows_8_1'],
  [2600, 'workstation', undefined],
  [undefined, 'server', undefined],
  [20_348, undefined, undefined],
] as const)('build %s of a %s is %s', ([build, productType, os]) => {
  expect(clientOsOf({ build, productType })).toBe(os)
})
