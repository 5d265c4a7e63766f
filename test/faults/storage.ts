// What the tests of a failing storage have in common: a host whose event log is read each second, and how far that is known
// to the metrics and to the file.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { samplesOf } from '../e2e/built.ts'
import { program } from '../real/servers/need.ts'
import { cmidOf } from '../probes/memory-log.ts'
import { untilMetrics, valueOf, type Exporter, type Line } from './exporter.ts'
import { WINDOWS_NAME, type WindowsHost } from './hosts.ts'

export const FILE = `activity-${WINDOWS_NAME}.json`
const PROBLEMS = 'winkms_exporter_storage_problems_total'

let clients = 0

/** So many clients ask the host. */
export function receive({ machine }: WindowsHost, count: number): void {
  for (let index = 0; index < count; index += 1) {
    clients += 1
    machine.receive({ clientName: `pc${clients}`, cmid: cmidOf(clients) })
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

export function counted(exposition: string): number {
  return sum(samplesOf(exposition, 'winkms_activation_requests_total').map(({ value }) => value))
}

export async function untilCounted(exporter: Exporter, requests: number): Promise<string> {
  return untilMetrics(exporter, `${requests} requests are counted`, (text) => counted(text) === requests)
}

export function problems(exposition: string, kind: 'unusable' | 'not_written'): number {
  return valueOf(exposition, PROBLEMS, { kind }) ?? 0
}

/** What it said aloud of its storage. */
export function saidOfStorage(exporter: Exporter): readonly Line[] {
  return exporter.log().filter(({ level, msg }) => level === 'error' && / storage /.test(msg))
}

/** The requests that the file knows of; undefined while there is no such file. */
export function kept(directory: string): number | undefined {
  const path = join(directory, FILE)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
  const { requests } = JSON.parse(text) as { readonly requests: readonly (readonly [string, number])[] }
  return sum(requests.map(([, count]) => count))
}

/** Has the exporter run with a file system of its own, of 64 KiB, at `directory`. */
export function ownFileSystem(directory: string): readonly string[] {
  const script = 'mount -t tmpfs -o size=64k winkms-faults "$0" && exec "$@"'
  return [program('unshare'), '--mount', '--propagation', 'private', '/bin/sh', '-c', script, directory]
}

/** The directory as the exporter sees it. */
export function seenBy({ running: { pid } }: Exporter, directory: string): string {
  return `/proc/${pid}/root${directory}`
}

/** In the file systems of the exporter; `$1` is the directory. */
export function within({ running: { pid } }: Exporter, directory: string, script: string): void {
  execFileSync(
    program('nsenter'),
    ['--mount', '--target', String(pid), '/bin/sh', '-c', script, 'sh', directory],
    {
      stdio: 'ignore',
    },
  )
}
