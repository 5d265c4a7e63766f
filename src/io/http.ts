// HTTP over a connection that we opened ourselves (so that the address asked is the one meant, and the deadline owns
// it). undici speaks the protocol; sizes are bounded; a redirect is an answer, never followed.
import { AssertionError } from 'node:assert'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { isIP, type Socket } from 'node:net'
import { Client, errors } from 'undici'
import { ProbeFailure } from '../model/failure.ts'
import { formatEndpoint, type Endpoint } from '../model/target.ts'
import { now, type Clock, type Moment } from './clock.ts'
import type { Deadline } from './deadline.ts'
import { socketFailure } from './errno.ts'
import { connect } from './tcp.ts'

export interface HttpPeer {
  readonly endpoint: Endpoint
  /** A name or an address, without brackets. Goes into the Host header, and into the TLS server name where it is a name. */
  readonly host: string
  readonly tls?: { readonly ca?: string | undefined; readonly serverName?: string | undefined } | undefined
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface HttpAnswer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
  /** Before the request was handed to the socket, and when its status line and headers had arrived. */
  readonly sent: Moment
  readonly received: Moment
}

export interface HttpSession {
  readonly connectSeconds: number
  /** One at a time. Rejects with ProbeFailure `timeout`, `connect_reset`, `protocol_error`, `too_large`. */
  ask(request: HttpRequest, mostBodyBytes: number): Promise<HttpAnswer>
}

const MOST_HEADER_BYTES = 32 * 1024

/** While shaking hands, an error that is not the network's is about the certificate or the protocol: the peer's. */
function tlsFailure(error: unknown, where: string): ProbeFailure {
  const failure = socketFailure(error, where)
  if (failure.reason !== 'internal_error') return failure
  return new ProbeFailure('tls_failed', failure.message, { cause: error })
}

function startTls(socket: Socket, { host, endpoint, tls }: HttpPeer, deadline: Deadline): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const name = tls?.serverName ?? host
    const options: ConnectionOptions = { socket, host: name, ALPNProtocols: ['http/1.1'] }
    if (isIP(name) === 0) options.servername = name
    if (tls?.ca !== undefined) options.ca = tls.ca
    const secure = connectTls(options)
    secure.on('error', (error) => reject(tlsFailure(error, formatEndpoint(endpoint))))
    secure.once('secureConnect', () => resolve(secure))
    secure.once('close', () =>
      reject(new ProbeFailure('tls_failed', `${formatEndpoint(endpoint)}: closed during the TLS handshake`)),
    )
    deadline.own(() => {
      reject(new ProbeFailure('timeout', `${formatEndpoint(endpoint)}: no end of the TLS handshake`))
      secure.destroy()
    })
  })
}

function httpFailure(error: unknown, where: string): ProbeFailure {
  if (error instanceof errors.HeadersOverflowError)
    return new ProbeFailure('too_large', `${where}: headers too large`)
  if (error instanceof errors.HTTPParserError) {
    return new ProbeFailure('protocol_error', `${where}: not an HTTP answer`, { cause: error })
  }
  if (error instanceof errors.ResponseContentLengthMismatchError) {
    return new ProbeFailure('protocol_error', `${where}: a body cut off, or not as long as announced`, {
      cause: error,
    })
  }
  // Some answers that no server should give trip undici's own assertions.
  if (error instanceof AssertionError) {
    return new ProbeFailure('protocol_error', `${where}: not an HTTP answer`, { cause: error })
  }
  if (error instanceof errors.SocketError) {
    return new ProbeFailure('connect_reset', `${where}: closed before a whole answer`, { cause: error })
  }
  return socketFailure(error, where)
}

/** RFC 9110 7.2: with the port, unless it is the scheme's own. */
function hostHeader({ host, endpoint: { port }, tls }: HttpPeer): string {
  const name = host.includes(':') ? `[${host}]` : host
  return port === (tls === undefined ? 80 : 443) ? name : `${name}:${port}`
}

/** Connects (and, with `tls`, shakes hands). Rejects with ProbeFailure `connect_*` or `tls_*`. */
export async function openHttp(peer: HttpPeer, deadline: Deadline, clock: Clock): Promise<HttpSession> {
  const where = formatEndpoint(peer.endpoint)
  const connection = await connect(peer.endpoint, deadline, clock)
  const socket =
    peer.tls === undefined ? connection.socket : await startTls(connection.socket, peer, deadline)
  let handedOver = false
  const client = new Client(
    `${peer.tls === undefined ? 'http' : 'https'}://${formatEndpoint(peer.endpoint)}`,
    {
      // The socket is connected already; a second one would ask another question than the one that was meant.
      connect: (_options, done) => {
        const again = handedOver
        handedOver = true
        // undici does not go on from a callback that is called at once.
        queueMicrotask(() => {
          if (again) done(new ProbeFailure('connect_reset', `${where}: closed the connection`), null)
          else done(null, socket)
        })
      },
      maxHeaderSize: MOST_HEADER_BYTES,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
    },
  )
  client.on('connectionError', () => {})
  const timedOut = (): ProbeFailure => new ProbeFailure('timeout', `${where}: no whole HTTP answer`)
  deadline.own(() => void client.destroy(timedOut()).catch(() => {}))

  return {
    connectSeconds: connection.connectSeconds,
    async ask({ method, path, headers }, mostBodyBytes) {
      if (deadline.ended) throw timedOut()
      const sent = now(clock)
      try {
        // `reset`: after a HEAD, undici would close a connection that may well serve the next question.
        const all = { host: hostHeader(peer), ...headers }
        const answer = await client.request({ method, path, headers: all, reset: false })
        const received = now(clock)
        const chunks: Uint8Array[] = []
        let size = 0
        for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
          size += chunk.length
          if (size > mostBodyBytes)
            throw new ProbeFailure('too_large', `${where}: a body of over ${mostBodyBytes} bytes`)
          chunks.push(chunk)
        }
        const body = Buffer.concat(chunks).toString('utf8')
        return { status: answer.statusCode, headers: answer.headers, body, sent, received }
      } catch (error) {
        throw deadline.ended ? timedOut() : httpFailure(error, where)
      }
    },
  }
}
