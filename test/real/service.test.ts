// The service probe against nginx, which serves a page of windows_exporter's, written after its documentation
// (docs/collector.service.md, collector.os.md, collector.time.md of 0.31): plain, over TLS, behind a password, or broken.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SERVICE_STATES } from '../../src/probes/windows-facts.ts'
import { servePage, type PageOptions, type PageServer } from './page-server.ts'
import { askOne, readingOf } from './ask.ts'
import { realServer } from './servers/need.ts'
import { makeDirectory } from './servers/process.ts'
import { promtoolCheckMetrics } from './servers/prometheus.ts'

/** As windows_exporter writes them: with blanks. */
const STATES = SERVICE_STATES.map((state) => state.replaceAll('_', ' '))
const MODES = ['auto', 'boot', 'disabled', 'manual', 'system']

function stateSet(family: string, label: string, values: readonly string[], current: Record<string, string>) {
  const lines = Object.entries(current).flatMap(([name, now]) =>
    values.map((value) => `${family}{name="${name}",${label}="${value}"} ${value === now ? 1 : 0}`),
  )
  return lines.join('\n')
}

interface PageFacts {
  readonly states?: Record<string, string>
  readonly modes?: Record<string, string>
  readonly unixSeconds?: number
}

function windowsPage({
  states = { Dnscache: 'running', sppsvc: 'running', wuauserv: 'stopped' },
  modes = { Dnscache: 'auto', sppsvc: 'auto', wuauserv: 'manual' },
  unixSeconds = 1_763_934_281,
}: PageFacts = {}): string {
  // Go's notation of large numbers; the exponent has two digits.
  const time = unixSeconds.toExponential().replace('e+9', 'e+09')
  return `# HELP windows_exporter_collector_success windows_exporter: Whether the collector was successful.
# TYPE windows_exporter_collector_success gauge
windows_exporter_collector_success{collector="os"} 1
windows_exporter_collector_success{collector="service"} 1
windows_exporter_collector_success{collector="time"} 1
# HELP windows_os_hostname Labelled system hostname information as provided by ComputerSystem.DNSHostName and ComputerSystem.Domain
# TYPE windows_os_hostname gauge
windows_os_hostname{domain="corp.example",fqdn="kms01.corp.example",hostname="kms01"} 1
# HELP windows_os_info Contains full product name & version in labels. Note that the "major_version" for Windows 11 is \\\\"10\\\\"; a build number greater than 22000 represents Windows 11.
# TYPE windows_os_info gauge
windows_os_info{build_number="20348",installation_type="Server",major_version="10",minor_version="0",product="Windows Server 2022 Datacenter",revision="3091",version="10.0.20348"} 1
# HELP windows_service_info A metric with a constant '1' value labeled with service information
# TYPE windows_service_info gauge
windows_service_info{display_name="Software Protection",name="sppsvc",path_name="C:\\\\Windows\\\\system32\\\\sppsvc.exe",run_as="NT AUTHORITY\\\\NetworkService"} 1
# HELP windows_service_start_mode The start mode of the service (StartMode)
# TYPE windows_service_start_mode gauge
${stateSet('windows_service_start_mode', 'start_mode', MODES, modes)}
# HELP windows_service_state The state of the service (State)
# TYPE windows_service_state gauge
${stateSet('windows_service_state', 'state', STATES, states)}
# HELP windows_time_current_timestamp_seconds OperatingSystem.LocalDateTime
# TYPE windows_time_current_timestamp_seconds gauge
windows_time_current_timestamp_seconds ${time}
`
}

/** Stopped when the test has ended. */
async function serve(page: string, options?: PageOptions): Promise<PageServer> {
  const server = await servePage(page, options)
  onTestFinished(server.stop)
  return server
}

/** `more` goes under `windows`, in YAML's flow style. */
async function ask(url: string, more = '', topLevel = '') {
  const windows = `{ via: windows_exporter, url: '${url}'${more && `, ${more}`} }`
  const host = `{ name: kms01.corp.example, windows: ${windows} }`
  return askOne(`hosts: [${host}]\nprobes: { service: { timeout: 10s } }\n${topLevel}`, 'service')
}

const trust = ({ authorityFile }: PageServer, more = ''): string =>
  `tls: { ca_file: '${authorityFile}'${more && `, ${more}`} }`

