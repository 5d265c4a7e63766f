// What is special to the built command: compiled code beside the bundle, and packages that lost what we never use.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { build, get, MAIN, start, until, type Running } from './e2e/built.ts'
import { freePort } from './real/servers/ports.ts'

const DIST = dirname(MAIN)
const CODE = `winkms.${process.versions.v8}-${process.platform}-${process.arch}.cache`

let directory: string

beforeAll(async () => {
  await build()
  directory = mkdtempSync(join(tmpdir(), 'winkms-build-'))
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
  for (const file of ['main.js', 'winkms.cjs']) copyFileSync(join(DIST, file), join(directory, file))
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('the compiled code', () => {
  const example = (main: string): string =>
    execFileSync(process.execPath, [main, 'config', 'example'], { encoding: 'utf8', env: {} })

  it('is taken by the V8 that it was made by', () => {
    const program = `
      const { createHash } = require('node:crypto')
      const { readFileSync } = require('node:fs')
      const source = readFileSync('winkms.cjs')
      const [digest, cachedData] = [[0, 32], [32]].map((part) => readFileSync('${CODE}').subarray(...part))
      const { cachedDataRejected } = new (require('node:vm').Script)(source.toString('latin1'), { cachedData })
      const belongs = createHash('sha256').update(source).update(cachedData).digest().equals(digest)
      process.stdout.write(JSON.stringify({ belongs, cachedDataRejected }))`
    const options = { cwd: DIST, encoding: 'utf8', env: {} } as const
    expect(JSON.parse(execFileSync(process.execPath, ['--eval', program], options))).toEqual({
      belongs: true,
      cachedDataRejected: false,
    })
  })

  it.each([
    ['is not there', undefined],
    ['is empty', (_code: Buffer) => Buffer.alloc(0)],
    ['is cut off', (code: Buffer) => code.subarray(0, code.length / 2)],
    ['belongs to another build', (code: Buffer) => Buffer.concat([Buffer.alloc(32), code.subarray(32)])],
    ['is damaged', (code: Buffer) => Buffer.from(code).fill(0xff, code.length / 2, code.length / 2 + 64)],
  ])('is done without where it %s', (_what, change) => {
    if (change !== undefined) writeFileSync(join(directory, CODE), change(readFileSync(join(DIST, CODE))))
    expect(example(join(directory, 'main.js'))).toBe(example(MAIN))
  })
})

describe('what was taken out of packages', () => {
  let exporter: Running
  let url: string

  beforeAll(async () => {
    const file = join(directory, 'none.yml')
    writeFileSync(file, 'hosts: [{ name: kms01.corp.example, addresses: [127.0.0.1] }]\ndomains: []\n')
    const port = await freePort()
    url = `http://127.0.0.1:${port}`
    exporter = start([`--config.file=${file}`, `--web.listen-address=127.0.0.1:${port}`])
    await until(20, exporter.err, async () => (await get(`${url}/-/ready`))?.status === 200 || undefined)
  })

  afterAll(() => exporter.stop())

  it.each([
    ['/', 'text/html; charset=utf-8'],
    ['/hosts/kms01.corp.example', 'text/html; charset=utf-8'],
    ['/runbooks', 'text/html; charset=utf-8'],
    ['/style.css', 'text/css; charset=utf-8'],
    ['/page.js', 'text/javascript; charset=utf-8'],
    ['/icon.svg', 'image/svg+xml; charset=utf-8'],
    ['/metrics', 'text/plain; version=0.0.4; charset=utf-8'],
    ['/api/v1/hosts', 'application/json; charset=utf-8'],
    ['/sd/hosts', 'application/json; charset=utf-8'],
    ['/config', 'text/plain; charset=utf-8'],
    ['/-/healthy', 'text/plain; charset=utf-8'],
    ['/probe?target=kms01.corp.example&probe=port', 'text/plain; version=0.0.4; charset=utf-8'],
    ['/probe?target=kms01.corp.example&debug=true', 'text/plain; charset=utf-8'],
  ])('is not missed by %s', async (path, type) => {
    expect(await get(`${url}${path}`)).toMatchObject({ status: 200, type })
  })

  it('is not missed where a redirect chooses its text', async () => {
    const runbook = `${url}/runbooks/domain_not_served/`
    for (const type of ['text/html', 'text/plain']) {
      const answer = await get(runbook, { redirect: 'manual', headers: { accept: type } })
      expect(answer).toMatchObject({ status: 301, type: `${type}; charset=utf-8` })
    }
  })

  it('is not missed by a request with a body, or with a query in brackets', async () => {
    const body = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":' }
    expect(await get(`${url}/-/reload`, body)).toMatchObject({ status: 403 })
    expect(await get(`${url}/probe?target[a]=b`)).toMatchObject({ status: 400 })
  })
})
