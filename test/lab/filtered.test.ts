import { randomInt } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { startBadPeer } from '../../src/lab/bad-peer.ts'
import { startFiltered } from '../../src/lab/filtered.ts'
import type { Listener } from '../../src/lab/listener.ts'
import { LOOPBACK, talk } from './raw-client.ts'

const NOTHING = Buffer.alloc(0)

let filtered: Listener | undefined
afterEach(async () => {
  await filtered?.stop()
})

describe('a filtered port', () => {
  it('neither accepts nor refuses, however often it is tried, while a closed port refuses', async () => {
    const address = `127.93.${randomInt(1, 255)}.${randomInt(1, 255)}`
    const where = (filtered = await startFiltered({ address, port: 1688 }))
    const tries = Array.from({ length: 12 }, () => talk(where, NOTHING, { patienceMilliseconds: 1500 }))
    const closed = await talk({ address, port: 1689 }, NOTHING, { patienceMilliseconds: 1500 })
    expect(closed.end).toBe('refused')
    expect((await Promise.all(tries)).map(({ end }) => end)).toEqual(
      Array.from({ length: 12 }, () => 'hangs'),
    )
  })

  it('is free again after stop', async () => {
    const { address, port } = (filtered = await startFiltered(LOOPBACK))
    await filtered.stop()
    expect((await talk({ address, port }, NOTHING)).end).toBe('refused')
    filtered = await startBadPeer('echo', { address, port })
    expect((await talk(filtered, Buffer.from('x'), { enough: 1 })).received.toString()).toBe('x')
  })

  it('says in one sentence that its port is taken, and stays out of the way', async () => {
    filtered = await startBadPeer('echo', LOOPBACK)
    await expect(startFiltered(filtered)).rejects.toThrow(/^127\.0\.0\.1:\d+ \(TCP\) is already in use/)
    expect((await talk(filtered, Buffer.from('x'), { enough: 1 })).received.toString()).toBe('x')
  })

  it('says in one sentence that its address is missing', async () => {
    await expect(startFiltered({ address: '192.0.2.1', port: 0 })).rejects.toThrow(
      /^192\.0\.2\.1 is not an address/,
    )
  })
})
