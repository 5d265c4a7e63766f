// The routes over a daemon of plain data: what is answered, with which status and headers, and what is counted.
import { gunzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createDaemon } from '../../src/app.ts'
import { parseConfig } from '../../src/config/load.ts'
import { createIo } from '../../src/io/io.ts'
import { silentLog } from '../../src/model/log.ts'
import type { WatchedEstate } from '../../src/server/daemon.ts'
import { parseStrictly } from '../views/strict.ts'
import { ask, dial, fakeDaemon, PAGE, serve, type Site } from './serve.ts'

const TEXT = 'text/plain; version=0.0.4; charset=utf-8'
const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

const SECURITY = {
  'content-security-policy':
    "default-src 'none';style-src 'self';script-src 'self';connect-src 'self';img-src 'self';frame-ancestors 'none';base-uri 'none';form-action 'self'",
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
}

/** What the counter of requests has seen, as `route code` to number. */
async function counted({ self }: WatchedEstate): Promise<Readonly<Record<string, number>>> {
  const { values } = await self.requests.get()
  return Object.fromEntries(values.map(({ labels, value }) => [`${labels.route} ${labels.code}`, value]))
}

describe('the format of /metrics', () => {
  const accepts: readonly (readonly [string, string | undefined, string])[] = [
    [
      'Prometheus 2',
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
      OPENMETRICS,
    ],
    [
      'Prometheus 3',
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
      OPENMETRICS,
    ],
    [
      'Prometheus 3 with the names of old',
      'application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
      OPENMETRICS,
    ],
    [
      'Prometheus 3 that wants text',
      'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.4',
      TEXT,
    ],
    ['text/plain', 'text/plain', TEXT],
    ['OpenMetrics of any version', 'application/openmetrics-text', OPENMETRICS],
    ['only an OpenMetrics that we do not write', 'application/openmetrics-text;version=0.0.1', TEXT],
    ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', TEXT],
    ['anything', '*/*', TEXT],
    ['nothing said', undefined, TEXT],
    ['an empty header', '', TEXT],
    ['junk', ';;=,\\"text/pl ain;q=x', TEXT],
  ]
  it.each(accepts)('%s', async (_what, accept, type) => {
    const site = await serve(fakeDaemon())
    const { status, headers, text } = await ask(
      site,
      '/metrics',
      accept === undefined ? {} : { headers: { accept } },
    )
    expect([status, headers['content-type']]).toEqual([200, type])
    expect(text).toBe(type === TEXT ? PAGE : `${PAGE}# EOF\n`)
    expect(headers.vary).toBe('Accept, Accept-Encoding')
  })

  it('is compressed for those who can read that, and for nobody else', async () => {
    const site = await serve(fakeDaemon())
    const packed = await ask(site, '/metrics', { headers: { 'accept-encoding': 'gzip' } })
    expect(packed.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(packed.bytes).toString()).toBe(PAGE)
    for (const encoding of ['identity', 'gzip;q=0', 'br', '', 'x y;=']) {
      const answer = await ask(site, '/metrics', { headers: { 'accept-encoding': encoding } })
      expect([encoding, answer.headers['content-encoding'], answer.text]).toEqual([encoding, undefined, PAGE])
    }
  })

  it('is told to HEAD, too, without the page', async () => {
    const site = await serve(fakeDaemon())
    const { status, headers, bytes } = await ask(site, '/metrics', { method: 'HEAD' })
    expect([status, headers['content-type'], bytes.length]).toEqual([200, TEXT, 0])
  })

  it('is under the path that the command line names', async () => {
    const site = await serve(fakeDaemon(), { telemetryPath: '/deep/down' })
    expect((await ask(site, '/deep/down')).text).toBe(PAGE)
    expect((await ask(site, '/metrics')).status).toBe(404)
    expect((await ask(site, '/')).text).toContain('href="/deep/down"')
  })
})

