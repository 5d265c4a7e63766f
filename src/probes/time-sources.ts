// Ways to read a host's clock, all but the last without credentials; each gives the interval in which its offset must lie.
//
// One exchange: we send at t0 and have the answer at t1, and the host stamped it with S, cut off to a resolution q.
// Then host minus exporter lies in [S - t1, S + q - t0], however unequal the two ways were.
import { randomBytes, randomUUID } from 'node:crypto'
import { steppedBetween, WALL_RESOLUTION_SECONDS, type Moment } from '../io/clock.ts'
import type { Deadline } from '../io/deadline.ts'
import type { HttpSession } from '../io/http.ts'
import type { Io } from '../io/io.ts'
import type { WindowsReader } from '../io/windows/windows.ts'
import { ProbeFailure } from '../model/failure.ts'
import type { Interval } from '../model/interval.ts'
import type { Endpoint } from '../model/target.ts'
import { datetimeOf } from '../protocol/cim.ts'
import { challengeFromHeader, decodeChallenge, encodeNegotiateMessage } from '../protocol/ntlm.ts'
import { decodeReply, encodeRequest } from '../protocol/ntp.ts'
import { decodeNegotiate, encodeNegotiate, frameNbss } from '../protocol/smb2.ts'
import { parseHttpDate } from '../protocol/time.ts'

/**
 * FILETIME counts 100 ns, but Windows may advance it only once a timer tick, 15.6 ms by default
 * (unverified on a real host: the wider bound is the safe one).
 */
const WINDOWS_TICK_SECONDS = 0.015_625

interface Exchanged {
  readonly sent: Moment
  readonly received: Moment
}

/** Rejects with ProbeFailure `internal_error` when our own clock was set meanwhile: such a sample says nothing. */
export function offsetInterval(
  stampSeconds: number,
  resolutionSeconds: number,
  { sent, received }: Exchanged,
): Interval {
  if (steppedBetween(sent, received)) {
    throw new ProbeFailure('internal_error', "the exporter's own clock was set during the measurement")
  }
  const elapsed = received.monotonicSeconds - sent.monotonicSeconds
  return {
    low: stampSeconds - (sent.wallSeconds + elapsed + WALL_RESOLUTION_SECONDS),
    high: stampSeconds + resolutionSeconds - sent.wallSeconds,
  }
}

/** From Node.js's stock of random UUIDs: drawing 16 bytes by themselves costs as much as asking for the time. */
function randomGuid(): Uint8Array {
  return Buffer.from(randomUUID().replaceAll('-', ''), 'hex')
}

/** MS-SMB2 2.2.4: SystemTime in the answer to NEGOTIATE, before any authentication. */
export async function askSmb2(endpoint: Endpoint, io: Io, deadline: Deadline): Promise<Interval> {
  const line = await io.dial(endpoint, deadline)
  const answer = await io.exchange(line, encodeNegotiate(randomGuid()), frameNbss, deadline)
  const { status, systemTimeSeconds } = decodeNegotiate(answer.bytes)
  if (systemTimeSeconds === undefined) {
    throw new ProbeFailure('protocol_error', `SMB2 NEGOTIATE gives no time (status 0x${status.toString(16)})`)
  }
  return offsetInterval(systemTimeSeconds, WINDOWS_TICK_SECONDS, answer)
}

/** RFC 5905 7.4; the other codes say why the server's clock is not synchronised. */
const REFUSALS: readonly string[] = ['DENY', 'RSTR', 'RATE']

/**
 * RFC 5905. The server's own holding time narrows the interval: [T3 - t1, T2 - t0]. An unsynchronised server (LI 3,
 * stratum 0) still stamps with its real clock, which is what we ask for. One that refuses may stamp with anything.
 */
export async function askNtp(endpoint: Endpoint, io: Io, deadline: Deadline): Promise<Interval> {
  const nonce = randomBytes(8)
  const answer = await io.askUdp(
    endpoint,
    encodeRequest(nonce),
    (bytes) => decodeReply(bytes, nonce),
    deadline,
  )
  const { receiveSeconds, transmitSeconds, kissCode } = answer.value
  if (kissCode !== undefined && REFUSALS.includes(kissCode))
    throw new ProbeFailure('protocol_error', `the NTP server refuses: kiss code ${kissCode}`)
  if (receiveSeconds === undefined || transmitSeconds === undefined) {
    const why = kissCode === undefined ? 'no time stamps' : `kiss code ${kissCode}`
    throw new ProbeFailure('protocol_error', `the NTP answer has ${why}`)
  }
  const low = offsetInterval(transmitSeconds, 0, answer).low
  const high = offsetInterval(receiveSeconds, 0, answer).high
  // A server whose clock was set between its two stamps contradicts itself; no interval is left.
  if (high < low) throw new ProbeFailure('protocol_error', 'the NTP answer contradicts itself')
  return { low, high }
}

