// The estate as a whole, seen from outside with plain sockets, DNS and HTTP clients of Node.
import { execFile, spawnSync } from 'node:child_process'
import { Resolver } from 'node:dns/promises'
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { Estate } from '../../src/lab/estate.ts'
import { startEstate } from '../../src/lab/estate.ts'
import { during } from '../during.ts'
import { freeNetwork } from '../e2e/built.ts'
import { ask, hex, talk } from './raw-client.ts'
import { queryAll } from './wsman-client.ts'

const KMS_BIND = hex(`05000b03 10000000 4800 0000 01000000 d016d016 00000000 01000000 0000 0100
  7521c851 4e84 5047 b0d8 ec255555bc06 0100 0000 045d888a eb1c c911 9fe8 08002b104860 0200 0000`)

let network: string
let estate: Estate
beforeAll(async () => {
  network = await freeNetwork()
  estate = await startEstate({ network, exporterClockOffsetSeconds: 600 })
})
afterAll(async () => {
  await estate.stop()
})

function addressOf(label: string): string {
  return estate.hosts.find(({ name }) => name.startsWith(`${label}.`))?.address ?? 'missing'
}

function resolver(which: number): Resolver {
  const asking = new Resolver({ timeout: 2000, tries: 1 })
  asking.setServers([estate.resolvers[which] ?? 'missing'])
  return asking
}

/** What a client that binds to the KMS interface meets on port 1688. */
async function meet(label: string): Promise<string> {
  const where = { address: addressOf(label), port: 1688 }
  const { received, end } = await talk(where, KMS_BIND, { patienceMilliseconds: 1500, enough: 60 })
  if (received.length === 0) return end
  if (received[2] !== 0x0c) return received.toString('latin1', 0, 12)
  return received.readUInt16LE(36) === 0 ? 'accepted' : `rejected ${received.readUInt16LE(38)}`
}

async function serviceState(label: string): Promise<string | undefined> {
  const page = await (await fetch(`http://${addressOf(label)}:15985/metrics`)).text()
  return /windows_service_state\{name="sppsvc",state="([^"]+)"\} 1/.exec(page)?.[1]
}

interface EstateConfig {
  readonly hosts: readonly {
    readonly name: string
    readonly addresses?: readonly string[]
    readonly windows?: { readonly via: string; readonly url: string }
  }[]
  readonly clients: readonly { readonly name: string; readonly windows: { readonly url: string } }[]
  readonly domains: readonly { readonly name: string; readonly expect: (string | { target: string })[] }[]
  readonly credentials: { readonly reader: { readonly username: string; readonly password_file: string } }
}

function configOf({ configYaml }: Estate): EstateConfig {
  return parse(configYaml) as EstateConfig
}

/** Asks the Windows of a host, as its configuration has it; of a canary too. */
async function askWindows(label: string, wql: string): Promise<Record<string, string>[]> {
  const { hosts, clients, credentials } = configOf(estate)
  const url = [...hosts, ...clients].find(({ name }) => name.startsWith(`${label}.`))?.windows?.url ?? ''
  const { username, password_file } = credentials.reader
  const password = readFileSync(password_file, 'utf8').trimEnd()
  return queryAll(url, wql, `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`)
}

const PRODUCTS =
  "SELECT KeyManagementServiceCurrentCount, RequiredClientCount, LicenseStatus FROM SoftwareLicensingProduct WHERE PartialProductKey <> null AND Description LIKE '%VOLUME_KMS[_]W%'"

describe('on port 1688', () => {
  it.each([
    ['kms01', 'accepted'],
    ['kms-down', 'hangs'],
    ['kms-filtered', 'hangs'],
    ['kms-stopped', 'refused'],
    ['kms-stopped-w', 'refused'],
    ['kms-impostor', 'rejected 1'],
    ['kms-anything', 'accepted'],
    ['kms-web', 'HTTP/1.1 400'],
    ['kms-unlisted', 'accepted'],
    ['kms-port', 'accepted'],
    ['kms-moved', 'accepted'],
    ['kms-clock', 'accepted'],
    ['kms-old', 'refused'],
    ['kms-branch', 'accepted'],
    ['kms-disabled', 'refused'],
    ['kms-unlicensed', 'accepted'],
    ['kms-few', 'accepted'],
    ['kms-clones', 'accepted'],
    ['kms-2016', 'accepted'],
    ['kms-unread', 'accepted'],
  ])('%s: %s', async (label, expected) => {
    expect(await meet(label)).toBe(expected)
  })

  it('nobody listens where the stale A record of kms-moved leads', async () => {
    expect((await talk({ address: `${network}.1.250`, port: 1688 }, KMS_BIND)).end).toBe('refused')
  })
})

