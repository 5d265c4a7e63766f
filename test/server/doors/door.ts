// The web server behind a web configuration, and who knocks: clients of Node's own TLS, with or without a certificate.
import { readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { request as requestInClear, type IncomingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import type { SecureVersion } from 'node:tls'
import { onTestFinished } from 'vitest'
import { silentLog } from '../../../src/model/log.ts'
import { createBasicAuth } from '../../../src/server/basic-auth.ts'
import { createPasswords } from '../../../src/server/bcrypt.ts'
import { isProblems, openDoors, type Doors } from '../../../src/server/doors.ts'
import { createApp } from '../../../src/server/http.ts'
import { listen } from '../../../src/server/listen.ts'
import type { WatchedEstate, WebOptions } from '../../../src/server/daemon.ts'
import { makeDirectory } from '../../real/servers/process.ts'
import { makeCertificate, type CertificateOptions } from '../../real/servers/certificate.ts'
import { rm } from 'node:fs/promises'
import { fakeDaemon, OPTIONS } from '../serve.ts'

/** What a client shows, or is shown, in PEM; `ca` is who vouches for it. */
export interface Identity {
  readonly cert: string
  readonly key: string
  readonly ca: string
  readonly certificateFile: string
  readonly keyFile: string
  readonly authorityFile: string
}

async function folder(): Promise<string> {
  const path = await makeDirectory('doors')
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

export async function identity(options: CertificateOptions = {}): Promise<Identity> {
  const files = await makeCertificate(await folder(), options)
  const [cert, key, ca] = await Promise.all(
    [files.certificateFile, files.keyFile, files.authorityFile].map((file) => readFile(file, 'utf8')),
  )
  return { ...files, cert: cert ?? '', key: key ?? '', ca: ca ?? '' }
}

export interface Door {
  readonly port: number
  readonly url: string
  readonly doors: Doors
  readonly daemon: WatchedEstate
  /** Messages of log.error. */
  readonly errors: readonly string[]
  /** Another text for the file; it is noticed by itself. */
  write(yaml: string): Promise<void>
  /** How many were turned away, by why. */
  refused(): Promise<Readonly<Record<string, number>>>
}

export interface DoorSettings {
  readonly daemon?: WatchedEstate
  readonly options?: Partial<WebOptions>
  readonly maxConnections?: number
}

/** Serves behind `yaml`, until the test has ended. Changes are noticed at once. */
export async function doorBehind(
  yaml: string,
  { daemon = fakeDaemon(), options = {}, maxConnections = 100 }: DoorSettings = {},
): Promise<Door> {
  const file = join(await folder(), 'web.yml')
  await writeFile(file, yaml)
  const errors: string[] = []
  const log = { ...silentLog, error: (_fields: object, message: string) => void errors.push(message) }
  const doors = openDoors(file, { log, seconds: 0 })
  if (isProblems(doors)) throw new Error(JSON.stringify(doors))
  const passwords = createPasswords()
  const app = createApp(
    daemon,
    { ...OPTIONS, doors, basicAuth: createBasicAuth(passwords), ...options },
    silentLog,
  )
  const { urls, close } = await listen(app, [{ host: '127.0.0.1', port: 0 }], {
    doors,
    log,
    maxConnections,
    refused: (why) => daemon.self.refused.inc({ why }),
  })
  onTestFinished(async () => {
    await Promise.all([close(), passwords.close()])
  })
  const [url = ''] = urls
  return {
    url,
    port: Number(new URL(url).port),
    doors,
    daemon,
    errors,
    write: (text) => writeFile(file, text),
    async refused() {
      const { values } = await daemon.self.refused.get()
      return Object.fromEntries(values.map(({ labels, value }) => [String(labels.why), value]))
    },
  }
}

export interface Knock {
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Whom it trusts; in clear without. */
  readonly ca?: string
  readonly as?: Pick<Identity, 'cert' | 'key'>
  readonly maxVersion?: SecureVersion
  readonly ciphers?: string
}

export interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** One request on a connection of its own. Rejects when there is no answer. */
export function knock(
  { port }: Pick<Door, 'port'>,
  { path = '/metrics', headers = {}, ca, as, maxVersion, ciphers }: Knock = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const common = { host: '127.0.0.1', port, path, headers, agent: false as const }
    const asked =
      ca === undefined
        ? requestInClear(common)
        : request({
            ...common,
            ca,
            ...(as && { cert: as.cert, key: as.key }),
            ...(maxVersion && { maxVersion }),
            ...(ciphers && { ciphers }),
          })
    asked.on('response', (response) => {
      textOf(response).then(
        (text) => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        reject,
      )
    })
    asked.on('error', reject)
    asked.end()
  })
}

export const basic = (user: string, password: string): Readonly<Record<string, string>> => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
})

export const tlsYaml = (server: Identity, more = ''): string =>
  `tls_server_config:\n  cert_file: ${server.certificateFile}\n  key_file: ${server.keyFile}\n${more.replace(/^(?=.)/gm, '  ')}`
