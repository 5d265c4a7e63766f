// An estate and the list of probes give the tasks: who asks what of whom. Pure.
import { createHash } from 'node:crypto'
import type { Estate } from '../config/targets.ts'
import type { Target } from '../model/target.ts'
import type { ProbeName } from '../probes/index.ts'
import type { Probe } from '../probes/probe.ts'

export interface Task {
  /** Unique and stable over reloads: `port/kms01.corp.example`. */
  readonly key: string
  readonly probe: Probe<ProbeName, Target, unknown>
  readonly target: Target
  /** Equal for equal questions: what was answered to one still answers the other. */
  readonly fingerprint: string
}

function plain(_key: string, value: unknown): unknown {
  return value instanceof Map ? [...value] : value
}

export function plan(estate: Estate, probes: readonly Probe<ProbeName, Target, unknown>[]): readonly Task[] {
  return probes.flatMap((probe) =>
    probe.targets(estate).map((target) => ({
      key: `${probe.name}/${target.key}`,
      probe,
      target,
      fingerprint: createHash('sha256').update(JSON.stringify(target, plain)).digest('base64'),
    })),
  )
}
