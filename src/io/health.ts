// Asks an exporter on this machine how it is, for supervisors that can start a program and cannot speak HTTP.
import { get as getHttp, type IncomingMessage } from 'node:http'
import { get as getHttps } from 'node:https'

const LOOPBACK = /^(?:127\.[\d.]+|\[::1\]|localhost)$/
const MOST_CHARACTERS = 1_000

export interface Health {
  readonly status: number
  /** The beginning of the answer's text. */
  readonly says: string
}

async function read(response: IncomingMessage): Promise<Health> {
  let says = ''
  for await (const piece of response.setEncoding('utf8')) {
    says += String(piece)
    if (says.length > MOST_CHARACTERS) break
  }
  return { status: response.statusCode ?? 0, says: says.slice(0, MOST_CHARACTERS).trim() }
}

/** Rejects when there is no answer within `seconds`. Whose certificate it is does not matter on loopback. */
export function askHealth(url: URL, seconds: number): Promise<Health> {
  const signal = AbortSignal.timeout(seconds * 1000)
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      reject(signal.aborted ? new Error(`no answer within ${seconds} seconds`) : error)
    }
    const get = url.protocol === 'https:' ? getHttps : getHttp
    const options = { agent: false, signal, rejectUnauthorized: !LOOPBACK.test(url.hostname) }
    get(url, options, (response) => {
      read(response).then(resolve, fail)
    }).on('error', fail)
  })
}
