// A page of windows_exporter: bodies without end, cut off, longer or shorter than announced, and pages of something else.
import { afterAll, beforeAll, it } from 'vitest'
import { gzipSync } from 'node:zlib'
import { startHttp } from '../../src/lab/http.ts'
import type { Listener } from '../../src/lab/listener.ts'
import { renderWindowsPage } from '../../src/lab/windows-page.ts'
import { LOOPBACK } from '../io/support.ts'
import { cuts, expectEnds, streams, usual, type Way } from './asked.ts'
import { others } from './others.ts'
import { afterQuestion, drip, end, flood, reset, say, silence } from './proxy.ts'

const NAME = 'kms01.corp.example'
const page = (): string => renderWindowsPage(NAME, 'running', Date.now)

let http: Listener
let way: Way<'service'>
beforeAll(async () => {
  http = await startHttp({ name: NAME, clock: Date.now, metricsPage: page }, LOOPBACK)
  way = {
    probe: 'service',
    good: http,
    document: ({ port }) => ({
      hosts: [
        {
          name: NAME,
          connect_to: '127.0.0.1',
          windows: { via: 'windows_exporter', url: `http://127.0.0.1:${port}/metrics` },
        },
      ],
      domains: [],
    }),
    word: ({ state }) => (state === 'running' ? 'good' : `state ${state}`),
  }
})
afterAll(() => http.stop())

const OK = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n'
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
const COMMENT = '# x\n'.repeat(8192)
const said = (text: string | Buffer, then = silence) => afterQuestion(say(text, then))
const whole = (body: string | Buffer, headers = '') =>
  said(
    Buffer.concat([Buffer.from(`${OK}${headers}Content-Length: ${body.length}\r\n\r\n`), Buffer.from(body)]),
  )

it('drips, floods, half-closes', async () => {
  await expectEnds(way, {
    ...usual(http, { silent: 'timeout', closed: 'connect_reset', zeros: 'protocol_error' }),
    ...streams(http, {
      'a body without end': [said(`${OK}\r\n`, flood(Buffer.from(COMMENT))), 'too_large'],
      'a body of 2^53 bytes, of which all that fits': [
        said(`${OK}Content-Length: 9007199254740991\r\n\r\n`, flood(Buffer.from(COMMENT))),
        'too_large',
      ],
      'chunks without end': [said(CHUNKED, flood(Buffer.from(chunk(COMMENT)))), 'too_large'],
      'chunks, a byte at a time': [said(CHUNKED, drip(['1\r\nx\r\n'], 20)), 'timeout'],
      'a chunk, a byte at a time': [said(`${CHUNKED}ffff\r\n`, drip(['x'], 20)), 'timeout'],
      'a size of a chunk without end': [said(CHUNKED, flood(Buffer.alloc(65_536, '0'))), 'too_large'],
      'a chunk extension without end': [said(`${CHUNKED}1;`, flood(Buffer.alloc(65_536, 'x'))), 'too_large'],
      'chunk extensions by the megabyte': [
        said(CHUNKED, flood(Buffer.from(`1;${'x'.repeat(65_536)}\r\nx\r\n`))),
        'too_large',
      ],
      'trailers without end': [
        said(`${CHUNKED}0\r\n`, flood(Buffer.from('X: y\r\n'.repeat(5000)))),
        'too_large',
      ],
      'a page, and then no end of it': [said(`${CHUNKED}${chunk(page())}`), 'timeout'],
    }),
  })
})

it.each([
  // Of the last line feed undici makes nothing: the page is whole before it.
  ['resets', reset, /^(?:connect_reset|protocol_error)$/],
  ['ends', end, /^(?:connect_reset|protocol_error)$/],
  ['goes silent', silence, 'timeout'],
] as const)('%s in the middle of the page', async (_what, act, word) => {
  await expectEnds(way, await cuts(way, act, word, { most: 100, spare: 1 }))
})

it('lies about lengths', async () => {
  const body = page()
  const long = (length: string) => said(`${OK}Content-Length: ${length}\r\n\r\n${body}`)
  await expectEnds(
    way,
    streams(http, {
      'a length of -1': [long('-1'), 'protocol_error'],
      'a length of 2^64': [long('18446744073709551616'), 'protocol_error'],
      'a length of 1e3': [long('1e3'), 'protocol_error'],
      'two lengths': [long('10\r\nContent-Length: 11'), 'protocol_error'],
      'a length and chunks': [long('10\r\nTransfer-Encoding: chunked'), 'protocol_error'],
      'a length of 0 before a page': [long('0'), 'not_found'],
      'a length in the middle of the page': [long('40'), 'not_found'],
      'a length a byte long': [long(`${Buffer.byteLength(body) + 1}`), 'timeout'],
      'a length a byte long, and the end': [
        said(`${OK}Content-Length: ${Buffer.byteLength(body) + 1}\r\n\r\n${body}`, end),
        /^(?:connect_reset|protocol_error)$/,
      ],
      'a chunk of -1': [said(`${CHUNKED}-1\r\n${body}`), 'protocol_error'],
      'a chunk of 2^64 - 1': [said(`${CHUNKED}ffffffffffffffff\r\n${body}`), /^(?:protocol_error|timeout)$/],
      'a chunk of 2^64': [said(`${CHUNKED}10000000000000000\r\n${body}`), 'protocol_error'],
      'a chunk shorter than itself': [said(`${CHUNKED}5\r\n${body}`), 'protocol_error'],
      'a chunk longer than itself': [said(`${CHUNKED}ffff\r\n${body}`, end), 'connect_reset'],
      '204 with a page': [said(`HTTP/1.1 204 No Content\r\n\r\n${body}`), 'protocol_error'],
      '304 with a page': [said(`HTTP/1.1 304 Not Modified\r\n\r\n${body}`), 'protocol_error'],
      'a page to the end of the connection': [said(`${OK}\r\n${body}`, end), 'good'],
    }),
  )
})

it("gives another's answer", async () => {
  await expectEnds(way, {
    ...others({
      'an RPC server': 'connect_reset',
      'an SMB2 server': 'connect_reset',
      'a DNS server': 'timeout',
      'a WinRM server': 'not_found',
    }),
    ...streams(http, {
      'a redirect to itself, again and again': [
        said('HTTP/1.1 302 Found\r\nLocation: /metrics\r\nContent-Length: 0\r\n\r\n'),
        'protocol_error',
      ],
      'a login page': [whole('<html>Please log in</html>'), 'not_found'],
      nothing: [whole(''), 'not_found'],
      "node_exporter's page": [whole('node_load1 0.5\n'), 'not_found'],
      'a page within gzip, unasked': [whole(gzipSync(page()), 'Content-Encoding: gzip\r\n'), 'not_found'],
      '4 MB of zeros within gzip, a thousand times more outside': [
        whole(gzipSync(Buffer.alloc(2 ** 22)), 'Content-Encoding: gzip\r\n'),
        'not_found',
      ],
      'a line that never ends': [
        whole(`windows_service_state{name="${'x'.repeat(4_000_000)}`),
        'protocol_error',
      ],
      'a value that is none': [
        whole('windows_service_state{name="sppsvc",state="running"} maybe\n'),
        'protocol_error',
      ],
      'eight megabytes of the same series': [
        whole('windows_service_state{name="sppsvc",state="running"} 1\n'.repeat(140_000)),
        'protocol_error',
      ],
      '401': [said('HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n'), 'auth_failed'],
      '500, without end': [said('HTTP/1.1 500 No\r\n\r\n', flood(Buffer.from(COMMENT))), 'too_large'],
    }),
  })
})
