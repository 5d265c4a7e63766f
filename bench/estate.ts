// A simulated estate of any size as a configuration: default schedules, and one host in five that is sick in some way.
import type { Ports } from './responder.ts'
import { domainOf, nameOf } from './names.ts'

/** Of twenty hosts one each: refuses, is not to be reached, is slow, comes and goes. */
const SICK = ['closed', 'filtered', 'slow', 'flapping'] as const
const HOSTS_A_DOMAIN = 100

/** `once`: everything is asked at the start, and then not for a day. */
export function configOf(
  hosts: number,
  ports: Ports,
  { healthy = false, once = false }: { healthy?: boolean; once?: boolean } = {},
): string {
  const all = Array.from({ length: hosts }, (_, index) => index)
  const probes = `probes: { clock: { sources: [smb2], ports: { smb2: ${ports.smb2} } } }`
  const hostLine = (index: number): string => {
    const sickness = healthy ? undefined : SICK[index % 20]
    const name = nameOf(index)
    switch (sickness) {
      case undefined:
        return `  - { name: ${name}, port: ${ports.rpc}, ${probes} }`
      case 'closed':
        return `  - { name: ${name}, port: 9, ${probes} }`
      case 'filtered':
        return `  - { name: ${name}, port: ${ports.filtered}, connect_to: 127.0.0.1, ${probes} }`
      case 'slow':
      case 'flapping':
        return `  - { name: ${name}, port: ${ports[sickness]}, ${probes} }`
    }
  }
  const domains = all.filter((index) => index % HOSTS_A_DOMAIN === HOSTS_A_DOMAIN - 1 || index === hosts - 1)
  const probesOnce = `probes: { port: { schedule: 1d }, srv: { schedule: 1d }, service: { schedule: 1d }, clock: { schedule: 1d } }\n`
  return `${once ? probesOnce : ''}resolvers: ["127.0.0.1:${ports.dns}"]
hosts:
${all.map(hostLine).join('\n')}
domains:
${domains.map((index) => `  - { name: ${domainOf(index)}, expect: [${nameOf(index)}] }`).join('\n')}
`
}
