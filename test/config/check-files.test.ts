// Certificates and keys by openssl, keytabs by MIT's ktutil: what of them loads, and what is said of the rest.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeEach, describe, expect, it, vi, type TestContext } from 'vitest'

import { exampleConfig } from '../../src/config/example.ts'
import { formatProblem, parseConfig } from '../../src/config/load.ts'
import { renderConfig } from '../../src/config/mask.ts'
import { makeCertificate } from '../real/servers/certificate.ts'
import { need, program, realServer } from '../real/servers/need.ts'

const directory = mkdtempSync(join(tmpdir(), 'winkms-files-'))
const path = (name: string): string => join(directory, name)
const options = { file: path('winkms.yml'), checkCron: () => undefined }

let made: Promise<unknown> | undefined
/** `server.pem` and `server.key` belong together, `authority.key` is another's. */
async function needsCertificates(context: TestContext): Promise<void> {
  realServer(context, ['openssl'])
  await (made ??= makeCertificate(directory))
}

function openssl(...args: readonly string[]): void {
  execFileSync(program('openssl'), args, { cwd: directory, stdio: 'pipe', timeout: 15_000 })
}

function lines(text: string): readonly string[] {
  return parseConfig(text, options).problems.map((problem) =>
    formatProblem(problem).slice(`${options.file}:`.length),
  )
}

function certificate(certificateFile: string, keyFile: string): readonly string[] {
  return lines(
    `credentials: { a: { auth: certificate, certificate_file: ${certificateFile}, key_file: ${keyFile} } }`,
  ).map((line) => line.replace(/^\d+:\d+: credentials\.a\./, ''))
}

function keytab(bytes: Uint8Array | undefined): readonly string[] {
  if (bytes !== undefined) writeFileSync(path('a.keytab'), bytes)
  return lines('credentials: { a: { auth: kerberos, username: u, keytab_file: a.keytab } }')
}

function cache(bytes: readonly number[]): readonly string[] {
  writeFileSync(path('a.cache'), Uint8Array.from(bytes))
  return lines('credentials: { a: { auth: kerberos, cache_file: a.cache } }')
}

/** A keytab as Kerberos itself writes it. */
function makeKeytab(context: TestContext, file: string): void {
  const ktutil = need('ktutil', 'krb5-user')
  if (ktutil === undefined) return context.skip('not installed: krb5-user')
  rmSync(file, { force: true })
  const input = [
    'addent -password -p svc-kms-reader@CORP.EXAMPLE -k 1 -e aes256-cts-hmac-sha1-96',
    'CanaryValue',
    `wkt ${file}`,
    'quit',
    '',
  ].join('\n')
  execFileSync(ktutil, { input, stdio: ['pipe', 'pipe', 'pipe'], timeout: 15_000 })
}

afterAll(() => {
  rmSync(directory, { recursive: true })
})

