// Breaking hosts of a running estate by its HTTP control: what it answers, whom it refuses, and that a repaired host is as
// it was. That each way leads to its cause is shown end to end, in test/e2e/alerts.test.ts.
import { execFile } from 'node:child_process'
import { Resolver } from 'node:dns/promises'
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { CAUSE_NAMES } from '../../src/diagnosis/causes.ts'
import { BREAKAGES, WAYS, whyNot } from '../../src/lab/breakages.ts'
import { RESIDENTS } from '../../src/lab/estate-hosts.ts'
import { startEstate, type Estate } from '../../src/lab/estate.ts'
import { freeNetwork } from '../e2e/built.ts'
import { listenServer } from '../../src/lab/listener.ts'
import { hex, talk } from './raw-client.ts'
import { queryAll } from './wsman-client.ts'

const LOOPBACK = { address: '127.0.0.1', port: 0 }

let estate: Estate
let network: string
beforeAll(async () => {
  network = await freeNetwork()
  estate = await startEstate({ network, control: LOOPBACK })
})
afterAll(async () => {
  await estate.stop()
})

async function order(path: string, init: RequestInit = { method: 'POST' }): Promise<[number, string]> {
  const response = await fetch(`${estate.controlUrl}${path}`, init)
  return [response.status, await response.text()]
}

async function windows(wql: string): Promise<Record<string, string>[]> {
  const file = /password_file: "(.*)" /.exec(estate.configYaml)?.[1] ?? ''
  const password = readFileSync(file, 'utf8').trimEnd()
  const authorization = `Basic ${Buffer.from(`reader:${password}`).toString('base64')}`
  return queryAll(`http://${network}.1.1:15985/wsman`, wql, authorization)
}

const KEYS =
  "SELECT Description, KeyManagementServiceCurrentCount, LicenseStatus FROM SoftwareLicensingProduct WHERE PartialProductKey <> null AND Description LIKE '%VOLUME_KMS[_]W%'"
const REQUESTS = "SELECT RecordNumber FROM Win32_NTLogEvent WHERE Logfile = 'Key Management Service'"

it('every way has a cause that there is, and is possible on a host that is healthy', () => {
  for (const way of WAYS) {
    expect(CAUSE_NAMES).toContain(BREAKAGES[way].cause)
    const healthy = RESIDENTS.filter(({ cause }) => cause === null)
    expect(
      healthy.some((resident) => whyNot(resident, way) === undefined),
      way,
    ).toBe(true)
  }
  expect(CAUSE_NAMES.filter((cause) => WAYS.every((way) => BREAKAGES[way].cause !== cause))).toEqual([
    'srv_stale',
    'exporter_clock_wrong',
  ])
})

it('DNS changes and changes back', async () => {
  const resolver = new Resolver({ timeout: 2000, tries: 1 })
  resolver.setServers([estate.resolvers[0] ?? ''])
  const ports = async (): Promise<string[]> =>
    (await resolver.resolveSrv('_vlmcs._tcp.corp.example'))
      .map(({ name, port }) => `${name}:${port}`)
      .toSorted()
  const address = async (): Promise<string[]> => resolver.resolve4('kms02.corp.example')
  expect(await order('/break?host=kms02.corp.example&how=wrong_srv_port')).toEqual([
    200,
    'kms02.corp.example: The SRV record sends clients to port 1689. To be named: srv_wrong_port.\n',
  ])
  expect(await ports()).toEqual(['kms01.corp.example:1688', 'kms02.corp.example:1689'])
  await order('/break?host=kms02&how=unpublish')
  expect(await ports()).toEqual(['kms01.corp.example:1688'])
  await order('/break?host=kms02&how=move_record')
  expect([await ports(), await address()]).toEqual([
    ['kms01.corp.example:1688', 'kms02.corp.example:1688'],
    [`${network}.1.250`],
  ])
  await order('/repair?host=kms02')
  expect(await address()).toEqual([`${network}.1.2`])
})

