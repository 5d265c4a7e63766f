// The archive of `npm pack`, as somebody has it who has nothing else: what is in it, and that it runs where it was installed
// without a registry, a cache or any package beside it.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { exampleConfig } from '../../src/config/example.ts'
import { get, startCommand, until, type Running } from '../e2e/built.ts'
import { freePort } from '../real/servers/ports.ts'
import { copyOfProject, manifest, production, ROOT, type Copy } from '../supply/copy.ts'

let copy: Copy
let prefix = ''
let archive = ''
let installed = ''
let files: readonly string[] = []
let sizes = { packed: 0, unpacked: 0 }

/** npm, whose registry is nowhere and whose cache is empty. */
const environment = (): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: copy.folder,
  npm_config_cache: join(copy.folder, 'cache'),
  npm_config_registry: 'http://127.0.0.1:9/',
  npm_config_offline: 'true',
  npm_config_update_notifier: 'false',
})
const npm = (folder: string, ...args: readonly string[]): string =>
  execFileSync('npm', args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: 'pipe',
    timeout: 90_000,
    env: environment(),
  })

beforeAll(() => {
  copy = copyOfProject('npm')
  const told = npm(copy.folder, 'pack', '--json', '--silent')
  const [packed] = JSON.parse(told.slice(told.indexOf('[\n'))) as readonly [
    { filename: string; size: number; unpackedSize: number; files: readonly { path: string }[] },
  ]
  archive = join(copy.folder, packed.filename)
  files = packed.files.map(({ path }) => path)
  sizes = { packed: packed.size, unpacked: packed.unpackedSize }
  // Not in the copy, where npm would take the project for what is to be installed into.
  prefix = mkdtempSync(join(tmpdir(), 'winkms-prefix-'))
  npm(prefix, 'install', '--omit=optional', archive)
  installed = join(prefix, 'node_modules')
}, 120_000)
afterAll(() => {
  copy.remove()
  rmSync(prefix, { recursive: true, force: true })
})

describe('the archive', () => {
  it('has what is run and read, and nothing of how it is made', () => {
    const beside = new Set(files.map((file) => file.replace(/^(docs|grafana|deploy\/[a-z]+|dist)\/.*/, '$1')))
    expect([...beside].toSorted()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'deploy/man',
      'deploy/prometheus',
      'dist',
      'docs',
      'grafana',
      'package.json',
    ])
    expect(files.filter((file) => /\.(?:png|ts|map)$|soak\.json$/.test(file))).toEqual([])
    expect(files).toEqual(
      expect.arrayContaining(['dist/main.js', 'dist/winkms.LEGAL.txt', 'deploy/man/winkms-exporter.1']),
    )
  })

  it('is small', () => {
    expect(sizes.packed).toBeLessThan(1_500_000)
    expect(sizes.unpacked).toBeLessThan(5_000_000)
  })

  it('asks for nothing but what is optional, and leaves package.json as it was', () => {
    const own = JSON.parse(readFileSync(join(installed, 'winkms-exporter/package.json'), 'utf8')) as object
    expect(own).not.toHaveProperty('dependencies')
    expect(own).not.toHaveProperty('devDependencies')
    expect(own).toMatchObject({
      version: manifest.version,
      optionalDependencies: manifest.optionalDependencies,
    })
    for (const name of ['package.json', 'package-lock.json'])
      expect(readFileSync(join(copy.folder, name))).toEqual(readFileSync(join(ROOT, name)))
    expect(existsSync(join(copy.folder, 'package.whole.json'))).toBe(false)
  })

  it('is what has to be published: the folder refuses', () => {
    expect(() => npm(copy.folder, 'publish', '--dry-run')).toThrow('publish the archive, not the folder')
  })
})

/** The installed command, in a folder that has nothing to do with it. */
function run(args: readonly string[], node: readonly string[] = []): string {
  const command = join(installed, '.bin/winkms-exporter')
  const [program = '', ...rest] = node.length === 0 ? [command] : [process.execPath, ...node, command]
  return execFileSync(program, [...rest, ...args], {
    cwd: '/',
    encoding: 'utf8',
    timeout: 20_000,
    env: { PATH: process.env['PATH'] },
  })
}

