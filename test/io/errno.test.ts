import { describe, expect, it } from 'vitest'
import { socketFailure } from '../../src/io/errno.ts'
import { ProbeFailure, REASONS } from '../../src/model/failure.ts'

function errorOf(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code })
}

describe('what the operating system says', () => {
  it.each([
    ['ECONNREFUSED', 'connect_refused'],
    ['ETIMEDOUT', 'connect_timeout'],
    ['EHOSTUNREACH', 'connect_unreachable'],
    ['ENETUNREACH', 'connect_unreachable'],
    ['EADDRNOTAVAIL', 'connect_unreachable'],
    ['EACCES', 'connect_unreachable'],
    ['EPERM', 'connect_unreachable'],
    ['EINVAL', 'connect_unreachable'],
    ['UNKNOWN', 'connect_unreachable'],
    ['ECONNRESET', 'connect_reset'],
    ['EPIPE', 'connect_reset'],
    ['EMFILE', 'exporter_overloaded'],
    ['ENFILE', 'exporter_overloaded'],
    ['CERT_HAS_EXPIRED', 'tls_expired'],
    ['CERT_NOT_YET_VALID', 'tls_expired'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls_untrusted'],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'tls_untrusted'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls_untrusted'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls_failed'],
    ['EPROTO', 'tls_failed'],
  ] as const)('%s is %s', (code, reason) => {
    const cause = errorOf(code)
    const failure = socketFailure(cause, '192.0.2.1:1688')
    expect(failure).toMatchObject({ reason, message: `192.0.2.1:1688: ${code}`, cause })
    expect(REASONS).toContain(failure.reason)
  })

  it('is our own fault where we do not know the word, and the cause is kept', () => {
    const cause = errorOf('ESOMETHING')
    expect(socketFailure(cause, 'here')).toMatchObject({ reason: 'internal_error', cause })
    expect(socketFailure('a string', 'here')).toMatchObject({
      reason: 'internal_error',
      message: 'here: a string',
    })
    expect(socketFailure(new Error('no code'), 'here').message).toBe('here: no code')
    expect(socketFailure(Object.assign(new Error('odd'), { code: 7 }), 'here').message).toBe('here: odd')
  })

  it('is left alone when it is a failure already', () => {
    const failure = new ProbeFailure('too_large', 'much too large')
    expect(socketFailure(failure, 'here')).toBe(failure)
  })
})
