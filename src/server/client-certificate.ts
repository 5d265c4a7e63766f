// What TLS asks of clients, in Node's words, and the names in their certificates, which Node does not look at.
import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { TLSSocket, TlsOptions } from 'node:tls'
import type { TlsConfig } from '../config/web-tls.ts'

export function contextOptions(tls: TlsConfig): TlsOptions {
  return {
    cert: tls.certificates,
    key: tls.key,
    minVersion: tls.minVersion,
    maxVersion: tls.maxVersion,
    honorCipherOrder: tls.preferOurCiphers,
    ...(tls.clientAuthorities !== undefined && { ca: tls.clientAuthorities }),
    ...(tls.curves !== undefined && { ecdhCurve: tls.curves.join(':') }),
    ...(tls.cipherSuites !== undefined && { ciphers: ciphersOf(tls.cipherSuites) }),
  }
}

const TLS13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']

/** Go has no choice of suites for TLS 1.3; Node offers no TLS 1.3 where none of its suites is listed. */
function ciphersOf(suites: readonly string[]): string {
  return [...TLS13, ...suites.filter((suite) => !TLS13.includes(suite))].join(':')
}

/** What is settled when a server is made, and by nothing later. */
export function clientOptions({ clientAuthType }: TlsConfig): TlsOptions {
  return {
    requestCert: clientAuthType !== 'NoClientCert',
    rejectUnauthorized: clientAuthType === 'RequireAndVerifyClientCert',
  }
}

/** What is wrong with the client at the other end, once TLS has shaken hands; undefined when it may come in. */
export function strangerAt(socket: TLSSocket, tls: TlsConfig): string | undefined {
  const certificate = socket.getPeerX509Certificate()
  switch (tls.clientAuthType) {
    case 'NoClientCert':
    case 'RequestClientCert':
      return undefined
    case 'VerifyClientCertIfGiven':
      return certificate === undefined || socket.authorized ? undefined : 'its certificate is not vouched for'
    case 'RequireAndVerifyClientCert':
      if (!socket.authorized) return 'its certificate is not vouched for'
      break
    case 'RequireAnyClientCert':
    case 'RequireClientCert':
      break
  }
  if (certificate === undefined) return 'it shows no certificate'
  const { clientAllowedSans } = tls
  return clientAllowedSans === undefined || namesOneOf(certificate, clientAllowedSans)
    ? undefined
    : 'its certificate names nobody who is allowed'
}

/** Exactly, as in the toolkit: DNS names, e-mail addresses and URIs as they are written, addresses as what they mean. */
function namesOneOf(certificate: X509Certificate, allowed: readonly string[]): boolean {
  const names = new Set(alternativeNames(certificate.subjectAltName))
  return allowed.some((each) =>
    isIP(each) === 0 ? names.has(each) : certificate.checkIP(each) !== undefined,
  )
}

/**
 * The DNS, e-mail and URI entries of Node's text for subjectAltName: entries after commas, each with its kind before a
 * colon, and as a JSON string where it has a comma, a quote or the like of its own.
 */
export function alternativeNames(text: string | undefined): readonly string[] {
  const names: string[] = []
  const entry = /(?:^|, )(\w[\w ]*):(?:"((?:[^"\\]|\\.)*)"|([^,"]*))(?=, |$)/gy
  for (const [, kind = '', quoted, plain = ''] of (text ?? '').matchAll(entry)) {
    if (!['DNS', 'email', 'URI'].includes(kind)) continue
    names.push(quoted === undefined ? plain : String(JSON.parse(`"${quoted}"`)))
  }
  return names
}
