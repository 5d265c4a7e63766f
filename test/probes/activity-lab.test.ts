// The activity probe as the daemon runs it: a configuration, a WinRM client, files of its own, and a simulated Windows that
// reads WQL in its own way.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseConfig } from '../../src/config/load.ts'
import { estateOf } from '../../src/config/targets.ts'
import { checkCron } from '../../src/engine/cron.ts'
import { plan } from '../../src/engine/plan.ts'
import { run } from '../../src/engine/run.ts'
import { createIo } from '../../src/io/io.ts'
import { publishFailed, request12290, type KmsRequest } from '../../src/lab/event-log.ts'
import { kmsHost, type MachineStory, type WindowsMachine } from '../../src/lab/windows-machine.ts'
import { READER, startWinrm, type Rights, type WinrmServer } from '../../src/lab/winrm.ts'
import { silentLog } from '../../src/model/log.ts'
import { activity } from '../../src/probes/activity.ts'
import type { ResultOf } from '../../src/probes/index.ts'
import { during } from '../during.ts'
import { LOOPBACK } from '../io/support.ts'
import { readingOf } from '../real/ask.ts'

const PASSWORD = 'WINKMS_TEST_ACTIVITY_PASSWORD'

interface Watched {
  readonly machine: WindowsMachine
  readonly server: WinrmServer
  visit(): Promise<ResultOf<'activity'>>
  /** As a new process would, with the same files. */
  restart(): void
}

async function watched(rights: Rights = {}, story: MachineStory = {}): Promise<Watched> {
  const machine = kmsHost({ unlicensedProducts: 3, ...story })
  const server = await during(startWinrm(machine, LOOPBACK, { rights }))
  const stateDirectory = mkdtempSync(join(tmpdir(), 'winkms-activity-'))
  process.env[PASSWORD] = READER.password
  const yaml = `
hosts:
  - name: kms01.lab.example
    connect_to: 127.0.0.1
    windows: { via: winrm, url: '${server.url}', credentials: reader, allow_unencrypted: true }
domains: []
credentials: { reader: { auth: basic, username: ${READER.username}, password_env: ${PASSWORD} } }
`
  const { config, problems } = parseConfig(yaml, { file: '/nowhere/winkms.yml', checkCron })
  if (config === undefined) throw new Error(JSON.stringify(problems))
  const [task] = plan(estateOf(config, { resolvers: [], searchDomains: [] }, []), [activity])
  if (task === undefined) throw new Error('nothing to ask')
  let io = createIo({ stateDirectory })
  onTestFinished(() => {
    io.close()
    rmSync(stateDirectory, { recursive: true, force: true })
    delete process.env[PASSWORD]
  })
  return {
    machine,
    server,
    visit: async () => (await run(task, { io, log: silentLog })) as ResultOf<'activity'>,
    restart() {
      io.close()
      io = createIo({ stateDirectory })
    },
  }
}

const cmid = (client: number): string => `4be5a0ce-0000-4000-8000-${String(client).padStart(12, '0')}`
const request = (client: number, more: Partial<KmsRequest> = {}) =>
  request12290({ clientName: `PC${client}`, cmid: cmid(client), ...more })

