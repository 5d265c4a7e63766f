import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createLogonGuard,
  type Hold,
  type LogonGuard,
  type Outcome,
  type Trial,
} from '../../../src/io/windows/logon-guard.ts'

const MINUTE = 60
const WALL = 1_700_000_000

function guarded() {
  let now = 1_000
  const guard = createLogonGuard({ monotonicSeconds: () => now, wallSeconds: () => WALL + now })
  const holdAt = (host: string, version = 'v1'): Hold | undefined => guard.held('reader', version, host)
  return {
    guard,
    pass: (seconds: number) => void (now += seconds),
    now: () => now,
    why: (host: string) => holdAt(host)?.why,
    /** Minutes until it may be tried again; 0 when it may be now. */
    held: (host: string, version = 'v1') => {
      const hold = holdAt(host, version)
      return hold === undefined ? 0 : (hold.until - WALL - now) / MINUTE
    },
    attempt: (outcome: Outcome, host: string, version = 'v1') => trialOf(guard, host, version).end(outcome),
  }
}

function trialOf(guard: LogonGuard, host: string, version = 'v1'): Trial {
  const permission = guard.ask('reader', version, host)
  if (!('trial' in permission)) throw new Error('not permitted', { cause: permission })
  return permission.trial
}

describe('a refused logon', () => {
  it('is tried at that host twice within minutes, and then no more until a directory has forgotten both', () => {
    const { attempt, held, pass, why } = guarded()
    for (const minutes of [5, 65, 130, 260, 520, 1040, 1440, 1440]) {
      attempt('refused', 'a')
      expect(why('a')).toBe('refused')
      // Those who are held everywhere are held a little longer where they were refused.
      const hold = held('a')
      expect([minutes, minutes + 5]).toContain(hold)
      pass(hold * MINUTE - 1)
      expect(held('a')).toBeCloseTo(1 / 60)
      pass(1)
      expect(held('a')).toBe(0)
    }
  })

  it('by a second host is held back everywhere, for the other hosts first', () => {
    const { attempt, held, why } = guarded()
    attempt('refused', 'a')
    expect([held('a'), held('b')]).toEqual([5, 0])
    attempt('refused', 'b')
    expect([held('c'), why('c')]).toEqual([65, 'elsewhere'])
    expect([held('a'), held('b'), why('a')]).toEqual([70, 70, 'refused'])
  })

  it('leaves one trial when that time is over, and twice the time after it', async () => {
    const { guard, attempt, held, pass } = guarded()
    for (const host of ['a', 'b']) attempt('refused', host)
    pass(65 * MINUTE)
    const trial = trialOf(guard, 'c')
    const other = guard.ask('reader', 'v1', 'd')
    if (!('wait' in other)) throw new Error('does not wait')
    trial.end('refused')
    await other.wait
    expect(held('d')).toBe(130)
    pass(130 * MINUTE)
    attempt('accepted', 'd')
    // Who refused once may have done so because the password was wrong; it is good now.
    expect([held('a'), held('b'), held('c'), held('e')]).toEqual([5, 5, 5, 0])
  })

  it('by a host that refuses what others accept stays held there', () => {
    const { attempt, held, pass } = guarded()
    attempt('refused', 'a')
    attempt('accepted', 'b')
    pass(5 * MINUTE)
    attempt('refused', 'a')
    attempt('accepted', 'c')
    expect([held('a'), held('b'), held('d')]).toEqual([65, 0, 0])
    attempt('refused', 'd')
    expect([held('d'), held('e')]).toEqual([5, 0])
  })

  it('says until when by the wall clock', () => {
    const { guard, attempt } = guarded()
    attempt('refused', 'a')
    expect(guard.ask('reader', 'v1', 'a')).toEqual({
      hold: { until: WALL + 1_000 + 5 * MINUTE, why: 'refused' },
    })
  })

  it('of one account is nothing to another', () => {
    const { guard, attempt } = guarded()
    attempt('refused', 'a')
    expect(guard.held('other', 'v1', 'a')).toBeUndefined()
  })

  it('of a logon that held until then counts as one', () => {
    const { guard, attempt, held } = guarded()
    attempt('accepted', 'a')
    guard.judge('reader', 'v1', 'a', 'refused')
    expect(held('a')).toBe(5)
  })

  it('makes an account that was good one of which nothing is known', () => {
    const { guard, attempt } = guarded()
    attempt('accepted', 'a')
    attempt('refused', 'b')
    const trial = trialOf(guard, 'c')
    expect('wait' in guard.ask('reader', 'v1', 'd')).toBe(true)
    trial.end('accepted')
    for (const host of ['e', 'f', 'g']) trialOf(guard, host)
  })

  it('begins anew after a success at that host', () => {
    const { attempt, held, pass } = guarded()
    attempt('refused', 'a')
    pass(5 * MINUTE)
    attempt('accepted', 'a')
    attempt('refused', 'a')
    expect(held('a')).toBe(5)
  })
})

