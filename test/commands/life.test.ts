// Which signals mean what, by system. That they arrive is tested on the built command: test/life here, test/windows there.
import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { watchLife } from '../../src/commands/life.ts'

function system(platform: NodeJS.Platform) {
  const emitter = new EventEmitter()
  const on = emitter.on.bind(emitter) as unknown as NodeJS.Process['on']
  return { platform, on, raise: (signal: string) => emitter.emit(signal) }
}

async function hasEnded(ended: Promise<void>): Promise<boolean> {
  return Promise.race([
    ended.then(() => true),
    new Promise<false>((resolve) => setTimeout(resolve, 5, false)),
  ])
}

describe('a signal', () => {
  it.each([
    ['linux', ['SIGINT', 'SIGTERM']],
    ['darwin', ['SIGINT', 'SIGTERM']],
    ['win32', ['SIGINT', 'SIGTERM', 'SIGBREAK', 'SIGHUP']],
  ] as const)('ends a command on %s: %s', async (platform, endings) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGBREAK', 'SIGHUP'] as const) {
      const { raise, ...on } = system(platform)
      const { ended } = watchLife(false, on)
      raise(signal)
      expect(await hasEnded(ended), signal).toBe((endings as readonly string[]).includes(signal))
    }
  })

  it('reloads a daemon where SIGHUP is one, however early it comes', async () => {
    const { raise, ...on } = system('linux')
    const { ended, onHangup } = watchLife(true, on)
    raise('SIGHUP')
    let reloads = 0
    onHangup(() => (reloads += 1))
    raise('SIGHUP')
    expect([reloads, await hasEnded(ended)]).toEqual([2, false])
  })

  it('never reloads a daemon on Windows', async () => {
    const { raise, ...on } = system('win32')
    const { ended, onHangup } = watchLife(true, on)
    let reloads = 0
    onHangup(() => (reloads += 1))
    raise('SIGHUP')
    expect([reloads, await hasEnded(ended)]).toEqual([0, true])
  })
})
