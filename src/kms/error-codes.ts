// What a client shows for what is wrong. Source: Microsoft's lists of activation error codes (activation-error-codes,
// troubleshoot-activation-error-codes) and KB 974998. Rows marked `verified: false` rest on arithmetic or inference.

export interface ClientError {
  readonly code: string
  readonly symbol: string
  readonly meaning: string
  readonly verified: boolean
}

const rows = [
  ['0xC004F074', 'SL_E_VL_BINDING_SERVICE_UNAVAILABLE', 'no KMS host could be contacted', true],
  [
    '0xC004F06C',
    'SL_E_VL_INVALID_TIMESTAMP',
    'the host says that the time stamp of the request is invalid',
    true,
  ],
  ['0xC004F038', 'SL_E_VL_NOT_ENOUGH_COUNT', 'the count on the KMS host is too low', true],
  ['0xC004F039', 'SL_E_VL_BINDING_SERVICE_NOT_ENABLED', 'KMS is not enabled on the host', true],
  [
    '0xC004F041',
    'SL_E_VL_KEY_MANAGEMENT_SERVICE_NOT_ACTIVATED',
    'the KMS host itself is not activated',
    true,
  ],
  [
    '0xC004F042',
    'SL_E_VL_KEY_MANAGEMENT_SERVICE_ID_MISMATCH',
    'this KMS host cannot serve this product',
    true,
  ],
  ['0x800706BA', 'RPC_S_SERVER_UNAVAILABLE', 'the RPC server is unavailable', true],
  ['0x8007232B', 'DNS_ERROR_RCODE_NAME_ERROR', 'the DNS name does not exist', true],
  ['0x8007232A', 'DNS_ERROR_RCODE_SERVER_FAILURE', 'DNS server failure', true],
  ['0x8007251D', 'DNS_INFO_NO_RECORDS', 'the DNS name has no record of this type', true],
  // HRESULT_FROM_WIN32(9000 + rcode): the rule agrees with the documented codes; these two are not documented for KMS.
  ['0x80072329', 'DNS_ERROR_RCODE_FORMAT_ERROR', 'the DNS server could not read the query', false],
  ['0x8007232C', 'DNS_ERROR_RCODE_NOT_IMPLEMENTED', 'the DNS server does not do such queries', false],
  ['0x8007232D', 'DNS_ERROR_RCODE_REFUSED', 'the DNS server refused the query', false],
] as const

export type ClientErrorCode = (typeof rows)[number][0]

export const CLIENT_ERRORS: Readonly<Record<ClientErrorCode, ClientError>> = Object.fromEntries(
  rows.map(([code, symbol, meaning, verified]) => [code, { code, symbol, meaning, verified }]),
) as Record<ClientErrorCode, ClientError>

const RCODES: Readonly<Record<string, ClientErrorCode>> = {
  FORMERR: '0x80072329',
  SERVFAIL: '0x8007232A',
  NXDOMAIN: '0x8007232B',
  NOTIMP: '0x8007232C',
  REFUSED: '0x8007232D',
}

/** The error of a client whose SRV lookup got this answer; undefined when the answer is usable, or not one we know. */
export function clientErrorOfLookup(rcode: string, records: number): ClientErrorCode | undefined {
  if (rcode !== 'NOERROR') return RCODES[rcode]
  return records === 0 ? '0x8007251D' : undefined
}

/**
 * Why a host could not publish itself (event 12293): HRESULT_FROM_WIN32(9000 + rcode). That BADSIG stands for a record
 * which belongs to another host is from Microsoft's support articles; the others are the rcodes' own meanings (RFC 1035, 2136).
 */
const PUBLISH_ERRORS: Readonly<Record<string, string>> = {
  '0x80072338': 'the record belongs to another host, and this one may not change it',
  '0x8007232D': 'the zone does not take its dynamic update',
  '0x8007232A': 'the DNS server failed',
  '0x8007232B': 'there is no such zone',
  '0x80072331': 'the zone is not on that DNS server',
}

/** `0x80072338 (the record belongs to ...)`; the bare code where nothing is known of it. */
export function sayPublishError(code: string): string {
  const meaning = Object.hasOwn(PUBLISH_ERRORS, code) ? PUBLISH_ERRORS[code] : undefined
  return meaning === undefined ? code : `${code} (${meaning})`
}
