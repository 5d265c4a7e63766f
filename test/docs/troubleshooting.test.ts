// docs/troubleshooting.md quotes what the exporter says. Here it is brought to say each of these things, and each quotation is
// looked for in what it really printed.
import { once } from 'node:events'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer as createTlsServer } from 'node:https'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { freeNetwork, get, until } from '../e2e/built.ts'
import { EXIT } from '../../src/commands/context.ts'
import { LAB_PORTS } from '../../src/lab/host.ts'
import { makeSelfSigned } from '../real/servers/self-signed.ts'
import { realFiles, realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { readPage, ROOT } from './pages.ts'
import { makeStage, type Ran, type Stage, type Staying } from './stage.ts'

const PAGE = 'docs/troubleshooting.md'
const PATIENCE_SECONDS = 30
const OURS = 'node dist/main.js'

/** Debian's, and the other thing besides koffi that Kerberos takes. */
const GSSAPI = { '/usr/lib/x86_64-linux-gnu/libgssapi_krb5.so.2': 'libgssapi-krb5-2' }

let stage: Stage
let isSetUp = false
let demo: Staying

/** With those of a TLS server that nobody trusts, and of one that never answers. */
let untrusted: ReturnType<typeof createTlsServer>
let silent: ReturnType<typeof createServer>
const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port

async function setUp(): Promise<void> {
  stage = await makeStage()
  demo = stage.begin(`${OURS} demo --demo.write-config=demo.yml`)
  const { certificateFile, keyFile } = await makeSelfSigned(stage.folder, 'nobody')
  untrusted = createTlsServer({ cert: await readFile(certificateFile), key: await readFile(keyFile) })
  silent = createServer((socket) => void socket.resume().on('error', () => {}))
  for (const server of [untrusted, silent]) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  await stage.write('empty.yml', 'domains: []\n')
  await until(
    PATIENCE_SECONDS,
    () => `the demo runs\n${demo.output()}`,
    async () => get(stage.here('http://127.0.0.1:11688/')),
  )
}

beforeEach(async (context) => {
  realServer(context, ['curl', 'openssl'])
  realFiles(context, GSSAPI)
  if (!isSetUp) await setUp()
  isSetUp = true
})

afterAll(async () => {
  if (!isSetUp) return
  untrusted.closeAllConnections()
  for (const server of [untrusted, silent]) server.close()
  await stage.leave()
})

async function say(command: string, yaml?: string): Promise<Ran> {
  if (yaml !== undefined) await stage.write('winkms.yml', yaml)
  return stage.run(command)
}

/** A daemon until it has said something, or has been asked something. */
async function daemon(flags: string, words: string | ((url: string) => Promise<string>)): Promise<Ran> {
  const port = await freePort()
  const running = stage.begin(`${OURS} ${flags} --web.listen-address=127.0.0.1:${port}`)
  const url = `http://127.0.0.1:${port}`
  await until(
    PATIENCE_SECONDS,
    () => `${flags}\n${running.output()}`,
    () => (running.output().includes('msg=listening') ? true : running.ending()),
  )
  const answer = typeof words === 'string' ? '' : await words(url)
  if (typeof words === 'string')
    await until(
      PATIENCE_SECONDS,
      () => `it says ${words}\n${running.output()}`,
      () => (running.output().includes(words) ? true : undefined),
    )
  await running.interrupt()
  return { ending: running.ending() ?? 'SIGKILL', output: `${running.output()}${answer}` }
}

/** kms01, asked in this way; one question is enough to learn what it says. */
async function askWindows(windows: string, reader: string, command = OURS): Promise<Ran> {
  const where = `${stage.network}.1.1`
  return say(
    `SECRET=no ${command} diagnose kms01.corp.example --config.file=winkms.yml`,
    `resolvers: ["192.0.2.1:53"]
domains: []
hosts:
  - { name: kms01.corp.example, windows: { ${windows.replaceAll('HOST', where)} } }
credentials: { reader: { ${reader} } }
probes:
  service: { timeout: 1s }
  clock: { timeout: 2s }
  licensing: { timeout: 1s }
  activity: { timeout: 1s }
`,
  )
}

const WINRM = `via: winrm, credentials: reader`
const NTLM = `auth: ntlm, username: 'CORP\\reader', password_env: SECRET`
const KERBEROS = 'auth: kerberos, username: reader@CORP.EXAMPLE'
const http = (): string => `${WINRM}, url: "http://HOST:${LAB_PORTS.http}/wsman"`
/** Once it listens, a moment later. */
const PLANT = `const look = setInterval(() => {
  if (!process.getActiveResourcesInfo().includes('TCPServerWrap')) return
  clearInterval(look)
  setTimeout(() => { throw new Error('planted') }, 300)
}, 50)
`
const plant = async (): Promise<string> => {
  await writeFile(join(stage.folder, 'plant.cjs'), PLANT)
  return `NODE_OPTIONS='--require ./plant.cjs' ${OURS} --config.file=empty.yml --web.listen-address=127.0.0.1:0`
}

const fetched = async (url: string, init?: RequestInit): Promise<string> => (await get(url, init))?.body ?? ''
const probe = (query: string): Promise<string> => fetched(stage.here(`http://127.0.0.1:11688/probe?${query}`))
const saying = async (output: Promise<string>): Promise<Ran> => ({ ending: 0, output: await output })

/** What makes it speak, and how that ends. */
const PROVOCATIONS: Readonly<Record<string, readonly [ending: number, () => Promise<Ran>]>> = {
  'a misspelt flag': [64, () => say(`${OURS} --web.listen-adress=:1`)],
  'a misspelt command': [64, () => say(`${OURS} serv`)],
  'an address that is none': [64, () => say(`${OURS} --web.listen-address=nonsense`)],
  'no such file': [1, () => say(`rm -f winkms.yml; ${OURS} --config.file=winkms.yml`)],
  'a port that is taken': [
    1,
    () => say(`${OURS} --config.file=empty.yml --web.listen-address=127.0.0.1:11688`),
  ],
  'an address of another machine': [
    1,
    () => say(`${OURS} --config.file=empty.yml --web.listen-address=192.0.2.200:0`),
  ],
  'no certificate': [
    1,
    async () => {
      await stage.write('web.yml', 'tls_server_config: { cert_file: no.pem, key_file: no.key }\n')
      return say(`${OURS} --config.file=empty.yml --web.config.file=web.yml --web.listen-address=127.0.0.1:0`)
    },
  ],
  'a second demo': [1, () => say(`${OURS} demo`)],
  'a defect': [70, async () => say(await plant())],
  'a misspelt key': [
    1,
    () => say(`${OURS} config check winkms.yml`, 'hosts: [{ nme: kms01.corp.example }]\n'),
  ],
  'an open bracket': [1, () => say(`${OURS} config check winkms.yml`, 'hosts: [\n')],
  'credentials that are not there': [
    1,
    () => say(`${OURS} config check winkms.yml`, `hosts: [{ name: a.example, windows: { ${WINRM} } }]\n`),
  ],
  'a timeout longer than the schedule, and no file': [
    1,
    () =>
      say(
        `${OURS} config check winkms.yml`,
        'probes: { port: { schedule: 1s, timeout: 5s } }\ncredentials: { reader: { auth: ntlm, username: a, password_file: no } }\n',
      ),
  ],
  'a reload of a bad file': [
    0,
    async () => {
      await stage.write('winkms.yml', 'domains: []\n')
      return daemon('--config.file=winkms.yml --web.enable-lifecycle', async (url) => {
        await stage.write('winkms.yml', 'domain: []\n')
        return fetched(`${url}/-/reload`, { method: 'POST' })
      })
    },
  ],
  'a reload over HTTP': [
    0,
    () => saying(fetched(stage.here('http://127.0.0.1:11688/-/reload'), { method: 'POST' })),
  ],
  'nothing to watch': [0, () => daemon('--config.file=empty.yml', 'there is nothing to watch')],
  'nobody found': [
    0,
    async () => {
      await stage.write('winkms.yml', 'resolvers: ["192.0.2.1:53"]\ndomains: [{ name: nobody.example }]\n')
      return daemon('--config.file=winkms.yml', (url) =>
        until(PATIENCE_SECONDS, 'the page says so', async () => {
          const page = await fetched(`${url}/`)
          return page.includes('No KMS host is known. Asked for:') ? page : undefined
        }),
      )
    },
  ],
  'a stopped host': [1, () => say(`${OURS} diagnose kms-stopped.plant.example --config.file=demo.yml`)],
  'a host that is gone': [1, () => say(`${OURS} diagnose kms-down.plant.example --config.file=demo.yml`)],
  'an unknown name': [2, () => say(`${OURS} diagnose nobody.elsewhere.example --config.file=demo.yml`)],
  'no references': [
    0,
    () =>
      say(
        `${OURS} diagnose kms01.corp.example --config.file=winkms.yml`,
        'resolvers: ["192.0.2.1:53"]\ndomains: []\n',
      ),
  ],
  'one resolver that does not know': [
    1,
    () => say(`${OURS} diagnose kms-branch.branch.example --config.file=demo.yml`),
  ],
  'a log that may not be read': [
    0,
    () => say(`${OURS} diagnose kms-unread.lab.example --config.file=demo.yml`),
  ],
  'a wrong password': [
    0,
    () =>
      askWindows(
        `${http()}, allow_unencrypted: true`,
        'auth: basic, username: kms-reader, password_env: SECRET',
      ),
  ],
  'no listener': [0, () => askWindows(WINRM, NTLM)],
  'a certificate of nobody': [
    0,
    () => askWindows(`${WINRM}, url: "https://127.0.0.1:${portOf(untrusted)}/wsman"`, NTLM),
  ],
  'https to http': [0, () => askWindows(`${WINRM}, url: "https://HOST:${LAB_PORTS.http}/wsman"`, NTLM)],
  'a host that does not answer': [
    0,
    () => askWindows(`${WINRM}, url: "http://127.0.0.1:${portOf(silent)}/wsman"`, NTLM),
  ],
  'another NTLM': [0, () => askWindows(http(), NTLM)],
  'another page': [
    0,
    () => askWindows(`via: windows_exporter, url: "http://HOST:${LAB_PORTS.http}/no"`, NTLM),
  ],
  'no Windows here': [0, () => askWindows('via: local', NTLM)],
  'no ticket': [0, () => askWindows(http(), KERBEROS)],
  'no Kerberos library': [
    0,
    async () => {
      // Where there are no packages around it.
      await cp(join(ROOT, 'dist'), join(stage.folder, 'alone/dist'), { recursive: true })
      return askWindows(http(), KERBEROS, 'node alone/dist/main.js')
    },
  ],
  'the clock of the exporter': [
    0,
    async () => {
      const [port, network] = [await freePort(), await freeNetwork()]
      const wrong = stage.begin(
        `${OURS} demo --demo.network=${network} --web.listen-address=127.0.0.1:${port} --demo.exporter-clock-off=18000`,
      )
      return saying(
        until(
          PATIENCE_SECONDS,
          () => `it is told\n${wrong.output()}`,
          async () => {
            const text = await fetched(`http://127.0.0.1:${port}/probe?target=kms01.corp.example&debug=true`)
            return text.includes('exporter_clock_wrong)') ? text : undefined
          },
        ),
      )
    },
  ],
  'a name that is not its own': [
    0,
    () => say(`curl -s -H 'Host: kms.nobody.example' http://127.0.0.1:11688/`),
  ],
  '/probe for a stranger': [0, () => saying(probe('target=nobody.example'))],
  '/probe for nobody': [0, () => saying(probe('probe=port'))],
  "/probe for another exporter's module": [0, () => saying(probe('target=kms01.corp.example&probe=kms_tcp'))],
  '/probe again and again': [
    0,
    () =>
      saying(
        until(PATIENCE_SECONDS, 'it is refused', async () => {
          const text = await probe('target=kms02.corp.example&probe=port')
          return text.includes('more often') ? text : undefined
        }),
      ),
  ],
  'a storage that is a file': [
    0,
    async () => {
      await writeFile(join(stage.folder, 'no-folder'), '')
      return daemon('--config.file=demo.yml --storage.path=no-folder', 'the storage cannot be written')
    },
  ],
  'a damaged file in the storage': [
    0,
    async () => {
      await mkdir(join(stage.folder, 'damaged'))
      await writeFile(join(stage.folder, 'damaged/activity-kms01.corp.example.json'), 'no JSON')
      return daemon('--config.file=demo.yml --storage.path=damaged', 'a file of the storage cannot be used')
    },
  ],
}

/** Of the tables whose first column has this heading. */
const rowsOf = (heading: string): readonly string[] =>
  readPage(PAGE)
    .split('\n\n')
    .filter((part) => part.startsWith(`| ${heading} |`))
    .flatMap((table) => table.trimEnd().split('\n').slice(2))

describe('what it says', () => {
  const said = new Map<string, string>()

  it.each(Object.entries(PROVOCATIONS))(
    '%s',
    async (name, [ending, provoke]) => {
      const ran = await provoke()
      said.set(name, ran.output)
      expect(ran.ending, ran.output).toBe(ending)
      expect(ran.output).not.toBe('')
    },
    60_000,
  )

  it.each(rowsOf('it says').map((row) => /^\| `([^`]+)`/.exec(row)?.[1] ?? row))('%s', (quoted) => {
    const pieces = stage
      .here(quoted)
      .split('...')
      .map((piece) => piece.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&'))
    const pattern = new RegExp(pieces.join('[^\\n]*'))
    // A value of a log line has its quotation marks escaped, a page its own.
    const all = [...said.values()].map((text) => text.replaceAll('\\"', '"').replaceAll('&#39;', "'"))
    expect(
      all.some((text) => pattern.test(text)),
      quoted,
    ).toBe(true)
  })
})

it('every exit code that there is stands on the page, and no other', () => {
  const listed = rowsOf('exit code').flatMap((row) => (row.split('|')[1] ?? '').match(/\d+/g) ?? [])
  const signals = [128 + 2, 128 + 15]
  expect(listed.map(Number).toSorted((a, b) => a - b)).toEqual(
    [...Object.values(EXIT), ...signals].toSorted((a, b) => a - b),
  )
})
