// Logging on by NTLM to acceptors that others wrote: gss-ntlmssp behind a small server, which also seals, and behind
// Apache, which only lets in.
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Credential } from '../../src/config/schema.ts'
import { systemClock } from '../../src/io/clock.ts'
import { openConnection, type HttpConnection, type TlsOptions } from '../../src/io/http.ts'
import type { Channel } from '../../src/io/windows/logon/logon.ts'
import { logonNtlm } from '../../src/io/windows/logon/ntlm.ts'
import { MalformedMessage } from '../../src/model/failure.ts'
import type { Endpoint } from '../../src/model/target.ts'
import { during } from '../during.ts'
import { UNGUARDED, AMPLE_SECONDS, deadlineOf, failureOf } from '../io/support.ts'
import { realApache, startApache } from './servers/apache.ts'
import { realGss, startGss, type GssServer } from './servers/gss.ts'
import { program, realServer } from './servers/need.ts'
import { startNginx } from './servers/nginx.ts'
import { makeDirectory } from './servers/process.ts'

const ENOUGH = 1 << 20

async function connectTo(endpoint: Endpoint, tls?: TlsOptions): Promise<HttpConnection> {
  const peer = { endpoint, host: 'localhost', ...(tls && { tls }) }
  const connection = await openConnection(peer, deadlineOf(AMPLE_SECONDS), systemClock)
  onTestFinished(() => connection.close())
  return connection
}

function trusting({ authorityFile = '' }: GssServer): TlsOptions {
  return { ca: readFileSync(authorityFile, 'utf8') }
}

function logon(
  connection: HttpConnection,
  username = 'LAB\\monitor',
  password = 'P@ssw0rd-ä1',
): Promise<Channel> {
  process.env['TEST_NTLM_PASSWORD'] = password
  onTestFinished(() => {
    delete process.env['TEST_NTLM_PASSWORD']
  })
  const credential: Credential = { auth: 'ntlm', username, password_env: 'TEST_NTLM_PASSWORD' }
  const deadline = deadlineOf(AMPLE_SECONDS)
  return logonNtlm({
    ...UNGUARDED,
    connection,
    path: '/wsman',
    host: 'localhost',
    credential,
    password,
    deadline,
  })
}

/** One question and its answer through the channel. */
async function say(connection: HttpConnection, channel: Channel, text: string): Promise<string> {
  const { contentType, body } = channel.wrap(text)
  const answer = await connection.ask(
    { method: 'POST', path: '/wsman', headers: { ...channel.headers, 'content-type': contentType }, body },
    ENOUGH,
    deadlineOf(AMPLE_SECONDS),
  )
  expect(answer.status).toBe(200)
  return channel.unwrap({ contentType: String(answer.headers['content-type']), body: answer.body })
}

/** As this connection, but for one thing that the logon sees or says. */
const but = (connection: HttpConnection, changed: Partial<HttpConnection>): HttpConnection => ({
  ...connection,
  ...changed,
})

/** Changes the third message on its way: `at` counts from its start. */
function flipping(connection: HttpConnection, at: number): HttpConnection {
  return but(connection, {
    ask(request, most, deadline) {
      const token = Buffer.from(request.headers?.['authorization']?.slice(10) ?? '', 'base64')
      if (token[8] === 3) token[at] = (token[at] ?? 0) ^ 1
      const headers = { ...request.headers, authorization: `Negotiate ${token.toString('base64')}` }
      return connection.ask({ ...request, headers }, most, deadline)
    },
  })
}

/** A certificate that is its own authority, signed as told. */
async function signedBy(...how: readonly string[]) {
  const directory = await makeDirectory('certificate')
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const [certificateFile, keyFile] = [join(directory, 'server.pem'), join(directory, 'server.key')]
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2']
  const files = ['-nodes', '-keyout', keyFile, '-out', certificateFile]
  await promisify(execFile)(program('openssl'), [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    ...name,
    ...files,
    ...how,
  ])
  const { raw, fingerprint256 } = new X509Certificate(await readFile(certificateFile))
  return { files: { certificateFile, keyFile }, raw, fingerprint256 }
}

