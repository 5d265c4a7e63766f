// The daemon as a command, in this process: what it keeps on disk, and what becomes of it where there is no room.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Context } from '../../src/commands/context.ts'
import { runDaemon } from '../../src/commands/serve.ts'
import type { WebSettings } from '../../src/commands/web-flags.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import { kmsHost } from '../../src/lab/windows-machine.ts'
import { READER, startWinrm } from '../../src/lab/winrm.ts'
import { silentLog } from '../../src/model/log.ts'
import { until } from '../e2e/built.ts'
import { LOOPBACK } from '../io/support.ts'

const SOON_SECONDS = 15
const NAME = 'kms01.corp.example'
const NOTHING = 'domains: []\n'

async function windowsHost(): Promise<string> {
  const server = await startWinrm(kmsHost({ name: NAME }), LOOPBACK)
  onTestFinished(() => server.stop())
  vi.stubEnv('WINKMS_TEST_PASSWORD', READER.password)
  onTestFinished(() => void vi.unstubAllEnvs())
  return `domains: []
credentials: { reader: { auth: basic, username: ${READER.username}, password_env: WINKMS_TEST_PASSWORD } }
probes: { activity: { schedule: 1s, timeout: 1s }, clock: { sources: [http], timeout: 1s } }
hosts:
  - name: ${NAME}
    connect_to: 127.0.0.1
    windows: { via: winrm, url: '${server.url}', credentials: reader, allow_unencrypted: true }
`
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'winkms-serve-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

function configOf(yaml: string): Config {
  const { config, problems } = parseConfig(yaml, { file: 'test.yml', checkCron: () => undefined })
  if (config === undefined) throw new Error(JSON.stringify(problems))
  return config
}

interface Serving {
  readonly errors: readonly { readonly fields: object; readonly message: string }[]
  readonly url: string
  end(): Promise<void>
}

async function serving(yaml: string, storagePath: string, web: Partial<WebSettings> = {}): Promise<Serving> {
  const errors: { fields: object; message: string }[] = []
  const log = {
    ...silentLog,
    error: (fields: object, message: string) => void errors.push({ fields, message }),
  }
  let stop: () => void = () => {}
  const ended = new Promise<void>((resolve) => (stop = resolve))
  const context: Context = {
    build: { version: 'test', revision: 'test' },
    out() {},
    err() {},
    outIsTerminal: false,
    errIsTerminal: false,
    ended,
    onHangup() {},
    onFatal() {},
    logLines: () => () => {},
  }
  const config = configOf(yaml)
  let urls: readonly string[] | undefined
  const running = runDaemon(context, {
    config,
    log,
    storagePath,
    web: {
      addresses: [{ host: '127.0.0.1', port: 0 }],
      telemetryPath: '/metrics',
      routePrefix: '',
      linkPrefix: web.routePrefix ?? '',
      externalUrl: undefined,
      enableLifecycle: false,
      probeAllow: [],
      timeoutOffsetSeconds: 0.5,
      probeRate: { intervalSeconds: 1, burst: 5 },
      probesAtOnce: 64,
      maxRequests: 40,
      maxConnections: 512,
      allowHosts: [],
      ...web,
    },
    reread: () => config,
    listening: (all) => (urls = all),
  })
  const end = async (): Promise<void> => {
    stop()
    await running
  }
  onTestFinished(end)
  const [url = ''] = await until(SOON_SECONDS, 'it listens', () => urls)
  return { errors, url, end }
}

async function metrics({ url }: Serving): Promise<string> {
  return (await fetch(`${url}/metrics`)).text()
}

const logRead = (server: Serving): Promise<true> =>
  until(SOON_SECONDS, 'the event log is read', async () =>
    (await metrics(server)).includes(`winkms_last_request_timestamp_seconds{host="${NAME}"}`) ||
    (await metrics(server)).includes(`winkms_event_log_records{host="${NAME}"`)
      ? true
      : undefined,
  )

describe('the URL for links in alerts', () => {
  const urlOf = async (web: Partial<WebSettings>): Promise<string | undefined> => {
    const server = await serving(NOTHING, join(await folder(), 'data'), web)
    const text = await (await fetch(`${server.url}${web.routePrefix ?? ''}/metrics`)).text()
    return /winkms_exporter_external_url_info\{url="([^"]*)"\} 1/.exec(text)?.[1]?.replace(/:\d+/, ':PORT')
  }

  it.each([
    [{}, 'http://127.0.0.1:PORT'],
    [{ routePrefix: '/kms' }, 'http://127.0.0.1:PORT/kms'],
    [{ addresses: [{ host: undefined, port: 0 }] }, `http://${hostname()}:PORT`],
    [{ addresses: [{ host: 'localhost', port: 0 }] }, 'http://localhost:PORT'],
    [{ externalUrl: 'https://mon.example/kms' }, 'https://mon.example/kms'],
  ])('is, with %j, %s', async (web, url) => {
    expect(await urlOf(web)).toBe(url)
  })
})

describe('the storage of the daemon', () => {
  it('holds a file for each host whose event log is read', async () => {
    const path = join(await folder(), 'data')
    const server = await serving(await windowsHost(), path)
    await logRead(server)
    await server.end()
    expect(await readdir(path)).toEqual([`activity-${NAME}.json`])
    expect(server.errors).toEqual([])
  })

  it('is not there where Windows is not asked', async () => {
    const parent = await folder()
    const server = await serving(NOTHING, join(parent, 'data'))
    expect(await metrics(server)).toContain('winkms_exporter_build_info')
    await server.end()
    expect(await readdir(parent)).toEqual([])
  })

  it('that cannot be written is said once, and counting goes on in memory', async () => {
    const parent = await folder()
    await writeFile(join(parent, 'data'), 'a file where a directory should be')
    const server = await serving(await windowsHost(), join(parent, 'data'))
    await logRead(server)
    const runs = async (): Promise<number> =>
      Number(
        /winkms_exporter_probes_total\{probe="activity",outcome="answered"\} (\d+)/.exec(
          await metrics(server),
        )?.[1],
      )
    await until(SOON_SECONDS, 'it was read again', async () => ((await runs()) >= 3 ? true : undefined))
    const said = server.errors.filter(({ message }) => message.startsWith('the storage cannot be written'))
    expect(said).toHaveLength(1)
    expect(said[0]?.fields).toMatchObject({ file: join(parent, 'data', `activity-${NAME}.json`) })
  })
})