describe('a page that is sent piece by piece', () => {
  const PIECE = Buffer.from(`${'# '.padEnd(64 * 1024, 'x')}\n`)
  const MOST = 1_000

  function endless() {
    const state = { made: 0, ended: false }
    const daemon = fakeDaemon({
      async *metrics() {
        try {
          for (; state.made < MOST; state.made += 1) yield PIECE
        } finally {
          state.ended = true
        }
      },
    })
    return { daemon, state }
  }

  it.each([
    ['identity', 'closes'],
    ['identity', 'resets'],
    ['gzip', 'closes'],
    ['gzip', 'resets'],
  ] as const)('to one that goes away midway (%s, %s) ends there, and is no error', async (encoding, how) => {
    const { daemon, state } = endless()
    const site = await serve(daemon)
    const socket = await dial(
      site.port,
      `GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: ${encoding}\r\n\r\n`,
    )
    await new Promise((resolve) => socket.once('data', resolve))
    if (how === 'closes') socket.destroy()
    else socket.resetAndDestroy()
    await expect.poll(() => state.ended, { timeout: 10_000 }).toBe(true)
    expect((await ask(site, '/-/healthy')).status).toBe(200)
    expect(site.errors).toEqual([])
  })

  it('to a slow reader is made only as fast as it reads', async () => {
    const { daemon, state } = endless()
    const site = await serve(daemon)
    const socket = await dial(site.port, 'GET /metrics HTTP/1.0\r\nHost: a\r\n\r\n')
    let seen = -1
    await expect
      .poll(() => state.made === seen || void (seen = state.made), { timeout: 10_000, interval: 200 })
      .toBe(true)
    expect(state.made).toBeGreaterThan(0)
    expect(state.made).toBeLessThan(MOST)
    let length = 0
    socket.on('data', (bytes) => (length += bytes.length))
    await new Promise((resolve) => socket.once('end', resolve))
    expect(length).toBeGreaterThan(MOST * PIECE.length)
    expect(state).toEqual({ made: MOST, ended: true })
    expect(site.errors).toEqual([])
  })

  it('that fails in the middle is cut off, not ended as if it were whole, and logged', async () => {
    const site = await serve(
      fakeDaemon({
        async *metrics() {
          yield PIECE
          yield PIECE
          throw new Error('out of ink')
        },
      }),
    )
    await expect(ask(site, '/metrics')).rejects.toThrow(/aborted|hang up|ECONNRESET/)
    expect(site.errors).toEqual(['a request failed by our own fault: Error: out of ink'])
    expect((await ask(site, '/-/healthy')).status).toBe(200)
  })
})

describe('hosts', () => {
  it.each([
    ['as it is', 'kms01.corp.example'],
    ['in other letters', 'KMS01.Corp.Example'],
    ['encoded', 'kms01%2Ecorp%2eexample'],
  ])('are found by name: %s', async (_what, name) => {
    const site = await serve(fakeDaemon())
    const page = await ask(site, `/hosts/${name}`)
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    expect(page.text).toContain('<h1>kms01.corp.example ')
    const json = await ask(site, `/api/v1/hosts/${name}`)
    expect([json.status, json.headers['content-type']]).toEqual([200, 'application/json; charset=utf-8'])
    expect(JSON.parse(json.text)).toMatchObject({ host: 'kms01.corp.example', serving: true })
  })

  it.each([
    'nobody',
    '%00',
    '%2F..%2F..%2Fetc%2Fpasswd',
    'kms01',
    '__proto__',
    '%3Cscript%3E',
    'x'.repeat(4000),
  ])('that are not watched are 404: %s', async (name) => {
    const site = await serve(fakeDaemon())
    const page = await ask(site, `/hosts/${name}`)
    expect([page.status, page.text]).toEqual([404, 'There is no such host\n'])
    const json = await ask(site, `/api/v1/hosts/${name}`)
    expect([json.status, JSON.parse(json.text)]).toEqual([404, { error: 'there is no such host' }])
    expect(site.errors).toEqual([])
  })

  it.each(['%', '%zz', '%E0%A4%A', 'a%C0%80'])(
    'under a malformed name are 400, not our fault: %s',
    async (name) => {
      const site = await serve(fakeDaemon())
      for (const path of ['/hosts/', '/api/v1/hosts/']) {
        const { status, text } = await ask(site, path + name)
        expect([status, text]).toEqual([400, 'Bad request\n'])
      }
      expect(site.errors).toEqual([])
    },
  )

  it('are listed for people and for programs', async () => {
    const site = await serve(fakeDaemon())
    const page = await ask(site, '/')
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(page.text).toContain('1 of 2 KMS hosts does not serve')
    const json = JSON.parse((await ask(site, '/api/v1/hosts')).text) as object
    expect(json).toMatchObject({ hosts: [{ host: 'kms01.corp.example' }, { host: 'kms02.corp.example' }] })
  })
})

