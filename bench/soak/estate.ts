// The estate of the soak: thousands of healthy residents like those of the demo, guests that come and go with each reload,
// and the configuration over them. Whatever breaks is the script's business.
import { CLOCK_PORTS, credentialsEntry, hostEntry } from '../../src/lab/estate-config.ts'
import type { Resident } from '../../src/lab/estate-hosts.ts'
import { busyHost } from '../../src/lab/stories.ts'

const HOSTS_A_DOMAIN = 20
/** Of each block of 256 addresses; those above are where nobody is. */
const HOSTS_A_BLOCK = 240
const NOBODY = 251
/** Not watched, so that a guest that is gone from the configuration is gone for good. */
const GUESTS_DOMAIN = 'guests.example'

const domainOf = (index: number): string => `d${Math.floor(index / HOSTS_A_DOMAIN)}.soak.example`
const numberOf = (index: number): number =>
  (Math.floor(index / HOSTS_A_BLOCK) << 8) + 1 + (index % HOSTS_A_BLOCK)

/** One in twenty is asked by WinRM, one in ten by windows_exporter, one in four has an NTP server. */
export function residentsOf(hosts: number): readonly Resident[] {
  return Array.from({ length: hosts }, (_, index) => ({
    label: `kms${index}`,
    domain: domainOf(index),
    number: numberOf(index),
    cause: null,
    story: 'Healthy until the script says otherwise.',
    kms: 'kms',
    srvPort: 1688,
    ntp: index % 4 === 0,
    addressed: index % 2 === 0,
    ...(index % 10 === 5 && { sppsvc: 'running' }),
    ...(index % 20 === 0 && {
      sppsvc: 'running',
      windows: busyHost,
      registry: index % 40 === 0,
      serves: ['windows_server_2022'],
    }),
  }))
}

/** Healthy for ever; the configuration has every other of them at a time. */
export function guestsOf(hosts: number): readonly Resident[] {
  return Array.from({ length: Math.max(2, Math.floor(hosts / 100)) }, (_, index) => ({
    label: `guest${index}`,
    domain: GUESTS_DOMAIN,
    number: numberOf(hosts + index),
    cause: null,
    story: 'Watched every other minute.',
    kms: 'kms',
    srvPort: null,
  }))
}

/** A host that nobody has but the SRV records of a domain. */
export function forgottenIn(domain: string): Resident {
  return {
    label: 'kms-old',
    domain,
    number: NOBODY,
    cause: 'srv_stale',
    story: 'Retired; its record has stayed.',
    srvPort: 1688,
    forgotten: true,
  }
}

export const isGuestOf = (index: number, reload: number): boolean => index % 2 === reload % 2
/** Every hundredth host has a label that changes with each reload, and so is asked anew. */
export const isRelabelled = (index: number): boolean => index % 100 === 50

/** Seconds; as in the demo, or rather as by default where there are thousands. */
export interface Pace {
  readonly scrape: number
  readonly reload: number
  readonly probes: Readonly<
    Record<'port' | 'srv' | 'service' | 'clock' | 'licensing' | 'activity' | 'reference', number>
  >
  readonly timeout: { readonly short: number; readonly windows: number }
  /** So long after a change the exporter may say what it likes. */
  readonly grace: number
}

/** `factor` below 1 for a soak that has only a minute or two. */
export function paceOf(factor: number): Pace {
  const [often, seldom] = [Math.max(5, 10 * factor), 20 * factor]
  const timeout = { short: Math.max(2, 3 * factor), windows: Math.max(2, 10 * factor) }
  return {
    scrape: 5 * factor,
    reload: 60 * factor,
    probes: {
      port: often,
      srv: seldom,
      service: seldom,
      clock: seldom,
      licensing: seldom,
      activity: seldom,
      reference: seldom,
    },
    timeout,
    // Two intervals: what is judged by two answers may wait for the second. The rest is for a machine that is busy.
    grace: 2 * seldom + timeout.windows + 10,
  }
}

export interface Addresses {
  readonly network: string
  readonly resolver: string
  readonly reference: string
  readonly passwordFile: string
}

export function configOf(hosts: number, reload: number, pace: Pace, lab: Addresses): string {
  const residents = residentsOf(hosts)
  const entries = residents.map((resident, index) =>
    hostEntry(lab.network, resident, isRelabelled(index) ? `wave: "${reload}"` : ''),
  )
  const guests = guestsOf(hosts)
    .filter((_, index) => isGuestOf(index, reload))
    .map((guest) => hostEntry(lab.network, guest, ''))
  const domains = [...new Set(residents.map(({ domain }) => domain))].map((domain) => {
    const expected = residents.filter((each) => each.domain === domain)
    return `  - { name: ${domain}, expect: [${expected.map(({ label }) => `${label}.${domain}`).join(', ')}] }`
  })
  const { port, srv, service, clock, licensing, activity } = pace.probes
  const { short, windows } = pace.timeout
  const milliseconds = (seconds: number): string => `${Math.round(seconds * 1000)}ms`
  const every = (seconds: number, timeout: number): string =>
    `schedule: ${milliseconds(seconds)}, timeout: ${milliseconds(timeout)}`
  return `resolvers: ["${lab.resolver}"]
hosts:
${[...entries, ...guests].join('\n')}
domains:
${domains.join('\n')}
${credentialsEntry(lab.passwordFile)}
probes:
  port: { ${every(port, short)} }
  srv: { ${every(srv, short)} }
  service: { ${every(service, windows)} }
  clock: { ${every(clock, short)}, ports: ${CLOCK_PORTS}, references: ["${lab.reference}"] }
  licensing: { ${every(licensing, windows)} }
  activity: { ${every(activity, windows)} }
`
}
