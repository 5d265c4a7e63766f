// The way to a host's Windows that the configuration names.
import { ProbeFailure } from '../../model/failure.ts'
import type { Io } from '../io.ts'
import { openLocal } from './local.ts'
import type { WindowsHost, WindowsReader, WindowsVisit } from './windows.ts'

/** Whether there is anybody to ask by `openWindows`. */
export function hasWindows({ windows }: Pick<WindowsHost, 'windows'>): boolean {
  return windows?.via === 'winrm' || windows?.via === 'local'
}

/** Rejects with ProbeFailure: `not_configured` without a way, and all that the way rejects with. */
export async function openWindows(
  host: WindowsHost,
  visit: WindowsVisit & { readonly io: Io },
): Promise<WindowsReader> {
  const access = host.windows
  switch (access?.via) {
    case 'winrm':
      return visit.io.winrm.open(host, access, visit)
    case 'local':
      return openLocal(visit, visit.io.clock)
    case 'windows_exporter':
    case undefined:
      throw new ProbeFailure('not_configured', `${host.name}: no way to ask its Windows`)
  }
}
