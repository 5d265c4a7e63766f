// TLS: what can be wrong on the way to a page of windows_exporter by HTTPS, before and behind the handshake.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHash, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, it, type TestContext } from 'vitest'
import { listenServer, type Listener } from '../../src/lab/listener.ts'
import { renderWindowsPage } from '../../src/lab/windows-page.ts'
import { LOOPBACK } from '../io/support.ts'
import { need, realServer } from '../real/servers/need.ts'
import { makeSelfSigned } from '../real/servers/self-signed.ts'
import { cuts, expectEnds, streams, usual, type Way } from './asked.ts'
import { others } from './others.ts'
import { afterQuestion, atOnce, edited, end, flood, reset, say, silence } from './proxy.ts'

const NAME = 'kms01.corp.example'
const hasOpenssl = need('openssl', 'openssl') !== undefined
const wanted = (context: TestContext): void => realServer(context, ['openssl'])

let https: Listener
let way: Way<'service'>
let folder: string
beforeAll(async () => {
  if (!hasOpenssl) return
  folder = await mkdtemp(join(tmpdir(), 'hostile-tls-'))
  const files = await makeSelfSigned(folder, 'page')
  const [cert, key] = await Promise.all([readFile(files.certificateFile), readFile(files.keyFile)])
  const fingerprint = createHash('sha256').update(new X509Certificate(cert).raw).digest('hex')
  const server = createServer({ cert, key }, (_request, response) => {
    response.end(renderWindowsPage(NAME, 'running', Date.now))
  })
  server.on('tlsClientError', () => {})
  https = await listenServer(server, LOOPBACK)
  way = {
    probe: 'service',
    good: https,
    document: ({ port }) => ({
      hosts: [
        {
          name: NAME,
          connect_to: '127.0.0.1',
          windows: {
            via: 'windows_exporter',
            url: `https://127.0.0.1:${port}/metrics`,
            tls: { fingerprint },
          },
        },
      ],
      domains: [],
    }),
    word: ({ state }) => (state === 'running' ? 'good' : `state ${state}`),
  }
})
afterAll(async () => {
  await https?.stop()
  if (folder !== undefined) await rm(folder, { recursive: true })
})

const BROKEN = /^(?:tls_failed|connect_reset|protocol_error)$/

it('drips, floods, half-closes', async (context) => {
  wanted(context)
  await expectEnds(way, {
    ...usual(https, { silent: 'timeout', closed: 'connect_reset', zeros: 'tls_failed', afterwards: BROKEN }),
    ...streams(https, {
      'warnings without end': [
        afterQuestion(flood(Buffer.from('15030300020170'.repeat(1000), 'hex'))),
        'tls_failed',
      ],
      'empty records without end': [
        afterQuestion(flood(Buffer.from('1603030000'.repeat(1000), 'hex'))),
        'tls_failed',
      ],
      'changes of cipher without end': [
        afterQuestion(flood(Buffer.from('140303000101'.repeat(1000), 'hex'))),
        'tls_failed',
      ],
    }),
  })
})

it.each([
  // The last bytes are TLS's own: the page is whole before them.
  ['resets', reset, BROKEN],
  ['ends', end, BROKEN],
  ['goes silent', silence, 'timeout'],
] as const)('%s in the middle of the handshake and of the page', async (_what, act, word) => {
  if (!hasOpenssl) return
  await expectEnds(way, await cuts(way, act, word, { most: 60, spare: 24 }))
})

it('lies about lengths', async (context) => {
  wanted(context)
  const patch = (at: number, hex: string) =>
    edited((answer, nth) => {
      if (nth === 0) answer.write(hex, at, 'hex')
      return answer
    })
  await expectEnds(
    way,
    streams(https, {
      'a record of 65535 bytes': [patch(3, 'ffff'), 'tls_failed'],
      'a record of 0 bytes': [patch(3, '0000'), 'tls_failed'],
      'a handshake of 2^24 - 1 bytes': [patch(6, 'ffffff'), 'tls_failed'],
      'a session id of 255 bytes': [patch(43, 'ff'), 'tls_failed'],
      'a record of a kind not in use': [patch(0, '63'), 'tls_failed'],
      'SSL 2': [patch(1, '0002'), 'tls_failed'],
      'a cipher that nobody offered': [patch(76, '0000'), 'tls_failed'],
      'something else in the ciphertext': [
        edited((answer) => {
          answer[answer.length - 1] = (answer[answer.length - 1] ?? 0) ^ 1
          return answer
        }),
        BROKEN,
      ],
    }),
  )
})

it("gives another's answer", async (context) => {
  wanted(context)
  await expectEnds(way, {
    ...others({
      'an RPC server': 'connect_reset',
      'an SMB2 server': 'connect_reset',
      'a DNS server': /./,
      'an HTTP server': 'tls_failed',
      'a WinRM server': 'tls_failed',
    }),
    ...streams(https, {
      'our own greeting': [(client) => void client.pipe(client), 'tls_failed'],
      'HTTP, unasked': [atOnce(say('HTTP/1.1 400 Bad Request\r\n\r\n', end)), 'tls_failed'],
    }),
  })
})