/** LocalDateTime is cut off to a millisecond, of a clock that goes by ticks. */
const CIM_RESOLUTION_SECONDS = WINDOWS_TICK_SECONDS + 0.001

/** Win32_OperatingSystem.LocalDateTime; Windows' own work on the query widens the interval. */
export async function askCim(windows: WindowsReader): Promise<Interval> {
  const answer = await windows.query({ from: 'Win32_OperatingSystem', columns: ['LocalDateTime'] })
  const [row] = answer.rows
  const seconds = row && datetimeOf(row, 'LocalDateTime')
  if (seconds === undefined)
    throw new ProbeFailure('not_found', 'Win32_OperatingSystem gives no LocalDateTime')
  return offsetInterval(seconds, CIM_RESOLUTION_SECONDS, answer)
}

/** The same where LocalDateTime came along with other answers, which must not be lost: undefined when our clock was set. */
export function cimInterval(seconds: number, exchanged: Exchanged): Interval | undefined {
  if (steppedBetween(exchanged.sent, exchanged.received)) return undefined
  return offsetInterval(seconds, CIM_RESOLUTION_SECONDS, exchanged)
}

const MOST_BODY_BYTES = 64 * 1024

/** MS-NLMP 2.2.2.1: MsvAvTimestamp in the challenge. Only the first of three messages is sent: no logon is tried. */
export async function askNtlm(session: HttpSession): Promise<Interval> {
  const token = Buffer.from(encodeNegotiateMessage()).toString('base64')
  const answer = await session.ask(
    {
      method: 'POST',
      path: '/wsman',
      headers: { authorization: `Negotiate ${token}`, 'content-length': '0' },
    },
    MOST_BODY_BYTES,
  )
  const challenge = challengeFromHeader(answer.headers['www-authenticate'])
  if (challenge === undefined)
    throw new ProbeFailure('not_found', `no NTLM challenge in the HTTP ${answer.status} answer`)
  const { timestampSeconds } = decodeChallenge(challenge)
  if (timestampSeconds === undefined)
    throw new ProbeFailure('not_found', 'the NTLM challenge carries no time stamp')
  return offsetInterval(timestampSeconds, WINDOWS_TICK_SECONDS, answer)
}

/** RFC 9110 6.6.1: a Date on any answer, 401 and 404 too; cut off to a second. */
export async function askHttpDate(session: HttpSession): Promise<Interval> {
  const answer = await session.ask({ method: 'HEAD', path: '/wsman' }, MOST_BODY_BYTES)
  const date = answer.headers['date']
  const seconds = typeof date === 'string' ? parseHttpDate(date) : undefined
  if (seconds === undefined)
    throw new ProbeFailure('not_found', `no Date in the HTTP ${answer.status} answer`)
  return offsetInterval(seconds, 1, answer)
}

/** Narrow enough: what is left is no longer the Date's resolution but the network's. */
const NARROW_ENOUGH_SECONDS = 0.01

/**
 * Narrows a Date's second: each further request is aimed to arrive when the host's second would turn over if its
 * offset were the midpoint, so that either answer halves the interval. Goes on while `wanted` says so and there is time.
 */
export async function narrowHttpDate(
  session: HttpSession,
  first: Interval,
  { io, deadline, wanted }: { io: Io; deadline: Deadline; wanted: () => boolean },
): Promise<Interval> {
  let known = first
  let roundTripSeconds = 0
  while (known.high - known.low > NARROW_ENOUGH_SECONDS + roundTripSeconds) {
    const guess = (known.low + known.high) / 2
    const aim = io.clock.wallSeconds() + roundTripSeconds / 2 + guess
    const waitSeconds = Math.ceil(aim) - aim
    if (deadline.remainingSeconds() < waitSeconds + 0.3) break
    await pause(waitSeconds, deadline)
    if (!wanted()) break
    const before = io.clock.monotonicSeconds()
    const next = await askHttpDate(session).catch(unlessUnanswered)
    // What is known stays known, though the host says no more.
    if (next === undefined) break
    roundTripSeconds = io.clock.monotonicSeconds() - before
    const low = Math.max(known.low, next.low)
    const high = Math.min(known.high, next.high)
    // Disjoint: the clock was set meanwhile, or the Date is a cached one. What the first answer said still stands.
    if (high < low) return first
    if (high - low > 0.9 * (known.high - known.low)) break
    known = { low, high }
  }
  return known
}

function unlessUnanswered(error: unknown): undefined {
  if (!(error instanceof ProbeFailure)) throw error
}

function pause(seconds: number, deadline: Deadline): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      letGo()
      resolve()
    }
    const timer = setTimeout(done, seconds * 1000)
    const letGo = deadline.own(done)
  })
}