describe('a changed secret', () => {
  it('begins with nothing held against it', () => {
    const { attempt, held } = guarded()
    for (const host of ['a', 'b']) attempt('refused', host)
    expect([held('a'), held('d')]).toEqual([70, 65])
    expect([held('a', 'v2'), held('d', 'v2')]).toEqual([0, 0])
  })

  it('does not lose what is held against it to a late refusal of the old one', () => {
    const { guard, attempt, held } = guarded()
    const late = trialOf(guard, 'a', 'v1')
    for (const host of ['a', 'b']) attempt('refused', host, 'v2')
    late.end('refused')
    guard.judge('reader', 'v1', 'c', 'refused')
    guard.held('reader', 'v1', 'c')
    expect([held('a', 'v2'), held('d', 'v2')]).toEqual([70, 65])
  })

  it('does not make a memory of all that came before', () => {
    const { guard, attempt, held } = guarded()
    attempt('refused', 'a', 'old')
    for (let index = 0; index < 5; index++) guard.held('reader', `v${index}`, 'a')
    // Not held everywhere, and nobody waits: forgotten.
    expect(held('a', 'old')).toBe(0)
  })
})

describe('a logon that nobody answered', () => {
  it('of an account that is not known to be good may have been counted: it is held there, and after three everywhere', () => {
    const { attempt, held, pass, why } = guarded()
    attempt('unheard', 'a')
    expect([held('a'), why('a'), held('b')]).toEqual([5, 'unheard', 0])
    attempt('unheard', 'b')
    pass(5 * MINUTE)
    attempt('unheard', 'a')
    expect([held('c'), why('c')]).toEqual([65, 'elsewhere'])
  })

  it('of an account that was accepted just now is the fault of the host', () => {
    const { attempt, held } = guarded()
    attempt('accepted', 'a')
    for (let turn = 0; turn < 5; turn++) attempt('unheard', 'b')
    expect(held('b')).toBe(0)
  })

  it('does not keep other hosts from being asked', () => {
    const { attempt, held } = guarded()
    attempt('unheard', 'a')
    attempt('unheard', 'b')
    attempt('accepted', 'c')
    expect([held('a'), held('b')]).toEqual([5, 5])
    expect(held('d')).toBe(0)
  })
})

describe('a logon that no directory counts', () => {
  it('is held back at that host alone, up to an hour', () => {
    const { attempt, held, pass } = guarded()
    for (const host of ['a', 'b', 'c']) attempt('not_taken', host)
    expect([held('a'), held('d')]).toEqual([5, 0])
    for (const minutes of [5, 10, 20, 40, 60, 60]) {
      expect(held('a')).toBe(minutes)
      pass(minutes * MINUTE)
      attempt('not_taken', 'a')
    }
  })

  it('and was answered by something else proves nothing either way', () => {
    const { attempt, held } = guarded()
    attempt('refused', 'a')
    attempt('unjudged', 'b')
    expect([held('a'), held('b')]).toEqual([5, 0])
    attempt('refused', 'b')
    expect(held('c')).toBe(65)
  })

  it('is a success once the first answer shows it', () => {
    const { guard, attempt } = guarded()
    attempt('refused', 'a')
    attempt('unjudged', 'b')
    guard.judge('reader', 'v1', 'b', 'accepted')
    for (const host of ['c', 'd', 'e']) trialOf(guard, host)
  })
})

