// Prometheus itself, scraping on loopback into a folder of its own, and promtool, its checker.
import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import { program } from './need.ts'
import { place } from './ports.ts'
import { launch, makeDirectory } from './process.ts'
import type { Server } from './process.ts'

const REQUEST_MILLISECONDS = 5_000
const PROMTOOL_MILLISECONDS = 15_000
const POLL_MILLISECONDS = 100

export interface PrometheusOptions {
  readonly configYaml: string
  readonly port?: number
  /** Other files (rules, targets), by their paths relative to the configuration's folder. */
  readonly files?: Readonly<Record<string, string>>
}

/** One element of an instant vector; of a scalar, without labels. `value` may be NaN or infinite. */
interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: number
}

export interface PrometheusServer extends Server {
  readonly url: string
  /** An instant query. Rejects when Prometheus refuses the expression. */
  readonly query: (expression: string) => Promise<readonly Sample[]>
  /** Asks again until `isSo`; resolves with the answer. Rejects after `seconds`, with the last answer in the message. */
  readonly waitFor: (
    expression: string,
    isSo: (samples: readonly Sample[]) => boolean,
    seconds: number,
  ) => Promise<readonly Sample[]>
}

type Point = readonly [unixSeconds: number, value: string]

/** Prometheus's HTTP API, "Instant queries", as far as numbers go. */
interface Answer {
  readonly status: 'success' | 'error'
  readonly error?: string
  readonly data?:
    | {
        readonly resultType: 'vector'
        readonly result: readonly { metric: Record<string, string>; value: Point }[]
      }
    | { readonly resultType: 'scalar'; readonly result: Point }
}

/** Prometheus writes infinities as `+Inf` and `-Inf`. */
const toNumber = (value: string): number => Number(value.replace('Inf', 'Infinity'))

async function query(url: string, expression: string): Promise<readonly Sample[]> {
  const response = await fetch(
    `${url}/api/v1/query?${new URLSearchParams({ query: expression }).toString()}`,
    {
      signal: AbortSignal.timeout(REQUEST_MILLISECONDS),
    },
  )
  const answer = (await response.json()) as Answer
  if (!answer.data) throw new Error(`${expression}: ${answer.error ?? response.statusText}`)
  if (answer.data.resultType === 'scalar') return [{ metric: {}, value: toNumber(answer.data.result[1]) }]
  return answer.data.result.map(({ metric, value }) => ({ metric, value: toNumber(value[1]) }))
}

async function waitFor(
  url: string,
  expression: string,
  isSo: (samples: readonly Sample[]) => boolean,
  seconds: number,
): Promise<readonly Sample[]> {
  const deadline = performance.now() + seconds * 1000
  for (;;) {
    const samples = await query(url, expression)
    if (isSo(samples)) return samples
    if (performance.now() > deadline) {
      throw new Error(`not so after ${seconds} s: ${expression}\n${JSON.stringify(samples)}`)
    }
    await pause(POLL_MILLISECONDS)
  }
}

/** Rejects like launch(), also when the configuration is wrong. */
export async function startPrometheus(options: PrometheusOptions): Promise<PrometheusServer> {
  const command = program('prometheus')
  const at = await place(options.port === undefined ? {} : { port: options.port }, 9090)
  const directory = await makeDirectory('prometheus')
  for (const [name, content] of Object.entries({ ...options.files, 'prometheus.yml': options.configYaml })) {
    await mkdir(dirname(join(directory, name)), { recursive: true })
    await writeFile(join(directory, name), content)
  }
  const running = await launch({
    name: 'prometheus',
    command,
    args: [
      `--config.file=${directory}/prometheus.yml`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=${at.address}:${at.port}`,
    ],
    directory,
    listens: [{ protocol: 'tcp', ...at }],
    ready: /ready to receive web requests/,
  })
  const url = `http://${at.address}:${at.port}`
  return {
    ...at,
    ...running,
    url,
    query: (expression) => query(url, expression),
    waitFor: (expression, isSo, seconds) => waitFor(url, expression, isSo, seconds),
  }
}

/** `promtool check metrics` on a text exposition: code 0 clean, 3 lint remarks, 1 it does not parse. */
export async function promtoolCheckMetrics(exposition: string): Promise<{ code: number; output: string }> {
  const child = spawn(program('promtool'), ['check', 'metrics'], { timeout: PROMTOOL_MILLISECONDS })
  child.stdin.on('error', () => undefined)
  child.stdin.end(exposition)
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) =>
      code === null ? reject(new Error(`promtool ended with ${signal ?? 'nothing'}`)) : resolve(code),
    )
  })
  const [code, ...printed] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return { code, output: printed.join('') }
}
