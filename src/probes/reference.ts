// Is the exporter's own clock right? Asks a configured NTP server, so that a wrong exporter is not reported as twenty
// wrong hosts.
import type { Reference } from '../config/targets.ts'
import { ProbeFailure } from '../model/failure.ts'
import { halfWidth, midpoint, type Interval } from '../model/interval.ts'
import type { Target } from '../model/target.ts'
import { asFailure } from './clock.ts'
import type { Probe } from './probe.ts'
import { askNtp } from './time-sources.ts'

export interface ReferenceReading {
  readonly address: string
  /** Reference minus exporter. */
  readonly offset: Interval
}

export interface ReferenceTarget extends Target {
  readonly reference: Reference
}

function nameOf({ host, port }: Reference): string {
  return port === 123 ? host : `${host.includes(':') ? `[${host}]` : host}:${port}`
}

export const reference: Probe<'reference', ReferenceTarget, ReferenceReading> = {
  name: 'reference',
  question: "Is the exporter's own clock right?",
  stages: ['resolve', 'ask'],
  identity: ['reference'],

  targets: ({ references }) =>
    references.map((each) => ({
      key: nameOf(each),
      labels: { reference: nameOf(each) },
      schedule: each.probe.schedule,
      timeoutSeconds: each.probe.timeout,
      group: nameOf(each),
      reference: each,
    })),

  async measure({ reference: { host, port, resolvers } }, { io, deadline, enter }) {
    enter('resolve')
    const [address] = await io.dns.resolve(host, resolvers, deadline)
    if (address === undefined) throw new ProbeFailure('resolve_nodata', `${host}: no address`)
    enter('ask')
    try {
      return { address, offset: await askNtp({ address, port }, io, deadline) }
    } catch (error) {
      throw asFailure(error)
    }
  },

  metrics: [
    {
      name: 'winkms_exporter_clock_offset_seconds',
      type: 'gauge',
      help: "The exporter's own clock minus the reference; positive when the exporter is ahead.",
      labels: ['reference'],
      samples: ({ offset }, emit) => emit(-midpoint(offset)),
    },
    {
      name: 'winkms_exporter_clock_offset_uncertainty_seconds',
      type: 'gauge',
      help: 'Half the width of the interval in which that offset lies.',
      labels: ['reference'],
      samples: ({ offset }, emit) => emit(halfWidth(offset)),
    },
  ],
}
