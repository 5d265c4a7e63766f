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

function expire(deadline: OneDeadline): void {
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

/** Ends with the other one, or before it when it is closed. Costs no timer. */
export function within(outer: Deadline): Deadline {
  const deadline = new OneDeadline(performance.now() + outer.remainingSeconds() * 1000)
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