describe('the clocks', () => {
  it.each([
    ['kms-filtered', 600],
    ['kms-clock', 600 + 18_000],
  ])('of %s are %i seconds ahead', async (label, seconds) => {
    const response = await fetch(`http://${addressOf(label)}:15985/wsman`)
    const offset = Date.parse(response.headers.get('date') ?? '') / 1000 - Date.now() / 1000
    expect(Math.abs(offset - seconds)).toBeLessThan(5)
  })

  it('of kms-down do not answer', async () => {
    const address = addressOf('kms-down')
    const ends = [10_445, 15_985].map(async (port) => {
      return (await talk({ address, port }, KMS_BIND, { patienceMilliseconds: 700 })).end
    })
    expect(await Promise.all(ends)).toEqual(['hangs', 'hangs'])
    expect(await ask({ address, port: 10_123 }, hex(`23${'00'.repeat(47)}`), 300)).toBeUndefined()
  })

  it('include a reference that is shifted like all others', async () => {
    const [address = '', port] = estate.reference.split(':')
    const answer = await ask({ address, port: Number(port) }, hex(`23${'00'.repeat(47)}`))
    const seconds = (answer?.readUInt32BE(40) ?? 0) - 2_208_988_800
    expect(Math.abs(seconds - Date.now() / 1000 - 600)).toBeLessThan(5)
  })
})

describe('DNS', () => {
  it('names every host of the plant but the unlisted one, one of them with another port', async () => {
    const records = await resolver(0).resolveSrv('_vlmcs._tcp.plant.example')
    const listed = records.map(({ name, port }) => `${name}:${port}`)
    expect(listed).toContain('kms-port.plant.example:1689')
    expect(listed).toContain('kms-old.plant.example:1688')
    expect(listed.join(' ')).not.toContain('kms-unlisted')
    expect(listed).toHaveLength(estate.hosts.filter(({ domain }) => domain === 'plant.example').length - 1)
    expect(await resolver(0).resolve4('kms-unlisted.plant.example')).toEqual([addressOf('kms-unlisted')])
    expect(await resolver(0).resolve4('kms-moved.plant.example')).toEqual([`${network}.1.250`])
  })

  it('differs between the two servers for the branch alone', async () => {
    expect(await resolver(0).resolveSrv('_vlmcs._tcp.branch.example')).toHaveLength(1)
    await expect(resolver(1).resolveSrv('_vlmcs._tcp.branch.example')).rejects.toMatchObject({
      code: 'ENOTFOUND',
    })
    expect(await resolver(1).resolve4('kms-branch.branch.example')).toEqual([addressOf('kms-branch')])
    for (const which of [0, 1]) {
      const names = (await resolver(which).resolveSrv('_vlmcs._tcp.corp.example')).map(({ name }) => name)
      expect(names.sort()).toEqual(['kms01.corp.example', 'kms02.corp.example'])
    }
  })
})

describe('the configuration', () => {
  it('names every host that is not forgotten, and expects it', () => {
    const config = configOf(estate)
    const known = estate.hosts.map(({ name }) => name).filter((name) => !name.startsWith('kms-old.'))
    expect(config.hosts.map(({ name }) => name)).toEqual(known)
    const expected = config.domains.flatMap(({ expect }) =>
      expect.map((entry) => (typeof entry === 'string' ? entry : entry.target)),
    )
    expect(expected).toEqual(known)
    const moved = config.hosts.find(({ name }) => name.startsWith('kms-moved.'))
    expect(moved?.addresses).toEqual([addressOf('kms-moved')])
    const watched: Record<string, { readonly via: string; readonly url: string }> = Object.fromEntries(
      config.hosts.flatMap(({ name, windows }) => (windows ? [[name.split('.')[0] ?? '', windows]] : [])),
    )
    for (const [label, { via, url }] of Object.entries(watched)) {
      const path = via === 'winrm' ? 'wsman' : 'metrics'
      expect(url).toBe(`http://${addressOf(label)}:15985/${path}`)
    }
    expect(Object.keys(watched).filter((label) => watched[label]?.via === 'windows_exporter')).toEqual([
      'kms02',
      'kms-stopped-w',
    ])
    expect(config.clients.map(({ name }) => name)).toEqual(estate.clients.map(({ name }) => name))
  })

  it('is honest about each host: a cause and a sentence', () => {
    const causes = estate.hosts.map(({ cause }) => cause)
    expect(causes.filter((cause) => cause === null)).toHaveLength(2)
    expect(new Set(causes).size).toBe(15)
    for (const { story } of [...estate.hosts, ...estate.clients]) expect(story).toMatch(/^[A-Za-z].{20,}\.$/)
  })
})

