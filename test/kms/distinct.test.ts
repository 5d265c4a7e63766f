import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addSightings,
  countSample,
  emptySample,
  sampleFrom,
  sampleJson,
  type ClientSample,
  type ClientSighting,
} from '../../src/kms/distinct.ts'

const NOW = 1_800_000_000
const HOUR = 3600
const DAY = 24 * HOUR
const WINDOWS = [HOUR, DAY, 7 * DAY, 30 * DAY]

function seen(cmid: number | string, sighting: Partial<ClientSighting> = {}): ClientSighting {
  return {
    cmid: String(cmid),
    name: `pc${cmid}.corp.example`,
    product: 'windows',
    atSeconds: NOW,
    expiresAtSeconds: NOW + 170 * DAY,
    answered: true,
    ...sighting,
  }
}

const sampleOf = (sightings: readonly ClientSighting[], now = NOW): ClientSample =>
  addSightings(emptySample('salt'), sightings, now)
const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index)

describe('distinct clients', () => {
  it('are counted by window, each once', () => {
    const sample = sampleOf([
      seen(1),
      seen(1),
      seen(2, { atSeconds: NOW - 2 * HOUR }),
      seen(3, { atSeconds: NOW - 2 * DAY }),
      seen(4, { atSeconds: NOW - 10 * DAY }),
      seen(5, { atSeconds: NOW - 31 * DAY }),
    ])
    expect(countSample(sample, WINDOWS, NOW)).toMatchObject({ distinct: [1, 2, 3, 4], sampledOneIn: 1 })
    expect(countSample(sample, WINDOWS, NOW + 25 * DAY).distinct).toEqual([0, 0, 0, 3])
  })

  it('are exact up to 4,096 of 30 days, however many came before', () => {
    let sample = sampleOf(range(4096).map((id) => seen(`old${id}`)))
    expect(countSample(sample, WINDOWS, NOW)).toMatchObject({
      distinct: [4096, 4096, 4096, 4096],
      sampledOneIn: 1,
    })
    const later = NOW + 31 * DAY
    sample = addSightings(
      sample,
      range(4096).map((id) => seen(`new${id}`, { atSeconds: later })),
      later,
    )
    expect(countSample(sample, WINDOWS, later)).toMatchObject({
      distinct: [4096, 4096, 4096, 4096],
      sampledOneIn: 1,
    })
  })

  it('are estimated within a few per cent among 100,000, in bounded memory', () => {
    const errors = range(5).map((trial) => {
      let sample = emptySample(`trial ${trial}`)
      for (const part of range(100)) {
        const clients = range(1000).map((id) => seen(`${part} ${id}`, { name: `pc${part}-${id % 500}` }))
        sample = addSightings(sample, clients, NOW)
        expect(sample.clients.size).toBeLessThanOrEqual(4096)
      }
      const { distinct, sampledOneIn } = countSample(sample, WINDOWS, NOW)
      expect(sampledOneIn).toBe(32)
      expect(new Set(distinct).size).toBe(1)
      return (distinct[0] ?? 0) / 100_000 - 1
    })
    // One in 32 of 100,000 is 3,125 kept: a standard error of 1.8 %. Five standard errors, and two for the spread.
    for (const error of errors) expect(Math.abs(error)).toBeLessThan(0.09)
    const spread = Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length)
    expect(spread).toBeLessThan(0.036)
  })

  it('are exact again 30 days after there are few', () => {
    let sample = sampleOf(range(20_000).map((id) => seen(`burst${id}`)))
    expect(countSample(sample, WINDOWS, NOW).sampledOneIn).toBe(8)
    let now = NOW
    const few = range(300)
    for (let day = 1; day <= 62; day += 1) {
      now = NOW + day * DAY
      sample = addSightings(
        sample,
        few.map((id) => seen(id, { atSeconds: now })),
        now,
      )
    }
    expect(countSample(sample, WINDOWS, now)).toMatchObject({
      distinct: [300, 300, 300, 300],
      sampledOneIn: 1,
    })
  })

  it('are right in a short window soon after there are few', () => {
    let sample = sampleOf(range(20_000).map((id) => seen(`burst${id}`)))
    const later = NOW + 32 * DAY
    sample = addSightings(sample, [seen('first', { atSeconds: later })], later)
    const now = later + 2 * HOUR
    sample = addSightings(
      sample,
      range(300).map((id) => seen(id, { atSeconds: now })),
      now,
    )
    const { distinct, sampledOneIn } = countSample(sample, WINDOWS, now)
    expect(distinct[0]).toBe(300)
    expect(sampledOneIn).toBe(8)
  })

  it('do not stay for ever because a clock was ahead', () => {
    const sample = sampleOf([seen(1, { atSeconds: NOW + 3650 * DAY })])
    expect(countSample(sample, WINDOWS, NOW).distinct).toEqual([1, 1, 1, 1])
    expect(countSample(sample, WINDOWS, NOW + 31 * DAY).distinct).toEqual([0, 0, 0, 0])
  })

  it('cannot be chosen to be all kept: another salt keeps others', () => {
    const ids = range(20_000).map((id) => seen(id))
    const chosen = [...addSightings(emptySample('a'), ids, NOW).clients.keys()]
    const other = addSightings(emptySample('b'), ids, NOW).clients
    expect(chosen.filter((key) => other.has(key)).length).toBe(0)
  })
})

