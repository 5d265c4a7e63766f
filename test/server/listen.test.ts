// Listening on several addresses, all or none of them, and closing in time for a service manager.
import { createServer, type Server } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { silentLog } from '../../src/model/log.ts'
import type { WatchedEstate } from '../../src/server/daemon.ts'
import { NO_DOORS } from '../../src/server/doors.ts'
import { createApp } from '../../src/server/http.ts'
import { listen as listenWith, type Address, type Listening } from '../../src/server/listen.ts'
import { dial, fakeDaemon, OPTIONS } from './serve.ts'

const listen = (app: ReturnType<typeof createApp>, addresses: readonly Address[]): Promise<Listening> =>
  listenWith(app, addresses, { doors: NO_DOORS, log: silentLog, maxConnections: 100, refused() {} })

const appOver = (daemon: WatchedEstate = fakeDaemon()) => createApp(daemon, OPTIONS, silentLog)

async function occupy(host: string, port: number): Promise<Server> {
  const server = createServer()
  onTestFinished(() => void server.close())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  return server
}

function portOf(server: Server): number {
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('not listening')
  return bound.port
}

const portIn = (url: string | undefined): number => Number(new URL(url ?? 'http://nowhere:0').port)

async function secondsOf(work: Promise<void>): Promise<number> {
  const begin = performance.now()
  await work
  return (performance.now() - begin) / 1000
}

describe('listening', () => {
  it('on several addresses, IPv6 among them, says the URL of each', async () => {
    const { urls, close } = await listen(appOver(), [
      { host: '127.0.0.1', port: 0 },
      { host: '127.0.0.2', port: 0 },
      { host: '::1', port: 0 },
      { host: undefined, port: 0 },
    ])
    onTestFinished(close)
    expect(urls.map((url) => url.replace(/:\d+$/, ''))).toEqual([
      'http://127.0.0.1',
      'http://127.0.0.2',
      'http://[::1]',
      'http://localhost',
    ])
    for (const url of urls) expect((await fetch(`${url}/-/healthy`)).status).toBe(200)
  })

  it('on an address in use rejects with the reason, and leaves none of the others open', async () => {
    const port = portOf(await occupy('127.0.0.1', 0))
    const addresses = [
      { host: '127.0.0.2', port },
      { host: '127.0.0.1', port },
    ]
    await expect(listen(appOver(), addresses)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await expect(occupy('127.0.0.2', port)).resolves.toBeDefined()
  })

  it('on an address that is not ours rejects, too', async () => {
    await expect(listen(appOver(), [{ host: '192.0.2.1', port: 0 }])).rejects.toMatchObject({
      code: 'EADDRNOTAVAIL',
    })
  })
})

describe('closing', () => {
  it('does not wait for idle keep-alive connections', async () => {
    const { urls, close } = await listen(appOver(), [{ host: '127.0.0.1', port: 0 }])
    const socket = await dial(portIn(urls[0]), 'GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n')
    const answer = await new Promise<Buffer>((resolve) => socket.once('data', resolve))
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 [^]*connection: keep-alive/i)
    const gone = new Promise((resolve) => socket.once('close', resolve))
    expect(await secondsOf(close())).toBeLessThan(4)
    await gone
    await expect(fetch(`${urls[0]}/-/healthy`)).rejects.toThrow()
  })

  it('gives those who have not asked, and those who do not read, a few seconds and no more', async () => {
    const endless = fakeDaemon({
      async *metrics() {
        for (;;) yield Buffer.from('# x'.padEnd(64 * 1024, 'x'))
      },
    })
    const { urls, close } = await listen(appOver(endless), [{ host: '127.0.0.1', port: 0 }])
    const port = portIn(urls[0])
    const silent = await dial(port, '')
    const halfway = await dial(port, 'GET /-/healthy HT')
    const deaf = await dial(port, 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')
    await new Promise((resolve) => deaf.once('readable', resolve))
    const gone = [silent, halfway].map((socket) => new Promise((resolve) => socket.once('close', resolve)))
    for (const socket of [silent, halfway]) socket.resume()
    // By themselves they would stay for a minute at least.
    expect(await secondsOf(close())).toBeLessThan(15)
    await Promise.all(gone)
  })

  it('lets an answer that is under way arrive', async () => {
    let finish: (() => void) | undefined
    const waiting = new Promise<void>((resolve) => {
      finish = resolve
    })
    let begun = false
    const slow = fakeDaemon({
      async *metrics() {
        begun = true
        yield Buffer.from('# begun\n')
        await waiting
        yield Buffer.from('# ended\n')
      },
    })
    const { urls, close } = await listen(appOver(slow), [{ host: '127.0.0.1', port: 0 }])
    const answer = fetch(`${urls[0]}/metrics`).then((response) => response.text())
    await expect.poll(() => begun).toBe(true)
    const closed = close()
    finish?.()
    expect(await answer).toBe('# begun\n# ended\n')
    await closed
  })
})
