// Orders to a running estate, by HTTP and in plain text: what can be broken, break it, repair it. Loopback only, and it
// reaches nothing but the simulated hosts.
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Breakage } from './breakages.ts'
import { WAYS, breakageOf } from './breakages.ts'
import type { Listener, Where } from './listener.ts'
import { listenServer } from './listener.ts'

/** What there is to command. */
export interface Breakable {
  /** `broken`: the way in which the host is broken at this moment. */
  hosts(): readonly { readonly name: string; readonly broken: Breakage | undefined }[]
  /** Rejects with one sentence when there is no such host, or nobody could tell. */
  breakHost(name: string, how: Breakage): Promise<void>
  repairHost(name: string): Promise<void>
}

interface Reply {
  readonly status: number
  readonly text: string
}

/** Resolves when it listens. Rejects with one sentence when the address or port cannot be had. */
export async function startControl(estate: Breakable, where: Where): Promise<Listener> {
  const server = createServer((request, response) => {
    request.resume()
    void obey(estate, request).then(({ status, text }) => {
      response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
    })
  })
  return listenServer(server, where)
}

async function obey(estate: Breakable, request: IncomingMessage): Promise<Reply> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://lab')
  if (pathname === '/' && request.method === 'GET') return { status: 200, text: overview(estate) }
  if (!['/', '/break', '/repair'].includes(pathname))
    return { status: 404, text: 'There are /, /break and /repair.' }
  // A page that somebody has open in a browser is not the person at the shell.
  if (request.headers.origin !== undefined) return { status: 403, text: 'Not from a web page.' }
  if (request.method !== 'POST' || pathname === '/')
    return { status: 405, text: 'GET /, POST /break?host=NAME&how=WAY, POST /repair?host=NAME' }
  try {
    return { status: 200, text: await carryOut(estate, pathname, searchParams) }
  } catch (error) {
    return { status: 400, text: error instanceof Error ? error.message : String(error) }
  }
}

async function carryOut(estate: Breakable, pathname: string, asked: URLSearchParams): Promise<string> {
  const host = asked.get('host')
  if (pathname === '/repair') {
    const broken = estate.hosts().flatMap(({ name, broken: how }) => (how === undefined ? [] : [name]))
    const names = host === null ? broken : [host]
    for (const name of names) await estate.repairHost(name)
    return `Repaired: ${names.join(', ') || 'nothing was broken'}.`
  }
  const how = WAYS.find((way) => way === asked.get('how'))
  if (host === null || how === undefined)
    throw new Error(`POST /break?host=NAME&how=WAY, where WAY is one of ${WAYS.join(', ')}.`)
  await estate.breakHost(host, how)
  const { story, cause } = breakageOf(how)
  return `${host}: ${story} To be named: ${cause}.`
}

function overview(estate: Breakable): string {
  const width = Math.max(...WAYS.map((way) => way.length))
  const ways = WAYS.map((way) => {
    const { cause, story } = breakageOf(way)
    return `  ${way.padEnd(width)}  ${cause.padEnd(21)}  ${story}`
  })
  const hosts = estate.hosts().map(({ name, broken }) => `  ${name}${broken ? `  broken: ${broken}` : ''}`)
  return `POST /break?host=NAME&how=WAY   break a host, which repairs what was broken on it before
POST /repair?host=NAME          repair it, or, without a host, all of them

Ways, and the cause that each must lead to:

${ways.join('\n')}

Hosts, beside what is wrong with them from the start:

${hosts.join('\n')}`
}
