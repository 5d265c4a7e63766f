// WinRM: what can be wrong on its connection, in its messages, and in an enumeration that is to be pulled on and on.
import { createServer, request as ask } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listenServer } from '../../src/lab/listener.ts'
import { envelope, item, pullResponse, readEnvelope, type Asked } from '../../src/lab/soap.ts'
import { kmsHost } from '../../src/lab/windows-machine.ts'
import { READER, startWinrm, type WinrmServer } from '../../src/lab/winrm.ts'
import { LOOPBACK } from '../io/support.ts'
import { cuts, expectEnds, usual, type Way, type Word, type Wrongs } from './asked.ts'
import { others } from './others.ts'
import { end, reset, silence, type Peer } from './proxy.ts'

const PASSWORD_VARIABLE = 'WINKMS_HOSTILE_WINRM_PASSWORD'
const ENUMERATION = 'http://schemas.xmlsoap.org/ws/2004/09/enumeration'

let winrm: WinrmServer
let way: Way<'clock'>
beforeAll(async () => {
  process.env[PASSWORD_VARIABLE] = READER.password
  winrm = await startWinrm(kmsHost({ name: 'kms01.corp.example' }), LOOPBACK)
  way = {
    probe: 'clock',
    good: winrm,
    document: ({ port }) => ({
      hosts: [
        {
          name: 'kms01.corp.example',
          connect_to: '127.0.0.1',
          windows: {
            via: 'winrm',
            url: `http://127.0.0.1:${port}/wsman`,
            credentials: 'reader',
            allow_unencrypted: true,
          },
          probes: { clock: { sources: ['cim'] } },
        },
      ],
      domains: [],
      credentials: { reader: { auth: 'basic', username: READER.username, password_env: PASSWORD_VARIABLE } },
    }),
    word: ({ samples }) => (samples.length === 1 ? 'good' : 'no time'),
  }
})
afterAll(async () => {
  await winrm.stop()
  delete process.env[PASSWORD_VARIABLE]
})

interface Said {
  readonly status?: number
  readonly type?: string
  readonly text: string
}

/** What is said in place of the good answer to all but Identify; nth is the how manieth, from 0. */
type Edit = (answer: string, asked: Asked, nth: number) => Said | string

async function startEdited(edit: Edit): Promise<Peer> {
  let nth = 0
  const server = createServer((question, response) => {
    const pieces: Buffer[] = []
    question.on('data', (piece: Buffer) => pieces.push(piece))
    question.on('end', () => {
      const body = Buffer.concat(pieces)
      const behind = ask({
        host: winrm.address,
        port: winrm.port,
        path: '/wsman',
        method: 'POST',
        headers: question.headers,
        agent: false,
      })
      behind.on('response', (answer) => {
        const parts: Buffer[] = []
        answer.on('data', (part: Buffer) => parts.push(part))
        answer.on('end', () => {
          const good = Buffer.concat(parts).toString('utf8')
          const asked = readEnvelope(body.toString('utf8'))
          const told = asked === undefined || asked.isIdentify ? good : edit(good, asked, nth++)
          const {
            status = 200,
            type = 'application/soap+xml;charset=UTF-8',
            text,
          } = typeof told === 'string' ? { text: told } : told
          response.writeHead(status, { 'Content-Type': type }).end(text)
        })
      })
      behind.on('error', () => response.destroy())
      behind.end(body)
    })
  })
  const at = await listenServer(server, LOOPBACK)
  return { at, stop: () => at.stop() }
}

const edits = (rows: Readonly<Record<string, readonly [Edit, Word]>>): Wrongs =>
  Object.fromEntries(
    Object.entries(rows).map(([name, [edit, word]]) => [name, [() => startEdited(edit), word]]),
  )

it('drips, floods, half-closes', async () => {
  await expectEnds(
    way,
    // What is wrong comes with, or behind, the answer to the first question of two.
    usual(winrm, {
      silent: 'timeout',
      closed: 'connect_reset',
      zeros: 'protocol_error',
      afterwards: /^(?:connect_reset|protocol_error)$/,
    }),
  )
})

it.each([
  ['resets', reset, /^(?:connect_reset|protocol_error)$/],
  ['ends', end, /^(?:connect_reset|protocol_error)$/],
  ['goes silent', silence, 'timeout'],
] as const)('%s in the middle of the answers', async (_what, act, word) => {
  await expectEnds(way, await cuts(way, act, word, { most: 100, spare: 1 }))
})

