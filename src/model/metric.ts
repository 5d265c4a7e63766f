// What a reading says in Prometheus's words. Declared once, beside the probe: the exposition, `docs/metrics.md` and
// the tests that hold dashboards and alerts to it are all made from these declarations.

export interface Family {
  readonly name: string
  readonly type: 'gauge' | 'counter' | 'histogram'
  readonly help: string
  /** All label names in the order in which values are emitted, the target's own first; a histogram's without `le`. */
  readonly labels: readonly string[]
}

/**
 * Adds one sample. `values` are those of the labels after the target's own, in declared order. `undefined` as the
 * value means unknown, and adds nothing: unknown is not zero. A histogram is emitted by `emitHistogram` alone.
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

export interface Histogram {
  /** Upper bounds, ascending, without infinity. */
  readonly bounds: readonly number[]
  /** Observations by bucket (not cumulative), one more than there are bounds. */
  readonly counts: readonly number[]
  readonly sum: number
}

/** For a family of type histogram without labels of its own: its lines end in `_bucket{le}`, `_sum` and `_count`. */
export function emitHistogram(emit: Emit, { bounds, counts, sum }: Histogram): void {
  let total = 0
  for (const [index, count] of counts.entries()) {
    total += count
    emit(total, 'bucket', boundText(bounds[index]))
  }
  // OpenMetrics 1.0: where a bucket is negative there is no sum, and without a sum no count.
  if ((bounds[0] ?? 0) < 0) return
  emit(sum, 'sum')
  emit(total, 'count')
}

/** OpenMetrics wants `60.0`, and the text format does not mind. */
function boundText(bound: number | undefined): string {
  if (bound === undefined) return '+Inf'
  return Number.isInteger(bound) ? `${bound}.0` : String(bound)
}
