// nginx as a web server with a Date header (RFC 9110 6.6.1) and, at will, TLS with a certificate of our own authority.
// It answers `ok` at every path.
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
  readonly tls?: CertificateOptions
}

export interface WebServer extends Server {
  /** `http://127.0.0.1:8080` or `https://...`, without a slash at the end. */
  readonly url: string
}

export interface TlsServer extends WebServer {
  /** PEM file to trust; gone when the server stops. */
  readonly authorityFile: string
}

function configuration(directory: string, at: Endpoint, tls: CertificateFiles | undefined): string {
  const secure = tls ? `ssl_certificate ${tls.certificateFile}; ssl_certificate_key ${tls.keyFile};` : ''
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
    location / { return 200 "ok\\n"; }
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
  options: NginxOptions & { readonly tls: CertificateOptions },
): Promise<TlsServer>
export async function startNginx(options?: NginxOptions): Promise<WebServer>
export async function startNginx(options: NginxOptions = {}): Promise<WebServer> {
  const command = program('nginx')
  const env = skewed(options.skewSeconds)
  const at = await place(options, options.tls ? 443 : 80)
  const directory = await makeDirectory('nginx')
  const tls = options.tls && (await makeCertificate(directory, options.tls).catch(remove(directory)))
  const file = join(directory, 'nginx.conf')
  await writeFile(file, configuration(directory, at, tls))
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
