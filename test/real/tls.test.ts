// Whom we trust over TLS, and who we are there: our HTTP against a real nginx (RFC 5280, RFC 8446).
import { createHash, X509Certificate } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Credential } from '../../src/config/schema.ts'
import { systemClock } from '../../src/io/clock.ts'
import { openConnection, openHttp, type HttpAnswer, type HttpPeer } from '../../src/io/http.ts'
import { clientCertificateOf, logonCertificate } from '../../src/io/windows/logon/certificate.ts'
import type { Endpoint } from '../../src/model/target.ts'
import { channelBinding } from '../../src/protocol/x509.ts'
import { during } from '../during.ts'
import { UNGUARDED, AMPLE_SECONDS, deadlineOf, failureOf } from '../io/support.ts'
import { realServer } from './servers/need.ts'
import { startNginx } from './servers/nginx.ts'
import { makeDirectory } from './servers/process.ts'
import { makeSelfSigned } from './servers/self-signed.ts'

type Tls = NonNullable<HttpPeer['tls']>

const DAY_MILLISECONDS = 86_400_000
const inDays = (days: number): Date => new Date(Date.now() + days * DAY_MILLISECONDS)
const PROFILE = 'http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual'

async function directory(): Promise<string> {
  const path = await makeDirectory('tls')
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

function peerAt({ address, port }: Endpoint, tls: Tls, host = 'localhost'): HttpPeer {
  return { endpoint: { address, port }, host, tls }
}

async function get(server: Endpoint, tls: Tls, host?: string): Promise<HttpAnswer> {
  const session = await openHttp(peerAt(server, tls, host), deadlineOf(AMPLE_SECONDS), systemClock)
  return session.ask({ method: 'GET', path: '/' }, 4096)
}

/** A server of our own authority's, that authority, and the SHA-256 of its certificate. */
async function serve(options: Parameters<typeof startNginx>[0] = {}) {
  const server = await during(startNginx({ ...options, tls: options.tls ?? {} }))
  const ca = await readFile(server.authorityFile, 'utf8')
  return { server, ca }
}

describe('a server’s certificate', () => {
  it('is taken from an authority that we are told to trust, and from no other', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const { server, ca } = await serve()
    expect(await get(server, { ca })).toMatchObject({ status: 200 })
    expect(await failureOf(get(server, {}))).toMatchObject({ reason: 'tls_untrusted' })
    const other = await makeSelfSigned(await directory(), 'other')
    const stranger = await readFile(other.certificateFile, 'utf8')
    expect(await failureOf(get(server, { ca: stranger }))).toMatchObject({ reason: 'tls_untrusted' })
  })

  it('must carry the name, or the one that we are told', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const { server, ca } = await serve({ tls: { names: ['DNS:kms01.corp.example'] } })
    expect(await failureOf(get(server, { ca }))).toMatchObject({ reason: 'tls_untrusted' })
    expect(await get(server, { ca }, 'kms01.corp.example')).toMatchObject({ status: 200 })
    expect(await get(server, { ca, serverName: 'kms01.corp.example' })).toMatchObject({ status: 200 })
  })

  it.for([
    ['is over', { notBefore: inDays(-10), notAfter: inDays(-1) }],
    ['has not begun', { notBefore: inDays(1), notAfter: inDays(10) }],
  ] as const)('is refused when its time %s', async ([, tls], context) => {
    realServer(context, ['nginx', 'openssl'])
    const { server, ca } = await serve({ tls })
    expect(await failureOf(get(server, { ca }))).toMatchObject({ reason: 'tls_expired' })
  })

  it('is taken, whatever else is said of it, when it is the pinned one; and only then', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const tls = { names: ['DNS:elsewhere.example'], notBefore: inDays(-10), notAfter: inDays(-1) }
    const { server, ca } = await serve({ tls })
    const deadline = deadlineOf(AMPLE_SECONDS)
    const pem = await readFile(join(server.authorityFile, '../server.pem'), 'utf8')
    const fingerprint = createHash('sha256').update(new X509Certificate(pem).raw).digest('hex')
    expect(await get(server, { fingerprint })).toMatchObject({ status: 200 })
    const connection = await openConnection(peerAt(server, { fingerprint }), deadline, systemClock)
    onTestFinished(() => connection.close())
    expect(Buffer.from(connection.peerCertificate ?? [])).toEqual(new X509Certificate(pem).raw)
    const another = `${fingerprint.startsWith('0') ? '1' : '0'}${fingerprint.slice(1)}`
    const failure = await failureOf(get(server, { ca, fingerprint: another }))
    expect(failure).toMatchObject({ reason: 'tls_untrusted' })
    expect(failure.message).toMatch(/not the pinned one/)
  })

  it.for([
    ['ECDSA and SHA-384', { hash: 'sha384' }, 48],
    ['ECDSA and SHA-512', { hash: 'sha512' }, 64],
    ['RSA and SHA-256', { key: ['rsa:2048'] }, 32],
    ['RSA and SHA-384', { key: ['rsa:2048'], hash: 'sha384' }, 48],
    ['RSASSA-PSS and SHA-384', { key: ['rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048'], hash: 'sha384' }, 48],
  ] as const)(
    'may be signed with %s, which its channel binding follows',
    async ([, options, bytes], context) => {
      realServer(context, ['nginx', 'openssl'])
      const tls = await makeSelfSigned(await directory(), 'server', options)
      const server = await during(startNginx({ tls }))
      const ca = await readFile(tls.certificateFile, 'utf8')
      const connection = await openConnection(peerAt(server, { ca }), deadlineOf(AMPLE_SECONDS), systemClock)
      onTestFinished(() => connection.close())
      const certificate = connection.peerCertificate ?? new Uint8Array(0)
      const digest = createHash(bytes === 32 ? 'sha256' : bytes === 48 ? 'sha384' : 'sha512').update(
        certificate,
      )
      const expected = Buffer.concat([Buffer.from('tls-server-end-point:'), digest.digest()])
      expect(Buffer.from(channelBinding(certificate) ?? [])).toEqual(expected)
    },
  )

  it('is not there where TLS is not spoken', async (context) => {
    realServer(context, ['nginx'])
    const server = await during(startNginx())
    expect(await failureOf(get(server, {}))).toMatchObject({ reason: 'tls_failed' })
  })
})

