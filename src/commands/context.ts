// What every command is given: where to write, and how to end. Nothing in a command reaches for the process itself.
import type { BuildInfo } from '../views/prometheus.ts'
import type { LossListener } from './line-sink.ts'

export interface Context {
  readonly build: BuildInfo
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** Colours and progress are for terminals only. */
  readonly outIsTerminal: boolean
  readonly errIsTerminal: boolean
  /** Resolves at SIGINT or SIGTERM; on Windows also at Ctrl-Break, and when the console window closes. */
  readonly ended: Promise<void>
  /** Calls back at every SIGHUP, and at once when there was one before. Never on Windows. */
  readonly onHangup: (reload: () => void) => void
  /** Calls back with an error that nobody caught. It is the last thing that happens: nothing can be waited for. */
  readonly onFatal: (say: (error: unknown) => void) => void
  /** Log lines to stderr, which never fails. */
  readonly logLines: (listener: LossListener) => (line: string) => void
}

/** `software`: a defect of ours (EX_SOFTWARE of sysexits.h). */
export const EXIT = { ok: 0, failed: 1, unknown: 2, usage: 64, software: 70 } as const
