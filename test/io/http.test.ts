import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest'
import { systemClock } from '../../src/io/clock.ts'
import {
  openConnection,
  openHttp,
  type HttpAnswer,
  type HttpPeer,
  type HttpRequest,
} from '../../src/io/http.ts'
import { BAD_TCP_PEERS, startBadPeer } from '../../src/lab/bad-peer.ts'
import { listenServer, type Listener } from '../../src/lab/listener.ts'
import {
  makeCertificate,
  type CertificateFiles,
  type CertificateOptions,
} from '../real/servers/certificate.ts'
import { realServer } from '../real/servers/need.ts'
import { during } from '../during.ts'
import {
  AMPLE_SECONDS,
  closedPort,
  deadlineOf,
  expectHandles,
  failureOf,
  LOOPBACK,
  reasonOf,
  tcpPeer,
} from './support.ts'

const GET: HttpRequest = { method: 'GET', path: '/metrics' }
const HEAD: HttpRequest = { method: 'HEAD', path: '/wsman' }
const ENOUGH = 1 << 20

function serve(listener: RequestListener): Promise<Listener> {
  return during(listenServer(createServer(listener), LOOPBACK))
}

/** Says this, whatever it is asked, and then closes or stays. */
function says(text: string, then: 'closes' | 'stays' = 'stays'): Promise<Listener> {
  return tcpPeer((socket) => {
    socket.once('data', () => (then === 'closes' ? socket.end(text, 'latin1') : socket.write(text, 'latin1')))
  })
}

function open(endpoint: Listener, rest: Partial<HttpPeer> = {}, seconds = AMPLE_SECONDS) {
  return openHttp({ endpoint, host: 'kms01.corp.example', ...rest }, deadlineOf(seconds), systemClock)
}

async function ask(
  endpoint: Listener,
  request = GET,
  most = ENOUGH,
  seconds = AMPLE_SECONDS,
): Promise<HttpAnswer> {
  const session = await open(endpoint, {}, seconds)
  return session.ask(request, most)
}

