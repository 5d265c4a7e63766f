// The built command behind TLS and a password: a real Prometheus comes in, others do not, and a wrong file is told at once.
import { execFileSync } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { makeCertificate } from '../real/servers/certificate.ts'
import { program, realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { makeDirectory } from '../real/servers/process.ts'
import { startPrometheus } from '../real/servers/prometheus.ts'
import { build, run, start, until } from './built.ts'

const SOON_SECONDS = 30

beforeAll(build, 60_000)

async function folder(): Promise<string> {
  const path = await makeDirectory('doors')
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

function hashOf(password: string): string {
  const line = execFileSync(program('htpasswd'), ['-nbBC', '10', 'user', password], { encoding: 'utf8' })
  return line.trim().slice('user:'.length)
}

describe('behind TLS and a password', () => {
  it('Prometheus scrapes with the password, and without it is down', async (context) => {
    realServer(context, ['prometheus', 'openssl', 'htpasswd'])
    const directory = await folder()
    const { authorityFile } = await makeCertificate(directory)
    const web = join(directory, 'web.yml')
    await writeFile(join(directory, 'winkms.yml'), 'domains: []\n')
    await writeFile(
      web,
      `tls_server_config: { cert_file: server.pem, key_file: server.key }
basic_auth_users: { prometheus: '${hashOf('open sesame')}' }
`,
    )
    expect(await run(['config', 'check-web', web])).toMatchObject({
      ending: 0,
      out: `${web}: correct (TLS, clients: NoClientCert, 1 users)\n`,
    })
    const port = await freePort()
    const exporter = start([
      `--config.file=${join(directory, 'winkms.yml')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      `--web.config.file=${web}`,
    ])
    onTestFinished(() => exporter.stop())
    await until(SOON_SECONDS, 'it listens', () => exporter.err().includes('msg=listening') || undefined)
    expect(exporter.err()).toContain(`url=https://127.0.0.1:${port}/`)
    const job = (name: string, password: string) => `
  - job_name: ${name}
    scheme: https
    tls_config: { ca_file: ${authorityFile} }
    basic_auth: { username: prometheus, password: '${password}' }
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]`
    const prometheus = await startPrometheus({
      configYaml: `global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:${job('right', 'open sesame')}${job('wrong', 'open barley')}
`,
    })
    onTestFinished(() => prometheus.stop())
    const up = await prometheus.waitFor(
      'up == 1 or (up == 0 and on () count_over_time(up{job="right"}[1m]) > 2)',
      (samples) => samples.length === 2,
      SOON_SECONDS,
    )
    expect(Object.fromEntries(up.map(({ metric, value }) => [metric['job'], value]))).toEqual({
      right: 1,
      wrong: 0,
    })
    await prometheus.waitFor(
      'winkms_exporter_http_refused_total{why="password"} > 1',
      (samples) => samples.length === 1,
      SOON_SECONDS,
    )
    expect(exporter.err()).not.toContain('sesame')
    expect(exporter.err()).not.toContain('barley')
    exporter.signal('SIGTERM')
    expect((await exporter.ended(SOON_SECONDS)).ending).toBe(0)
  }, 90_000)

  it('a file that is wrong keeps it from starting, and says where', async () => {
    const directory = await folder()
    const web = join(directory, 'web.yml')
    await writeFile(web, 'basic_auth_users:\n  alice: hunter2\n')
    const said = `${web}:2:10: basic_auth_users.alice: must be a bcrypt hash (hint: htpasswd -nBC 10 USER prints one)\n`
    const args = [`--web.config.file=${web}`, '--web.listen-address=127.0.0.1:0']
    for (const command of [args, ['demo', ...args], ['config', 'check-web', web]])
      expect(await run(command)).toEqual({ ending: 1, out: '', err: said })
  })
})

describe('an open port', () => {
  it.each([
    ['127.0.0.1:0', false],
    ['[::1]:0', false],
    [':0', true],
    ['0.0.0.0:0', true],
  ])('at %s is warned of: %s', async (address, warned) => {
    const directory = await folder()
    await writeFile(join(directory, 'winkms.yml'), 'domains: []\n')
    const exporter = start([
      `--config.file=${join(directory, 'winkms.yml')}`,
      `--web.listen-address=${address}`,
    ])
    onTestFinished(() => exporter.stop())
    await until(SOON_SECONDS, 'it watches', () => exporter.err().includes('msg=watching') || undefined)
    expect(exporter.err().split('whoever reaches this port may read all of it').length - 1).toBe(
      Number(warned),
    )
  })
})
