// The TLS part of the web configuration: certificates and keys from the files that are named, or as they stand there.
import type { X509Certificate } from 'node:crypto'

import { authoritiesIn, certificateIn, keyIn, readAs, type Held } from './check-files.ts'
import { fileVersion, located, type FileVersions } from './files.ts'
import type { Fault, Path } from './problem.ts'
import type { ClientAuthType, WebFile } from './web-schema.ts'

export interface TlsConfig {
  /** PEM: our certificate, and those between it and the authority. */
  readonly certificates: string
  /** PEM, PKCS #8. */
  readonly key: string
  /** PEM: who vouches for clients; Node's own authorities when not given. */
  readonly clientAuthorities: string | undefined
  readonly clientAuthType: ClientAuthType
  /** A client's certificate has to name one of these: DNS, e-mail, IP, URI. Any will do when not given. */
  readonly clientAllowedSans: readonly string[] | undefined
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3'
  /** OpenSSL's names, in order of preference; Node's own choice when not given. */
  readonly cipherSuites: readonly string[] | undefined
  readonly preferOurCiphers: boolean
  /** OpenSSL's names, in order of preference; Node's own choice when not given. */
  readonly curves: readonly string[] | undefined
}

type Given = NonNullable<WebFile['tls_server_config']>
type Key = 'cert' | 'key' | 'client_ca'

export const TLS = 'tls_server_config'

/** Without a word on TLS there is none. */
export function tlsOf(
  given: WebFile['tls_server_config'],
  directory: string,
): {
  readonly config: TlsConfig | undefined
  readonly faults: readonly Fault[]
  readonly files: FileVersions
} {
  const files = new Map<string, string | undefined>()
  if (!given || !wantsTls(given)) return { config: undefined, faults: [], files }
  const faults: Fault[] = []

  const held = <T>(key: Key, within: (text: string) => Held<T>): T | undefined => {
    const [path, { value, ...fault }] = heldBy(given, key, within, directory, files)
    if (fault.problem !== undefined)
      faults.push({ path, message: fault.problem, ...('hint' in fault && { hint: fault.hint }) })
    return value
  }
  const chain = held('cert', chainIn)
  const key = held('key', keyIn)
  const clientAuthorities = isGiven(given, 'client_ca') ? held('client_ca', authoritiesIn) : undefined
  if (chain && key && !chain.first.checkPrivateKey(key))
    faults.push({ path: pathOf(given, 'key'), message: 'is not the key of the certificate' })
  faults.push(...clientFaults(given), ...versionFaults(given))

  if (faults.length > 0 || chain === undefined || key === undefined)
    return { config: undefined, faults, files }
  const config: TlsConfig = {
    certificates: chain.text,
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    clientAuthorities,
    clientAuthType: given.client_auth_type ?? 'NoClientCert',
    clientAllowedSans: given.client_allowed_sans ?? undefined,
    minVersion: given.min_version,
    maxVersion: given.max_version,
    cipherSuites: unlessEmpty(given.cipher_suites),
    preferOurCiphers: given.prefer_server_cipher_suites,
    curves: unlessEmpty(given.curve_preferences),
  }
  return { config, faults, files }
}

function isGiven(given: Given, key: Key): boolean {
  return Boolean(given[key]) || Boolean(given[`${key}_file`])
}

function wantsTls(given: Given): boolean {
  return (
    (['cert', 'key', 'client_ca'] as const).some((key) => isGiven(given, key)) || !!given.client_auth_type
  )
}

function pathOf(given: Given, key: Key): Path {
  if (!isGiven(given, key)) return [TLS]
  return [TLS, given[`${key}_file`] ? `${key}_file` : key]
}

/** From the file if one is named, as in the toolkit; else as it stands there. */
function heldBy<T>(
  given: Given,
  key: Key,
  within: (text: string) => Held<T>,
  directory: string,
  files: Map<string, string | undefined>,
): readonly [Path, Held<T>] {
  const path = pathOf(given, key)
  const name = given[`${key}_file`]
  if (!name) {
    const text = given[key]
    return [path, text ? within(text) : { problem: `has neither ${key}_file nor ${key}` }]
  }
  const file = located(directory, name)
  files.set(file, fileVersion(file))
  return [path, readAs(file, within)]
}

function chainIn(text: string): Held<{ readonly text: string; readonly first: X509Certificate }> {
  const held = certificateIn(text)
  return held.problem === undefined ? { value: { text, first: held.value } } : held
}

function unlessEmpty<T>(list: readonly T[] | null | undefined): readonly T[] | undefined {
  return list && list.length > 0 ? list : undefined
}

function* clientFaults(given: Given): Generator<Fault> {
  const type = given.client_auth_type ?? 'NoClientCert'
  if (isGiven(given, 'client_ca') && type === 'NoClientCert') {
    yield {
      path: pathOf(given, 'client_ca'),
      message: 'says who vouches for clients, and no client_auth_type asks them',
      hint: 'client_auth_type: RequireAndVerifyClientCert',
    }
  }
  // Otherwise a client may come without one, and there would be nothing to look at.
  if (given.client_allowed_sans && !type.startsWith('Require')) {
    yield {
      path: [TLS, 'client_allowed_sans'],
      message: 'needs a client_auth_type that requires a certificate',
      hint: 'client_auth_type: RequireAndVerifyClientCert',
    }
  }
}

function* versionFaults({ min_version, max_version }: Given): Generator<Fault> {
  if (min_version > max_version)
    yield { path: [TLS, 'min_version'], message: 'is above max_version: no version is left' }
}
