// What systemd hears of the exporter: by a socket like its own, and by a real systemd that runs it as a service.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { build, get, until } from '../e2e/built.ts'
import { need } from '../real/servers/need.ts'
import { begin, folderOf, NOTHING, ready, serve, SOON_SECONDS } from './exporter.ts'
import { listenAt } from './notify.ts'

beforeAll(build)

const WITHOUT_KOFFI = `const { Module } = require('node:module')
const load = Module._load
Module._load = (name, ...rest) => {
  if (name === 'koffi') throw new Error("Cannot find module 'koffi'")
  return load(name, ...rest)
}`

const python = need('python3', 'python3')

describe.skipIf(python === undefined)('a notification socket', () => {
  it.each([
    ['a path', async () => join(await folderOf(), 'notify')],
    ['an abstract name', async () => `@winkms-${randomUUID()}`],
  ])(
    'at %s hears of the start, of life, of reloads and of the end, from the exporter itself',
    async (_what, where) => {
      const path = await where()
      const words = await listenAt(path, python ?? '')
      const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: '1000000' }
      const exporter = await serve(NOTHING, { env, flags: ['--web.enable-lifecycle'] })
      const pings = (): number => words.filter(({ text }) => text === 'WATCHDOG=1').length
      await until(SOON_SECONDS, 'it says that it lives', () => (pings() >= 3 ? true : undefined))
      expect((await get(`${exporter.url}/-/reload`, { method: 'POST' }))?.status).toBe(200)
      exporter.signal('SIGTERM')
      expect((await exporter.ended(SOON_SECONDS)).ending).toBe(0)
      const said = words.filter(({ text }) => text !== 'WATCHDOG=1')
      expect(said.map(({ text }) => text)).toEqual([
        'READY=1\nSTATUS=watching 0 hosts in 0 domains',
        expect.stringMatching(/^RELOADING=1\nMONOTONIC_USEC=[1-9]\d+$/),
        'READY=1\nSTATUS=watching 0 hosts in 0 domains',
        'STOPPING=1\nSTATUS=stopping',
      ])
      expect(new Set(words.map(({ pid }) => pid))).toEqual(new Set([exporter.pid]))
    },
  )

  it.skipIf(need('systemd-notify', 'systemd') === undefined)(
    'is spoken to by systemd-notify where there is no koffi',
    async () => {
      const path = join(await folderOf(), 'notify')
      const words = await listenAt(path, python ?? '')
      const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: '2000000' }
      const exporter = await serve(NOTHING, { env, planted: WITHOUT_KOFFI })
      await until(SOON_SECONDS, 'it says that it lives', () =>
        words.find(({ text }) => text.includes('WATCHDOG=1')),
      )
      expect(words[0]?.text).toBe('READY=1\nSTATUS=watching 0 hosts in 0 domains')
      expect(words[0]?.pid).not.toBe(0)
      expect(exporter.err()).not.toContain('systemd')
    },
  )

  it('hears no sign of life where it does not wait for one, or waits for another process', async () => {
    for (const more of [{}, { WATCHDOG_USEC: '200000', WATCHDOG_PID: '1' }, { WATCHDOG_USEC: 'soon' }]) {
      const path = join(await folderOf(), 'notify')
      const words = await listenAt(path, python ?? '')
      const exporter = await serve(NOTHING, { env: { NOTIFY_SOCKET: path, ...more } })
      await new Promise((resolve) => setTimeout(resolve, 1_500))
      exporter.signal('SIGTERM')
      await exporter.ended(SOON_SECONDS)
      expect(words.map(({ text }) => text.split('\n')[0])).toEqual(['READY=1', 'STOPPING=1'])
    }
  })

  it.each([
    ['nobody listens at', async () => join(await folderOf(), 'nobody'), ''],
    ['is nonsense', async () => `/${'x'.repeat(200)}`, ''],
    ['nobody listens at, without koffi', async () => join(await folderOf(), 'nobody'), WITHOUT_KOFFI],
  ])('that %s keeps the exporter from nothing, and is said once', async (_what, where, planted) => {
    const env = { NOTIFY_SOCKET: await where(), WATCHDOG_USEC: '500000' }
    const exporter = await ready(await begin(NOTHING, { env, planted }))
    const said = (): number => exporter.err().split('systemd cannot be told how the exporter is').length - 1
    await until(SOON_SECONDS, 'it is said', () => (said() > 0 ? true : undefined))
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(said()).toBe(1)
    exporter.signal('SIGTERM')
    expect((await exporter.ended(SOON_SECONDS)).ending).toBe(0)
  })
})
