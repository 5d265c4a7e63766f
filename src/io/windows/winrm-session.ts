// A connection to a WinRM listener that is logged on, and what is said on it.
import { createHash } from 'node:crypto'
import { fileVersion } from '../../config/files.ts'
import type { Credential } from '../../config/schema.ts'
import { passwordOf } from '../../config/secrets.ts'
import { ProbeFailure, type Reason } from '../../model/failure.ts'
import { encodeIdentify, MOST_ENVELOPE_LENGTH } from '../../protocol/wsman.ts'
import type { Clock, Moment } from '../clock.ts'
import { heldTo, type Deadline } from '../deadline.ts'
import type { Resolver } from '../dns.ts'
import type { HttpConnection, TlsOptions } from '../http.ts'
import type { Hold, LogonGuard, Outcome, Trial } from './logon-guard.ts'
import type { Channel, Logon } from './logon/logon.ts'
import { maskOf, type Mask } from './reflected.ts'
import { trustOf } from './trust.ts'
import type { WindowsVisit } from './windows.ts'
import type { Route } from './winrm-route.ts'
import { checkStatus, typeOf } from './winrm-status.ts'

/** Room for what sealing adds. */
const MOST_BODY_BYTES = MOST_ENVELOPE_LENGTH + 16 * 1024
const MOST_IDENTIFY_BYTES = 64 * 1024
/** A logon that begins with less would most likely count as one that nobody answered. */
const LEAST_TRIAL_SECONDS = 0.25

export interface Session {
  readonly connection: HttpConnection
  readonly channel: Channel
  /** The visit that opened it. */
  readonly openedBy: WindowsVisit
  readonly identity: Identity
  /** For all that the peer says. */
  readonly mask: Mask
  /** Whether the account is known to be accepted on it. */
  accepted: boolean
}

interface Means {
  readonly dns: Resolver
  readonly clock: Clock
  readonly guard: LogonGuard
}

/** Rejects with ProbeFailure: `resolve_*`, `connect_*`, `tls_*`, `auth_failed`, `not_configured`, `timeout`. */
export async function openSession(route: Route, visit: WindowsVisit, means: Means): Promise<Session> {
  const { deadline } = visit
  const { identity, password } = accountOf(route)
  const mask = maskOf(password)
  refuseWhileHeld(route, means.guard.held(...identity))
  visit.enter('resolve')
  const address = route.address ?? (await means.dns.resolve(route.name, route.resolvers, deadline))[0]
  if (address === undefined) throw new ProbeFailure('resolve_nodata', `${route.name}: no address`)
  const { openConnection } = await import('../http.ts')
  visit.enter('connect')
  const peer = {
    endpoint: { address, port: route.port },
    host: route.name,
    tls: route.secure ? await tlsOf(route) : undefined,
  }
  const connection = await openConnection(peer, deadline, means.clock)
  try {
    visit.enter('logon')
    const logged = await logOn(connection, route, { identity, password, mask, deadline, guard: means.guard })
    return { connection, ...logged, openedBy: visit, identity, mask }
  } catch (error) {
    connection.close()
    throw error
  }
}

async function tlsOf({ tls, credential }: Route): Promise<TlsOptions> {
  const trust = trustOf(tls)
  if (credential.auth !== 'certificate') return trust
  const { clientCertificateOf } = await import('./logon/certificate.ts')
  return { ...trust, client: await clientCertificateOf(credential) }
}

/** A password of auth basic goes along with every question, and so has to be the one of the moment. */
export function isOutdated({ identity }: Session, route: Route): boolean {
  return route.credential.auth === 'basic' && identity[1] !== accountOf(route).identity[1]
}

/** Account, version of its secret, host: what the guard knows a logon by. */
type Identity = readonly [account: string, version: string, host: string]

/** The password is read once, so that what the guard hears of is what was tried. */
function accountOf({ credential, where, address }: Route): {
  readonly identity: Identity
  readonly password: string | undefined
} {
  const {
    auth,
    keytab_file: keytab,
    cache_file: cache,
    certificate_file: certificate,
    key_file: key,
  } = credential
  const password = auth === 'basic' || auth === 'ntlm' ? passwordOf(credential).reveal() : undefined
  const version =
    password === undefined
      ? [keytab, cache, certificate, key].map((file) => file && fileVersion(file)).join()
      : createHash('sha256').update(password).digest('base64')
  return { identity: [JSON.stringify(credential), version, `${where} ${address ?? ''}`], password }
}

const HELD = {
  refused: ['auth_failed', 'refused before; not tried again', 'so that the account is not locked out'],
  elsewhere: [
    'auth_failed',
    'refused by several hosts; not tried again',
    'so that the account is not locked out',
  ],
  not_taken: ['auth_failed', 'turned away before; not tried again', 'since nothing else is to be expected'],
  unheard: [
    'timeout',
    'the last logon was not answered; not tried again',
    'so that the account is not locked out',
  ],
} as const satisfies Record<Hold['why'], readonly [Reason, string, string]>

function refuseWhileHeld({ where }: Route, hold: Hold | undefined): void {
  if (hold === undefined) return
  const [reason, what, why] = HELD[hold.why]
  const time = new Date(Math.ceil(hold.until) * 1000).toISOString().slice(11, 19)
  throw new ProbeFailure(reason, `${where}: ${what} before ${time} UTC, ${why}`)
}

interface Attempt {
  readonly identity: Identity
  readonly password: string | undefined
  readonly mask: Mask
  readonly deadline: Deadline
  readonly guard: LogonGuard
}

