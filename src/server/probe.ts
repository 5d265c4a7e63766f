// `/probe?target=HOST[&probe=NAME]`: one run, now, in the manner of blackbox_exporter. Only hosts that are watched, or
// that `--probe.allow` admits, so that nobody can make the exporter scan a network.
import type { Request, Response } from 'express'
import type { Host } from '../config/targets.ts'
import { parseAddress } from '../config/values.ts'
import type { Examination } from '../engine/examine.ts'
import { MalformedMessage } from '../model/failure.ts'
import { probes, type ProbeName } from '../probes/index.ts'
import { checkName } from '../protocol/dns.ts'
import { FAMILIES } from '../views/catalogue.ts'
import { bookText, createBook } from '../views/book.ts'
import { CONTENT_TYPES, familyText, sampleLine, type Format } from '../views/lines.ts'
import { tellDiagnosis, tellResult } from '../views/subjects.ts'
import { diagnosisText, plainPaint } from '../views/text.ts'
import { printable } from '../views/printable.ts'
import type { WatchedEstate, WebOptions } from './daemon.ts'
import { matches } from './host-check.ts'
import { chooseFormat, sendPieces } from './metrics.ts'
import { createLimiters } from './rate.ts'

/** So many times as much as of one host may be asked of all together that are not watched. */
const OTHERS = 20

class BadRequest extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

function single(request: Request, name: string): string | undefined {
  const value = request.query[name]
  if (value === undefined || typeof value === 'string') return value
  throw new BadRequest(400, `the parameter "${name}" may be given once only`)
}

interface Asked {
  readonly host: Host
  readonly watched: boolean
}

function hostFor(given: string, daemon: WatchedEstate, allow: readonly string[]): Asked {
  const name = given.toLowerCase().replace(/\.$/, '')
  const known = daemon.estate.hosts.find((host) => host.name === name)
  if (known !== undefined) return { host: known, watched: true }
  if (!allow.some((pattern) => matches(pattern, name))) {
    daemon.self.refusedTargets.inc()
    throw new BadRequest(403, `"${printable(given)}" is neither a watched host nor allowed by --probe.allow`)
  }
  const address = parseAddress(name)
  if (address.value !== undefined) return { host: daemon.adHocHost(address.value), watched: false }
  try {
    return { host: daemon.adHocHost(checkName(name)), watched: false }
  } catch (error) {
    if (!(error instanceof MalformedMessage)) throw error
    throw new BadRequest(400, `"${printable(given)}" is not a host name: ${error.message}`)
  }
}

/** Prometheus says how long it will wait; a little less is what we have. */
function timeOf(request: Request, offsetSeconds: number): number | undefined {
  const given = request.get('x-prometheus-scrape-timeout-seconds')
  if (given === undefined) return undefined
  const seconds = Number(given)
  if (given.trim() === '' || !Number.isFinite(seconds) || seconds <= 0) {
    throw new BadRequest(
      400,
      `X-Prometheus-Scrape-Timeout-Seconds is "${printable(given)}", which is no time`,
    )
  }
  return seconds > offsetSeconds ? seconds - offsetSeconds : seconds
}

function probeOf(request: Request): ProbeName | undefined {
  const name = single(request, 'probe')
  if (name === undefined || name === '') return undefined
  if (name === 'client') throw new BadRequest(400, 'canary clients are asked on schedule only, not by /probe')
  if (Object.hasOwn(probes, name)) return name as ProbeName
  throw new BadRequest(
    400,
    `there is no probe "${printable(name)}"; there are ${Object.keys(probes).join(', ')}`,
  )
}

