// Clients of a simulated KMS host: who they are, and when they ask. Nothing is sent anywhere: a request is an event in the
// host's log and a number in its counters. The same at each run, but for the time of day.
import { createHash } from 'node:crypto'
import type { KmsRequest } from './event-log.ts'
import { request12290 } from './event-log.ts'
import type { MachineStory } from './windows-machine.ts'

const DAY_MINUTES = 1440
const DAY_SECONDS = 86_400
/** After a long sleep of the computer, not all that would have been. */
const MOST_AT_ONCE = 1000

/** `count` clients, named PREFIX-001 and so on, each with a CMID of its own and 174 to 180 days left. */
export function fleet(prefix: string, count: number, common: Partial<KmsRequest> = {}): KmsRequest[] {
  return Array.from({ length: count }, (_, index) => {
    const clientName = `${prefix}-${String(index + 1).padStart(3, '0')}`
    const minutesToExpiration = (180 - (index % 7)) * DAY_MINUTES
    return { clientName, cmid: cmidOf(clientName), minutesToExpiration, ...common }
  })
}

function cmidOf(clientName: string): string {
  const hex = createHash('sha256').update(clientName).digest('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(12, 15)}`,
    `8${hex.slice(15, 18)}`,
    hex.slice(18, 30),
  ].join('-')
}

/**
 * A story's `passTime`: each client has asked once within the last seven days, as activated ones do, and from then on one
 * of them, in turn, asks every so many seconds, as a large estate would.
 */
export function traffic(
  clients: readonly KmsRequest[],
  everySeconds = 20,
): NonNullable<MachineStory['passTime']> {
  let last: number | undefined
  return (machine, nowSeconds) => {
    const now = Math.floor(nowSeconds / everySeconds)
    if (last === undefined) {
      const log = machine.log('Key Management Service')
      for (const [index, client] of clients.entries()) {
        const age = (7 * DAY_SECONDS * (clients.length - index)) / (clients.length + 1)
        log.append(request12290({ ...client, atSeconds: nowSeconds - age }))
      }
      last = now
    }
    for (let turn = Math.max(last + 1, now - MOST_AT_ONCE); turn <= now; turn += 1) {
      const client = clients[turn % clients.length]
      if (client !== undefined) machine.receive({ ...client, atSeconds: turn * everySeconds })
    }
    last = Math.max(last, now)
  }
}
