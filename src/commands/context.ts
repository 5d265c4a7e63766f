// What every command is given: where to write, and how to end. Nothing in a command reaches for the process itself.
import type { BuildInfo } from '../views/prometheus.ts'

export interface Context {
  readonly build: BuildInfo
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** Colours and progress are for terminals only. */
  readonly outIsTerminal: boolean
  readonly errIsTerminal: boolean
  /** Resolves at SIGINT or SIGTERM. */
  readonly ended: Promise<void>
  /** Calls back at every SIGHUP. */
  readonly onHangup: (reload: () => void) => void
}

export const EXIT = { ok: 0, failed: 1, unknown: 2, usage: 64 } as const