function render(
  { diagnosis, tasks, results }: Examination,
  seconds: number,
  only: ProbeName | undefined,
  format: Format,
): string {
  const book = createBook(FAMILIES)
  for (const [index, result] of results.entries()) {
    const task = tasks[index]
    if (task !== undefined) book.set(task.key, tellResult(task, result))
  }
  if (only === undefined) book.set('diagnosis', tellDiagnosis(diagnosis))
  const success =
    only === undefined
      ? diagnosis.serving === true
      : results.length > 0 && results.every(({ failure }) => failure === undefined)
  const own = [
    {
      name: 'probe_success',
      help: 'Whether the host serves (or, with probe=NAME, whether that probe was answered).',
      value: Number(success),
    },
    { name: 'probe_duration_seconds', help: 'How long all of it took.', value: seconds },
  ]
  const head = own.map(({ name, help, value }) =>
    familyText({ name, help, type: 'gauge' }, sampleLine(name, {}, value), format),
  )
  return [...head, bookText(book, format), format === 'openmetrics' ? '# EOF\n' : ''].join('')
}

export function createProbeHandler(daemon: WatchedEstate, options: WebOptions) {
  /** Two Prometheus servers that ask the same at once get the same answer. */
  const flights = new Map<string, Promise<Examination>>()
  const mayAsk = createLimiters(options.probeRate)
  /** Together, those that are not watched: there is no end of names that a pattern allows. */
  const mayAskOthers = createLimiters({
    intervalSeconds: options.probeRate.intervalSeconds / OTHERS,
    burst: options.probeRate.burst * OTHERS,
  })

  function examine(
    { host, watched }: Asked,
    only: ProbeName | undefined,
    mostSeconds: number | undefined,
  ): Promise<Examination> {
    const key = `${host.name} ${only ?? '*'} ${mostSeconds ?? ''}`
    const known = flights.get(key)
    if (known !== undefined) return known
    if (!mayAsk(`${host.name} ${only ?? '*'}`) || !(watched || mayAskOthers(''))) {
      daemon.self.refused.inc({ why: 'probe_rate' })
      throw new BadRequest(429, `${host.name} is asked more often than --probe.max-rate allows`)
    }
    if (flights.size >= options.probesAtOnce) {
      daemon.self.refused.inc({ why: 'probes' })
      throw new BadRequest(503, 'too many probes at once: --probe.max-at-once allows more')
    }
    const flight = daemon.examine(host, only && [only], mostSeconds).finally(() => flights.delete(key))
    flights.set(key, flight)
    return flight
  }

  return async (request: Request, response: Response): Promise<void> => {
    try {
      const target = single(request, 'target')
      if (target === undefined || target === '')
        throw new BadRequest(400, 'the parameter "target" is missing')
      const only = probeOf(request)
      const mostSeconds = timeOf(request, options.timeoutOffsetSeconds)
      const asked = hostFor(target, daemon, options.probeAllow)
      const begin = performance.now()
      const examination = await examine(asked, only, mostSeconds)
      const seconds = (performance.now() - begin) / 1000
      if (single(request, 'debug') === 'true') {
        response.type('text/plain').send(debugText(examination, render(examination, seconds, only, 'text')))
        return
      }
      const format = chooseFormat(request)
      await sendPieces(request, response, CONTENT_TYPES[format], [render(examination, seconds, only, format)])
    } catch (error) {
      if (!(error instanceof BadRequest)) throw error
      response.status(error.status).type('text/plain').send(`${error.message}\n`)
    }
  }
}

function debugText({ diagnosis, results }: Examination, metrics: string): string {
  const runs = results.map(({ probe, target, stages, failure, durationSeconds }) => {
    const times = stages.map(({ stage, seconds }) => `${stage} ${(seconds * 1000).toFixed(1)} ms`).join(', ')
    const outcome =
      failure === undefined
        ? 'answered'
        : `${failure.reason} at ${failure.stage}: ${printable(failure.detail)}`
    return `${probe} ${printable(target.key)}: ${outcome} after ${(durationSeconds * 1000).toFixed(1)} ms (${times})`
  })
  return `${runs.join('\n')}\n\n${diagnosisText(diagnosis, results, plainPaint, Date.now() / 1000)}\n${metrics}`
}
