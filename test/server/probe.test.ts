// `/probe`: whom it asks and whom it refuses to ask, for how long, how often at once, and what it says.
import { describe, expect, it } from 'vitest'
import type { Host } from '../../src/config/targets.ts'
import type { Examination } from '../../src/engine/examine.ts'
import type { ProbeName } from '../../src/probes/index.ts'
import type { WatchedEstate } from '../../src/server/daemon.ts'
import { failed, HARMFUL, HOSTILE } from '../views/scenes.ts'
import { parseStrictly } from '../views/strict.ts'
import { ask, dial, examination, fakeDaemon, later, serve, type Site } from './serve.ts'

interface Asked {
  readonly host: Host
  readonly only: readonly ProbeName[] | undefined
  readonly mostSeconds: number | undefined
}

/** A daemon that notes whom it was told to ask. */
function noting(answer: (host: Host) => Promise<Examination> = async (host) => examination(host)): {
  readonly daemon: WatchedEstate
  readonly asked: readonly Asked[]
} {
  const asked: Asked[] = []
  const daemon = fakeDaemon({
    examine(host, only, mostSeconds) {
      asked.push({ host, only, mostSeconds })
      return answer(host)
    },
  })
  return { daemon, asked }
}

const probe = (site: Site, target: string, more = '', headers: Readonly<Record<string, string>> = {}) =>
  ask(site, `/probe?target=${encodeURIComponent(target)}${more}`, { headers })

async function refused({ self }: WatchedEstate): Promise<number | undefined> {
  return (await self.refusedTargets.get()).values[0]?.value
}

const KNOWN = 'kms01.corp.example'