it('a machine goes away and comes back, and its clock goes wrong and right', async () => {
  const ask = async (): Promise<number> => {
    const answer = await fetch(`http://${network}.1.2:15985/metrics`, { signal: AbortSignal.timeout(1000) })
    return Date.parse(answer.headers.get('date') ?? '') - Date.now()
  }
  const knock = async (): Promise<string> =>
    (await talk({ address: `${network}.1.2`, port: 1688 }, hex('05'), { patienceMilliseconds: 700 })).end
  await order('/break?host=kms02&how=power_off')
  expect(await knock()).toBe('hangs')
  await expect(ask()).rejects.toThrow(/timeout/)
  await order('/break?host=kms02&how=clock_ahead')
  expect(Math.abs((await ask()) - 5 * 3_600_000)).toBeLessThan(5000)
  await order('/repair?host=kms02')
  expect(Math.abs(await ask())).toBeLessThan(5000)
})

it('Windows says what is wrong, and after a repair what it said before', async () => {
  const healthy = await windows(KEYS)
  expect(healthy).toHaveLength(1)
  await order('/break?host=kms01&how=lose_licence')
  expect(await windows(KEYS)).toMatchObject([{ LicenseStatus: '5' }])
  await order('/break?host=kms01&how=lose_clients')
  expect(await windows(KEYS)).toMatchObject([{ LicenseStatus: '1', KeyManagementServiceCurrentCount: '3' }])
  await order('/break?host=kms01&how=old_key')
  expect((await windows(KEYS))[0]?.['Description']).toContain('WS16')
  await order('/break?host=kms01&how=disable_kms')
  expect(await windows(KEYS)).toEqual([])
  await order('/break?host=kms01&how=hide_log')
  expect([await windows(KEYS), await windows(REQUESTS)]).toEqual([healthy, []])
  await order('/repair?host=kms01')
  expect((await windows(REQUESTS)).length).toBeGreaterThan(0)
  expect(await windows(KEYS)).toEqual(healthy)
})

it('says what there is, what is broken, and repairs all at once', async () => {
  await order('/break?host=kms01&how=impostor')
  await order('/break?host=kms-branch&how=stop_service')
  const [status, text] = await order('/', {})
  expect(status).toBe(200)
  for (const way of WAYS) expect(text).toMatch(new RegExp(`^ {2}${way} +${BREAKAGES[way].cause} `, 'm'))
  expect(text).toContain('  kms01.corp.example  broken: impostor\n')
  expect(await order('/repair')).toEqual([200, 'Repaired: kms01.corp.example, kms-branch.branch.example.\n'])
  expect((await order('/', {}))[1]).not.toContain('broken: ')
  expect(await order('/repair')).toEqual([200, 'Repaired: nothing was broken.\n'])
})

it.each([
  ['/break?host=nobody&how=filter', 400, 'There is no machine named "nobody" in the lab.'],
  ['/break?host=kms-old&how=filter', 400, 'There is no machine named "kms-old" in the lab.'],
  [
    '/break?host=kms02&how=lose_licence',
    400,
    'kms02.corp.example cannot be broken like this: its Windows is not asked by WinRM.',
  ],
  ['/break?host=kms02&how=burn', 400, 'where WAY is one of stop_service, filter'],
  ['/break?how=filter', 400, 'host=NAME'],
  ['/break', 400, 'host=NAME'],
  ['/', 405, 'GET /'],
  ['/elsewhere', 404, 'There are'],
] as const)('POST %s: %i', async (path, status, text) => {
  const answer = await order(path)
  expect(answer[0]).toBe(status)
  expect(answer[1]).toContain(text)
})

it('a page in a browser, and GET, can break nothing', async () => {
  const page = { method: 'POST', headers: { origin: 'http://elsewhere.example' } }
  expect((await order('/break?host=kms02&how=filter', page))[0]).toBe(403)
  expect((await order('/break?host=kms02&how=filter', {}))[0]).toBe(405)
  expect((await order('/', {}))[1]).not.toContain('broken: ')
})

it('a port that is taken ends the start with one sentence, and leaves nothing running', async () => {
  const other = await listenServer(createServer(), LOOPBACK)
  const next = await freeNetwork()
  await expect(startEstate({ network: next, control: other })).rejects.toThrow(/is already in use/)
  await other.stop()
  await (await startEstate({ network: next })).stop()
})

it.each(['0.0.0.0:1', '127.0.0.1', '192.0.2.1:1', '127.0.0.999:1', 'localhost:1', '127.0.0.1:99999'])(
  'the demo takes no orders at %s',
  async (address) => {
    const args = ['--import', 'tsx', 'src/main.ts', 'demo', `--demo.control=${address}`]
    const ended = promisify(execFile)(process.execPath, args).catch((error: unknown) => error)
    expect(await ended).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('is a loopback address') as string,
    })
  },
)
