// Reloading, however often it is asked for: one reload at a time, and at most one that waits and reads the file as it is
// then. Whoever asked meanwhile gets the answer of that one.
import { setTimeout as pause } from 'node:timers/promises'
import type { Daemon } from '../app.ts'
import type { Config } from '../config/schema.ts'
import type { Supervisor } from '../io/systemd.ts'
import type { Log } from '../model/log.ts'

/** Between two reloads; longer when a reload takes longer, so that half of the time is left for all the rest. */
const LEAST_PAUSE_MILLISECONDS = 100

export interface Sources {
  /** The configuration, or what is wrong with it. */
  readonly reread: () => Config | string
  /** What is wrong with who may come in; that has been said, and who might before still may. */
  readonly rereadDoors: () => readonly string[]
}

export function statusOf({ estate }: Daemon): string {
  return `STATUS=watching ${estate.hosts.length} hosts in ${estate.domains.length} domains`
}

/** What is returned resolves with what is wrong; undefined when nothing is. */
export function createReloader(
  daemon: Daemon,
  { reread, rereadDoors }: Sources,
  log: Log,
  supervisor: Supervisor | undefined,
): () => Promise<string | undefined> {
  let waiting: Promise<string | undefined> | undefined
  let notBefore = 0

  function reload(): string | undefined {
    if (daemon.phase !== 'running') return 'the exporter is not running'
    const problems = [reloadConfig(), ...rereadDoors()].filter((each) => each !== undefined)
    return problems.length === 0 ? undefined : problems.join('\n')
  }

  function reloadConfig(): string | undefined {
    const read = reread()
    if (typeof read === 'string') {
      daemon.reloadFailed()
      log.error(
        { problems: read.split('\n') },
        'the configuration was not loaded; the one before stays in force',
      )
      return read
    }
    const before = new Set(daemon.estate.hosts.map(({ name }) => name))
    daemon.reload(read)
    const after = new Set(daemon.estate.hosts.map(({ name }) => name))
    const added = [...after].filter((name) => !before.has(name)).length
    const removed = [...before].filter((name) => !after.has(name)).length
    log.info({ hosts: after.size, added, removed }, 'the configuration was reloaded')
    return undefined
  }

  async function inTurn(): Promise<string | undefined> {
    await pause(Math.max(0, notBefore - performance.now()))
    // Whoever asks from here on may have written the file after it is read.
    waiting = undefined
    const begin = performance.now()
    supervisor?.tellReloading()
    try {
      return reload()
    } finally {
      supervisor?.tell('READY=1', statusOf(daemon))
      const end = performance.now()
      notBefore = end + Math.max(LEAST_PAUSE_MILLISECONDS, end - begin)
    }
  }

  return () => (waiting ??= inTurn())
}
