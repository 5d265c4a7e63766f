// What goes over the wire, as the other end hears it byte by byte: no password in clear unless the configuration insists,
// nothing weaker than what was asked for, and nothing at all to anybody else.
import { createServer as createHttpServer, type OutgoingHttpHeaders } from 'node:http'
import { connect, createServer } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { listenServer, type Listener } from '../../src/lab/listener.ts'
import { challengeMessage } from '../../src/lab/ntlm.ts'
import { during } from '../during.ts'
import { build, run, type Finished } from '../e2e/built.ts'
import { LOOPBACK } from '../io/support.ts'
import { canary, seenIn } from './canary.ts'

const PASSWORD = canary('wire')

type Answer = readonly [status: number, headers?: Readonly<Record<string, string | readonly string[]>>]

interface Ear {
  readonly url: string
  readonly heard: () => string
}

/** An HTTP server that is heard through a connection of our own, so that nothing is taken off what came in. */
async function ear(answer: (authorization: string) => Answer): Promise<Ear> {
  const behind = createHttpServer((request, response) => {
    request.resume()
    const [status, headers] = answer(request.headers.authorization ?? '')
    response.writeHead(status, { 'content-length': '0', ...headers } as OutgoingHttpHeaders).end()
  })
  const { port } = await during<Listener>(listenServer(behind, LOOPBACK))
  const chunks: Buffer[] = []
  const front = createServer((socket) => {
    const through = connect(port, LOOPBACK.address)
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', () => through.destroy()).on('close', () => through.destroy())
    through.on('error', () => socket.destroy()).on('close', () => socket.destroy())
    socket.pipe(through).pipe(socket)
  })
  front.listen(0, LOOPBACK.address)
  await new Promise((resolve) => front.once('listening', resolve))
  onTestFinished(() => void front.close())
  const bound = front.address()
  if (bound === null || typeof bound === 'string') throw new Error('not listening')
  return {
    url: `http://127.0.0.1:${bound.port}/wsman`,
    heard: () => Buffer.concat(chunks).toString('latin1'),
  }
}

async function diagnose(url: string, auth: string, more = ''): Promise<Finished> {
  const folder = await mkdtemp(join(tmpdir(), 'winkms-wire-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'password'), PASSWORD)
  await writeFile(
    join(folder, 'winkms.yml'),
    `domains: []
credentials: { a: { auth: ${auth}, username: reader, password_file: password } }
probes: { port: { timeout: 1s }, clock: { timeout: 1s, sources: [cim] } }
hosts: [{ name: a.corp.example, connect_to: 127.0.0.1, windows: { via: winrm, url: '${url}', credentials: a${more} } }]
`,
  )
  return run([
    'diagnose',
    'a.corp.example',
    `--config.file=${join(folder, 'winkms.yml')}`,
    `--storage.path=${folder}`,
  ])
}

const INSISTING = ', allow_unencrypted: true'
const BASIC = { 'www-authenticate': ['Basic realm="WSMAN"'] }

beforeAll(build)

it('basic over http is refused before anything goes out', async () => {
  const host = await ear(() => [401, BASIC])
  const { ending, err } = await diagnose(host.url, 'basic')
  expect(ending).toBe(2)
  expect(err).toContain('allow_unencrypted')
  expect(host.heard()).toBe('')
})

it('basic over http goes out where the configuration insists, which is how the ear is known to hear', async () => {
  const host = await ear(() => [401, BASIC])
  await diagnose(host.url, 'basic', INSISTING)
  expect(seenIn(host.heard(), [PASSWORD])).not.toEqual([])
})

it.each(['basic', 'ntlm'])('nothing of %s follows a redirect', async (auth) => {
  const elsewhere = await ear(() => [200])
  const host = await ear(() => [307, { location: elsewhere.url }])
  await diagnose(host.url, auth, auth === 'basic' ? INSISTING : '')
  expect(host.heard()).toContain('authorization:')
  expect(elsewhere.heard()).toBe('')
})

it.each([
  ['only offers Basic', (): Answer => [401, BASIC]],
  ['prefers Basic', (): Answer => [401, { 'www-authenticate': ['Basic realm="WSMAN"', 'Negotiate'] }]],
  [
    'changes its mind after the challenge',
    (authorization: string): Answer => {
      const token = Buffer.from(authorization.replace('Negotiate ', ''), 'base64')
      // Its type: 1 begins.
      if (token[8] !== 1) return [401, BASIC]
      const challenge = challengeMessage('a.corp.example', Date.now()).toString('base64')
      return [401, { 'www-authenticate': [`Negotiate ${challenge}`] }]
    },
  ],
])('ntlm shows a host that %s no password, no hash of it, and nothing but NTLM', async (_what, answer) => {
  const host = await ear(answer)
  await diagnose(host.url, 'ntlm')
  const heard = host.heard()
  expect(heard).toMatch(/^authorization: Negotiate TlRMTVNTUAAB/im)
  expect(heard).not.toMatch(/^authorization: (?!Negotiate TlRMTVNTUA)/im)
  expect(seenIn(heard, [PASSWORD])).toEqual([])
})
