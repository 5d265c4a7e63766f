// nginx as a web server with a Date header (RFC 9110 6.6.1) and, at will, TLS with a certificate of our own authority.
// It answers `ok` at every path; to whom it asks for a certificate, `SUCCESS` (it knows it) and the Authorization it got.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Endpoint } from '../../../src/model/target.ts'
import { makeCertificate } from './certificate.ts'
import type { CertificateFiles, CertificateOptions } from './certificate.ts'
import { skewed } from './faketime.ts'
import { program } from './need.ts'
import { place } from './ports.ts'
import type { Placement } from './ports.ts'
import { launch, makeDirectory } from './process.ts'
import type { Server } from './process.ts'

export interface NginxOptions extends Placement {
  /** How far its clock is ahead of ours; negative: behind. */
  readonly skewSeconds?: number
  /** With a certificate of our own making, or that of the caller. */
  readonly tls?: CertificateOptions | CertificateFiles
  /** A PEM file: who shows no certificate that it has signed gets a 400. */
  readonly clientAuthority?: string
}

export interface WebServer extends Server {
  /** `http://127.0.0.1:8080` or `https://...`, without a slash at the end. */
  readonly url: string
}

export interface TlsServer extends WebServer {
  /** PEM file to trust; gone when the server stops. */
  readonly authorityFile: string
}

function configuration(
  directory: string,
  at: Endpoint,
  tls: CertificateFiles | undefined,
  clientAuthority: string | undefined,
): string {
  const own = tls
    ? `ssl_certificate ${tls.certificateFile}; ssl_certificate_key ${tls.keyFile}; ssl_protocols TLSv1.2 TLSv1.3;`
    : ''
  const secure = clientAuthority
    ? `${own} ssl_verify_client on; ssl_client_certificate ${clientAuthority};`
    : own
  const text = clientAuthority ? '$ssl_client_verify $ssl_protocol $http_authorization' : 'ok'
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `  ${kind}_temp_path ${directory}/${kind};`,
  )
  return `daemon off; master_process off; pid ${directory}/nginx.pid; error_log stderr;
events { worker_connections 128; }
http {
  access_log off; default_type text/plain;
${temporary.join('\n')}
  server {
    listen ${at.address}:${at.port}${tls ? ' ssl' : ''};
    ${secure}
    location / { return 200 "${text}\\n"; }
  }
}
`
}

const remove = (directory: string) => async (error: unknown) => {
  await rm(directory, { recursive: true, force: true })
  throw error
}

/** Rejects like launch(), or when openssl does not make the certificate. */
export async function startNginx(
  options: NginxOptions & { readonly tls: CertificateOptions | CertificateFiles },
): Promise<TlsServer>
export async function startNginx(options?: NginxOptions): Promise<WebServer>
export async function startNginx(options: NginxOptions = {}): Promise<WebServer> {
  const command = program('nginx')
  const env = skewed(options.skewSeconds)
  const at = await place(options, options.tls ? 443 : 80)
  const directory = await makeDirectory('nginx')
  const { tls: wanted, clientAuthority } = options
  const given = wanted !== undefined && 'keyFile' in wanted ? wanted : undefined
  const made =
    wanted === undefined || given !== undefined
      ? undefined
      : await makeCertificate(directory, wanted as CertificateOptions).catch(remove(directory))
  const tls = given ?? made
  const file = join(directory, 'nginx.conf')
  await writeFile(file, configuration(directory, at, tls, clientAuthority))
  const running = await launch({
    name: 'nginx',
    command,
    args: ['-e', 'stderr', '-p', directory, '-c', file],
    directory,
    env,
    within: options.within,
    listens: [{ protocol: 'tcp', ...at }],
  })
  const url = `${tls ? 'https' : 'http'}://${at.address}:${at.port}`
  return { ...at, ...running, url, ...(tls && { authorityFile: tls.authorityFile }) }
}
