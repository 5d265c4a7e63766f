// Logging on by Kerberos (RFC 4559's exchange, with the bare Kerberos token under the scheme `Kerberos`): one ticket, one
// round trip, and the server proves itself too. Over http messages are sealed (MS-WSMV 2.2.9.1); over https the ticket is
// bound to the server's certificate. Untried on Windows by us. The evidence: MS-WSMV 2.2.9.1 pairs the scheme with this
// sealing; WinRb (Ruby) and txwinrm (Zenoss) have long used the pair, with MIT's library; Windows' own client names its
// sealing so. Others wrap the token in SPNEGO under `Negotiate` and name the sealing SPNEGO (pypsrp, masterzen); the author
// of one of them got HTTP 400 for our pair. The token's form (60 bytes in front, EC 0, RRC 28) is as masterzen saw it on
// Windows.
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import type { Credential } from '../../../config/schema.ts'
import { MalformedMessage, ProbeFailure } from '../../../model/failure.ts'
import { joinWrapToken, splitWrapToken } from '../../../protocol/kerberos-token.ts'
import { decodeSealed, encodeSealed } from '../../../protocol/sealed.ts'
import { channelBinding } from '../../../protocol/x509.ts'
import type { Deadline } from '../../deadline.ts'
import type { HttpAnswer } from '../../http.ts'
import { plainChannel, textOf } from './certificate.ts'
import { forgetTickets, startContext, type SecurityContext, type TicketSource } from './gssapi.ts'
import type { Channel, Logon, LogonContext } from './logon.ts'

const SCHEME = 'Kerberos'
const MOST_BODY_BYTES = 64 * 1024

/** One cache in memory for each key, so that a hundred hosts take one ticket-granting ticket. */
function memoryCache({ username, keytab_file }: Credential): string {
  const key = createHash('sha256')
    .update(JSON.stringify([keytab_file, username]))
    .digest('hex')
  return `MEMORY:winkms-exporter-${key.slice(0, 32)}`
}

/** Rejects with ProbeFailure `not_configured` for a file that this process may not read. */
async function sourceOf(credential: Credential): Promise<TicketSource> {
  const { keytab_file, cache_file } = credential
  for (const [key, file] of Object.entries({ keytab_file, cache_file })) {
    if (file === undefined) continue
    try {
      await access(file, constants.R_OK)
    } catch (error) {
      throw new ProbeFailure('not_configured', `kerberos: ${key} ${file} cannot be read`, { cause: error })
    }
  }
  const store: Record<string, string> = {}
  if (keytab_file !== undefined) {
    store['client_keytab'] = `FILE:${keytab_file}`
    store['ccache'] = memoryCache(credential)
  }
  if (cache_file !== undefined) store['ccache'] = `FILE:${cache_file}`
  return { principal: credential.username, store }
}

const lastInTurn = new Map<string, Promise<void>>()

/**
 * One call at a time for each credential: a cache that is being filled is not also read, and a KDC that is silent holds
 * one thread, not all of them. When the deadline ends first, what comes of the call is handed to `late`.
 */
function inTurn<T>(
  credential: string,
  deadline: Deadline,
  call: () => Promise<T>,
  late: (result: T) => void,
): Promise<T> {
  let began = false
  const calling = (lastInTurn.get(credential) ?? Promise.resolve()).then(() => {
    if (deadline.ended) throw new ProbeFailure('timeout', 'kerberos: no time left')
    began = true
    return call()
  })
  const over = calling.then(
    () => {},
    () => {},
  )
  lastInTurn.set(credential, over)
  void over.then(() => {
    if (lastInTurn.get(credential) === over) lastInTurn.delete(credential)
  })
  return new Promise((resolve, reject) => {
    let given = false
    const letGo = deadline.own(() => {
      given = true
      const why = began ? 'no answer from a KDC' : 'an earlier logon still waits for a KDC'
      reject(new ProbeFailure('timeout', `kerberos: ${why}`))
    })
    calling.then(
      (result) => {
        letGo()
        if (given) late(result)
        else resolve(result)
      },
      (error: unknown) => {
        letGo()
        reject(error instanceof Error ? error : new Error(String(error)))
      },
    )
  })
}

