// A minute in seven bytes: what comes back is what went in, as far as anybody can see on the page.
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sayOffset } from '../../src/diagnosis/rules/clock.ts'
import { MINUTE_BYTES, packMinute, STATE, unpackMinute, type Minute } from '../../src/engine/minute.ts'
import { bounds, seconds, within } from './minutes.ts'

const NOTHING: Minute = {
  state: STATE.unknown,
  connectSeconds: NaN,
  bindSeconds: NaN,
  driftSeconds: NaN,
  driftUncertaintySeconds: NaN,
}

function through(minute: Partial<Minute>): Minute {
  // Between two others, of which it must not touch a byte.
  const bytes = new DataView(new ArrayBuffer(3 * MINUTE_BYTES))
  new Uint8Array(bytes.buffer).fill(0xa5)
  packMinute(bytes, MINUTE_BYTES, { ...NOTHING, ...minute })
  const others = [...new Uint8Array(bytes.buffer)].filter(
    (_, at) => at < MINUTE_BYTES || at >= 2 * MINUTE_BYTES,
  )
  expect(new Set(others)).toEqual(new Set([0xa5]))
  return unpackMinute(bytes, MINUTE_BYTES)
}

const states = fc.constantFrom(...Object.values(STATE))
const orUnknown = (known: fc.Arbitrary<number>) => fc.oneof({ weight: 4, arbitrary: known }, fc.constant(NaN))

describe('a minute in seven bytes', () => {
  it('comes back within its bounds, and what is not known as not known', () => {
    fc.assert(
      fc.property(
        fc.record({
          state: states,
          connectSeconds: orUnknown(seconds.latency),
          bindSeconds: orUnknown(seconds.latency),
          driftSeconds: orUnknown(seconds.drift),
          driftUncertaintySeconds: orUnknown(seconds.uncertainty),
        }),
        (minute) => {
          const back = through(minute)
          expect(back.state).toBe(minute.state)
          for (const [name, share] of Object.entries(bounds))
            expect(
              within(back[name as keyof typeof bounds], minute[name as keyof typeof bounds], share),
            ).toBe(true)
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('keeps the order of what it is given: no peak becomes lower than what lies below it', () => {
    fc.assert(
      fc.property(seconds.latency, seconds.latency, seconds.drift, seconds.drift, (a, b, c, d) => {
        const low = through({ connectSeconds: Math.min(a, b), driftSeconds: Math.min(c, d) })
        const high = through({ connectSeconds: Math.max(a, b), driftSeconds: Math.max(c, d) })
        expect(low.connectSeconds).toBeLessThanOrEqual(high.connectSeconds)
        expect(low.driftSeconds).toBeLessThanOrEqual(high.driftSeconds)
      }),
    )
  })

  it('has zero as zero, and the ends of its ranges for what lies beyond', () => {
    const zero = { connectSeconds: 0, bindSeconds: 0, driftSeconds: 0, driftUncertaintySeconds: 0 }
    expect(through(zero)).toEqual({ ...zero, state: STATE.unknown })
    const beyond = { connectSeconds: 301, driftSeconds: -Infinity, driftUncertaintySeconds: 1e12 }
    const back = through(beyond)
    expect(back.connectSeconds).toBeCloseTo(300, 6)
    expect(back.driftSeconds).toBeCloseTo(-1e9, 0)
    expect(back.driftUncertaintySeconds).toBeCloseTo(86_400, 6)
    expect(through({ bindSeconds: -1 }).bindSeconds).toBe(0)
  })

  it.each([0.0042, -0.4123, 0.9876, -12.34, 59.87, 2712, -3598, 10_800, -14_400, 864_000])(
    'prints a drift of %d s as it was',
    (driftSeconds) => {
      expect(sayOffset(through({ driftSeconds }).driftSeconds)).toBe(sayOffset(driftSeconds))
    },
  )
})