describe('the target', () => {
  it.each([
    ['/probe', 'the parameter "target" is missing\n'],
    ['/probe?target=', 'the parameter "target" is missing\n'],
    ['/probe?target[]=a', 'the parameter "target" is missing\n'],
    ['/probe?target[a]=a', 'the parameter "target" is missing\n'],
    ['/probe?Target=a', 'the parameter "target" is missing\n'],
    [`/probe?target=${KNOWN}&target=${KNOWN}`, 'the parameter "target" may be given once only\n'],
    [`/probe?target=${KNOWN}&probe=port&probe=clock`, 'the parameter "probe" may be given once only\n'],
    [
      `/probe?target=${KNOWN}&probe=licence`,
      'there is no probe "licence"; there are port, srv, service, clock, reference, licensing, activity, client\n',
    ],
    [`/probe?target=${KNOWN}&probe=client`, 'canary clients are asked on schedule only, not by /probe\n'],
    [
      `/probe?target=${KNOWN}&probe=constructor`,
      'there is no probe "constructor"; there are port, srv, service, clock, reference, licensing, activity, client\n',
    ],
    [
      `/probe?target=${KNOWN}&probe=__proto__`,
      'there is no probe "__proto__"; there are port, srv, service, clock, reference, licensing, activity, client\n',
    ],
  ])('%s is a bad request', async (path, says) => {
    const { daemon, asked } = noting()
    const { status, headers, text } = await ask(await serve(daemon), path)
    expect([status, headers['content-type'], text]).toEqual([400, 'text/plain; charset=utf-8', says])
    expect(asked).toEqual([])
  })

  it.each([KNOWN, 'KMS01.Corp.EXAMPLE', `${KNOWN}.`, 'KMS01.corp.example.'])(
    'that is watched needs no permission, however it is spelt: %s',
    async (target) => {
      const { daemon, asked } = noting()
      expect((await probe(await serve(daemon), target)).status).toBe(200)
      expect(asked.map(({ host }) => host)).toEqual([daemon.estate.hosts[0]])
    },
  )

  it('that nobody allowed is refused, and counted', async () => {
    const { daemon, asked } = noting()
    const site = await serve(daemon)
    const { status, text } = await probe(site, 'db01.corp.example')
    expect([status, text]).toEqual([
      403,
      '"db01.corp.example" is neither a watched host nor allowed by --probe.allow\n',
    ])
    await probe(site, '169.254.169.254')
    await probe(site, 'kms01.corp.example.evil')
    expect(await refused(daemon)).toBe(3)
    expect(asked).toEqual([])
  })

  it.each([
    ['*.corp.example', 'kms09.corp.example', 200],
    ['*.corp.example', 'KMS09.corp.example.', 200],
    ['*.Corp.Example', 'kms09.corp.example', 200],
    ['kms*', 'kms', 200],
    ['*a*', 'bab', 200],
    ['*', 'anything.at.all', 200],
    ['10.0.0.*', '10.0.0.7', 200],
    ['db.example', 'db.example', 200],
    ['*.corp.example', 'corp.example', 403],
    ['*.corp.example', 'kms09.corp.example.evil', 403],
    ['*.corp.example', 'evil\n.corp.example', 403],
    ['*.corp.example\n', 'kms09.corp.example', 403],
    ['corp.example', 'kms09.corp.example', 403],
    ['a.example', 'abexample', 403],
    ['kms?.example', 'kms1.example', 403],
    ['kms?.example', 'km.example', 403],
    ['(a|b).example', 'a.example', 403],
    ['a.example|b.example', 'b.example', 403],
    ['[a-z].example', 'b.example', 403],
    ['^.*$', 'b.example', 403],
    ['.+', 'b.example', 403],
    [String.raw`\w`, 'w', 403],
    ['a{1}', 'a', 403],
    ['', 'b.example', 403],
    ['a*a', 'a', 403],
    ['a*b*c', 'axbxbxc', 200],
    ['a*b*c', 'axcxb', 403],
  ] as const)('against --probe.allow %j: %j is %s', async (pattern, target, status) => {
    const { daemon, asked } = noting()
    const site = await serve(daemon, { probeAllow: ['other.example', pattern] })
    expect((await probe(site, target)).status).toBe(status)
    expect(asked).toHaveLength(status === 200 ? 1 : 0)
    expect(await refused(daemon)).toBe(status === 200 ? 0 : 1)
  })

  it('compares a long name with several stars at once, not for hours', async () => {
    const { daemon } = noting()
    const site = await serve(daemon, { probeAllow: ['*-*-*-*.corp.example'] })
    expect((await probe(site, '-'.repeat(8000))).status).toBe(403)
  })

  it.each([
    ['kms09.corp.example.', 'kms09.corp.example'],
    ['192.0.2.7', '192.0.2.7'],
    ['2001:DB8:0::1', '2001:db8::1'],
    ['münchen.example', 'xn--mnchen-3ya.example'],
  ])('%s is asked as %s, like a host of the configuration', async (target, name) => {
    const { daemon, asked } = noting()
    expect((await probe(await serve(daemon, { probeAllow: ['*'] }), target)).status).toBe(200)
    expect(asked.map(({ host }) => host.name)).toEqual([name])
  })

  it.each([
    '.',
    '..',
    'a..b',
    'a b',
    'a/b',
    'user@host',
    'host:1688',
    '[2001:db8::1]',
    'fe80::1%eth0',
    'http://host/',
    '*',
    'a\0b',
    'x'.repeat(64),
    `${'x.'.repeat(200)}example`,
  ])('that is no name is a bad request even where all is allowed: %j', async (target) => {
    const { daemon, asked } = noting()
    const site = await serve(daemon, { probeAllow: ['*'] })
    const { status, headers, text } = await probe(site, target)
    expect([status, headers['content-type']]).toEqual([400, 'text/plain; charset=utf-8'])
    expect(text).toMatch(/ is not a host name: .*\n$/)
    expect(text.slice(0, -1)).not.toMatch(HARMFUL)
    expect(asked).toEqual([])
    expect(site.errors).toEqual([])
  })

  it('is repeated in harmless letters only', async () => {
    const { status, headers, text } = await probe(await serve(fakeDaemon()), HOSTILE.toWellFormed())
    expect([status, headers['content-type']]).toEqual([403, 'text/plain; charset=utf-8'])
    expect(text.slice(0, -1)).not.toMatch(HARMFUL)
    expect(text.split('\n')).toHaveLength(2)
  })
})

describe("Prometheus's own time limit", () => {
  const HEADER = 'x-prometheus-scrape-timeout-seconds'

  it.each([
    ['1.5', 1],
    ['10', 9.5],
    ['0.75', 0.25],
    // Too little to take anything off: all of it.
    ['0.5', 0.5],
    ['0.25', 0.25],
    [' 3 ', 2.5],
    ['1e1', 9.5],
  ])('%j leaves %s s', async (given, seconds) => {
    const { daemon, asked } = noting()
    await probe(await serve(daemon), KNOWN, '', { [HEADER]: given })
    expect(asked.map(({ mostSeconds }) => mostSeconds)).toEqual([seconds])
  })

  it('is not needed', async () => {
    const { daemon, asked } = noting()
    await probe(await serve(daemon), KNOWN)
    expect(asked.map(({ mostSeconds }) => mostSeconds)).toEqual([undefined])
  })

  it.each(['0', '-1', '-0.5', 'soon', '1,5', '5s', 'NaN', 'Infinity', '', ' '])(
    '%j is a bad request',
    async (given) => {
      const { daemon, asked } = noting()
      const { status, text } = await probe(await serve(daemon), KNOWN, '', { [HEADER]: given })
      expect([status, text]).toEqual([
        400,
        `X-Prometheus-Scrape-Timeout-Seconds is "${given.trim()}", which is no time\n`,
      ])
      expect(asked).toEqual([])
    },
  )
})

