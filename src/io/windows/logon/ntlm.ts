// Logging on by NTLMv2 (MS-NLMP) over HTTP (RFC 4559's header, with bare NTLM messages in it): two requests on the
// connection that is logged on. Over http messages are sealed (MS-WSMV 2.2.9.1); over https the logon is bound to the
// server's certificate, and messages go as they are. Untried on Windows by us; pywinrm and pypsrp send the same: headers,
// empty requests, the pairs of the third message, and sealing.
import { randomBytes } from 'node:crypto'
import { MalformedMessage, ProbeFailure } from '../../../model/failure.ts'
import { encodeAuthenticate, encodeLogonNegotiate } from '../../../protocol/ntlm-authenticate.ts'
import { createNtlmSession, type NtlmSession } from '../../../protocol/ntlm-session.ts'
import { challengeFromHeader } from '../../../protocol/ntlm.ts'
import { decodeSealed, encodeSealed } from '../../../protocol/sealed.ts'
import { channelBinding } from '../../../protocol/x509.ts'
import type { HttpAnswer } from '../../http.ts'
import { plainChannel, textOf } from './certificate.ts'
import type { Channel, Logon, LogonContext } from './logon.ts'

const MOST_BODY_BYTES = 64 * 1024
/** More than any directory allows; what it makes must fit the 16 bits of its length. */
const MOST_NAME_CHARACTERS = 1024

function accountOf({ credential, password }: LogonContext): { username: string; password: string } {
  const { username } = credential
  if (username === undefined) throw new ProbeFailure('not_configured', 'ntlm: username is not given')
  if (password === undefined) throw new ProbeFailure('not_configured', 'ntlm: there is no password')
  if (username.length > MOST_NAME_CHARACTERS)
    throw new ProbeFailure('not_configured', 'ntlm: username is longer than any can be')
  return { username, password }
}

function send({ connection, path, deadline }: LogonContext, message: Uint8Array): Promise<HttpAnswer> {
  const authorization = `Negotiate ${Buffer.from(message).toString('base64')}`
  return connection.ask({ method: 'POST', path, headers: { authorization } }, MOST_BODY_BYTES, deadline)
}

function statusFailure(status: number, detail: string): ProbeFailure {
  if (status === 403) return new ProbeFailure('access_denied', 'ntlm: HTTP 403')
  if (status === 404) return new ProbeFailure('not_found', 'ntlm: HTTP 404')
  return new ProbeFailure('protocol_error', `ntlm: HTTP ${status}${detail}`)
}

/** The names of the ways to log on that the server offers, within what fits a sentence. */
function offers({ headers }: HttpAnswer): string {
  const names = [headers['www-authenticate'] ?? []]
    .flat()
    .slice(0, 8)
    .map((line) => /^[A-Za-z0-9-]{1,20}/.exec(line.trim())?.[0] ?? '?')
  return names.length === 0 ? 'nothing' : names.join(', ')
}

/** The second message, from the answer to the first. */
function challengeIn(answer: HttpAnswer): Uint8Array {
  if (answer.status !== 401) throw statusFailure(answer.status, ' instead of an NTLM challenge')
  const challenge = challengeFromHeader(answer.headers['www-authenticate'])
  if (challenge !== undefined) return challenge
  throw new ProbeFailure('auth_failed', `ntlm: the server does not offer it (but ${offers(answer)})`)
}

/**
 * True when the server says so. Windows may mind the empty body once the logon is done; and something in front of it
 * may fail before that: then the first answer to a question tells.
 */
function isLoggedOn({ status }: HttpAnswer): boolean {
  if (status === 401) {
    throw new ProbeFailure(
      'auth_failed',
      'ntlm: refused: the user name or the password is wrong, the account is locked or disabled, or NTLM is not allowed',
    )
  }
  if (status === 403 || status === 404 || status < 200 || (status >= 300 && status < 400))
    throw statusFailure(status, '')
  return status < 300
}

function sealedChannel(session: NtlmSession, accepted: boolean): Channel {
  return {
    headers: {},
    accepted,
    wrap(message) {
      const { signature, data } = session.seal(Buffer.from(message, 'utf8'))
      return encodeSealed('SPNEGO', { token: signature, data })
    },
    unwrap({ contentType, body }) {
      const { token, data } = decodeSealed('SPNEGO', contentType, body)
      return textOf(session.unseal({ signature: token, data }))
    },
  }
}

/** Rejects with ProbeFailure as `Logon` says, and with `protocol_error` for what is not NTLMv2 with sealing. */
export const logonNtlm: Logon = async (context) => {
  const account = accountOf(context)
  const { peerCertificate } = context.connection
  const negotiate = encodeLogonNegotiate()
  const challenge = challengeIn(await send(context, negotiate))
  let answer: ReturnType<typeof encodeAuthenticate>
  try {
    answer = encodeAuthenticate(
      negotiate,
      challenge,
      {
        ...account,
        targetName: `HTTP/${context.host}`,
        channelBinding: peerCertificate && channelBinding(peerCertificate),
      },
      { clientChallenge: randomBytes(8), sessionKey: randomBytes(16), nowSeconds: Date.now() / 1000 },
    )
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    throw new ProbeFailure('protocol_error', `ntlm: ${error.message}`, { cause: error })
  }
  await context.beforeProof()
  const accepted = isLoggedOn(await send(context, answer.message))
  return peerCertificate === undefined
    ? sealedChannel(createNtlmSession(answer.sessionKey), accepted)
    : plainChannel({}, accepted)
}
