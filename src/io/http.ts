// HTTP over a connection that we opened ourselves (so that the address asked is the one meant, and the deadline owns
// it). undici speaks the protocol; sizes are bounded; a redirect is an answer, never followed.
import { AssertionError } from 'node:assert'
import { createHash } from 'node:crypto'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { isIP, type Socket } from 'node:net'
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
  readonly tls?: TlsOptions | undefined
}

export interface TlsOptions {
  /** PEM; the system's authorities when not given. */
  readonly ca?: string | undefined
  readonly serverName?: string | undefined
  /** SHA-256 of the one certificate that is accepted, 64 hex digits in lower case; instead of all other checks. */
  readonly fingerprint?: string | undefined
  /** Ours, in PEM. */
  readonly client?: { readonly certificate: string; readonly key: string } | undefined
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export interface HttpAnswer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Uint8Array
  /** Before the request was handed to the socket, and when its status line and headers had arrived. */
  readonly sent: Moment
  readonly received: Moment
}

export interface HttpSession {
  readonly connectSeconds: number
  /** One at a time. Rejects with ProbeFailure `timeout`, `connect_reset`, `protocol_error`, `too_large`. */
  ask(request: HttpRequest, mostBodyBytes: number): Promise<HttpAnswer>
}

/** A connection that outlives the visit that opened it; whoever opened it closes it. */
export interface HttpConnection {
  readonly connectSeconds: number
  /** The peer's certificate (DER), for channel bindings; undefined without TLS. */
  readonly peerCertificate: Uint8Array | undefined
  /** By either side. */
  readonly closed: boolean
  /** How many questions had at least the head of an answer. */
  readonly answered: number
  /** As a session's; the connection is closed when the deadline ends before the answer does, and after any failure. */
  ask(request: HttpRequest, mostBodyBytes: number, deadline: Deadline): Promise<HttpAnswer>
  close(): void
}

type Undici = typeof import('undici')
let undici: Undici | undefined

/**
 * Loaded when wanted: it is a third of what there is to load, and many an estate is never asked over HTTP. Here and not with
 * this file, for that is tried once and for all, and there may be no descriptor for it now.
 */
async function loadUndici(): Promise<Undici> {
  try {
    return (undici ??= await import('undici'))
  } catch (error) {
    throw socketFailure(error, 'undici cannot be loaded')
  }
}

const MOST_HEADER_BYTES = 32 * 1024
/** Chunks' sizes, TLS's records, interim answers. */
const MOST_OTHER_BYTES = 256 * 1024

/** While shaking hands, an error that is not the network's is about the certificate or the protocol: the peer's. */
function tlsFailure(error: unknown, where: string): ProbeFailure {
  const failure = socketFailure(error, where)
  if (failure.reason !== 'internal_error') return failure
  return new ProbeFailure('tls_failed', failure.message, { cause: error })
}

function startTls(socket: Socket, { host, endpoint, tls }: HttpPeer, deadline: Deadline): Promise<TLSSocket> {
  const where = formatEndpoint(endpoint)
  return new Promise((resolve, reject) => {
    const name = tls?.serverName ?? host
    const options: ConnectionOptions = { socket, host: name, ALPNProtocols: ['http/1.1'] }
    if (isIP(name) === 0) options.servername = name
    if (tls?.ca !== undefined) options.ca = tls.ca
    if (tls?.client !== undefined) {
      Object.assign(options, { cert: tls.client.certificate, key: tls.client.key })
      // HTTP.sys asks for it in the middle of the connection. Node follows TLS 1.2's renegotiation, and does not offer
      // what TLS 1.3 has instead; Windows then resets (reports of other clients, unverified).
      options.maxVersion = 'TLSv1.2'
    }
    // A pinned certificate is compared below, once it is known.
    if (tls?.fingerprint !== undefined) options.rejectUnauthorized = false
    let letGo = (): void => {}
    const fail = (failure: ProbeFailure): void => {
      letGo()
      reject(failure)
    }
    let secure: TLSSocket
    try {
      secure = connectTls(options)
    } catch (error) {
      // A key that is none, or not the certificate's.
      reject(new ProbeFailure('not_configured', `the client certificate cannot be used`, { cause: error }))
      return
    }
    secure.on('error', (error) => {
      fail(tlsFailure(error, where))
      // Node does not, and reads on into its memory, for ever, what it can no longer decrypt.
      secure.destroy()
    })
    secure.once('secureConnect', () => {
      letGo()
      if (tls?.fingerprint === undefined || fingerprintOf(secure) === tls.fingerprint) return resolve(secure)
      reject(new ProbeFailure('tls_untrusted', `${where}: the certificate is not the pinned one`))
      secure.destroy()
    })
    secure.once('close', () =>
      fail(new ProbeFailure('tls_failed', `${where}: closed during the TLS handshake`)),
    )
    letGo = deadline.own(() => {
      reject(new ProbeFailure('timeout', `${where}: no end of the TLS handshake`))
      secure.destroy()
    })
  })
}

