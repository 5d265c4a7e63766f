// A notification socket like systemd's, and what is said to it.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { until } from '../e2e/built.ts'
import { SOON_SECONDS } from './exporter.ts'

interface Word {
  readonly pid: number
  readonly text: string
}

/** Returns what has been said to it so far, which grows. */
export async function listenAt(path: string, python: string): Promise<readonly Word[]> {
  const program = fileURLToPath(new URL('notify-socket.py', import.meta.url))
  const child = spawn(python, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const words: Word[] = []
  createInterface({ input: child.stdout }).on('line', (line) => words.push(JSON.parse(line) as Word))
  await until(SOON_SECONDS, 'it listens', () => words.shift())
  return words
}
