// Who may come in, as the web configuration says at this moment. As in the exporter toolkit, a change of the file or of a
// certificate takes effect by itself; a file that became wrong leaves what was in force before.
import { haveChanged, type FileVersions } from '../config/files.ts'
import { formatProblem, type Problem } from '../config/problem.ts'
import { OPEN, readWebConfig, type WebConfig } from '../config/web-config.ts'
import type { Log } from '../model/log.ts'

export interface Doors {
  readonly config: WebConfig
  /** Looks whether a file has changed, at most once a second: for whoever opens a door. */
  refresh(): void
  /** Reads all of it anew, whatever the files look like. Returns what is wrong; nothing has changed then. */
  reload(): readonly Problem[]
  /** Called with what is in force from now on. */
  onChange(listener: (config: WebConfig) => void): void
  /** Called with whether the last reading succeeded: now, and after every other one. Never without a file. */
  onRead(listener: (successful: boolean) => void): void
}

export interface DoorOptions {
  readonly log: Log
  /** How long a change may go unnoticed. */
  readonly seconds?: number
}

export const NO_DOORS: Doors = { config: OPEN, refresh() {}, reload: () => [], onChange() {}, onRead() {} }

/** Array.isArray does not narrow what is read-only. */
export function isProblems(opened: Doors | readonly Problem[]): opened is readonly Problem[] {
  return Array.isArray(opened)
}

/** Returns what is wrong with the file, when there is no first configuration to go on with. */
export function openDoors(
  file: string | undefined,
  { log, seconds = 1 }: DoorOptions,
): Doors | readonly Problem[] {
  if (file === undefined) return NO_DOORS
  const first = readWebConfig(file)
  if (first.config === undefined) return first.problems

  let { config, files }: { config: WebConfig; files: FileVersions } = first
  let lookedAt = performance.now()
  let successful = true
  const readers: ((successful: boolean) => void)[] = []
  const listeners: ((config: WebConfig) => void)[] = []

  function read(of: string): readonly Problem[] {
    const again = readWebConfig(of)
    ;({ files } = again)
    successful = again.config !== undefined
    for (const reader of readers) reader(successful)
    if (again.config === undefined) {
      const problems = again.problems.map(formatProblem)
      log.error({ problems }, 'the web configuration was not loaded; the one before stays in force')
      return again.problems
    }
    ;({ config } = again)
    log.info({ file: of }, 'the web configuration was loaded')
    for (const listener of listeners) listener(config)
    return []
  }

  return {
    get config() {
      return config
    },
    refresh() {
      const now = performance.now()
      if (now - lookedAt < seconds * 1000) return
      lookedAt = now
      if (haveChanged(files)) read(file)
    },
    reload: () => read(file),
    onChange: (listener) => void listeners.push(listener),
    onRead(reader) {
      readers.push(reader)
      reader(successful)
    },
  }
}
