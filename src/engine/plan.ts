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

/** 72 bits. Of 13 characters or more, V8 would keep the whole digest behind each. */
const FINGERPRINT_CHARACTERS = 12

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64').slice(0, FINGERPRINT_CHARACTERS)
}

/**
 * Tells targets apart by all that they hold. What several of them share, as the probes of a host do the host and all
 * domains the addresses of all hosts, is gone through once.
 */
function createFingerprints(): (target: Target) => string {
  const known = new Map<object, string>()
  const ofPart = (part: object): string => {
    const earlier = known.get(part)
    if (earlier !== undefined) return earlier
    const hash = hashOf(part instanceof Map ? JSON.stringify([...part]) : JSON.stringify(part, withoutMaps))
    known.set(part, hash)
    return hash
  }
  // JSON knows nothing of what a map holds.
  const withoutMaps = (_key: string, value: unknown): unknown =>
    value instanceof Map ? ofPart(value) : value
  return (target) => {
    const parts = Object.entries(target).map(([key, value]: [string, unknown]) => [
      key,
      typeof value === 'object' && value !== null ? [ofPart(value)] : value,
    ])
    return hashOf(JSON.stringify(parts))
  }
}

export function plan(estate: Estate, probes: readonly Probe<ProbeName, Target, unknown>[]): readonly Task[] {
  const fingerprintOf = createFingerprints()
  return probes.flatMap((probe) =>
    probe.targets(estate).map((target) => ({
      key: `${probe.name}/${target.key}`,
      probe,
      target,
      fingerprint: fingerprintOf(target),
    })),
  )
}
