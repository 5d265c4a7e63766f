import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  applyEvents,
  emptyActivity,
  SKEW_BOUNDS,
  type ActivityEvent,
  type ActivityState,
} from '../../src/kms/activity.ts'
import { stateFrom, stateJson } from '../../src/kms/activity-file.ts'
import { countSample } from '../../src/kms/distinct.ts'

const NOW = 1_800_000_000
const MISMATCH = 0xc004f06c
const WRONG_PRODUCT = 0xc004f042
const YEARS = 365 * 86_400

type RequestEvent = Extract<ActivityEvent, { kind: 'request' }>

/** `behind`: seconds that the client's clock is behind the host's. */
function request(
  changes: Partial<NonNullable<RequestEvent['request']>> & { at?: number; behind?: number } = {},
): RequestEvent {
  const { at = NOW, behind = 30, ...rest } = changes
  return {
    kind: 'request',
    atSeconds: at,
    request: {
      hresult: 0,
      minCount: 25,
      clientName: 'pc1',
      cmid: 'one',
      clientTimeSeconds: at - behind,
      licenseStatus: 1,
      minutesToExpiration: 1000,
      activationId: 'windows',
      ...rest,
    },
  }
}

const after = (...events: readonly ActivityEvent[]): ActivityState =>
  applyEvents(emptyActivity('salt'), events, NOW)

describe('requests', () => {
  it('are counted by known result and class', () => {
    const { requests } = after(
      request(),
      request(),
      request({ minCount: 5 }),
      request({ minCount: 7 }),
      request({ hresult: MISMATCH, minCount: 5 }),
      request({ hresult: 0x12345678 }),
      { kind: 'request', atSeconds: NOW, request: undefined },
      { kind: 'request', atSeconds: undefined, request: undefined },
    )
    expect(Object.fromEntries(requests)).toEqual({
      '0x00000000 25': 2,
      '0x00000000 5': 1,
      '0x00000000 other': 1,
      '0xC004F06C 5': 1,
      'other 25': 1,
      'other other': 2,
    })
  })

  it('make a bounded number of series, whatever clients send', () => {
    const events = Array.from({ length: 5000 }, (_, index) =>
      request({ hresult: index * 7919, minCount: index }),
    )
    expect(after(...events).requests.size).toBeLessThanOrEqual(12 * 3 + 3)
  })

  it('have a last one: the last in the log, not the latest of a clock that was wrong', () => {
    expect(after(request({ at: NOW + 86_400 }), request({ at: NOW - 60 })).lastRequestSeconds).toBe(NOW - 60)
    const { lastRequestSeconds } = after(request(), {
      kind: 'request',
      atSeconds: undefined,
      request: undefined,
    })
    expect(lastRequestSeconds).toBe(NOW)
  })

  it('add to the same counters in one go or in pieces', () => {
    const event = fc
      .record({
        at: fc.integer({ min: NOW - 86_400, max: NOW }),
        behind: fc.integer({ min: -20_000, max: 20_000 }),
        hresult: fc.constantFrom(0, MISMATCH, WRONG_PRODUCT, 5),
        cmid: fc.constantFrom('a', 'b', 'c'),
        clientName: fc.constantFrom('x', 'y', 'y.z', ''),
        licenseStatus: fc.constantFrom(0, 1, 5, undefined),
        minutesToExpiration: fc.constantFrom(0, 100, undefined),
      })
      .map(request)
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), fc.nat(30), (events, cut) => {
        const whole = after(...events)
        const pieces = applyEvents(after(...events.slice(0, cut)), events.slice(cut), NOW)
        expect(pieces).toEqual(whole)
        expect(stateFrom(JSON.parse(JSON.stringify(stateJson(whole))))).toEqual(whole)
        const total = [...whole.requests.values()].reduce((sum, count) => sum + count, 0)
        expect(total).toBe(events.length)
        expect(whole.skew.counts.reduce((sum, count) => sum + count, 0)).toBe(events.length)
      }),
    )
  })
})

describe('the skew of clients', () => {
  it.each([
    [0, 5],
    [60, 5],
    [61, 6],
    [-60, 4],
    [-59, 5],
    [14_400, 9],
    [14_401, 10],
    [-14_400, 0],
    [-1e9, 0],
    [1e9, 10],
  ])('of %i s falls into bucket %i', (behind, bucket) => {
    const { counts, sum } = after(request({ behind })).skew
    expect(counts.indexOf(1)).toBe(bucket)
    expect(counts).toHaveLength(SKEW_BOUNDS.length + 1)
    expect(sum).toBe(behind)
  })

  it('is not observed without a time', () => {
    expect(after(request({ clientTimeSeconds: undefined })).skew.sum).toBe(0)
    expect(after({ ...request(), atSeconds: undefined }).skew.counts.every((count) => count === 0)).toBe(true)
  })
})

