// Whom a probe asks. A target is plain data made from the configuration; two equal targets ask the same question.

/** Labels in their declared order: a metric's own labels follow those of its target. */
export type Labels = Readonly<Record<string, string>>

export interface Target {
  /** Unique among one probe's targets and stable over reloads: `kms01.corp.example`, `corp.example @ 192.0.2.1:53`. */
  readonly key: string
  /** The identity labels of every series about this target: `host`, or `domain` and `resolver`. */
  readonly labels: Labels
  readonly schedule: Schedule
  readonly timeoutSeconds: number
  /** Runs that share a group also share its concurrency limit: normally the host's name. */
  readonly group: string
}

/** `every`: spread over its interval by a hash of the target. `cron`: at the times that the expression names. */
export type Schedule =
  | { readonly kind: 'every'; readonly seconds: number }
  | { readonly kind: 'cron'; readonly expression: string }

/** An IP address and port. `address` is a literal, never a name. */
export interface Endpoint {
  readonly address: string
  readonly port: number
}

export function formatEndpoint({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
