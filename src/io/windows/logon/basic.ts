// Logging on by user name and password (RFC 7617): both go with every request, so only within TLS, or where the
// configuration insists. Windows takes it for local accounts, and only after `winrm set` has allowed it.
import { ProbeFailure } from '../../../model/failure.ts'
import { plainChannel } from './certificate.ts'
import type { Logon } from './logon.ts'

/** Nothing is asked: the first question shows whether the server takes the password. */
export const logonBasic: Logon = async ({ credential: { username }, password }) => {
  if (username === undefined) throw new ProbeFailure('not_configured', 'basic: username is not given')
  if (password === undefined) throw new ProbeFailure('not_configured', 'basic: there is no password')
  const pair = Buffer.from(`${username}:${password}`, 'utf8')
  return plainChannel({ authorization: `Basic ${pair.toString('base64')}` })
}
