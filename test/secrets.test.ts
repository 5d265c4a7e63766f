// A password that would be known again anywhere, and everything that the built command says, shows or keeps.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { kmsHost } from '../src/lab/windows-machine.ts'
import { startWinrm } from '../src/lab/winrm.ts'
import { build, get, run, samplesOf, start, until } from './e2e/built.ts'
import { winrmPeer } from './io/windows/hostile-winrm.ts'
import { freePort } from './real/servers/ports.ts'

const CANARY = 'Kanarienvogel-7f3a'
const SOON_SECONDS = 20

/** As it is, and as the ways to log on write it. */
const GUISES: readonly string[] = [
  CANARY,
  encodeURIComponent(CANARY),
  Buffer.from(CANARY, 'utf8').toString('hex'),
  Buffer.from(CANARY, 'utf16le').toString('hex'),
  Buffer.from(CANARY, 'utf16le').toString('base64').slice(0, -4),
  // Wherever in a text that is written in base64 it begins: what is around it touches the first and the last characters.
  ...['', 'x', 'xx'].map((before) =>
    Buffer.from(before + CANARY, 'utf8')
      .toString('base64')
      .slice(4, -4),
  ),
]

function expectNoCanary(where: string, text: string): void {
  const lower = text.toLowerCase()
  const seen = GUISES.filter((guise) => lower.includes(guise.toLowerCase()))
  expect(seen, `${where}: ${text.slice(0, 2000)}`).toEqual([])
}

beforeAll(build)

async function folderOfTest(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'winkms-secrets-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

it('tells nobody the password: no log, page, metric, report, argument or kept file', async () => {
  const folder = await folderOfTest()
  const passwordFile = join(folder, 'password')
  await writeFile(passwordFile, `${CANARY}\n`, { mode: 0o600 })
  const good = await startWinrm(
    kmsHost(),
    { address: '127.0.0.1', port: 0 },
    { username: 'reader', password: CANARY },
  )
  onTestFinished(() => good.stop())
  const refusing = await winrmPeer(({ response }) => void response.writeHead(401).end(), { everything: true })
  const other = await winrmPeer(({ response }) => void response.end('<html/>'), { everything: true })
  const failing = await winrmPeer(({ hangUp }) => hangUp())
  const hosts = Object.entries({
    good: [good.url, 'basic'],
    refusing: [refusing.url, 'basic'],
    failing: [failing.url, 'basic'],
    'ntlm-refusing': [refusing.url, 'ntlm'],
    'ntlm-other': [other.url, 'ntlm'],
  } as const)
  // An account each: what one refuses is held against nobody else.
  const yaml = `domains: []
probes:
  port: { schedule: 1d, timeout: 1s }
  clock: { schedule: 1d, timeout: 5s, sources: [cim] }
credentials:
${hosts.map(([name, [, auth]]) => `  ${name}: { auth: ${auth}, username: reader, password_file: ${passwordFile} }`).join('\n')}
hosts:
${hosts
  .map(
    ([name, [url, auth]]) =>
      `  - { name: ${name}.corp.example, connect_to: 127.0.0.1, windows: { via: winrm, url: '${url}', credentials: ${name}${auth === 'basic' ? ', allow_unencrypted: true' : ''} } }`,
  )
  .join('\n')}
`
  const configFile = join(folder, 'winkms.yml')
  await writeFile(configFile, yaml)
  const storage = join(folder, 'data')
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const args = [
    `--config.file=${configFile}`,
    `--web.listen-address=127.0.0.1:${port}`,
    `--storage.path=${storage}`,
    '--log.level=debug',
    '--web.enable-lifecycle',
  ]
  const daemon = start(args)
  onTestFinished(() => daemon.stop())
  const asked = ['service', 'licensing', 'activity'].length * hosts.length
  await until(
    SOON_SECONDS,
    () => `every host has been asked\n${daemon.err()}`,
    async () => {
      const page = (await get(`${url}/metrics`))?.body ?? ''
      const seen = samplesOf(page, 'winkms_probe_success').filter(
        ({ labels: { probe = '' } }) => !['port', 'clock'].includes(probe),
      )
      return seen.length === asked || undefined
    },
  )
  // The password did go out, and was right.
  expect(good.asked.length).toBeGreaterThan(5)
  const shown = refusing.heard.find(({ authorization }) => authorization?.startsWith('Basic'))?.authorization
  expect(() => expectNoCanary('the wire', shown ?? '')).toThrow('the wire')

  const paths = [
    '/',
    '/config',
    '/metrics',
    '/api/v1/hosts',
    '/sd/hosts',
    '/probe?target=refusing.corp.example',
  ]
  const pages = hosts.flatMap(([name]) => [
    `/hosts/${name}.corp.example`,
    `/api/v1/hosts/${name}.corp.example`,
  ])
  for (const path of [...paths, ...pages]) {
    const page = await get(url + path)
    expect(page?.status, path).toBe(200)
    expectNoCanary(path, page?.body ?? '')
  }
  await writeFile(configFile, `${yaml}wrong: true\n`)
  const reload = await get(`${url}/-/reload`, { method: 'POST' })
  expect(reload?.status).not.toBe(200)
  expectNoCanary('a reload that fails', reload?.body ?? '')
  await writeFile(configFile, yaml)
  const reportFile = join(storage, '../report.html')
  for (const form of [[], ['--json'], [`--report=${reportFile}`]]) {
    const names = hosts.map(([name]) => `${name}.corp.example`)
    const report = await run(['diagnose', ...names, ...form, '--debug', `--config.file=${configFile}`], 60)
    expect(report.out).toContain('refusing.corp.example')
    expectNoCanary('diagnose', report.out + report.err)
  }
  const file = await readFile(reportFile, 'utf8')
  expect(file).toContain('refusing.corp.example')
  expectNoCanary('the report', file)
  daemon.signal('SIGTERM')
  const { out, err } = await daemon.ended(SOON_SECONDS)
  expect(err).toContain('level=debug')
  expectNoCanary('the log', out + err)
  const kept = await readdir(storage)
  expect(kept).toContain('activity-good.corp.example.json')
  for (const file of kept) expectNoCanary(file, await readFile(join(storage, file), 'utf8'))
}, 120_000)

it.each([
  ['a password in the file', `credentials: { a: { auth: basic, username: b, password: ${CANARY} } }`],
  ['a password for a whole entry', `credentials: { a: ${CANARY} }`],
  [
    'a password in a URL',
    `hosts: [{ name: a.b, windows: { via: windows_exporter, url: 'http://u:${CANARY}@a.b:9182/metrics' } }]`,
  ],
  [
    'a password in the place of a file',
    `credentials: { a: { auth: ntlm, username: b, password_file: PASSWORDS } }`,
  ],
])('config check says what is wrong with %s, and not the password', async (_what, yaml) => {
  const folder = await folderOfTest()
  const passwords = join(folder, 'passwords')
  await writeFile(passwords, Buffer.concat([Buffer.from(CANARY), Buffer.from([0xff, 0xfe])]))
  const file = join(folder, 'winkms.yml')
  await writeFile(file, yaml.replace('PASSWORDS', passwords))
  const { ending, out, err } = await run(['config', 'check', file])
  expect(ending).toBe(1)
  expect(err).toContain(file)
  expectNoCanary('config check', out + err)
})