describe('a certificate and its key', () => {
  beforeEach(needsCertificates)

  it('are taken as openssl writes them', () => {
    expect(certificate('server.pem', 'server.key')).toEqual([])
  })

  it('are taken from one file, whatever else is in it', () => {
    const [own, key, authority] = ['server.pem', 'server.key', 'authority.pem'].map((name) =>
      readFileSync(path(name), 'utf8'),
    )
    writeFileSync(path('all.pem'), `Bag Attributes\n    friendlyName: é\n${own}${authority}${key}`)
    expect(certificate('all.pem', 'all.pem')).toEqual([])
  })

  it('are taken in the older forms of a key', () => {
    openssl('ec', '-in', 'server.key', '-out', 'older.key', '-param_enc', 'named_curve')
    expect(readFileSync(path('older.key'), 'utf8')).toContain('BEGIN EC PRIVATE KEY')
    expect(certificate('server.pem', 'older.key')).toEqual([])
  })

  it('must belong together', () => {
    expect(certificate('server.pem', 'authority.key')).toEqual([
      'key_file: names a key that is not that of certificate_file',
    ])
  })

  for (const [form, make] of [
    [
      'PKCS #8',
      () =>
        openssl('pkcs8', '-topk8', '-in', 'server.key', '-out', 'locked.key', '-passout', 'pass:CanaryValue'),
    ],
    [
      'the older form',
      () =>
        openssl('ec', '-in', 'server.key', '-aes256', '-out', 'locked.key', '-passout', 'pass:CanaryValue'),
    ],
  ] as const) {
    it(`cannot have a passphrase, in ${form}`, () => {
      make()
      expect(readFileSync(path('locked.key'), 'utf8')).toContain('ENCRYPTED')
      expect(certificate('server.pem', 'locked.key')).toEqual([
        'key_file: names a file that holds a key with a passphrase, which nobody is there to type (hint: take it off with: openssl pkey -in KEY -out NEW-KEY)',
      ])
    })
  }

  it('are not a bundle of Windows, nor DER', () => {
    const bundle = ['pkcs12', '-export', '-in', 'server.pem', '-inkey', 'server.key', '-out', 'both.pfx']
    openssl(...bundle, '-passout', 'pass:CanaryValue')
    openssl('x509', '-in', 'server.pem', '-outform', 'DER', '-out', 'server.cer')
    expect(certificate('both.pfx', 'both.pfx')).toEqual([
      'certificate_file: names a file that holds no certificate (hint: PEM text is expected)',
      'key_file: names a file that holds no private key (hint: PEM text is expected)',
    ])
    expect(certificate('server.cer', 'server.key')).toEqual([
      'certificate_file: names a file that holds no certificate (hint: PEM text is expected)',
    ])
  })

  it('are not each other, nor torn', () => {
    const torn = readFileSync(path('server.pem'), 'utf8').slice(0, 200)
    writeFileSync(path('torn.pem'), torn)
    expect(certificate('server.key', 'server.pem')).toEqual([
      'certificate_file: names a file that holds no certificate (hint: PEM text is expected)',
      'key_file: names a file that holds no private key (hint: PEM text is expected)',
    ])
    expect(certificate('torn.pem', 'server.key')).toEqual([
      'certificate_file: names a file that holds no certificate (hint: PEM text is expected)',
    ])
  })
})

describe('a file of Kerberos', () => {
  it('is a keytab as ktutil writes it', (context) => {
    makeKeytab(context, path('a.keytab'))
    expect(keytab(undefined)).toEqual([])
    expect(keytab(readFileSync(path('a.keytab')).subarray(1))).toHaveLength(1)
  })

  it('is a keytab by its first two bytes, and no other is', () => {
    expect(
      [[5, 1], [5, 2, 0, 0], [5], [], [5, 0], [5, 3], [5, 4], [2, 5]].map(
        (bytes) => keytab(Uint8Array.from(bytes)).length,
      ),
    ).toEqual([0, 0, 1, 1, 1, 1, 1, 1])
  })

  it('is a credential cache by its first two bytes, and no other is', () => {
    expect(
      [[5, 1], [5, 4], [5], [], [5, 0], [5, 5], [0x30, 0x82]].map((bytes) => cache(bytes).length),
    ).toEqual([0, 0, 1, 1, 1, 1, 1])
  })

  it('may be a cache that nobody has filled yet', () => {
    rmSync(path('a.cache'), { force: true })
    expect(lines('credentials: { a: { auth: kerberos, cache_file: a.cache } }')).toEqual([])
  })
})

