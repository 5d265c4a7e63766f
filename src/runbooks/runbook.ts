// The shape of a runbook: what somebody needs at 3 a.m. who knows Windows, and not KMS. Its words are prose as `prose.ts`
// reads it; HOST, DOMAIN, CLIENT, RESOLVER and PID stand for names and numbers that the reader has.
import type { ClientError } from '../kms/error-codes.ts'
import type { RunbookName } from './names.ts'

/** Where a step is done. What is done in Prometheus is a query; what is done at the exporter, a command of its shell. */
export const PLACES = {
  host: 'On the KMS host',
  client: 'On a client',
  dns: 'On the DNS server',
  exporter: 'Where the exporter runs',
  prometheus: 'In Prometheus',
} as const

export interface Step {
  readonly at?: keyof typeof PLACES
  /** What to do, and why. */
  readonly says: string
  /** May have several lines. Of Windows, it works in PowerShell. */
  readonly command?: string
  /** What the command changes, and how that is undone: for each that does more than look. */
  readonly changes?: string
  /** How the answer looks where all is well, and what follows. */
  readonly healthy?: string
  readonly sick?: string
}

export interface Table {
  readonly title: string
  readonly head: readonly string[]
  /** As many cells a row as the head has. */
  readonly rows: readonly (readonly string[])[]
}

/** A document by its title; `file`, below docs/, for one of ours. */
export interface Source {
  readonly says: string
  readonly file?: string
}

/** What is written by hand. A cause's title, error, remedy and command are in the table of causes. */
export interface RunbookText {
  /** What is wrong, and what that does to clients. */
  readonly meaning: string
  /** What users notice, and when; of a cause, after its error. */
  readonly clientsSee: string
  /** The surest and cheapest first. */
  readonly confirm: readonly Step[]
  /** The most likely remedy first. */
  readonly fix: readonly Step[]
  /** What shows that it is over, and how long that takes. */
  readonly fixed: readonly string[]
  readonly tables?: readonly Table[]
  /** Where to look if it is not this, and how to tell. */
  readonly related: readonly (readonly [name: RunbookName, when: string])[]
  readonly sources: readonly Source[]
}

/** Of what is no cause, and so has no row there. */
export interface TitledText extends RunbookText {
  readonly title: string
}

export interface Runbook extends TitledText {
  readonly name: RunbookName
  /** Of a cause: what the table of causes says of it. */
  readonly cause?: {
    readonly clientError: ClientError | undefined
    readonly remedy: string
    readonly command: string
    readonly stopsService: boolean
    readonly needs: string | undefined
  }
}