describe('over http', () => {
  it('logs on once, and then all is sealed both ways', async (context) => {
    realGss(context)
    const server = await during(startGss({ encryptedOnly: true }))
    const connection = await connectTo(server)
    const channel = await logon(connection)
    expect(channel.headers).toEqual({})
    for (const text of ['<s:Envelope/>', '', 'ä€😀', 'x'.repeat(100_000)]) {
      expect(await say(connection, channel, text)).toBe(`<echo>${text}</echo>`)
    }
    expect(server.output().match(/logged on: LAB\\monitor/g)).toHaveLength(1)
  })

  it('seals so that nothing can be read', async (context) => {
    realGss(context)
    const channel = await logon(await connectTo(await during(startGss())))
    const secret = 'KeyManagementServiceCurrentCount'
    expect(Buffer.from(channel.wrap(secret.repeat(20)).body).includes(secret)).toBe(false)
  })

  it.for([
    ['the wrong password', 'LAB\\monitor', 'P@ssw0rd-a1'],
    ['a password that differs in case', 'LAB\\plain', 'Secret'],
    ['nobody that it knows', 'LAB\\stranger', 'P@ssw0rd-ä1'],
    ['another domain', 'OTHER\\monitor', 'P@ssw0rd-ä1'],
  ] as const)('is refused with %s, and the password stays unsaid', async ([, user, password], context) => {
    realGss(context)
    const connection = await connectTo(await during(startGss()))
    const failure = await failureOf(logon(connection, user, password))
    expect(failure.reason).toBe('auth_failed')
    expect(failure.message).not.toContain(password)
  })

  it.for(['LAB\\MONITOR', 'LAB\\Monitor', 'monitor'])('takes the user name %s', async (username, context) => {
    realGss(context)
    const connection = await connectTo(await during(startGss()))
    const channel = await logon(connection, username)
    expect(await say(connection, channel, 'text')).toBe('<echo>text</echo>')
  })

  it('keeps two connections apart', async (context) => {
    realGss(context)
    const server = await during(startGss())
    const [first, second] = [await connectTo(server), await connectTo(server)]
    const [one, two] = [await logon(first), await logon(second, 'LAB\\plain', 'secret')]
    expect(await say(second, two, 'two')).toBe('<echo>two</echo>')
    expect(await say(first, one, 'one')).toBe('<echo>one</echo>')
    expect(await say(second, two, 'again')).toBe('<echo>again</echo>')
  })

  it.for([
    ['the integrity code', 72],
    ['the flags', 60],
    ['the session key', -1],
  ] as const)('is refused when %s was altered on the way', async ([, at], context) => {
    realGss(context)
    const connection = await connectTo(await during(startGss()))
    // The key is the last 16 bytes; the messages of this account are all of one length.
    const changed = at >= 0 ? at : 88 + 24 + 2 * 'LABmonitor'.length
    expect((await failureOf(logon(flipping(connection, changed)))).reason).toBe('auth_failed')
  })

  it('takes no answer that was altered', async (context) => {
    realGss(context)
    const connection = await connectTo(await during(startGss({ corruptAnswers: true })))
    const channel = await logon(connection)
    await expect(say(connection, channel, 'text')).rejects.toThrow(MalformedMessage)
  })

  it('is noticed when what it says was altered', async (context) => {
    realGss(context)
    const connection = await connectTo(await during(startGss()))
    const channel = await logon(connection)
    const altered: Channel = {
      ...channel,
      wrap(message) {
        const { contentType, body } = channel.wrap(message)
        const at = body.length - 30
        return { contentType, body: body.with(at, (body[at] ?? 0) ^ 1) }
      },
    }
    await expect(say(connection, altered, 'a text of some length')).rejects.toThrow(/500/)
  })

  it('takes no answer that is not sealed', async (context) => {
    realGss(context)
    const connection = await connectTo(await during(startGss()))
    const channel = await logon(connection)
    const plain: Channel = {
      ...channel,
      wrap: (text) => ({ contentType: 'text/xml', body: Buffer.from(text) }),
    }
    await expect(say(connection, plain, 'text')).rejects.toThrow('not sealed')
  })
})