describe('everything that names a file', () => {
  beforeEach(needsCertificates)

  const TEXT = `
hosts:
  - name: kms01.corp.example
    windows:
      via: winrm
      url: http://kms01.corp.example:5985/wsman
      credentials: basic
      allow_unencrypted: true
      registry: true
  - name: kms02.corp.example
    serves: [windows_11]
    windows: { via: winrm, credentials: certificate, tls: { ca_file: authority.pem, server_name: KMS02.corp.example } }
    probes: { licensing: { timeout: 5s }, activity: { schedule: 2m, first_read: 36h } }
clients:
  - name: pc-042.corp.example
    connect_to: 192.0.2.42
    labels: { site: berlin }
    windows: { via: winrm, credentials: keytab, registry: false, tls: { ca_file: authority.pem } }
    probes: { client: { schedule: 1h } }
credentials:
  basic: { auth: basic, username: kms-reader, password_file: basic.password }
  certificate: { auth: certificate, certificate_file: server.pem, key_file: server.key }
  keytab: { auth: kerberos, username: reader@CORP.EXAMPLE, keytab_file: a.keytab }
  cache: { auth: kerberos, cache_file: a.cache }
`
  beforeEach(() => {
    writeFileSync(path('basic.password'), 'CanaryValue\n')
    writeFileSync(path('a.keytab'), Uint8Array.of(5, 2))
    writeFileSync(path('a.cache'), Uint8Array.of(5, 4))
  })

  it('comes out absolute', () => {
    const { config, problems } = parseConfig(TEXT, options)
    expect(problems).toEqual([])
    expect(config?.hosts.map(({ windows }) => windows?.tls)).toEqual([
      undefined,
      { ca_file: path('authority.pem'), server_name: 'kms02.corp.example' },
    ])
    expect(config?.clients).toStrictEqual([
      {
        name: 'pc-042.corp.example',
        connect_to: '192.0.2.42',
        labels: { site: 'berlin' },
        windows: {
          via: 'winrm',
          credentials: 'keytab',
          registry: false,
          tls: { ca_file: path('authority.pem') },
        },
        probes: { client: { schedule: { kind: 'every', seconds: 3600 } } },
      },
    ])
    expect(config?.credentials).toStrictEqual({
      basic: { auth: 'basic', username: 'kms-reader', password_file: path('basic.password') },
      certificate: {
        auth: 'certificate',
        certificate_file: path('server.pem'),
        key_file: path('server.key'),
      },
      keytab: { auth: 'kerberos', username: 'reader@CORP.EXAMPLE', keytab_file: path('a.keytab') },
      cache: { auth: 'kerberos', cache_file: path('a.cache') },
    })
  })

  it('is rendered so that it loads again from anywhere, without what the files hold', () => {
    const { config } = parseConfig(TEXT, options)
    if (config === undefined) throw new Error('unreachable: see above')
    const rendered = renderConfig(config)
    expect(parseConfig(rendered, { ...options, file: '/elsewhere/winkms.yml' }).config).toStrictEqual(config)
    expect(rendered).not.toContain('CanaryValue')
    expect(rendered).not.toContain('BEGIN')
    expect(rendered).toContain('first_read: 1d12h')
  })

  it('in the comments of the example loads once it is there', (context) => {
    vi.stubEnv('SCRAPER_PASSWORD', 'CanaryValue')
    context.onTestFinished(() => void vi.unstubAllEnvs())
    writeFileSync(path('reader.password'), 'CanaryValue\n')
    writeFileSync(path('reader.keytab'), Uint8Array.of(5, 2))
    for (const [from, to] of [
      ['server.pem', 'machine.pem'],
      ['server.key', 'machine.key'],
      ['authority.pem', 'corp-ca.pem'],
    ] as const)
      copyFileSync(path(from), path(to))
    // A comment that is a key, or an entry of a list, is there to be uncommented; within such a one there may be another.
    const uncomment = (text: string): string =>
      text.replaceAll(/^( *)# ( *(?:# )?(?:- )?[a-z_]+:(?: |$))/gm, '$1$2')
    const { config, problems } = parseConfig(uncomment(uncomment(exampleConfig)), options)
    expect(problems).toEqual([])
    expect(config?.hosts.map(({ windows }) => windows?.via)).toEqual(['windows_exporter', 'winrm', 'local'])
    expect(config?.hosts[1]?.windows?.tls?.ca_file).toBe(path('corp-ca.pem'))
    expect(config?.clients[0]?.windows.credentials).toBe('reader')
    expect(config?.credentials['reader']?.username).toBe('CORP\\svc-kms-reader')
    expect(Object.values(config?.credentials ?? {}).map(({ auth }) => auth)).toEqual([
      'ntlm',
      'kerberos',
      'basic',
      'certificate',
    ])
  })
})
