// The real servers under test themselves, each by a client that shares no code with the exporter: dig, fetch, promtool and
// bytes written by hand. What is proved here, other tests may take for granted.
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { networkInterfaces } from 'node:os'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Endpoint } from '../../src/model/target.ts'
import { during } from '../during.ts'
import { startBind } from './servers/bind.ts'
import { startChrony } from './servers/chrony.ts'
import { startKnot } from './servers/knot.ts'
import { need, program, realServer } from './servers/need.ts'
import { makeNamespaceHost } from './servers/netns.ts'
import { startNginx } from './servers/nginx.ts'
import { isFree } from './servers/proc.ts'
import { canBind, freePort, loopbackAddress } from './servers/ports.ts'
import { launch, makeDirectory } from './servers/process.ts'
import { promtoolCheckMetrics, startPrometheus } from './servers/prometheus.ts'
import { startSamba, startSambaRpc } from './servers/samba.ts'
import { bindInterface, smb2Time, sntp, tryConnect } from './servers/wire.ts'

const run = promisify(execFile)

/** Five hours ahead; four hours and a minute behind: beyond what Kerberos and KMS tolerate, on both sides. */
const SKEWS = [0, 18_000, -14_460]
/** Far below any skew, far above what a busy machine adds. */
const TOLERANCE_SECONDS = 20

function expectSkew(unixSeconds: number, skewSeconds: number): void {
  expect(Math.abs(unixSeconds - Date.now() / 1000 - skewSeconds)).toBeLessThan(TOLERANCE_SECONDS)
}

async function dig({ address, port }: Endpoint, ...words: readonly string[]): Promise<string> {
  const { stdout } = await run(program('dig'), [
    `@${address}`,
    '-p',
    String(port),
    '+tries=1',
    '+time=5',
    ...words,
  ])
  return stdout
}

const HEAD = '$TTL 300\n@ IN SOA ns hostmaster 1 3600 600 86400 300\n@ IN NS ns\nns IN A 127.0.0.1\n'
const MANY = Array.from({ length: 60 }, (_, i) => `_vlmcs._tcp.many IN SRV 0 0 1688 kms${i}\n`).join('')
const ZONES = {
  'corp.example': `${HEAD}_vlmcs._tcp IN SRV 0 0 1688 kms01\nkms01 IN A 192.0.2.10\n${MANY}`,
  'broken.example': 'this is no zone\n',
}

describe.each([
  { name: 'BIND', command: 'named', start: startBind, maxUdpSize: 512 },
  { name: 'Knot', command: 'knotd', start: startKnot, maxUdpSize: 1220 },
] as const)('$name', ({ command, start, maxUdpSize }) => {
  it('answers, denies, refuses, fails and truncates', async (context) => {
    realServer(context, [command, 'dig'])
    const server = await during(start(ZONES, { maxUdpSize }))

    expect(await dig(server, '+short', '_vlmcs._tcp.corp.example', 'SRV')).toBe(
      '0 0 1688 kms01.corp.example.\n',
    )
    const nxdomain = await dig(server, 'nobody.corp.example', 'A')
    expect(nxdomain).toContain('status: NXDOMAIN')
    expect(nxdomain).toMatch(/flags: qr aa/)
    const nodata = await dig(server, 'kms01.corp.example', 'AAAA')
    expect(nodata).toContain('status: NOERROR')
    expect(nodata).toContain('ANSWER: 0, AUTHORITY: 1')
    expect(await dig(server, 'elsewhere.example', 'A')).toContain('status: REFUSED')
    expect(await dig(server, 'www.broken.example', 'A')).toContain('status: SERVFAIL')

    const cut = await dig(server, '+ignore', '_vlmcs._tcp.many.corp.example', 'SRV')
    expect(cut).toMatch(/flags: qr aa tc/)
    const whole = await dig(server, '_vlmcs._tcp.many.corp.example', 'SRV')
    expect(whole).toContain('retrying in TCP mode')
    expect(whole).toContain('ANSWER: 60')
  })
})

describe('BIND as a forwarder', () => {
  it('hands on its upstream’s answer, and fails when that is dead', async (context) => {
    realServer(context, ['named', 'knotd', 'dig'])
    const upstream = await during(startKnot(ZONES))
    const forwarder = await during(startBind({}, { forwardTo: upstream }))
    const question = ['kms01.corp.example', 'A'] as const
    expect(await dig(forwarder, '+short', ...question)).toBe('192.0.2.10\n')

    await upstream.stop()
    expect(await dig(forwarder, 'other.corp.example', 'A')).toContain('status: SERVFAIL')
  })
})

