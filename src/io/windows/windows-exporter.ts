// What windows_exporter knows of a KMS host: its service, time and os collectors (documentation of v0.31). One scrape.
import { isIP } from 'node:net'
import type { Host, WindowsAccess } from '../../config/targets.ts'
import { passwordOf } from '../../config/secrets.ts'
import { ProbeFailure } from '../../model/failure.ts'
import type { Endpoint } from '../../model/target.ts'
import { parseExposition } from '../../protocol/exposition.ts'
import type { Deadline } from '../deadline.ts'
import type { HttpAnswer } from '../http.ts'
import type { Io } from '../io.ts'
import { trustOf } from './trust.ts'

type Samples = ReturnType<typeof parseExposition>

export interface WindowsPage {
  readonly samples: Samples
  readonly answer: HttpAnswer
}

/** A page of all collectors is some 300 KB. */
const MOST_PAGE_BYTES = 8 * 1024 * 1024

type Access = Extract<WindowsAccess, { via: 'windows_exporter' }>

async function authorization({ credential }: Access): Promise<Record<string, string>> {
  if (credential === undefined) return {}
  const pair = `${credential.username ?? ''}:${passwordOf(credential).reveal()}`
  return { authorization: `Basic ${Buffer.from(pair, 'utf8').toString('base64')}` }
}

/** Rejects with ProbeFailure: `auth_failed` for 401, `access_denied` for 403, `not_found` for 404 or for a page of something else, and all of HTTP's. */
export async function readWindowsExporter(
  host: Host,
  wanted: ReadonlySet<string>,
  { io, deadline, enter }: { io: Io; deadline: Deadline; enter: (stage: string) => void },
): Promise<WindowsPage> {
  const access = host.windows
  if (access?.via !== 'windows_exporter')
    throw new ProbeFailure('not_configured', `${host.name}: no windows_exporter address`)
  const url = new URL(access.url)
  enter('resolve')
  const name = url.hostname.replace(/^\[|\]$/g, '')
  const addresses = isIP(name) === 0 ? await io.dns.resolve(name, host.resolvers, deadline) : [name]
  const endpoint: Endpoint = {
    address: addresses[0] ?? name,
    port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
  }
  enter('connect')
  const tls = url.protocol === 'https:' ? trustOf(access.tls) : undefined
  const session = await io.openHttp({ endpoint, host: name, tls }, deadline)
  enter('read')
  const headers = { accept: 'text/plain;version=0.0.4', ...(await authorization(access)) }
  const answer = await session.ask(
    { method: 'GET', path: `${url.pathname}${url.search}`, headers },
    MOST_PAGE_BYTES,
  )
  const where = `${url.protocol}//${url.host}${url.pathname}`
  if (answer.status === 401) throw new ProbeFailure('auth_failed', `${where}: HTTP 401`)
  if (answer.status === 403) throw new ProbeFailure('access_denied', `${where}: HTTP 403`)
  if (answer.status === 404) throw new ProbeFailure('not_found', `${where}: HTTP 404`)
  if (answer.status !== 200) throw new ProbeFailure('protocol_error', `${where}: HTTP ${answer.status}`)
  const samples = parseExposition(Buffer.from(answer.body).toString('utf8'), wanted)
  // A login page, say, or an exporter of something else.
  if (samples.length === 0)
    throw new ProbeFailure('not_found', `${where}: none of windows_exporter's metrics is there`)
  return { samples, answer }
}
