// Listening on sockets that somebody else opened: systemd-socket-activate opens them as systemd does, and becomes the
// exporter when somebody calls.
import { openSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { request } from 'node:https'
import { join } from 'node:path'
import { beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest'
import { makeCertificate } from '../real/servers/certificate.ts'
import { program, realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { makeDirectory } from '../real/servers/process.ts'
import { build, get, MAIN, run, start, until, type Running } from './built.ts'

const SOON_SECONDS = 30

beforeAll(build, 60_000)
beforeEach((context) => realServer(context, ['systemd-socket-activate']))

async function folder(): Promise<string> {
  const path = await makeDirectory('sockets')
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  await writeFile(join(path, 'winkms.yml'), 'domains: []\n')
  return path
}

/** Called once, for it is not started before. */
async function activated(
  directory: string,
  listen: readonly string[],
  flags: readonly string[] = [],
): Promise<Running> {
  const sockets = listen.map((address) => `--listen=${address}`)
  const exporter = start(
    [`--config.file=${join(directory, 'winkms.yml')}`, '--web.systemd-socket', ...flags],
    {
      before: [program('systemd-socket-activate'), ...sockets],
    },
  )
  onTestFinished(() => exporter.stop())
  await until(SOON_SECONDS, exporter.err, () => exporter.err().includes('Listening on') || undefined)
  return exporter
}

const listens = (exporter: Running): Promise<true> =>
  until(SOON_SECONDS, exporter.err, () => exporter.err().includes('msg=watching') || undefined)

async function stops(exporter: Running): Promise<void> {
  exporter.signal('SIGTERM')
  expect((await exporter.ended(SOON_SECONDS)).ending).toBe(0)
}

it('answers whoever called before it was there, on each of them', async () => {
  const directory = await folder()
  const ports = [await freePort(), await freePort('127.0.0.2')] as const
  const exporter = await activated(directory, [`127.0.0.1:${ports[0]}`, `127.0.0.2:${ports[1]}`])
  // Connected at once, answered once it runs.
  expect(await get(`http://127.0.0.2:${ports[1]}/metrics`)).toMatchObject({ status: 200 })
  expect((await get(`http://127.0.0.1:${ports[0]}/metrics`))?.body).toContain(
    `winkms_exporter_external_url_info{url="http://127.0.0.1:${ports[0]}"} 1`,
  )
  expect(exporter.err()).toContain(`url=http://127.0.0.2:${ports[1]}/`)
  expect(exporter.err()).not.toContain('whoever reaches this port')
  await stops(exporter)
}, 60_000)

it('warns of a socket that is open to everybody', async () => {
  const port = await freePort()
  const exporter = await activated(await folder(), [String(port)])
  expect(await get(`http://127.0.0.1:${port}/-/ready`)).toMatchObject({ status: 200 })
  await listens(exporter)
  expect(exporter.err()).toContain('whoever reaches this port may read all of it')
  await stops(exporter)
}, 60_000)

it('hangs up on who says nothing, and closes in time', async () => {
  const port = await freePort()
  const exporter = await activated(await folder(), [`127.0.0.1:${port}`])
  const silent = connect(port, '127.0.0.1')
  onTestFinished(() => void silent.destroy())
  const gone = new Promise((resolve) => silent.resume().on('error', resolve).on('close', resolve))
  await listens(exporter)
  await stops(exporter)
  await gone
}, 60_000)

it('speaks TLS there, and goes from clear to TLS and back without giving the socket up', async (context) => {
  realServer(context, ['openssl'])
  const directory = await folder()
  await makeCertificate(directory)
  const web = join(directory, 'web.yml')
  const tls = 'tls_server_config: { cert_file: server.pem, key_file: server.key }\n'
  await writeFile(web, tls)
  const port = await freePort()
  const exporter = await activated(directory, [`127.0.0.1:${port}`], [`--web.config.file=${web}`])
  const secure = (): Promise<number | undefined> =>
    new Promise((resolve) => {
      const options = { host: '127.0.0.1', port, path: '/-/ready', rejectUnauthorized: false, agent: false }
      const asked = request(options, (answer) => resolve(answer.resume().statusCode))
      asked.setTimeout(10_000, () => asked.destroy())
      asked.on('error', () => resolve(undefined)).end()
    })
  const clear = async (): Promise<number | undefined> =>
    (await get(`http://127.0.0.1:${port}/-/ready`, { headers: { connection: 'close' } }))?.status
  const becomes = (how: () => Promise<number | undefined>): Promise<number> =>
    until(SOON_SECONDS, exporter.err, how)

  expect(await secure()).toBe(200)
  await writeFile(web, '')
  expect(await becomes(clear)).toBe(200)
  expect(await secure()).toBeUndefined()
  await writeFile(web, tls)
  expect(await becomes(secure)).toBe(200)
  expect(await clear()).toBeUndefined()
  expect(exporter.err()).not.toContain('cannot be listened on')
  await stops(exporter)
}, 90_000)

it.each([
  ['where none was passed', {}, 'no socket was passed (LISTEN_FDS, LISTEN_PID)'],
  [
    'where they are for another process',
    { LISTEN_FDS: '1', LISTEN_PID: '1' },
    'no socket was passed to this process',
  ],
])('does not start %s', async (_what, env, says) => {
  const { ending, err } = await run(['--web.systemd-socket'], 30, env)
  expect(ending).toBe(1)
  expect(err).toContain('the exporter could not start')
  expect(err).toContain(says)
})

it('does not start on a descriptor that is no TCP socket', async () => {
  const directory = await folder()
  const path = join(directory, 'unix')
  const exporter = await activated(directory, [path])
  const caller = connect(path).on('error', () => {})
  onTestFinished(() => void caller.destroy())
  const { ending, err } = await exporter.ended(SOON_SECONDS)
  expect(ending).toBe(1)
  expect(err).toContain('the socket that was passed as descriptor 3 is none of TCP')
}, 60_000)

it('does not start on a descriptor that is a file', async () => {
  const directory = await folder()
  const file = openSync(join(directory, 'winkms.yml'), 'r')
  const text = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"'
  const args = [
    '-c',
    text,
    process.execPath,
    MAIN,
    '--web.systemd-socket',
    `--config.file=${join(directory, 'winkms.yml')}`,
  ]
  const child = spawn('/bin/sh', args, { stdio: ['ignore', 'ignore', 'pipe', file], timeout: 30_000 })
  let err = ''
  child.stderr?.setEncoding('utf8').on('data', (more: string) => (err += more))
  expect(await new Promise((resolve) => child.on('close', resolve))).toBe(1)
  expect(err).toContain('the socket that was passed as descriptor 3 cannot be listened on')
})

it('is not told an address as well', async () => {
  const { ending, err } = await run(['--web.systemd-socket', '--web.listen-address=127.0.0.1:0'])
  expect(ending).toBe(64)
  expect(err).toContain('--web.systemd-socket takes the place of --web.listen-address: give one of them')
})