describe('duplicates', () => {
  const duplicates = (sightings: readonly ClientSighting[], now = NOW): number =>
    countSample(sampleOf(sightings, now), WINDOWS, now).duplicates

  it('are ids that two names have used within 30 days', () => {
    expect(duplicates([seen(1, { name: 'a' }), seen(1, { name: 'b' }), seen(2)])).toBe(1)
    expect(duplicates([seen(1, { name: 'a', atSeconds: NOW - 29 * DAY }), seen(1, { name: 'b' })])).toBe(1)
    const sample = sampleOf([seen(1, { name: 'a', atSeconds: NOW - 29 * DAY }), seen(1, { name: 'b' })])
    expect(countSample(sample, WINDOWS, NOW + 2 * DAY).duplicates).toBe(0)
  })

  it('are not made by the two forms of one name, by case, or by no name', () => {
    expect(duplicates([seen(1, { name: 'PC1' }), seen(1, { name: 'pc1.corp.example' })])).toBe(0)
    expect(duplicates([seen(1, { name: 'PC1' }), seen(1, { name: '' })])).toBe(0)
  })
})

describe('the earliest expiry', () => {
  const earliest = (sightings: readonly ClientSighting[], now = NOW): number | undefined =>
    countSample(sampleOf(sightings, now), WINDOWS, now).earliestExpiry
  const ending = (id: number, days: number, sighting: Partial<ClientSighting> = {}): ClientSighting =>
    seen(id, { expiresAtSeconds: NOW + days * DAY, answered: false, ...sighting })

  it('is of the latest request of each client, in whatever order they come', () => {
    const requests = [ending(1, 5, { atSeconds: NOW - DAY }), ending(1, 170), ending(2, 100)]
    expect(earliest(requests)).toBe(NOW + 100 * DAY)
    expect(earliest(requests.toReversed())).toBe(NOW + 100 * DAY)
  })

  it('tells the products of one machine apart', () => {
    const requests = [ending(1, 9), ending(1, 100, { product: 'office' })]
    expect(earliest(requests)).toBe(NOW + 9 * DAY)
  })

  it('leaves out whoever was just served, until its next request tells whether that helped', () => {
    const first = seen(1, { atSeconds: NOW - 2 * HOUR, expiresAtSeconds: NOW + 29 * DAY })
    expect(earliest([first])).toBeUndefined()
    expect(earliest([first, seen(1, { expiresAtSeconds: NOW + 28 * DAY })])).toBe(NOW + 28 * DAY)
    expect(earliest([first, seen(1, { expiresAtSeconds: NOW + 180 * DAY })])).toBe(NOW + 180 * DAY)
    expect(earliest([ending(1, 29)])).toBe(NOW + 29 * DAY)
    // Refused for weeks, and served at last.
    expect(earliest([ending(1, 3, { atSeconds: NOW - HOUR }), seen(1)])).toBeUndefined()
  })

  it('forgets clients after 30 days, and may have passed', () => {
    expect(earliest([ending(1, 0, { atSeconds: NOW - 31 * DAY })])).toBeUndefined()
    expect(earliest([ending(1, -1)])).toBe(NOW - DAY)
    expect(earliest([])).toBeUndefined()
    expect(earliest([ending(1, 0, { expiresAtSeconds: undefined })])).toBeUndefined()
  })
})

