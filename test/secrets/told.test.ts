// Secrets that would be known again anywhere, in every place where the configuration can have or name one, and everything
// that the built command says, shows or keeps.
import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, expect, it, onTestFinished, type TestContext } from 'vitest'
import { kmsHost } from '../../src/lab/windows-machine.ts'
import { startWinrm } from '../../src/lab/winrm.ts'
import { build, get, run, samplesOf, start, until } from '../e2e/built.ts'
import { winrmPeer, wmiFault } from '../io/windows/hostile-winrm.ts'
import { need, program, realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { makeSelfSigned } from '../real/servers/self-signed.ts'
import { canary, expectNone, seenIn } from './canary.ts'

const SOON_SECONDS = 30

const FILE = canary('file')
const ENVIRONMENT = canary('environment')
const KEYTAB = canary('keytab')
const SCRAPER = canary('scraper')

/** What comes with each request, and what of it lets one in. */
const KNOCKING = {
  authorization: `Basic ${Buffer.from(`scraper:${SCRAPER}`).toString('base64')}`,
  'proxy-authorization': `Bearer ${encodeURIComponent(SCRAPER)}`,
  cookie: `session=${encodeURIComponent(SCRAPER)}`,
}

/** Every path that there is, those of a host apart, and some that there are not. */
const PATHS = [
  '/',
  '/?q=x&state=down',
  '/config',
  '/metrics',
  '/runbooks',
  '/runbooks/port_blocked',
  '/runbooks/none',
  '/style.css',
  '/page.js',
  '/icon.svg',
  '/api/v1/hosts',
  '/api/v1/hosts/none',
  '/hosts/none',
  '/sd/hosts',
  '/sd/windows_exporter',
  '/-/healthy',
  '/-/ready',
  '/-/reload',
  '/probe',
  '/probe?target=none.corp.example',
  '/%ff',
  '/nowhere',
]

beforeAll(build)

/** A keytab, as MIT's ktutil writes it: the key is made of the password, so that the file itself is what to look for. */
function makeKeytab(file: string, context: TestContext): void {
  const ktutil = need('ktutil', 'krb5-user')
  if (ktutil === undefined) return context.skip('not installed: krb5-user')
  const input = `addent -password -p reader@CORP.EXAMPLE -k 1 -e aes256-cts-hmac-sha1-96\n${KEYTAB}\nwkt ${file}\nquit\n`
  execFileSync(ktutil, { input, stdio: ['pipe', 'pipe', 'pipe'], timeout: 15_000 })
}

it.for(['logfmt', 'json'])(
  'tells nobody a secret: no log in %s, page, metric, report, argument or kept file',
  { timeout: 180_000 },
  async (format, context) => {
    realServer(context, ['openssl', 'htpasswd'])
    const folder = await mkdtemp(join(tmpdir(), 'winkms-secrets-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const at = (name: string): string => join(folder, name)
    await writeFile(at('password'), `${FILE}\n`, { mode: 0o600 })
    makeKeytab(at('keytab'), context)
    const { certificateFile, keyFile } = await makeSelfSigned(folder, 'client')
    const key = (await readFile(keyFile, 'utf8')).split('\n')[1] ?? ''
    // The last 32 bytes before the version number are the key that was made of the password.
    const keyOfKeytab = (await readFile(at('keytab'))).subarray(-36, -4).toString('hex')
    const hashed = execFileSync(program('htpasswd'), ['-nbBC', '4', 'scraper', SCRAPER], { encoding: 'utf8' })
    const hash = hashed.trim().slice('scraper:'.length)
    const web = `basic_auth_users: { scraper: '${hash}' }\n`
    await writeFile(at('web.yml'), web)
    const secrets = [FILE, ENVIRONMENT, KEYTAB, SCRAPER, key, hash]
    const environment = { WINKMS_TEST_PASSWORD: ENVIRONMENT }

    const good = await startWinrm(
      kmsHost(),
      { address: '127.0.0.1', port: 0 },
      { username: 'reader', password: FILE },
    )
    onTestFinished(() => good.stop())
    const refusing = await winrmPeer(({ response }) => void response.writeHead(401).end(), {
      everything: true,
    })
    const other = await winrmPeer(({ response }) => void response.end('<html/>'), { everything: true })
    const failing = await winrmPeer(({ hangUp }) => hangUp(), { everything: true })
    // Says back all that it was sent: in its header, and where it lets the logon pass, in its faults.
    const echoing = await winrmPeer(
      ({ authorization, text, response }) => {
        response.writeHead(502, { 'content-type': `text/html; authorization=${authorization}`.slice(0, 400) })
        response.end(`${authorization}\n${text}`)
      },
      { everything: true },
    )
    const faulty = await winrmPeer(({ authorization = '', say }) => {
      const plain = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString()
      const escaped = plain.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
      say(wmiFault(1, 1, `${authorization} is ${escaped}, ${encodeURIComponent(plain)}`))
    })

    const kinds = {
      file: `password_file: ${at('password')}`,
      env: 'password_env: WINKMS_TEST_PASSWORD',
      keytab: `keytab_file: ${at('keytab')}`,
      key: `certificate_file: ${certificateFile}, key_file: ${keyFile}`,
    } as const
    const hosts = Object.entries({
      good: [good.url, 'basic', kinds.file],
      refusing: [refusing.url, 'basic', kinds.file],
      failing: [failing.url, 'basic', kinds.env],
      echoing: [echoing.url, 'basic', kinds.file],
      'echoing-env': [echoing.url, 'basic', kinds.env],
      faulty: [faulty.url, 'basic', kinds.env],
      'ntlm-refusing': [refusing.url, 'ntlm', kinds.file],
      'ntlm-echoing': [echoing.url, 'ntlm', kinds.env],
      'ntlm-other': [other.url, 'ntlm', kinds.env],
      keytab: [other.url, 'kerberos', kinds.keytab],
      certificate: [other.url.replace('http:', 'https:'), 'certificate', kinds.key],
    } as const)
    // An account each: what one refuses is held against nobody else.
    const yaml = `domains: []
probes:
  port: { schedule: 1d, timeout: 1s }
  clock: { schedule: 1d, timeout: 5s, sources: [cim] }
credentials:
${hosts
  .map(
    ([name, [, auth, from]]) =>
      `  ${name}: { auth: ${auth}${auth === 'certificate' ? '' : `, username: reader${auth === 'kerberos' ? '@CORP.EXAMPLE' : ''}`}, ${from} }`,
  )
  .join('\n')}
hosts:
${hosts
  .map(
    ([name, [url, auth]]) =>
      `  - { name: ${name}.corp.example, connect_to: 127.0.0.1, windows: { via: winrm, url: '${url}', credentials: ${name}${auth === 'basic' ? ', allow_unencrypted: true' : ''} } }`,
  )
  .join('\n')}
`
    const configFile = at('winkms.yml')
    await writeFile(configFile, yaml)
    const storage = at('data')
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const args = [
      `--config.file=${configFile}`,
      `--web.listen-address=127.0.0.1:${port}`,
      `--storage.path=${storage}`,
      '--log.level=debug',
      `--log.format=${format}`,
      '--web.enable-lifecycle',
      `--web.config.file=${at('web.yml')}`,
      '--probe.max-rate=1000',
    ]
    const daemon = start(args, { env: environment })
    onTestFinished(() => daemon.stop())
    const asked = ['service', 'licensing', 'activity'].length * hosts.length
    await until(
      SOON_SECONDS,
      () => `every host has been asked\n${daemon.out()}${daemon.err()}`,
      async () => {
        const page = (await get(`${url}/metrics`, { headers: KNOCKING }))?.body ?? ''
        const seen = samplesOf(page, 'winkms_probe_success').filter(
          ({ labels: { probe = '' } }) => !['port', 'clock'].includes(probe),
        )
        return seen.length === asked || undefined
      },
    )
    // The passwords did go out, and one was right.
    expect(good.asked.length).toBeGreaterThan(5)
    for (const [{ heard }, secret] of [
      [refusing, FILE],
      [echoing, FILE],
      [echoing, ENVIRONMENT],
      [faulty, ENVIRONMENT],
    ] as const)
      expect(
        heard.flatMap(({ authorization = '' }) => seenIn(authorization, [secret])),
        secret,
      ).not.toEqual([])

    const expectNoSecret = (where: string, text: string): void => expectNone(where, text, secrets)
    const pages = hosts.flatMap(([name]) => [
      `/hosts/${name}.corp.example`,
      `/api/v1/hosts/${name}.corp.example`,
    ])
    const probed = ['good', 'refusing', 'faulty', 'echoing'].flatMap((name) => [
      `/probe?target=${name}.corp.example`,
      `/probe?target=${name}.corp.example&debug=true`,
    ])
    for (const path of [...PATHS, ...pages, ...probed]) {
      const page = await get(url + path, { headers: KNOCKING })
      expect(page, path).toBeDefined()
      if (pages.includes(path)) expect(page?.status, path).toBe(200)
      expectNoSecret(path, page?.body ?? '')
      const refused = await get(url + path, { headers: { authorization: `Basic ${btoa('scraper:no')}` } })
      expectNoSecret(`${path}, refused`, refused?.body ?? '')
    }
    expect((await get(`${url}/config`))?.status).toBe(401)
    const wrongs = [`wrong: true\n`, `credentials: { a: { password: '${FILE.replaceAll("'", "''")}' } }\n`]
    for (const wrong of wrongs) {
      await writeFile(configFile, yaml + wrong)
      const reload = await get(`${url}/-/reload`, { method: 'POST', headers: KNOCKING })
      expect(reload?.status).toBe(500)
      expectNoSecret('a reload that fails', reload?.body ?? '')
      daemon.signal('SIGHUP')
      // That it has logged this, too.
      await pause(500)
    }
    await writeFile(configFile, yaml)
    await writeFile(at('web.yml'), `${web}  alice: ${JSON.stringify(SCRAPER)}\n`)
    const reload = await get(`${url}/-/reload`, { method: 'POST', headers: KNOCKING })
    expect(reload?.body).toContain('web.yml')
    expectNoSecret('a reload of the web configuration that fails', reload?.body ?? '')
    const reportFile = at('report.html')
    for (const form of [[], ['--json'], [`--report=${reportFile}`]]) {
      const names = hosts.map(([name]) => `${name}.corp.example`)
      const parts = ['diagnose', ...names, ...form, '--debug', `--config.file=${configFile}`]
      const report = await run(parts, 60, environment)
      expect(report.out).toContain('refusing.corp.example')
      expect(report.out).toContain('<secret>')
      expectNoSecret('diagnose', report.out + report.err)
    }
    const file = await readFile(reportFile, 'utf8')
    expect(file).toContain('refusing.corp.example')
    expectNoSecret('the report', file)
    daemon.signal('SIGTERM')
    const { out, err } = await daemon.ended(SOON_SECONDS)
    expect(err).toMatch(/level"?[=:]"?debug/)
    expectNoSecret('the log', out + err)
    const kept = await readdir(storage)
    expect(kept).toContain('activity-good.corp.example.json')
    for (const name of kept) expectNoSecret(name, await readFile(join(storage, name), 'utf8'))
    expect(file + out + err).not.toContain(keyOfKeytab)
  },
)
