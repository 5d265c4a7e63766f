// The web configuration: which files are right and which are not, what is said of them, and that promtool agrees.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { formatProblem } from '../../src/config/problem.ts'
import { readWebConfig } from '../../src/config/web-config.ts'
import { makeCertificate, type CertificateFiles } from '../real/servers/certificate.ts'
import { program, realServer } from '../real/servers/need.ts'

const HASH = '$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi'

let directory: string
let files: CertificateFiles
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'winkms-web-'))
  files = await makeCertificate(directory)
  writeFileSync(join(directory, 'empty.pem'), '')
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function write(yaml: string): string {
  const file = join(directory, 'web.yml')
  writeFileSync(file, yaml)
  return file
}

const said = (yaml: string): readonly string[] =>
  readWebConfig(write(yaml)).problems.map((problem) => formatProblem(problem).replace(/^.*web\.yml:/, ''))

/** promtool's word on it: of an older toolkit, which knows no rate_limit. */
function promtoolAccepts(yaml: string): boolean {
  try {
    execFileSync(program('promtool'), ['check', 'web-config', write(yaml)], { stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}

const TLS = 'tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n'

/** As the toolkit has it too. */
const GOOD: Readonly<Record<string, string>> = {
  nothing: '',
  'TLS, relative to the file': TLS,
  'empty mappings': 'tls_server_config: {}\nbasic_auth_users:\n',
  'clients that are asked': `${TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: authority.pem\n`,
  'any client': `${TLS}  client_auth_type: RequireAnyClientCert\n`,
  'no client': `${TLS}  client_auth_type: NoClientCert\n`,
  versions: `${TLS}  min_version: TLS12\n  max_version: TLS13\n`,
  'all curves': `${TLS}  curve_preferences: [CurveP256, CurveP384, CurveP521, X25519]\n`,
  'some suites': `${TLS}  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256]\n  prefer_server_cipher_suites: false\n`,
  'no HTTP/2': `${TLS}http_server_config: { http2: false }\n`,
  headers: `http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=31536000; includeSubDomains\n    X-Frame-Options: deny\n    X-Content-Type-Options: nosniff\n    X-XSS-Protection: 1; mode=block\n    Content-Security-Policy: "default-src 'self'"\n`,
  users: `basic_auth_users:\n  alice: ${HASH}\n  bob: ${HASH.replace('$2y', '$2a')}\n`,
}

const BAD: Readonly<Record<string, readonly [string, string]>> = {
  'a key that is none': [
    'tls_config: {}',
    '1:1: tls_config: is not a known key (hint: known here: tls_server_config, http_server_config, basic_auth_users, rate_limit)',
  ],
  'a certificate without its key': [
    'tls_server_config: { cert_file: server.pem }',
    '1:20: tls_server_config: has neither key_file nor key',
  ],
  'a key without its certificate': [
    'tls_server_config: { key_file: server.key }',
    '1:20: tls_server_config: has neither cert_file nor cert',
  ],
  'an empty name': [
    'tls_server_config: { cert_file: "", key_file: server.key }',
    '1:20: tls_server_config: has neither cert_file nor cert',
  ],
  'a file that is not there': [
    TLS.replace('server.pem', 'none.pem'),
    '2:14: tls_server_config.cert_file: names a file that does not exist',
  ],
  'a file without a certificate': [
    TLS.replace('server.pem', 'empty.pem'),
    '2:14: tls_server_config.cert_file: names a file that holds no certificate (hint: PEM text is expected)',
  ],
  'the key of another certificate': [
    TLS.replace('server.key', 'authority.key'),
    '3:13: tls_server_config.key_file: is not the key of the certificate',
  ],
  'an authority, and nobody who asks': [
    `${TLS}  client_ca_file: authority.pem\n`,
    '4:19: tls_server_config.client_ca_file: says who vouches for clients, and no client_auth_type asks them (hint: client_auth_type: RequireAndVerifyClientCert)',
  ],
  'an unknown way of asking': [
    `${TLS}  client_auth_type: RequireSomething\n`,
    '4:21: tls_server_config.client_auth_type: must be one of NoClientCert, RequestClientCert, RequireAnyClientCert, RequireClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert, got "RequireSomething"',
  ],
  'a version that is none': [
    `${TLS}  min_version: TLS111\n`,
    '4:16: tls_server_config.min_version: must be TLS12 or TLS13, got "TLS111"',
  ],
  'an invented curve': [
    `${TLS}  curve_preferences: [CurveP257]\n`,
    '4:23: tls_server_config.curve_preferences[0]: must be a curve, got "CurveP257" (hint: known here: CurveP256, CurveP384, CurveP521, X25519)',
  ],
  'a header of its own': [
    'http_server_config: { headers: { X-Mine: a } }',
    '1:34: http_server_config.headers.X-Mine: is not a known key (hint: known here: Content-Security-Policy, X-Frame-Options, X-Content-Type-Options, X-XSS-Protection, Strict-Transport-Security)',
  ],
  'a header with a value that is none': [
    'http_server_config: { headers: { X-Frame-Options: allow } }',
    '1:51: http_server_config.headers.X-Frame-Options: must be one of deny, sameorigin, got "allow"',
  ],
  'a password in clear': [
    'basic_auth_users: { alice: hunter2 }',
    '1:28: basic_auth_users.alice: must be a bcrypt hash (hint: htpasswd -nBC 10 USER prints one)',
  ],
  'a list of users': ['basic_auth_users: [alice]', '1:19: basic_auth_users: must be a mapping, got a list'],
}

/** Where this is narrower than the toolkit, or knows what an older one does not. */
const NARROWER: Readonly<Record<string, readonly [string, string]>> = {
  'TLS 1.1': [
    `${TLS}  min_version: TLS11\n`,
    '4:16: tls_server_config.min_version: is a version that RFC 8996 took out of use, got "TLS11" (hint: TLS12 is the lowest)',
  ],
  'a lowest version above the highest': [
    `${TLS}  min_version: TLS13\n  max_version: TLS12\n`,
    '4:16: tls_server_config.min_version: is above max_version: no version is left',
  ],
  'names, and no certificate that has to carry them': [
    `${TLS}  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: authority.pem\n  client_allowed_sans: [a.example]\n`,
    '6:24: tls_server_config.client_allowed_sans: needs a client_auth_type that requires a certificate (hint: client_auth_type: RequireAndVerifyClientCert)',
  ],
  'a hash that takes minutes': [
    `basic_auth_users: { alice: ${HASH.replace('$10$', '$20$')} }`,
    '1:28: basic_auth_users.alice: has a cost of 20: 4 to 16 are possible (hint: 10 to 12 is usual)',
  ],
  'a name with a colon': [
    `basic_auth_users: { "a:b": ${HASH} }`,
    '1:21: basic_auth_users["a:..."]: is a user name without colons',
  ],
  'a rate without a burst': [
    'rate_limit: { interval: 1s }',
    '1:13: rate_limit: has no burst of 1 or more: nobody would ever be let in',
  ],
  'a rate without a unit': [
    'rate_limit: { interval: 5, burst: 1 }',
    '1:25: rate_limit.interval: has no unit: must be a duration like 1s, got 5',
  ],
}

describe('a web configuration', () => {
  it.each(Object.entries(GOOD))('with %s is right', (_what, yaml) => {
    expect(said(yaml)).toEqual([])
  })

  it.each(Object.entries({ ...BAD, ...NARROWER }))('with %s is wrong', (_what, [yaml, problem]) => {
    expect(said(yaml)).toEqual([problem])
  })

  it('is right to promtool where it is to us, and wrong where it is', (context) => {
    realServer(context, ['promtool'])
    for (const [what, yaml] of Object.entries(GOOD))
      expect([what, promtoolAccepts(yaml)]).toEqual([what, true])
    for (const [what, [yaml]] of Object.entries(BAD))
      expect([what, promtoolAccepts(yaml)]).toEqual([what, false])
  })

  it('says all that is wrong at once, in order', () => {
    const problems = said(
      'nonsense: 1\nbasic_auth_users: { alice: x }\ntls_server_config: { key: x, cert_file: none }\n',
    )
    expect(problems.map((each) => each.replace(/ .*/, ''))).toEqual(['1:1:', '2:28:', '3:27:', '3:41:'])
  })

  it('that cannot be read is wrong, too', () => {
    expect(readWebConfig(join(directory, 'none.yml')).problems).toMatchObject([{ message: 'does not exist' }])
    expect(readWebConfig(directory).problems).toMatchObject([{ message: 'is a directory' }])
  })

  it('is, with everything in it, what it says', () => {
    const key = readFileSync(files.keyFile, 'utf8')
    const { config } = readWebConfig(
      write(
        `${TLS}  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: authority.pem
  client_allowed_sans: [prometheus.example]
  min_version: TLS13
  cipher_suites: [TLS_AES_256_GCM_SHA384]
  curve_preferences: [X25519]
http_server_config: { headers: { X-Frame-Options: deny, X-XSS-Protection: "" } }
basic_auth_users: { alice: ${HASH} }
rate_limit: { interval: 1m1.5s, burst: 20 }
`,
      ),
    )
    expect(config).toEqual({
      tls: {
        certificates: readFileSync(files.certificateFile, 'utf8'),
        key: key.replaceAll('\r', ''),
        clientAuthorities: readFileSync(files.authorityFile, 'utf8'),
        clientAuthType: 'RequireAndVerifyClientCert',
        clientAllowedSans: ['prometheus.example'],
        minVersion: 'TLSv1.3',
        maxVersion: 'TLSv1.3',
        cipherSuites: ['TLS_AES_256_GCM_SHA384'],
        preferOurCiphers: true,
        curves: ['X25519'],
      },
      headers: { 'X-Frame-Options': 'deny' },
      users: new Map([['alice', HASH]]),
      rateLimit: { intervalSeconds: 61.5, burst: 20 },
    })
  })

  it('keeps hashes, passwords and keys to itself, whatever is wrong with it', () => {
    const secret = 'hunter2hunter2'
    for (const yaml of [
      `basic_auth_users: { alice: ${secret} }`,
      `basic_auth_users: { alice: [${secret}] }`,
      `basic_auth_users:\n  - alice: ${secret}`,
      `basic_auth_users: { alice: "${HASH}x" }`,
      `tls_server_config: { key: "${secret}", cert_file: server.pem }`,
      `tls_server_config: { key: [${secret}], cert_file: server.pem }`,
      `tls_server_config:\n  key: |\n    -----BEGIN PRIVATE KEY-----\n    ${secret}\n`,
    ]) {
      const text = said(yaml).join('\n')
      expect(text).not.toBe('')
      expect(text).not.toContain(secret)
      expect(text).not.toContain(HASH)
    }
  })

  it('can be any text', () => {
    const word = fc.constantFrom(...Object.values(GOOD).flatMap((yaml) => yaml.split(/(?<=[\s:,[\]{}])/)))
    const text = fc.oneof(
      fc.string(),
      fc.array(word, { maxLength: 30 }).map((words) => words.join('')),
    )
    fc.assert(
      fc.property(text, (yaml) => {
        const { config, problems } = readWebConfig(write(yaml))
        expect(problems.length > 0).toBe(config === undefined)
      }),
      { numRuns: 300 },
    )
  })
})
