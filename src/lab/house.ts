// A resident of the estate, the machine that plays it, and what becomes of both when it is broken or repaired.
import type { Breakage } from './breakages.ts'
import { breakageOf } from './breakages.ts'
import { nameOf } from './estate-config.ts'
import type { Resident } from './estate-hosts.ts'
import type { SimulatedHost } from './host.ts'
import { startHost } from './host.ts'
import type { WindowsMachine } from './windows-machine.ts'
import type { Rights } from './winrm.ts'

export interface House {
  /** The resident as it is from the start. */
  readonly home: Resident
  readonly host: SimulatedHost
  /** What the account may do there; changed in place. */
  readonly rights: { -readonly [Right in keyof Rights]: Rights[Right] }
  /** The resident as it is at this moment. */
  now: Resident
  broken: Breakage | undefined
  /** Takes back what a breakage has changed of its Windows. */
  undo: () => void
}

export async function startHouse(
  home: Resident,
  address: string,
  shiftSeconds: number,
  password: string,
): Promise<House> {
  const rights = { ...home.rights }
  const host = await startHost({
    name: nameOf(home),
    address,
    kms: home.kms ?? 'closed',
    clocks: home.clocks ?? 'answer',
    clockOffsetSeconds: shiftSeconds + (home.clockOffsetSeconds ?? 0),
    ntp: home.ntp ?? false,
    ...(home.sppsvc && { sppsvc: home.sppsvc }),
    ...(home.windows && { windows: { story: home.windows, winrm: { password, rights } } }),
  })
  return { home, host, rights, now: home, broken: undefined, undo: () => {} }
}

/** All of a change that takes no time. Without `how`, the house is as it was from the start. */
export function become(house: House, how: Breakage | undefined, shiftSeconds: number): void {
  const { home, host, rights } = house
  house.undo()
  const { resident, windows } = how === undefined ? {} : breakageOf(how)
  house.now = { ...home, ...resident }
  house.broken = how
  house.undo = windows && host.windows ? changed(host.windows, windows) : () => {}
  rights.events = house.now.rights?.events ?? true
  host.setService(house.now.sppsvc ?? 'running')
  host.setClockOffset(shiftSeconds + (house.now.clockOffsetSeconds ?? 0))
}

/** The rest: resolves once the ports of the machine are as they should be. */
export async function settle({ host, now }: House): Promise<void> {
  await Promise.all([host.setClocks(now.clocks ?? 'answer'), host.setKms(now.kms ?? 'closed')])
}

/** Changes what Windows says; returns how to take it back. Counters go on meanwhile, so only what was changed is. */
function changed(machine: WindowsMachine, change: (machine: WindowsMachine) => void): () => void {
  const rows = [machine.licensing, ...machine.products]
  const before = rows.map((row) => ({ ...row }))
  change(machine)
  const after = rows.map((row) => ({ ...row }))
  return () => {
    for (const [index, row] of rows.entries())
      for (const [name, value] of Object.entries(before[index] ?? {}))
        if (value !== after[index]?.[name]) row[name] = value
  }
}