describe('service discovery', () => {
  it('gives the hosts, and the windows_exporters of those that have one', async () => {
    const site = await serve(fakeDaemon())
    const hosts = await ask(site, '/sd/hosts')
    expect([hosts.status, hosts.headers['content-type']]).toEqual([200, 'application/json; charset=utf-8'])
    expect(JSON.parse(hosts.text)).toEqual([
      {
        targets: ['kms01.corp.example'],
        labels: {
          __meta_winkms_port: '1688',
          __meta_winkms_discovered: 'false',
          __meta_winkms_label_site: 'berlin',
        },
      },
      {
        targets: ['kms02.corp.example'],
        labels: { __meta_winkms_port: '1688', __meta_winkms_discovered: 'false' },
      },
    ])
    expect(JSON.parse((await ask(site, '/sd/windows_exporter')).text)).toEqual([
      {
        targets: ['kms01.corp.example:9182'],
        labels: {
          __scheme__: 'https',
          __metrics_path__: '/metrics',
          __meta_winkms_host: 'kms01.corp.example',
        },
      },
    ])
  })

  it.each(['new', 'stopping'] as const)(
    'gives no list while %s: an empty one would delete all targets',
    async (phase) => {
      const site = await serve(fakeDaemon({ phase }))
      for (const path of ['/sd/hosts', '/sd/windows_exporter']) {
        const { status, text } = await ask(site, path)
        expect([status, text]).toEqual([503, 'Not ready\n'])
      }
    },
  )
})

describe('the management paths', () => {
  it.each([
    ['running', 200, 'Ready\n'],
    ['new', 503, 'Not ready\n'],
    ['stopping', 503, 'Not ready\n'],
  ] as const)('while %s', async (phase, status, text) => {
    const site = await serve(fakeDaemon({ phase }))
    const ready = await ask(site, '/-/ready')
    expect([ready.status, ready.text]).toEqual([status, text])
    const healthy = await ask(site, '/-/healthy')
    expect([healthy.status, healthy.text]).toEqual([200, 'Healthy\n'])
  })

  it('a schedule that stands still is said', async () => {
    const site = await serve(fakeDaemon({ standstill: () => 'the schedule has not ticked for 31 s' }))
    const { status, text } = await ask(site, '/-/healthy')
    expect([status, text]).toEqual([503, 'the schedule has not ticked for 31 s\n'])
    expect((await ask(site, '/-/ready')).status).toBe(200)
  })

  it('reload only where the command line allows it', async () => {
    let reloads = 0
    const reload = async (): Promise<undefined> => void (reloads += 1)
    const site = await serve(fakeDaemon(), { reload })
    for (const method of ['POST', 'PUT']) {
      const { status, text } = await ask(site, '/-/reload', { method })
      expect([status, text]).toEqual([
        403,
        'Reloading over HTTP is off; --web.enable-lifecycle turns it on. SIGHUP reloads, too.\n',
      ])
    }
    expect(reloads).toBe(0)
  })

  it.each([true, false])('reload for POST and PUT only (allowed: %s)', async (enableLifecycle) => {
    let reloads = 0
    const reload = async (): Promise<undefined> => void (reloads += 1)
    const site = await serve(fakeDaemon(), { reload, enableLifecycle })
    for (const method of ['GET', 'DELETE', 'PATCH']) {
      const { status, headers } = await ask(site, '/-/reload', { method })
      expect([status, headers.allow]).toEqual([405, 'POST, PUT'])
    }
    expect(reloads).toBe(0)
  })

  it('say whether a reload went well, and what was wrong', async () => {
    const outcomes = [undefined, 'a.yml:3:1: nonsense']
    const site = await serve(fakeDaemon(), { reload: async () => outcomes.shift(), enableLifecycle: true })
    const good = await ask(site, '/-/reload', { method: 'POST' })
    expect([good.status, good.text]).toEqual([200, 'Reloaded\n'])
    const bad = await ask(site, '/-/reload', { method: 'PUT' })
    expect([bad.status, bad.text]).toEqual([
      500,
      'The configuration was not loaded; the one before stays in force.\na.yml:3:1: nonsense\n',
    ])
    expect(site.errors).toEqual([])
  })

  it('say 500, and nothing of why, when a reload breaks', async () => {
    const reload = async (): Promise<never> => {
      throw new Error('the secret is 1234')
    }
    const site = await serve(fakeDaemon(), { reload, enableLifecycle: true })
    const { status, text } = await ask(site, '/-/reload', { method: 'POST' })
    expect([status, text]).toEqual([500, 'Internal error\n'])
    expect(site.errors).toEqual(['a request failed by our own fault: Error: the secret is 1234'])
  })

  it('show the configuration as it is handed in, masked', async () => {
    const site = await serve(fakeDaemon(), { configText: () => 'password: <secret>\n' })
    const { headers, text } = await ask(site, '/config')
    expect([headers['content-type'], text]).toEqual(['text/plain; charset=utf-8', 'password: <secret>\n'])
  })
})

