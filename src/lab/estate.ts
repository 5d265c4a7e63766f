// The simulated estate: every resident of `estate-hosts.ts`, two clients, two DNS servers and a reference clock, on
// loopback.
// For the demo and the tests. No privileges, no network but 127.0.0.0/8, and no KMS reply anywhere in it.
import type { Breakage } from './breakages.ts'
import { whyNot } from './breakages.ts'
import { skewedClock } from './clock.ts'
import { startControl } from './control.ts'
import type { DnsServer } from './dns.ts'
import { startDns } from './dns.ts'
import { addressOf, nameOf, renderConfig, zonesOf } from './estate-config.ts'
import type { EstatePlan } from './estate-config.ts'
import type { Canary } from './estate-hosts.ts'
import { CANARIES, RESIDENTS } from './estate-hosts.ts'
import type { SimulatedHost } from './host.ts'
import { startAll, startHost, stopAll } from './host.ts'
import type { House } from './house.ts'
import { become, settle, startHouse } from './house.ts'
import type { Listener, Where } from './listener.ts'
import { startNtp } from './ntp.ts'
import { writeSecret } from './secret.ts'

export interface EstateOptions {
  /** First two numbers of all addresses; `127.88` unless told. Two estates need two networks. */
  readonly network?: string
  /** Shifts every simulated clock, the reference included, so that the exporter's own looks wrong by minus this. */
  readonly exporterClockOffsetSeconds?: number
  /** Where it takes orders to break and repair hosts by HTTP; nowhere unless told. */
  readonly control?: Where
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

export interface EstateClient {
  readonly name: string
  readonly address: string
  /** One sentence for people at a demo. */
  readonly story: string
}

export interface Estate {
  readonly hosts: readonly EstateHost[]
  /** Canaries. */
  readonly clients: readonly EstateClient[]
  /** `address:port`; the second knows nothing of the branch's SRV record. */
  readonly resolvers: readonly string[]
  /** `address:port` of an NTP server that is right. */
  readonly reference: string
  /** A complete configuration for the daemon. It names a file with a password, which is there until `stop`. */
  readonly configYaml: string
  /** Undefined where no orders are taken. */
  readonly controlUrl: string | undefined
  /**
   * Takes the host's full name or its first label. What was broken on it before is repaired. Rejects for a host that is not
   * there, and where nobody could tell that it is broken.
   */
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
  const secret = await writeSecret()
  const plan: EstatePlan = {
    network,
    resolvers: [`${network}.0.53:${DNS_PORT}`, `${network}.0.54:${DNS_PORT}`],
    reference: `${network}.0.123:${REFERENCE_PORT}`,
    passwordFile: secret.file,
  }
  const houses = new Map<string, House>()
  const servers: { readonly server: DnsServer; readonly withBranch: boolean }[] = []
  const startServer = (address: string, withBranch: boolean) => async () => {
    const server = await startDns({ zones: zonesOf(network, withBranch) }, { address, port: DNS_PORT })
    servers.push({ server, withBranch })
    return server
  }
  const parts = await startAll<{ stop(): Promise<void> }>([
    startServer(`${network}.0.53`, true),
    startServer(`${network}.0.54`, false),
    () => startNtp(skewedClock(shiftSeconds), { address: `${network}.0.123`, port: REFERENCE_PORT }),
    ...RESIDENTS.filter(({ kms }) => kms !== undefined).map((resident) => async () => {
      const house = await startHouse(resident, addressOf(network, resident), shiftSeconds, secret.password)
      houses.set(nameOf(resident), house)
      return house.host
    }),
    ...CANARIES.map((canary) => () => startCanary(canary, network, shiftSeconds, secret.password)),
  ]).catch(async (error: unknown) => {
    await secret.stop()
    throw error
  })
  const find = (name: string): House => {
    const found = [...houses.values()].find(({ home }) => [home.label, nameOf(home)].includes(name))
    if (!found) throw new Error(`There is no machine named "${name}" in the lab.`)
    return found
  }
  const publish = ({ home }: House): void => {
    const residents = RESIDENTS.map((each) => houses.get(nameOf(each))?.now ?? each)
    for (const { server, withBranch } of servers)
      server.setRecords(home.domain, zonesOf(network, withBranch, residents)[home.domain] ?? [])
  }
  const change = async (name: string, how: Breakage | undefined): Promise<void> => {
    const house = find(name)
    const why = how && whyNot(house.home, how)
    if (why) throw new Error(`${nameOf(house.home)} cannot be broken like this: ${why}.`)
    become(house, how, shiftSeconds)
    publish(house)
    await settle(house)
  }
  const breakable = {
    hosts: () =>
      RESIDENTS.flatMap((resident) => {
        const house = houses.get(nameOf(resident))
        return house ? [{ name: nameOf(resident), broken: house.broken }] : []
      }),
    breakHost: async (name: string, how: Breakage) => change(name, how),
    repairHost: async (name: string) => change(name, undefined),
  }
  let control: Listener | undefined
  try {
    control = options.control && (await startControl(breakable, options.control))
  } catch (error) {
    await stopAll([...parts, secret])
    throw error
  }
  return {
    hosts: RESIDENTS.map((resident) => ({
      name: nameOf(resident),
      address: addressOf(network, resident),
      domain: resident.domain,
      cause: resident.cause,
      story: resident.story,
    })),
    clients: CANARIES.map((canary) => ({
      name: nameOf(canary),
      address: addressOf(network, canary),
      story: canary.story,
    })),
    resolvers: plan.resolvers,
    reference: plan.reference,
    configYaml: renderConfig(plan),
    controlUrl: control && `http://${control.address}:${control.port}`,
    breakHost: breakable.breakHost,
    repairHost: breakable.repairHost,
    stop: async () => {
      await control?.stop()
      await stopAll([...parts, secret])
    },
  }
}

async function startCanary(
  canary: Canary,
  network: string,
  shiftSeconds: number,
  password: string,
): Promise<SimulatedHost> {
  return startHost({
    name: nameOf(canary),
    address: addressOf(network, canary),
    kms: 'closed',
    clocks: 'answer',
    clockOffsetSeconds: shiftSeconds,
    ntp: false,
    windows: { story: canary.windows, winrm: { password } },
  })
}
