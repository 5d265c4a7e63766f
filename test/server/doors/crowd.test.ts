// Floods, slow requests and endless ones: what they cost the others, which is nothing.
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { dial } from '../serve.ts'
import { doorBehind, knock } from './door.ts'

/** A connection from an address of our choice that says `text` and nothing more. */
async function crowdFrom(
  localAddress: string,
  port: number,
  count: number,
  text = '',
): Promise<readonly Socket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect({ host: '127.0.0.1', port, localAddress })
      onTestFinished(() => void socket.destroy())
      socket.on('error', () => {})
      socket.resume()
      await new Promise((resolve) => socket.once('connect', resolve))
      if (text !== '') socket.write(text)
      return socket
    }),
  )
}

const stillOpen = (sockets: readonly Socket[]): number => sockets.filter(({ closed }) => !closed).length

describe('a flood of connections', () => {
  it('from one address costs that address its own, and nobody else any', async () => {
    const door = await doorBehind('', { maxConnections: 20 })
    const quiet = await crowdFrom('127.0.0.2', door.port, 3)
    const flood = await crowdFrom('127.0.0.9', door.port, 200)
    await expect.poll(() => stillOpen(flood)).toBe(17)
    expect(stillOpen(quiet)).toBe(3)
    expect((await knock(door)).status).toBe(200)
    expect((await door.refused())['connections']).toBeGreaterThanOrEqual(183)
    // The oldest go first.
    expect(stillOpen(flood.slice(0, 150))).toBe(0)
  })

  it('that ask in part is no different', async () => {
    const door = await doorBehind('', { maxConnections: 20 })
    const flood = await crowdFrom('127.0.0.9', door.port, 60, 'GET /metrics HTTP/1.1\r\nHost: a\r\nX-A: ')
    expect((await knock(door)).status).toBe(200)
    await expect.poll(() => stillOpen(flood)).toBeLessThan(20)
  })
})

describe('a request', () => {
  const ended = (socket: Socket): Promise<string> => {
    let heard = ''
    socket.on('data', (bytes) => (heard += String(bytes)))
    return new Promise((resolve) => socket.once('close', () => resolve(heard)))
  }

  it('whose header never ends, letter by letter, is given up', async () => {
    const door = await doorBehind('')
    const socket = await dial(door.port, 'GET /metrics HTTP/1.1\r\nHost: a\r\nX-A: ')
    const end = ended(socket)
    const timer = setInterval(() => socket.write('a'), 200)
    onTestFinished(() => clearInterval(timer))
    expect(await end).toMatch(/^HTTP\/1\.1 408 /)
  }, 60_000)

  it('with a header beyond 16 KiB is told so', async () => {
    const door = await doorBehind('')
    const socket = await dial(
      door.port,
      `GET /metrics HTTP/1.1\r\nHost: a\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`,
    )
    expect(await ended(socket)).toMatch(/^HTTP\/1\.1 431 /)
  })

  it('with a body without end is answered, and its body not read for ever', async () => {
    const door = await doorBehind('')
    const socket = await dial(
      door.port,
      'POST /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n',
    )
    const end = ended(socket)
    const timer = setInterval(() => socket.write(`1000\r\n${'a'.repeat(4096)}\r\n`), 5)
    onTestFinished(() => clearInterval(timer))
    expect(await end).toMatch(/^HTTP\/1\.1 404 /)
  }, 60_000)

  it.each([
    '\x16\x03\x01\x02',
    'GET\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'A'.repeat(9000),
  ])('that is none is refused, or let go: %j', async (text) => {
    const door = await doorBehind('')
    const socket = await dial(door.port, text)
    socket.end()
    expect(await ended(socket)).toMatch(/^(?:HTTP\/1\.1 4\d\d |$)/)
    expect((await knock(door)).status).toBe(200)
    await pause(0)
  })
})
