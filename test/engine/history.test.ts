// The last hours of a host: one point a minute, bounded, and not torn by a wall clock that is set.
import { describe, expect, it } from 'vitest'
import { countOf, createHistory, observe, slowest, type Observation } from '../../src/engine/history.ts'
import { probes } from '../../src/probes/index.ts'
import { around, closed, kms, licensingReading, product } from '../diagnosis/scene.ts'
import { answered, estate, EVERYTHING, failed, first } from '../views/scenes.ts'

const all = estate(EVERYTHING)
const portTarget = first(probes.port.targets(all))
const licensingTarget = first(probes.licensing.targets(all))

const NOTHING: Observation = {
  serving: undefined,
  connectSeconds: undefined,
  bindSeconds: undefined,
  driftSeconds: undefined,
  driftUncertaintySeconds: undefined,
  clients: undefined,
  requiredClients: undefined,
}

/** Minutes count from one that is no multiple of the ring. */
const START_SECONDS = 1_234 * 60

function begin() {
  const time = { monotonic: START_SECONDS, wall: 1_800_000_000 }
  const clock = { monotonicSeconds: () => time.monotonic, wallSeconds: () => time.wall }
  const history = createHistory(clock)
  const pass = (seconds: number): void => {
    time.monotonic += seconds
    time.wall += seconds
  }
  const note = (changes: Partial<Observation>, host = 'a'): void =>
    history.note(host, { ...NOTHING, ...changes })
  const trail = (host = 'a') => {
    const seen = history.trail(host)
    if (seen === undefined) throw new Error('there is no trail')
    return seen
  }
  return { history, time, pass, note, trail }
}

const known = (values: Float32Array): readonly (number | undefined)[] =>
  [...values].map((value) => (Number.isNaN(value) ? undefined : value))

/** To two digits, as the page has them. */
const rounded = (values: Float32Array): readonly (number | undefined)[] =>
  known(values).map((value) => (value === undefined ? undefined : Number(value.toPrecision(2))))

