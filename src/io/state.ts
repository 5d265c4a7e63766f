// Small files that outlive the process: bookmarks of event logs. Written whole and atomically, so that whoever reads
// one after a crash finds either what was before or what came after.
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { ProbeFailure, type Reason } from '../model/failure.ts'
import { createDeadline, heldTo } from './deadline.ts'

export interface StateStore {
  /** What was last written under this name, be it by an earlier process; undefined when there is nothing. */
  read(name: string): Promise<unknown>
  /** Resolves once it would survive a crash, or once that has failed and was said (the value is kept in memory then). */
  write(name: string, value: object): Promise<void>
  /** What another reader may see without being able to change it: its writes are forgotten. */
  readOnly(): StateStore
  /** Resolves when all has been read and written that was asked for, and after a while if the disk does not answer. */
  settled(): Promise<void>
}

export interface StateProblem {
  /**
   * `unusable`: a file that cannot be read or is none of ours; it is put aside as `.corrupt`, and counting begins anew.
   * `not_written`: kept in memory, and lost with the process.
   */
  readonly kind: 'unusable' | 'not_written'
  readonly file: string
  readonly detail: string
  /** Said before, and nothing has changed since: to be counted, not logged again. */
  readonly again: boolean
}

/** Some ten times what 4,096 clients take. */
const MOST_BYTES = 16 * 2 ** 20
const MOST_NAME = 180
const MOST_SETTLING_SECONDS = 2
const STALE_MILLISECONDS = 3_600_000

/** Without a directory everything is kept in memory only. `onProblem` hears of every failure; nothing is thrown for one. */
export function createStateStore(
  directory: string | undefined,
  onProblem: (problem: StateProblem) => void = () => {},
): StateStore {
  const store = directory === undefined ? memoryStore() : fileStore(directory, onProblem)
  const { settled } = store
  const readOnly: StateStore = { read: store.look, write: async () => {}, readOnly: () => readOnly, settled }
  return { ...store, readOnly: () => readOnly }
}

interface ReadAndWrite extends Omit<StateStore, 'readOnly'> {
  /** As `read`, of somebody else's state: what cannot be used is left where it is. */
  readonly look: StateStore['read']
}

function memoryStore(): ReadAndWrite {
  const values = new Map<string, string>()
  const read = async (name: string): Promise<unknown> => parse(values.get(name))
  return {
    read,
    look: read,
    settled: async () => {},
    write: async (name, value) => void values.set(name, JSON.stringify(value)),
  }
}

function parse(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text)
}

function fileStore(directory: string, onProblem: (problem: StateProblem) => void): ReadAndWrite {
  /** Of what the file is known to hold, so that it is not written for nothing. */
  const held = new Map<string, string>()
  /** What could not be written. */
  const unwritten = new Map<string, string>()
  const said = new Map<string, string>()
  const queues = new Map<string, Promise<unknown>>()
  let prepared: Promise<void> | undefined

  function say(kind: StateProblem['kind'], file: string, error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error)
    const again = said.get(file) === detail
    said.set(file, detail)
    onProblem({ kind, file, detail, again })
  }

  /** One at a time for each name: a reader sees what the writer before it wrote. */
  function inTurn<T>(name: string, action: () => Promise<T>): Promise<T> {
    const turn = (queues.get(name) ?? Promise.resolve()).then(action)
    const settled = turn.catch(() => {})
    queues.set(name, settled)
    void settled.then(() => queues.get(name) === settled && queues.delete(name))
    return turn
  }

  const readFile = (name: string, unusable: (file: string) => Promise<void>): Promise<unknown> =>
    inTurn(name, async () => {
      const kept = unwritten.get(name)
      if (kept !== undefined) return parse(kept)
      const file = join(directory, fileName(name))
      try {
        const text = await readWhole(file)
        const value = parse(text)
        if (text === undefined) held.delete(name)
        else held.set(name, digest(text))
        return value
      } catch (error) {
        const passing = PASSING[String(codeOf(error))]
        if (passing !== undefined)
          throw new ProbeFailure(passing, `${file} cannot be read now: ${String(codeOf(error))}`, {
            cause: error,
          })
        say('unusable', file, error)
        await unusable(file)
        return undefined
      }
    })

  return {
    read: (name) => readFile(name, (file) => rename(file, `${file}.corrupt`).catch(() => {})),
    look: (name) => readFile(name, async () => {}),

    async settled() {
      const late = createDeadline(MOST_SETTLING_SECONDS)
      const all = Promise.all(queues.values())
      await heldTo(late, all, () => new Error('late')).catch(() => {})
      late.close()
    },

    write: (name, value) =>
      inTurn(name, async () => {
        const text = JSON.stringify(value)
        const file = join(directory, fileName(name))
        if (held.get(name) === digest(text) && !unwritten.has(name)) return
        try {
          prepared ??= prepare(directory)
          await prepared
          await replace(directory, file, text)
          held.set(name, digest(text))
          unwritten.delete(name)
          said.delete(file)
        } catch (error) {
          // A directory that was not there may be there the next time.
          prepared = undefined
          unwritten.set(name, text)
          say('not_written', file, error)
        }
      }),
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}

/**
 * Any name as one file's: other characters than a-z, 0-9, `-` and inner dots as `%XX`, capitals too, for some file systems
 * do not tell them apart. Long ones end in a hash.
 */
function fileName(name: string): string {
  const escaped = Array.from(Buffer.from(name), (byte, index) => {
    const character = String.fromCharCode(byte)
    const plain = index === 0 ? /[a-z0-9-]/ : /[a-z0-9.-]/
    return plain.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }).join('')
  if (escaped.length <= MOST_NAME) return `${escaped}.json`
  return `${escaped.slice(0, MOST_NAME - 33)}~${createHash('sha256').update(name).digest('hex').slice(0, 32)}.json`
}

/** Undefined when there is no such file. */
async function readWhole(file: string): Promise<string | undefined> {
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
async function replace(directory: string, file: string, text: string): Promise<void> {
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
    await rename(temporary, file)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  }
  await syncDirectory(directory)
}

/** So that the new name survives a power cut too. Windows and some file systems have no such thing, and need none. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => undefined)
  await handle?.sync().catch(() => {})
  await handle?.close()
}

/** Makes the directory, and clears away what processes left that died while writing. */
async function prepare(directory: string): Promise<void> {
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

function codeOf(error: unknown): unknown {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
}

/**
 * Says nothing about the file, which may well hold the bookmark: it is left alone until it can be read. EBUSY is how
 * Windows reports a file that another program holds.
 */
const PASSING: Readonly<Record<string, Reason>> = {
  EMFILE: 'exporter_overloaded',
  ENFILE: 'exporter_overloaded',
  ENOMEM: 'exporter_overloaded',
  EAGAIN: 'exporter_overloaded',
  EBUSY: 'not_configured',
  EIO: 'not_configured',
  ESTALE: 'not_configured',
  EACCES: 'not_configured',
  EPERM: 'not_configured',
}
