// The routes of the pages for people: what is answered to any URL, and what of a host is kept for them.
import { gunzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseConfig } from '../../src/config/load.ts'
import { createIo } from '../../src/io/io.ts'
import { alertNameOf, RUNBOOK_NAMES } from '../../src/runbooks/names.ts'
import { startDaemon } from '../daemon.ts'
import { ask, fakeDaemon, serve } from './serve.ts'

describe('runbooks', () => {
  it('are listed, and each has a page', async () => {
    const site = await serve(fakeDaemon())
    const index = await ask(site, '/runbooks')
    expect([index.status, index.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    for (const name of RUNBOOK_NAMES) {
      expect(index.text).toContain(`href="/runbooks/${name}"`)
      const { status, text } = await ask(site, `/runbooks/${name}`)
      expect([name, status]).toEqual([name, 200])
      expect(text).toContain(alertNameOf(name))
      // They do not change while one reads them.
      expect(text).not.toMatch(/page\.js|http-equiv="refresh"/)
    }
  })

  it.each(['nothing', '__proto__', 'constructor', '%3Cscript%3E', '%00', '..%2Fhosts', 'service_stopped%20'])(
    'that are not there are 404: %s',
    async (slug) => {
      const { status, text } = await ask(await serve(fakeDaemon()), `/runbooks/${slug}`)
      expect([status, text]).toEqual([404, 'There is no such runbook\n'])
    },
  )

  it('have their relative links right: a slash at the end leads to the page without one', async () => {
    const site = await serve(fakeDaemon(), { linkPrefix: '/outer' })
    const { status, headers } = await ask(site, '/runbooks/service_stopped/')
    expect([status, headers.location]).toEqual([301, '/outer/runbooks/service_stopped'])
    expect((await ask(site, '/runbooks')).text).toContain('href="/outer/runbooks/service_stopped"')
  })
})

describe('pages', () => {
  it('are told to HEAD, too, without the page', async () => {
    const site = await serve(fakeDaemon())
    for (const path of ['/', '/hosts/kms01.corp.example', '/style.css', '/page.js']) {
      const { status, headers, bytes } = await ask(site, path, { method: 'HEAD' })
      expect([path, status, bytes.length]).toEqual([path, 200, 0])
      expect(headers['content-type']).toMatch(/^text\//)
    }
    expect((await ask(site, '/hosts/nobody', { method: 'HEAD' })).status).toBe(404)
  })

  it('are compressed for those who can read that', async () => {
    const site = await serve(fakeDaemon())
    const plain = await ask(site, '/')
    const packed = await ask(site, '/', { headers: { 'accept-encoding': 'gzip' } })
    expect(packed.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(packed.bytes).toString()).toBe(plain.text)
  })

  it.each([
    '?q=%3Cscript%3Ealert(1)%3C/script%3E',
    '?q=a&q=b&q[]=c&q[x]=d&__proto__[x]=1',
    '?state=%ff%fe&page=%00',
    '?page=-1',
    `?q=${'x'.repeat(12_000)}`,
    `?${'q=1&'.repeat(3_000)}`,
    '?%',
    '???&&==',
  ])('take any query that there is: %s', async (query) => {
    const site = await serve(fakeDaemon())
    for (const path of ['/', '/hosts/kms01.corp.example']) {
      const { status, text } = await ask(site, path + query)
      expect(status).toBe(200)
      expect(text).not.toContain('<script>')
      expect(text.length).toBeLessThan(30_000)
    }
    expect(site.errors).toEqual([])
  })

  it('have what the URL asks for', async () => {
    const site = await serve(fakeDaemon())
    const names = async (query: string) =>
      [...(await ask(site, `/${query}`)).text.matchAll(/href="\/hosts\/(kms0\d)/g)].map(([, name]) => name)
    expect(await names('')).toEqual(['kms02', 'kms01'])
    expect(await names('?state=serving')).toEqual(['kms01'])
    expect(await names('?cause=service_stopped&q=02')).toEqual(['kms02'])
  })
})

describe('the last hours of a host', () => {
  it('outlive a reload, and go with the host', () => {
    const io = createIo()
    let passed = 0
    const clock = { ...io.clock, monotonicSeconds: () => 1_000 + passed }
    const configOf = (...names: readonly string[]) => {
      const yaml = `domains: []\nhosts: [${names.map((name) => `{ name: ${name}, connect_to: 127.0.0.1 }`).join(', ')}]`
      const { config } = parseConfig(yaml, { file: 'test.yml', checkCron: () => undefined })
      if (config === undefined) throw new Error('the configuration is wrong')
      return config
    }
    const daemon = startDaemon(configOf('a.example', 'b.example'), { io: { ...io, clock } })
    onTestFinished(() => io.close())
    const minutes = () => daemon.snapshot().hosts.map(({ trail }) => trail?.()?.serving.length)
    expect(minutes()).toEqual([1, 1])
    passed += 600
    daemon.reload(configOf('a.example'))
    expect(minutes()).toEqual([11])
    daemon.reload(configOf('a.example', 'b.example'))
    expect(minutes()).toEqual([11, 1])
  })
})
