// Who is alive and who holds which socket, read from Linux's /proc (proc(5): stat, fd, net/tcp, net/udp). IPv4 only.
// A port that answers proves little: the answer may come from another server, so the socket's owner is looked up.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface LocalSocket {
  readonly protocol: 'tcp' | 'udp'
  readonly address: string
  readonly port: number
}

/** What a process that has gone meanwhile would have said: nothing. */
function orNothing<T>(read: () => T, nothing: T): T {
  try {
    return read()
  } catch {
    return nothing
  }
}

/** The living processes of a process group. A zombie, which only waits to be reaped, is not living. */
export function groupMembers(groupId: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const stat = orNothing(() => readFileSync(`/proc/${pid}/stat`, 'utf8'), '')
      // The command, in parentheses, may itself contain spaces and parentheses: fields are counted after the last one.
      const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return state !== undefined && !'ZX'.includes(state) && Number(group) === groupId
    })
}

function hexAddress(address: string): string {
  const bytes = address.split('.').map(Number)
  return Buffer.from(bytes.reverse()).toString('hex').toUpperCase()
}

const LISTENING = '0A'
const UNCONNECTED = '07'

/** Inodes of the sockets that would get traffic for `socket`, a wildcard's included, as process `pid` sees the network. */
function inodesAt({ protocol, address, port }: LocalSocket, pid: number | 'self'): readonly string[] {
  const wantedState = protocol === 'tcp' ? LISTENING : UNCONNECTED
  const wantedPort = port.toString(16).toUpperCase().padStart(4, '0')
  const wanted = [hexAddress(address), '00000000'].map((hex) => `${hex}:${wantedPort}`)
  const table = orNothing(() => readFileSync(`/proc/${pid}/net/${protocol}`, 'utf8'), '')
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => wanted.includes(local ?? '') && state === wantedState)
    .flatMap((fields) => fields[9] ?? [])
}

/** True when nobody listens there, as this process sees the network. */
export function isFree(socket: LocalSocket): boolean {
  return inodesAt(socket, 'self').length === 0
}

/** Who listens at `socket`: this process group alone, nobody, or (also) somebody else. */
export function listener(groupId: number, socket: LocalSocket): 'ours' | 'nobody' | 'foreign' {
  const inodes = inodesAt(socket, groupId)
  if (inodes.length === 0) return 'nobody'
  const held = new Set(
    groupMembers(groupId).flatMap((pid) => {
      const folder = `/proc/${pid}/fd`
      return orNothing(() => readdirSync(folder), []).map((fd) =>
        orNothing(() => readlinkSync(`${folder}/${fd}`), ''),
      )
    }),
  )
  return inodes.every((inode) => held.has(`socket:[${inode}]`)) ? 'ours' : 'foreign'
}
