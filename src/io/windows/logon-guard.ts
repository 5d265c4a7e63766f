// Accounts lock out after a few wrong passwords, wherever those were tried: a directory adds them up over all hosts, and
// forgets them some time after the last one. So what is refused is not tried again soon at that host, and after two
// refusals nowhere until a directory has forgotten them. A changed password, or a success, ends the waiting.
import type { Clock } from '../clock.ts'

const MINUTE = 60
const FIRST_HOLD_SECONDS = 5 * MINUTE
/** Longer than the windows in which policies count (10 to 60 minutes), each of which begins anew with every failure. */
const FORGOTTEN_SECONDS = 65 * MINUTE
/** Of holds that double. */
const MOST_HOLD_SECONDS = 24 * 60 * MINUTE
/** Of those that no directory counts. */
const MOST_UNCOUNTED_HOLD_SECONDS = 60 * MINUTE
/** Since the last success, by whatever hosts. */
const MOST_REFUSALS = 2
/** The same, with proofs that nobody answered: they may have been counted. */
const MOST_PROOFS = 3
/** An account that was accepted so lately is known to be good. Any other is tried at two hosts at a time, lest a hundred be asked before the first says no. */
const PROVEN_SECONDS = 5 * MINUTE
const MOST_UNPROVEN_TRIALS = 2

/**
 * `refused`: a proof was looked at, and counts against the account. `not_taken`: turned away, uncounted: a way to log on
 * that the host does not offer, a ticket or a certificate. `unheard`: the proof went out, and no answer came. `unjudged`:
 * answered by something that says nothing of the account.
 */
export type Outcome = 'accepted' | 'refused' | 'not_taken' | 'unheard' | 'unjudged'

export interface Trial {
  /** Once; later calls do nothing. */
  end(outcome: Outcome): void
}

export interface Hold {
  /** Wall clock, unix seconds. */
  readonly until: number
  /** `elsewhere`: whatever this host would say, others have refused the account. */
  readonly why: 'refused' | 'elsewhere' | 'not_taken' | 'unheard'
}

export type Permission =
  | { readonly trial: Trial }
  | { readonly hold: Hold }
  /** Ask again when it resolves. */
  | { readonly wait: Promise<void> }

/** `version` stands for the secret: each has its own record, so that a changed one begins anew. */
export interface LogonGuard {
  /** To be asked right before a proof goes out. */
  ask(account: string, version: string, host: string): Permission
  /** Undefined when `ask` may be asked. */
  held(account: string, version: string, host: string): Hold | undefined
  /** A logon that had ended is judged after all: by the first answer, or by a refusal of what held until now. */
  judge(account: string, version: string, host: string, outcome: 'accepted' | 'refused'): void
}

interface HostRecord {
  readonly why: Exclude<Hold['why'], 'elsewhere'>
  /** In a row. */
  readonly times: number
  /** Monotonic. */
  readonly until: number
}

interface Account {
  trials: number
  readonly hosts: Map<string, HostRecord>
  /** Monotonic. */
  acceptedAt: number
  /** Since then. */
  refusals: number
  unheard: number
  /** How often it has been held everywhere since then. */
  strikes: number
  /** Monotonic: everywhere. */
  until: number
  waiting: (() => void)[]
}

const doubled = (first: number, times: number, most: number): number =>
  Math.min(most, first * 2 ** Math.min(times, 30))

/** Two tries within minutes, and no more until both are forgotten: a host's own accounts lock out too. */
function holdSeconds(why: HostRecord['why'], times: number): number {
  if (why !== 'refused') return doubled(FIRST_HOLD_SECONDS, times - 1, MOST_UNCOUNTED_HOLD_SECONDS)
  return times === 1 ? FIRST_HOLD_SECONDS : doubled(FORGOTTEN_SECONDS, times - 2, MOST_HOLD_SECONDS)
}

