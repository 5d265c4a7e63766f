// The estate as a whole, seen from outside with plain sockets, DNS and HTTP clients of Node.
import { execFile } from 'node:child_process'
import { Resolver } from 'node:dns/promises'
import { readFileSync, readdirSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { Estate } from '../../src/lab/estate.ts'
import { startEstate } from '../../src/lab/estate.ts'
import { ask, hex, talk } from './raw-client.ts'

const NETWORK = '127.94'
const KMS_BIND = hex(`05000b03 10000000 4800 0000 01000000 d016d016 00000000 01000000 0000 0100
  7521c851 4e84 5047 b0d8 ec255555bc06 0100 0000 045d888a eb1c c911 9fe8 08002b104860 0200 0000`)

let estate: Estate
beforeAll(async () => {
  estate = await startEstate({ network: NETWORK, exporterClockOffsetSeconds: 600 })
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
  ])('%s: %s', async (label, expected) => {
    expect(await meet(label)).toBe(expected)
  })

  it('nobody listens where the stale A record of kms-moved leads', async () => {
    expect((await talk({ address: `${NETWORK}.1.250`, port: 1688 }, KMS_BIND)).end).toBe('refused')
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
    expect(await resolver(0).resolve4('kms-moved.plant.example')).toEqual([`${NETWORK}.1.250`])
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
    const config: {
      hosts: { name: string; addresses?: string[]; windows?: { url: string } }[]
      domains: { name: string; expect: (string | { target: string })[] }[]
    } = parse(estate.configYaml)
    const known = estate.hosts.map(({ name }) => name).filter((name) => !name.startsWith('kms-old.'))
    expect(config.hosts.map(({ name }) => name)).toEqual(known)
    const expected = config.domains.flatMap(({ expect }) =>
      expect.map((entry) => (typeof entry === 'string' ? entry : entry.target)),
    )
    expect(expected).toEqual(known)
    const moved = config.hosts.find(({ name }) => name.startsWith('kms-moved.'))
    expect(moved?.addresses).toEqual([addressOf('kms-moved')])
    const watched = config.hosts.flatMap(({ windows }) => (windows ? [windows.url] : []))
    expect(watched).toEqual(
      ['kms01', 'kms02', 'kms-stopped-w'].map((label) => `http://${addressOf(label)}:15985/metrics`),
    )
  })

  it('is honest about each host: a cause and a sentence', () => {
    const causes = estate.hosts.map(({ cause }) => cause)
    expect(causes.filter((cause) => cause === null)).toHaveLength(2)
    expect(new Set(causes).size).toBe(10)
    for (const { story } of estate.hosts) expect(story).toMatch(/^[A-Za-z].{20,}\.$/)
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
    await expect(startEstate({ network: NETWORK })).rejects.toThrow(
      /^127\.94\.\d+\.\d+:\d+ \(\w+\) is already in use/,
    )
    expect(await meet('kms01')).toBe('accepted')
    expect(await resolver(0).resolve4('kms01.corp.example')).toEqual([addressOf('kms01')])
  })

  it.each(['10.0', '127.300', '127', '127.1.2'])('refuses the network %s', async (network) => {
    await expect(startEstate({ network })).rejects.toThrow('is no loopback network')
  })

  it('and stopping leaves nothing behind that keeps a process alive', async () => {
    const script = `import { startEstate } from ${JSON.stringify(new URL('../../src/lab/estate.ts', import.meta.url).href)}
      const estate = await startEstate({ network: '127.95' })
      await estate.breakHost('kms01', 'filter')
      await estate.stop()
      await estate.stop()
      console.log('stopped')`
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', script],
      { timeout: 15_000 },
    )
    expect(stdout).toBe('stopped\n')
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
