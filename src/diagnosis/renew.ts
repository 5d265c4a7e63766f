// Nearly every judgement says what the one before said, of later outcomes. Then the one before is kept, and given the
// later times: what is made anew a thousand times a second, and kept, is what the collector holds everything up for.
// After a port that answered as before, which is two outcomes of three, nothing is judged at all.
import type { Evidence, Finding } from '../model/finding.ts'
import type { ResultOf } from '../probes/index.ts'
import type { AddressOutcome } from '../probes/port.ts'
import type { Cause } from './causes.ts'
import type { Diagnosis } from './diagnose.ts'
import { sourceOf } from './evidence.ts'

function sameList<T>(a: readonly T[], b: readonly T[], same: (a: T, b: T) => boolean): boolean {
  return a.length === b.length && a.every((each, index) => same(each, b[index] as T))
}

function saysSame(a: Evidence, b: Evidence): boolean {
  return a.says === b.says && a.source === b.source
}

function sameFinding(a: Finding, b: Finding): boolean {
  return (
    a.verdict === b.verdict &&
    a.missing === b.missing &&
    a.warning === b.warning &&
    sameList(a.against, b.against, saysSame) &&
    sameList(a.for, b.for, saysSame)
  )
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

function giveTimes(to: readonly Evidence[], from: readonly Evidence[]): void {
  for (const [index, each] of to.entries()) {
    const atSeconds = from[index]?.atSeconds
    if (atSeconds !== undefined) (each as Mutable<Evidence>).atSeconds = atSeconds
  }
}

function renewedFinding(before: Finding<Cause>, fresh: Finding<Cause>): Finding<Cause> {
  if (before === fresh || !sameFinding(before, fresh)) return fresh
  giveTimes(before.for, fresh.for)
  giveTimes(before.against, fresh.against)
  return before
}

function sameRest(a: Diagnosis, b: Diagnosis): boolean {
  return (
    a.host === b.host &&
    a.serving === b.serving &&
    a.service.state === b.service.state &&
    a.service.source === b.service.source &&
    a.drift?.low === b.drift?.low &&
    a.drift?.high === b.drift?.high &&
    a.forecastClients === b.forecastClients &&
    sameList(a.clockSources, b.clockSources, (x, y) => x.source === y.source && x.agrees === y.agrees) &&
    sameList(a.clientErrors, b.clientErrors, (x, y) => x.cause === y.cause && x.code === y.code) &&
    sameList(a.domains, b.domains, (x, y) => x === y)
  )
}

/** Equal to `fresh`, of as much of `before` as says the same. `before` is given up: its times are those of `fresh`. */
export function renewed(before: Diagnosis | undefined, fresh: Diagnosis): Diagnosis {
  if (before === undefined) return fresh
  let kept = 0
  const findings = fresh.findings.map((finding, index) => {
    const known = before.findings[index]
    const one = known === undefined ? finding : renewedFinding(known, finding)
    if (one === known) kept += 1
    return one
  })
  if (kept === findings.length && sameRest(before, fresh)) return before
  ;(fresh as Mutable<Diagnosis>).findings = findings
  return fresh
}

function sameOutcome(a: AddressOutcome, b: AddressOutcome): boolean {
  return (
    a.address === b.address &&
    a.inDns === b.inDns &&
    a.expected === b.expected &&
    a.connectFailure === b.connectFailure &&
    a.listener === b.listener &&
    a.says === b.says
  )
}

/** Whether a host is judged the same by both, but for their times: by how long a port took, nobody is judged. */
export function weighsTheSame(a: ResultOf<'port'>, b: ResultOf<'port'>): boolean {
  if (a.target !== b.target || a.reading === undefined || b.reading === undefined) return false
  if (a.reading.resolveFailure !== undefined || b.reading.resolveFailure !== undefined) return false
  return sameList(a.reading.addresses, b.reading.addresses, sameOutcome)
}

/** Makes it the judgement by `result`, which weighs the same as the outcome of that target that it was made by. */
export function giveTime({ findings }: Diagnosis, result: ResultOf<'port'>): void {
  const source = sourceOf(result)
  for (const { for: evidence, against } of findings)
    for (const side of [evidence, against])
      for (const each of side)
        if (each.source === source) (each as Mutable<Evidence>).atSeconds = result.endedAtSeconds
}