describe('0xC004F06C', () => {
  it.each([
    [30, true],
    [-200, true],
    [14_000, true],
    [14_460, false],
    [-14_400, false],
    [-14_345, false],
    // A whole hour may be a time zone.
    [3600, false],
    [-7170, false],
    [50_000, false],
  ])('from a client %i s behind is a version mismatch: %s', (behind, mismatch) => {
    const { lastMismatchSeconds } = after(request({ hresult: MISMATCH, behind }))
    expect(lastMismatchSeconds).toBe(mismatch ? NOW : undefined)
  })

  it('is none from a client whose time is unknown', () => {
    const { lastMismatchSeconds } = after(request({ hresult: MISMATCH, clientTimeSeconds: undefined }))
    expect(lastMismatchSeconds).toBeUndefined()
  })

  it('is not 0xC004F042', () => {
    const { lastMismatchSeconds, lastWrongProductSeconds } = after(request({ hresult: WRONG_PRODUCT }))
    expect([lastMismatchSeconds, lastWrongProductSeconds]).toEqual([undefined, NOW])
  })
})

describe('a refusal of which nobody can say whether it was for the version or product', () => {
  const unclear = (...events: readonly ActivityEvent[]): number | undefined =>
    after(...events).lastUnclearRefusalSeconds

  it('is a request that cannot be made out, a wrong time among them', () => {
    expect(unclear({ kind: 'request', atSeconds: NOW - 5, request: undefined })).toBe(NOW - 5)
    expect(unclear({ kind: 'request', atSeconds: undefined, request: undefined })).toBe(NOW)
    expect(unclear({ ...request({ hresult: MISMATCH }), atSeconds: undefined })).toBe(NOW)
    expect(unclear({ ...request({ hresult: WRONG_PRODUCT }), atSeconds: undefined })).toBe(NOW)
    expect(unclear({ ...request(), atSeconds: undefined })).toBeUndefined()
  })

  it('is 0xC004F06C with a date that cannot be read', () => {
    expect(unclear(request({ at: NOW - 5, hresult: MISMATCH, clientTimeSeconds: undefined }))).toBe(NOW - 5)
    expect(unclear(request({ clientTimeSeconds: undefined }))).toBeUndefined()
  })

  it.each([
    [30, false],
    [-200, false],
    [3600, true],
    [-7170, true],
    [14_400, true],
    [-14_345, true],
    [18_000, true],
    [-50_400, true],
    // Clocks that differ, and no zone is so far off.
    [16_000, false],
    [54_000, false],
    [10 * 86_400, false],
  ])('is 0xC004F06C from a client %i s behind: %s', (behind, told) => {
    expect(unclear(request({ hresult: MISMATCH, behind }))).toBe(told ? NOW : undefined)
    expect(unclear(request({ hresult: 0, behind }))).toBeUndefined()
  })

  it('stays known when others are clear, and after a restart', () => {
    const state = after(
      request({ at: NOW - 9, hresult: MISMATCH, behind: 3600 }),
      request({ at: NOW - 8, hresult: MISMATCH }),
      request({ at: NOW - 7 }),
    )
    expect(state).toMatchObject({ lastUnclearRefusalSeconds: NOW - 9, lastMismatchSeconds: NOW - 8 })
    expect(stateFrom(JSON.parse(JSON.stringify(stateJson(state))))).toEqual(state)
  })
})

describe('client systems, which need 25', () => {
  it('are told from servers and Office, when they ask and when they are refused', () => {
    const both = after(
      request({ at: NOW - 50 }),
      request({ at: NOW - 40, hresult: WRONG_PRODUCT }),
      request({ at: NOW - 30, minCount: 5, hresult: WRONG_PRODUCT }),
    )
    expect(both).toMatchObject({
      lastClientSystemSeconds: NOW - 40,
      lastWrongClientSystemSeconds: NOW - 40,
      lastWrongProductSeconds: NOW - 30,
    })
    expect(after(request({ minCount: 5, hresult: WRONG_PRODUCT }))).toMatchObject({
      lastClientSystemSeconds: undefined,
      lastWrongClientSystemSeconds: undefined,
    })
  })
})

describe('what a client says of its licence', () => {
  const expiry = (changes: Parameters<typeof request>[0]): number | undefined =>
    countSample(after(request(changes)).clients, [], NOW).earliestExpiry

  it('counts from the event, in minutes', () => {
    expect(expiry({ minutesToExpiration: 10, hresult: MISMATCH })).toBe(NOW + 600)
    expect(expiry({ minutesToExpiration: undefined, hresult: MISMATCH })).toBeUndefined()
  })

  it('ends at once with 0 minutes, but for one that is licensed for good', () => {
    expect(expiry({ minutesToExpiration: 0, hresult: MISMATCH })).toBeUndefined()
    expect(expiry({ minutesToExpiration: 0, licenseStatus: 5, hresult: MISMATCH })).toBe(NOW)
  })
})

