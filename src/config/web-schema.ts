// The web configuration on one page: the format of Prometheus's exporter toolkit (docs/web-configuration.md there), so that
// a file that serves another exporter serves this one. Narrower in three points, each of which is said when it is met:
// no TLS below 1.2, no cipher suite without forward secrecy, no password hash that takes minutes to check.
import * as z from 'zod'

import { some, text, whole } from './fields.ts'
import type { Parsed } from './values.ts'

/** Go's names for how a client shows who it is: crypto/tls, ClientAuthType. */
const CLIENT_AUTH_TYPES = [
  'NoClientCert',
  'RequestClientCert',
  'RequireAnyClientCert',
  'RequireClientCert',
  'VerifyClientCertIfGiven',
  'RequireAndVerifyClientCert',
] as const
export type ClientAuthType = (typeof CLIENT_AUTH_TYPES)[number]

/** From Go's names to Node's. */
const VERSIONS = { TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' } as const

/** From the names of RFC 5289 and 7905, which Go uses, to OpenSSL's. Those of TLS 1.3 are always offered, as by Go. */
const CIPHER_SUITES: Readonly<Record<string, string>> = {
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_AES_128_GCM_SHA256: 'TLS_AES_128_GCM_SHA256',
  TLS_AES_256_GCM_SHA384: 'TLS_AES_256_GCM_SHA384',
  TLS_CHACHA20_POLY1305_SHA256: 'TLS_CHACHA20_POLY1305_SHA256',
}

const CURVES: Readonly<Record<string, string>> = {
  CurveP256: 'P-256',
  CurveP384: 'P-384',
  CurveP521: 'P-521',
  X25519: 'X25519',
}

function version(given: string): Parsed<(typeof VERSIONS)[keyof typeof VERSIONS]> {
  if (given === 'TLS12' || given === 'TLS13') return { value: VERSIONS[given] }
  return given === 'TLS10' || given === 'TLS11'
    ? { problem: 'is a version that RFC 8996 took out of use', hint: 'TLS12 is the lowest' }
    : { problem: 'must be TLS12 or TLS13' }
}

function oneOf(names: Readonly<Record<string, string>>, what: string) {
  return (given: string): Parsed<string> => {
    const value = Object.hasOwn(names, given) ? names[given] : undefined
    return value === undefined
      ? { problem: `must be a ${what}`, hint: `known here: ${Object.keys(names).join(', ')}` }
      : { value }
  }
}

/** A hash costs 2 to this power: 10 takes a tenth of a second, 16 some seconds. */
const MOST_COST = 16

function bcryptHash(given: string): Parsed<string> {
  const cost = Number(/^\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(given)?.[1])
  if (Number.isNaN(cost)) {
    return { problem: 'must be a bcrypt hash', hint: 'htpasswd -nBC 10 USER prints one' }
  }
  return cost < 4 || cost > MOST_COST
    ? { problem: `has a cost of ${cost}: 4 to ${MOST_COST} are possible`, hint: '10 to 12 is usual' }
    : { value: given }
}

function userName(given: string): Parsed<string> {
  // RFC 7617 2: the first colon ends the name.
  return given === '' || given.includes(':') ? { problem: 'is a user name without colons' } : { value: given }
}

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
}

/** Seconds, of a duration as Go writes them: `1s`, `1.5s`, `1m0s`, `0`. */
function goDuration(given: string): Parsed<number> {
  if (given === '0') return { value: 0 }
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(given))
    return { problem: 'must be a duration like 1s' }
  let seconds = 0
  for (const [, number, unit = ''] of given.matchAll(/([\d.]+)([^\d.]+)/g)) {
    seconds += Number(number) * (UNIT_SECONDS[unit] ?? 0)
  }
  return { value: seconds }
}

const NO_UNIT = { error: 'has no unit: must be a duration like 1s' }

/** Empty is as good as not given, there as here. */
const optional = z.string().nullish()

const tls = z.strictObject({
  cert: optional,
  key: optional,
  client_ca: optional,
  cert_file: optional,
  key_file: optional,
  client_ca_file: optional,
  client_auth_type: z.enum(CLIENT_AUTH_TYPES).nullish(),
  client_allowed_sans: some(z.string()).nullish(),
  min_version: text(version).default('TLSv1.2'),
  max_version: text(version).default('TLSv1.3'),
  cipher_suites: z.array(text(oneOf(CIPHER_SUITES, 'cipher suite'))).nullish(),
  prefer_server_cipher_suites: z.boolean().default(true),
  curve_preferences: z.array(text(oneOf(CURVES, 'curve'))).nullish(),
})

const http = z.strictObject({
  // Spoken or not is for the two ends to agree on: this one offers HTTP/1.1 only.
  http2: z.boolean().default(true),
  headers: z
    .strictObject({
      'Content-Security-Policy': z.string().exactOptional(),
      'X-Frame-Options': z.enum(['deny', 'sameorigin']).exactOptional(),
      'X-Content-Type-Options': z.enum(['nosniff']).exactOptional(),
      'X-XSS-Protection': z.string().exactOptional(),
      'Strict-Transport-Security': z.string().exactOptional(),
    })
    .nullish(),
})

export const webSchema = z.strictObject({
  tls_server_config: tls.nullish(),
  http_server_config: http.nullish(),
  basic_auth_users: z.record(text(userName), text(bcryptHash)).nullish(),
  rate_limit: z
    .strictObject({
      interval: z.union([z.int().min(0, NO_UNIT).max(0, NO_UNIT), text(goDuration)]).default(0),
      burst: whole(0, 1_000_000).default(0),
    })
    .nullish(),
})

export type WebFile = z.infer<typeof webSchema>
