// The exporter as a service of a real systemd: its start and end, its reloads, and the watchdog that bites when it hangs.
import { beforeAll, beforeEach, expect, it } from 'vitest'
import { build, get, until } from '../e2e/built.ts'
import { realFiles, realServer } from '../real/servers/need.ts'
import { NOTHING, SOON_SECONDS } from './exporter.ts'
import { asService, SYSTEMD, type Service } from './service.ts'

beforeAll(build)
beforeEach((context) => {
  realFiles(context, { [SYSTEMD]: 'systemd' })
  realServer(context, ['namespaces'])
})

const shown = (service: Service, ...properties: readonly string[]): Promise<string> =>
  service.systemctl('show', '--value', ...properties.map((name) => `--property=${name}`), 'exporter.service')

async function active(service: Service): Promise<void> {
  await until(
    SOON_SECONDS,
    () => `it is active\n${service.log()}`,
    async () => ((await shown(service, 'ActiveState')) === 'active' ? true : undefined),
  )
}

it('starts, is looked at, reloads and stops', async () => {
  const service = await asService({ yaml: NOTHING, lines: ['NotifyAccess=main', 'WatchdogSec=2'] })
  await active(service)
  expect((await get(`${service.url}/-/ready`))?.status).toBe(200)
  expect(await shown(service, 'StatusText')).toBe('watching 0 hosts in 0 domains')
  await service.systemctl('reload', 'exporter.service')
  await until(SOON_SECONDS, 'it reloads', () => service.log().includes('was reloaded') || undefined)
  // Longer than the watchdog waits.
  await new Promise((resolve) => setTimeout(resolve, 5_000))
  expect(service.endings()).toEqual([])
  await service.systemctl('stop', 'exporter.service')
  expect(service.endings()).toEqual(['success exited 0'])
  expect(service.log()).toMatch(/msg=stopped\n$/)
}, 60_000)

it('that hangs is ended by the watchdog, and started again', async () => {
  const hang = 'setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), 3000)'
  const lines = ['WatchdogSec=2', 'Restart=on-failure', 'RestartSec=0', 'LimitCORE=0']
  const service = await asService({ yaml: NOTHING, planted: hang, lines })
  await active(service)
  const [ending] = await until(SOON_SECONDS, 'it is ended', () =>
    service.endings().length > 0 ? service.endings() : undefined,
  )
  expect(ending).toBe('watchdog killed ABRT')
  await until(
    SOON_SECONDS,
    'it is started again',
    () => service.log().split('msg=listening').length >= 3 || undefined,
  )
}, 60_000)

it('that dies of a defect is started again', async () => {
  const planted = `setTimeout(() => { throw new Error('planted') }, 2000)`
  const service = await asService({ yaml: NOTHING, planted, lines: ['Restart=on-failure', 'RestartSec=0'] })
  await until(
    SOON_SECONDS,
    'it is started again',
    () => service.log().split('msg=listening').length >= 3 || undefined,
  )
  expect(service.endings()[0]).toBe('exit-code exited 70')
}, 60_000)