describe('at the same time', () => {
  /** Pending until told otherwise. */
  function waiting() {
    const flights: { host: Host; done: ReturnType<typeof later<Examination>> }[] = []
    const { daemon, asked } = noting((host) => {
      const done = later<Examination>()
      flights.push({ host, done })
      return done.promise
    })
    const land = (): void => flights.splice(0).forEach(({ host, done }) => done.resolve(examination(host)))
    return { daemon, asked, flights, land }
  }

  it('two that ask the same get one answer', async () => {
    const { daemon, asked, land } = waiting()
    const site = await serve(daemon)
    const both = [probe(site, KNOWN), probe(site, 'KMS01.corp.example.')]
    await expect.poll(site.requests).toBe(2)
    expect(asked).toHaveLength(1)
    land()
    for (const { status } of await Promise.all(both)) expect(status).toBe(200)

    const again = probe(site, KNOWN)
    await expect.poll(site.requests).toBe(3)
    expect(asked).toHaveLength(2)
    land()
    await again
  })

  it('two that ask for something else are asked apart', async () => {
    const { daemon, asked, land } = waiting()
    const site = await serve(daemon)
    const all = [
      probe(site, KNOWN),
      probe(site, KNOWN, '&probe=port'),
      probe(site, KNOWN, '', { 'x-prometheus-scrape-timeout-seconds': '3' }),
      probe(site, 'kms02.corp.example'),
    ]
    await expect.poll(() => asked.length).toBe(4)
    land()
    for (const { status } of await Promise.all(all)) expect(status).toBe(200)
  })

  it('more than 64 are too many, though not those that can share; and it passes', async () => {
    const { daemon, asked, land } = waiting()
    const site = await serve(daemon, { probeAllow: ['*'] })
    const full = Array.from({ length: 64 }, (_, index) => probe(site, `kms${index}.example`))
    await expect.poll(() => asked.length, { timeout: 10_000 }).toBe(64)
    const { status, text } = await probe(site, 'one.more.example')
    expect([status, text]).toEqual([503, 'too many probes at once: --probe.max-at-once allows more\n'])
    const shared = probe(site, 'kms7.example')
    await expect.poll(site.requests).toBe(66)
    land()
    expect((await shared).status).toBe(200)
    for (const answer of await Promise.all(full)) expect(answer.status).toBe(200)
    expect(asked).toHaveLength(64)

    const next = probe(site, 'one.more.example')
    await expect.poll(() => asked.length).toBe(65)
    land()
    expect((await next).status).toBe(200)
  })

  it('as many more as are allowed; one that is turned away is counted', async () => {
    const { daemon, asked, land } = waiting()
    const site = await serve(daemon, { probeAllow: ['*'], probesAtOnce: 100 })
    const full = Array.from({ length: 100 }, (_, index) => probe(site, `kms${index}.example`))
    await expect.poll(() => asked.length, { timeout: 10_000 }).toBe(100)
    expect((await probe(site, 'one.more.example')).status).toBe(503)
    const refusals = (await daemon.self.refused.get()).values
    expect(refusals).toMatchObject([{ labels: { why: 'probes' }, value: 1 }])
    land()
    for (const answer of await Promise.all(full)) expect(answer.status).toBe(200)
  })

  it('a run that breaks is told to all who wait for it, and forgotten', async () => {
    const { daemon, asked, flights, land } = waiting()
    const site = await serve(daemon)
    const both = [probe(site, KNOWN), probe(site, KNOWN)]
    await expect.poll(site.requests).toBe(2)
    for (const { done } of flights.splice(0)) done.reject(new Error('broken'))
    for (const { status, text } of await Promise.all(both))
      expect([status, text]).toEqual([500, 'Internal error\n'])
    expect(site.errors).toHaveLength(2)

    const next = probe(site, KNOWN)
    await expect.poll(() => asked.length).toBe(2)
    land()
    expect((await next).status).toBe(200)
  })

  it.each(['', 'Accept-Encoding: gzip\r\n'])(
    'one that goes away before the answer is no error (%j)',
    async (header) => {
      const { daemon, asked, land } = waiting()
      const site = await serve(daemon)
      const socket = await dial(site.port, `GET /probe?target=${KNOWN} HTTP/1.1\r\nHost: a\r\n${header}\r\n`)
      await expect.poll(() => asked.length).toBe(1)
      socket.resetAndDestroy()
      await expect.poll(() => site.sockets[0]?.destroyed).toBe(true)
      land()
      const next = probe(site, 'kms02.corp.example')
      await expect.poll(() => asked.length).toBe(2)
      land()
      expect((await next).status).toBe(200)
      expect(site.errors).toEqual([])
    },
  )
})

