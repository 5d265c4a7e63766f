// The clock by HTTP Date and by an NTLM challenge: the head of an answer is all that the one needs, and what is in it of
// the other.
import { afterAll, beforeAll, describe, it } from 'vitest'
import { startHttp } from '../../src/lab/http.ts'
import type { Listener } from '../../src/lab/listener.ts'
import { LOOPBACK } from '../io/support.ts'
import { cuts, expectEnds, streams, usual, type Way } from './asked.ts'
import { others } from './others.ts'
import { afterQuestion, bytesOf, drip, edited, end, flood, reset, say, silence } from './proxy.ts'

let http: Listener
const ways = {} as Record<'http' | 'ntlm', Way<'clock'>>
beforeAll(async () => {
  http = await startHttp(
    { name: 'kms01.corp.example', clock: Date.now, metricsPage: () => undefined },
    LOOPBACK,
  )
  for (const source of ['http', 'ntlm'] as const)
    ways[source] = {
      probe: 'clock',
      good: http,
      document: ({ port }) => ({
        hosts: [
          {
            name: 'kms01.corp.example',
            connect_to: '127.0.0.1',
            probes: { clock: { sources: [source], ports: { [source]: port } } },
          },
        ],
        domains: [],
      }),
      word: ({ samples: [sample] }) =>
        sample !== undefined && sample.offset.low < 2 && sample.offset.high > -2 ? 'good' : 'another time',
      // A Date is asked for again and again as long as there is time.
      ...(source === 'http' && { timeoutSeconds: 4 }),
    }
})
afterAll(() => http.stop())

const OK = 'HTTP/1.1 200 OK\r\n'
const dated = (): string => `Date: ${new Date().toUTCString()}\r\n`

