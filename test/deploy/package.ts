// The Debian package, made of the built command as `npm run build:deb` makes it.
import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { build, MAIN } from '../e2e/built.ts'
import { startMachine, type Machine } from './machine.ts'

const run = promisify(execFile)
const ROOT = dirname(dirname(MAIN))
const EPOCH = '1764000000'

export interface How {
  readonly revision?: number
  readonly env?: Readonly<Record<string, string>>
  readonly umask?: string
}

/** Returns the file, in `folder`. */
export async function makePackage(
  folder: string,
  { revision = 1, env = {}, umask = '022' }: How = {},
): Promise<string> {
  await build()
  const script = `umask ${umask} && exec "$0" scripts/build-deb.js --revision=${revision} --out="$1"`
  const { stdout } = await run('sh', ['-c', script, process.execPath, folder], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], SOURCE_DATE_EPOCH: EPOCH, ...env },
    timeout: 60_000,
  })
  return stdout.trim()
}

export const packageFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'winkms-package-'))

/** A machine that ends with the test, and has these files in its shared folder. */
export async function machineWith(first: 'systemd' | 'nothing', files: readonly string[]): Promise<Machine> {
  const machine = await startMachine(first)
  onTestFinished(() => machine.stop())
  await Promise.all(files.map((file) => copyFile(file, join(machine.shared, basename(file)))))
  return machine
}

export const discard = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true })
