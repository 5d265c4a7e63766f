// Ways to prove who we are on one connection, and what that does to the messages that follow. One connection, one
// logon: what NTLM and Kerberos agree on (keys, sequence numbers) belongs to the connection and dies with it.
import type { Credential } from '../../../config/schema.ts'
import type { Deadline } from '../../deadline.ts'
import type { HttpConnection } from '../../http.ts'

/** A message as it goes over the wire, or came from it. */
export interface Carried {
  readonly contentType: string
  readonly body: Uint8Array
}

/** What a logon leaves behind. */
export interface Channel {
  /** Go with every request: the Authorization of Basic, of a client certificate; none once the connection is known. */
  readonly headers: Readonly<Record<string, string>>
  /** Seals where the logon agreed to; else the text as it is, `application/soap+xml;charset=UTF-8`. */
  wrap(message: string): Carried
  /** Throws MalformedMessage for what was altered or does not follow its specification. */
  unwrap(carried: Carried): string
  /** Whether the server has said that it accepts us; else its first answer to a question says so. */
  readonly accepted: boolean
}

export interface LogonContext {
  readonly connection: HttpConnection
  /** `/wsman`. */
  readonly path: string
  /** The name the server goes by: for the service principal. */
  readonly host: string
  readonly credential: Credential
  /** Of auth basic and ntlm, as it was when the logon began. */
  readonly password: string | undefined
  readonly deadline: Deadline
  /** To be awaited right before anything goes out that may be counted against the account. Rejects where it must not. */
  readonly beforeProof: () => Promise<void>
}

/**
 * Rejects with ProbeFailure: `auth_failed` when the server does not accept us (once: no second attempt),
 * `not_configured` when a password, keytab or library is missing here, and all that the connection rejects with.
 */
export type Logon = (context: LogonContext) => Promise<Channel>
