// What several probes learn from Windows itself: the shapes of sppsvc's state and of the operating system.
import type { Metric } from '../model/metric.ts'

/** Win32_Service.State, in lower case with the blanks made underscores. */
export const SERVICE_STATES = [
  'stopped',
  'start_pending',
  'stop_pending',
  'running',
  'continue_pending',
  'pause_pending',
  'paused',
  'unknown',
] as const

export type ServiceState = (typeof SERVICE_STATES)[number]

export const START_MODES = ['boot', 'system', 'auto', 'manual', 'disabled'] as const

export type StartMode = (typeof START_MODES)[number]

/** Who said it: windows_exporter on the host, Windows itself by WinRM or PowerShell, or nobody (it follows from others). */
export type ServiceSource = 'windows_exporter' | 'winrm' | 'local' | 'inferred'

/** Win32_OperatingSystem, with the update revision from wherever it could be read. */
export interface OsFacts {
  readonly caption: string
  /** 20348. */
  readonly build: number | undefined
  /** The update build revision: 2322 of 20348.2322. Undefined when it could not be read: unknown, not zero. */
  readonly ubr: number | undefined
  /** Where that was read. A kernel's file is as old as the last update that changed it: the system may be later. */
  readonly ubrSource?: 'registry' | 'kernel_file'
  /** Win32_OperatingSystem.ProductType. */
  readonly productType: 'workstation' | 'domain_controller' | 'server' | undefined
}

/** The family that any probe with facts on the host's system exports. */
export function osInfoMetric<T>(osOf: (reading: T) => OsFacts | undefined): Metric<unknown, T> {
  return {
    name: 'winkms_host_os_info',
    type: 'gauge',
    help: 'Windows product, build and update revision, as far as they are known (windows_os_info, or Win32_OperatingSystem); always 1. A revision from the kernel_file is the least that it can be.',
    labels: ['host', 'caption', 'build', 'ubr', 'ubr_source'],
    samples: (reading, emit) => {
      const os = osOf(reading)
      if (os === undefined) return
      const { caption, build = '', ubr = '', ubrSource = '' } = os
      emit(1, caption, String(build), String(ubr), ubrSource)
    },
  }
}