describe('by Date', () => {
  it('drips, floods, half-closes', async () => {
    await expectEnds(ways.http, {
      ...usual(http, { silent: 'timeout', closed: 'connect_reset', zeros: 'protocol_error' }),
      ...streams(http, {
        'a line, a byte at a time, for ever': [
          afterQuestion(drip(bytesOf('HTTP/1.1 200 OKk'), 30)),
          'timeout',
        ],
        'header lines for ever': [afterQuestion(say(OK, drip(['X: y\r\n'], 30))), 'timeout'],
        'header lines without end': [
          afterQuestion(say(OK, flood(Buffer.from('X: y\r\n'.repeat(5000))))),
          'too_large',
        ],
        'one header line without end': [
          afterQuestion(say(`${OK}X: `, flood(Buffer.alloc(65_536, 'y')))),
          'too_large',
        ],
        'a line without end': [
          afterQuestion(say('HTTP/1.1 200 ', flood(Buffer.alloc(65_536, 'y')))),
          'too_large',
        ],
        'empty lines without end': [afterQuestion(flood(Buffer.from('\r\n'.repeat(30_000)))), 'too_large'],
        '103 Early Hints without end': [
          afterQuestion(flood(Buffer.from('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(1000)))),
          'too_large',
        ],
        '100 Continue, unasked': [
          afterQuestion(flood(Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'))),
          'connect_reset',
        ],
        '101 Switching Protocols, unasked': [
          afterQuestion(say('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n')),
          'connect_reset',
        ],
      }),
    })
  })

  it('says something else', async () => {
    const head = (lines: string) =>
      afterQuestion((client) => say(`${OK}${lines}Content-Length: 0\r\n\r\n`)(client))
    await expectEnds(ways.http, {
      ...others({
        'an RPC server': 'connect_reset',
        'an SMB2 server': 'connect_reset',
        'a DNS server': 'timeout',
      }),
      ...streams(http, {
        'no Date': [head(''), 'not_found'],
        'a redirect to itself, without Date': [
          afterQuestion(say('HTTP/1.1 302 Found\r\nLocation: /wsman\r\nContent-Length: 0\r\n\r\n')),
          'not_found',
        ],
        'a Date that is none': [head('Date: yesterday\r\n'), 'not_found'],
        'two Dates': [head(`${dated()}${dated()}`), 'not_found'],
        'a Date of the year 1601': [head('Date: Mon, 01 Jan 1601 00:00:00 GMT\r\n'), 'not_found'],
        'a Date of 40 KB': [head(`Date: ${'0'.repeat(40_000)}\r\n`), 'too_large'],
        'HTTP/0.9': [afterQuestion(say('<html>hello</html>', end)), 'protocol_error'],
        'HTTP/9.9': [afterQuestion(say(`HTTP/9.9 200 OK\r\n${dated()}\r\n`)), 'protocol_error'],
        'a status of -1': [afterQuestion(say(`HTTP/1.1 -1 OK\r\n${dated()}\r\n`)), 'protocol_error'],
        'a status of 99999': [afterQuestion(say(`HTTP/1.1 99999 OK\r\n${dated()}\r\n`)), 'protocol_error'],
        'a NUL in a header': [head(`X: a\0b\r\n${dated()}`), 'protocol_error'],
        'two lengths': [head(`${dated()}Content-Length: 5\r\n`), 'protocol_error'],
        'our own question': [(client) => void client.pipe(client), 'protocol_error'],
      }),
    })
  })
})

describe('by NTLM', () => {
  it.each([
    ['resets', reset, 'connect_reset'],
    ['ends', end, 'connect_reset'],
    ['goes silent', silence, 'timeout'],
  ] as const)('%s at every byte of the answer', async (_what, act, word) => {
    await expectEnds(ways.ntlm, await cuts(ways.ntlm, act, word))
  })

  /** The challenge that the lab gives, changed. */
  const token = (change: (challenge: Buffer) => Buffer) =>
    edited((answer) => {
      const text = answer.toString('latin1')
      return Buffer.from(
        text.replace(/Negotiate ([\w+/=]+)/, (_all, base64: string) => {
          return `Negotiate ${change(Buffer.from(base64, 'base64')).toString('base64')}`
        }),
        'latin1',
      )
    })
  const patch = (at: number, hex: string) =>
    token((challenge) => {
      challenge.write(hex, at, 'hex')
      return challenge
    })
  /** Where the target information begins, and its last pairs: the time, and the end. */
  const infoAt = (challenge: Buffer): number => challenge.readUInt32LE(44)
  const timeAt = (challenge: Buffer): number => challenge.length - 4 - 12

  it('lies about lengths', async () => {
    await expectEnds(
      ways.ntlm,
      streams(http, {
        'a target of 65535 bytes': [patch(12, 'ffff'), 'protocol_error'],
        'a target far outside': [patch(16, 'ffffffff'), 'protocol_error'],
        'target information of 65535 bytes': [patch(40, 'ffff'), 'protocol_error'],
        'target information of no bytes': [patch(40, '0000'), 'not_found'],
        'target information far outside': [patch(44, 'ffffffff'), 'protocol_error'],
        'target information at the head': [patch(44, '00000000'), 'protocol_error'],
        'a first value of 65535 bytes': [
          token((challenge) => {
            challenge.writeUInt16LE(65_535, infoAt(challenge) + 2)
            return challenge
          }),
          'protocol_error',
        ],
        'a time of 7 bytes': [
          token((challenge) => {
            challenge.writeUInt16LE(7, timeAt(challenge) + 2)
            return challenge
          }),
          'protocol_error',
        ],
        'a time of 0 bytes': [
          token((challenge) => {
            challenge.writeUInt16LE(0, timeAt(challenge) + 2)
            return challenge
          }),
          'protocol_error',
        ],
        'no end': [
          token((challenge) => {
            challenge.writeUInt16LE(9, challenge.length - 4)
            return challenge
          }),
          'protocol_error',
        ],
        'a time of -1': [
          token((challenge) => {
            challenge.fill(0xff, timeAt(challenge) + 4, challenge.length - 4)
            return challenge
          }),
          'not_found',
        ],
        'cut short': [token((challenge) => challenge.subarray(0, 50)), 'protocol_error'],
        '30 KB of it': [token((challenge) => Buffer.concat([challenge, Buffer.alloc(15_000)])), 'not_found'],
      }),
    )
  })

  it("gives another's answer", async () => {
    await expectEnds(ways.ntlm, {
      ...usual(http, { silent: 'timeout', closed: 'connect_reset', zeros: 'protocol_error' }),
      ...others({
        'an RPC server': 'connect_reset',
        'an SMB2 server': 'connect_reset',
        'a DNS server': 'timeout',
      }),
      ...streams(http, {
        'our own token': [patch(8, '01000000'), 'protocol_error'],
        'an AUTHENTICATE message': [patch(8, '03000000'), 'protocol_error'],
        'a Kerberos token': [token(() => Buffer.from('6082010006092a864886f712010202', 'hex')), 'not_found'],
        'no token': [
          edited((answer) =>
            Buffer.from(answer.toString('latin1').replace(/Negotiate [\w+/=]+/, 'Negotiate'), 'latin1'),
          ),
          'not_found',
        ],
        'a thousand offers': [
          edited((answer) =>
            Buffer.from(
              answer.toString('latin1').replace(/Negotiate [\w+/=]+/, 'Basic, '.repeat(3000)),
              'latin1',
            ),
          ),
          'not_found',
        ],
        'a body without end': [
          afterQuestion(
            say(
              `HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n`,
              flood(Buffer.from(`8000\r\n${'x'.repeat(0x8000)}\r\n`)),
            ),
          ),
          'too_large',
        ],
      }),
    })
  })
})