describe('Windows itself', () => {
  it.each([
    ['kms01', [{ KeyManagementServiceCurrentCount: '50', LicenseStatus: '1', RequiredClientCount: '25' }]],
    ['kms-disabled', []],
    [
      'kms-unlicensed',
      [{ KeyManagementServiceCurrentCount: '50', LicenseStatus: '5', RequiredClientCount: '25' }],
    ],
    ['kms-few', [{ KeyManagementServiceCurrentCount: '3', LicenseStatus: '1', RequiredClientCount: '5' }]],
    [
      'kms-clones',
      [{ KeyManagementServiceCurrentCount: '12', LicenseStatus: '1', RequiredClientCount: '25' }],
    ],
  ])('tells the licence and the count of %s', async (label, expected) => {
    expect(await askWindows(label, PRODUCTS)).toEqual(expected)
  })

  it('of kms-2016 lacks the update, which kms01 has no need of', async () => {
    const version = String.raw`SELECT Version FROM CIM_DataFile WHERE Name = 'C:\\Windows\\System32\\ntoskrnl.exe'`
    expect(await askWindows('kms-2016', version)).toEqual([{ Version: '10.0.14393.4283' }])
    expect(await askWindows('kms01', version)).toEqual([{ Version: '10.0.20348.2322' }])
  })

  it('has the requests in its log, but for the account that may not read it', async () => {
    const requests = "SELECT InsertionStrings FROM Win32_NTLogEvent WHERE Logfile = 'Key Management Service'"
    expect((await askWindows('kms01', requests)).length).toBeGreaterThanOrEqual(53)
    expect(await askWindows('kms-unread', requests)).toEqual([])
    const cmids = (await askWindows('kms-clones', requests)).map(
      ({ InsertionStrings = '' }) => InsertionStrings.split(',')[3],
    )
    expect(new Set(cmids).size).toBe(12)
  })

  it('of kms-unlisted says that it could not publish itself', async () => {
    const failed = 'SELECT InsertionStrings FROM Win32_NTLogEvent WHERE EventCode = 12293'
    expect(new Set((await askWindows('kms-unlisted', failed)).map((row) => row['InsertionStrings']))).toEqual(
      new Set(['0x80072338|plant.example']),
    )
  })

  it('of the canaries says whom they asked, and with what result', async () => {
    const found =
      "SELECT DiscoveredKeyManagementServiceMachineName, KeyManagementServiceMachine, LicenseStatus FROM SoftwareLicensingProduct WHERE Description LIKE '%VOLUME_KMSCLIENT%' AND PartialProductKey <> null"
    expect(await askWindows('pc01', found)).toEqual([
      {
        DiscoveredKeyManagementServiceMachineName: 'kms01.corp.example',
        KeyManagementServiceMachine: 'nil',
        LicenseStatus: '1',
      },
    ])
    expect(await askWindows('pc02', found)).toEqual([
      {
        DiscoveredKeyManagementServiceMachineName: 'nil',
        KeyManagementServiceMachine: 'kms-stopped.plant.example',
        LicenseStatus: '5',
      },
    ])
    const attempts = 'SELECT InsertionStrings FROM Win32_NTLogEvent WHERE EventCode = 12288'
    for (const { InsertionStrings } of await askWindows('pc02', attempts))
      expect(InsertionStrings).toMatch(/^0xC004F074, 0x00000000, kms-stopped\.plant\.example:1688, /)
  })

  it('has its time from the same clock as the rest of the machine', async () => {
    for (const [label, seconds] of [
      ['kms01', 600],
      ['kms-clock', 600 + 18_000],
    ] as const) {
      const [row] = await askWindows(label, 'SELECT LocalDateTime FROM Win32_OperatingSystem')
      const told = Date.parse(/<Datetime>(.*)<\/Datetime>/.exec(row?.['LocalDateTime'] ?? '')?.[1] ?? '')
      expect(Math.abs(told / 1000 - Date.now() / 1000 - seconds)).toBeLessThan(5)
    }
  })

  it('stops and starts with the service, and stays stopped as long as nobody asks it for licences', async () => {
    const state = "SELECT State FROM Win32_Service WHERE Name = 'sppsvc'"
    await estate.breakHost('kms01', 'stop_service')
    expect(await askWindows('kms01', state)).toEqual([{ State: 'Stopped' }])
    expect([await meet('kms01'), await serviceState('kms01')]).toEqual(['refused', 'stopped'])
    expect(await askWindows('kms01', state)).toEqual([{ State: 'Stopped' }])
    await estate.repairHost('kms01')
    expect(await askWindows('kms01', state)).toEqual([{ State: 'Running' }])
    expect(await meet('kms01')).toBe('accepted')
  })
})