/** The peer's own (DER). Not `getPeerX509Certificate`, which in Node 20 gives it away once only. */
function certificateOf(socket: TLSSocket): Uint8Array | undefined {
  return socket.getPeerCertificate().raw
}

function fingerprintOf(socket: TLSSocket): string | undefined {
  const certificate = certificateOf(socket)
  return certificate && createHash('sha256').update(certificate).digest('hex')
}

function httpFailure(error: unknown, { errors }: Undici, where: string): ProbeFailure {
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
export async function openConnection(
  peer: HttpPeer,
  deadline: Deadline,
  clock: Clock,
): Promise<HttpConnection> {
  const where = formatEndpoint(peer.endpoint)
  const library = undici ?? (await loadUndici())
  const connection = await connect(peer.endpoint, deadline, clock)
  connection.socket.setNoDelay(true)
  const secure = peer.tls === undefined ? undefined : await startTls(connection.socket, peer, deadline)
  const socket = secure ?? connection.socket
  // The TLS handshake may have taken what was left of the time.
  if (deadline.ended) throw new ProbeFailure('timeout', `${where}: no time left`)
  connection.release()
  let handedOver = false
  let closed = false
  let answered = 0
  socket.once('close', () => (closed = true))
  const client = new library.Client(
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
      // How long a connection may stand idle is its owner's to say, and the peer's.
      keepAliveTimeout: 600_000,
      keepAliveMaxTimeout: 600_000,
    },
  )
  client.on('connectionError', () => {})
  const close = (why: Error): void => {
    closed = true
    void client.destroy(why).catch(() => {})
    // Until it has been asked something, undici knows nothing of the socket.
    socket.destroy()
  }

  return {
    connectSeconds: connection.connectSeconds,
    peerCertificate: secure && certificateOf(secure),
    get closed() {
      // undici destroys what an answer said it would close; the event comes later than the next question may.
      return closed || socket.destroyed
    },
    get answered() {
      return answered
    },
    close: () => close(new ProbeFailure('connect_reset', `${where}: closed by us`)),
    async ask({ method, path, headers, body = null }, mostBodyBytes, deadline) {
      const timedOut = (): ProbeFailure => new ProbeFailure('timeout', `${where}: no whole HTTP answer`)
      if (deadline.ended) throw timedOut()
      if (closed || socket.destroyed)
        throw new ProbeFailure('connect_reset', `${where}: closed the connection`)
      const letGo = deadline.own(() => close(timedOut()))
      // Whatever undici makes nothing of (interim answers, chunk extensions, empty lines) has no bounds there.
      const raw = connection.socket
      const mostBytes = raw.bytesRead + 2 * mostBodyBytes + MOST_OTHER_BYTES
      const weigh = (): void => {
        if (raw.bytesRead > mostBytes)
          close(new ProbeFailure('too_large', `${where}: far more bytes than any answer has`))
      }
      socket.on('readable', weigh)
      const sent = now(clock)
      try {
        // `reset`: after a HEAD, undici would close a connection that may well serve the next question.
        const all = { host: hostHeader(peer), ...headers }
        const answer = await client.request({ method, path, headers: all, body, reset: false })
        const received = now(clock)
        answered++
        const chunks: Uint8Array[] = []
        let size = 0
        for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
          size += chunk.length
          if (size > mostBodyBytes)
            throw new ProbeFailure('too_large', `${where}: a body of over ${mostBodyBytes} bytes`)
          chunks.push(chunk)
        }
        return {
          status: answer.statusCode,
          headers: answer.headers,
          body: Buffer.concat(chunks),
          sent,
          received,
        }
      } catch (error) {
        const ended = deadline.ended
        close(timedOut())
        throw ended ? timedOut() : httpFailure(error, library, where)
      } finally {
        letGo()
        socket.off('readable', weigh)
      }
    },
  }
}

/** The same for one visit: the deadline closes it. */
export async function openHttp(peer: HttpPeer, deadline: Deadline, clock: Clock): Promise<HttpSession> {
  const connection = await openConnection(peer, deadline, clock)
  deadline.own(() => connection.close())
  return {
    connectSeconds: connection.connectSeconds,
    ask: (request, mostBodyBytes) => connection.ask(request, mostBodyBytes, deadline),
  }
}
