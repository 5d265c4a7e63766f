// Looks after the daemon from within, once a second: says when the schedule has come to a standstill, and when the process
// was held up and answered nobody; and tells systemd that all is well for just as long as it is.
import type { Supervisor } from '../io/systemd.ts'
import type { Log } from '../model/log.ts'

const LOOK_SECONDS = 1
const HELD_UP_SECONDS = 3

export interface Watched {
  /** What is wrong; undefined when nothing is. */
  standstill(): string | undefined
}

/** Returns what ends it. */
export function watch(daemon: Watched, supervisor: Supervisor | undefined, log: Log): () => void {
  // Half of the time in which a word is waited for.
  const waited = supervisor?.watchdogSeconds
  const pingSeconds = waited === undefined ? undefined : waited / 2
  const lookSeconds = Math.min(LOOK_SECONDS, pingSeconds ?? LOOK_SECONDS)
  let lookedAt = performance.now()
  let pingedAt = -Infinity
  let saidWrong = false
  const timer = setInterval(() => {
    const now = performance.now()
    const heldUp = (now - lookedAt) / 1000 - lookSeconds
    lookedAt = now
    if (heldUp > HELD_UP_SECONDS)
      log.warn(
        { seconds: Number(heldUp.toFixed(1)) },
        'the process was held up, and answered nobody meanwhile',
      )
    const wrong = daemon.standstill()
    if (wrong !== undefined && !saidWrong) {
      log.error({ why: wrong }, 'the schedule has come to a standstill')
      supervisor?.tell(`STATUS=${wrong}`)
    }
    if (wrong === undefined && saidWrong) {
      log.info({}, 'the schedule goes on')
      supervisor?.tell('STATUS=the schedule goes on')
    }
    saidWrong = wrong !== undefined
    // A little early rather than a look late.
    if (pingSeconds === undefined || wrong !== undefined) return
    if (now - pingedAt < (pingSeconds - lookSeconds / 2) * 1000) return
    pingedAt = now
    supervisor?.tell('WATCHDOG=1')
  }, lookSeconds * 1000)
  return () => clearInterval(timer)
}