describe('the page', () => {
  it('is an exposition', async (context) => {
    realServer(context, ['promtool'])
    // 3: promtool has remarks on windows_exporter's names; 1 would be that it cannot read the page.
    expect([0, 3]).toContain((await promtoolCheckMetrics(windowsPage())).code)
  })

  it('says what runs, on which Windows, and what time it is there', async (context) => {
    realServer(context, ['nginx'])
    const server = await serve(windowsPage({ unixSeconds: Math.floor(Date.now() / 1000) + 18_000 }))
    const { stages, ...result } = await ask(`${server.url}/metrics`)
    expect(stages.map(({ stage }) => stage)).toEqual(['resolve', 'connect', 'read'])
    const reading = readingOf(result)
    expect(reading).toMatchObject({
      state: 'running',
      source: 'windows_exporter',
      startMode: 'auto',
      os: { caption: 'Windows Server 2022 Datacenter', build: 20_348, ubr: 3091, ubrSource: 'registry' },
      clock: [{ source: 'windows_exporter' }],
    })
    const { low = Number.NaN, high = Number.NaN } = reading.clock[0]?.offset ?? {}
    // The page's time stands still from when it was written.
    expect(low).toBeGreaterThan(17_970)
    expect(low).toBeLessThanOrEqual(high)
    expect(high).toBeLessThan(18_001)
  })

  it.for(SERVICE_STATES)('state %s, lines ended by LF or CRLF', async (state, context) => {
    realServer(context, ['nginx'])
    const page = windowsPage({
      states: { Dnscache: 'running', sppsvc: state.replaceAll('_', ' '), wuauserv: 'stopped' },
      modes: { Dnscache: 'auto', sppsvc: 'manual', wuauserv: 'disabled' },
    })
    for (const text of [page, page.replaceAll('\n', '\r\n')]) {
      const server = await serve(text)
      expect(readingOf(await ask(`${server.url}/metrics`))).toMatchObject({ state, startMode: 'manual' })
    }
  })

  it('of all collectors, some 400 KB, is read as well', async (context) => {
    realServer(context, ['nginx'])
    const line = (core: number) => `windows_cpu_time_total{core="0,${core}",mode="idle"} 1.234567e+06\n`
    const others = Array.from({ length: 7_000 }, (_, core) => line(core)).join('')
    const server = await serve(`# TYPE windows_cpu_time_total counter\n${others}${windowsPage()}`)
    expect(readingOf(await ask(`${server.url}/metrics`))).toMatchObject({ state: 'running' })
  })

  it('without sppsvc leaves its state unknown: neither stopped nor a failure', async (context) => {
    realServer(context, ['nginx'])
    const other = { states: { Dnscache: 'running' }, modes: { Dnscache: 'auto' } }
    const whole = windowsPage()
    const cut = whole.slice(0, whole.indexOf('windows_service_state{name="sppsvc"'))
    for (const page of [windowsPage(other), cut]) {
      const server = await serve(page)
      const reading = readingOf(await ask(`${server.url}/metrics`))
      expect(reading.state).toBe('unknown')
    }
  })

  it('of something else is no answer', async (context) => {
    realServer(context, ['nginx'])
    for (const page of ['', '<html><body>Please log in</body></html>', 'node_load1 0.5\n']) {
      const server = await serve(page)
      const { failure } = await ask(`${server.url}/metrics`)
      expect(failure).toMatchObject({ reason: 'not_found', stage: 'read' })
    }
  })

  it.for([
    ['a line cut off within a label', (page: string) => page.slice(0, page.indexOf('state="paused"') + 9)],
    [
      'a value that is no number',
      (page: string) => page.replace('state="running"} 1', 'state="running"} yes'),
    ],
    ['a label twice', (page: string) => page.replace('name="sppsvc",state', 'name="a",name="sppsvc",state')],
  ] as const)('malformed is no answer: %s', async ([, spoil], context) => {
    realServer(context, ['nginx'])
    const page = windowsPage()
    const spoilt = spoil(page)
    expect(spoilt).not.toBe(page)
    const server = await serve(spoilt)
    const { reading, failure } = await ask(`${server.url}/metrics`)
    expect(reading).toBeUndefined()
    expect(failure).toMatchObject({ stage: 'read', reason: 'protocol_error' })
  })
})

describe('no page', () => {
  it('each HTTP status has its reason; a redirect is not followed', async (context) => {
    realServer(context, ['nginx'])
    const { url } = await serve(windowsPage())
    const reasons = {
      '/status/401': 'auth_failed',
      '/status/403': 'access_denied',
      '/status/404': 'not_found',
      '/status/500': 'protocol_error',
      '/status/503': 'protocol_error',
      '/elsewhere': 'not_found',
      '/moved': 'protocol_error',
    }
    for (const [path, reason] of Object.entries(reasons)) {
      const { reading, failure } = await ask(`${url}${path}`)
      expect(reading).toBeUndefined()
      expect(failure, path).toMatchObject({ stage: 'read', reason })
      expect(failure?.detail).toContain(path)
    }
  })

  it('nobody listens', async (context) => {
    realServer(context, ['nginx'])
    const server = await serve(windowsPage())
    await server.stop()
    const { failure } = await ask(`${server.url}/metrics`)
    expect(failure).toMatchObject({ stage: 'connect', reason: 'connect_refused' })
  })
})

