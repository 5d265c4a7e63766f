// A MIT Kerberos realm of its own (RFC 4120): a KDC on loopback with a new database, one client and any services, their
// keys in keytabs. It reads nothing of the machine's own configuration. The whole realm is a folder, gone when it stops.
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { TestContext } from 'vitest'
import type { Endpoint } from '../../../src/model/target.ts'
import { skewed } from './faketime.ts'
import { realFiles } from './need.ts'
import { place, type Placement } from './ports.ts'
import { launch, makeDirectory, type Server } from './process.ts'

const run = promisify(execFile)

/** What must be there, and the Debian packages that bring it. */
const NEEDED = {
  '/usr/sbin/krb5kdc': 'krb5-kdc',
  '/usr/sbin/kdb5_util': 'krb5-kdc',
  '/usr/sbin/kadmin.local': 'krb5-admin-server',
  '/usr/bin/kinit': 'krb5-user',
}

const REALM = 'LAB.EXAMPLE'
const AES_SHA1 = 'aes256-cts-hmac-sha1-96'

export interface KdcOptions extends Placement {
  /** Of all keys, and all that the realm's clients take; `aes256-cts-hmac-sha1-96` unless told. */
  readonly encryption?: string
  /** Services in the realm; `['HTTP/localhost']` unless told. */
  readonly services?: readonly string[]
  /** How far its clock is ahead of ours, and that of who fills caches; negative: behind. */
  readonly skewSeconds?: number
}

export interface Kdc extends Server {
  readonly realm: string
  /** The one user, `monitor@LAB.EXAMPLE`. */
  readonly principal: string
  /** The user's key. */
  readonly clientKeytab: string
  /** The keys of all services. */
  readonly serviceKeytab: string
  /** A keytab in which the user's key is another one than the realm's. */
  readonly wrongKeytab: string
  /** What a program's environment needs in order to know this realm, and no other. */
  readonly env: Readonly<Record<string, string>>
  /** A ticket cache of the user; `lifetime` as kinit's -l takes it. Gone when the realm stops. */
  makeCache(name: string, lifetime: string): Promise<string>
  /** Gives a service a new key: a keytab with that one only. Gone when the realm stops. */
  changeKey(service: string): Promise<string>
}

/** Skips the test, aloud, unless all is installed. */
export const realKdc = (context: Pick<TestContext, 'skip'>): void => realFiles(context, NEEDED)

/** A krb5.conf for a client of the realm whose KDC is there; it asks no DNS. */
export const clientConfiguration = (
  { address, port }: Endpoint,
  encryption = AES_SHA1,
): string => `[libdefaults]
permitted_enctypes = ${encryption}
default_realm = ${REALM}
dns_lookup_realm = false
dns_lookup_kdc = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = 1
[realms]
${REALM} = {
  kdc = ${address}:${port}
}
[domain_realm]
localhost = ${REALM}
.example = ${REALM}
`

const serverConfiguration = (
  directory: string,
  { address, port }: Endpoint,
  encryption: string,
): string => `[kdcdefaults]
kdc_listen = ""
kdc_tcp_listen = ${address}:${port}
[realms]
${REALM} = {
  database_name = ${directory}/principal
  key_stash_file = ${directory}/stash
  acl_file = ${directory}/acl
  master_key_type = aes256-cts-hmac-sha1-96
  supported_enctypes = ${encryption}:normal
  max_life = 1d
}
`

/** Rejects like launch(), or when one of the realm's tools complains. */
export async function startKdc(options: KdcOptions = {}): Promise<Kdc> {
  const { encryption = AES_SHA1, services = ['HTTP/localhost'] } = options
  const at = await place(options, 88)
  const directory = await makeDirectory('kdc')
  const skew = skewed(options.skewSeconds)
  const file = (name: string): string => join(directory, name)
  const clientEnv = { KRB5_CONFIG: file('krb5.conf') }
  const env = { ...clientEnv, KRB5_KDC_PROFILE: file('kdc.conf') }
  const tool = (command: string, args: readonly string[], toolEnv: Record<string, string> = env) =>
    run(command, args, { cwd: directory, env: { LC_ALL: 'C', ...toolEnv, ...skew }, timeout: 30_000 })
  const admin = (query: string) => tool('/usr/sbin/kadmin.local', ['-r', REALM, '-q', query])
  const principal = `monitor@${REALM}`
  const [clientKeytab, wrongKeytab, serviceKeytab] = [file('client'), file('wrong'), file('services')]

  try {
    await writeFile(file('krb5.conf'), clientConfiguration(at, encryption))
    await writeFile(file('kdc.conf'), serverConfiguration(directory, at, encryption))
    await writeFile(file('acl'), '')
    // The database's master password protects nothing: it goes with the folder.
    await tool('/usr/sbin/kdb5_util', ['-r', REALM, 'create', '-s', '-P', 'unused'])
    // The key that the second ktadd replaces stays in the first keytab.
    await admin(`addprinc -randkey +requires_preauth ${principal}`)
    await admin(`ktadd -k ${wrongKeytab} ${principal}`)
    await admin(`ktadd -k ${clientKeytab} ${principal}`)
    for (const service of services) {
      await admin(`addprinc -randkey ${service}`)
      await admin(`ktadd -k ${serviceKeytab} ${service}`)
    }
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
  const running = await launch({
    name: 'krb5kdc',
    command: '/usr/sbin/krb5kdc',
    args: ['-n', '-r', REALM, '-P', file('pid')],
    directory,
    env: { ...env, ...skew },
    within: options.within,
    listens: [{ protocol: 'tcp', ...at }],
  })
  return {
    ...at,
    ...running,
    realm: REALM,
    principal,
    clientKeytab,
    serviceKeytab,
    wrongKeytab,
    env: clientEnv,
    async makeCache(name, lifetime) {
      const cache = file(name)
      await tool('/usr/bin/kinit', ['-k', '-t', clientKeytab, '-c', cache, '-l', lifetime, principal])
      return cache
    },
    async changeKey(service) {
      const keytab = file(`key-${randomUUID()}`)
      await admin(`ktadd -k ${keytab} ${service}`)
      return keytab
    },
  }
}