describe('over https', () => {
  it('is bound to the certificate, and then all goes as it is', async (context) => {
    realGss(context)
    const server = await during(startGss({ tls: {}, cbt: 'required' }))
    const connection = await connectTo(server, trusting(server))
    const channel = await logon(connection)
    expect(channel.headers).toEqual({})
    expect(Buffer.from(channel.wrap('ä').body).toString()).toBe('ä')
    for (const text of ['<s:Envelope/>', 'x'.repeat(100_000)])
      expect(await say(connection, channel, text)).toBe(`<echo>${text}</echo>`)
  })

  it.for([
    ['SHA-384', ['-sha384']],
    ['SHA-512', ['-sha512']],
    ['RSASSA-PSS', ['-sha384', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:48']],
  ] as const)('is bound to a certificate that is signed with %s', async ([, how], context) => {
    realGss(context)
    const { files } = await signedBy(...how)
    const server = await during(startGss({ tls: files, cbt: 'required' }))
    const connection = await connectTo(server, { ca: readFileSync(files.certificateFile, 'utf8') })
    expect(await say(connection, await logon(connection), 'text')).toBe('<echo>text</echo>')
  })

  it('is bound to a certificate that is pinned', async (context) => {
    realGss(context)
    const { files, fingerprint256 } = await signedBy()
    const server = await during(startGss({ tls: files, cbt: 'required' }))
    const fingerprint = fingerprint256.replaceAll(':', '').toLowerCase()
    const connection = await connectTo(server, { fingerprint })
    expect(await say(connection, await logon(connection), 'text')).toBe('<echo>text</echo>')
  })

  it.for([
    ['relaxed', 'refused'],
    ['required', 'refused'],
    ['ignored', 'taken'],
  ] as const)(
    'with the binding of another certificate, where bindings are %s, is %s',
    async ([cbt, outcome], context) => {
      realGss(context)
      const server = await during(startGss({ tls: {}, cbt }))
      const connection = await connectTo(server, trusting(server))
      const { raw } = await signedBy()
      const attempt = logon(but(connection, { peerCertificate: raw }))
      if (outcome === 'taken') expect(await say(connection, await attempt, 'text')).toBe('<echo>text</echo>')
      else expect((await failureOf(attempt)).reason).toBe('auth_failed')
    },
  )

  it.for([
    ['relaxed', 'taken'],
    ['required', 'refused'],
  ] as const)('without a binding, where bindings are %s, is %s', async ([cbt, outcome], context) => {
    realGss(context)
    const server = await during(startGss({ tls: {}, cbt }))
    const connection = await connectTo(server, trusting(server))
    const attempt = logon(but(connection, { peerCertificate: undefined }))
    if (outcome === 'taken') expect(await say(connection, await attempt, 'text')).toBe('<echo>text</echo>')
    else expect((await failureOf(attempt)).reason).toBe('auth_failed')
  })

  it('is refused with the wrong password', async (context) => {
    realGss(context)
    const server = await during(startGss({ tls: {} }))
    const connection = await connectTo(server, trusting(server))
    expect((await failureOf(logon(connection, 'LAB\\plain', 'wrong'))).reason).toBe('auth_failed')
  })
})

describe('other web servers', () => {
  it.for([
    ['unused', 'lets in'],
    ['another', 'refuses'],
  ] as const)('Apache, with the password "%s", %s', async ([password, verb], context) => {
    realApache(context)
    const connection = await connectTo(await during(startApache()))
    const failure = await failureOf(logon(connection, 'LAB\\nobody', password))
    // It has no /wsman: whoever is let in learns that.
    expect(failure.reason).toBe(verb === 'lets in' ? 'not_found' : 'auth_failed')
  })

  it('is told where a server does not ask who it is', async (context) => {
    realServer(context, ['nginx'])
    const connection = await connectTo(await during(startNginx()))
    expect(await failureOf(logon(connection))).toMatchObject({
      reason: 'protocol_error',
      message: 'ntlm: HTTP 200 instead of an NTLM challenge',
    })
  })
})
