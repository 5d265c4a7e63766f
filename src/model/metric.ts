// What a reading says in Prometheus's words. Declared once, beside the probe: the exposition, `docs/metrics.md` and
// the tests that hold dashboards and alerts to it are all made from these declarations.

export interface Family {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
  /** All label names in the order in which values are emitted, the target's own first. */
  readonly labels: readonly string[]
}

/**
 * Adds one sample. `values` are those of the labels after the target's own, in declared order. `undefined` as the
 * value means unknown, and adds nothing: unknown is not zero.
 */
export type Emit = (value: number | boolean | undefined, ...values: readonly string[]) => void

export interface Metric<Target, Reading> extends Family {
  samples(reading: Reading, emit: Emit, target: Target): void
}

/** A state set: one sample a state, 1 on the current one. Nothing when the state is unknown to us. */
export function emitState<State extends string>(
  emit: Emit,
  states: readonly State[],
  current: State | undefined,
  ...after: readonly string[]
): void {
  if (current === undefined) return
  for (const state of states) emit(state === current, state, ...after)
}
