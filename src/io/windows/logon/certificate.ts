// Logging on with a client certificate: TLS has done it before the first request, and a header says that it is meant
// (DMTF DSP0226, profile https/mutual; that Windows takes it in this form is [U]). Windows maps the certificate to a
// local account.
import { readSmallFile } from '../../../config/files.ts'
import type { Credential } from '../../../config/schema.ts'
import { MalformedMessage, ProbeFailure } from '../../../model/failure.ts'
import type { Channel, Logon } from './logon.ts'

const SCHEME = 'http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual'
const MOST_PEM_BYTES = 256 * 1024

function pemOf(key: 'certificate_file' | 'key_file', file: string | undefined, wanted: RegExp): string {
  if (file === undefined) throw new ProbeFailure('not_configured', `${key} is not given`)
  const read = readSmallFile(file, MOST_PEM_BYTES)
  const problem = read.problem ?? (wanted.test(read.text) ? undefined : 'holds no such thing in PEM')
  if (read.problem === undefined && problem === undefined) return read.text
  throw new ProbeFailure('not_configured', `${key} names a file that ${problem}`)
}

/**
 * What TLS shows of us, in PEM, read at each connection so that a renewed certificate needs no reload. Rejects with
 * ProbeFailure `not_configured`, never with any of a key in the text.
 */
export async function clientCertificateOf(
  credential: Credential,
): Promise<{ readonly certificate: string; readonly key: string }> {
  return {
    certificate: pemOf('certificate_file', credential.certificate_file, /-----BEGIN CERTIFICATE-----/),
    // Not BEGIN ENCRYPTED PRIVATE KEY: nobody is there to type a passphrase.
    key: pemOf('key_file', credential.key_file, /-----BEGIN (?:RSA |EC )?PRIVATE KEY-----/),
  }
}

/** Messages as they are: TLS seals them. */
export function plainChannel(headers: Channel['headers'], accepted = false): Channel {
  return {
    headers,
    accepted,
    wrap: (message) => ({
      contentType: 'application/soap+xml;charset=UTF-8',
      body: Buffer.from(message, 'utf8'),
    }),
    unwrap: ({ body }) => textOf(body),
  }
}

/** UTF-8, as it was asked for. Throws MalformedMessage. */
export function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw new MalformedMessage('an answer that is not UTF-8', 0)
  }
}

/** Nothing is asked: the first question shows whether the server knows the certificate. */
export const logonCertificate: Logon = async ({ connection }) => {
  if (connection.peerCertificate === undefined)
    throw new ProbeFailure('not_configured', 'a client certificate needs an https:// url')
  return plainChannel({ authorization: SCHEME })
}