describe('the answer', () => {
  const sampleOf = (text: string, name: string): number | undefined =>
    parseStrictly(text, text.endsWith('# EOF\n') ? 'openmetrics' : 'text').find(
      (family) => family.name === name,
    )?.samples[0]?.value

  it.each(['text/plain', 'application/openmetrics-text'])('parses strictly as %s', async (accept) => {
    const site = await serve(fakeDaemon())
    const { headers, text } = await probe(site, KNOWN, '', { accept })
    expect(headers['content-type']).toMatch(accept)
    const dialect = accept === 'text/plain' ? 'text' : 'openmetrics'
    const names = parseStrictly(text, dialect).map(({ name }) => name)
    expect(names.slice(0, 2)).toEqual(['probe_success', 'probe_duration_seconds'])
    for (const name of ['winkms_probe_success', 'winkms_rpc_bound', 'winkms_host_serving'])
      expect(names).toContain(name)
    expect(names.some((name) => name.startsWith('winkms_exporter_'))).toBe(false)
  })

  it.each([
    [true, 1],
    [false, 0],
    [undefined, 0],
  ])('succeeds only when the host serves (%s)', async (serving, success) => {
    const { daemon } = noting(async (host) => examination(host, { serving }))
    const { status, text } = await probe(await serve(daemon), KNOWN)
    expect([status, sampleOf(text, 'probe_success')]).toEqual([200, success])
    expect(sampleOf(text, 'winkms_host_serving')).toBe(serving === undefined ? undefined : Number(serving))
  })

  it('for one probe succeeds when that one was answered, and does not speak of the diagnosis', async () => {
    const { daemon, asked } = noting(async (host) => examination(host, { serving: false }))
    const { text } = await probe(await serve(daemon), KNOWN, '&probe=port')
    expect(asked.map(({ only }) => only)).toEqual([['port']])
    expect(sampleOf(text, 'probe_success')).toBe(1)
    expect(text).not.toMatch(/^winkms_(host_serving|diagnosis)/m)
  })

  it('for one probe fails when that was not answered, or does not apply to the host', async () => {
    for (const answered of [true, false]) {
      const { daemon } = noting(async (host) => {
        const { tasks, ...rest } = examination(host)
        const results = tasks.map(({ target }) => failed('port', target))
        return answered ? { ...rest, tasks, results } : { ...rest, tasks: [], results: [] }
      })
      const { text } = await probe(await serve(daemon), KNOWN, '&probe=port')
      expect(sampleOf(text, 'probe_success')).toBe(0)
    }
  })

  it('with an empty probe= is about everything', async () => {
    const { daemon, asked } = noting()
    expect((await probe(await serve(daemon), KNOWN, '&probe=')).status).toBe(200)
    expect(asked.map(({ only }) => only)).toEqual([undefined])
  })

  it('with debug=true is for people: the runs, the diagnosis, the metrics', async () => {
    const { daemon } = noting(async (host) => {
      const { tasks, results, diagnosis } = examination(host)
      const late = tasks.map(({ target }) => failed('clock', target, HOSTILE))
      return { diagnosis, tasks, results: [...results, ...late] }
    })
    const { headers, text } = await probe(await serve(daemon), KNOWN, '&debug=true', {
      accept: 'application/openmetrics-text',
    })
    expect(headers['content-type']).toBe('text/plain; charset=utf-8')
    const [first, second, third, fourth] = text.split('\n')
    expect(first).toBe('port kms01.corp.example: answered after 500.0 ms (connect 250.0 ms)')
    expect(second).toMatch(/^clock kms01\.corp\.example: connect_timeout at connect: .* after 500\.0 ms/)
    expect(third).toBe('')
    expect(fourth).toMatch(/^kms01\.corp\.example port 1688: SERVING {3}\d{4}-/)
    expect(text).toContain('\n# HELP probe_success ')
    expect(text).not.toMatch(HARMFUL)
    expect(text).not.toContain('# EOF')
  })

  it.each(['false', '1', ''])('with debug=%s is for Prometheus', async (debug) => {
    const { text } = await probe(await serve(fakeDaemon()), KNOWN, `&debug=${debug}`)
    expect(text.startsWith('# HELP probe_success ')).toBe(true)
  })
})
