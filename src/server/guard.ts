// What stands between a request and its route: headers that keep browsers from mischief, how many and how often, and who.
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import helmet from 'helmet'
import type { BasicAuth } from './basic-auth.ts'
import type { Doors } from './doors.ts'
import { mayCall } from './host-check.ts'
import { createLimiter } from './rate.ts'

/** Why somebody was not let in: a label. */
export type Refusal = 'rate_limit' | 'requests' | 'password' | 'password_check' | 'host' | 'origin'

export interface GuardOptions {
  readonly doors: Doors
  readonly basicAuth: BasicAuth
  readonly refused: (why: Refusal) => void
}

const ours = ["'self'"]

export const browserHeaders: RequestHandler = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      styleSrc: ours,
      scriptSrc: ours,
      connectSrc: ours,
      imgSrc: ours,
      frameAncestors: ["'none'"],
      baseUri: ["'none'"],
      formAction: ours,
    },
  },
  xFrameOptions: { action: 'deny' },
  // For whoever sets it in the web configuration: it binds every other service of the same name.
  strictTransportSecurity: false,
})

function refuse(response: Response, status: number, text: string): void {
  response.status(status).type('text/plain').send(`${text}\n`)
}

export function createGuard({ doors, basicAuth, refused }: GuardOptions): RequestHandler {
  const limiter = createLimiter()

  return async (request: Request, response: Response, next: NextFunction): Promise<void> => {
    doors.refresh()
    const { headers, users, rateLimit } = doors.config
    response.set(headers)
    if (rateLimit && !limiter(rateLimit)) {
      refused('rate_limit')
      return refuse(response, 429, 'Too many requests')
    }
    if (users.size > 0) {
      const verdict = await basicAuth.check(request.get('authorization'), users)
      if (verdict === 'cannot tell') {
        refused('password_check')
        return refuse(response, 503, 'Too many passwords are being checked')
      }
      if (verdict === 'wrong') {
        refused('password')
        response.set('www-authenticate', 'Basic realm="winkms-exporter", charset="UTF-8"')
        return refuse(response, 401, 'Unauthorized')
      }
    }
    next()
  }
}

/** A peer that has not read its answer by then never will. */
const ANSWER_MILLISECONDS = 120_000

/** So many at once, each of them for a while only: for what is answered from what is known already. */
export function createTurnstile(most: number, refused: (why: Refusal) => void): RequestHandler {
  let inside = 0
  return (request, response, next) => {
    if (inside >= most) {
      refused('requests')
      return refuse(response, 503, 'Too many requests at once')
    }
    inside += 1
    const patience = setTimeout(() => request.socket.destroy(), ANSWER_MILLISECONDS).unref()
    response.once('close', () => {
      inside -= 1
      clearTimeout(patience)
    })
    next()
  }
}

/** For what browsers show: answered only under names that are ours, unless whoever asks has to show who they are. */
export function createHostCheck(
  doors: Doors,
  patterns: readonly string[],
  refused: (why: Refusal) => void,
): RequestHandler {
  return (request, response, next) => {
    if (doors.config.users.size > 0 || mayCall(request.get('host'), patterns)) return next()
    refused('host')
    refuse(
      response,
      421,
      'This exporter does not know itself by that name; --web.external-url or --web.allow-host tells it',
    )
  }
}

/** For what acts: a page of somebody else may send a browser here, but not without saying where it is from. */
export function isFromElsewhere(request: Request): boolean {
  const origin = request.get('origin')
  if (origin === undefined) return false
  return !URL.canParse(origin) || new URL(origin).host !== request.get('host')
}
