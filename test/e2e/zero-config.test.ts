// The daemon without a word of configuration, on a machine whose resolver and search domains are all it knows: a
// network namespace with a resolv.conf of its own.
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { until } from './built.ts'
import { realServer } from '../real/servers/need.ts'
import { makeNamespaceHost, type NamespaceHost } from '../real/servers/netns.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

function start(host: NamespaceHost, args: readonly string[]): { child: ChildProcess; output: () => string } {
  const [command = '', ...prefix] = host.prefix
  const child = spawn(command, [...prefix, process.execPath, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += String(chunk)))
  onTestFinished(() => void child.kill('SIGKILL'))
  return { child, output: () => text }
}

it('finds the KMS hosts of the machine’s domain by itself, and says what it looked for until it does', async (context) => {
  realServer(context, ['ip', 'namespaces'])
  expect(existsSync(`${ROOT}/dist/main.js`), 'npm run build first').toBe(true)
  const host = await makeNamespaceHost('zeroconf')
  onTestFinished(host.stop)
  await host.exec('ip', 'link', 'set', 'lo', 'up')
  const folder = `/etc/netns/${host.name}`
  await mkdir(folder, { recursive: true })
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(`${folder}/resolv.conf`, 'search corp.example empty.example\nnameserver 127.0.0.53\n')

  const domain = start(host, ['--import', 'tsx', 'test/e2e/domain-of-one.ts'])
  await until(20, 'the domain runs', () => (domain.output().includes('ready') ? true : undefined))
  const exporter = start(host, ['dist/main.js', `--web.listen-address=${host.address}:11688`])
  const get = async (path: string): Promise<string | undefined> =>
    fetch(`http://${host.address}:11688${path}`, { signal: AbortSignal.timeout(5_000) })
      .then((answer) => answer.text())
      .catch(() => undefined)

  // Nothing is published yet: names, resolver, answer, the client's error, and what to do.
  const page = await until(20, 'the page says what was asked', async () => {
    const text = await get('/')
    return text?.includes('Asked for:') === true && !text.includes('not answered yet') ? text : undefined
  })
  expect(page).toContain('_vlmcs._tcp.corp.example at 127.0.0.53:53: NXDOMAIN')
  expect(page).toContain('_vlmcs._tcp.empty.example at 127.0.0.53:53: NXDOMAIN')
  expect(page).toContain('0x8007232B')
  expect(exporter.output()).toContain('no KMS host is known')
  const before = await get('/metrics')
  expect(before).toContain('winkms_srv_lookup_success{domain="corp.example",resolver="127.0.0.53:53"} 0')
  expect(before).not.toContain('winkms_host_serving{')

  // `diagnose` in the same namespace agrees: it cannot be told, for nobody says that the host should exist.
  domain.child.kill('SIGUSR2')
  const diagnose = start(host, ['dist/main.js', 'diagnose', 'kms01.corp.example', '--domain=corp.example'])
  const code = await new Promise((resolve) => diagnose.child.once('exit', resolve))
  expect(diagnose.output()).toContain('kms01.corp.example port 1688: SERVING')
  expect(code).toBe(0)

  // Published meanwhile: found at the next question, within the minute of the default schedule.
  const metrics = await until(75, 'the host is found', async () => {
    const text = await get('/metrics')
    return text?.includes('winkms_host_serving{host="kms01.corp.example"} 1') === true ? text : undefined
  })
  expect(metrics).toContain('winkms_host_info{host="kms01.corp.example",port="1688",discovered="1"} 1')
  exporter.child.kill('SIGTERM')
  await until(10, 'the exporter ends', () => exporter.child.exitCode ?? undefined)
  expect(exporter.child.exitCode).toBe(0)
}, 150_000)
