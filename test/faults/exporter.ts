// The built exporter as a process of its own, in surroundings that a test makes hard for it: what it says in its log and
// in its metrics, and what it holds. Ended with the test.
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { get, samplesOf, start, until, type Running, type Surroundings } from '../e2e/built.ts'

/** Of this machine at its busiest. */
export const SOON_SECONDS = 60

export interface Line {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

export interface Exporter {
  readonly url: string
  readonly running: Running
  log(): readonly Line[]
  /** Undefined while nobody answers. */
  tryMetrics(): Promise<string | undefined>
  /** Rejects where nobody answers. */
  metrics(): Promise<string>
}

export interface ExporterOptions extends Surroundings {
  readonly storagePath?: string
  /** Flags of its own, or in place of those that it gets anyway. */
  readonly flags?: Readonly<Record<string, string>>
  /** How to get a page of it, where it cannot be reached from here; undefined while nobody answers. */
  readonly fetchPage?: (url: string) => Promise<string | undefined>
}

const fetchFromHere = async (url: string): Promise<string | undefined> => (await get(url))?.body

function lineOf(text: string): Line {
  if (!text.startsWith('{')) throw new Error(`this is not of its log: ${text}`)
  return JSON.parse(text) as Line
}

/** Removed with the test. */
export async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'winkms-faults-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

export async function startExporter(yaml: string, options: ExporterOptions = {}): Promise<Exporter> {
  const { storagePath, flags: own, fetchPage = fetchFromHere, ...surroundings } = options
  const directory = await folder()
  const file = join(directory, 'winkms.yml')
  await writeFile(file, yaml)
  const flags = {
    'config.file': file,
    'web.listen-address': '127.0.0.1:0',
    'storage.path': storagePath ?? join(directory, 'data'),
    'log.format': 'json',
    ...own,
  }
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
  const running = start(args, surroundings)
  onTestFinished(() => running.stop())
  const log = (): readonly Line[] => running.err().split('\n').slice(0, -1).map(lineOf)
  const url = await until(SOON_SECONDS, 'it listens', () => {
    if (running.ending() !== undefined) throw new Error(`it ended: ${running.out()}${running.err()}`)
    const said = log().find(({ msg }) => msg === 'listening')?.['url']
    return typeof said === 'string' ? said.replace(/\/$/, '') : undefined
  })
  const tryMetrics = (): Promise<string | undefined> => fetchPage(`${url}/metrics`)
  return {
    url,
    running,
    log,
    tryMetrics,
    async metrics() {
      const text = await tryMetrics()
      if (text === undefined) throw new Error(`no answer from ${url}\n${running.err()}`)
      return text
    },
  }
}

/** The sample of these labels; undefined where there is none. */
export function valueOf(
  exposition: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  return samplesOf(exposition, name).find((sample) =>
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )?.value
}

export async function untilMetrics(
  exporter: Exporter,
  what: string,
  holds: (exposition: string) => boolean,
  seconds = SOON_SECONDS,
): Promise<string> {
  let last: string | undefined
  return until(
    seconds,
    () => `${what}\n${exporter.running.err().slice(-4_000)}\n${last?.slice(0, 200_000)}`,
    async () => {
      last = await exporter.tryMetrics()
      return last !== undefined && holds(last) ? last : undefined
    },
  )
}

/** Open now. */
export function descriptors({ running: { pid } }: Exporter): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** Used until now, in user and kernel mode: fields 14 and 15 of proc_pid_stat(5), in ticks of 10 ms. */
export function cpuSeconds({ running: { pid } }: Exporter): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Whatever happened, it was never taken for a defect of the exporter's own. */
export function expectNoInternalError(exporter: Exporter): void {
  expect(exporter.running.ending()).toBeUndefined()
  expect(exporter.log().filter(({ msg }) => /our own fault/.test(msg))).toEqual([])
}
