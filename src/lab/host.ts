// One simulated machine at one loopback address: something on the KMS port, something on the clock ports.
import type { BadTcpPeer } from './bad-peer.ts'
import { startBadPeer, startBadUdpPeer } from './bad-peer.ts'
import type { Clock } from './clock.ts'
import { startFiltered } from './filtered.ts'
import { startHttp } from './http.ts'
import type { Listener, Where } from './listener.ts'
import { startNtp } from './ntp.ts'
import type { RpcBehaviour } from './rpc.ts'
import { RPC_BEHAVIOURS, startRpc } from './rpc.ts'
import { startSmb2 } from './smb2.ts'
import type { ServiceState } from './windows-page.ts'
import { renderWindowsPage } from './windows-page.ts'
import type { Sppsvc } from './windows-classes.ts'
import type { Story } from './stories.ts'
import type { WindowsMachine } from './windows-machine.ts'
import type { WinrmOptions } from './winrm.ts'
import { createWinrm } from './winrm.ts'

/** `filtered` times out, `closed` refuses. */
export type KmsPort = RpcBehaviour | BadTcpPeer | 'filtered' | 'closed'

export interface HostPorts {
  readonly kms: number
  readonly smb2: number
  readonly ntp: number
  /** WinRM and windows_exporter share one HTTP server. */
  readonly http: number
}

export const LAB_PORTS: HostPorts = { kms: 1688, smb2: 10_445, ntp: 10_123, http: 15_985 }

export interface HostOptions {
  readonly name: string
  readonly address: string
  readonly kms: KmsPort
  /** Whether SMB2 and HTTP answer, or time out with the rest of the machine. */
  readonly clocks: 'answer' | 'filtered'
  /** Positive: the host is ahead. */
  readonly clockOffsetSeconds: number
  readonly ntp: boolean
  /** What windows_exporter says of sppsvc; absent where there is no windows_exporter. */
  readonly sppsvc?: ServiceState
  /** What Windows says of itself by WinRM; absent where nobody can log in. */
  readonly windows?: { readonly story: Story; readonly winrm: WinrmOptions }
}

export interface SimulatedHost {
  /** Replaces what is on the KMS port. Calls take effect one after the other. */
  setKms(kms: KmsPort): Promise<void>
  /** What windows_exporter and Windows itself say; nothing on a host without either. */
  setService(state: ServiceState): void
  /** Replaces all that is not the KMS port: clocks, WinRM and windows_exporter. In turn with `setKms`. */
  setClocks(clocks: HostOptions['clocks']): Promise<void>
  /** Positive: ahead. */
  setClockOffset(seconds: number): void
  /** What Windows says of itself by WinRM; undefined where nobody can log in. */
  readonly windows: WindowsMachine | undefined
  stop(): Promise<void>
}

export async function startHost(options: HostOptions, ports: HostPorts = LAB_PORTS): Promise<SimulatedHost> {
  const { address } = options
  const kmsAt = { address, port: ports.kms }
  let sppsvc = options.sppsvc
  let stopped = false
  let { clocks: clocksAre, clockOffsetSeconds } = options
  const clock: Clock = () => Date.now() + clockOffsetSeconds * 1000
  const machine = options.windows?.story(options.name, clock)
  const startClocks = async (): Promise<Listener[]> =>
    startAll(clockParts({ ...options, clocks: clocksAre }, ports, clock, machine, () => sppsvc))
  let clocks = await startClocks()
  let kms: Listener | undefined
  try {
    kms = await startKms(options.kms, kmsAt)
  } catch (error) {
    await stopAll(clocks)
    throw error
  }
  let last: Promise<void> = Promise.resolve()
  const afterLast = (work: () => Promise<void>): Promise<void> => {
    const done = last.then(work)
    last = done.catch(() => {})
    return done
  }
  return {
    setKms: (wanted) =>
      afterLast(async () => {
        if (stopped) return
        await kms?.stop()
        kms = undefined
        kms = await startKms(wanted, kmsAt)
      }),
    setService: (state) => {
      if (sppsvc !== undefined) sppsvc = state
      if (machine !== undefined) machine.sppsvc.state = STATE_OF_WINDOWS[state]
    },
    setClocks: (wanted) =>
      afterLast(async () => {
        if (stopped || wanted === clocksAre) return
        await stopAll(clocks)
        clocks = []
        clocksAre = wanted
        clocks = await startClocks()
      }),
    setClockOffset: (seconds) => void (clockOffsetSeconds = seconds),
    windows: machine,
    stop: () =>
      afterLast(async () => {
        stopped = true
        await stopAll(kms ? [kms, ...clocks] : clocks)
      }),
  }
}

/** The same states in the words of Win32_Service. */
const STATE_OF_WINDOWS: Readonly<Record<ServiceState, Sppsvc['state']>> = {
  'continue pending': 'Continue Pending',
  'pause pending': 'Pause Pending',
  paused: 'Paused',
  running: 'Running',
  'start pending': 'Start Pending',
  'stop pending': 'Stop Pending',
  stopped: 'Stopped',
  unknown: 'Unknown',
}

function clockParts(
  options: HostOptions,
  ports: HostPorts,
  clock: Clock,
  machine: WindowsMachine | undefined,
  sppsvc: () => ServiceState | undefined,
): (() => Promise<Listener>)[] {
  const { name, address } = options
  const at = (port: number): Where => ({ address, port })
  if (options.clocks === 'filtered') {
    return [
      () => startFiltered(at(ports.smb2)),
      () => startFiltered(at(ports.http)),
      // A closed UDP port would answer with an ICMP error, which a machine that is down does not.
      () => startBadUdpPeer('silent', at(ports.ntp)),
    ]
  }
  const winrm = machine && createWinrm(machine, options.windows?.winrm)
  const metricsPage = (): string | undefined => {
    const state = sppsvc()
    return state && renderWindowsPage(name, state, clock)
  }
  return [
    () => startSmb2(clock, at(ports.smb2)),
    () => startHttp({ name, clock, metricsPage, ...(winrm && { winrm }) }, at(ports.http)),
    ...(options.ntp ? [() => startNtp(clock, at(ports.ntp))] : []),
  ]
}

async function startKms(kms: KmsPort, where: Where): Promise<Listener | undefined> {
  if (kms === 'closed') return undefined
  if (kms === 'filtered') return startFiltered(where)
  return isRpcBehaviour(kms) ? startRpc(kms, where) : startBadPeer(kms, where)
}

function isRpcBehaviour(kms: KmsPort): kms is RpcBehaviour {
  return RPC_BEHAVIOURS.some((behaviour) => behaviour === kms)
}

interface Stoppable {
  stop(): Promise<void>
}

/** All or none: if one fails to start, the others are stopped again. */
export async function startAll<Part extends Stoppable>(
  starts: readonly (() => Promise<Part>)[],
): Promise<Part[]> {
  const outcomes = await Promise.allSettled(starts.map((start) => start()))
  const parts = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (!failed) return parts
  await stopAll(parts)
  throw failed.reason
}

export async function stopAll(parts: readonly Stoppable[]): Promise<void> {
  await Promise.all(parts.map((part) => part.stop()))
}
