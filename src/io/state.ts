// Small files that outlive the process: bookmarks of event logs. Written whole and atomically, so that whoever reads
// one after a crash finds either what was before or what came after.
import { createHash } from 'node:crypto'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { ProbeFailure, type Reason } from '../model/failure.ts'
import { createDeadline, heldTo } from './deadline.ts'
import { codeOf, fileName, prepare, readWhole, replace } from './state-file.ts'

export interface StateStore {
  /** What was last written under this name, be it by an earlier process; undefined when there is nothing. */
  read(name: string): Promise<unknown>
  /** Resolves once it would survive a crash, or once that has failed and was said (the value is kept in memory then). */
  write(name: string, value: object): Promise<void>
  /**
   * What was read under this name is whole, and not this version's: it is put aside for who can use it, and said. Never
   * written over, not even where it cannot be put aside.
   */
  setAside(name: string, why: string): Promise<void>
  /** What another reader may see without being able to change it: its writes are forgotten. */
  readOnly(): StateStore
  /** Resolves when all has been read and written that was asked for, and after a while if the disk does not answer. */
  settled(): Promise<void>
}

export interface StateProblem {
  /**
   * `unusable`: a file that cannot be read or is none of ours is put aside as `.corrupt`, one that another version wrote as
   * `.unknown`, and counting begins anew; as it does where a file was taken away. `not_written`: kept in memory, tried again
   * at each visit, and lost with the process.
   */
  readonly kind: 'unusable' | 'not_written'
  readonly file: string
  readonly detail: string
  /** Said before, and nothing has changed since: to be counted, not logged again. */
  readonly again: boolean
}

const MOST_SETTLING_SECONDS = 2

/** Without a directory everything is kept in memory only. `onProblem` hears of every failure; nothing is thrown for one. */
export function createStateStore(
  directory: string | undefined,
  onProblem: (problem: StateProblem) => void = () => {},
): StateStore {
  const store = directory === undefined ? memoryStore() : fileStore(directory, onProblem)
  const { look: read, doubt: setAside, settled } = store
  const readOnly: StateStore = { read, setAside, write: async () => {}, readOnly: () => readOnly, settled }
  return { ...store, readOnly: () => readOnly }
}

interface FullStore extends Omit<StateStore, 'readOnly'> {
  /** As `read` and `setAside`, of somebody else's state: what cannot be used is said, and left as it is. */
  readonly look: StateStore['read']
  readonly doubt: StateStore['setAside']
}

function memoryStore(): FullStore {
  const values = new Map<string, string>()
  const read = async (name: string): Promise<unknown> => parse(values.get(name))
  return {
    read,
    look: read,
    settled: async () => {},
    write: async (name, value) => void values.set(name, JSON.stringify(value)),
    setAside: async (name) => void values.delete(name),
    doubt: async () => {},
  }
}

function parse(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text)
}

/** In the system's messages; another one each time. */
const TEMPORARY = /\.\d+\.[0-9a-f]{8}\.tmp/g

function fileStore(directory: string, onProblem: (problem: StateProblem) => void): FullStore {
  /** Of what the file is known to hold, so that it is not written for nothing. */
  const held = new Map<string, string>()
  /** What could not be written. */
  const unwritten = new Map<string, string>()
  /** Of another version, and could not be put aside. */
  const foreign = new Set<string>()
  const said = new Map<string, string>()
  const queues = new Map<string, Promise<unknown>>()
  let prepared: Promise<void> | undefined
  const pathOf = (name: string): string => join(directory, fileName(name))

  function say(kind: StateProblem['kind'], file: string, error: unknown): void {
    const detail = (error instanceof Error ? error.message : String(error)).replaceAll(TEMPORARY, '')
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

  async function readFile(name: string, unusable: (file: string) => Promise<void>): Promise<unknown> {
    const file = pathOf(name)
    try {
      const text = await readWhole(file)
      const value = parse(text)
      if (text !== undefined) held.set(name, digest(text))
      else if (held.delete(name)) say('unusable', file, new Error('it was there, and is gone'))
      return value
    } catch (error) {
      const passing = PASSING[String(codeOf(error))]
      if (passing !== undefined)
        throw new ProbeFailure(passing, `${file} cannot be read now: ${String(codeOf(error))}`, {
          cause: error,
        })
      held.delete(name)
      say('unusable', file, error)
      await unusable(file)
      return undefined
    }
  }

  async function putAway(name: string): Promise<void> {
    const file = pathOf(name)
    foreign.add(name)
    await rename(file, `${file}.unknown`)
    foreign.delete(name)
    held.delete(name)
  }

  async function replaceFile(file: string, text: string): Promise<void> {
    try {
      await (prepared ??= prepare(directory))
      await replace(directory, file, text)
    } catch (error) {
      // It was there, and has been taken away.
      if (codeOf(error) !== 'ENOENT') throw error
      await (prepared = prepare(directory))
      await replace(directory, file, text)
    }
  }

  async function writeFile(name: string, text: string): Promise<void> {
    const file = pathOf(name)
    if (held.get(name) === digest(text) && !unwritten.has(name)) return
    try {
      if (foreign.has(name)) await putAway(name)
      await replaceFile(file, text)
      held.set(name, digest(text))
      unwritten.delete(name)
      said.delete(file)
    } catch (error) {
      // A directory that was not there may be there the next time.
      prepared = undefined
      unwritten.set(name, text)
      say('not_written', file, error)
    }
  }

  return {
    async settled() {
      const late = createDeadline(MOST_SETTLING_SECONDS)
      const all = Promise.all(queues.values())
      await heldTo(late, all, () => new Error('late')).catch(() => {})
      late.close()
    },

    read: (name) =>
      inTurn(name, async () => {
        const kept = unwritten.get(name)
        if (kept === undefined)
          return readFile(name, (file) => rename(file, `${file}.corrupt`).catch(() => {}))
        // There may be room by now, and for hours nothing new to write.
        await writeFile(name, kept)
        return parse(kept)
      }),
    look: (name) =>
      inTurn(name, async () => {
        const kept = unwritten.get(name)
        return kept === undefined ? readFile(name, async () => {}) : parse(kept)
      }),
    write: (name, value) => inTurn(name, () => writeFile(name, JSON.stringify(value))),
    setAside: (name, why) =>
      inTurn(name, async () => {
        say('unusable', pathOf(name), why)
        // Where that fails, so does writing, and says so.
        await putAway(name).catch(() => {})
      }),
    doubt: async (name, why) => say('unusable', pathOf(name), why),
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64')
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
