// Would the host refuse a request for its time stamp? KMS answers 0xC004F06C when client and host are more than four
// hours apart. Every source that answers without credentials is asked at once, and Windows itself where there is a way to
// it; a source that lies is one voice among several, and how they are reconciled is not decided here (see
// diagnosis/rules/drift.ts).
import type { ClockSource } from '../config/schema.ts'
import type { Host } from '../config/targets.ts'
import { within, type Deadline } from '../io/deadline.ts'
import type { HttpSession } from '../io/http.ts'
import { hasWindows, openWindows } from '../io/windows/open.ts'
import { detached } from '../model/detached.ts'
import { MalformedMessage, ProbeFailure, type Reason } from '../model/failure.ts'
import { halfWidth, midpoint, type Interval } from '../model/interval.ts'
import type { Metric } from '../model/metric.ts'
import { hostTarget, type HostTarget } from './host-target.ts'
import type { Probe, Visit } from './probe.ts'
import { askCim, askHttpDate, askNtlm, askNtp, askSmb2, narrowHttpDate } from './time-sources.ts'

export interface ClockSample {
  /** A source of this probe, or `windows_exporter`. */
  readonly source: string
  /** Host minus exporter. */
  readonly offset: Interval
}

export interface ClockReading {
  readonly address: string
  readonly samples: readonly ClockSample[]
  readonly failures: readonly { readonly source: string; readonly reason: Reason; readonly detail: string }[]
}

/** Most hosts answer only some of the sources; once one has answered, the silent ones get this long (but for `cim`). */
const PATIENCE_SECONDS = 1

/** The families that any probe with a clock sample exports. */
export function offsetMetrics<T>(
  samplesOf: (reading: T) => readonly ClockSample[],
): readonly [Metric<unknown, T>, Metric<unknown, T>] {
  return [
    {
      name: 'winkms_clock_offset_seconds',
      type: 'gauge',
      help: "The host's clock minus the exporter's own, by source; positive when the host is ahead. Not corrected by the references: winkms_clock_drift_seconds is.",
      labels: ['host', 'source'],
      samples: (reading, emit) => {
        for (const { source, offset } of samplesOf(reading)) emit(midpoint(offset), source)
      },
    },
    {
      name: 'winkms_clock_offset_uncertainty_seconds',
      type: 'gauge',
      help: 'Half the width of the interval in which the offset lies: the resolution of the source and the round trip.',
      labels: ['host', 'source'],
      samples: (reading, emit) => {
        for (const { source, offset } of samplesOf(reading)) emit(halfWidth(offset), source)
      },
    },
  ]
}

export function asFailure(error: unknown): ProbeFailure {
  if (error instanceof ProbeFailure) return error
  if (error instanceof MalformedMessage)
    return new ProbeFailure('protocol_error', error.message, { cause: error })
  throw error
}

async function addressOf(host: Host, visit: Visit): Promise<string> {
  const known = host.connectTo ?? host.addresses?.[0]
  if (known !== undefined) return known
  const [first] = await visit.io.dns.resolve(host.name, host.resolvers, visit.deadline)
  if (first === undefined) throw new ProbeFailure('resolve_nodata', `${host.name}: no address`)
  return first
}

/** Windows itself is asked only where the configuration says how. */
function sourcesOf(host: Host): readonly ClockSource[] {
  return host.probes.clock.sources.filter((source) => source !== 'cim' || hasWindows(host))
}

/** When nobody gave the time, the reason that says most: an answer of any kind shows that the machine is up. */
function worthiest(failures: ClockReading['failures']): Reason {
  const order: readonly Reason[] = [
    'protocol_error',
    'not_found',
    'connect_refused',
    'connect_reset',
    'connect_unreachable',
  ]
  for (const reason of order) if (failures.some((failure) => failure.reason === reason)) return reason
  return failures[0]?.reason ?? 'not_configured'
}

export const clock: Probe<'clock', HostTarget, ClockReading> = {
  name: 'clock',
  question: "How far is the host's clock from ours?",
  stages: ['resolve', 'ask'],
  identity: ['host'],

  targets: ({ hosts }) =>
    hosts.filter((host) => sourcesOf(host).length > 0).map((host) => hostTarget(host, 'clock')),

  async measure({ host }, visit) {
    visit.enter('resolve')
    const address = await addressOf(host, visit)
    visit.enter('ask')
    const { ports } = host.probes.clock
    const sources = sourcesOf(host)
    const { io } = visit
    const samples: ClockSample[] = []
    const failures: ClockReading['failures'][number][] = []
    const patience = within(visit.deadline)
    let waiting: NodeJS.Timeout | undefined

    const http = (port: number, deadline: Deadline): Promise<HttpSession> =>
      io.openHttp({ endpoint: { address, port }, host: host.name }, deadline)
    const better = (): boolean => samples.some(({ source }) => source !== 'http')
    const ask = async (source: ClockSource): Promise<Interval> => {
      // Not cut short: that would close the connection and undo the logon that other probes use as well.
      if (source === 'cim')
        return askCim(await openWindows(host, { io, deadline: visit.deadline, enter() {} }))
      const endpoint = { address, port: ports[source] }
      switch (source) {
        case 'smb2':
          return askSmb2(endpoint, io, patience)
        case 'ntp':
          return askNtp(endpoint, io, patience)
        case 'ntlm':
          return askNtlm(await http(endpoint.port, patience))
        case 'http': {
          const session = await http(endpoint.port, visit.deadline)
          const first = await askHttpDate(session)
          // Costs a request a halving, so only where nothing better answers.
          return narrowHttpDate(session, first, { io, deadline: visit.deadline, wanted: () => !better() })
        }
      }
    }
    await Promise.all(
      sources.map(async (source) => {
        try {
          samples.push({ source, offset: await ask(source) })
          waiting ??= setTimeout(() => patience.close(), PATIENCE_SECONDS * 1000)
        } catch (error) {
          const { reason, message } = asFailure(error)
          failures.push({ source, reason, detail: detached(message) })
        }
      }),
    )
    clearTimeout(waiting)
    patience.close()
    if (samples.length === 0) {
      const details = failures.map(({ source, detail }) => `${source}: ${detail}`).join('; ')
      throw new ProbeFailure(worthiest(failures), details)
    }
    const rank = (source: string): number => sources.findIndex((each) => each === source)
    // Copies: arrays that grew have room for many more, and these are kept.
    const sorted = samples.toSorted((a, b) => rank(a.source) - rank(b.source))
    return { address, samples: sorted, failures: failures.slice() }
  },

  metrics: offsetMetrics((reading: ClockReading) => reading.samples),
}
