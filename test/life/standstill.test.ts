// The schedule falls silent, and the process lives on: whoever asks hears that it is not healthy, systemd hears no more signs
// of life, and what was measured is still answered.
import { join } from 'node:path'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { startRpc } from '../../src/lab/rpc.ts'
import { build, get, until } from '../e2e/built.ts'
import { need } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { folderOf, hostsAt, metrics, serve, SOON_SECONDS } from './exporter.ts'
import { listenAt } from './notify.ts'

/** The schedule's timers never fire from one SIGUSR2 on; at the next, all that are owed. */
const NO_TIMERS = `const after = setTimeout
let held
globalThis.setTimeout = (callback, ...rest) => {
  if (held === undefined || callback.name !== 'fireDue') return after(callback, ...rest)
  held.push(callback)
}
process.on('SIGUSR2', () => {
  const owed = held
  held = owed === undefined ? [] : undefined
  for (const callback of owed ?? []) callback()
})`

const python = need('python3', 'python3')

beforeAll(build)

it.skipIf(python === undefined)(
  'a schedule that stands still is not healthy, and says so until it goes on',
  async () => {
    const port = await freePort()
    const peer = await startRpc('kms', { address: '127.0.0.1', port })
    onTestFinished(() => peer.stop())
    const path = join(await folderOf(), 'notify')
    const words = await listenAt(path, python ?? '')

    const exporter = await serve(hostsAt(port, 3, '1s', '1s'), {
      env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '1000000' },
      planted: NO_TIMERS,
    })
    const pings = (): number => words.filter(({ text }) => text.includes('WATCHDOG=1')).length
    await until(SOON_SECONDS, 'it lives', () => (pings() >= 3 ? true : undefined))
    expect((await get(`${exporter.url}/-/healthy`))?.status).toBe(200)

    exporter.signal('SIGUSR2')
    const sick = await until(60, 'it is not healthy', async () => {
      const answer = await get(`${exporter.url}/-/healthy`)
      return answer?.status === 503 ? answer : undefined
    })
    expect(sick.body).toMatch(/^what was due 3\d s ago has not begun\n$/)
    await until(5, 'it says why', () => words.find(({ text }) => /STATUS=what was due 3\d s ago/.test(text)))
    const last = pings()
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    expect(pings()).toBe(last)
    expect(exporter.err()).toContain('the schedule has come to a standstill')
    expect(await metrics(exporter)).toContain('winkms_probe_success{host="kms0.corp.example",probe="port"} 1')

    exporter.signal('SIGUSR2')
    await until(SOON_SECONDS, 'it lives again', async () =>
      pings() > last && (await get(`${exporter.url}/-/healthy`))?.status === 200 ? true : undefined,
    )
    expect(exporter.err()).toContain('the schedule goes on')
    expect(words.some(({ text }) => text.includes('STATUS=the schedule goes on'))).toBe(true)
  },
  120_000,
)