describe('a request', () => {
  it('carries the path, the host and the headers, and brings back status, headers and body', async () => {
    const seen: IncomingMessage[] = []
    const peer = await serve((request, response) => {
      seen.push(request)
      response
        .writeHead(401, { 'WWW-Authenticate': 'Negotiate', Date: 'Tue, 15 Nov 1994 08:12:31 GMT' })
        .end('n\u00f6')
    })
    const answer = await ask(peer, {
      method: 'POST',
      path: '/wsman?x=1',
      headers: { 'content-length': '0', accept: 'a/b' },
    })
    expect(answer).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Negotiate', date: 'Tue, 15 Nov 1994 08:12:31 GMT' },
      body: Buffer.from('n\u00f6'),
    })
    expect(seen[0]).toMatchObject({
      method: 'POST',
      url: '/wsman?x=1',
      headers: { host: `kms01.corp.example:${peer.port}`, accept: 'a/b' },
    })
  })

  it('is timed from before it is sent until its headers are there, not until its body is', async () => {
    let respond = (): void => {}
    const peer = await serve((_request, response) => {
      response.writeHead(200).write('first ')
      respond = () => response.end('second')
    })
    const times: number[] = []
    const clock = {
      ...systemClock,
      monotonicSeconds() {
        times.push(performance.now())
        if (times.length === 4) respond()
        return times.length
      },
    }
    const session = await openHttp({ endpoint: peer, host: 'x' }, deadlineOf(AMPLE_SECONDS), clock)
    const answer = await session.ask(GET, ENOUGH)
    expect(session.connectSeconds).toBe(1)
    expect([answer.sent.monotonicSeconds, answer.received.monotonicSeconds]).toEqual([3, 4])
    expect(String(answer.body)).toBe('first second')
  })

  it('by HEAD has no body, and the next one uses the same connection', async () => {
    let connections = 0
    const server = createServer((request, response) =>
      response.writeHead(404).end(`${request.method} ${request.url}`),
    )
    server.on('connection', () => connections++)
    const session = await open(await during(listenServer(server, LOOPBACK)))
    const bodies = []
    for (const request of [HEAD, GET, HEAD, { ...GET, path: '/again' }])
      bodies.push(String((await session.ask(request, ENOUGH)).body))
    expect(bodies).toEqual(['', 'GET /metrics', '', 'GET /again'])
    expect(connections).toBe(1)
  })

  it('never follows a redirect', async () => {
    let asked = 0
    const peer = await serve((_request, response) => {
      asked++
      response.writeHead(302, { Location: '/elsewhere' }).end()
    })
    expect(await ask(peer)).toMatchObject({ status: 302, headers: { location: '/elsewhere' } })
    expect(asked).toBe(1)
  })

  it('never opens a second connection', async () => {
    let connections = 0
    const server = createServer((_request, response) =>
      response.writeHead(200, { Connection: 'close' }).end('bye'),
    )
    server.on('connection', () => connections++)
    const session = await open(await during(listenServer(server, LOOPBACK)))
    expect(String((await session.ask(GET, ENOUGH)).body)).toBe('bye')
    expect(await reasonOf(session.ask(GET, ENOUGH))).toBe('connect_reset')
    expect(connections).toBe(1)
  })

  it('takes a body of exactly the most bytes, and none that is larger', async () => {
    const peer = await serve((_request, response) => response.end('x'.repeat(1_000)))
    expect(String((await ask(peer, GET, 1_000)).body)).toHaveLength(1_000)
    expect(await failureOf(ask(peer, GET, 999))).toMatchObject({
      reason: 'too_large',
      message: expect.stringContaining('999 bytes'),
    })
  })

  it.each([
    ['headers', 'HTTP/1.1 200 OK\r\nX: y'],
    ['header lines', 'HTTP/1.1 200 OK\r\n'],
    ['a body', 'HTTP/1.1 200 OK\r\n\r\n'],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ])('with endless %s ends, with bounded memory', async (what, start) => {
    const chunk = {
      headers: 'y'.repeat(4096),
      'header lines': 'a: b\r\n'.repeat(1000),
      'a body': 'y'.repeat(4096),
      chunks: `fff\r\n${'y'.repeat(0xfff)}\r\n`,
    }[what]
    const peer = await tcpPeer((socket) => {
      socket.write(start)
      const more = (): void => {
        while (!socket.destroyed && socket.write(chunk ?? ''));
      }
      socket.on('drain', more)
      more()
    })
    const before = process.memoryUsage().rss
    expect(await reasonOf(ask(peer, GET, ENOUGH))).toBe('too_large')
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20)
  })
})