describe('the password', () => {
  it('is in a file that only its owner may read, and not in the configuration', () => {
    const { password_file } = configOf(estate).credentials.reader
    expect(statSync(password_file).mode & 0o777).toBe(0o600)
    const password = readFileSync(password_file, 'utf8').trimEnd()
    expect(password.length).toBeGreaterThan(20)
    expect(estate.configYaml).not.toContain(password)
  })

  it('of an estate that was killed is cleared away by the next that starts, and no other', async () => {
    const { pid } = spawnSync(process.execPath, ['--version'])
    const dead = join(tmpdir(), `winkms-lab-${pid}-killed`)
    mkdirSync(dead)
    writeFileSync(join(dead, 'reader.password'), 'left behind')
    const { password_file } = configOf(estate).credentials.reader
    const next = await during(startEstate({ network: await freeNetwork() }))
    expect(existsSync(dead)).toBe(false)
    expect(existsSync(password_file)).toBe(true)
    await next.stop()
    const folder = dirname(configOf(next).credentials.reader.password_file)
    expect([existsSync(folder), existsSync(password_file)]).toEqual([false, true])
  })
})

describe('breaking kms02', () => {
  it('stops its service and starts it again', async () => {
    expect([await meet('kms02'), await serviceState('kms02')]).toEqual(['accepted', 'running'])
    await estate.breakHost('kms02.corp.example', 'stop_service')
    expect([await meet('kms02'), await serviceState('kms02')]).toEqual(['refused', 'stopped'])
    await estate.repairHost('kms02.corp.example')
    expect([await meet('kms02'), await serviceState('kms02')]).toEqual(['accepted', 'running'])
  })

  it('filters its port and opens it again, even when asked all at once', async () => {
    await estate.breakHost('kms02', 'filter')
    expect([await meet('kms02'), await serviceState('kms02')]).toEqual(['hangs', 'running'])
    await Promise.all([
      estate.breakHost('kms02', 'stop_service'),
      estate.breakHost('kms02', 'filter'),
      estate.repairHost('kms02'),
    ])
    expect([await meet('kms02'), await serviceState('kms02')]).toEqual(['accepted', 'running'])
  })

  it('needs a machine', async () => {
    await expect(estate.breakHost('kms-old', 'filter')).rejects.toThrow('no machine named "kms-old"')
    await expect(estate.repairHost('nobody')).rejects.toThrow('no machine named "nobody"')
  })
})

describe('starting', () => {
  it('a second estate on the same network fails with one sentence and disturbs nothing', async () => {
    await expect(startEstate({ network })).rejects.toThrow(
      /^127\.\d+\.\d+\.\d+:\d+ \(\w+\) is already in use/,
    )
    expect(await meet('kms01')).toBe('accepted')
    expect(await resolver(0).resolve4('kms01.corp.example')).toEqual([addressOf('kms01')])
  })

  it.each(['10.0', '127.300', '127', '127.1.2'])('refuses the network %s', async (wrong) => {
    await expect(startEstate({ network: wrong })).rejects.toThrow('is no loopback network')
  })

  it('and stopping leaves nothing behind that keeps a process alive', async () => {
    const script = `import { startEstate } from ${JSON.stringify(new URL('../../src/lab/estate.ts', import.meta.url).href)}
      const estate = await startEstate({ network: '${await freeNetwork()}' })
      await estate.breakHost('kms01', 'filter')
      console.log(/password_file: "(.*)" /.exec(estate.configYaml)[1])
      await estate.stop()
      await estate.stop()
      console.log('stopped')`
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', script],
      { timeout: 15_000 },
    )
    const [file = '', last] = stdout.trimEnd().split('\n')
    expect(last).toBe('stopped')
    expect(file).toMatch(/\.password$/)
    expect(existsSync(file)).toBe(false)
  })
})

describe('the sources of the lab', () => {
  it('import node and each other, and nothing else', () => {
    const folder = new URL('../../src/lab/', import.meta.url)
    const imported = readdirSync(folder).flatMap((file) =>
      [
        ...readFileSync(new URL(file, folder), 'utf8').matchAll(
          /(?:\bfrom |\bimport\(|\brequire\()'([^']+)'/g,
        ),
      ].map(([, from = '']) => from),
    )
    expect(imported.length).toBeGreaterThan(20)
    expect(imported.filter((from) => !/^(node:[a-z_/]+|\.\/[a-z0-9-]+\.ts)$/.test(from))).toEqual([])
  })
})
