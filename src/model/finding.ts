// What the evidence means. A verdict always says on what it rests.

export type Verdict = 'named' | 'ruled_out' | 'unknown'

/** One observation and the outcome that it rests on. */
export interface Evidence {
  /** The probe, and whom it asked: `port kms01.corp.example`. */
  readonly source: string
  /** One sentence for people. */
  readonly says: string
  /** Unix seconds UTC of the outcome cited. */
  readonly atSeconds: number
}

export interface Finding<Cause extends string = string> {
  readonly cause: Cause
  readonly verdict: Verdict
  readonly for: readonly Evidence[]
  readonly against: readonly Evidence[]
  /** Why it cannot be told, when it cannot. */
  readonly missing?: string
  /** What is not so yet, but will be unless somebody acts. One sentence without a full stop. */
  readonly warning?: string
}