describe('every answer', () => {
  it.each([
    ['GET', '/', 200],
    ['GET', '/hosts/kms01.corp.example', 200],
    ['GET', '/metrics', 200],
    ['GET', '/probe?target=kms01.corp.example', 200],
    ['GET', '/api/v1/hosts', 200],
    ['GET', '/sd/hosts', 200],
    ['GET', '/runbooks', 200],
    ['GET', '/runbooks/service_stopped', 200],
    ['GET', '/runbooks/nothing', 404],
    ['GET', '/config', 200],
    ['GET', '/-/healthy', 200],
    ['POST', '/-/reload', 403],
    ['GET', '/-/reload', 405],
    ['GET', '/probe', 400],
    ['GET', '/probe?target=nobody', 403],
    ['GET', '/hosts/%zz', 400],
    ['GET', '/hosts/nobody', 404],
    ['GET', '/nowhere', 404],
    ['GET', '/METRICS', 404],
    ['POST', '/metrics', 404],
    ['OPTIONS', '/metrics', 200],
  ] as const)('to %s %s, %s, carries the security headers', async (method, path, status) => {
    const answer = await ask(await serve(fakeDaemon()), path, { method })
    expect(answer.status).toBe(status)
    expect(answer.headers).toMatchObject(SECURITY)
    expect(answer.headers).not.toHaveProperty('x-powered-by')
    expect(answer.headers).not.toHaveProperty('etag')
  })

  it.each([
    ['/style.css', 'text/css; charset=utf-8'],
    ['/style.css?v=whatever', 'text/css; charset=utf-8'],
    ['/page.js', 'text/javascript; charset=utf-8'],
    ['/icon.svg', 'image/svg+xml; charset=utf-8'],
  ])('but %s, which browsers may keep, is never to be stored', async (path, type) => {
    const { status, headers, text } = await ask(await serve(fakeDaemon()), path)
    expect([status, headers['content-type']]).toEqual([200, type])
    expect(headers).toMatchObject({ ...SECURITY, 'cache-control': 'max-age=3600' })
    expect(text.length).toBeGreaterThan(100)
  })

  it('is text when it is 404, and does not repeat what was asked for', async () => {
    const { headers, text } = await ask(await serve(fakeDaemon()), '/<script>alert(1)</script>')
    expect([headers['content-type'], text]).toEqual(['text/plain; charset=utf-8', 'Not found\n'])
  })

  it('is counted by its route, never by what strangers ask for', async () => {
    const daemon = fakeDaemon()
    const site = await serve(daemon)
    const asked: readonly (readonly [string, string?])[] = [
      ['/'],
      ['/?q=stranger-0&page=2'],
      ['/page.js?v=stranger-0'],
      ['/metrics'],
      ['/metrics/'],
      ['/metrics', 'POST'],
      ['/hosts/kms01.corp.example'],
      ['/hosts/stranger-1'],
      ['/hosts/stranger-2'],
      ['/hosts/%zz'],
      ['/api/v1/hosts/stranger-3'],
      ['/probe?target=stranger-4'],
      ['/stranger-5'],
      ['/runbooks/stranger-6'],
      ['/-/reload'],
    ]
    for (const [path, method = 'GET'] of asked) await ask(site, path, { method })
    const wanted = {
      '/ 200': 2,
      '/page.js 200': 1,
      '/metrics 200': 2,
      'other 404': 2,
      '/hosts/:name 200': 1,
      '/hosts/:name 404': 2,
      'other 400': 1,
      '/api/v1/hosts/:name 404': 1,
      '/runbooks/:slug 404': 1,
      '/probe 403': 1,
      '/-/reload 405': 1,
    }
    await expect.poll(() => counted(daemon)).toEqual(wanted)
  })
})

