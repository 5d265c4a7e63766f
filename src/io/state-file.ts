// One small file on the disk: its name, read whole, written whole and atomically, and what is left of those that died while
// they wrote.
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** Some ten times what 4,096 clients take. */
const MOST_BYTES = 16 * 2 ** 20
const MOST_NAME = 180
const STALE_MILLISECONDS = 3_600_000

/** Devices to Windows, in every directory and with any ending. */
const DEVICE = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/

/**
 * Any name as one file's: other characters than a-z, 0-9, `-` and inner dots as `%XX`, capitals too, for some file systems
 * do not tell them apart; and the first one of what would be no file on Windows. Long ones end in a hash.
 */
export function fileName(name: string): string {
  const isDevice = DEVICE.test(name)
  const escaped = Array.from(Buffer.from(name), (byte, index) => {
    const character = String.fromCharCode(byte)
    const plain = index === 0 ? /[a-z0-9-]/ : /[a-z0-9.-]/
    return plain.test(character) && !(isDevice && index === 0)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }).join('')
  if (escaped.length <= MOST_NAME) return `${escaped}.json`
  return `${escaped.slice(0, MOST_NAME - 33)}~${createHash('sha256').update(name).digest('hex').slice(0, 32)}.json`
}

/** Undefined when there is no such file. */
export async function readWhole(file: string): Promise<string | undefined> {
  const found = await stat(file).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) return undefined
  if (!found.isFile()) throw new Error('is not a file')
  if (found.size > MOST_BYTES) throw new Error(`is larger than ${MOST_BYTES} bytes`)
  const handle = await open(file, 'r')
  try {
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

/** A new file beside it takes its place, once it is on the disk. */
export async function replace(directory: string, file: string, text: string): Promise<void> {
  // Processes in two containers may have the same number, and the same directory while one takes over from the other.
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await moveOver(temporary, file)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  }
  await syncDirectory(directory)
}

const HELD: readonly unknown[] = ['EPERM', 'EACCES', 'EBUSY']
const PAUSES_MILLISECONDS = [10, 50, 200, 500]

/** On Windows, a file that a virus scanner, an indexer or a backup looks at is not replaced before it has seen enough. */
export async function moveOver(
  from: string,
  to: string,
  { platform = process.platform, move = rename } = {},
): Promise<void> {
  for (const milliseconds of platform === 'win32' ? PAUSES_MILLISECONDS : []) {
    try {
      return await move(from, to)
    } catch (error) {
      if (!HELD.includes(codeOf(error))) throw error
    }
    await pause(milliseconds)
  }
  await move(from, to)
}

/** So that the new name survives a power cut too. Windows and some file systems have no such thing, and need none. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => undefined)
  await handle?.sync().catch(() => {})
  await handle?.close()
}

/** Makes the directory, and clears away what processes left that died while writing. */
export async function prepare(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  for (const name of await readdir(directory)) {
    const [, pid] = /\.json\.(\d+)\.[0-9a-f]{8}\.tmp$/.exec(name) ?? []
    if (pid === undefined) continue
    const path = join(directory, name)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }))
    // Another process may be writing at this moment; in another container it has the same number as anybody.
    if (!isRunning(Number(pid)) || Date.now() - mtimeMs > STALE_MILLISECONDS)
      await unlink(path).catch(() => {})
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) !== 'ESRCH'
  }
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
}
