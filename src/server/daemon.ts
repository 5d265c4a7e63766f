// What the web server needs of the daemon, and no more.
import type { Estate, Host } from '../config/targets.ts'
import type { Examination } from '../engine/examine.ts'
import type { ProbeName } from '../probes/index.ts'
import type { Format } from '../views/lines.ts'
import type { SelfMetrics } from '../views/prometheus.ts'
import type { Snapshot } from '../views/snapshot.ts'
import type { BasicAuth } from './basic-auth.ts'
import type { Doors } from './doors.ts'
import type { Rate } from './rate.ts'

export interface WatchedEstate {
  readonly phase: 'new' | 'running' | 'stopping'
  readonly estate: Estate
  readonly self: SelfMetrics
  metrics(format: Format): AsyncGenerator<Uint8Array>
  snapshot(): Snapshot
  /** What is wrong when the schedule has come to a standstill. */
  standstill(): string | undefined
  /** A host that is not watched, as if an SRV record had named it. */
  adHocHost(name: string): Host
  examine(host: Host, only?: readonly ProbeName[], mostSeconds?: number): Promise<Examination>
}

export interface WebOptions {
  readonly version: string
  readonly telemetryPath: string
  /** What every path begins with; empty, or `/kms` without a slash at the end. */
  readonly routePrefix: string
  /** What links on pages begin with: the path of the external URL. */
  readonly linkPrefix: string
  /** Resolves with what is wrong with the configuration; undefined when it was loaded. */
  reload(): Promise<string | undefined>
  readonly enableLifecycle: boolean
  /** The effective configuration, secrets masked. */
  configText(): string
  /** Names beyond the watched hosts that `/probe` may ask: `*` stands for any run of characters. */
  readonly probeAllow: readonly string[]
  readonly timeoutOffsetSeconds: number
  /** How often `/probe` may ask the same of the same host. */
  readonly probeRate: Rate
  /** How many `/probe`s there may be at once; those that ask the same count once. */
  readonly probesAtOnce: number
  readonly doors: Doors
  readonly basicAuth: BasicAuth
  readonly maxRequests: number
  /** Names by which browsers may call us: `*` stands for any run of characters. */
  readonly hostNames: readonly string[]
}