/** The token of our scheme, of at most what headers may hold. */
export function proofIn({ headers }: Pick<HttpAnswer, 'headers'>): Uint8Array | undefined {
  const lines = [headers['www-authenticate'] ?? []].flat()
  for (const line of lines) {
    const [, token] = /(?:^|,)\s*Kerberos\s+([A-Za-z0-9+/]+={0,2})\s*(?:,|$)/i.exec(line) ?? []
    if (token !== undefined) return Buffer.from(token, 'base64')
  }
  return undefined
}

function refusal(answer: HttpAnswer, context: SecurityContext): ProbeFailure {
  const { status } = answer
  if (status === 403) return new ProbeFailure('access_denied', 'kerberos: HTTP 403')
  if (status === 404) return new ProbeFailure('not_found', 'kerberos: HTTP 404')
  if (status === 401) {
    // Some servers say why, in a KRB-ERROR: a wrong clock, a key that is no longer theirs.
    const proof = proofIn(answer)
    try {
      if (proof !== undefined) context.finish(proof)
    } catch (error) {
      if (error instanceof ProbeFailure) return error
      throw error
    }
    const offered = [answer.headers['www-authenticate'] ?? []].flat().join(', ')
    const why = /\bkerberos\b/i.test(offered)
      ? 'the server refuses our ticket'
      : 'the server does not offer it'
    return new ProbeFailure('auth_failed', `kerberos: ${why}: HTTP 401`)
  }
  if (status === 200) return new ProbeFailure('auth_failed', 'kerberos: the server did not prove itself')
  return new ProbeFailure('protocol_error', `kerberos: HTTP ${status}`)
}

function sealedChannel(context: SecurityContext): Channel {
  return {
    headers: {},
    accepted: true,
    wrap(message) {
      const text = Buffer.from(message, 'utf8')
      return encodeSealed('Kerberos', splitWrapToken(context.wrap(text), text.length))
    },
    unwrap({ contentType, body }) {
      const sealed = decodeSealed('Kerberos', contentType, body)
      const text = context.unwrap(joinWrapToken(sealed))
      if (text.length !== sealed.data.length)
        throw new MalformedMessage('a sealed text that is not as long as announced', 0)
      return textOf(text)
    },
  }
}

async function prove(
  { connection, path, deadline }: LogonContext,
  { context, token }: Awaited<ReturnType<typeof startContext>>,
): Promise<Channel> {
  const authorization = `${SCHEME} ${Buffer.from(token).toString('base64')}`
  const request = { method: 'POST', path, headers: { authorization }, body: '' } as const
  const answer = await connection.ask(request, MOST_BODY_BYTES, deadline)
  const proof = proofIn(answer)
  // Windows may mind the empty body; by then the logon is done.
  if (proof === undefined || [401, 403, 404].includes(answer.status)) throw refusal(answer, context)
  context.finish(proof)
  if (connection.peerCertificate === undefined) return sealedChannel(context)
  context.release()
  return plainChannel({}, true)
}

/** Rejects with ProbeFailure as `Logon` says, and with `not_found` (no such service), `connect_unreachable` (no KDC). */
export const logonKerberos: Logon = async (logon) => {
  const { connection, credential, host, deadline } = logon
  const source = await sourceOf(credential)
  // It is the KDC that counts.
  await logon.beforeProof()
  const certificate = connection.peerCertificate
  const bindings = certificate === undefined ? undefined : channelBinding(certificate)
  const key = source.store['ccache'] ?? ''
  try {
    // The library makes HTTP/host@REALM of it, by krb5.conf and, unless told not to, by DNS.
    const started = await inTurn(
      key,
      deadline,
      () => startContext(source, `HTTP@${host}`, bindings),
      ({ context }) => context.release(),
    )
    try {
      return await prove(logon, started)
    } catch (error) {
      started.context.release()
      throw error
    }
  } catch (error) {
    // A ticket may outlive the key that it was made for: the next attempt takes a new one.
    if (error instanceof ProbeFailure && error.reason === 'auth_failed' && key.startsWith('MEMORY:'))
      await inTurn(
        key,
        deadline,
        () => forgetTickets(key),
        () => {},
      ).catch(() => {})
    throw error
  }
}