export function createLogonGuard(clock: Clock): LogonGuard {
  const accounts = new Map<string, Map<string, Account>>()

  const accountOf = (name: string, version: string): Account => {
    const versions = accounts.get(name) ?? new Map<string, Account>()
    accounts.set(name, versions)
    const known = versions.get(version)
    if (known !== undefined) return known
    for (const [old, { trials, waiting, until }] of versions) {
      if (trials === 0 && waiting.length === 0 && until < clock.monotonicSeconds()) versions.delete(old)
    }
    const fresh: Account = {
      trials: 0,
      hosts: new Map(),
      acceptedAt: -Infinity,
      refusals: 0,
      unheard: 0,
      strikes: 0,
      until: -Infinity,
      waiting: [],
    }
    versions.set(version, fresh)
    return fresh
  }

  const holdOf = ({ until, hosts }: Account, host: string): Hold | undefined => {
    const record = hosts.get(host)
    const here = record?.until ?? -Infinity
    const seconds = Math.max(until, here) - clock.monotonicSeconds()
    if (seconds <= 0) return undefined
    return { until: clock.wallSeconds() + seconds, why: record && here >= until ? record.why : 'elsewhere' }
  }

  const isProven = ({ acceptedAt, refusals }: Account): boolean =>
    refusals === 0 && clock.monotonicSeconds() - acceptedAt <= PROVEN_SECONDS

  const holdHost = ({ hosts }: Account, host: string, why: HostRecord['why']): void => {
    const before = hosts.get(host)
    const times = before?.why === why ? before.times + 1 : 1
    hosts.set(host, { why, times, until: clock.monotonicSeconds() + holdSeconds(why, times) })
  }

  const holdEverywhere = (account: Account): void => {
    const { refusals, unheard, strikes, hosts } = account
    if (refusals < MOST_REFUSALS && refusals + unheard < MOST_PROOFS) return
    account.until = clock.monotonicSeconds() + doubled(FORGOTTEN_SECONDS, strikes, MOST_HOLD_SECONDS)
    account.strikes++
    // The first trial after it is somebody else's: it may be these hosts and not the account.
    const later = account.until + FIRST_HOLD_SECONDS
    for (const [name, record] of hosts)
      if (record.why !== 'not_taken' && record.until < later) hosts.set(name, { ...record, until: later })
  }

  const accepted = (account: Account, host: string): void => {
    const at = clock.monotonicSeconds()
    Object.assign(account, { acceptedAt: at, refusals: 0, unheard: 0, strikes: 0, until: -Infinity })
    account.hosts.delete(host)
    // Who has refused once may have done so when the password was wrong.
    for (const [name, record] of account.hosts)
      if (record.times === 1)
        account.hosts.set(name, { ...record, until: Math.min(record.until, at + FIRST_HOLD_SECONDS) })
  }

  const conclude = (account: Account, host: string, outcome: Outcome): void => {
    switch (outcome) {
      case 'accepted':
        return accepted(account, host)
      case 'refused':
        account.refusals++
        holdHost(account, host, 'refused')
        return holdEverywhere(account)
      case 'not_taken':
        return holdHost(account, host, 'not_taken')
      case 'unheard':
        // Of an account that is good it is the host that is slow.
        if (isProven(account)) return
        account.unheard++
        holdHost(account, host, 'unheard')
        return holdEverywhere(account)
      case 'unjudged':
        return
    }
  }

  const mostTrials = (account: Account): number => {
    if (isProven(account)) return Infinity
    return account.refusals + account.unheard > 0 ? 1 : MOST_UNPROVEN_TRIALS
  }

  return {
    held: (name, version, host) => holdOf(accountOf(name, version), host),
    ask(name, version, host) {
      const account = accountOf(name, version)
      const hold = holdOf(account, host)
      if (hold !== undefined) return { hold }
      if (account.trials >= mostTrials(account))
        return { wait: new Promise((resolve) => account.waiting.push(resolve)) }
      account.trials++
      let ended = false
      const end = (outcome: Outcome): void => {
        if (ended) return
        ended = true
        account.trials--
        conclude(account, host, outcome)
        account.waiting.splice(0).forEach((wake) => wake())
      }
      return { trial: { end } }
    },
    judge(name, version, host, outcome) {
      conclude(accountOf(name, version), host, outcome)
    },
  }
}
