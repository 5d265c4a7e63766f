// The simulated estate: every resident of `estate-hosts.ts`, two DNS servers and a reference clock, on loopback.
// For the demo and the tests. No privileges, no network but 127.0.0.0/8, and no KMS reply anywhere in it.
import { skewedClock } from './clock.ts'
import { startDns } from './dns.ts'
import { addressOf, nameOf, renderConfig, zonesOf } from './estate-config.ts'
import type { EstatePlan } from './estate-config.ts'
import type { Resident } from './estate-hosts.ts'
import { RESIDENTS } from './estate-hosts.ts'
import type { SimulatedHost } from './host.ts'
import { startAll, startHost, stopAll } from './host.ts'
import { startNtp } from './ntp.ts'

export interface EstateOptions {
  /** First two numbers of all addresses; `127.88` unless told. Two estates need two networks. */
  readonly network?: string
  /** Shifts every simulated clock, the reference included, so that the exporter's own looks wrong by minus this. */
  readonly exporterClockOffsetSeconds?: number
}

export interface EstateHost {
  readonly name: string
  readonly address: string
  readonly domain: string
  /** What a diagnosis should name; `null` for a healthy host. */
  readonly cause: string | null
  /** One sentence for people at a demo. */
  readonly story: string
}

/** `stop_service`: the port refuses and windows_exporter, if any, says stopped. `filter`: the port times out. */
export type Breakage = 'stop_service' | 'filter'

export interface Estate {
  readonly hosts: readonly EstateHost[]
  /** `address:port`; the second knows nothing of the branch's SRV record. */
  readonly resolvers: readonly string[]
  /** `address:port` of an NTP server that is right. */
  readonly reference: string
  /** A complete configuration for the daemon. */
  readonly configYaml: string
  /** Takes the host's full name or its first label. Rejects for a host that is not there. */
  breakHost(name: string, how: Breakage): Promise<void>
  repairHost(name: string): Promise<void>
  stop(): Promise<void>
}

const DNS_PORT = 10_053
const REFERENCE_PORT = 10_123

/** Rejects with one sentence that says what to do when an address or port cannot be had; nothing is left running. */
export async function startEstate(options: EstateOptions = {}): Promise<Estate> {
  const network = options.network ?? '127.88'
  const second = /^127\.(\d{1,3})$/.exec(network)?.[1]
  if (second === undefined || Number(second) > 255) {
    throw new Error(`"${network}" is no loopback network: write two numbers such as 127.88.`)
  }
  const shiftSeconds = options.exporterClockOffsetSeconds ?? 0
  const plan: EstatePlan = {
    network,
    resolvers: [`${network}.0.53:${DNS_PORT}`, `${network}.0.54:${DNS_PORT}`],
    reference: `${network}.0.123:${REFERENCE_PORT}`,
  }
  const running = new Map<string, { readonly resident: Resident; readonly host: SimulatedHost }>()
  const parts = await startAll<{ stop(): Promise<void> }>([
    () => startDns({ zones: zonesOf(network, true) }, { address: `${network}.0.53`, port: DNS_PORT }),
    () => startDns({ zones: zonesOf(network, false) }, { address: `${network}.0.54`, port: DNS_PORT }),
    () => startNtp(skewedClock(shiftSeconds), { address: `${network}.0.123`, port: REFERENCE_PORT }),
    ...RESIDENTS.filter(({ kms }) => kms !== undefined).map((resident) => async () => {
      const host = await startResident(resident, network, shiftSeconds)
      running.set(resident.label, { resident, host })
      running.set(nameOf(resident), { resident, host })
      return host
    }),
  ])
  const find = (name: string) => {
    const found = running.get(name)
    if (!found) throw new Error(`There is no machine named "${name}" in the lab.`)
    return found
  }
  return {
    hosts: RESIDENTS.map((resident) => ({
      name: nameOf(resident),
      address: addressOf(network, resident),
      domain: resident.domain,
      cause: resident.cause,
      story: resident.story,
    })),
    resolvers: plan.resolvers,
    reference: plan.reference,
    configYaml: renderConfig(plan),
    breakHost: async (name, how) => {
      const { host } = find(name)
      if (how === 'stop_service') host.setService('stopped')
      await host.setKms(how === 'stop_service' ? 'closed' : 'filtered')
    },
    repairHost: async (name) => {
      const { resident, host } = find(name)
      await host.setKms(resident.kms ?? 'closed')
      if (resident.sppsvc) host.setService(resident.sppsvc)
    },
    stop: () => stopAll(parts),
  }
}

async function startResident(
  resident: Resident,
  network: string,
  shiftSeconds: number,
): Promise<SimulatedHost> {
  return startHost({
    name: nameOf(resident),
    address: addressOf(network, resident),
    kms: resident.kms ?? 'closed',
    clocks: resident.clocks ?? 'answer',
    clockOffsetSeconds: shiftSeconds + (resident.clockOffsetSeconds ?? 0),
    ntp: resident.ntp ?? false,
    ...(resident.sppsvc && { sppsvc: resident.sppsvc }),
  })
}