describe('a clock of its own', () => {
  it.for(SKEWS)('samba’s SMB2 negotiation is %d s ahead', async (skewSeconds, context) => {
    realServer(context, ['smbd', 'faketime'])
    const server = await during(startSamba({ skewSeconds }))
    expectSkew(await smb2Time(server), skewSeconds)
  })

  it.for(SKEWS)('chrony’s SNTP answer is %d s ahead', async (skewSeconds, context) => {
    realServer(context, ['chronyd', 'faketime'])
    const server = await during(startChrony({ skewSeconds }))
    const answer = await sntp(server)
    expectSkew(answer.unixSeconds, skewSeconds)
    expect(answer).toMatchObject({ leap: 0, stratum: 8 })
  })

  it.for(SKEWS)('nginx’s Date header is %d s ahead', async (skewSeconds, context) => {
    realServer(context, ['nginx', 'faketime'])
    const server = await during(startNginx({ skewSeconds }))
    const response = await fetch(server.url)
    expect(await response.text()).toBe('ok\n')
    expectSkew(Date.parse(response.headers.get('date') ?? '') / 1000, skewSeconds)
  })

  it('chrony that is not synchronised says so, with the right time all the same', async (context) => {
    realServer(context, ['chronyd'])
    const server = await during(startChrony({ synchronised: false }))
    const answer = await sntp(server)
    expect(answer).toMatchObject({ leap: 3, stratum: 0 })
    expectSkew(answer.unixSeconds, 0)
  })
})

describe('nginx with TLS', () => {
  async function statusOf(url: string, ca: Buffer | undefined): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const asking = request(url, { ca, agent: false, timeout: 5_000 }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      asking.on('timeout', () => asking.destroy(new Error('no answer')))
      asking.on('error', reject)
      asking.end()
    })
  }

  it('is trusted by those who trust its authority, and by nobody else', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const server = await during(startNginx({ tls: {} }))
    const ca = await readFile(server.authorityFile)
    expect(await statusOf(server.url, ca)).toBe(200)
    await expect(statusOf(server.url, undefined)).rejects.toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    })
  })

  it('can have a certificate that has expired, or one for another name', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const dates = { notBefore: new Date('2020-01-01T00:00:00Z'), notAfter: new Date('2021-01-01T00:00:00Z') }
    const expired = await during(startNginx({ tls: dates }))
    const stranger = await during(startNginx({ tls: { names: ['DNS:elsewhere.example'] } }))
    await expect(statusOf(expired.url, await readFile(expired.authorityFile))).rejects.toMatchObject({
      code: 'CERT_HAS_EXPIRED',
    })
    await expect(statusOf(stranger.url, await readFile(stranger.authorityFile))).rejects.toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
  })
})

describe('samba’s RPC servers', () => {
  const STRANGER = { uuid: '5f3a9d52-6c0b-4a47-9a53-0d1c6f7b2e11', major: 1, minor: 0 }
  const ACCEPTED = { result: 0, reason: 0 }
  const NO_SUCH_INTERFACE = { result: 2, reason: 1 }

  it('accept their own interface and no other', async (context) => {
    realServer(context, ['samba-dcerpcd'])
    const server = await during(startSambaRpc())
    expect(await bindInterface(server, server.acceptedInterface)).toEqual(ACCEPTED)
    expect(await bindInterface(server, STRANGER)).toEqual(NO_SUCH_INTERFACE)

    const mapper = server.endpointMapper
    expect(mapper !== undefined).toBe(await canBind({ address: loopbackAddress(), port: 135 }))
    if (!mapper) return
    expect(await bindInterface(mapper, mapper.acceptedInterface)).toEqual(ACCEPTED)
    expect(await bindInterface(mapper, server.acceptedInterface)).toEqual(NO_SUCH_INTERFACE)
    expect(await bindInterface(mapper, { ...mapper.acceptedInterface, major: 9 })).toEqual(NO_SUCH_INTERFACE)
  })
})

describe('Prometheus', () => {
  it('scrapes, and answers questions about it', async (context) => {
    realServer(context, ['prometheus'])
    const port = await freePort()
    const configYaml = `global: { scrape_interval: 200ms, scrape_timeout: 200ms }
rule_files: [rules/*.yml]
scrape_configs:
  - { job_name: self, static_configs: [{ targets: ['127.0.0.1:${port}'] }] }
`
    const rules = 'groups: [{ name: g, interval: 200ms, rules: [{ record: doubled, expr: up * 2 }] }]\n'
    const server = await during(startPrometheus({ configYaml, port, files: { 'rules/doubled.yml': rules } }))
    const up = await server.waitFor('doubled{job="self"}', (samples) => samples[0]?.value === 2, 15)
    expect(up[0]?.metric).toMatchObject({ job: 'self', instance: `127.0.0.1:${port}` })
    expect(await server.query('vector(-1) / 0')).toEqual([{ metric: {}, value: Number.NEGATIVE_INFINITY }])
    await expect(server.query('up{')).rejects.toThrow('parse error')
    await expect(server.waitFor('absent(up)', (samples) => samples.length > 0, 0)).rejects.toThrow('not so')
  })

  it('does not start with a wrong configuration, and says why', async (context) => {
    realServer(context, ['prometheus'])
    await expect(startPrometheus({ configYaml: 'nonsense: 1\n' })).rejects.toThrow(/code [12]\n[^]*nonsense/)
  })

  it('promtool passes a good exposition, remarks on a poor one and rejects a bad one', async (context) => {
    realServer(context, ['promtool'])
    const good = '# HELP winkms_up Whether it is.\n# TYPE winkms_up gauge\nwinkms_up 1\n'
    expect(await promtoolCheckMetrics(good)).toEqual({ code: 0, output: '' })
    expect(await promtoolCheckMetrics('# TYPE a gauge\na 1\n')).toMatchObject({ code: 3 })
    expect(await promtoolCheckMetrics('a{b="c} 1\n')).toMatchObject({ code: 1 })
  })
})

