// `npm run audit` with the real npm, against registries that know something, know nothing, and do not answer.
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { buffer } from 'node:stream/consumers'
import { expect, it, onTestFinished } from 'vitest'
import { listenServer } from '../../src/lab/listener.ts'
import { during } from '../during.ts'
import { LOOPBACK } from '../io/support.ts'
import { manifest, ROOT } from './copy.ts'

const WEAK = {
  id: 1,
  url: 'https://github.com/advisories/GHSA-0000-0000-0000',
  title: 'x',
  severity: 'high',
  vulnerable_versions: '<=9999.0.0',
}

/** What it is asked about is kept: names and versions of packages. */
async function audit(answer: object | undefined, ...args: readonly string[]) {
  const asked: string[] = []
  const registry = createServer((request, response) => {
    void buffer(request).then((body) => {
      if (request.url?.endsWith('/advisories/bulk') === true)
        asked.push((request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString())
      if (answer === undefined) response.writeHead(405).end()
      else if (request.method === 'POST') response.end(JSON.stringify(answer))
      else response.end(JSON.stringify({ name: 'undici', versions: {}, 'dist-tags': {} }))
    })
  })
  const { port } = await during(listenServer(registry, LOOPBACK))
  const cache = mkdtempSync(join(tmpdir(), 'winkms-audit-'))
  onTestFinished(() => rmSync(cache, { recursive: true, force: true }))
  const child = spawn(process.execPath, ['scripts/audit.js', ...args], {
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'],
      HOME: cache,
      npm_config_registry: `http://127.0.0.1:${port}/`,
      npm_config_cache: cache,
      npm_config_fetch_retries: '0',
    },
    timeout: 60_000,
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  const [code, out, err] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return { code, out, err, asked }
}

it(
  'passes where nothing is known against any, having asked about production alone',
  { timeout: 90_000 },
  async () => {
    const { code, out, asked } = await audit({})
    expect(out).toMatch(/^\d{2,} packages of production: 0 with known weaknesses\n$/)
    expect(code).toBe(0)
    const names = Object.keys(JSON.parse(asked[0] ?? '{}') as object)
    expect(names).toEqual(expect.arrayContaining(Object.keys(manifest.dependencies)))
    expect(names).not.toContain('vitest')
  },
)

it('fails where something is, and names it', { timeout: 90_000 }, async () => {
  const { code, err } = await audit({ undici: [WEAK] })
  expect(err).toContain('high: undici')
  expect(code).toBe(1)
})

it(
  'says aloud that it found nothing out where the registry does not answer',
  { timeout: 90_000 },
  async () => {
    expect(await audit(undefined)).toMatchObject({ code: 0, err: expect.stringContaining('NOT AUDITED') })
    expect(await audit(undefined, '--must')).toMatchObject({ code: 2 })
  },
)