describe('over TLS', () => {
  it('from an authority that is trusted', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const server = await serve(windowsPage(), { tls: {} })
    const result = await ask(`${server.url}/metrics`, trust(server))
    expect(readingOf(result)).toMatchObject({ state: 'running' })
  })

  it('untrusted: an authority that the system does not know, or another than the one given', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const [server, stranger] = await Promise.all([
      serve(windowsPage(), { tls: {} }),
      serve(windowsPage(), { tls: {} }),
    ])
    for (const more of ['', trust(stranger)]) {
      const { failure } = await ask(`${server.url}/metrics`, more)
      expect(failure).toMatchObject({ stage: 'connect', reason: 'tls_untrusted' })
    }
  })

  it('expired, or not valid yet', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const past = { notBefore: new Date('2020-01-01T00:00:00Z'), notAfter: new Date('2021-01-01T00:00:00Z') }
    const tomorrow = Date.now() + 86_400_000
    const future = { notBefore: new Date(tomorrow), notAfter: new Date(tomorrow + 86_400_000) }
    for (const tls of [past, future]) {
      const server = await serve(windowsPage(), { tls })
      const { failure } = await ask(`${server.url}/metrics`, trust(server))
      expect(failure).toMatchObject({ stage: 'connect', reason: 'tls_expired' })
    }
  })

  it('for another name, unless that is the one configured', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const server = await serve(windowsPage(), { tls: { names: ['DNS:kms01.corp.example'] } })
    const url = `${server.url}/metrics`
    const refused = await ask(url, trust(server))
    expect(refused.failure).toMatchObject({ stage: 'connect', reason: 'tls_untrusted' })
    const wrong = await ask(url, trust(server, 'server_name: kms02.corp.example'))
    expect(wrong.failure).toMatchObject({ stage: 'connect', reason: 'tls_untrusted' })
    const right = await ask(url, trust(server, 'server_name: kms01.corp.example'))
    expect(readingOf(right)).toMatchObject({ state: 'running' })
  })

  it('where there is none, and none where there is', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const [plain, secure] = await Promise.all([serve(windowsPage()), serve(windowsPage(), { tls: {} })])
    const toPlain = await ask(`https://127.0.0.1:${plain.port}/metrics`, trust(secure))
    expect(toPlain.failure).toMatchObject({ stage: 'connect', reason: 'tls_failed' })
    const toSecure = await ask(`http://127.0.0.1:${secure.port}/metrics`)
    expect(toSecure.failure).toMatchObject({ stage: 'read', reason: 'protocol_error' })
  })
})

describe('behind a password', () => {
  // Not ASCII: RFC 7617 leaves the encoding open, and UTF-8 is what servers take.
  const logon = { user: 'winkms', password: 'Grüße & Küsse #1' }

  /** A file that holds `password` as an editor would leave it, with a line break at the end. */
  async function passwordFile(password: string): Promise<string> {
    const directory = await makeDirectory('password')
    onTestFinished(async () => rm(directory, { recursive: true, force: true }))
    const file = join(directory, 'password')
    await writeFile(file, `${password}\n`)
    return file
  }

  it.for([
    { says: 'the right one', user: logon.user, password: logon.password },
    { says: 'a wrong one', user: logon.user, password: 'Gruesse', refusal: 'password mismatch' },
    { says: 'an unknown user', user: 'nobody', password: logon.password, refusal: 'was not found' },
  ])('$says', async ({ user, password, refusal }, context) => {
    realServer(context, ['nginx', 'openssl'])
    const server = await serve(windowsPage(), { tls: {}, logon })
    const result = await ask(
      `${server.url}/locked`,
      `credentials: metrics, ${trust(server)}`,
      `credentials: { metrics: { auth: basic, username: ${user}, password_file: '${await passwordFile(password)}' } }`,
    )
    if (refusal === undefined) {
      expect(readingOf(result)).toMatchObject({ state: 'running' })
      return
    }
    expect(result.failure).toMatchObject({ stage: 'read', reason: 'auth_failed' })
    expect(JSON.stringify(result)).not.toContain(password)
    // Accounts lock out: a visit tries once.
    await server.stop()
    expect(server.output().split(refusal)).toHaveLength(2)
  })

  it('none given', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const server = await serve(windowsPage(), { tls: {}, logon })
    const { failure } = await ask(`${server.url}/locked`, trust(server))
    expect(failure).toMatchObject({ stage: 'read', reason: 'auth_failed' })
  })
})