describe('what is no whole HTTP answer', () => {
  const OK = 'HTTP/1.1 200 OK\r\n'
  it.each([
    ['a greeting of another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', 'protocol_error'],
    ['bytes', '\x05\x00\x0c\x03\x10\x00\x00\x00', 'protocol_error'],
    ['a status that is none', 'HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n', 'protocol_error'],
    ['a length that is none', `${OK}Content-Length: -3\r\n\r\nabc`, 'protocol_error'],
    ['two lengths', `${OK}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc`, 'protocol_error'],
    ['an absurd length', `${OK}Content-Length: 99999999999999999999\r\n\r\nabc`, 'protocol_error'],
    ['chunks that are none', `${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n`, 'protocol_error'],
    ['a header with a NUL', `${OK}X: \0\r\n\r\n`, 'protocol_error'],
    [
      'another protocol on offer',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
      'connect_reset',
    ],
  ] as const)('%s', async (_what, text, reason) => {
    expect(await reasonOf(ask(await says(text)))).toBe(reason)
  })

  it.each([
    ['nothing', '', 'connect_reset'],
    ['half a status line', 'HTTP/1.1 2', 'connect_reset'],
    ['half of the headers', `${OK}Content-`, 'connect_reset'],
    ['half a chunked body', `${OK}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`, 'connect_reset'],
    ['half a body', `${OK}Content-Length: 10\r\n\r\nabc`, 'connect_reset'],
    ['half a last body', `${OK}Connection: close\r\nContent-Length: 10\r\n\r\nabc`, 'protocol_error'],
  ] as const)('%s, and then the end', async (_what, text, reason) => {
    expect(await reasonOf(ask(await says(text, 'closes')))).toBe(reason)
  })

  it.each(['', 'HTTP/1.1 2', `${OK}Content-`, `${OK}Content-Length: 10\r\n\r\nabc`])(
    '%j, and then silence',
    async (text) => {
      const peer = await says(text === '' ? '\r' : text)
      expect(await failureOf(ask(peer, GET, ENOUGH, 0.2))).toMatchObject({
        reason: 'timeout',
        message: `127.0.0.1:${peer.port}: no whole HTTP answer`,
      })
    },
  )

  it.each(BAD_TCP_PEERS)('from a peer that is %s', async (kind) => {
    const peer = await during(startBadPeer(kind, LOOPBACK, { dripMilliseconds: 20 }))
    // One that answers 400 answers; all others do not.
    if (kind === 'http') expect(await ask(peer)).toMatchObject({ status: 400 })
    else
      expect(['timeout', 'connect_reset', 'protocol_error', 'too_large']).toContain(
        await reasonOf(ask(peer, GET, ENOUGH, 0.3)),
      )
  })
})

describe('a session', () => {
  it('is refused by a closed port', async () => {
    const attempt = openHttp(
      { endpoint: await closedPort(), host: 'x' },
      deadlineOf(AMPLE_SECONDS),
      systemClock,
    )
    expect(await reasonOf(attempt)).toBe('connect_refused')
  })

  it('ends with its deadline, whatever it is doing, and leaves no socket', async () => {
    await expectHandles({})
    const peer = await serve((request, response) => {
      if (request.url === '/idle') response.end()
      else if (request.url === '/body') response.write('half')
    })
    const deadline = deadlineOf(AMPLE_SECONDS)
    const session = () => openHttp({ endpoint: peer, host: 'x' }, deadline, systemClock)
    const [idle, silent, body] = await Promise.all([session(), session(), session()])
    await idle.ask({ ...GET, path: '/idle' }, ENOUGH)
    const waiting = [reasonOf(silent.ask(GET, ENOUGH)), reasonOf(body.ask({ ...GET, path: '/body' }, ENOUGH))]
    deadline.close()
    waiting.push(reasonOf(idle.ask(GET, ENOUGH)))
    expect(await Promise.all(waiting)).toEqual(['timeout', 'timeout', 'timeout'])
    await peer.stop()
    await expectHandles({})
  })
})