describe('our certificate', () => {
  /** A server that knows `client` alone, and what it takes to log on there with the given files. */
  async function mutual() {
    const path = await directory()
    const client = await makeSelfSigned(path, 'client')
    const { server, ca } = await serve({ clientAuthority: client.certificateFile })
    const open = async (files?: Partial<typeof client>) => {
      const { certificateFile: certificate_file, keyFile: key_file } = { ...client, ...files }
      const credential: Credential = { auth: 'certificate', certificate_file, key_file }
      const shown = files === undefined ? undefined : await clientCertificateOf(credential)
      const peer = peerAt(server, { ca, client: shown })
      const connection = await openConnection(peer, deadlineOf(AMPLE_SECONDS), systemClock)
      onTestFinished(() => connection.close())
      const deadline = deadlineOf(AMPLE_SECONDS)
      const channel = await logonCertificate({
        ...UNGUARDED,
        connection,
        path: '/wsman',
        host: 'localhost',
        credential,
        deadline,
      })
      const { contentType, body } = channel.wrap('<question/>')
      const headers = { ...channel.headers, 'content-type': contentType }
      return connection.ask({ method: 'POST', path: '/wsman', headers, body }, 4096, deadline)
    }
    return { path, open }
  }

  it('is shown, and the request says that it is meant', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const { open } = await mutual()
    const answer = await open({})
    expect(answer.status).toBe(200)
    expect(Buffer.from(answer.body).toString()).toBe(`SUCCESS TLSv1.2 ${PROFILE}\n`)
  })

  it('is missed by the server: its answer, not a broken connection', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const { open } = await mutual()
    expect(await open()).toMatchObject({ status: 400 })
  })

  it('is refused when it is somebody else’s', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const { path, open } = await mutual()
    expect(await open(await makeSelfSigned(path, 'stranger'))).toMatchObject({ status: 400 })
  })

  it('is not used with another one’s key', async (context) => {
    realServer(context, ['nginx', 'openssl'])
    const { path, open } = await mutual()
    const { keyFile } = await makeSelfSigned(path, 'stranger')
    const failure = await failureOf(open({ keyFile }))
    expect(failure).toMatchObject({ reason: 'not_configured' })
    expect(failure.message).not.toContain('PRIVATE')
  })

  it('is not used over http', async () => {
    const connection = {
      connectSeconds: 0,
      peerCertificate: undefined,
      closed: false,
      answered: 0,
      ask: () => Promise.reject(new Error('nobody is asked')),
      close() {},
    }
    const credential: Credential = { auth: 'certificate' }
    const deadline = deadlineOf(AMPLE_SECONDS)
    const attempt = logonCertificate({
      ...UNGUARDED,
      connection,
      path: '/wsman',
      host: 'localhost',
      credential,
      deadline,
    })
    expect(await failureOf(attempt)).toMatchObject({ reason: 'not_configured' })
  })

  const PEM = (label: string): string => `-----BEGIN ${label}-----\nAAAA\n-----END ${label}-----\n`
  const CERTIFICATE = PEM('CERTIFICATE')

  it.for([
    ['no certificate', undefined, PEM('PRIVATE KEY'), /certificate_file is not given/],
    ['no key', CERTIFICATE, undefined, /key_file is not given/],
    ['a certificate that is none', 'text', PEM('PRIVATE KEY'), /certificate_file names a file that holds no/],
    [
      'a key under a passphrase',
      CERTIFICATE,
      PEM('ENCRYPTED PRIVATE KEY'),
      /key_file names a file that holds no/,
    ],
    ['a key that is a certificate', CERTIFICATE, CERTIFICATE, /key_file names a file that holds no/],
    ['a key of 300 KiB', CERTIFICATE, 'x'.repeat(300 * 1024), /key_file names a file that is larger than/],
  ] as const)('is not configured with %s', async ([, certificate, key, message]) => {
    const path = await directory()
    const credential: { -readonly [Key in keyof Credential]: Credential[Key] } = { auth: 'certificate' }
    if (certificate !== undefined) credential.certificate_file = join(path, 'certificate')
    if (key !== undefined) credential.key_file = join(path, 'key')
    await writeFile(join(path, 'certificate'), certificate ?? '')
    await writeFile(join(path, 'key'), key ?? '')
    const failure = await failureOf(clientCertificateOf(credential))
    expect(failure).toMatchObject({ reason: 'not_configured' })
    expect(failure.message).toMatch(message)
    expect(failure.message).not.toContain('AAAA')
  })

  it('is not configured with a file that is not there', async () => {
    const credential: Credential = {
      auth: 'certificate',
      certificate_file: '/nowhere/x',
      key_file: '/nowhere/y',
    }
    const failure = await failureOf(clientCertificateOf(credential))
    expect(failure).toMatchObject({ reason: 'not_configured' })
    expect(failure.message).toMatch(/certificate_file names a file that does not exist/)
  })
})
