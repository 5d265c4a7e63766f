// The pages for people, with their style and script. What a URL asks for beyond its path is anybody's text.
import type { Request, Response, Router } from 'express'
import { RUNBOOKS } from '../runbooks/index.ts'
import { RUNBOOK_NAMES } from '../runbooks/names.ts'
import { estatePage } from '../views/html-estate.ts'
import { filterOf } from '../views/html-filter.ts'
import { ICON, page, type Site } from '../views/html-frame.ts'
import { hostPage } from '../views/html-host.ts'
import { runbookHtml, runbooksIndexHtml } from '../views/html-runbook.ts'
import { STYLE } from '../views/html-style.ts'
import { SCRIPT } from '../views/page-script.ts'
import type { Snapshot } from '../views/snapshot.ts'
import type { WatchedEstate } from './daemon.ts'
import { sendPieces } from './metrics.ts'

const HTML = 'text/html; charset=utf-8'

function queryOf({ url }: Request): string {
  const mark = url.indexOf('?')
  return mark === -1 ? '' : url.slice(mark + 1)
}

/** Browsers ask for these by a name that changes with the content. */
function asset(type: string, content: string) {
  return (_request: Request, response: Response): void => {
    response.type(type).set('cache-control', 'max-age=3600').send(content)
  }
}

export function hostIn({ hosts }: Snapshot, name: string): Snapshot['hosts'][number] | undefined {
  const wanted = name.toLowerCase()
  return hosts.find(({ diagnosis }) => diagnosis.host.name === wanted)
}

export function addPages(routes: Router, daemon: WatchedEstate, site: Site): void {
  routes.get('/', async (request, response) => {
    await sendPieces(request, response, HTML, [
      estatePage(daemon.snapshot(), filterOf(queryOf(request)), site),
    ])
  })
  routes.get('/hosts/:name', async (request, response) => {
    const snapshot = daemon.snapshot()
    const view = hostIn(snapshot, request.params.name)
    if (view === undefined) response.status(404).type('text/plain').send('There is no such host\n')
    else await sendPieces(request, response, HTML, [hostPage(view, snapshot.atSeconds, site)])
  })
  routes.get('/runbooks', async (request, response) => {
    const body = runbooksIndexHtml(site.prefix)
    await sendPieces(request, response, HTML, [page({ title: 'Runbooks', within: 'runbooks', body }, site)])
  })
  routes.get('/runbooks/:slug', async (request, response) => {
    const name = RUNBOOK_NAMES.find((each) => each === request.params.slug)
    if (name === undefined) {
      response.status(404).type('text/plain').send('There is no such runbook\n')
    } else if (request.path.endsWith('/')) {
      // Its links to other runbooks are relative.
      response.redirect(301, `${site.prefix}/runbooks/${name}`)
    } else {
      const body = runbookHtml(name)
      const { title } = RUNBOOKS[name]
      await sendPieces(request, response, HTML, [page({ title, within: 'runbooks', body }, site)])
    }
  })
  routes.get('/style.css', asset('css', STYLE))
  routes.get('/page.js', asset('text/javascript', SCRIPT))
  routes.get('/icon.svg', asset('svg', ICON))
}
