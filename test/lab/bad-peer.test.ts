import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { BadTcpPeer } from '../../src/lab/bad-peer.ts'
import { BAD_TCP_PEERS, BAD_UDP_PEERS, startBadPeer, startBadUdpPeer } from '../../src/lab/bad-peer.ts'
import type { Listener } from '../../src/lab/listener.ts'
import type { Conversation } from './raw-client.ts'
import { LOOPBACK, ask, hex, talk } from './raw-client.ts'

const HELLO = Buffer.from('hello, is this KMS?')

let peer: Listener | undefined
afterEach(async () => {
  await peer?.stop()
})

async function meet(kind: BadTcpPeer, enough?: number): Promise<Conversation> {
  peer = await startBadPeer(kind, LOOPBACK, { dripMilliseconds: 5 })
  return talk(peer, HELLO, { patienceMilliseconds: 500, ...(enough === undefined ? {} : { enough }) })
}

describe('a TCP peer that', () => {
  it('is silent accepts and says nothing', async () => {
    expect(await meet('silent')).toEqual({ received: Buffer.alloc(0), end: 'open' })
  })

  it('hangs up closes without a byte', async () => {
    const { received, end } = await meet('hangs_up')
    expect(received).toHaveLength(0)
    expect(['closed', 'reset']).toContain(end)
  })

  it('resets resets', async () => {
    expect(await meet('resets')).toEqual({ received: Buffer.alloc(0), end: 'reset' })
  })

  it('talks garbage differs each time', async () => {
    const first = await meet('garbage', 512)
    await peer?.stop()
    const second = await meet('garbage', 512)
    expect(first.received.length).toBeGreaterThanOrEqual(512)
    expect(first.received.equals(second.received)).toBe(false)
  })

  it('drips begins like a bind_ack and never gets there', async () => {
    const { received, end } = await meet('drip', 20)
    expect(received.subarray(0, 12)).toEqual(hex('05000c03 10000000 ffff0000'))
    expect(end).toBe('open')
  })

  it('drips says what it was given, then repeats the last byte', async () => {
    peer = await startBadPeer('drip', LOOPBACK, {
      prefix: Buffer.from('HTTP/1.1 200 OK\r\nX: y'),
      dripMilliseconds: 2,
    })
    const { received } = await talk(peer, HELLO, { enough: 25 })
    expect(received.toString().slice(0, 25)).toBe('HTTP/1.1 200 OK\r\nX: yyyyy')
  })

  it('is endless sends on and on', async () => {
    const { received, end } = await meet('endless', 4_000_000)
    expect(received.length).toBeGreaterThanOrEqual(4_000_000)
    expect(end).toBe('open')
  })

  it('echoes echoes', async () => {
    expect((await meet('echo', HELLO.length)).received).toEqual(HELLO)
  })

  it('speaks HTTP answers 400', async () => {
    expect((await meet('http')).received.toString()).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
  })

  it('half closes sends its end and still takes what we send', async () => {
    peer = await startBadPeer('half_close', LOOPBACK)
    const socket = connect({ host: peer.address, port: peer.port, allowHalfOpen: true })
    const errors: Error[] = []
    socket.on('error', (error) => errors.push(error))
    await once(socket.resume(), 'end')
    for (let i = 0; i < 5; i += 1) await new Promise((resolve) => socket.write(HELLO, resolve))
    socket.end()
    await once(socket, 'close')
    expect(errors).toEqual([])
    expect(socket.bytesWritten).toBe(5 * HELLO.length)
  })
})

describe('a UDP peer that', () => {
  const question = hex('1234 0100 0001 0000 0000 0000 00 0001 0001')

  it.each([
    ['silent', undefined],
    ['echo', question],
    ['wrong_id', hex('ed34 8100 0001 0000 0000 0000 00 0001 0001')],
  ] as const)('%s', async (kind, expected) => {
    peer = await startBadUdpPeer(kind, LOOPBACK)
    expect(await ask(peer, question, 500)).toEqual(expected)
  })

  it('garbage', async () => {
    peer = await startBadUdpPeer('garbage', LOOPBACK)
    expect(await ask(peer, question)).toHaveLength(96)
  })
})

describe('every kind stops, with somebody connected and without', () => {
  it.each(BAD_TCP_PEERS)('%s over TCP', async (kind) => {
    const busy = await startBadPeer(kind, LOOPBACK, { dripMilliseconds: 5 })
    await talk(busy, HELLO, { patienceMilliseconds: 50 })
    const talking = talk(busy, HELLO, { patienceMilliseconds: 5000 })
    setTimeout(() => void busy.stop(), 50)
    expect(['closed', 'reset']).toContain((await talking).end)
    await busy.stop()
    expect((await talk(busy, HELLO)).end).toBe('refused')
  })

  it.each(BAD_UDP_PEERS)('%s over UDP', async (kind) => {
    const busy = await startBadUdpPeer(kind, LOOPBACK)
    await busy.stop()
    await busy.stop()
    // Its address is free again.
    peer = await startBadUdpPeer('echo', busy)
    expect(await ask(peer, HELLO)).toEqual(HELLO)
  })
})

describe('a listener', () => {
  it('says in one sentence that its port is taken', async () => {
    peer = await startBadPeer('silent', LOOPBACK)
    await expect(startBadPeer('silent', peer)).rejects.toThrow(
      `127.0.0.1:${peer.port} (TCP) is already in use: stop the other demo`,
    )
  })

  it('says in one sentence that its address is missing', async () => {
    await expect(startBadUdpPeer('silent', { address: '192.0.2.1', port: 0 })).rejects.toThrow(
      '192.0.2.1 is not an address of this machine: Linux has all of 127.0.0.0/8 by itself',
    )
  })

  it('ends its connections when stopped, and may be stopped twice', async () => {
    const silent = await startBadPeer('silent', LOOPBACK)
    const talking = talk(silent, HELLO)
    setTimeout(() => void silent.stop(), 100)
    expect((await talking).end).toBe('closed')
    await silent.stop()
    expect((await talk(silent, HELLO)).end).toBe('refused')
  })
})
