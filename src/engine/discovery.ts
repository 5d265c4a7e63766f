// Hosts that nobody configured but SRV records name. What a resolver last answered counts until it answers otherwise:
// silence takes nobody away.
import { isIP } from 'node:net'
import type { Discovered } from '../config/targets.ts'
import type { ResultOf } from '../probes/index.ts'

export interface Discovery {
  /** Returns whether the set of hosts changed. */
  learn(result: ResultOf<'srv'>): boolean
  /** Forgets resolvers and domains that are no longer asked. Returns whether the set of hosts changed. */
  keep(srvTargetKeys: ReadonlySet<string>): boolean
  hosts(): readonly Discovered[]
}

/** A resolver that fails, sends us elsewhere or is cut off has not said which hosts there are. */
export function saysWhoIsThere({ reading }: ResultOf<'srv'>): boolean {
  if (reading === undefined || reading.referral || reading.truncatedWithoutTcp) return false
  return ['NOERROR', 'NXDOMAIN'].includes(reading.rcode)
}

function isSame(a: readonly Discovered[] | undefined, b: readonly Discovered[]): boolean {
  if (a?.length !== b.length) return false
  return a.every(({ name, port }, index) => name === b[index]?.name && port === b[index].port)
}

/** Hosts that are configured anyway are not counted among those that were found. */
export function createDiscovery(isConfigured: (name: string) => boolean = () => false): Discovery {
  const byTarget = new Map<string, readonly Discovered[]>()
  let current: readonly Discovered[] = []

  function changed(): boolean {
    const byName = new Map<string, Discovered>()
    for (const hosts of byTarget.values()) {
      for (const host of hosts)
        if (!byName.has(host.name) && !isConfigured(host.name)) byName.set(host.name, host)
    }
    const next = [...byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
    const same = JSON.stringify(next) === JSON.stringify(current)
    current = next
    return !same
  }

  return {
    learn(result) {
      const { target, reading } = result
      if (reading === undefined || !saysWhoIsThere(result)) return false
      const named = reading.records
        .filter((record) => record.target !== '.' && isIP(record.target) === 0)
        .map((record) => ({ name: record.target, port: record.port }))
      const before = byTarget.get(target.key)
      byTarget.set(target.key, named)
      return !isSame(before, named) && changed()
    },
    keep(keys) {
      for (const key of byTarget.keys()) if (!keys.has(key)) byTarget.delete(key)
      return changed()
    },
    hosts: () => current,
  }
}
