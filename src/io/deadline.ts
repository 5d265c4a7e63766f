// One deadline a visit. It owns whatever the visit opens, and ends all of it at once: when time is up, when the visit
// is over, or when it is called off. One timer a visit costs far less than an AbortSignal a socket.

export type Ending = 'expired' | 'closed'

export interface Deadline {
  readonly ended: boolean
  remainingSeconds(): number
  /** `release` is called once, when the deadline ends (at once if it has). Returns a function that lets go of it. */
  own(release: (ending: Ending) => void): () => void
  /** Ends it early. Idempotent. */
  close(): void
}

type Release = (ending: Ending) => void

/** A class, for one is made for every visit: closures and a getter for each would be most of what a visit allocates. */
class OneDeadline implements Deadline {
  readonly #endsAt: number
  /** Few at any one time. */
  readonly #owned: Release[] = []
  #ending: Ending | undefined
  timer: NodeJS.Timeout | undefined

  constructor(endsAt: number) {
    this.#endsAt = endsAt
  }

  get ended(): boolean {
    return this.#ending !== undefined
  }

  remainingSeconds(): number {
    return Math.max(0, (this.#endsAt - performance.now()) / 1000)
  }

  own(release: Release): () => void {
    if (this.#ending !== undefined) {
      release(this.#ending)
      return () => {}
    }
    const owned = this.#owned
    owned.push(release)
    return () => {
      const at = owned.indexOf(release)
      if (at !== -1) owned.splice(at, 1)
    }
  }

  close(): void {
    this.end('closed')
  }

  end(why: Ending): void {
    if (this.#ending !== undefined) return
    this.#ending = why
    clearTimeout(this.timer)
    const owned = this.#owned
    // One that is let go of meanwhile is not called.
    for (let release = owned.shift(); release !== undefined; release = owned.shift()) release(why)
  }
}

/**
 * A process that was held up runs its timers before it hears what has come meanwhile: first heard, then judged. Otherwise a
 * busy exporter would call hosts silent whose answers lie in its own sockets.
 */
function expire(deadline: OneDeadline): void {
  setImmediate(expireNow, deadline)
}

function expireNow(deadline: OneDeadline): void {
  deadline.end('expired')
}

export function createDeadline(seconds: number): Deadline {
  const deadline = new OneDeadline(performance.now() + seconds * 1000)
  deadline.timer = setTimeout(expire, Math.max(0, seconds * 1000), deadline)
  return deadline
}

/** Ends when it is closed, and never by itself. */
export function createEnd(): Deadline {
  return new OneDeadline(Infinity)
}

/** Ends with the other one, or before it when it is closed. Costs no timer unless it has `seconds` of its own. */
export function within(outer: Deadline, seconds?: number): Deadline {
  const most = Math.min(seconds ?? Infinity, outer.remainingSeconds())
  const deadline = new OneDeadline(performance.now() + most * 1000)
  if (seconds !== undefined) deadline.timer = setTimeout(expire, most * 1000, deadline)
  const letGo = outer.own((why) => deadline.end(why))
  deadline.own(letGo)
  return deadline
}

/** The same promise, given up when the deadline ends: not all that is waited for can be called off. */
export function heldTo<T>(deadline: Deadline, promise: Promise<T>, tooLate: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const letGo = deadline.own(() => reject(tooLate()))
    promise.then(
      (value) => {
        letGo()
        resolve(value)
      },
      (error: unknown) => {
        letGo()
        reject(error instanceof Error ? error : new Error(String(error)))
      },
    )
  })
}
