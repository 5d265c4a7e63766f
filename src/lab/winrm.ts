// WinRM on a simulated Windows: WQL enumerations in root\cimv2 and three getters of the registry, over HTTP with basic
// authentication. It answers questions, with Windows' habits; whatever would change anything gets a fault.
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Listener, Where } from './listener.ts'
import { listenServer } from './listener.ts'
import type { Asked } from './soap.ts'
import { readEnvelope } from './soap.ts'
import type { WindowsMachine } from './windows-machine.ts'
import type { Rights, Session } from './winrm-answers.ts'
import { respond } from './winrm-answers.ts'

export type { Rights } from './winrm-answers.ts'

export interface WinrmOptions {
  readonly username?: string
  readonly password?: string
  readonly rights?: Rights
  /** Answers everything with 500 and nothing in it. */
  readonly emptyBody?: boolean
}

/** The account, unless another is told. */
export const READER = { username: 'reader', password: 'read-only' } as const

export interface Winrm {
  /** Answers one request to /wsman that has passed `mayEnter`. */
  answer(request: IncomingMessage, response: ServerResponse): void
  /** Whether the request's Authorization is of the account. */
  mayEnter(authorization: string | undefined): boolean
  /** `Enumerate SELECT ...`, `Pull`, `Release`, `Identify`, `GetDWORDValue UBR`, in the order they came; the last thousand. */
  readonly asked: readonly string[]
}

export interface WinrmServer extends Listener {
  readonly asked: readonly string[]
  readonly url: string
}

/** A server of its own; a whole simulated host has it in `startHost`. */
export async function startWinrm(
  machine: WindowsMachine,
  where: Where,
  options: WinrmOptions = {},
): Promise<WinrmServer> {
  const winrm = createWinrm(machine, options)
  const server = createServer((request, response) => {
    response.sendDate = false
    response.setHeader('Date', new Date(machine.clock()).toUTCString())
    response.setHeader('Server', 'Microsoft-HTTPAPI/2.0')
    const [path] = (request.url ?? '').split('?')
    if (path === '/wsman' && request.method === 'POST' && winrm.mayEnter(request.headers.authorization)) {
      winrm.answer(request, response)
      return
    }
    request.resume()
    if (path === '/wsman') response.setHeader('WWW-Authenticate', ['Negotiate', BASIC_CHALLENGE])
    response.writeHead(path === '/wsman' ? 401 : 404, { 'Content-Length': 0 }).end()
  })
  const listener = await listenServer(server, where)
  return { ...listener, asked: winrm.asked, url: `http://${listener.address}:${listener.port}/wsman` }
}

export const BASIC_CHALLENGE = 'Basic realm="WSMAN"'

const MOST_REQUEST_BYTES = 512 * 1024
const MOST_ASKED = 1000
export function createWinrm(machine: WindowsMachine, options: WinrmOptions = {}): Winrm {
  const { username = READER.username, password = READER.password } = options
  const expected = Buffer.from(`${username}:${password}`).toString('base64')
  const session: Session = { machine, rights: options.rights ?? {}, enumerations: new Map() }
  const asked: string[] = []
  return {
    asked,
    mayEnter: (authorization) => /^Basic +(\S+)$/i.exec(authorization ?? '')?.[1] === expected,
    answer(request, response) {
      const chunks: Buffer[] = []
      let bytes = 0
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > MOST_REQUEST_BYTES) request.destroy()
        else chunks.push(chunk)
      })
      request.on('end', () => {
        if (options.emptyBody) return void response.writeHead(500, { 'Content-Length': 0 }).end()
        const envelopeAsked = readEnvelope(Buffer.concat(chunks).toString('utf8'))
        if (envelopeAsked === undefined) return void response.writeHead(400, { 'Content-Length': 0 }).end()
        asked.push(describe(envelopeAsked))
        if (asked.length > MOST_ASKED) asked.shift()
        const { text, isFault } = respond(session, envelopeAsked)
        response.writeHead(isFault ? 500 : 200, { 'Content-Type': 'application/soap+xml;charset=UTF-8' })
        response.end(text)
      })
    },
  }
}

function describe(asked: Asked): string {
  if (asked.isIdentify) return 'Identify'
  const name = asked.action.slice(asked.action.lastIndexOf('/') + 1)
  return [name, asked.text('Filter') ?? asked.text('sValueName')]
    .filter((part) => part !== undefined)
    .join(' ')
}