/** Empty when there is no such process, or only what is left of it. */
function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch {
    return ''
  }
}

describe('a host in a namespace', () => {
  it('has servers on real ports, and a firewall that drops, rejects and resets', async (context) => {
    realServer(context, ['ip', 'nft', 'smbd', 'faketime', 'namespaces'])
    const host = await during(makeNamespaceHost('walled'))
    const server = await during(startSamba({ within: host, skewSeconds: 18_000 }))
    expect(server).toMatchObject({ address: host.address, port: 445 })
    expectSkew(await smb2Time(server), 18_000)

    await host.drop(1001)
    await host.rejectUnreachable(1002)
    await host.rejectReset(445)
    const fate = (port: number): Promise<string> => tryConnect({ address: host.address, port }, 2)
    expect(await fate(1000)).toBe('ECONNREFUSED')
    expect(await fate(1001)).toBe('timeout')
    expect(await fate(1002)).toBe('EHOSTUNREACH')
    expect(await fate(445)).toBe('ECONNREFUSED')
    await expect(host.exec('false')).rejects.toThrow('false')
    const { stdout } = await host.exec('ip', '-o', '-4', 'address')
    expect(stdout).toContain(`${host.address}/30`)
  })

  it('is gone when stopped, with all that ran there', async (context) => {
    realServer(context, ['ip', 'nft', 'namespaces'])
    const host = await makeNamespaceHost('brief')
    const addresses = (): readonly string[] =>
      Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address))
    expect(addresses()).toContain(host.peerAddress)
    const { stdout: pid } = await host.exec('sh', '-c', 'sleep 600 >/dev/null 2>&1 & echo $!')
    expect(commandOf(pid.trim())).toContain('sleep')
    await Promise.all([host.stop(), host.stop()])
    const { stdout } = await run(program('ip'), ['netns', 'list'])
    expect(stdout).not.toContain(host.name)
    expect(addresses()).not.toContain(host.peerAddress)
    expect(commandOf(pid.trim())).not.toContain('sleep')
  })
})

describe('the harness', () => {
  it('stops a server for good: no process, no port, no folder', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const server = await startNginx({ tls: {} })
    expect(existsSync(server.authorityFile)).toBe(true)
    await Promise.all([server.stop(), server.stop()])
    expect(await tryConnect(server, 5)).toBe('ECONNREFUSED')
    expect(isFree({ protocol: 'tcp', ...server })).toBe(true)
    expect(existsSync(server.authorityFile)).toBe(false)
  })

  it('refuses a port on which somebody else listens', async (context) => {
    realServer(context, ['nginx', 'chronyd'])
    const { port } = await during(startNginx())
    await expect(startNginx({ port })).rejects.toThrow(`tcp 127.0.0.1:${port} is in use`)
    const time = await during(startChrony())
    await expect(startBind({}, { port: time.port })).rejects.toThrow('in use')
  })

  it('says what a server printed that ended at once', async () => {
    const plan = {
      name: 'shell',
      command: '/bin/sh',
      listens: [{ protocol: 'tcp', address: '127.0.0.1', port: 1 }],
    } as const
    const directory = await makeDirectory('shell')
    await expect(launch({ ...plan, args: ['-c', 'echo reason; exit 7'], directory })).rejects.toThrow(
      /shell: ended with code 7\nreason/,
    )
    expect(existsSync(directory)).toBe(false)
  })

  it('leaves nothing behind when the test process is killed', async (context) => {
    realServer(context, ['nginx'])
    const port = await freePort()
    const url = new URL('servers/nginx.ts', import.meta.url).href
    const code = `const { startNginx } = await import(${JSON.stringify(url)})
await startNginx({ port: ${port} })
process.kill(process.pid, 'SIGKILL')`
    const dying = run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
      cwd: import.meta.dirname,
      timeout: 15_000,
    })
    await expect(dying).rejects.toMatchObject({ signal: 'SIGKILL', killed: false })
    await vi.waitFor(() => expect(isFree({ protocol: 'tcp', address: '127.0.0.1', port })).toBe(true), 5_000)
  })
})

describe('a program that is not installed', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
  })

  it('is said aloud, and skips the test', () => {
    vi.stubEnv('CI', '')
    vi.stubEnv('PATH', '/nowhere')
    const aloud = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    expect(need('no-such-server', 'no-such-package')).toBeUndefined()
    expect(aloud).toHaveBeenCalledWith('SKIPPED (not installed): no-such-package, which has no-such-server\n')
  })

  it('fails the test under CI=true', () => {
    vi.stubEnv('CI', 'true')
    expect(() => need('no-such-server', 'no-such-package')).toThrow('not installed')
  })
})