async function certified(
  context: TestContext,
  options: CertificateOptions,
): Promise<{ peer: Listener; files: CertificateFiles; ca: string }> {
  realServer(context, ['openssl'])
  const directory = await mkdtemp(join(tmpdir(), 'winkms-tls-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const files = await makeCertificate(directory, options)
  const [cert, key, ca] = await Promise.all(
    [files.certificateFile, files.keyFile, files.authorityFile].map((file) => readFile(file, 'utf8')),
  )
  if (cert === undefined || key === undefined || ca === undefined) throw new Error('no certificate')
  const server = createTlsServer({ cert, key }, (_request, response) => response.end('sealed'))
  return { peer: await during(listenServer(server, LOOPBACK)), files, ca }
}

const DAY_MILLISECONDS = 86_400_000
const days = (count: number): Date => new Date(Date.now() + count * DAY_MILLISECONDS)

describe('TLS', () => {
  it.for([
    ['the name asked for', 'DNS:kms01.corp.example', 'kms01.corp.example', undefined],
    ['the address asked for', 'IP:127.0.0.1', '127.0.0.1', undefined],
    ['the name configured', 'DNS:other.example', 'kms01.corp.example', 'other.example'],
  ] as const)('is trusted with a certificate for %s', async ([, name, host, serverName], context) => {
    const { peer, ca } = await certified(context, { names: [name] })
    const session = await open(peer, { host, tls: { ca, serverName } })
    expect(String((await session.ask(GET, ENOUGH)).body)).toBe('sealed')
    expect(String((await session.ask(GET, ENOUGH)).body)).toBe('sealed')
  })

  it.for([
    ['an authority unknown here', {}, 'own', 'tls_untrusted'],
    ['a certificate for another name', { names: ['DNS:other.example'] }, 'given', 'tls_untrusted'],
    ['an expired certificate', { notBefore: days(-30), notAfter: days(-1) }, 'given', 'tls_expired'],
    ['a certificate of the future', { notBefore: days(1), notAfter: days(9) }, 'given', 'tls_expired'],
  ] as const)('fails with %s', async ([, options, trust, reason], context) => {
    const { peer, ca } = await certified(context, { names: ['DNS:kms01.corp.example'], ...options })
    const tls = trust === 'given' ? { ca } : {}
    expect(await reasonOf(open(peer, { tls }))).toBe(reason)
  })

  it('fails, and not by our own fault, with a certificate that is for no server', async (context) => {
    const { files, ca } = await certified(context, {})
    // The authority's own certificate, shown as a server's: its key may sign certificates only.
    const cert = await readFile(files.authorityFile, 'utf8')
    const key = await readFile(join(files.keyFile, '..', 'authority.key'), 'utf8')
    const server = createTlsServer({ cert, key }, (_request, response) => response.end('sealed'))
    const peer = await during(listenServer(server, LOOPBACK))
    expect(await reasonOf(open(peer, { tls: { ca } }))).toMatch(/^tls_/)
  })

  it.each(BAD_TCP_PEERS)('fails with a peer that is %s', async (kind) => {
    const peer = await during(startBadPeer(kind, LOOPBACK, { dripMilliseconds: 20 }))
    expect(['tls_failed', 'connect_reset', 'timeout']).toContain(await reasonOf(open(peer, { tls: {} }, 0.3)))
  })

  it('is not spoken to a server that speaks plain HTTP', async () => {
    const peer = await serve((_request, response) => response.end())
    expect(await reasonOf(open(peer, { tls: {} }))).toBe('tls_failed')
  })

  it('ends with its deadline, also amid the handshake, and leaves no socket', async () => {
    await expectHandles({})
    const peer = await during(startBadPeer('silent', LOOPBACK))
    expect(await failureOf(open(peer, { tls: {} }, 0.1))).toMatchObject({
      reason: 'timeout',
      message: expect.stringContaining('TLS handshake'),
    })
    await peer.stop()
    await expectHandles({})
  })
})

describe('a connection that outlives its visit', () => {
  const hold = (endpoint: Listener, seconds = AMPLE_SECONDS) =>
    openConnection({ endpoint, host: 'kms01.corp.example' }, deadlineOf(seconds), systemClock)

  const asks = (connection: Awaited<ReturnType<typeof hold>>, seconds = AMPLE_SECONDS) =>
    connection.ask({ method: 'POST', path: '/wsman', body: 'x' }, ENOUGH, deadlineOf(seconds))

  it('serves later visits, each with its own deadline, and counts its answers', async () => {
    const peer = await serve((_request, response) => response.end('answer'))
    const opening = deadlineOf(AMPLE_SECONDS)
    const connection = await openConnection({ endpoint: peer, host: 'x' }, opening, systemClock)
    opening.close()
    expect([connection.closed, connection.answered]).toEqual([false, 0])
    for (const count of [1, 2, 3]) {
      const deadline = deadlineOf(AMPLE_SECONDS)
      const answer = await connection.ask({ method: 'POST', path: '/wsman', body: 'x' }, ENOUGH, deadline)
      deadline.close()
      expect(String(answer.body)).toBe('answer')
      expect([connection.closed, connection.answered]).toEqual([false, count])
    }
    connection.close()
    expect(connection.closed).toBe(true)
    expect(await reasonOf(asks(connection))).toBe('connect_reset')
  })

  it('is closed by a deadline that ends amid an answer, and by nothing asked before', async () => {
    let question = 0
    const peer = await serve((_request, response) => {
      if (++question === 1) response.end('answer')
      else response.write('half of')
    })
    const connection = await hold(peer)
    await asks(connection)
    expect(await reasonOf(asks(connection, 0.1))).toBe('timeout')
    expect([connection.closed, connection.answered]).toEqual([true, 2])
  })

  it('is not asked when no time is left, and stays', async () => {
    const peer = await serve((_request, response) => response.end('answer'))
    const connection = await hold(peer)
    const over = deadlineOf(AMPLE_SECONDS)
    over.close()
    expect(await reasonOf(connection.ask(GET, ENOUGH, over))).toBe('timeout')
    expect(connection.closed).toBe(false)
    expect(String((await asks(connection)).body)).toBe('answer')
    connection.close()
  })

  it('knows at once that an answer was the last, and that nobody answered what was hung up on', async () => {
    const last = await serve((_request, response) => response.setHeader('connection', 'close').end('bye'))
    const closing = await hold(last)
    expect(String((await asks(closing)).body)).toBe('bye')
    expect([closing.closed, closing.answered]).toEqual([true, 1])
    const rude = await serve((request) => request.socket.destroy())
    const cut = await hold(rude)
    expect(await reasonOf(asks(cut))).toBe('connect_reset')
    expect([cut.closed, cut.answered]).toEqual([true, 0])
  })

  it('notices that the peer closed it while it stood idle', async () => {
    const server = createServer((_request, response) => response.end('answer'))
    const peer = await during(listenServer(server, LOOPBACK))
    const connection = await hold(peer)
    await asks(connection)
    server.closeIdleConnections()
    await expect.poll(() => connection.closed).toBe(true)
    expect(await reasonOf(asks(connection))).toBe('connect_reset')
    expect(connection.answered).toBe(1)
  })

  it('is closed after an answer that is too large', async () => {
    const peer = await serve((_request, response) => response.end('x'.repeat(2_000)))
    const connection = await hold(peer)
    const request = { method: 'POST', path: '/', body: 'x' } as const
    expect(await reasonOf(connection.ask(request, 1_000, deadlineOf(AMPLE_SECONDS)))).toBe('too_large')
    expect(connection.closed).toBe(true)
  })

  it("has the peer's certificate, and shows ours to who asks for it", async (context) => {
    const { files, ca } = await certified(context, { names: ['DNS:kms01.corp.example'] })
    const [certificate, key] = await Promise.all(
      [files.certificateFile, files.keyFile].map((file) => readFile(file, 'utf8')),
    )
    if (certificate === undefined || key === undefined) throw new Error('no certificate')
    const server = createTlsServer(
      { cert: certificate, key, ca, requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        const { socket } = request
        const shown =
          socket instanceof TLSSocket ? socket.getPeerX509Certificate()?.fingerprint256 : undefined
        response.end(shown ?? 'nothing')
      },
    )
    const peer = await during(listenServer(server, LOOPBACK))
    const { fingerprint256, raw } = new X509Certificate(certificate)
    for (const [client, shown] of [
      [undefined, 'nothing'],
      [{ certificate, key }, fingerprint256],
    ] as const) {
      const http = { endpoint: peer, host: 'kms01.corp.example', tls: { ca, client } }
      const connection = await openConnection(http, deadlineOf(AMPLE_SECONDS), systemClock)
      expect(connection.peerCertificate).toEqual(raw)
      expect(String((await asks(connection)).body)).toBe(shown)
      connection.close()
    }
  })

  it('has no certificate without TLS, and leaves no socket when it is closed unused', async () => {
    await expectHandles({})
    const peer = await serve((_request, response) => response.end())
    const connection = await hold(peer)
    expect(connection.peerCertificate).toBeUndefined()
    connection.close()
    await peer.stop()
    await expectHandles({})
  })
})
