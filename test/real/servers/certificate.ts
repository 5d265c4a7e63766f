// A certificate authority and one certificate of its making, for a server or a client, by the openssl command (RFC 5280). The dates are
// free: a certificate may have expired long ago. Keys are made anew each time and worth nothing.
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { program } from './need.ts'

const run = promisify(execFile)
const DAY_MILLISECONDS = 86_400_000

export interface CertificateOptions {
  /** Subject alternative names as openssl writes them; by default `['IP:127.0.0.1', 'DNS:localhost']`. */
  readonly names?: readonly string[]
  /** By default a server's. */
  readonly usage?: 'serverAuth' | 'clientAuth'
  /** By default two days ago. */
  readonly notBefore?: Date
  /** By default in thirty days; may be in the past, but not before notBefore. */
  readonly notAfter?: Date
}

export interface CertificateFiles {
  readonly certificateFile: string
  readonly keyFile: string
  /** The authority's certificate: what a client must trust. */
  readonly authorityFile: string
}

function configuration(directory: string, names: readonly string[], usage: string): string {
  return `[req]
distinguished_name = dn
prompt = no
[dn]
CN = localhost
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[ca]
default_ca = lab
[lab]
new_certs_dir = ${directory}
database = ${directory}/index.txt
certificate = ${directory}/authority.pem
private_key = ${directory}/authority.key
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = ${usage}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = ${names.join(',')}
`
}

const asn1Time = (date: Date): string => `${date.toISOString().replace(/[-:T]|\..*/g, '')}Z`

/** Makes the files in `directory`. Rejects when openssl complains. */
export async function makeCertificate(
  directory: string,
  options: CertificateOptions = {},
): Promise<CertificateFiles> {
  const {
    names = ['IP:127.0.0.1', 'DNS:localhost'],
    usage = 'serverAuth',
    notBefore = new Date(Date.now() - 2 * DAY_MILLISECONDS),
    notAfter = new Date(Date.now() + 30 * DAY_MILLISECONDS),
  } = options
  const command = program('openssl')
  const openssl = (...args: readonly string[]) => run(command, args, { cwd: directory, timeout: 15_000 })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-config', 'openssl.cnf']
  await writeFile(join(directory, 'openssl.cnf'), configuration(directory, names, usage))
  await writeFile(join(directory, 'index.txt'), '')
  // prettier-ignore
  {
    await openssl('req', '-x509', ...newKey, '-extensions', 'authority', '-subj', '/CN=Lab authority', '-days', '3650',
      '-keyout', 'authority.key', '-out', 'authority.pem')
    await openssl('req', '-new', ...newKey, '-keyout', 'server.key', '-out', 'server.csr')
    await openssl('ca', '-batch', '-notext', '-config', 'openssl.cnf', '-in', 'server.csr', '-out', 'server.pem',
      '-startdate', asn1Time(notBefore), '-enddate', asn1Time(notAfter))
  }
  return {
    certificateFile: join(directory, 'server.pem'),
    keyFile: join(directory, 'server.key'),
    authorityFile: join(directory, 'authority.pem'),
  }
}