describe('publishing', () => {
  const publish = (domain: string, atSeconds: number | undefined, hresult?: number): ActivityEvent => ({
    kind: 'publish',
    domain,
    atSeconds,
    success: hresult === undefined,
    hresult,
  })

  it('is known by domain, the last outcome of each in the log, whatever the clock was then', () => {
    const { publishing } = after(
      publish('a.example', NOW - 10, 0x80072338),
      publish('b.example', NOW - 9),
      publish('a.example', NOW - 5),
      publish('b.example', NOW - 20, 0x80072338),
      publish('c.example', undefined),
      publish('d.example', NOW + 10 * YEARS),
      publish('d.example', NOW - 1, 0x8007232a),
      publish('e.example', NOW + 10 * YEARS),
    )
    expect(Object.fromEntries(publishing)).toEqual({
      'a.example': { success: true, atSeconds: NOW - 5, code: undefined },
      'b.example': { success: false, atSeconds: NOW - 20, code: '0x80072338' },
      'd.example': { success: false, atSeconds: NOW - 1, code: '0x8007232A' },
      'e.example': { success: true, atSeconds: NOW, code: undefined },
    })
    expect(after(publish('a.example', NOW, 0x80072338)).publishing.get('a.example')?.code).toBe('0x80072338')
  })

  it('is kept for 32 domains, those heard of last', () => {
    const events = Array.from({ length: 100 }, (_, index) => publish(`d${index}.example`, NOW - 100 + index))
    const { publishing } = after(...events)
    expect([...publishing.keys()]).toEqual(Array.from({ length: 32 }, (_, index) => `d${index + 68}.example`))
  })
})

it('a failed start is remembered, with its code: of the service or of its timer', () => {
  const init = { kind: 'init_failure', atSeconds: NOW, hresult: 0xc004f014 } as const
  const timer = { kind: 'timer_failure', atSeconds: NOW - 1, hresult: 0x80070005 } as const
  const none = { lastInitFailure: undefined, lastTimerFailure: undefined }
  expect(after(init, timer)).toMatchObject({
    lastInitFailure: { atSeconds: NOW, code: '0xC004F014' },
    lastTimerFailure: { atSeconds: NOW - 1, code: '0x80070005' },
  })
  expect(after({ ...init, hresult: 0 }, { ...timer, hresult: 0 })).toMatchObject(none)
})

describe('an event of a clock that was ahead', () => {
  const MANY_YEARS = NOW + 10 * YEARS
  const unreadable: ActivityEvent = { kind: 'request', atSeconds: MANY_YEARS, request: undefined }
  const failure = { atSeconds: MANY_YEARS, hresult: 5 }

  it.each<[string, (state: ActivityState) => number | undefined, ActivityEvent]>([
    ['request', (state) => state.lastRequestSeconds, request({ at: MANY_YEARS })],
    ['client system', (state) => state.lastClientSystemSeconds, request({ at: MANY_YEARS })],
    ['mismatch', (state) => state.lastMismatchSeconds, request({ at: MANY_YEARS, hresult: MISMATCH })],
    [
      'wrong product',
      (state) => state.lastWrongProductSeconds,
      request({ at: MANY_YEARS, hresult: WRONG_PRODUCT }),
    ],
    [
      'wrong client system',
      (state) => state.lastWrongClientSystemSeconds,
      request({ at: MANY_YEARS, hresult: WRONG_PRODUCT }),
    ],
    ['unclear refusal', (state) => state.lastUnclearRefusalSeconds, unreadable],
    ['failed start', (state) => state.lastInitFailure?.atSeconds, { kind: 'init_failure', ...failure }],
    ['failed timer', (state) => state.lastTimerFailure?.atSeconds, { kind: 'timer_failure', ...failure }],
  ])('is dated when it was read: %s', (_what, last, event) => {
    expect(last(after(event))).toBe(NOW)
  })

  it('keeps its time where the clock is no further off than KMS lets it be', () => {
    expect(after(request({ at: NOW + 3 * 3600 })).lastRequestSeconds).toBe(NOW + 3 * 3600)
  })

  it('has its skew by that clock all the same', () => {
    expect(after(request({ at: MANY_YEARS, clientTimeSeconds: NOW })).skew.sum).toBe(10 * YEARS)
  })

  it('does not make a licence last longer', () => {
    const { clients } = after(request({ at: MANY_YEARS, hresult: MISMATCH, minutesToExpiration: 10 }))
    expect(countSample(clients, [], NOW).earliestExpiry).toBe(NOW + 600)
  })
})

