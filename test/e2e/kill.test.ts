// A thousand crashes. Whatever was exposed before one is not taken back after it, and in the end every event of the log has
// been counted once; or, where the log forgets at once whatever is not the newest, been counted or been said to be lost.
import { spawn, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { CLIENTS, outcomeOf, recordsAt, type Line } from './kill-worker.ts'

const KILLS = Number(process.env['KILLS'] ?? 1000)
const MOST_MILLISECONDS_MORE = 10

const alive = new Set<ChildProcess>()
let directory: string
let bundle: string

/** The ways to a real Windows stay out: loading them would take most of the time that the worker lives. */
const withoutNetwork: Plugin = {
  name: 'without network',
  setup(build) {
    build.onLoad({ filter: /io\/windows\/open\.ts$/ }, () => ({
      contents:
        'export const hasWindows = () => true; export const openWindows = (host, visit) => visit.io.winrm.open()',
      loader: 'js',
    }))
  },
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'winkms-kill-'))
  bundle = join(directory, 'worker.mjs')
  await build({
    entryPoints: [fileURLToPath(new URL('kill-worker.ts', import.meta.url))],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    plugins: [withoutNetwork],
  })
})

afterAll(async () => {
  // When one chain has failed, the other may still be at it.
  await Promise.all(
    [...alive].map(async (child) => {
      child.kill('SIGKILL')
      await once(child, 'close')
    }),
  )
  rmSync(directory, { recursive: true, force: true })
})

interface Fate {
  /** After it has said that it is ready, and so many readings. */
  readonly readings: number
  readonly milliseconds: number
}

/** Lines that were printed to their end. Without a fate, it ends itself. */
async function life(args: readonly string[], fate?: Fate): Promise<readonly Line[]> {
  const child = spawn(process.execPath, [bundle, ...args], {
    env: { ...process.env, KILL_WORKER: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  alive.add(child)
  child.on('close', () => alive.delete(child))
  let out = ''
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const closed = once(child, 'close')
  const told = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
      if (fate !== undefined && out.split('\n').length > fate.readings + 1) resolve()
    })
    child.on('close', () => resolve())
  })
  if (fate !== undefined) {
    await told
    await pause(fate.milliseconds)
    child.kill('SIGKILL')
  }
  await closed
  expect(errors).toBe('')
  return out
    .split('\n')
    .slice(0, -1)
    .filter((line) => line !== 'ready')
    .map((line) => JSON.parse(line) as Line)
}

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0)

interface Summary {
  readonly exposed: number
  /** Killed in the middle of writing the file. */
  readonly torn: number
}

function expectNothingTakenBack(before: Line, line: Line, when: string): void {
  for (const [key, count] of Object.entries(before.requests))
    expect(line.requests[key], `${key} ${when}`).toBeGreaterThanOrEqual(count)
  expect(line.lost, when).toBeGreaterThanOrEqual(before.lost)
  expect(line.skewCount, when).toBe(sum(line.requests))
}

/** One log, of which so many of the newest records are there, and one directory. */
async function chain(kept: number, kills: number): Promise<Summary> {
  const state = mkdtempSync(join(directory, 'state-'))
  const began = Date.now()
  const args = [state, String(began), String(kept)]
  // The first record is read for certain: from then on every one is accounted for.
  let known = (await life([...args, '1'])).at(-1)
  let exposed = 0
  let torn = 0
  for (let killed = 0; killed < kills; killed += 1) {
    const lines = await life(args, {
      readings: randomInt(0, 4),
      milliseconds: Math.random() * MOST_MILLISECONDS_MORE,
    })
    const most = recordsAt(Date.now(), began)
    for (const line of lines) {
      if (known !== undefined) expectNothingTakenBack(known, line, `after ${killed} kills`)
      expect(sum(line.requests) + line.lost).toBeLessThanOrEqual(most)
      known = line
      exposed += 1
    }
    if (readdirSync(state).some((name) => name.endsWith('.tmp'))) torn += 1
  }
  const records = recordsAt(Date.now(), began)
  const last = (await life([...args, String(records)])).at(-1)
  expect(last?.caughtUp).toBe(true)
  expect(sum(last?.requests ?? {}) + (last?.lost ?? 0)).toBe(records)
  if (kept > records) {
    const requests: Record<string, number> = {}
    for (let n = 1; n <= records; n += 1) {
      const key = outcomeOf(n).join(' ')
      requests[key] = (requests[key] ?? 0) + 1
    }
    expect(last).toMatchObject({ requests, skewCount: records, clients: CLIENTS, gaps: 0, lost: 0 })
  }
  return { exposed, torn }
}

it(`${KILLS} times killed, every event is accounted for once and no counter goes back`, async () => {
  const summaries = await Promise.all(
    [Number.MAX_SAFE_INTEGER, 1].map((kept) => chain(kept, Math.ceil(KILLS / 2))),
  )
  // Or nothing was tried: most lives told something, and some ended in the middle of a write.
  const exposed = summaries.reduce((total, each) => total + each.exposed, 0)
  const torn = summaries.reduce((total, each) => total + each.torn, 0)
  expect(exposed).toBeGreaterThan(KILLS / 10)
  if (KILLS >= 1000) expect(torn).toBeGreaterThan(0)
}, 600_000)
