// A server whose clock is wrong: libfaketime shifts what the process reads as wall clock. Its monotonic clock, on which
// its time-outs rest, stays as it is, and so does the machine's own clock.
import { faketimeLibrary } from './need.ts'

/** Environment for a server whose clock is ahead of ours by `skewSeconds` (negative: behind). Empty when 0 or absent. */
export function skewed(skewSeconds = 0): Readonly<Record<string, string>> {
  if (skewSeconds === 0) return {}
  return {
    LD_PRELOAD: faketimeLibrary(),
    FAKETIME: `${skewSeconds > 0 ? '+' : ''}${skewSeconds}s`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  }
}

/**
 * Where libfaketime keeps the state of the process `pid` and those that it forks (names from its ft_shm_create). A process
 * ended by a signal leaves them behind, and a later process of the same number could not start.
 */
export function sharedState(pid: number): readonly string[] {
  return [`/dev/shm/faketime_shm_${pid}`, `/dev/shm/sem.faketime_sem_${pid}`]
}