describe('the last hours', () => {
  it('are nothing of a host that nobody noted, and of one that is forgotten', () => {
    const { history, note } = begin()
    expect(history.trail('a')).toBeUndefined()
    note({ serving: true })
    expect(history.trail('a')?.serving).toEqual([true])
    history.forget('a')
    expect(history.trail('a')).toBeUndefined()
  })

  it('have a point a minute, in which what was known last stands until there is news', () => {
    const { note, pass, trail } = begin()
    note({ serving: true, clients: 10 })
    pass(180)
    note({ serving: false, clients: 11 })
    expect(trail().serving).toEqual([true, true, true, false])
    expect(known(trail().values.clients)).toEqual([10, 10, 10, 11])
    pass(60)
    expect(trail().serving).toEqual([true, true, true, false, false])
  })

  it('have the worst state of a minute, also of one that began badly', () => {
    const { note, pass, trail } = begin()
    note({ serving: true })
    note({ serving: undefined })
    note({ serving: true })
    pass(60)
    note({ serving: false })
    note({ serving: undefined })
    pass(60)
    note({ serving: true })
    pass(60)
    note({ serving: true })
    // It began the third minute in doubt, as the second had ended.
    expect(trail().serving).toEqual([undefined, false, undefined, true])
  })

  it('have the longest latency of a minute, and the latest of the rest', () => {
    const { note, pass, trail } = begin()
    note({ connectSeconds: 1, bindSeconds: 4, driftSeconds: 5 })
    note({ connectSeconds: 3, bindSeconds: undefined, driftSeconds: 2 })
    note({ connectSeconds: 2, bindSeconds: 3, driftSeconds: undefined })
    pass(60)
    note({ connectSeconds: 1 })
    const { values } = trail()
    expect(rounded(values.connectSeconds)).toEqual([3, 1])
    expect(rounded(values.bindSeconds)).toEqual([4, undefined])
    expect(known(values.driftSeconds)).toEqual([undefined, undefined])
  })

  it('have a gap where nothing was known, before a value as well as after it', () => {
    const { note, pass, trail } = begin()
    note({ serving: true })
    pass(60)
    note({ serving: true, clients: 7 })
    pass(60)
    note({ serving: true })
    expect(known(trail().values.clients)).toEqual([undefined, 7, undefined])
    expect(known(trail().values.requiredClients)).toEqual([undefined, undefined, undefined])
  })

  it('are six at most, and the oldest go first', () => {
    const { note, pass, trail } = begin()
    for (let minute = 0; minute < 500; minute += 1) {
      note({ serving: minute % 7 !== 0, clients: minute })
      if (minute < 499) pass(60)
    }
    const { serving, values, fromSeconds, stepSeconds } = trail()
    expect([serving.length, stepSeconds]).toEqual([360, 60])
    expect(known(values.clients)).toEqual(Array.from({ length: 360 }, (_, index) => 140 + index))
    expect(fromSeconds).toBe(1_800_000_000 + 140 * 60)
    // Nothing for a day: what was known last still stands, and nothing older is left.
    pass(86_400)
    expect(new Set(known(trail().values.clients))).toEqual(new Set([499]))
    expect(trail().serving).toHaveLength(360)
  })

  it.each([-86_400, 7_200])('are moved, not torn, by a wall clock that is set by %d s', (step) => {
    const { note, pass, time, trail } = begin()
    note({ serving: true, clients: 1 })
    pass(120)
    note({ serving: false, clients: 2 })
    const before = trail()
    time.wall += step
    expect(trail()).toEqual({ ...before, fromSeconds: before.fromSeconds + step })
    pass(60)
    note({ serving: true, clients: 3 })
    expect(known(trail().values.clients)).toEqual([1, 1, 2, 3])
  })

  it('are kept apart', () => {
    const { note, trail } = begin()
    note({ clients: 1 }, 'a')
    note({ clients: 2 }, 'b')
    expect([...trail('a').values.clients, ...trail('b').values.clients]).toEqual([1, 2])
  })

  it('have what was known at the end of a minute in those in which nobody was noted', () => {
    const { note, pass, trail } = begin()
    note({ serving: false, connectSeconds: 3, driftSeconds: 7 })
    note({ serving: true, connectSeconds: 1, driftSeconds: 8 })
    pass(180)
    expect(rounded(trail().values.connectSeconds)).toEqual([3, 1, 1, 1])
    expect(rounded(trail().values.driftSeconds)).toEqual([8, 8, 8, 8])
    expect(trail().serving).toEqual([false, true, true, true])
  })

  it('have the exact numbers of now', () => {
    const { note, pass, trail } = begin()
    for (const driftSeconds of [-1234.5, 1234.5]) {
      note({ driftSeconds, connectSeconds: 0.123 })
      expect(trail().values.driftSeconds.at(-1)).toBe(driftSeconds)
      expect(trail().values.connectSeconds.at(-1)).toBe(Math.fround(0.123))
      pass(60)
    }
  })

  it('are not those of a host that was forgotten and had the same place', () => {
    const { history, note, pass, trail } = begin()
    note({ serving: false, bindSeconds: 1, clients: 1 }, 'a')
    pass(120)
    history.forget('a')
    history.forget('a')
    note({ serving: true }, 'b')
    note({ serving: true, bindSeconds: 3, clients: 2 }, 'c')
    pass(60)
    expect(trail('b').serving).toEqual([true, true])
    expect(known(trail('b').values.bindSeconds)).toEqual([undefined, undefined])
    expect(known(trail('b').values.clients)).toEqual([undefined, undefined])
    expect(known(trail('c').values.clients)).toEqual([2, 2])
    expect(rounded(trail('c').values.bindSeconds)).toEqual([3, 3])
  })

  it('take 2.5 KB a host when they are full, and next to nothing before', () => {
    const { history, note, pass } = begin()
    const seen = { connectSeconds: 1, bindSeconds: 1, driftSeconds: 1, driftUncertaintySeconds: 1 }
    const hosts = Array.from({ length: 1_000 }, (_, index) => `host${index}`)
    const before = process.memoryUsage().arrayBuffers
    const each = (): number => (process.memoryUsage().arrayBuffers - before) / hosts.length
    for (const host of hosts) note({ ...seen, clients: 1 }, host)
    pass(60)
    for (const host of hosts) note(seen, host)
    expect(each()).toBeLessThan(20)
    for (let minute = 2; minute < 360; minute += 1) {
      pass(60)
      history.note('host0', { ...NOTHING, ...seen })
    }
    expect(each()).toBeLessThan(2_600)
    expect(history.trail('host999')?.serving).toHaveLength(360)
  })
})

describe('what is noted', () => {
  it('is the slowest address that answers, the drift, and the count', () => {
    const port = answered('port', portTarget, {
      addresses: [kms, { ...kms, connectSeconds: 0.5, bindSeconds: 0.25 }, closed('connect_refused')],
    })
    const licensing = answered('licensing', licensingTarget, licensingReading({ products: [product()] }))
    expect(observe({ serving: true, drift: around(2, 0.5) }, port, licensing)).toEqual({
      serving: true,
      connectSeconds: 0.5,
      bindSeconds: 0.25,
      driftSeconds: 2,
      driftUncertaintySeconds: 0.5,
      clients: 50,
      requiredClients: 25,
    })
  })

  it('is nothing where nobody answers', () => {
    expect(observe({ serving: undefined, drift: undefined }, undefined, undefined)).toEqual(NOTHING)
    const port = failed('port', portTarget)
    const licensing = failed('licensing', licensingTarget)
    expect(observe({ serving: undefined, drift: undefined }, port, licensing)).toEqual(NOTHING)
    const refused = answered('port', portTarget, { addresses: [closed('connect_refused')] })
    expect(slowest(refused, 'connectSeconds')).toBeUndefined()
  })

  it('is of several keys the one that is nearest to what it takes', () => {
    const counted = (...products: readonly ReturnType<typeof product>[]) =>
      countOf(licensingReading({ products }).kms)
    const office = product({ product: 'office2021', currentClients: 6, requiredClients: 5 })
    expect(counted(product(), office)).toEqual({ product: 'office2021', clients: 6, required: 5 })
    const silent = product({ currentClients: undefined })
    expect(counted(silent)).toBeUndefined()
    const open = product({ product: 'other', currentClients: 1, requiredClients: undefined })
    expect(counted(open, office)?.product).toBe('office2021')
    expect(counted(open)).toEqual({ product: 'other', clients: 1, required: undefined })
    expect(countOf(undefined)).toBeUndefined()
  })
})