describe('over WinRM', () => {
  it('requests are counted in either shape, and read on after a restart', async () => {
    const { machine, visit, restart } = await watched()
    const log = machine.log('Key Management Service')
    log.append(request(1))
    log.append(request(2, { shape: 'joined', minCount: 5, clientName: 'srv2.lab.example' }))
    log.append(request(2, { clientName: 'CLONE', hresult: 0xc004f06c, skewSeconds: -5 * 3600 }))
    machine.log('Application').append(publishFailed('other.example', 0x80072338))
    const first = readingOf(await visit())
    expect(first).toMatchObject({
      distinctClients: { '1h': 2, '24h': 2, '7d': 2, '30d': 2 },
      duplicateClientIds: 1,
      lastMismatchSeconds: undefined,
      caughtUp: true,
      dnsPublishing: [
        { domain: 'lab.example', success: true },
        { domain: 'other.example', success: false, code: '0x80072338' },
      ],
      logs: [
        { log: 'key_management_service', records: 3, overwrites: 'when_needed' },
        { log: 'application', overwrites: 'when_needed' },
      ],
    })
    expect(first.requests).toEqual([
      { result: '0x00000000', minClients: '5', count: 1 },
      { result: '0x00000000', minClients: '25', count: 1 },
      { result: '0xC004F06C', minClients: '25', count: 1 },
    ])
    restart()
    log.append(request(3))
    const second = readingOf(await visit())
    expect(second.requests.map(({ count }) => count)).toEqual([1, 2, 1])
    for (const { gaps, lost } of second.logs)
      expect({ gaps, lost }).toEqual({ gaps: { cleared: 0, overwritten: 0, restarted: 0 }, lost: 0 })
  })

  it('a long log is read by windows', async () => {
    const { machine, visit } = await watched()
    const log = machine.log('Key Management Service')
    for (let n = 0; n < 2500; n += 1) log.append(request(n % 300))
    const { requests, caughtUp, distinctClients } = readingOf(await visit())
    expect(requests.reduce((sum, { count }) => sum + count, 0)).toBe(2500)
    expect([caughtUp, distinctClients['30d']]).toEqual([true, 300])
  })

  it('a log of 50,000 records takes several visits, each of them bounded, and loses nothing', async () => {
    const { machine, visit } = await watched(
      {},
      { logs: { 'Key Management Service': { mostBytes: 2 ** 26 } } },
    )
    const log = machine.log('Key Management Service')
    for (let n = 0; n < 50_000; n += 1) log.append(request(n % 3000))
    const counts: number[] = []
    for (let caughtUp = false; !caughtUp;) {
      const result = await visit()
      expect(result.durationSeconds).toBeLessThan(result.target.timeoutSeconds)
      const reading = readingOf(result)
      caughtUp = reading.caughtUp
      counts.push(reading.requests.reduce((sum, { count }) => sum + count, 0))
      expect(reading.roundTrips).toBeLessThan(400)
    }
    expect(counts.length).toBeGreaterThan(3)
    expect(counts.toSorted((a, b) => a - b)).toEqual(counts)
    expect(counts.at(-1)).toBe(50_000)
    expect(readingOf(await visit())).toMatchObject({ distinctClients: { '30d': 3000 }, sampledOneIn: 1 })
  }, 120_000)

  it.each([
    ['clear', 'cleared', 0],
    ['restart', 'restarted', 0],
    ['wrap', 'overwritten', 4],
  ] as const)('a log after %s() was %s', async (what, why, lost) => {
    const { machine, visit } = await watched()
    const log = machine.log('Key Management Service')
    const atSeconds = machine.clock() / 1000
    for (let n = 0; n < 5; n += 1) log.append(request(n, { atSeconds: atSeconds - 100 }))
    await visit()
    if (what === 'wrap') {
      for (let n = 0; n < 8; n += 1) log.append(request(n))
      log.wrap(9)
    } else {
      log[what]()
      for (let n = 0; n < 4; n += 1) log.append(request(n))
    }
    const { requests, logs } = readingOf(await visit())
    expect(requests.reduce((sum, { count }) => sum + count, 0)).toBe(9)
    expect(logs[0]).toMatchObject({ gaps: { cleared: 0, overwritten: 0, restarted: 0, [why]: 1 }, lost })
  })

  it.each<Rights>([{ events: 'hidden' }, { events: 'denied' }, { namespace: false }])(
    'a missing right is access denied: %j',
    async (rights) => {
      const { machine, visit } = await watched(rights)
      machine.log('Key Management Service').append(request(1))
      const { failure } = await visit()
      expect(failure).toMatchObject({ reason: 'access_denied' })
    },
  )
})