async function startInstalled(env: NodeJS.ProcessEnv = {}): Promise<Running & { readonly url: string }> {
  const config = join(copy.folder, 'winkms.yml')
  writeFileSync(config, 'hosts: [{ name: kms01.corp.example, addresses: [127.0.0.1] }]\ndomains: []\n')
  const address = `127.0.0.1:${await freePort()}`
  const flags = [
    `--config.file=${config}`,
    `--web.listen-address=${address}`,
    `--storage.path=${prefix}/data`,
  ]
  const running = startCommand([join(installed, '.bin/winkms-exporter'), ...flags], {
    cwd: '/',
    env: { PATH: process.env['PATH'], ...env },
  })
  onTestFinished(() => running.stop())
  return { ...running, url: `http://${address}` }
}

describe('the installed command', () => {
  it('stands alone', () => {
    expect(readdirSync(installed).filter((name) => !name.startsWith('.'))).toEqual(['winkms-exporter'])
    expect(run(['--version'])).toContain(`winkms-exporter ${manifest.version} `)
    expect(run(['config', 'example'])).toBe(exampleConfig)
    expect(run(['completion', 'bash'])).toContain('complete -F')
  })

  it('runs by npx from the archive', { timeout: 60_000 }, () => {
    const told = npm(prefix, 'exec', '--yes', `--package=${archive}`, '--', 'winkms-exporter', '--version')
    expect(told).toContain(`winkms-exporter ${manifest.version} `)
  })

  it('watches, answers and ends', { timeout: 60_000 }, async () => {
    const daemon = await startInstalled()
    const metrics = await until(20, daemon.err, async () => {
      const answer = await get(`${daemon.url}/metrics`)
      return answer?.body.includes('winkms_host_serving{host="kms01.corp.example"} 0') === true
        ? answer
        : undefined
    })
    expect(metrics.status).toBe(200)
    expect((await get(`${daemon.url}/runbooks/service_stopped`))?.status).toBe(200)
    daemon.signal('SIGTERM')
    expect((await daemon.ended(20)).ending).toBe(0)
  })

  it('takes no compiled code of another V8, or of one with other flags, and runs', () => {
    // V8 refuses what was compiled under other flags, as it does what another version compiled.
    expect(run(['config', 'example'], ['--no-lazy-feedback-allocation'])).toBe(exampleConfig)
    const dist = join(installed, 'winkms-exporter/dist')
    const [name = ''] = readdirSync(dist).filter((file) => file.endsWith('.cache'))
    expect(name).toBe(`winkms.${process.versions.v8}-${process.platform}-${process.arch}.cache`)
    const code = readFileSync(join(dist, name))
    // Named after this V8, with the version that another one writes at its beginning; and by its own name.
    const other = Buffer.from(code)
    other.writeUInt32LE(other.readUInt32LE(32 + 4) + 1, 32 + 4)
    onTestFinished(() => writeFileSync(join(dist, name), code))
    for (const [file, content] of [
      [name, other],
      ['winkms.0.0.0-node.0-linux-x64.cache', code],
    ] as const) {
      rmSync(join(dist, name), { force: true })
      writeFileSync(join(dist, file), content)
      expect(run(['config', 'example'])).toBe(exampleConfig)
    }
  })

  it('uses koffi where it is installed, and does without where it is not', { timeout: 60_000 }, async () => {
    // Nobody listens where systemd would: whoever tried to tell it says so, koffi or else a program of systemd's.
    const env = { NOTIFY_SOCKET: join(copy.folder, 'nobody.socket') }
    const without = await startInstalled(env)
    await until(20, without.err, () => without.err().includes('systemd-notify') || undefined)
    await without.stop()
    for (const [path] of production.filter(([each]) => /node_modules\/(?:koffi|@koromix\/.*)$/.test(each)))
      if (existsSync(join(ROOT, path)))
        cpSync(join(ROOT, path), join(installed, '..', path), { recursive: true })
    const withIt = await startInstalled(env)
    await until(20, withIt.err, () => /sendto .*nobody\.socket: errno 2/.test(withIt.err()) || undefined)
    await withIt.stop()
  })
})
