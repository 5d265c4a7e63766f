// What a server may answer to an NTLM logon besides what it should; the rest is tested with real ones (test/real).
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Credential } from '../../../src/config/schema.ts'
import { systemClock } from '../../../src/io/clock.ts'
import { openConnection } from '../../../src/io/http.ts'
import { logonNtlm } from '../../../src/io/windows/logon/ntlm.ts'
import { listenServer } from '../../../src/lab/listener.ts'
import { during } from '../../during.ts'
import { AMPLE_SECONDS, deadlineOf, failureOf, LOOPBACK } from '../support.ts'

// The CHALLENGE_MESSAGE of MS-NLMP 4.2.4.3, and the same without sealing (its flag is 0x20).
const CHALLENGE = Buffer.from(
  '4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef000000000000000024002400440000000600701' +
    '70000000f53006500720076006500720002000c0044006f006d00610069006e0001000c00530065007200760065007200' +
    '00000000',
  'hex',
)
const UNSEALED = Buffer.from(CHALLENGE.with(20, 0x13))

const KNOWN: Credential = { auth: 'ntlm', username: 'LAB\\monitor' }

type Act = (response: ServerResponse) => void
const status =
  (code: number, headers: Record<string, string | string[]> = {}): Act =>
  (response) =>
    response.writeHead(code, headers).end()
const challenge = (bytes: Buffer, scheme = 'Negotiate'): Act =>
  status(401, { 'www-authenticate': `${scheme} ${bytes.toString('base64')}` })

/** Answers the first request, the second and so on by these, and is silent then. */
async function meet(
  acts: readonly Act[],
  { credential = KNOWN, password = 'a-password', seconds = AMPLE_SECONDS } = {},
) {
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    const act = acts[seen.push(request) - 1]
    request.resume().on('end', () => act?.(response))
  })
  const endpoint = await during(listenServer(server, LOOPBACK))
  const deadline = deadlineOf(seconds)
  const connection = await openConnection({ endpoint, host: 'localhost' }, deadline, systemClock)
  onTestFinished(() => connection.close())
  const proofs: number[] = []
  const logon = logonNtlm({
    connection,
    path: '/wsman',
    host: 'localhost',
    credential,
    password,
    deadline,
    beforeProof: async () => void proofs.push(seen.length),
  })
  return { seen, logon, proofs }
}

describe('logonNtlm', () => {
  it.each([200, 204, 400, 500, 503])(
    'is logged on when the third message is answered by %d',
    async (code) => {
      const { seen, logon } = await meet([challenge(CHALLENGE), status(code)])
      expect((await logon).headers).toEqual({})
      expect(seen.map(({ method, url, headers }) => [method, url, headers['content-length']])).toEqual(
        [1, 3].map(() => ['POST', '/wsman', '0']),
      )
      const kinds = seen.map(
        ({ headers }) => Buffer.from(headers.authorization?.slice(10) ?? '', 'base64')[8],
      )
      expect(kinds).toEqual([1, 3])
    },
  )

  it('takes a challenge under NTLM too', async () => {
    const { logon } = await meet([challenge(CHALLENGE, 'NTLM'), status(200)])
    expect((await logon).headers).toEqual({})
  })

  it.each<readonly [string, readonly Act[], string]>([
    ['the third message is refused', [challenge(CHALLENGE), status(401)], 'auth_failed'],
    ['it is challenged once more', [challenge(CHALLENGE), challenge(CHALLENGE)], 'auth_failed'],
    ['the account may not be here', [challenge(CHALLENGE), status(403)], 'access_denied'],
    ['there is no such path', [challenge(CHALLENGE), status(404)], 'not_found'],
    ['it is sent elsewhere', [challenge(CHALLENGE), status(302, { location: '/' })], 'protocol_error'],
    ['the first is taken already', [status(200)], 'protocol_error'],
    ['the first is a fault', [status(500)], 'protocol_error'],
    ['the first is forbidden', [status(403)], 'access_denied'],
    ['the first finds nothing', [status(404)], 'not_found'],
    ['the challenge has no sealing', [challenge(UNSEALED)], 'protocol_error'],
    ['the challenge is cut off', [challenge(CHALLENGE.subarray(0, 60))], 'protocol_error'],
    [
      'the challenge is its own first message',
      [challenge(Buffer.from('NTLMSSP\0\u0001\0\0\0'))],
      'protocol_error',
    ],
    ['the server goes away', [challenge(CHALLENGE), (response) => response.destroy()], 'connect_reset'],
  ])('is not when %s, and tries once only', async (_, acts, reason) => {
    const { seen, logon } = await meet(acts)
    const failure = await failureOf(logon)
    expect(failure.reason).toBe(reason)
    expect(failure.message).not.toContain('a-password')
    expect(seen).toHaveLength(acts.length)
  })

  it.each([
    [['Basic realm="WSMAN"', 'Kerberos'], 'Basic, Kerberos'],
    [['<script>'], '?'],
    [[], 'nothing'],
  ])('says what else is offered: %j', async (offered, said) => {
    const { logon } = await meet([status(401, { 'www-authenticate': offered })])
    const failure = await failureOf(logon)
    expect(failure.reason).toBe('auth_failed')
    expect(failure.message).toContain(`(but ${said})`)
  })

  it.each([0, 1])('waits no longer than the deadline for answer %d', async (answered) => {
    const { logon } = await meet([challenge(CHALLENGE)].slice(0, answered), { seconds: 0.2 })
    expect((await failureOf(logon)).reason).toBe('timeout')
  })

  it.each<readonly [string, Credential]>([
    ['no user name', { auth: 'ntlm' }],
    ['a user name without an end', { ...KNOWN, username: 'x'.repeat(40_000) }],
  ])('sends nothing with %s', async (_, credential) => {
    const { seen, logon } = await meet([], { credential })
    expect((await failureOf(logon)).reason).toBe('not_configured')
    expect(seen).toEqual([])
  })

  it.each([200, 204, 400, 500, 503])('is told by %d whether the account is accepted', async (code) => {
    const { logon } = await meet([challenge(CHALLENGE), status(code)])
    expect((await logon).accepted).toBe(code < 300)
  })

  it.each<readonly [string, readonly Act[], readonly number[]]>([
    ['nothing but the first message', [status(401)], []],
    ['a challenge that is none', [challenge(CHALLENGE.subarray(0, 60))], []],
    ['the third message', [challenge(CHALLENGE), status(401)], [1]],
  ])('asks its guard before a proof goes out: %s', async (_, acts, asked) => {
    const { logon, proofs } = await meet(acts)
    await failureOf(logon)
    expect(proofs).toEqual(asked)
  })
})