describe('the earliest expiry above 4,096 clients', () => {
  const many = sampleOf(range(10_000).map((id) => seen(id)))
  const earliestOf = (sample: ClientSample, now = NOW): number | undefined =>
    countSample(sample, WINDOWS, now).earliestExpiry
  const refused = (id: number, expiresAtSeconds: number, atSeconds = NOW): ClientSighting =>
    seen(id, { expiresAtSeconds, atSeconds, answered: false })
  const hours = (id: number): number => NOW + id * HOUR

  it('is that of one client, whichever it is, until it is served', () => {
    for (const id of range(20)) {
      const sick = addSightings(many, [refused(id, NOW + 20 * DAY)], NOW)
      expect(earliestOf(sick)).toBe(NOW + 20 * DAY)
      expect(earliestOf(sick, NOW + 31 * DAY)).toBeUndefined()
      const worse = addSightings(sick, [refused(id, NOW + 19 * DAY), refused(id, 0, NOW - HOUR)], NOW)
      expect(earliestOf(worse)).toBe(NOW + 19 * DAY)
      expect(earliestOf(addSightings(worse, [seen(id)], NOW))).toBeUndefined()
    }
  })

  it('is that of a client that was kept, and is no longer', () => {
    const others = range(5000).map((id) => seen(`more${id}`))
    for (const first of range(8)) {
      const few = sampleOf(range(1000).map((id) => refused(id, hours(id === first ? 1 : id + 2))))
      const more = addSightings(few, others, NOW)
      expect(more.level).toBe(1)
      expect(earliestOf(more)).toBe(hours(1))
    }
  })

  it('is that of a client that is kept once there are few again', () => {
    const sick = addSightings(
      many,
      range(9).map((id) => refused(id, hours(id))),
      NOW,
    )
    const later = NOW + 29 * DAY
    const visited = addSightings(sick, [refused(0, hours(0), later)], later)
    const now = NOW + 31 * DAY
    const few = addSightings(visited, [], now)
    expect([few.level, earliestOf(few, now)]).toEqual([0, hours(0)])
    expect(earliestOf(addSightings(few, [seen(0, { atSeconds: now })], now), now)).toBeUndefined()
  })

  it('is told among thousands that are refused, in a bounded list', () => {
    const sick = addSightings(
      many,
      range(9000)
        .toReversed()
        .map((id) => refused(id, hours(id))),
      NOW,
    )
    expect(sick.refused.listed.size).toBe(512)
    expect(earliestOf(sick)).toBe(hours(0))
    const fewer = addSightings(
      sick,
      range(300).map((id) => seen(id)),
      NOW,
    )
    expect(earliestOf(fewer)).toBe(hours(300))
  })

  it('is not told where one that is not known may end earlier, until that is known or forgotten', () => {
    const sick = addSightings(
      many,
      range(9000).map((id) => refused(id, hours(id))),
      NOW,
    )
    // All that are listed, and more: of the others, those that are kept are known.
    const healed = addSightings(
      sick,
      range(2000).map((id) => seen(id)),
      NOW,
    )
    expect(earliestOf(healed)).toBeUndefined()
    const worse = addSightings(healed, [refused(5, hours(5))], NOW)
    expect(earliestOf(worse)).toBe(hours(5))
    // Whoever has ended is no less so because another may have, too.
    expect(earliestOf(addSightings(healed, [refused(8999, NOW)], NOW))).toBe(NOW)
    expect(earliestOf(healed, NOW + 8 * DAY)).toBeUndefined()
    const now = NOW + 31 * DAY
    expect(earliestOf(addSightings(healed, [refused(7, hours(7), now)], now), now)).toBe(hours(7))
  })

  it('is told while the one that was crowded out has come up, be its word a minute off', () => {
    const crowd = range(9000).map((id) => refused(id, hours(id)))
    const healed = addSightings(
      addSightings(many, crowd, NOW),
      range(8999).map((id) => seen(id)),
      NOW,
    )
    const { crowdedOut } = healed.refused
    const doubt = Math.min(...crowdedOut.values())
    const id = (doubt - NOW) / HOUR
    expect(earliestOf(addSightings(healed, [refused(id, doubt + 60)], NOW))).toBe(doubt + 60)
    expect(earliestOf(addSightings(healed, [refused(id, doubt + HOUR)], NOW))).toBeUndefined()
  })

  it('is what it would be if all were kept, or is not told', () => {
    const step = fc.record({
      first: fc.nat(9000),
      count: fc.integer({ min: 1, max: 900 }),
      stride: fc.constantFrom(1, 7),
      days: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 6 }), (steps) => {
        let sample = many
        const ends = new Map<number, number>()
        let wasCrowded = false
        for (const { first, count, stride, days } of steps) {
          const ids = range(count).map((index) => (first + index * stride) % 10_000)
          const ending = (id: number): number => NOW + (days ?? 0) * DAY + (id % 977) * HOUR
          const requests = ids.map((id) =>
            days === undefined ? seen(id, { expiresAtSeconds: undefined }) : refused(id, ending(id)),
          )
          sample = addSightings(sample, requests, NOW)
          for (const id of ids) {
            if (days === undefined) ends.delete(id)
            else ends.set(id, ending(id))
          }
          wasCrowded ||= sample.refused.crowdedOut.size > 0
          const all = [...ends.values()]
          const told = earliestOf(sample)
          if (told !== undefined || !wasCrowded)
            expect(told).toBe(all.length === 0 ? undefined : Math.min(...all))
        }
      }),
      { numRuns: 60 },
    )
  })

  it('is not told for a month by what an exporter kept that did not know of the others', () => {
    const { refused: _others, ...earlier } = JSON.parse(JSON.stringify(sampleJson(many))) as Record<
      string,
      unknown
    >
    const sample = sampleFrom(earlier)
    if (sample === undefined) throw new Error('refused')
    const few = range(50).map((id) => refused(id, hours(id + 1)))
    expect(earliestOf(addSightings(sample, few, NOW))).toBeUndefined()
    const now = NOW + 32 * DAY
    const later = range(50).map((id) => refused(id, hours(id) + 40 * DAY, now))
    expect(earliestOf(addSightings(sample, later, now), now)).toBe(hours(0) + 40 * DAY)
  })
})

