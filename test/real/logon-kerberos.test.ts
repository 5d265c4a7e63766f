// Logging on by Kerberos against a real KDC, and an acceptor that MIT's libgssapi makes. The client's libgssapi is the
// one in this process: it reads KRB5_CONFIG and KRB5CCNAME anew at each call.
import { readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi, type TestContext } from 'vitest'
import type { Credential } from '../../src/config/schema.ts'
import { systemClock } from '../../src/io/clock.ts'
import { openConnection, type HttpConnection, type HttpPeer } from '../../src/io/http.ts'
import { logonKerberos } from '../../src/io/windows/logon/kerberos.ts'
import type { Channel } from '../../src/io/windows/logon/logon.ts'
import { listenServer } from '../../src/lab/listener.ts'
import type { Endpoint } from '../../src/model/target.ts'
import { during } from '../during.ts'
import {
  UNGUARDED,
  AMPLE_SECONDS,
  closedPort,
  deadlineOf,
  failureOf,
  LOOPBACK,
  tcpPeer,
} from '../io/support.ts'
import { fromHex, malformedBy } from '../protocol/support.ts'
import { realGss, startGss, type GssOptions, type GssServer } from './servers/gss.ts'
import { clientConfiguration, realKdc, startKdc, type Kdc, type KdcOptions } from './servers/kdc.ts'
import { realServer } from './servers/need.ts'
import { makeDirectory } from './servers/process.ts'
import { makeSelfSigned } from './servers/self-signed.ts'

const PATH = '/wsman'
const MOST_BYTES = 1 << 20

