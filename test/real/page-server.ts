// nginx with pages of our own making, as a windows_exporter's listener or a proxy before it would serve them: at other
// paths a status, or a password to be given first (RFC 7617). Plain, or with a certificate of our own authority.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeCertificate, type CertificateOptions } from './servers/certificate.ts'
import { program } from './servers/need.ts'
import { freePort } from './servers/ports.ts'
import { launch, makeDirectory, type Server } from './servers/process.ts'

export interface PageOptions {
  readonly tls?: CertificateOptions
  /** Asked for at `/locked`, where the page is, too. No colon in either. */
  readonly logon?: { readonly user: string; readonly password: string }
}

export interface PageServer extends Server {
  /** `http://127.0.0.1:8080`; the page is at `/metrics`, an empty answer with status 403 at `/status/403`, and so on. */
  readonly url: string
  /** PEM file to trust; gone when the server stops. Empty without TLS. */
  readonly authorityFile: string
}

/** Serves `page`, byte for byte. Rejects like launch(), or when openssl does not make the certificate. */
export async function servePage(page: string, { tls, logon }: PageOptions = {}): Promise<PageServer> {
  const command = program('nginx')
  const address = '127.0.0.1'
  const port = await freePort(address)
  const directory = await makeDirectory('page')
  const files =
    tls &&
    (await makeCertificate(directory, tls).catch(async (error: unknown) => {
      await rm(directory, { recursive: true, force: true })
      throw error
    }))
  await writeFile(join(directory, 'metrics'), page)
  if (logon) await writeFile(join(directory, 'users'), `${logon.user}:{PLAIN}${logon.password}\n`)
  const secure = files
    ? `ssl_certificate ${files.certificateFile}; ssl_certificate_key ${files.keyFile};`
    : ''
  const statuses = [401, 403, 404, 500, 503].map((code) => `location = /status/${code} { return ${code}; }`)
  const moved = 'location = /moved { return 301 /metrics; }'
  const locked = `location = /locked {
      auth_basic "metrics"; auth_basic_user_file ${directory}/users; alias ${directory}/metrics;
    }`
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${directory}/${kind};`,
  )
  const configuration = `daemon off; master_process off; pid ${directory}/nginx.pid; error_log stderr;
events { worker_connections 128; }
http {
  access_log off; default_type "text/plain; version=0.0.4; charset=utf-8"; ${temporary.join(' ')}
  server {
    listen ${address}:${port}${files ? ' ssl' : ''};
    ${secure}
    root ${directory};
    location = /metrics { }
    ${[...statuses, moved, logon ? locked : ''].join('\n    ')}
    location / { return 404; }
  }
}
`
  const file = join(directory, 'nginx.conf')
  await writeFile(file, configuration)
  const running = await launch({
    name: 'nginx',
    command,
    args: ['-e', 'stderr', '-p', directory, '-c', file],
    directory,
    listens: [{ protocol: 'tcp', address, port }],
  })
  const url = `${files ? 'https' : 'http'}://${address}:${port}`
  return { address, port, ...running, url, authorityFile: files?.authorityFile ?? '' }
}