describe('the file form', () => {
  const busy = sampleOf([
    ...range(50).map((id) => seen(id)),
    seen(1, { name: 'other', product: 'office', answered: false }),
    seen(3, { expiresAtSeconds: undefined, name: '' }),
  ])

  it('comes back as it was', () => {
    expect(sampleFrom(JSON.parse(JSON.stringify(sampleJson(busy))))).toEqual(busy)
    const crowd = range(9000).map((id) => seen(id, { answered: false, expiresAtSeconds: NOW + id }))
    const crowded = sampleOf(crowd)
    expect(crowded.refused.crowdedOut.size).toBe(1)
    expect(sampleFrom(JSON.parse(JSON.stringify(sampleJson(crowded))))).toEqual(crowded)
  })

  it('holds no client id and no name', () => {
    const text = JSON.stringify(sampleJson(sampleOf([seen('cafe0000-1111', { name: 'secretary-pc' })])))
    expect(text).not.toMatch(/cafe|secretary/)
  })

  it('stays below 600 bytes a client', () => {
    const full = sampleOf(
      range(4096).flatMap((id) =>
        ['a', 'b', 'c', 'd', 'e'].map((product) => seen(id, { product, name: product })),
      ),
    )
    expect(full.clients.size).toBe(4096)
    expect(JSON.stringify(sampleJson(full)).length).toBeLessThan(4096 * 600)
  })

  it('is refused when anything about it is odd', () => {
    const good = JSON.parse(JSON.stringify(sampleJson(busy))) as Record<string, unknown>
    const [client] = good['clients'] as unknown[][]
    const bad = (change: object): unknown => sampleFrom({ ...good, ...change })
    expect(sampleFrom(good)).toEqual(busy)
    const { refused: _others, ...earlier } = good
    expect(sampleFrom(earlier)).toEqual(busy)
    const entry = ['00000000000000ff 7', NOW, NOW]
    expect(bad({ refused: { listed: [entry], crowdedOut: [[20_000, NOW]] } })).toBeDefined()
    expect(bad({ refused: null })).toBeUndefined()
    expect(bad({ refused: { listed: range(513).map(() => entry), crowdedOut: [] } })).toBeUndefined()
    expect(bad({ refused: { listed: [['x', NOW, NOW]], crowdedOut: [] } })).toBeUndefined()
    expect(bad({ refused: { listed: [], crowdedOut: [[0.5, NOW]] } })).toBeUndefined()
    expect(bad({ level: 3 })).toBeUndefined()
    expect(bad({ level: -1 })).toBeUndefined()
    expect(bad({ salt: 1 })).toBeUndefined()
    expect(bad({ sinceSeconds: null })).toBeUndefined()
    expect(bad({ clients: {} })).toBeUndefined()
    expect(bad({ clients: [['x', ...(client ?? []).slice(1)]] })).toBeUndefined()
    expect(bad({ clients: Array(4097).fill(client) })).toBeUndefined()
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(3), (given, entry) => {
        const json: unknown = JSON.parse(JSON.stringify(given))
        expect(sampleFrom(json)).toBeUndefined()
        expect(bad({ clients: [json] })).toBeUndefined()
        const changed = (client ?? []).map((value, index) => (index === entry ? json : value))
        // Whatever is taken is written again as it was read.
        const taken = bad({ clients: [changed] }) as ClientSample | undefined
        if (taken !== undefined)
          expect(sampleFrom(JSON.parse(JSON.stringify(sampleJson(taken))))).toEqual(taken)
      }),
    )
  })
})
