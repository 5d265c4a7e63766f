// Time that a test moves by hand, for what waits for a deadline.
import { afterEach, beforeEach, vi } from 'vitest'

/** For all tests of a file. */
export function timeByHand(): void {
  beforeEach(() => {
    vi.useFakeTimers()
    // The turn of the event loop that an expiry waits for: what it is good for is shown in io/tcp.test.ts, on a real one.
    vi.stubGlobal('setImmediate', (work: (...all: unknown[]) => void, ...all: unknown[]) => work(...all))
  })
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.useRealTimers()
  })
}