async function trialOf(route: Route, { identity, deadline, guard }: Attempt): Promise<Trial> {
  const tooLate = (): ProbeFailure =>
    new ProbeFailure('timeout', `${route.where}: the account was being tried elsewhere all the time`)
  for (;;) {
    const permission = guard.ask(...identity)
    if ('trial' in permission) return permission.trial
    if ('hold' in permission) refuseWhileHeld(route, permission.hold)
    if ('wait' in permission) await heldTo(deadline, permission.wait, tooLate)
    if (deadline.remainingSeconds() < LEAST_TRIAL_SECONDS) throw tooLate()
  }
}

// Loaded when wanted: Kerberos brings a library of the system's along.
async function logonOf({ auth }: Credential): Promise<Logon> {
  switch (auth) {
    case 'basic':
      return (await import('./logon/basic.ts')).logonBasic
    case 'ntlm':
      return (await import('./logon/ntlm.ts')).logonNtlm
    case 'kerberos':
      return (await import('./logon/kerberos.ts')).logonKerberos
    case 'certificate':
      return (await import('./logon/certificate.ts')).logonCertificate
  }
}

async function logOn(
  connection: HttpConnection,
  route: Route,
  attempt: Attempt,
): Promise<Pick<Session, 'channel' | 'accepted'>> {
  const { credential, path, where, serviceHost: host } = route
  const { deadline, password, mask } = attempt
  let trial: Trial | undefined
  const beforeProof = async (): Promise<void> => {
    trial = await trialOf(route, attempt)
  }
  try {
    const logon = await logonOf(credential)
    const logged = logon({ connection, path, host, credential, password, deadline, beforeProof })
    const endless = (): ProbeFailure => new ProbeFailure('timeout', `${where}: no end of the logon`)
    const channel = await heldTo(deadline, logged, endless)
    const unasked = credential.auth === 'basic' || credential.auth === 'certificate'
    if (unasked) {
      await beforeProof()
      await prove(connection, channel, route, mask, deadline)
    }
    const accepted = unasked || channel.accepted
    trial?.end(accepted ? 'accepted' : 'unjudged')
    return { channel, accepted }
  } catch (error) {
    trial?.end(outcomeOf(error, route, connection))
    throw error
  }
}

/** Turned away without a look at the proof, or by somebody who locks nobody out. */
class NotTaken extends ProbeFailure {}

function outcomeOf(error: unknown, { credential: { auth } }: Route, connection: HttpConnection): Outcome {
  const reason = error instanceof ProbeFailure ? error.reason : undefined
  if (reason === 'auth_failed') {
    // Of Kerberos it is the KDC that counts, and a server that answers has seen one of its tickets.
    const uncounted = error instanceof NotTaken || (auth === 'kerberos' && connection.answered > 0)
    return uncounted ? 'not_taken' : 'refused'
  }
  const passwordSent = auth === 'basic' || auth === 'ntlm'
  return passwordSent && (reason === 'timeout' || reason === 'connect_reset') ? 'unheard' : 'unjudged'
}

/**
 * These two show what they have with every question. The first one is Identify, which costs nothing, so that nothing
 * else is asked until the account is known to be good: until WinRM itself has answered, and nothing in front of it.
 */
async function prove(
  connection: HttpConnection,
  channel: Channel,
  route: Route,
  mask: Mask,
  deadline: Deadline,
): Promise<void> {
  const { contentType, body } = channel.wrap(encodeIdentify())
  const headers = { ...channel.headers, 'content-type': contentType }
  const request = { method: 'POST', path: route.path, headers, body } as const
  const answer = await connection.ask(request, MOST_IDENTIFY_BYTES, deadline)
  if (answer.status === 401) {
    if (route.credential.auth === 'certificate')
      throw new NotTaken(
        'auth_failed',
        `${route.where}: HTTP 401: the certificate is not mapped to an account`,
      )
    const offered = [answer.headers['www-authenticate'] ?? []].flat()
    if (!offered.some((line) => /(?:^|,)\s*basic\b/i.test(line)))
      throw new NotTaken('auth_failed', `${route.where}: HTTP 401: the server does not offer Basic`)
    throw new ProbeFailure('auth_failed', `${route.where}: HTTP 401`)
  }
  checkStatus(answer, route.where, mask)
}

export interface Round<T> {
  readonly value: T
  /** Of the answer. */
  readonly length: number
  readonly sent: Moment
  readonly received: Moment
  /** For what it says in words. */
  readonly mask: Mask
}

/**
 * One question and its answer, decoded. After any failure the connection is closed: nobody can say any more what the
 * next message on it would be. A refusal now, of an account that was accepted before, is held against it where the
 * password goes along with every question.
 */
export async function sayOn<T>(
  session: Session,
  route: Route,
  message: string,
  decode: (text: string) => T,
  deadline: Deadline,
  guard: LogonGuard,
): Promise<Round<T>> {
  const { connection, channel, identity, mask } = session
  try {
    const { contentType, body } = channel.wrap(message)
    const headers = { ...channel.headers, 'content-type': contentType }
    const request = { method: 'POST', path: route.path, headers, body } as const
    const answer = await connection.ask(request, MOST_BODY_BYTES, deadline)
    checkStatus(answer, route.where, mask)
    const { sent, received } = answer
    const text = channel.unwrap({ contentType: typeOf(answer), body: answer.body })
    if (!session.accepted) guard.judge(...identity, 'accepted')
    session.accepted = true
    return { value: decode(text), length: text.length, sent, received, mask }
  } catch (error) {
    connection.close()
    if (error instanceof ProbeFailure && error.reason === 'auth_failed' && route.credential.auth === 'basic')
      guard.judge(...identity, 'refused')
    throw error
  }
}
