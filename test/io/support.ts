// What the tests of the io floor share: deadlines that end with their test, peers made of a few lines, and a look at
// what keeps the process alive. No protocol of its own.
import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { expect, onTestFinished } from 'vitest'
import { createDeadline, type Deadline } from '../../src/io/deadline.ts'
import { listenTcp, listenUdp, type Listener } from '../../src/lab/listener.ts'
import { ProbeFailure, type Reason } from '../../src/model/failure.ts'
import { during } from '../during.ts'

export const LOOPBACK = { address: '127.0.0.1', port: 0 }

/** Far longer than anything on loopback takes, and short enough for a test that waits for it in vain. */
export const AMPLE_SECONDS = 5

/** Closed when the test has ended. */
export function deadlineOf(seconds: number): Deadline {
  const deadline = createDeadline(seconds)
  onTestFinished(() => deadline.close())
  return deadline
}

export function tcpPeer(
  ...peer: Parameters<typeof listenTcp> extends [unknown, ...infer Rest] ? Rest : never
) {
  return during(listenTcp(LOOPBACK, ...peer))
}

export function udpPeer(onMessage: Parameters<typeof listenUdp>[1]): Promise<Listener> {
  return during(listenUdp(LOOPBACK, onMessage))
}

/** A port of 127.0.0.1 on which nobody listens, over TCP and UDP alike. */
export async function closedPort(): Promise<{ address: string; port: number }> {
  const tcp = await listenTcp(LOOPBACK, () => {})
  const udp = await listenUdp({ address: tcp.address, port: tcp.port }, () => {})
  await Promise.all([tcp.stop(), udp.stop()])
  return { address: tcp.address, port: tcp.port }
}

/** The failure that `attempt` ends with; anything else that it does is a failure of the test. */
export async function failureOf(attempt: Promise<unknown>): Promise<ProbeFailure> {
  const outcome = await attempt.then(
    (value: unknown) => ({ value }),
    (error: unknown) => ({ error }),
  )
  if ('error' in outcome && outcome.error instanceof ProbeFailure) return outcome.error
  throw new Error('neither an answer nor another error was expected', {
    cause: 'error' in outcome ? outcome.error : outcome.value,
  })
}

export async function reasonOf(attempt: Promise<unknown>): Promise<Reason> {
  return (await failureOf(attempt)).reason
}

const SOCKETS = /TCP|UDP|TLS|Connect|SendWrap|WriteWrap/

/** What keeps the process alive now and is of these kinds (sockets and servers, unless told), by kind. */
function openHandles(kinds = SOCKETS): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) {
    if (kinds.test(kind)) counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

/** The same, once what was closed before is gone: two looks a little apart see the same. */
export async function settledHandles(): Promise<Readonly<Record<string, number>>> {
  for (let seen = openHandles(); ;) {
    await pause(20)
    const now = openHandles()
    if (isDeepStrictEqual(seen, now)) return now
    seen = now
  }
}

/** Closing takes a few turns of the event loop, of which some belong to the peer. */
export async function expectHandles(
  before: Readonly<Record<string, number>>,
  kinds = SOCKETS,
): Promise<void> {
  const patienceEnds = performance.now() + 3_000
  while (!isDeepStrictEqual(openHandles(kinds), before) && performance.now() < patienceEnds) await pause(5)
  expect(openHandles(kinds)).toEqual(before)
}

/** Of a logon without a guard. */
export const UNGUARDED = { password: undefined, beforeProof: async (): Promise<void> => {} } as const
