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

export function createDeadline(seconds: number): Deadline {
  const endsAt = performance.now() + seconds * 1000
  const deadline = deadlineAt(endsAt)
  const timer = setTimeout(() => deadline.end('expired'), Math.max(0, seconds * 1000))
  deadline.own(() => clearTimeout(timer))
  return deadline
}

/** Ends with the other one, or before it when it is closed. Costs no timer. */
export function within(outer: Deadline): Deadline {
  const deadline = deadlineAt(performance.now() + outer.remainingSeconds() * 1000)
  const letGo = outer.own(deadline.end)
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

function deadlineAt(endsAt: number): Deadline & { readonly end: (why: Ending) => void } {
  /** Few at any one time. */
  const owned: ((ending: Ending) => void)[] = []
  let ending: Ending | undefined

  const end = (why: Ending): void => {
    if (ending !== undefined) return
    ending = why
    // One that is let go of meanwhile is not called.
    for (let release = owned.shift(); release !== undefined; release = owned.shift()) release(why)
  }
  return {
    end,
    get ended() {
      return ending !== undefined
    },
    remainingSeconds: () => Math.max(0, (endsAt - performance.now()) / 1000),
    own(release) {
      if (ending !== undefined) {
        release(ending)
        return () => {}
      }
      owned.push(release)
      return () => {
        const at = owned.indexOf(release)
        if (at !== -1) owned.splice(at, 1)
      }
    },
    close: () => end('closed'),
  }
}
