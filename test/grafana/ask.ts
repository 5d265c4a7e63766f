// Prometheus's HTTP API as Grafana uses it: POST, instant or over a range. And a Prometheus over a written history.
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { program } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'
import { launch, makeDirectory, type Running } from '../real/servers/process.ts'

export interface Series {
  readonly metric: Readonly<Record<string, string>>
  /** By time; of an instant query, one. */
  readonly values: readonly (readonly [unixSeconds: number, value: number])[]
}

type Point = readonly [number, string]

interface Answer {
  readonly status: string
  readonly error?: string
  readonly data?: {
    readonly result: readonly {
      readonly metric: Record<string, string>
      readonly value?: Point
      readonly values?: readonly Point[]
    }[]
  }
}

const REQUEST_MILLISECONDS = 20_000

/** Rejects with Prometheus's own words when it refuses the query. */
async function post(
  url: string,
  path: string,
  form: Readonly<Record<string, string>>,
): Promise<readonly Series[]> {
  const response = await fetch(`${url}/api/v1/${path}`, {
    method: 'POST',
    body: new URLSearchParams(form),
    signal: AbortSignal.timeout(REQUEST_MILLISECONDS),
  })
  const answer = (await response.json()) as Answer
  if (answer.data === undefined) throw new Error(`${form['query']}: ${answer.error ?? response.statusText}`)
  return answer.data.result.map(({ metric, value, values }) => ({
    metric,
    values: (values ?? (value === undefined ? [] : [value])).map(
      ([time, text]) => [time, Number(text.replace('Inf', 'Infinity'))] as const,
    ),
  }))
}

/** Now, or at `time` (Unix seconds). */
export async function ask(url: string, query: string, time?: number): Promise<readonly Series[]> {
  return post(url, 'query', { query, ...(time === undefined ? {} : { time: String(time) }) })
}

export async function askRange(
  url: string,
  query: string,
  { start, end, step }: { start: number; end: number; step: number },
): Promise<readonly Series[]> {
  return post(url, 'query_range', { query, start: String(start), end: String(end), step: String(step) })
}

/** One series of a history. `at` is asked for each time; undefined leaves a gap. */
export interface Written {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly at: (unixSeconds: number) => number | undefined
}

export interface Span {
  readonly start: number
  readonly end: number
  readonly step: number
}

function historyText(written: readonly Written[], { start, end, step }: Span): string {
  const lines: string[] = []
  // The format wants the samples of a series, and the series of a name, side by side.
  for (const { name, labels, at } of written.toSorted((a, b) => a.name.localeCompare(b.name))) {
    const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`)
    for (let time = start; time <= end; time += step) {
      const value = at(time)
      if (value !== undefined) lines.push(`${name}{${pairs.join(',')}} ${value} ${time}`)
    }
  }
  return `${lines.join('\n')}\n# EOF\n`
}

export interface History extends Running {
  readonly url: string
}

/** Rejects when promtool does not take the history, or Prometheus does not start. */
export async function startOnHistory(written: readonly Written[], span: Span): Promise<History> {
  const directory = await makeDirectory('prometheus-history')
  await writeFile(join(directory, 'history.txt'), historyText(written, span))
  await writeFile(join(directory, 'prometheus.yml'), 'global: {}\n')
  const args = ['tsdb', 'create-blocks-from', 'openmetrics', 'history.txt', 'data']
  await promisify(execFile)(program('promtool'), args, { cwd: directory, timeout: 120_000 })
  const port = await freePort()
  const running = await launch({
    name: 'prometheus',
    command: program('prometheus'),
    args: [
      `--config.file=${directory}/prometheus.yml`,
      `--storage.tsdb.path=${directory}/data`,
      '--storage.tsdb.retention.time=10y',
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    directory,
    listens: [{ protocol: 'tcp', address: '127.0.0.1', port }],
    ready: /ready to receive web requests/,
  })
  return { ...running, url: `http://127.0.0.1:${port}` }
}
