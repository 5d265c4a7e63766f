// Text of strangers: what peers answer and visitors ask for, written so as to break out of wherever it is put. The real
// exporter stands in between; whatever it says of them is harmless wherever it is read, and is said all the same.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as textOfStream } from 'node:stream/consumers'
import { expect, it, onTestFinished, type TestContext } from 'vitest'
import { FAMILIES } from '../../src/views/catalogue.ts'
import { inPage, open, useBrowser } from '../browser/chromium.ts'
import { build, run, samplesOf, start, until, type Running } from '../e2e/built.ts'
import { realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { promtoolCheckMetrics } from '../real/servers/prometheus.ts'
import { checkPage } from '../views/html-check.ts'
import { HARMFUL } from '../views/scenes.ts'
import { parseStrictly } from '../views/strict.ts'
import { evil, FORGED, SEEN, startStrangers } from './strangers.ts'

const SOON_SECONDS = 40
useBrowser()

interface Scene {
  readonly daemon: Running
  readonly url: string
  readonly folder: string
  readonly configFile: string
}

async function startScene(context: TestContext, ...flags: readonly string[]): Promise<Scene> {
  realServer(context, ['openssl', 'promtool'])
  await build()
  const folder = await mkdtemp(join(tmpdir(), 'winkms-injection-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'password'), 'right', { mode: 0o600 })
  const configFile = join(folder, 'winkms.yml')
  await writeFile(configFile, await startStrangers(folder))
  const port = await freePort()
  const daemon = start([
    `--config.file=${configFile}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--web.route-prefix=/kms',
    `--storage.path=${join(folder, 'data')}`,
    '--log.level=debug',
    '--web.enable-lifecycle',
    '--probe.allow=*',
    ...flags,
  ])
  onTestFinished(() => daemon.stop())
  const url = `http://127.0.0.1:${port}/kms`
  await until(
    SOON_SECONDS,
    () => `everybody has been asked\n${daemon.err()}`,
    async () => {
      const page = await ask(`${url}/metrics`).catch(() => undefined)
      const seen = samplesOf(page?.text ?? '', 'winkms_probe_success').map(
        ({ labels }) => `${labels['host'] ?? ''} ${labels['probe']}`,
      )
      const wanted = ['evil', 'faulty', 'typed', 'certified'].map((name) => `${name}.corp.example licensing`)
      const client = samplesOf(page?.text ?? '', 'winkms_client_kms_info').length > 0
      const dns = samplesOf(page?.text ?? '', 'winkms_srv_record_info').length > 0
      return (wanted.every((each) => seen.includes(each)) && client && dns) || undefined
    },
  )
  return { daemon, url, folder, configFile }
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly headers: string
  readonly text: string
}

/** The path as it is given: `fetch` would make it decent. */
function ask(url: string, headers: Readonly<Record<string, string>> = {}, method = 'GET'): Promise<Answer> {
  const [, host = '', port = '', path = '/'] = /^http:\/\/([^:/]+):(\d+)([^]*)$/.exec(url) ?? []
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path, method, headers, agent: false }, (response) => {
      textOfStream(response).then(
        (text) =>
          resolve({
            status: response.statusCode ?? 0,
            type: response.headers['content-type'] ?? '',
            headers: response.rawHeaders.join('\n'),
            text,
          }),
        reject,
      )
    })
    asked.setTimeout(20_000, () => asked.destroy(new Error('no answer')))
    asked.on('error', reject)
    asked.end()
  })
}

const NAMES = new Set(FAMILIES.map(({ name }) => name))

async function expectHarmlessMetrics(text: string, dialect: 'text' | 'openmetrics'): Promise<void> {
  expect(text).not.toMatch(HARMFUL)
  const families = parseStrictly(text, dialect)
  for (const { name } of families) {
    const ours = NAMES.has(name) || NAMES.has(`${name}_total`)
    expect(ours || /^(?:winkms_exporter|process|nodejs|probe)_/.test(name), name).toBe(true)
    expect(name).not.toBe(FORGED)
  }
  if (dialect === 'text') expect((await promtoolCheckMetrics(text)).code).toBe(0)
}

/** By its type; anything else than what the exporter has would be a way to be read as something else. */
async function expectHarmless(path: string, { status, type, headers, text }: Answer): Promise<void> {
  expect(headers, path).not.toMatch(/<script|from-|\u009b/i)
  expect(headers).toMatch(/x-content-type-options\nnosniff/i)
  expect(text, path).not.toMatch(HARMFUL)
  if (type.startsWith('text/html')) {
    // Runbooks are ours from end to end.
    if (status === 200 && !path.startsWith('/runbooks')) checkPage(text)
    expect(text).not.toMatch(/<script>|<img/)
  } else if (type.startsWith('application/json')) JSON.parse(text)
  else
    expect(type, path).toMatch(
      /^(?:text\/(?:plain|css|javascript)|image\/svg\+xml|application\/openmetrics-text);?/,
    )
}

const EVIL = evil('visitor')
const QUERY = encodeURIComponent(EVIL.toWellFormed())
/** As a client that minds nothing may send it: what HTTP itself cannot carry left out. */
const RAW = EVIL.replaceAll(/[\u0000-\u0020\u007f-\uffff]/g, '+')

it('peers and visitors: pages, JSON, metrics and logs', { timeout: 180_000 }, async (context) => {
  const { daemon, url } = await startScene(context, '--log.format=json')
  const everything: string[] = []
  const visit = async (path: string, headers = {}, method = 'GET'): Promise<Answer> => {
    const answer = await ask(url + path, headers, method)
    everything.push(answer.text)
    await expectHarmless(path, answer)
    return answer
  }
  // Everything that pages lead to, from the first one on.
  const found = new Set(['/', '/config', '/api/v1/hosts', '/sd/hosts', '/sd/windows_exporter'])
  for (const path of found) {
    const { text, type } = await visit(path)
    if (!type.startsWith('text/html')) continue
    for (const [, href = ''] of text.matchAll(/href="\/kms(\/[^"#]*)"/g))
      found.add(href.replaceAll('&amp;', '&'))
  }
  expect([...found].filter((path) => path.startsWith('/hosts/')).length).toBeGreaterThan(4)
  for (const name of ['evil', 'faulty', 'typed', 'labelled', 'certified']) {
    await visit(`/api/v1/hosts/${name}.corp.example`)
    await visit(`/probe?target=${name}.corp.example&debug=true`)
    await expectHarmlessMetrics((await ask(`${url}/probe?target=${name}.corp.example`)).text, 'text')
  }
  for (const path of [
    `/?q=${QUERY}&state=${QUERY}&${QUERY}=1`,
    `/hosts/${QUERY}`,
    `/api/v1/hosts/${QUERY}`,
    `/runbooks/${QUERY}`,
    `/runbooks/port_blocked/?${QUERY}`,
    `/probe?target=${QUERY}`,
    `/probe?target=evil.corp.example&probe=${QUERY}`,
    `/probe?target=${QUERY}&target=b`,
    `/${QUERY}`,
    `/${RAW}`,
    `/probe?target=${RAW}`,
    `/?q=${RAW}`,
    `//${RAW}`,
    '/hosts/%',
    '/hosts/%c0%80%00',
    `/hosts/${'%3Cscript%3E'.repeat(800)}`,
  ])
    await visit(path, { 'accept-language': RAW, referer: RAW, 'user-agent': RAW, cookie: RAW })
  const patience = { 'x-prometheus-scrape-timeout-seconds': '<script>alert(1)</script>\u009b' }
  expect(await visit('/probe?target=evil.corp.example', patience)).toMatchObject({ status: 400 })

  const metrics = await ask(`${url}/metrics`)
  everything.push(metrics.text)
  await expectHarmlessMetrics(metrics.text, 'text')
  const open = await ask(`${url}/metrics`, { accept: 'application/openmetrics-text' })
  await expectHarmlessMetrics(open.text, 'openmetrics')
  const told = everything.join('\n')
  expect(SEEN.filter((where) => !told.includes(`from-${where}`))).toEqual([])
  // Of a certificate that is not trusted only that is said.
  expect(told).toContain('ERR_TLS_CERT_ALTNAME_INVALID')
  expect(told).not.toContain('from-certificate')

  daemon.signal('SIGTERM')
  const { out, err } = await daemon.ended(SOON_SECONDS)
  expect(out).toBe('')
  const lines = err.split('\n').slice(0, -1)
  expect(lines.length).toBeGreaterThan(20)
  for (const line of lines) {
    expect(line).not.toMatch(HARMFUL)
    expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), msg: expect.any(String) })
  }
  expect(err).toContain('from-fault')
})

