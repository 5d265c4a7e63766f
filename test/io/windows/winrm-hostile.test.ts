// Peers that mean ill, or are something else: each ends in a reason, in bounded time and memory.
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { MalformedMessage } from '../../../src/model/failure.ts'
import { failureOf, expectHandles, reasonOf, settledHandles, tcpPeer } from '../support.ts'
import { answerTo, enumerated, fragment, pulled, winrmPeer, type Heard } from './hostile-winrm.ts'
import {
  accessTo,
  basicCredential,
  HOST,
  PRODUCTS,
  readerOf,
  SERVICE,
  visitOf,
  winrmPool,
} from './winrm-support.ts'

const RUNNING = fragment('<Name>sppsvc</Name><State>Running</State>')

describe('a hostile peer', () => {
  it('that drips its answer is cut off by the deadline', async () => {
    const peer = await winrmPeer(({ messageId, response }) => {
      response.writeHead(200, { 'content-type': 'application/soap+xml' })
      const text = answerTo(messageId, enumerated(RUNNING))
      let at = 0
      const drip = setInterval(() => response.write(text[at++] ?? ''), 20)
      response.on('close', () => clearInterval(drip))
    })
    expect(await reasonOf((await readerOf(peer.url, { seconds: 0.5 })).query(SERVICE))).toBe('timeout')
  })

  it('that sends without end is cut off by its length', async () => {
    let sent = 0
    const peer = await winrmPeer(({ response }) => {
      response.writeHead(200, { 'content-type': 'application/soap+xml' })
      const block = ' '.repeat(64 * 1024)
      const more = (): void => {
        while (!response.destroyed && sent < 1 << 30) {
          sent += block.length
          if (!response.write(block)) return void response.once('drain', more)
        }
      }
      more()
    })
    expect(await reasonOf((await readerOf(peer.url)).query(SERVICE))).toBe('too_large')
    expect(sent).toBeLessThan(32 * 1024 * 1024)
  })

  it('that brings entities along is not read', async () => {
    const bomb = Array.from({ length: 9 }, (_, n) => `<!ENTITY a${n + 1} "${`&a${n};`.repeat(10)}">`).join('')
    const peer = await winrmPeer(({ messageId, response }) => {
      response.writeHead(200, { 'content-type': 'application/soap+xml' })
      response.end(`<!DOCTYPE x [<!ENTITY a0 "a">${bomb}]>${answerTo(messageId, enumerated(RUNNING))}`)
    })
    const reading = (await readerOf(peer.url)).query(SERVICE)
    await expect(reading).rejects.toThrow('a document type is not accepted')
  })

  it.each([
    ['answers another question', () => answerTo('uuid:OTHER', enumerated(RUNNING)), 'another question'],
    [
      'cuts an answer off',
      (heard: Heard) => answerTo(heard.messageId, enumerated(RUNNING)).slice(0, -20),
      'well-formed',
    ],
    [
      'says neither the end nor how to go on',
      (heard: Heard) =>
        answerTo(heard.messageId, `<n:EnumerateResponse><w:Items>${RUNNING}</w:Items></n:EnumerateResponse>`),
      'neither the end',
    ],
    ['sends a page of HTML as SOAP', () => '<html><body>Login</body></html>', 'not a SOAP envelope'],
    [
      'answers Enumerate with a Pull',
      (heard: Heard) => answerTo(heard.messageId, pulled(RUNNING)),
      'not an answer',
    ],
    ['sends bytes that are no UTF-8', () => Buffer.from([0x3c, 0xff, 0xfe]), 'UTF-8'],
  ])('that %s is malformed, and its connection is not used again', async (_name, body, words) => {
    const peer = await winrmPeer((heard) => {
      heard.response.writeHead(200, { 'content-type': 'application/soap+xml' }).end(body(heard))
    })
    const reader = await readerOf(peer.url)
    await expect(reader.query(SERVICE)).rejects.toThrow(words)
    await expect(reader.query(SERVICE)).rejects.toThrow(MalformedMessage)
    expect(peer.connections).toBe(2)
  })

  it('that answers with a web page is no WinRM', async () => {
    const peer = await winrmPeer(({ response }) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>Welcome</body></html>')
    })
    expect(await failureOf((await readerOf(peer.url)).query(SERVICE))).toMatchObject({
      reason: 'protocol_error',
      message: expect.stringContaining('not WinRM'),
    })
  })

  it('that promises more and never sends any is left', async () => {
    const peer = await winrmPeer((heard) =>
      heard.say(heard.kind === 'Enumerate' ? enumerated('', 'uuid:1') : pulled('', 'uuid:1')),
    )
    expect(await reasonOf((await readerOf(peer.url)).query(PRODUCTS))).toBe('protocol_error')
    expect(peer.heard.length).toBeLessThan(10)
  })

  it('that sends row after row without end is left after ten thousand', async () => {
    const hundred = '<w:XmlFragment><ID>1</ID></w:XmlFragment>'.repeat(100)
    const peer = await winrmPeer((heard) =>
      heard.say(heard.kind === 'Enumerate' ? enumerated(hundred, 'uuid:1') : pulled(hundred, 'uuid:1')),
    )
    const { rows, complete } = await (await readerOf(peer.url, { seconds: 20 })).query(PRODUCTS)
    expect([rows.length, complete]).toEqual([10_000, false])
    expect(peer.heard.at(-1)?.kind).toBe('Release')
  }, 30_000)

  it('that closes at once, or says nothing of HTTP, has a reason', async () => {
    const { credential } = await basicCredential()
    const acts: ((socket: Socket) => void)[] = [
      (socket) => socket.destroy(),
      (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'),
    ]
    const reasons = []
    for (const act of acts) {
      const { port } = await tcpPeer(act)
      const access = accessTo(`http://127.0.0.1:${port}/wsman`, credential)
      reasons.push(await reasonOf(winrmPool().open(HOST, access, visitOf())))
    }
    expect(reasons[0]).toBe('connect_reset')
    expect(reasons[1]).toMatch(/protocol_error|connect_reset/)
  })

  it('leaves nothing open behind', async () => {
    const before = await settledHandles()
    const peer = await winrmPeer(({ response }) => void response.writeHead(200).write('<s:'))
    const { credential } = await basicCredential()
    const pool = winrmPool()
    const visit = visitOf(0.2)
    const reader = await pool.open(HOST, accessTo(peer.url, credential), visit)
    expect(await reasonOf(reader.query(SERVICE))).toBe('timeout')
    visit.deadline.close()
    await peer.stop()
    await expectHandles(before)
  })
})
