// The password of a running estate, in a file that only its owner may read, and gone with it.
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const SECRET_FILE = 'reader.password'

/** A password of this estate alone, in a file that only its owner may read. */
export async function writeSecret() {
  await clearSecrets()
  const directory = await mkdtemp(join(tmpdir(), `winkms-lab-${process.pid}-`))
  const file = join(directory, SECRET_FILE)
  const password = randomBytes(18).toString('base64url')
  await writeFile(file, `${password}\n`, { mode: 0o600 })
  return { file, password, stop: () => rm(directory, { recursive: true, force: true }) }
}

/** Those of processes that were killed. */
async function clearSecrets(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const [, pid] = /^winkms-lab-(\d+)-/.exec(name) ?? []
    if (pid === undefined || isRunning(Number(pid))) continue
    const directory = join(tmpdir(), name)
    try {
      // The one file, not all that is in it: anybody may have made a folder of this name here.
      await rm(join(directory, SECRET_FILE), { force: true })
      await rmdir(directory)
    } catch {
      // Somebody else's, or somebody else was quicker.
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
