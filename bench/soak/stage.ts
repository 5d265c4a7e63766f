// The lab's process and the script on it: orders go out when they are due, and what is true of each host is written down once
// they are carried out.
import { fork } from 'node:child_process'
import { breakageOf } from '../../src/lab/breakages.ts'
import { nameOf } from '../../src/lab/estate-config.ts'
import type { Resident } from '../../src/lab/estate-hosts.ts'
import type { Cause } from '../../src/diagnosis/causes.ts'
import type { Begin, Done, HeldUp, Order } from '../soak-lab.ts'
import { pause } from '../service.ts'
import type { Addresses } from './estate.ts'
import type { Truth } from './judge.ts'
import type { Act, Event } from './script.ts'

/** Monotonic. */
export const nowSeconds = (): number => performance.now() / 1000

type Omitted<T> = T extends unknown ? Omit<T, 'id'> : never

export interface Lab {
  readonly addresses: Addresses
  readonly pid: number
  /** Resolves once it is so. Rejects with a sentence. */
  order(what: Omitted<Order>): Promise<void>
  /** How long no host could answer, at most, since the last call. */
  heldUpSeconds(): number
  stop(): void
}

export async function startLab(file: string, begin: Begin): Promise<Lab> {
  const child = fork(file)
  const waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>()
  const addresses = new Promise<Addresses>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Addresses))
    child.once('exit', (code) => {
      const ended = new Error(`the lab has ended with ${code}`)
      reject(ended)
      for (const each of waiting.values()) each.reject(ended)
    })
  })
  child.send(begin)
  const told = await addresses
  let heldUp = 0
  let toldAt = nowSeconds()
  child.on('message', (message: Done | HeldUp) => {
    if ('heldUpSeconds' in message) {
      heldUp = Math.max(heldUp, message.heldUpSeconds)
      toldAt = nowSeconds()
      return
    }
    const { id, error } = message
    const each = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) each?.resolve()
    else each?.reject(new Error(error))
  })
  let last = 0
  return {
    addresses: told,
    pid: child.pid ?? 0,
    order: (what) =>
      new Promise((resolve, reject) => {
        last += 1
        waiting.set(last, { resolve, reject })
        child.send({ ...what, id: last })
      }),
    heldUpSeconds() {
      // One that is silent is held up at this moment.
      const most = Math.max(heldUp, nowSeconds() - toldAt - 1)
      heldUp = 0
      return most
    },
    stop: () => child.disconnect(),
  }
}

/** From the start, and asked since now. */
export function healthy(residents: readonly Resident[]): Map<string, Truth> {
  const truth = { causes: [], sinceSeconds: -Infinity, askedSinceSeconds: nowSeconds(), watched: true }
  return new Map(residents.map((resident) => [nameOf(resident), { ...truth }]))
}

interface After {
  readonly order: Omitted<Order>
  readonly causes: readonly Cause[]
  readonly watched: boolean
}

function after(act: Act): After {
  const host = nameOf(act.resident)
  switch (act.kind) {
    case 'break':
      return {
        order: { host, how: act.how },
        causes: [breakageOf(act.how).cause as Cause],
        watched: true,
      }
    case 'repair':
      return { order: { host, how: undefined }, causes: [], watched: true }
    case 'forget':
    case 'remember': {
      const present = act.kind === 'forget'
      const { domain } = act.resident
      return { order: { forgottenIn: domain, present }, causes: ['srv_stale'], watched: present }
    }
  }
}

export interface Play {
  /** What has been done to a host, oldest first. */
  storyOf(host: string): readonly string[]
  readonly acts: number
  /** Rejects as soon as an order does. */
  readonly ended: Promise<void>
  stop(): void
}

export function play(
  script: readonly Event[],
  lab: Pick<Lab, 'order'>,
  truths: Map<string, Truth>,
  beganSeconds: number,
): Play {
  const stories = new Map<string, string[]>()
  let stopped = false
  let acts = 0
  const carryOut = async (act: Act): Promise<void> => {
    const host = nameOf(act.resident)
    const { order, causes, watched } = after(act)
    const truth = truths.get(host) ?? { causes, sinceSeconds: 0, askedSinceSeconds: 0, watched }
    truths.set(host, Object.assign(truth, { sinceSeconds: Infinity }))
    await lab.order(order)
    Object.assign(truth, { causes, watched, sinceSeconds: nowSeconds() })
    acts += 1
    const what = act.kind === 'break' ? act.how : act.kind
    stories.set(host, [...(stories.get(host) ?? []), `${new Date().toISOString()} ${what}`])
  }
  const run = async (): Promise<void> => {
    const orders: Promise<void>[] = []
    let failed: unknown
    for (const { atSeconds, act } of script) {
      const wait = beganSeconds + atSeconds - nowSeconds()
      if (wait > 0) await pause(1000 * wait)
      if (stopped || failed !== undefined) break
      orders.push(carryOut(act).catch((error: unknown) => void (failed = error)))
    }
    await Promise.all(orders)
    if (failed !== undefined) throw failed
  }
  return {
    storyOf: (host) => stories.get(host) ?? [],
    get acts() {
      return acts
    },
    ended: run(),
    stop: () => void (stopped = true),
  }
}
