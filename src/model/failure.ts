// Why a question could not be answered, in words from one closed list: the list is a label, so it may only grow.

export const REASONS = [
  'resolve_nxdomain',
  'resolve_nodata',
  'resolve_servfail',
  'resolve_refused',
  'resolve_timeout',
  'connect_refused',
  'connect_timeout',
  'connect_unreachable',
  'connect_reset',
  'rpc_rejected',
  'rpc_fault',
  'rpc_timeout',
  'not_rpc',
  'tls_untrusted',
  'tls_expired',
  'tls_failed',
  'auth_failed',
  'access_denied',
  'not_found',
  'protocol_error',
  'timeout',
  'too_large',
  'not_configured',
  'exporter_overloaded',
  'internal_error',
] as const

export type Reason = (typeof REASONS)[number]

/** A question that went unanswered. `message` is for people; only `reason` ever becomes a label. */
export class ProbeFailure extends Error {
  readonly reason: Reason

  constructor(reason: Reason, detail: string, options?: ErrorOptions) {
    super(detail, options)
    this.name = 'ProbeFailure'
    this.reason = reason
  }
}

/** Bytes or text from a peer that do not follow their specification. The only thing a decoder throws. */
export class MalformedMessage extends Error {
  /** Where decoding stopped, in bytes (or characters, for text) from the start of the message. */
  readonly offset: number

  constructor(detail: string, offset: number) {
    super(`${detail} (at offset ${offset})`)
    this.name = 'MalformedMessage'
    this.offset = offset
  }
}
