// The routes. Who asks is answered from the latest snapshot; only `/probe` asks anybody anything.
import express, { Router, type ErrorRequestHandler, type Express, type Request, type Response } from 'express'
import type { Log } from '../model/log.ts'
import type { Site } from '../views/html-frame.ts'
import { hostJson, hostsJson } from '../views/json.ts'
import { CONTENT_TYPES } from '../views/lines.ts'
import { printableJson } from '../views/printable.ts'
import type { WatchedEstate, WebOptions } from './daemon.ts'
import { hostTargets, windowsExporterTargets } from './discovery.ts'
import {
  browserHeaders,
  createGuard,
  createHostCheck,
  createTurnstile,
  isFromElsewhere,
  type Refusal,
} from './guard.ts'
import { chooseFormat, sendPieces } from './metrics.ts'
import { addPages, hostIn } from './pages.ts'
import { createProbeHandler } from './probe.ts'

const BY_SIGNAL = process.platform === 'win32' ? '' : ' SIGHUP reloads, too.'

export function createApp(daemon: WatchedEstate, options: WebOptions, log: Log): Express {
  const app = express()
  app.disable('x-powered-by').disable('etag')
  app.enable('case sensitive routing')
  const root = options.routePrefix === '' ? '/' : options.routePrefix
  app.use(browserHeaders)
  app.use((request, response, next) => {
    response.set('cache-control', 'no-store')
    // The route, never the path: what strangers ask for must not make series.
    response.on('finish', () => {
      const route = typeof request.route?.path === 'string' ? request.route.path : 'other'
      daemon.self.requests.inc({ route, code: String(response.statusCode) })
    })
    next()
  })
  app.use(root, createSupervisorRoutes(daemon))
  const refused = (why: Refusal): void => daemon.self.refused.inc({ why })
  app.use(createGuard({ ...options, refused }))
  app.use(root, createRoutes(daemon, options, refused))
  app.use((_request, response) => {
    response.status(404).type('text/plain').send('Not found\n')
  })
  const onError: ErrorRequestHandler = (error: unknown, request, response, next) => {
    const status =
      typeof error === 'object' && error !== null && 'status' in error ? Number(error.status) : 500
    if (status >= 500) {
      daemon.self.internalErrors.inc({ where: 'request' })
      log.error({ path: request.path, err: error }, 'a request failed by our own fault')
    }
    if (response.headersSent) next(error)
    else
      response
        .status(status)
        .type('text/plain')
        .send(status < 500 ? 'Bad request\n' : 'Internal error\n')
  }
  app.use(onError)
  return app
}

/** Before any guard: they say nothing of anybody, and whoever restarts what is not healthy must not be kept out. */
function createSupervisorRoutes(daemon: WatchedEstate): Router {
  const routes = Router({ caseSensitive: true })
  routes.get('/-/healthy', (_request, response) => {
    const standstill = daemon.standstill()
    response
      .status(standstill === undefined ? 200 : 503)
      .type('text/plain')
      .send(`${standstill ?? 'Healthy'}\n`)
  })
  routes.get('/-/ready', (_request, response) => {
    const ready = daemon.phase === 'running'
    response
      .status(ready ? 200 : 503)
      .type('text/plain')
      .send(ready ? 'Ready\n' : 'Not ready\n')
  })
  return routes
}

function createRoutes(daemon: WatchedEstate, options: WebOptions, refused: (why: Refusal) => void): Router {
  const routes = Router({ caseSensitive: true })
  const site: Site = {
    prefix: options.linkPrefix,
    telemetryPath: options.telemetryPath,
    version: options.version,
  }

  routes.get('/probe', createProbeHandler(daemon, options))
  routes.use(createTurnstile(options.maxRequests, refused))
  routes.get(options.telemetryPath, async (request, response) => {
    const format = chooseFormat(request)
    await sendPieces(request, response, CONTENT_TYPES[format], daemon.metrics(format))
  })
  routes.get('/sd/hosts', (_request, response) => discover(response, daemon, hostTargets))
  routes.get('/sd/windows_exporter', (_request, response) =>
    discover(response, daemon, windowsExporterTargets),
  )

  const reload = async (request: Request, response: Response): Promise<void> => {
    response.type('text/plain')
    if (!options.enableLifecycle) {
      response
        .status(403)
        .send(`Reloading over HTTP is off; --web.enable-lifecycle turns it on.${BY_SIGNAL}\n`)
      return
    }
    if (isFromElsewhere(request)) {
      refused('origin')
      response.status(403).send('Not for pages of other sites\n')
      return
    }
    const problem = await options.reload()
    if (problem === undefined) response.send('Reloaded\n')
    else
      response
        .status(500)
        .send(`The configuration was not loaded; the one before stays in force.\n${problem}\n`)
  }
  routes.route('/-/reload').post(reload).put(reload).all(notAllowed)

  // From here on for people at browsers.
  routes.use(createHostCheck(options.doors, options.hostNames, refused))
  addPages(routes, daemon, site)
  routes.get('/api/v1/hosts', (_request, response) => {
    sendJson(response, hostsJson(daemon.snapshot()))
  })
  routes.get('/api/v1/hosts/:name', (request, response) => {
    const view = hostIn(daemon.snapshot(), request.params.name)
    if (view === undefined) sendJson(response.status(404), { error: 'there is no such host' })
    else sendJson(response, hostJson(view))
  })
  routes.get('/config', (_request, response) => {
    response.type('text/plain').send(options.configText())
  })
  return routes
}

/** People look at it by curl, too. */
function sendJson(response: Response, value: object): void {
  response.type('json').send(printableJson(JSON.stringify(value)))
}

/** Prometheus takes an empty list as "there is nothing": while that is not sure, no list is given. */
function discover(
  response: Response,
  daemon: WatchedEstate,
  groups: (estate: WatchedEstate['estate']) => readonly object[],
): void {
  if (daemon.phase === 'running') sendJson(response, groups(daemon.estate))
  else response.status(503).type('text/plain').send('Not ready\n')
}

function notAllowed(_request: Request, response: Response): void {
  response.status(405).set('allow', 'POST, PUT').type('text/plain').send('Only POST and PUT\n')
}
