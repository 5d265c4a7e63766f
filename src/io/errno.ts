// What the operating system and OpenSSL say, in the exporter's reasons.
import { ProbeFailure, type Reason } from '../model/failure.ts'

const CONNECT: Readonly<Record<string, Reason>> = {
  ECONNREFUSED: 'connect_refused',
  ETIMEDOUT: 'connect_timeout',
  EHOSTUNREACH: 'connect_unreachable',
  EHOSTDOWN: 'connect_unreachable',
  ENETUNREACH: 'connect_unreachable',
  ENETDOWN: 'connect_unreachable',
  // No route for this family from here (no IPv6, say), or a local firewall's refusal to send.
  EADDRNOTAVAIL: 'connect_unreachable',
  EAFNOSUPPORT: 'connect_unreachable',
  EINVAL: 'connect_unreachable',
  EACCES: 'connect_unreachable',
  EPERM: 'connect_unreachable',
  ECONNRESET: 'connect_reset',
  EPIPE: 'connect_reset',
  ECONNABORTED: 'connect_reset',
  EMFILE: 'exporter_overloaded',
  ENFILE: 'exporter_overloaded',
  ENOBUFS: 'exporter_overloaded',
  EAGAIN: 'exporter_overloaded',
  ENOMEM: 'exporter_overloaded',
  // On Windows, what libuv has no name for. Of a socket: WSAENETDOWN, WSAEHOSTDOWN, WSAENETRESET, and their like.
  UNKNOWN: 'connect_unreachable',
}

const TLS: Readonly<Record<string, Reason>> = {
  CERT_HAS_EXPIRED: 'tls_expired',
  CERT_NOT_YET_VALID: 'tls_expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls_untrusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls_untrusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls_untrusted',
  UNABLE_TO_GET_ISSUER_CERT: 'tls_untrusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'tls_untrusted',
  CERT_UNTRUSTED: 'tls_untrusted',
  CERT_REVOKED: 'tls_untrusted',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls_untrusted',
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** A socket's error as a reason. Unknown codes are ours to explain: `internal_error`, with the cause kept. */
export function socketFailure(error: unknown, where: string): ProbeFailure {
  if (error instanceof ProbeFailure) return error
  const code = codeOf(error)
  const tls = TLS[code] ?? (/^(ERR_SSL|ERR_TLS|EPROTO)/.test(code) ? 'tls_failed' : undefined)
  const reason = tls ?? CONNECT[code] ?? 'internal_error'
  const said = error instanceof Error ? error.message : String(error)
  return new ProbeFailure(reason, `${where}: ${code === '' ? said : code}`, { cause: error })
}