it('gives the answer to another question', async () => {
  const relates =
    (to: string): Edit =>
    (answer) =>
      answer.replace(/(<a:RelatesTo>)[^<]*/, `$1${to}`)
  let last = ''
  await expectEnds(way, {
    ...others({
      'an RPC server': 'connect_reset',
      'an SMB2 server': 'connect_reset',
      'a DNS server': 'timeout',
    }),
    ...edits({
      'to another message': [relates('uuid:00000000-0000-0000-0000-000000000000'), 'protocol_error'],
      'to no message': [(answer) => answer.replace(/<a:RelatesTo>.*?<\/a:RelatesTo>/, ''), 'protocol_error'],
      'to its own message': [
        (answer) => answer.replace(/(<a:RelatesTo>)[^<]*/, `$1${/<a:MessageID>([^<]*)/.exec(answer)?.[1]}`),
        'protocol_error',
      ],
      'in the letters of another case': [
        (answer) =>
          answer.replace(/<a:RelatesTo>[^<]*/, (all) => all.replace(/uuid:.*/, (id) => id.toLowerCase())),
        'good',
      ],
      'to the question before': [
        (answer, asked) => {
          const before = last === '' ? answer.replace(asked.messageId ?? '', 'uuid:none') : last
          last = answer
          return before
        },
        'protocol_error',
      ],
      'a PullResponse to an Enumerate': [
        (answer) => answer.replaceAll('n:EnumerateResponse', 'n:PullResponse'),
        'protocol_error',
      ],
      'an IdentifyResponse': [
        () => '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body/></s:Envelope>',
        'protocol_error',
      ],
      HTML: [() => ({ type: 'text/html', text: '<html>Log in</html>' }), 'protocol_error'],
      'HTML that calls itself SOAP': [() => '<html>Log in</html>', 'protocol_error'],
      nothing: [() => '', 'protocol_error'],
      'a sealed message, unasked': [
        (answer) => ({ type: 'multipart/encrypted;boundary="Encrypted Boundary"', text: answer }),
        /^(?:protocol_error|good)$/,
      ],
      '401, after it was good': [() => ({ status: 401, text: '' }), 'auth_failed'],
      '500 without a word': [() => ({ status: 500, text: '' }), 'protocol_error'],
      'a redirect': [() => ({ status: 302, text: '' }), 'protocol_error'],
    }),
  })
})

it('never ends', async () => {
  const row = item('Win32_OperatingSystem', ['LocalDateTime'], { LocalDateTime: new Date() })
  /** The first answer promises more; what comes then is told by the row. */
  const pulled =
    (answer: (asked: Asked, nth: number) => string): Edit =>
    (good, asked, nth) =>
      nth === 0
        ? good
            .replace(
              /<n:EnumerationContext\/>|<n:EnumerationContext>[^<]*<\/n:EnumerationContext>/,
              '<n:EnumerationContext>uuid:1</n:EnumerationContext>',
            )
            .replace('<w:EndOfSequence/>', '')
        : envelope(asked, `${ENUMERATION}/PullResponse`, answer(asked, nth))
  await expectEnds(
    way,
    edits({
      'a row at a time, with another context each': [
        pulled((_asked, nth) => pullResponse(row, `uuid:${nth}`)),
        /^(?:too_large|timeout)$/,
      ],
      'a row at a time, with the same context': [
        pulled(() => pullResponse(row, 'uuid:1')),
        /^(?:too_large|timeout)$/,
      ],
      'no rows at all': [pulled(() => pullResponse('', 'uuid:1')), 'protocol_error'],
      // Ten thousand are read, and the first was all that was asked for.
      'a thousand rows at a time': [pulled(() => pullResponse(row.repeat(1000), 'uuid:1')), 'good'],
      'rows of 250 KB': [
        pulled(() => pullResponse(item('X', ['a'], { a: 'x'.repeat(250_000) }), 'uuid:1')),
        'too_large',
      ],
      'a context of 100 KB': [pulled(() => pullResponse(row, 'x'.repeat(100_000))), 'protocol_error'],
      'neither an end nor a context': [
        pulled(() => `<n:PullResponse><n:Items>${row}</n:Items></n:PullResponse>`),
        'protocol_error',
      ],
      'an empty context': [pulled(() => pullResponse(row, '')), 'protocol_error'],
      'an Enumerate’s answer to each Pull': [
        pulled(
          () =>
            `<n:EnumerateResponse><n:EnumerationContext>uuid:1</n:EnumerationContext></n:EnumerateResponse>`,
        ),
        'protocol_error',
      ],
    }),
  )
})

it('lies about lengths, in XML', async () => {
  const inside =
    (what: string): Edit =>
    (answer) =>
      answer.replace('</s:Body>', `${what}</s:Body>`)
  await expectEnds(
    way,
    edits({
      'a document type that multiplies': [
        (answer) =>
          `<!DOCTYPE x [<!ENTITY a "${'b'.repeat(1000)}"><!ENTITY b "${'&a;'.repeat(1000)}">]>${answer}`,
        'protocol_error',
      ],
      'a hundred thousand elements deep': [inside('<a>'.repeat(100_000)), 'protocol_error'],
      'a hundred thousand elements': [inside('<a/>'.repeat(100_000)), /^(?:protocol_error|too_large)$/],
      'an attribute of 100 KB': [inside(`<a b="${'x'.repeat(100_000)}"/>`), 'protocol_error'],
      'text of a megabyte': [inside('x'.repeat(1_000_000)), 'too_large'],
      'half an answer': [(answer) => answer.slice(0, answer.length / 2), 'protocol_error'],
      'an answer twice': [(answer) => answer + answer, 'protocol_error'],
      'an answer within an answer': [
        (answer) => inside(answer)(answer, readEnvelope(answer) as Asked, 0),
        /^(?:protocol_error|good)$/,
      ],
    }),
  )
  expect(winrm.asked.length).toBeGreaterThan(0)
})