it('peers: logs in logfmt, the terminal, and the report', { timeout: 180_000 }, async (context) => {
  const { daemon, folder, configFile } = await startScene(context)
  const hosts = ['evil', 'faulty', 'typed', 'labelled', 'certified'].map((name) => `${name}.corp.example`)
  const report = join(folder, 'report.html')
  const common = [`--config.file=${configFile}`, `--storage.path=${join(folder, 'none')}`, '--debug']
  const spoken = await run(['diagnose', ...hosts, ...common, `--report=${report}`], 90)
  expect(spoken.out).toContain('from-fault')
  expect(spoken.out + spoken.err).not.toMatch(HARMFUL)
  const json = await run(['diagnose', ...hosts, ...common, '--json'], 90)
  expect(json.out).toContain('from-fault')
  expect(json.out).not.toMatch(HARMFUL)
  expect(JSON.parse(json.out)).toHaveLength(hosts.length)
  const page = await readFile(report, 'utf8')
  expect(page).toContain('from-caption')
  expect(page).not.toMatch(HARMFUL)
  const opened = await open(context, `file://${report}`)
  expect(opened.complaints).toEqual([])
  expect(
    await inPage(opened.page, 'document.querySelectorAll("script, img, iframe, [onerror]").length'),
  ).toBe(0)
  // It is there, as text.
  expect(await opened.page.locator('body').innerText()).toContain('<script>alert(1)</script>')

  daemon.signal('SIGTERM')
  const { err } = await daemon.ended(SOON_SECONDS)
  expect(err).toContain('from-fault')
  for (const line of err.split('\n').slice(0, -1)) {
    expect(line).not.toMatch(HARMFUL)
    expect(line).toMatch(/^level=(?:debug|info|warn|error) time=\S+ .*msg=/)
  }
})

it('peers and visitors: in a browser nothing runs', { timeout: 180_000 }, async (context) => {
  const { url } = await startScene(context)
  for (const path of [
    '/',
    '/hosts/evil.corp.example',
    '/hosts/faulty.corp.example',
    '/hosts/certified.corp.example',
    `/?q=${QUERY}`,
  ]) {
    const { page, complaints } = await open(context, url + path)
    // With what its script changes, too.
    await page.waitForTimeout(6_000)
    expect(complaints, path).toEqual([])
    expect(
      await inPage(page, 'document.querySelectorAll("img, iframe, [onerror], script:not([src])").length'),
    ).toBe(0)
    await page.close()
  }
})
