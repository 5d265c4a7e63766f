// The exporter's clock is set between two runs: what one says of it is not held against what the other says.
import { describe, expect, it } from 'vitest'
import { diagnose } from '../../src/diagnosis/diagnose.ts'
import type { HostEvidence } from '../../src/diagnosis/evidence.ts'
import type { Result } from '../../src/model/result.ts'
import { around, CONFIGURED, clockReading, kms, NAME, record, srvReading, tell, type Story } from './scene.ts'

const BY = 5 * 3600
const healthy: Story = { port: [kms], clock: clockReading(around(0)), srv: [srvReading([record(NAME)])] }
const yaml = `${CONFIGURED}\nprobes: { clock: { references: [a.example] } }\n`

/** A minute later than everything else, of which the exporter's clock was set ahead in between. */
function later<R extends Result>(result: R): R {
  return {
    ...result,
    endedAtSeconds: result.endedAtSeconds + 60 + BY,
    endedAtMonotonicSeconds: result.endedAtMonotonicSeconds + 60,
  }
}

function verdicts(known: HostEvidence): Record<string, string> {
  const { findings } = diagnose(known)
  const of = (cause: string): string => {
    const { verdict, missing } = findings.find((each) => each.cause === cause) ?? {}
    return missing === undefined ? `${verdict}` : `${verdict}: ${missing}`
  }
  return { host: of('clock_skew'), exporter: of('exporter_clock_wrong') }
}

const before = tell({ ...healthy, yaml, clock: clockReading(around(0)), references: [around(0)] })
const after = tell({ ...healthy, yaml, clock: clockReading(around(-BY)), references: [around(-BY)] })

describe('until both were asked again, nobody calls the host wrong', () => {
  it('when a reference was asked first', () => {
    expect(verdicts({ ...before, references: after.references.map(later) })).toEqual({
      host: "unknown: the exporter's clock was set, and that of the host has not been asked since",
      exporter: 'named',
    })
  })

  it('when the host was asked first', () => {
    expect(verdicts({ ...before, clock: after.clock && later(after.clock) })).toEqual({
      host: "unknown: the exporter's clock was set, and no reference has been asked since: true time is not known",
      exporter: "unknown: the exporter's clock was set, and no reference has been asked since",
    })
  })

  it('and then the exporter is', () => {
    expect(
      verdicts({
        ...before,
        clock: after.clock && later(after.clock),
        references: after.references.map(later),
      }),
    ).toEqual({ host: 'ruled_out', exporter: 'named' })
  })
})

it('a clock that is slewed is not set', () => {
  const slewed = before.references.map((result) => ({
    ...result,
    endedAtSeconds: result.endedAtSeconds + 60.5,
    endedAtMonotonicSeconds: result.endedAtMonotonicSeconds + 60,
  }))
  expect(verdicts({ ...before, references: slewed })).toEqual({ host: 'ruled_out', exporter: 'ruled_out' })
})
