// The web server over a daemon of plain data, on a loopback port: what tests of the routes begin with.
import { createServer, request, type IncomingHttpHeaders } from 'node:http'
import { connect, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import type { Host } from '../../src/config/targets.ts'
import type { Diagnosis } from '../../src/diagnosis/diagnose.ts'
import type { Examination } from '../../src/engine/examine.ts'
import { plan } from '../../src/engine/plan.ts'
import type { Log } from '../../src/model/log.ts'
import { probes } from '../../src/probes/index.ts'
import type { WatchedEstate, WebOptions } from '../../src/server/daemon.ts'
import { NO_DOORS } from '../../src/server/doors.ts'
import { createApp } from '../../src/server/http.ts'
import { createSelfMetrics } from '../../src/views/prometheus.ts'
import { kms } from '../diagnosis/scene.ts'
import {
  answered,
  diagnosis,
  estate,
  EVERYTHING,
  HEALTHY,
  host,
  snapshot,
  STOPPED,
  view,
} from '../views/scenes.ts'

const all = estate(EVERYTHING)

export const PAGE = '# HELP a A.\n# TYPE a gauge\na 1\n'

/** What a run of the port probe alone leaves behind. */
export function examination(of: Host, changes: Pick<Diagnosis, 'serving'> = { serving: true }): Examination {
  const tasks = plan({ ...all, hosts: [of] }, [probes.port])
  const results = tasks.map(({ target }) => answered('port', target, { addresses: [kms] }))
  return { diagnosis: diagnosis({ host: of, ...changes }), tasks, results }
}

/** Watches kms01, which serves, and kms02, which does not. */
export function fakeDaemon(changes: Partial<WatchedEstate> = {}): WatchedEstate {
  return {
    phase: 'running',
    estate: all,
    self: createSelfMetrics({ version: '1', revision: '1' }, () => 0, { processMetrics: false }),
    async *metrics(format) {
      yield Buffer.from(PAGE)
      if (format === 'openmetrics') yield Buffer.from('# EOF\n')
    },
    snapshot: () =>
      snapshot({
        hosts: [view(HEALTHY), view({ ...STOPPED, host: host({ name: 'kms02.corp.example' }) })],
      }),
    adHocHost: (name) => host({ name, discovered: true, labels: {}, windows: undefined }),
    examine: async (of) => examination(of),
    standstill: () => undefined,
    ...changes,
  }
}

export const OPTIONS: WebOptions = {
  version: '1.2.3',
  telemetryPath: '/metrics',
  routePrefix: '',
  linkPrefix: '',
  reload: async () => undefined,
  enableLifecycle: false,
  configText: () => 'hosts: []\n',
  probeAllow: [],
  timeoutOffsetSeconds: 0.5,
  probeRate: { intervalSeconds: 0.001, burst: 1000 },
  doors: NO_DOORS,
  basicAuth: { check: async () => 'wrong' },
  probesAtOnce: 64,
  maxRequests: 40,
  hostNames: [],
}

export interface Site {
  readonly url: string
  readonly port: number
  /** How many requests have been handed to their handlers. */
  requests(): number
  /** The server's ends of all connections so far. */
  readonly sockets: readonly Socket[]
  /** Messages of log.error. */
  readonly errors: readonly string[]
}

/** Serves until the test has ended. */
export async function serve(daemon: WatchedEstate, options: Partial<WebOptions> = {}): Promise<Site> {
  const errors: string[] = []
  const log: Log = {
    debug() {},
    info() {},
    warn() {},
    error: (fields, message) => void errors.push(`${message}: ${String(fields['err'])}`),
  }
  const sockets: Socket[] = []
  let requests = 0
  const server = createServer(createApp(daemon, { ...OPTIONS, ...options }, log))
  server.on('connection', (socket) => sockets.push(socket))
  server.on('request', () => (requests += 1))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('not listening')
  return {
    url: `http://127.0.0.1:${bound.port}`,
    port: bound.port,
    requests: () => requests,
    sockets,
    errors,
  }
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly bytes: Buffer
  readonly text: string
}

/** One request, its path and headers sent as they are given, nothing unpacked. */
export async function ask(
  { port }: Pick<Site, 'port'>,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      buffer(response).then(
        (bytes) =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            bytes,
            text: bytes.toString(),
          }),
        reject,
      )
    })
    asked.on('error', reject)
    asked.end()
  })
}

/** A connection on which a request has been sent, and nothing is read until the test does so. */
export async function dial(port: number, text: string, address = '127.0.0.1'): Promise<Socket> {
  const socket = connect(port, address)
  socket.on('error', () => undefined)
  onTestFinished(() => void socket.destroy())
  await new Promise((resolve) => socket.once('connect', resolve))
  if (text !== '') socket.write(text)
  return socket
}

/** A promise to be settled from outside. */
export function later<T>(): {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: Error): void
} {
  let settle: { resolve: (value: T) => void; reject: (error: Error) => void } | undefined
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return {
    promise,
    resolve: (value) => settle?.resolve(value),
    reject: (error) => settle?.reject(error),
  }
}