describe('behind a proxy', () => {
  it('all paths begin with the route prefix, and links with that of the outer URL', async () => {
    const site = await serve(fakeDaemon(), { routePrefix: '/inner/kms', linkPrefix: '/outer' })
    for (const path of ['/inner/kms', '/inner/kms/', '/inner/kms/hosts/kms01.corp.example']) {
      const { status, text } = await ask(site, path)
      expect([path, status]).toEqual([path, 200])
      expect(text).toContain('href="/outer/style.css?v=')
      expect(text).toContain('src="/outer/page.js?v=')
      expect(text).toContain('href="/outer/metrics"')
      expect(text).not.toContain('/inner')
    }
    for (const path of ['/inner/kms/metrics', '/inner/kms/-/ready', '/inner/kms/api/v1/hosts'])
      expect([path, (await ask(site, path)).status]).toEqual([path, 200])
    for (const path of [
      '/',
      '/metrics',
      '/outer/metrics',
      '/inner',
      '/inner/kmsx/metrics',
      '/INNER/kms/metrics',
    ])
      expect([path, (await ask(site, path)).status]).toEqual([path, 404])
  })
})

describe('over a real daemon with nothing to watch', () => {
  async function watching(): Promise<{ site: Site; daemon: ReturnType<typeof createDaemon> }> {
    const { config } = parseConfig('domains: []', { file: 'test.yml', checkCron: () => undefined })
    if (config === undefined) throw new Error('the configuration is wrong')
    const io = createIo()
    const daemon = createDaemon({
      config,
      machine: { resolvers: [], searchDomains: [] },
      io,
      log: silentLog,
      build: { version: '1', revision: '1' },
    })
    onTestFinished(async () => {
      await daemon.stop()
      io.close()
    })
    return { site: await serve(daemon), daemon }
  }

  it('is ready from start to stop, and gives lists only meanwhile', async () => {
    const { site, daemon } = await watching()
    const look = async () => [(await ask(site, '/-/ready')).status, (await ask(site, '/sd/hosts')).status]
    expect(await look()).toEqual([503, 503])
    daemon.start()
    expect(await look()).toEqual([200, 200])
    expect((await ask(site, '/sd/hosts')).text).toBe('[]')
    await daemon.stop()
    expect(await look()).toEqual([503, 503])
  })

  it('has whole pages of metrics in both formats, again and again', async () => {
    const { site, daemon } = await watching()
    daemon.start()
    for (const accept of ['*/*', 'application/openmetrics-text', '*/*']) {
      const { headers, text } = await ask(site, '/metrics', { headers: { accept } })
      const format = headers['content-type'] === OPENMETRICS ? 'openmetrics' : 'text'
      const names = parseStrictly(text, format).map(({ name }) => name)
      expect(names).toContain('winkms_clock_drift_limit_seconds')
      expect(names).toContain('winkms_exporter_targets')
    }
  })

  it('tells a person why there is nothing to see, and probes nobody', async () => {
    const { site, daemon } = await watching()
    daemon.start()
    expect((await ask(site, '/')).text).toContain('<pre class="nothing">No KMS host is known')
    expect(JSON.parse((await ask(site, '/api/v1/hosts')).text)).toMatchObject({ hosts: [], domains: [] })
    expect((await ask(site, '/probe?target=localhost')).status).toBe(403)
  })
})
