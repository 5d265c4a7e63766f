// What run.ts and worker.ts say to each other.
import type { Finding } from './explore.ts'

export interface Task {
  readonly codec: string
  readonly seconds: number
  readonly seed: number
  /** Of earlier runs. */
  readonly inputs: readonly Uint8Array[]
  /** How many inputs were begun, the length of the last, then itself. */
  readonly now: SharedArrayBuffer
  /** Of the corpus to be kept in the repository, and of the one for the next run. */
  readonly mostBytes: readonly [number, number]
}

export const NOW_HEADER = 8

export interface Progress {
  readonly executions: number
  readonly kept: number
  readonly places: number
  readonly findings: readonly Finding[]
}

export interface Done extends Progress {
  readonly seconds: number
  /** Places that the seeds reach, and those that earlier runs had reached. */
  readonly bySeeds: number
  readonly before: number
  readonly corpora: readonly (readonly Uint8Array[])[]
}
