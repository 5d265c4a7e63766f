// A host of its own: a Linux network namespace, one veth link away (network_namespaces(7), veth(4)). All its ports are
// free, and what its firewall does to a connection is what a real firewall does. Needs CAP_NET_ADMIN and CAP_SYS_ADMIN.
import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import { promisify } from 'node:util'
import { guard } from './guard.ts'
import { program } from './need.ts'

const run = promisify(execFile)
const COMMAND_MILLISECONDS = 15_000

export interface NamespaceHost {
  readonly name: string
  /** Its own address, 10.x. */
  readonly address: string
  /** Our address as it sees us. */
  readonly peerAddress: string
  /** What to put before a command so that it runs there. */
  readonly prefix: readonly string[]
  /** Runs a command there to its end. Rejects, with what it printed, when it fails or takes fifteen seconds. */
  readonly exec: (command: string, ...args: readonly string[]) => Promise<{ stdout: string; stderr: string }>
  /** Packets to this port vanish: a connection attempt times out. */
  readonly drop: (port: number) => Promise<void>
  /** ICMP host-unreachable: EHOSTUNREACH, at once. */
  readonly rejectUnreachable: (port: number) => Promise<void>
  /** TCP reset: ECONNREFUSED, at once, as from a closed port. */
  readonly rejectReset: (port: number) => Promise<void>
  /** Ends what still runs there and removes it. May be called more than once. */
  readonly stop: () => Promise<void>
}

const REMOVE = `PATH=/usr/sbin:/usr/bin:/sbin:/bin
for pid in $(ip netns pids "$1"); do kill -s KILL "$pid"; done
ip link delete "$2"
ip netns delete "$1"`

async function command(
  name: string,
  ...args: readonly string[]
): Promise<{ stdout: string; stderr: string }> {
  return run(name, args, { timeout: COMMAND_MILLISECONDS })
}

/** Two neighbours in a 10.x /30 of which no interface here has a part. */
function pickLink(): { readonly here: string; readonly there: string } {
  const taken = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address))
  for (;;) {
    const prefix = `10.${randomInt(64, 128)}.${randomInt(0, 256)}.`
    const base = randomInt(0, 64) * 4
    if (!taken.some((address) => address.startsWith(prefix))) {
      return { here: `${prefix}${base + 1}`, there: `${prefix}${base + 2}` }
    }
  }
}

/** `name` is for people: letters and digits. Rejects, leaving nothing behind, when a step fails. */
export async function makeNamespaceHost(name: string): Promise<NamespaceHost> {
  const ip = program('ip')
  const nft = program('nft')
  const unique = randomInt(36 ** 5, 36 ** 6).toString(36)
  const namespace = `lab-${name}-${unique}`
  const link = `lab${unique}`
  const { here, there } = pickLink()
  const exec = (...words: readonly string[]) => command(ip, 'netns', 'exec', namespace, ...words)

  const watch = guard(REMOVE, namespace, link)
  let stopping: Promise<void> | undefined
  const end = async (): Promise<void> => {
    // Failures are expected here (half made, or the link has gone with the namespace); what remains is checked below.
    await command('/bin/sh', '-c', REMOVE, 'remove', namespace, link).catch(() => undefined)
    const { stdout } = await command(ip, 'netns', 'list')
    if (stdout.split(/\s/).includes(namespace)) throw new Error(`namespace ${namespace} cannot be removed`)
    watch.release()
  }
  const stop = (): Promise<void> => (stopping ??= end())
  const rule = async (text: string): Promise<void> => {
    await exec(nft, `add rule inet lab in ${text}`)
  }

  try {
    await command(ip, 'netns', 'add', namespace)
    await command(ip, 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
    await command(ip, 'address', 'add', `${here}/30`, 'dev', link)
    await command(ip, 'link', 'set', link, 'up')
    await exec(ip, 'address', 'add', `${there}/30`, 'dev', 'eth0')
    await exec(ip, 'link', 'set', 'lo', 'up')
    await exec(ip, 'link', 'set', 'eth0', 'up')
    await exec(
      nft,
      'add table inet lab; add chain inet lab in { type filter hook input priority 0; policy accept; }',
    )
  } catch (error) {
    await stop()
    throw error
  }
  return {
    name: namespace,
    address: there,
    peerAddress: here,
    prefix: [ip, 'netns', 'exec', namespace],
    exec: (name, ...args) => exec(name, ...args),
    drop: (port) => rule(`meta l4proto { tcp, udp } th dport ${port} drop`),
    rejectUnreachable: (port) =>
      rule(`meta l4proto { tcp, udp } th dport ${port} reject with icmp type host-unreachable`),
    rejectReset: (port) => rule(`tcp dport ${port} reject with tcp reset`),
    stop,
  }
}
