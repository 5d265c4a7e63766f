// How many, how often, under which name, and from whose page: what is turned away before anything is asked.
import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { mayCall } from '../../../src/server/host-check.ts'
import { createLimiters, letThrough } from '../../../src/server/rate.ts'
import { ask, dial, fakeDaemon, later, serve } from '../serve.ts'
import { doorBehind, knock } from './door.ts'

describe('the rate limit of the web configuration', () => {
  it('lets a burst through and no more, but for supervisors', async () => {
    const door = await doorBehind('rate_limit: { interval: 1h, burst: 3 }\n')
    const statuses: number[] = []
    for (let count = 0; count < 5; count += 1) statuses.push((await knock(door)).status)
    expect(statuses).toEqual([200, 200, 200, 429, 429])
    expect((await knock(door, { path: '/-/healthy' })).status).toBe(200)
    expect(await door.refused()).toEqual({ rate_limit: 2 })
    await door.write('')
    expect((await knock(door)).status).toBe(200)
  })

  it('never lets more through than a burst and what has come back since', () => {
    const steps = fc.array(fc.double({ min: 0, max: 5, noNaN: true }), { maxLength: 100 })
    const rate = fc.record({
      intervalSeconds: fc.double({ min: 0.01, max: 3, noNaN: true }),
      burst: fc.integer({ min: 1, max: 20 }),
    })
    fc.assert(
      fc.property(steps, rate, (waits, limit) => {
        let now = 1000
        let fullAt = 0
        let let_ = 0
        for (const wait of waits) {
          now += wait
          const next = letThrough(fullAt, now, limit)
          if (next === undefined) continue
          fullAt = next
          let_ += 1
          expect(let_).toBeLessThanOrEqual(limit.burst + (now - 1000) / limit.intervalSeconds + 1e-6)
        }
        // And nobody who waits long enough is kept out.
        expect(letThrough(fullAt, fullAt, limit)).toBeDefined()
      }),
    )
  })

  it('is kept apart by key', () => {
    const mayAsk = createLimiters({ intervalSeconds: 3600, burst: 2 })
    expect(['a', 'b', 'a', 'a', 'b', 'b'].map(mayAsk)).toEqual([true, true, true, false, true, false])
  })
})

describe('requests at once', () => {
  it('are as many as there may be, and a place that is free again is taken', async () => {
    const gate = later<undefined>()
    const daemon = fakeDaemon({
      async *metrics() {
        await gate.promise
        yield Buffer.from('# done\n')
      },
    })
    const site = await serve(daemon, { maxRequests: 2 })
    const waiting = [ask(site, '/metrics'), ask(site, '/metrics')]
    await expect.poll(() => site.requests()).toBe(2)
    expect((await ask(site, '/metrics')).status).toBe(503)
    expect((await ask(site, '/')).status).toBe(503)
    // Neither whoever looks after us nor a probe has to stand in that line.
    expect((await ask(site, '/-/healthy')).status).toBe(200)
    expect((await ask(site, '/probe?target=kms01.corp.example')).status).toBe(200)
    gate.resolve(undefined)
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200])
    expect((await ask(site, '/metrics')).status).toBe(200)
  })

  it('that were given up make room', async () => {
    const never = later<undefined>()
    const daemon = fakeDaemon({
      async *metrics() {
        await never.promise
        yield Buffer.from('')
      },
    })
    const site = await serve(daemon, { maxRequests: 1 })
    const socket = await dial(site.port, 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')
    await expect.poll(() => site.requests()).toBe(1)
    expect((await ask(site, '/')).status).toBe(503)
    socket.destroy()
    await expect.poll(async () => (await ask(site, '/')).status).toBe(200)
  })
})

