// Whatever a peer that calls itself Windows says: a reading, or a failure in known words; no series twice, and not many.
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { MalformedMessage, ProbeFailure } from '../../src/model/failure.ts'
import { client } from '../../src/probes/client.ts'
import { clock } from '../../src/probes/clock.ts'
import { licensing } from '../../src/probes/licensing.ts'
import type { Probe } from '../../src/probes/probe.ts'
import { service } from '../../src/probes/service.ts'
import type { Target } from '../../src/model/target.ts'
import type { CimValue } from '../../src/protocol/cim.ts'
import type { Select } from '../../src/protocol/wql.ts'
import { estate, linesOf, visitTo, WINRM, type Row } from './fake-windows.ts'

const ALL = estate({
  hosts: [
    {
      name: 'kms01.corp.example',
      connect_to: '127.0.0.1',
      windows: { ...WINRM, registry: true },
      probes: { clock: { sources: ['cim'] } },
    },
  ],
  clients: [{ name: 'pc01.corp.example', windows: WINRM }],
})

const MOST_LINES = 1000

/** Values that are right for a column of this name; there may be one name for two types. */
const RIGHT: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^(ID|ApplicationID)$/, ['a1b2c3d4-0000-4000-8000-000000000022', '55C92734-D682-4D71-983E-D6EC3F16059F']],
  [
    /^Description$/,
    ['x, VOLUME_KMS_WS22 channel', 'Office 16, VOLUME_KMS channel', 'x, VOLUME_KMSCLIENT channel'],
  ],
  [/^State$/, ['Running', 'Stopped']],
  [/Publishing|Priority|Caching/, ['true', 'FALSE']],
  [/Machine(Name)?$/, ['kms01.corp.example', '[2001:db8::1]:1700', '1']],
  [/Date|Time/, ['2027-01-15T08:00:00Z', '9999-12-31T23:59:59Z', '20270115080000.000000+000']],
  [/^SystemDirectory$/, [String.raw`C:\Windows\system32`]],
  [/^Version$/, ['10.0.20348.2322']],
  [/^BuildNumber$/, ['20348']],
  [/^EventCode$/, ['12288', '12289']],
  [
    /^InsertionStrings$/,
    [
      '0xC004F074, 0x0, kms01:1688, 2ffcfc30-6a6a-49ec-92b8-f6150c7df211, 2027/1/1 1:00, 0, 1, 9, x, 25',
      '0xC004F06C, 0x0, 1, 0, 50, 120, 10080, 2027/01/15 08:00',
    ],
  ],
  [/./, ['0', '1', '5', '25', '4294967295']],
]

const wrong = fc.oneof(
  fc.constantFrom(null, '', '-1', '4294967296', 'NaN', '1e9', '__proto__', '"} 1\n'),
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.array(fc.string({ unit: 'binary' }), { maxLength: 4 }),
)
interface Cell {
  readonly pick: number
  readonly wrong: CimValue
}
/** Wrong in one of fifty, on average, so that some answers get through whole. */
const cell = fc.record({ pick: fc.nat({ max: 49 }), wrong })
const rows = fc.array(fc.infiniteStream(cell), { maxLength: 40 })

function valueFor(column: string, { pick, wrong }: Cell): CimValue {
  const right = RIGHT.find(([pattern]) => pattern.test(column))?.[1] ?? []
  return pick === 0 ? wrong : (right[pick % right.length] ?? null)
}

async function survives<T extends Target, R>(probe: Probe<string, T, R>): Promise<void> {
  const [target] = probe.targets(ALL)
  if (target === undefined) throw new Error('no target')
  let answered = 0
  const answer = fc.infiniteStream(rows)
  await fc.assert(
    fc.asyncProperty(answer, wrong, async (answers, registry) => {
      const tell = ({ columns }: Select): readonly Row[] => {
        const next = answers.next()
        if (next.done === true) return []
        return next.value.map((values) =>
          Object.fromEntries(
            columns.map((name) => [name, valueFor(name, values.next().value ?? { pick: 0, wrong: null })]),
          ),
        )
      }
      const classes = new Proxy<Record<string, typeof tell>>({}, { get: () => tell })
      const { visit } = visitTo({
        classes,
        registry: { UBR: registry ?? undefined, DnsDomainPublishList: registry ?? undefined },
      })
      let reading: R
      try {
        reading = await probe.measure(target, visit)
      } catch (error) {
        const known = error instanceof ProbeFailure ? error.reason !== 'internal_error' : false
        expect(known || error instanceof MalformedMessage, String(error)).toBe(true)
        return
      } finally {
        visit.deadline.close()
      }
      answered++
      const series = linesOf(probe.metrics, reading, target).map((line) => line.replace(/ \S+$/, ''))
      expect(series.length).toBeLessThan(MOST_LINES)
      expect(new Set(series).size).toBe(series.length)
      expect(JSON.stringify(reading).length).toBeLessThan(100_000)
    }),
    { numRuns: 300 },
  )
  // Else it was tested that nothing is ever answered.
  expect(answered).toBeGreaterThan(10)
}

it('the service probe', () => survives(service))
it('the licensing probe', () => survives(licensing))
it('the client probe', () => survives(client))
it('the clock probe', () => survives(clock))