describe('the file form', () => {
  const full: ActivityState = {
    ...after(
      request(),
      request({ hresult: MISMATCH, cmid: 'two' }),
      request({ hresult: WRONG_PRODUCT }),
      { kind: 'publish', domain: 'corp.example', success: false, atSeconds: NOW, hresult: 0x80072338 },
      { kind: 'init_failure', atSeconds: NOW, hresult: undefined },
      { kind: 'timer_failure', atSeconds: NOW, hresult: 0x80070005 },
      { kind: 'request', atSeconds: NOW, request: undefined },
    ),
    logs: {
      key_management_service: {
        bookmark: {
          record: 7,
          fingerprint: 'abcd',
          timeSeconds: NOW + 0.25,
          trail: [
            { record: 0, fingerprint: '' },
            { record: 5, fingerprint: 'cdef' },
          ],
          gone: true,
          doubt: { after: -1, before: 9, timeSeconds: NOW },
        },
        afterSeconds: undefined,
        checkedAtSeconds: NOW,
        records: 3,
        gaps: { cleared: 1, overwritten: 2, restarted: 3 },
        lost: 9,
        lostAtSeconds: NOW - 7,
      },
      application: {
        bookmark: undefined,
        afterSeconds: NOW - 5,
        checkedAtSeconds: undefined,
        records: undefined,
        gaps: { cleared: 0, overwritten: 0, restarted: 0 },
        lost: 0,
        lostAtSeconds: undefined,
      },
    },
  }
  const good = (): Record<string, unknown> =>
    JSON.parse(JSON.stringify(stateJson(full))) as Record<string, unknown>

  it('comes back as it was', () => {
    expect(stateFrom(good())).toEqual(full)
    const empty = emptyActivity('salt')
    expect(stateFrom(JSON.parse(JSON.stringify(stateJson(empty))))).toEqual(empty)
  })

  it('of an earlier version has a bookmark and no more', () => {
    const bookmark = { record: 7, fingerprint: 'abcd', timeSeconds: NOW }
    const logs = { ...full.logs, application: { ...full.logs.application, bookmark } }
    expect(stateFrom({ ...good(), logs })?.logs.application.bookmark).toEqual(bookmark)
  })

  it.each([
    ['trail', 'x'],
    ['trail', [{ record: -1, fingerprint: 'a' }]],
    ['trail', [{ record: 1 }]],
    ['trail', Array.from({ length: 201 }, () => ({ record: 1, fingerprint: 'a' }))],
    ['gone', 'yes'],
    ['doubt', {}],
    ['doubt', { after: 0.5, before: 2, timeSeconds: 3 }],
    ['doubt', { after: 0, before: 2, timeSeconds: 'x' }],
  ])('is refused whole when the bookmark has %s %j', (key, value) => {
    const log = full.logs.key_management_service
    const logs = {
      ...full.logs,
      key_management_service: { ...log, bookmark: { ...log.bookmark, [key]: value } },
    }
    expect(stateFrom({ ...good(), logs })).toBeUndefined()
  })

  it.each([
    ['version', 2],
    ['requests', [['0x00000000 25', -1]]],
    ['requests', [['0x00000000 25', 1.5]]],
    ['requests', [['<script>', 1]]],
    ['requests', {}],
    ['skew', { counts: [1], sum: 0 }],
    ['skew', { counts: Array(11).fill(0), sum: 'a' }],
    ['publishing', [['a b', { success: true, atSeconds: 1 }]]],
    ['publishing', [['a.example', { success: true, atSeconds: 1, code: 'x"y' }]]],
    ['logs', {}],
    ['logs', { key_management_service: { lost: 0 }, application: { lost: 0 } }],
    ['clients', null],
    ['lastRequestSeconds', 'yesterday'],
    ['lastClientSystemSeconds', 'yesterday'],
    ['lastWrongClientSystemSeconds', 'yesterday'],
    ['lastInitFailure', { atSeconds: 'x' }],
    ['lastTimerFailure', { atSeconds: 1, code: 'x"y' }],
    ['lastUnclearRefusalSeconds', 'yesterday'],
  ])('is refused whole when %s is %j', (key, value) => {
    expect(stateFrom({ ...good(), [key]: value })).toBeUndefined()
  })

  it('is a state or undefined, whatever is in the file', () => {
    const keys = Object.keys(good())
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...keys), (given, key) => {
        const json: unknown = JSON.parse(JSON.stringify(given))
        expect(stateFrom(json)).toBeUndefined()
        const taken = stateFrom({ ...good(), [key]: json })
        if (taken !== undefined)
          expect(stateFrom(JSON.parse(JSON.stringify(stateJson(taken))))).toEqual(taken)
      }),
    )
  })
})