async function directory(): Promise<string> {
  const path = await makeDirectory('kerberos')
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

/** A realm that this process is in, and no ticket of its own. */
async function realm(context: Pick<TestContext, 'skip'>, options?: KdcOptions): Promise<Kdc> {
  realKdc(context)
  realGss(context)
  const kdc = await during(startKdc(options))
  onTestFinished(() => {
    vi.unstubAllEnvs()
  })
  vi.stubEnv('KRB5_CONFIG', kdc.env['KRB5_CONFIG'])
  vi.stubEnv('KRB5CCNAME', `FILE:${join(await directory(), 'none')}`)
  return kdc
}

function acceptor(kdc: Kdc, options: GssOptions = {}): Promise<GssServer> {
  const env = { ...kdc.env, KRB5_KTNAME: kdc.serviceKeytab, ...options.env }
  return during(startGss({ ...options, env }))
}

const keytabOf = (kdc: Kdc): Credential => ({
  auth: 'kerberos',
  username: kdc.principal,
  keytab_file: kdc.clientKeytab,
})

async function connectTo(
  endpoint: Endpoint,
  tls?: HttpPeer['tls'],
  seconds = AMPLE_SECONDS,
): Promise<HttpConnection> {
  const { address, port } = endpoint
  const peer = { endpoint: { address, port }, host: 'localhost', tls }
  const connection = await openConnection(peer, deadlineOf(seconds), systemClock)
  onTestFinished(() => connection.close())
  return connection
}

function logOn(
  connection: HttpConnection,
  credential: Credential,
  { host = 'localhost', seconds = AMPLE_SECONDS } = {},
): Promise<Channel> {
  const deadline = deadlineOf(seconds)
  return logonKerberos({ ...UNGUARDED, connection, path: PATH, host, credential, deadline })
}

async function ask(connection: HttpConnection, channel: Channel, text: string): Promise<string> {
  const { contentType, body } = channel.wrap(text)
  const headers = { ...channel.headers, 'content-type': contentType }
  const request = { method: 'POST', path: PATH, headers, body } as const
  const answer = await connection.ask(request, MOST_BYTES, deadlineOf(AMPLE_SECONDS))
  expect(answer.status).toBe(200)
  return channel.unwrap({ contentType: String(answer.headers['content-type']), body: answer.body })
}

/** A web server that answers every request like this. */
async function answering(listener: RequestListener): Promise<HttpConnection> {
  return connectTo(await during(listenServer(createServer(listener), LOOPBACK)))
}

const TEXTS = [97, 5_000, 100_000].map((length) => 'Zürich '.repeat(length).slice(0, length))

describe('over http', () => {
  it('seals both ways, message after message', async (context) => {
    const kdc = await realm(context)
    const connection = await connectTo(await acceptor(kdc, { encryptedOnly: true }))
    const channel = await logOn(connection, keytabOf(kdc))
    expect(channel.headers).toEqual({})
    for (const text of TEXTS) expect(await ask(connection, channel, text)).toBe(`<echo>${text}</echo>`)
  })

  it('logs on with the ticket of a cache that others fill, or that of the process', async (context) => {
    const kdc = await realm(context)
    const server = await acceptor(kdc)
    const cache_file = await kdc.makeCache('filled', '1h')
    const connection = await connectTo(server)
    const channel = await logOn(connection, { auth: 'kerberos', cache_file })
    expect(await ask(connection, channel, 'a')).toBe('<echo>a</echo>')
    vi.stubEnv('KRB5CCNAME', `FILE:${cache_file}`)
    const another = await connectTo(server)
    expect(await ask(another, await logOn(another, { auth: 'kerberos' }), 'b')).toBe('<echo>b</echo>')
    expect(server.output().match(/logged on: monitor@LAB\.EXAMPLE/g)).toHaveLength(2)
  })

  it('logs on ten times at once with one key', async (context) => {
    const kdc = await realm(context)
    const server = await acceptor(kdc)
    const answers = Array.from({ length: 10 }, async (_, index) => {
      const connection = await connectTo(server)
      return ask(connection, await logOn(connection, keytabOf(kdc)), `${index}`)
    })
    expect(await Promise.all(answers)).toEqual(answers.map((_, index) => `<echo>${index}</echo>`))
  })

  it('refuses an answer of which one bit has changed', async (context) => {
    const kdc = await realm(context)
    const connection = await connectTo(await acceptor(kdc, { corruptAnswers: true }))
    const channel = await logOn(connection, keytabOf(kdc))
    const { contentType, body } = channel.wrap(TEXTS[0] ?? '')
    const request = { method: 'POST', path: PATH, headers: { 'content-type': contentType }, body } as const
    const answer = await connection.ask(request, MOST_BYTES, deadlineOf(AMPLE_SECONDS))
    const carried = { contentType: String(answer.headers['content-type']), body: answer.body }
    expect(malformedBy(() => channel.unwrap(carried))?.message).toMatch(/a sealed Kerberos message: /)
  })

  it('refuses an answer that comes twice, and one that does not come sealed', async (context) => {
    const kdc = await realm(context)
    const connection = await connectTo(await acceptor(kdc))
    const channel = await logOn(connection, keytabOf(kdc))
    const { contentType, body } = channel.wrap('once')
    const request = { method: 'POST', path: PATH, headers: { 'content-type': contentType }, body } as const
    const answer = await connection.ask(request, MOST_BYTES, deadlineOf(AMPLE_SECONDS))
    const carried = { contentType: String(answer.headers['content-type']), body: answer.body }
    expect(channel.unwrap(carried)).toBe('<echo>once</echo>')
    expect(malformedBy(() => channel.unwrap(carried))).toBeDefined()
    const plain = { contentType: 'application/soap+xml', body: Buffer.from('<echo>once</echo>') }
    expect(malformedBy(() => channel.unwrap(plain))?.message).toMatch(/not sealed/)
  })

  it('says which encryption goes through WinRM where the realm has another', async (context) => {
    const kdc = await realm(context, { encryption: 'aes256-cts-hmac-sha384-192' })
    const connection = await connectTo(await acceptor(kdc))
    const channel = await logOn(connection, keytabOf(kdc))
    expect(malformedBy(() => channel.wrap('text'))?.message).toMatch(/72 bytes longer.*only AES with SHA-1/)
  })
})

describe('over https', () => {
  async function trusting(server: GssServer): Promise<HttpConnection> {
    const ca = await readFile(server.authorityFile ?? server.certificateFile ?? '', 'utf8')
    return connectTo(server, { ca })
  }

  it('binds the ticket to the certificate, and sends messages as they are', async (context) => {
    const kdc = await realm(context)
    const connection = await trusting(await acceptor(kdc, { tls: {}, cbt: 'required' }))
    const channel = await logOn(connection, keytabOf(kdc))
    expect(channel.wrap('text')).toEqual({
      contentType: 'application/soap+xml;charset=UTF-8',
      body: Buffer.from('text'),
    })
    for (const text of TEXTS) expect(await ask(connection, channel, text)).toBe(`<echo>${text}</echo>`)
  })

  it('knows by which hash a certificate with another signature goes', async (context) => {
    const kdc = await realm(context)
    const tls = await makeSelfSigned(await directory(), 'sha384', { hash: 'sha384' })
    const connection = await trusting(await acceptor(kdc, { tls, cbt: 'required' }))
    const channel = await logOn(connection, keytabOf(kdc))
    expect(await ask(connection, channel, 'text')).toBe('<echo>text</echo>')
  })

  it('is refused when somebody else ends the TLS connection', async (context) => {
    const kdc = await realm(context)
    const server = await acceptor(kdc, { tls: {}, cbt: 'relaxed' })
    const other = await trusting(await acceptor(kdc, { tls: {} }))
    const connection = await trusting(server)
    const between = { ...connection, peerCertificate: other.peerCertificate }
    const failure = await failureOf(logOn(between, keytabOf(kdc)))
    expect(failure).toMatchObject({ reason: 'auth_failed' })
    expect(server.output()).toMatch(/refused: .*channel bindings/i)
  })
})

describe('nobody logs on', () => {
  it('with a key that is not the realm’s, and the right one still does', async (context) => {
    const kdc = await realm(context)
    const server = await acceptor(kdc)
    const wrong = { ...keytabOf(kdc), keytab_file: kdc.wrongKeytab }
    const connection = await connectTo(server)
    const failure = await failureOf(logOn(connection, wrong))
    expect(failure).toMatchObject({ reason: 'auth_failed' })
    expect(failure.message).toMatch(/our own ticket: Preauthentication failed/)
    await logOn(connection, keytabOf(kdc))
  })

  it.for<readonly [string, (kdc: Kdc) => Partial<Credential>, RegExp]>([
    [
      'a keytab that is not there',
      () => ({ keytab_file: '/nowhere/keytab' }),
      /keytab_file .* cannot be read/,
    ],
    ['a cache that is not there', () => ({ cache_file: '/nowhere/cache' }), /cache_file .* cannot be read/],
    [
      'a keytab of others',
      ({ serviceKeytab }) => ({ keytab_file: serviceKeytab }),
      /no key of the principal/,
    ],
    ['a keytab that is none', ({ env }) => ({ keytab_file: env['KRB5_CONFIG'] ?? '' }), /no key of/],
    ['a cache that is none', ({ env }) => ({ cache_file: env['KRB5_CONFIG'] ?? '' }), /cache/],
    ['no keytab, no cache and no ticket', () => ({}), /there is no ticket, be it by keytab_file/],
    ['a principal that is none', () => ({ username: 'a@b@c' }), /a@b@c is no name|principal/],
  ])('without something to log on with: %s', async ([, credential, message], context) => {
    const kdc = await realm(context)
    const connection = await connectTo(await acceptor(kdc))
    const given: Credential = { auth: 'kerberos', username: kdc.principal, ...credential(kdc) }
    const failure = await failureOf(logOn(connection, given))
    expect(failure).toMatchObject({ reason: 'not_configured' })
    expect(failure.message).toMatch(message)
  })

  it('with a ticket that has expired', async (context) => {
    realServer(context, ['faketime'])
    const kdc = await realm(context, { skewSeconds: -86_400 })
    const connection = await connectTo(await acceptor(kdc))
    const cache_file = await kdc.makeCache('expired', '1h')
    const failure = await failureOf(logOn(connection, { auth: 'kerberos', cache_file }))
    expect(failure).toMatchObject({ reason: 'not_configured' })
    expect(failure.message).toMatch(/expired/i)
  })

  it('at a service that the realm does not know', async (context) => {
    const kdc = await realm(context)
    const connection = await connectTo(await acceptor(kdc))
    const failure = await failureOf(logOn(connection, keytabOf(kdc), { host: 'kms99.example' }))
    expect(failure).toMatchObject({ reason: 'not_found' })
    expect(failure.message).toMatch(/a ticket for HTTP@kms99\.example: Server not found/)
  })

  it('while nobody listens where the KDC should', async (context) => {
    const kdc = await realm(context)
    const connection = await connectTo(await acceptor(kdc))
    const file = join(await directory(), 'krb5.conf')
    await writeFile(file, clientConfiguration(await closedPort()))
    vi.stubEnv('KRB5_CONFIG', file)
    const failure = await failureOf(logOn(connection, keytabOf(kdc)))
    expect(failure).toMatchObject({ reason: 'connect_unreachable' })
    expect(failure.message).toMatch(/Cannot contact any KDC/)
  })

  it('while the KDC is silent: each deadline ends its own wait, and once it speaks all is well', async (context) => {
    const kdc = await realm(context)
    const connection = await connectTo(await acceptor(kdc))
    let asked = (): void => {}
    const wasAsked = new Promise<void>((resolve) => (asked = resolve))
    const silent = await tcpPeer(() => asked())
    const file = join(await directory(), 'krb5.conf')
    await writeFile(file, clientConfiguration(silent))
    vi.stubEnv('KRB5_CONFIG', file)
    const start = performance.now()
    const earlier = failureOf(logOn(connection, keytabOf(kdc), { seconds: 1 }))
    await wasAsked
    const later = failureOf(logOn(connection, keytabOf(kdc), { seconds: 2 }))
    const [first, second] = await Promise.all([earlier, later])
    expect(performance.now() - start).toBeLessThan(6_000)
    expect(first).toMatchObject({ reason: 'timeout', message: 'kerberos: no answer from a KDC' })
    expect(second).toMatchObject({ reason: 'timeout' })
    expect(second.message).toMatch(/an earlier logon still waits/)
    await silent.stop()
    vi.stubEnv('KRB5_CONFIG', kdc.env['KRB5_CONFIG'])
    const channel = await logOn(connection, keytabOf(kdc))
    expect(await ask(connection, channel, 'text')).toBe('<echo>text</echo>')
  })

  it('until a slow KDC has answered, though nobody waits for it any more', async (context) => {
    const kdc = await realm(context)
    const connection = await connectTo(await acceptor(kdc))
    let open = (): void => {}
    const opened = new Promise<void>((resolve) => (open = resolve))
    const slow = await tcpPeer((socket) => {
      void opened.then(() => socket.pipe(connect(kdc.port, kdc.address)).pipe(socket))
    })
    const file = join(await directory(), 'krb5.conf')
    await writeFile(file, clientConfiguration(slow))
    vi.stubEnv('KRB5_CONFIG', file)
    const failure = await failureOf(logOn(connection, keytabOf(kdc), { seconds: 1 }))
    expect(failure).toMatchObject({ reason: 'timeout', message: 'kerberos: no answer from a KDC' })
    open()
    const channel = await logOn(connection, keytabOf(kdc))
    expect(await ask(connection, channel, 'text')).toBe('<echo>text</echo>')
  })

  it('at a host whose key has changed, but does at the second attempt', async (context) => {
    const kdc = await realm(context)
    const before = await connectTo(await acceptor(kdc))
    await logOn(before, keytabOf(kdc))
    const KRB5_KTNAME = await kdc.changeKey('HTTP/localhost')
    const after = await acceptor(kdc, { env: { KRB5_KTNAME } })
    const failure = await failureOf(logOn(await connectTo(after), keytabOf(kdc)))
    expect(failure).toMatchObject({ reason: 'auth_failed' })
    const connection = await connectTo(after)
    const channel = await logOn(connection, keytabOf(kdc))
    expect(await ask(connection, channel, 'text')).toBe('<echo>text</echo>')
  })
})

describe('what the server says', () => {
  // A KRB-ERROR (RFC 4120 5.9.1) in GSS framing (RFC 4121 4.1), by hand: KRB_AP_ERR_SKEW, realm R, service HTTP.
  const SKEW = fromHex(`
    60 50 06 09 2a864886f712010202 03 00
    7e 41 30 3f  a0 03 02 01 05  a1 03 02 01 1e
    a4 11 18 0f 32303234303232393132333435365a  a5 03 02 01 00  a6 03 02 01 25
    a9 03 1b 01 52  aa 11 30 0f a0 03 02 01 02 a1 08 30 06 1b 04 48545450`)
  const SAYS_SKEW = `Kerberos ${Buffer.from(SKEW).toString('base64')}`

  it.for<readonly [number, Record<string, string | string[]>, string, RegExp]>([
    [401, { 'WWW-Authenticate': ['Negotiate', 'Kerberos'] }, 'auth_failed', /refuses our ticket: HTTP 401/],
    [401, { 'WWW-Authenticate': ['Negotiate', 'Basic'] }, 'auth_failed', /does not offer it: HTTP 401/],
    [401, { 'WWW-Authenticate': SAYS_SKEW }, 'auth_failed', /Clock skew too great \(a clock here or there/],
    [401, { 'WWW-Authenticate': 'Kerberos AAAA' }, 'auth_failed', /did not prove itself: Invalid token/],
    [403, {}, 'access_denied', /HTTP 403/],
    [404, {}, 'not_found', /HTTP 404/],
    [503, {}, 'protocol_error', /HTTP 503/],
    [200, {}, 'auth_failed', /did not prove itself/],
    [200, { 'WWW-Authenticate': 'Kerberos' }, 'auth_failed', /did not prove itself/],
    [200, { 'WWW-Authenticate': 'Kerberos AAAA' }, 'auth_failed', /did not prove itself/],
    [200, { 'WWW-Authenticate': SAYS_SKEW }, 'auth_failed', /did not prove itself/],
  ])('%d with %o is %s', async ([status, headers, reason, message], context) => {
    const kdc = await realm(context)
    let authorization = ''
    const connection = await answering((request, response) => {
      authorization = request.headers.authorization ?? ''
      response.writeHead(status, headers).end()
    })
    const failure = await failureOf(logOn(connection, keytabOf(kdc)))
    expect(failure).toMatchObject({ reason })
    expect(failure.message).toMatch(message)
    // RFC 2743 3.1 and RFC 4121 4.1: the Kerberos mechanism and its AP-REQ, without SPNEGO around it.
    const token = Buffer.from(authorization.replace(/^Kerberos /, ''), 'base64').toString('hex')
    expect(token).toMatch(/^6082....06092a864886f712010202 ?0100/)
  })
})
