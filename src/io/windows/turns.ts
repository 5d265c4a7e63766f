// One at a time, in order; whoever's time is up while waiting goes without.
import { ProbeFailure } from '../../model/failure.ts'
import type { Deadline } from '../deadline.ts'

export interface Turns {
  /** Somebody has the turn, or waits for it. */
  readonly busy: boolean
  /** Resolves with a function that hands the turn on. Rejects with ProbeFailure `timeout`. */
  take(deadline: Deadline): Promise<() => void>
}

/** `what` names what is waited for. */
export function createTurns(what: string): Turns {
  let taken = false
  const waiting = new Set<() => void>()

  const handOn = (): void => {
    taken = false
    const [next] = waiting
    next?.()
  }
  const giver = (): (() => void) => {
    taken = true
    let given = false
    return () => {
      if (given) return
      given = true
      handOn()
    }
  }

  return {
    get busy() {
      return taken || waiting.size > 0
    },
    async take(deadline) {
      if (!taken && waiting.size === 0) return giver()
      return new Promise((resolve, reject) => {
        const next = (): void => {
          waiting.delete(next)
          letGo()
          resolve(giver())
        }
        waiting.add(next)
        const letGo = deadline.own(() => {
          waiting.delete(next)
          reject(new ProbeFailure('timeout', `${what} was busy with other questions all the time`))
        })
      })
    },
  }
}