describe('/probe', () => {
  it('asks the same of the same host only so often, and others as well', async () => {
    const daemon = fakeDaemon()
    const site = await serve(daemon, { probeRate: { intervalSeconds: 3600, burst: 2 } })
    const path = '/probe?target=kms01.corp.example'
    const statuses: number[] = []
    for (const more of ['', '', '', '&probe=port', '&probe=port', '&probe=port'])
      statuses.push((await ask(site, path + more)).status)
    expect(statuses).toEqual([200, 200, 429, 200, 200, 429])
    expect((await ask(site, '/probe?target=kms02.corp.example')).status).toBe(200)
    expect((await daemon.self.refused.get()).values).toMatchObject([
      { labels: { why: 'probe_rate' }, value: 2 },
    ])
  })

  it('asks all together that nobody watches only so often', async () => {
    const site = await serve(fakeDaemon(), {
      probeAllow: ['*.corp.example'],
      probeRate: { intervalSeconds: 3600, burst: 1 },
    })
    const statuses: number[] = []
    for (let index = 0; index < 22; index += 1)
      statuses.push((await ask(site, `/probe?target=other${index}.corp.example`)).status)
    expect(statuses).toEqual([...Array.from({ length: 20 }, () => 200), 429, 429])
    expect((await ask(site, '/probe?target=kms01.corp.example')).status).toBe(200)
  })

  it.each([
    'kms01.corp.example:22',
    '127.0.0.1:80',
    '[::1]:22',
    'kms01.corp.example/x',
    'a@kms01.corp.example',
    '..',
  ])('asks no port but the configured one: %s', async (target) => {
    const site = await serve(fakeDaemon(), { probeAllow: ['*'] })
    expect((await ask(site, `/probe?target=${encodeURIComponent(target)}`)).status).toBe(400)
  })
})

describe('the name under which we are called', () => {
  const OURS = ['monitor01', 'mon.example.org', '*.corp.example']
  it.each([
    ['127.0.0.1:11688', true],
    ['[::1]:11688', true],
    ['[::1]', true],
    ['192.0.2.1', true],
    ['localhost:1', true],
    ['a.localhost', true],
    ['monitor01:11688', true],
    ['anything-without-a-dot', true],
    ['MON.example.ORG.:443', true],
    ['kms-mon.corp.example', true],
    ['evil.example', false],
    ['monitor01.evil.example', false],
    ['corp.example.evil.example', false],
    ['evilcorp.example', false],
    ['127.0.0.1.evil.example', false],
    ['a@b', false],
    ['', false],
    [':80', false],
    ['a:b:c', false],
    ['x'.repeat(300), false],
  ])('%s: %s', (host, expected) => {
    expect(mayCall(host, OURS)).toBe(expected)
  })

  it('has to be ours for whatever a browser shows, and need not be for Prometheus', async () => {
    const daemon = fakeDaemon()
    const site = await serve(daemon, { hostNames: ['mon.example.org'] })
    const under = async (host: string, path: string): Promise<number> =>
      (await ask(site, path, { headers: { host } })).status
    for (const path of [
      '/',
      '/hosts/kms01.corp.example',
      '/config',
      '/api/v1/hosts',
      '/runbooks',
      '/page.js',
    ]) {
      expect([path, await under('rebound.evil.example', path)]).toEqual([path, 421])
      expect([path, await under('mon.example.org', path)]).toEqual([path, 200])
    }
    for (const path of ['/metrics', '/sd/hosts', '/-/healthy', '/probe?target=kms01.corp.example'])
      expect([path, await under('exporter.other.example', path)]).toEqual([path, 200])
  })
})

describe('reloading from a page of somebody else', () => {
  it.each([
    [undefined, 200],
    ['same', 200],
    ['http://evil.example', 403],
    ['null', 403],
    ['junk', 403],
  ])('with Origin %s is answered by %s', async (given, expected) => {
    const daemon = fakeDaemon()
    let reloads = 0
    const site = await serve(daemon, {
      enableLifecycle: true,
      reload: async () => {
        reloads += 1
        return undefined
      },
    })
    const origin = given === 'same' ? site.url : given
    const answer = await ask(site, '/-/reload', {
      method: 'POST',
      headers: origin === undefined ? {} : { origin },
    })
    expect([answer.status, reloads]).toEqual([expected, expected === 200 ? 1 : 0])
  })
})
