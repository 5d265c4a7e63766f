// The forger (forger.c), built for the tests and run as a process of its own.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished, type TestContext } from 'vitest'
import type { Endpoint } from '../../src/model/target.ts'
import { program, realServer } from '../real/servers/need.ts'

const SOURCE = fileURLToPath(new URL('forger.c', import.meta.url))

/** What to send to whom: `width` bytes at `offset` run through all values but `out`. */
interface Flood {
  readonly to: number
  readonly offset: number
  readonly width: 0 | 2 | 8
  readonly out?: number
  readonly payload: Uint8Array
}

export interface Forger {
  flood(flood: Flood): void
  /** Datagrams of the floods that have ended. */
  readonly sent: number
}

const FLOOD_MILLISECONDS = 300

/** Speaks in the name of `as`, to 127.0.0.1. Skips the test, aloud, where there is no compiler or no right to forge. */
export function startForger(context: Pick<TestContext, 'skip'>, as: Endpoint): Forger {
  realServer(context, ['cc', 'namespaces'])
  const folder = mkdtempSync(join(tmpdir(), 'forger-'))
  const binary = join(folder, 'forger')
  execFileSync(program('cc'), ['-O2', '-o', binary, SOURCE])
  const child = spawn(binary, [as.address, `${as.port}`, '127.0.0.1', `${FLOOD_MILLISECONDS}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let sent = 0
  child.stdout.on('data', (text: Buffer) => {
    for (const line of text.toString().trim().split('\n')) sent += Number(line)
  })
  onTestFinished(async () => {
    child.stdin.end()
    if (child.exitCode === null) await once(child, 'exit')
    rmSync(folder, { recursive: true })
  })
  return {
    flood: ({ to, offset, width, out = -1, payload }) => {
      child.stdin.write(`${to} ${offset} ${width} ${out} ${Buffer.from(payload).toString('hex')}\n`)
    },
    get sent() {
      return sent
    },
  }
}
