// The HTTP side of a simulated host: a Date on everything, WinRM that asks for a login, and windows_exporter's page.
// RFC 9110 6.6.1 (Date), RFC 4559 (Negotiate). Nobody logs in by NTLM; basic leads to the host's Windows, if it has one.
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from './clock.ts'
import { listenServer } from './listener.ts'
import type { Listener, Where } from './listener.ts'
import { challengeMessage, isNegotiateMessage } from './ntlm.ts'
import { BASIC_CHALLENGE } from './winrm.ts'
import type { Winrm } from './winrm.ts'

export interface HttpOptions {
  /** DNS name, told in the NTLM challenge. */
  readonly name: string
  readonly clock: Clock
  /** The body of /metrics at this moment; `undefined` when no windows_exporter runs here. */
  readonly metricsPage: () => string | undefined
  /** Absent where WinRM does nothing but ask for a login. */
  readonly winrm?: Winrm
}

export async function startHttp(options: HttpOptions, where: Where): Promise<Listener> {
  const server = createServer((request, response) => {
    response.sendDate = false
    response.setHeader('Date', new Date(options.clock()).toUTCString())
    response.setHeader('Server', 'Microsoft-HTTPAPI/2.0')
    answer(options, request, response)
  })
  return listenServer(server, where)
}

function answer(options: HttpOptions, request: IncomingMessage, response: ServerResponse): void {
  const [path] = (request.url ?? '').split('?')
  const { authorization } = request.headers
  const { winrm } = options
  if (path === '/wsman' && request.method === 'POST' && winrm?.mayEnter(authorization)) {
    winrm.answer(request, response)
    return
  }
  request.resume()
  if (path === '/wsman') {
    const asked = challenge(options, authorization)
    const isFirst = asked === 'Negotiate' && winrm !== undefined
    response.setHeader('WWW-Authenticate', isFirst ? [asked, BASIC_CHALLENGE] : asked)
    response.writeHead(401, { 'Content-Length': 0 }).end()
    return
  }
  const page = path === '/metrics' ? options.metricsPage() : undefined
  if (page === undefined) {
    response.writeHead(404, { 'Content-Type': 'text/html; charset=us-ascii' }).end('Not Found')
    return
  }
  response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }).end(page)
}

function challenge({ name, clock }: HttpOptions, authorization: string | undefined): string {
  const [, scheme, token] = /^(Negotiate|NTLM) +([\w+/=]+)$/i.exec(authorization ?? '') ?? []
  if (scheme === undefined || token === undefined) return 'Negotiate'
  if (!isNegotiateMessage(Buffer.from(token, 'base64'))) return scheme
  return `${scheme} ${challengeMessage(name, clock()).toString('base64')}`
}
