// The single executable, with nothing else: in a root directory of its own, where there are the system's libraries that it
// names, and no Node.js, no package, no /proc, no /etc.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { exampleConfig } from '../../src/config/example.ts'
import { build, causesByHost, freeNetwork, get, startCommand, until, type Running } from '../e2e/built.ts'
import { program, realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { manifest, ROOT } from '../supply/copy.ts'

const SOON_SECONDS = 30
let folder: string
let said = ''

/** As seen from outside: what the executable finds at `/`. */
const inside = (name: string): string => join(folder, 'root', name)

beforeAll(async () => {
  await build()
  folder = mkdtempSync(join(tmpdir(), 'winkms-executable-test-'))
  mkdirSync(inside('tmp'), { recursive: true })
  said = execFileSync(process.execPath, ['scripts/executable.js', '--out', inside('winkms-exporter')], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 100_000,
  })
  for (const [, path = ''] of execFileSync(program('ldd'), [inside('winkms-exporter')], {
    encoding: 'utf8',
  }).matchAll(/(\/\S+) \(/g)) {
    mkdirSync(dirname(inside(path)), { recursive: true })
    copyFileSync(path, inside(path))
  }
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const running = startCommand([program('chroot'), inside(''), '/winkms-exporter', ...args], {
    cwd: folder,
    env,
  })
  onTestFinished(() => running.stop())
  return running
}

const run = (...args: readonly string[]) => start(args).ended(SOON_SECONDS)

const page = (running: Running, url: string, has: string, headers: Readonly<Record<string, string>> = {}) =>
  until(SOON_SECONDS, running.err, async () => {
    const answer = await get(url, { headers })
    return answer?.body.includes(has) === true ? answer.body : undefined
  })

it('is made of this Node.js, and names no folder of whoever made it', () => {
  expect(said).toContain(`Node.js ${process.version} for linux on ${process.arch}, with koffi\n`)
  expect(readFileSync(inside('winkms-exporter')).includes(ROOT)).toBe(false)
})

it('says who it is, and what it is made of', async (context) => {
  realServer(context, ['root', 'chroot'])
  expect(await run('--version')).toMatchObject({
    ending: 0,
    out: expect.stringContaining(`winkms-exporter ${manifest.version} `),
    err: '',
  })
  const { out } = await run('--licenses')
  const bundled = readFileSync(join(ROOT, 'dist/winkms.LEGAL.txt'), 'utf8')
  expect(out).toContain(bundled)
  expect(out).toContain('Apache License')
  expect(out).toContain(`Node.js ${process.version}\n`)
  expect(out).toContain('Copyright Node.js contributors')
  expect(out).toMatch(/^koffi\n/m)
})

it('has what needs nobody else', async (context) => {
  realServer(context, ['root', 'chroot'])
  expect((await run('config', 'example')).out).toBe(exampleConfig)
  expect((await run('completion', 'bash')).out).toContain('complete -F')
  expect(await run('--no-such-flag')).toMatchObject({ ending: 64 })
})

it('is no Node.js to those who give it the flags of one', async (context) => {
  realServer(context, ['root', 'chroot'])
  expect(await run('--eval', '1')).toMatchObject({ ending: 64 })
})

describe('as a daemon', () => {
  it(
    'watches, asks for a password on a thread of its own, and ends',
    { timeout: 60_000 },
    async (context) => {
      realServer(context, ['root', 'chroot', 'htpasswd'])
      const hash = execFileSync(program('htpasswd'), ['-nbBC', '5', 'reader', 'open sesame'], {
        encoding: 'utf8',
      })
      writeFileSync(
        inside('web.yml'),
        `basic_auth_users: { reader: '${hash.trim().slice('reader:'.length)}' }\n`,
      )
      writeFileSync(
        inside('winkms.yml'),
        'hosts: [{ name: kms01.corp.example, addresses: [127.0.0.1] }]\ndomains: []\n',
      )
      const address = `127.0.0.1:${await freePort()}`
      const files = ['--config.file=winkms.yml', '--web.config.file=web.yml', '--storage.path=/data']
      const exporter = start([...files, `--web.listen-address=${address}`])
      const authorization = (password: string): { authorization: string } => ({
        authorization: `Basic ${Buffer.from(`reader:${password}`).toString('base64')}`,
      })
      await page(
        exporter,
        `http://${address}/metrics`,
        'winkms_host_serving{host="kms01.corp.example"} 0',
        authorization('open sesame'),
      )
      expect(await get(`http://${address}/metrics`, { headers: authorization('wrong') })).toMatchObject({
        status: 401,
      })
      await page(
        exporter,
        `http://${address}/runbooks/service_stopped`,
        'net start sppsvc',
        authorization('open sesame'),
      )
      exporter.signal('SIGTERM')
      expect(await exporter.ended(SOON_SECONDS)).toMatchObject({ ending: 0 })
    },
  )

  it('calls the system by koffi, and leaves none of its files', { timeout: 60_000 }, async (context) => {
    realServer(context, ['root', 'chroot'])
    const address = `127.0.0.1:${await freePort()}`
    const exporter = start([`--web.listen-address=${address}`], { NOTIFY_SOCKET: '/nobody.socket' })
    await until(
      SOON_SECONDS,
      exporter.err,
      () => /sendto \/nobody\.socket: errno 2/.test(exporter.err()) || undefined,
    )
    expect(readdirSync(inside('tmp'))).toEqual([])
  })
})

it('has the demo, whose hosts are asked in every way', { timeout: 90_000 }, async (context) => {
  realServer(context, ['root', 'chroot'])
  const address = `127.0.0.1:${await freePort()}`
  const network = await freeNetwork()
  const config = '--demo.write-config=/demo.yml'
  const demo = start(['demo', `--demo.network=${network}`, `--web.listen-address=${address}`, config])
  const wanted = {
    'kms-stopped.plant.example': ['service_stopped'],
    'kms-filtered.plant.example': ['port_blocked'],
    'kms-unlicensed.lab.example': ['host_not_licensed'],
  }
  await until(
    60,
    () => `${demo.out()}${demo.err()}`,
    async () => {
      const causes = causesByHost((await get(`http://${address}/metrics`))?.body ?? '')
      return (
        Object.entries(wanted).every(([host, [cause = '']]) => causes[host]?.includes(cause)) || undefined
      )
    },
  )
  expect(existsSync(inside('demo.yml'))).toBe(true)
  const diagnosed = await run('diagnose', 'kms-stopped.plant.example', '--config.file=/demo.yml')
  expect(diagnosed).toMatchObject({ ending: 1, out: expect.stringContaining('(service_stopped)') })
  demo.signal('SIGINT')
  expect(await demo.ended(SOON_SECONDS)).toMatchObject({ ending: 0 })
})

describe('what makes it', () => {
  const make = (...args: readonly string[]): string =>
    spawnSync(process.execPath, ['scripts/executable.js', '--out', join(folder, 'none'), ...args], {
      cwd: ROOT,
      encoding: 'utf8',
      timeout: 20_000,
    }).stderr

  it.each([
    ['a text', 'package.json', 'package.json is no Node.js for Linux or Windows'],
    ['what is not of the same version', '/bin/sh', `/bin/sh is not ${process.version}`],
  ])('refuses %s', (_what, node, why) => {
    expect(make('--node', node, '--maker', process.execPath)).toContain(`Error: ${why}`)
    expect(existsSync(join(folder, 'none'))).toBe(false)
  })
})
