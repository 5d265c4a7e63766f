// The hosts of the soak, in a process of their own so that what they cost is not counted: breaks and repairs whom it is told
// to. The first message says how many hosts and on which network; each later one is answered when its change is complete.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { startDns } from '../src/lab/dns.ts'
import { addressOf, nameOf, zonesOf } from '../src/lab/estate-config.ts'
import type { Breakage } from '../src/lab/breakages.ts'
import type { Resident } from '../src/lab/estate-hosts.ts'
import { startAll } from '../src/lab/host.ts'
import { become, settle, startHouse, type House } from '../src/lab/house.ts'
import { startNtp } from '../src/lab/ntp.ts'
import { writeSecret } from '../src/lab/secret.ts'
import { forgottenIn, guestsOf, residentsOf, type Addresses } from './soak/estate.ts'

export interface Begin {
  readonly hosts: number
  readonly network: string
}

export type Order = { readonly id: number } & (
  | { readonly host: string; readonly how: Breakage | undefined }
  | { readonly forgottenIn: string; readonly present: boolean }
)

export interface Done {
  readonly id: number
  readonly error?: string
}

/** How long no host could answer, at most, since the last time that this was told. */
export interface HeldUp {
  readonly heldUpSeconds: number
}

const DNS_PORT = 10_053
const REFERENCE_PORT = 10_123
/** So many are begun at a time: all at once would have the first wait for the last. */
const HELPING = 200

const told = <T>(): Promise<T> =>
  new Promise((resolve) => process.once('message', (message) => resolve(message as T)))
const { hosts, network } = await told<Begin>()

const secret = await writeSecret()
const houses = new Map<string, House>()
const all = [...residentsOf(hosts), ...guestsOf(hosts)]
for (let at = 0; at < all.length; at += HELPING)
  await startAll(
    all.slice(at, at + HELPING).map((resident) => async () => {
      const house = await startHouse(resident, addressOf(network, resident), 0, secret.password)
      houses.set(nameOf(resident), house)
      return house.host
    }),
  )

const byDomain = new Map<string, Resident[]>()
for (const resident of all)
  byDomain.set(resident.domain, [...(byDomain.get(resident.domain) ?? []), resident])
const forgotten = new Map<string, Resident>()
const recordsOf = (domain: string) => {
  const residents = (byDomain.get(domain) ?? []).map((each) => houses.get(nameOf(each))?.now ?? each)
  const old = forgotten.get(domain)
  return zonesOf(network, true, old ? [...residents, old] : residents)[domain] ?? []
}
const zones = Object.fromEntries([...byDomain.keys()].map((domain) => [domain, recordsOf(domain)]))
const dns = await startDns({ zones }, { address: `${network}.0.53`, port: DNS_PORT })
const reference = await startNtp(Date.now, { address: `${network}.0.123`, port: REFERENCE_PORT })

async function obey(order: Order): Promise<void> {
  if ('forgottenIn' in order) {
    const { forgottenIn: domain, present } = order
    if (present) forgotten.set(domain, forgottenIn(domain))
    else forgotten.delete(domain)
    dns.setRecords(domain, recordsOf(domain))
    return
  }
  const house = houses.get(order.host)
  if (house === undefined) throw new Error(`there is no ${order.host}`)
  become(house, order.how, 0)
  dns.setRecords(house.home.domain, recordsOf(house.home.domain))
  await settle(house)
}

process.on('message', (order: Order) => {
  void obey(order).then(
    () => process.send?.({ id: order.id } satisfies Done),
    (error: unknown) => process.send?.({ id: order.id, error: String(error) } satisfies Done),
  )
})
process.on('disconnect', () => void secret.stop().finally(() => process.exit(0)))
const delay = monitorEventLoopDelay({ resolution: 20 })
delay.enable()
setInterval(() => {
  process.send?.({ heldUpSeconds: delay.max / 1e9 } satisfies HeldUp)
  delay.reset()
}, 1000)
const ready: Addresses = {
  network,
  resolver: `${dns.address}:${dns.port}`,
  reference: `${reference.address}:${reference.port}`,
  passwordFile: secret.file,
}
process.send?.(ready)