describe('an account of which nothing is known', () => {
  it('is tried at two hosts at a time; the others wait to hear of it', async () => {
    const { guard } = guarded()
    const [first, second] = [trialOf(guard, 'a'), trialOf(guard, 'b')]
    const third = guard.ask('reader', 'v1', 'c')
    if (!('wait' in third)) throw new Error('does not wait')
    first.end('accepted')
    await third.wait
    // Good now: as many as like.
    for (const host of ['c', 'd', 'e', 'f']) trialOf(guard, host)
    second.end('accepted')
  })

  it('is one that was good an hour ago: its password may have been changed since, and a hundred hosts may ask at once', () => {
    const { guard, attempt, pass } = guarded()
    attempt('accepted', 'a')
    pass(60 * MINUTE)
    for (const host of ['a', 'b']) trialOf(guard, host)
    expect('wait' in guard.ask('reader', 'v1', 'c')).toBe(true)
  })

  it('is not known any better after logons that prove nothing', () => {
    const { guard, held } = guarded()
    const [first, second] = [trialOf(guard, 'a'), trialOf(guard, 'b')]
    first.end('unjudged')
    first.end('unjudged')
    expect(held('a')).toBe(0)
    trialOf(guard, 'c')
    expect('wait' in guard.ask('reader', 'v1', 'd')).toBe(true)
    second.end('unjudged')
  })
})

describe('a directory that locks accounts out', () => {
  const HOSTS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']

  /** The most that a directory comes to count, when it forgets so long after the last failure. */
  function mostCounted(failures: readonly number[], forgetsAfter: number): number {
    let [count, last, most] = [0, -Infinity, 0]
    for (const at of failures) {
      count = at - last > forgetsAfter ? 1 : count + 1
      last = at
      most = Math.max(most, count)
    }
    return most
  }

  it.each([10, 15, 30, 60].flatMap((window) => [1, 2, 3, 5, 10].map((hosts) => [window, hosts] as const)))(
    'with a window of %d minutes counts two failures of a wrong password at most, over %d hosts that are asked every 30 seconds for three days',
    (window, count) => {
      const { guard, pass, now } = guarded()
      const failures: number[] = []
      for (let round = 0; round < 3 * 24 * 120; round++) {
        for (const host of HOSTS.slice(0, count)) {
          const permission = guard.ask('reader', 'v1', host)
          if (!('trial' in permission)) continue
          failures.push(now())
          permission.trial.end('refused')
        }
        pass(30)
      }
      expect(failures.length).toBeGreaterThan(2)
      expect(mostCounted(failures, window * MINUTE)).toBe(2)
    },
  )

  it('never counts more than three, whatever hosts come when, and though half of them never answer', () => {
    const arrival = fc.record({
      host: fc.constantFrom(...HOSTS),
      after: fc.oneof(fc.nat(120), fc.nat(7_200)),
      outcome: fc.constantFrom<Outcome>('refused', 'unheard', 'not_taken', 'unjudged'),
      // Answers come late: so many more are asked before it.
      late: fc.nat(3),
    })
    fc.assert(
      fc.property(fc.array(arrival, { minLength: 20, maxLength: 300 }), (arrivals) => {
        const { guard, pass, now } = guarded()
        const failures: number[] = []
        let open: { readonly end: () => void; due: number }[] = []
        for (const { host, after, outcome, late } of arrivals) {
          pass(after)
          for (const each of open) each.due--
          for (const each of open.filter(({ due }) => due < 0)) each.end()
          open = open.filter(({ due }) => due >= 0)
          const permission = guard.ask('reader', 'v1', host)
          if (!('trial' in permission)) continue
          const { trial } = permission
          if (outcome === 'refused' || outcome === 'unheard') failures.push(now())
          open.push({ end: () => trial.end(outcome), due: late })
        }
        expect(mostCounted(failures, 60 * MINUTE)).toBeLessThanOrEqual(3)
      }),
      { numRuns: 300 },
    )
  })
})
