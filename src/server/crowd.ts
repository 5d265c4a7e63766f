// How many connections there may be. One too many costs the address that has most of them its oldest one: a flood from
// one place shuts nobody else out.
import type { Socket } from 'node:net'

export interface Crowd {
  add(socket: Socket): void
}

export function createCrowd(most: number, dropped: () => void): Crowd {
  /** By address; each in the order in which they came. */
  const byAddress = new Map<string, Set<Socket>>()
  let count = 0

  function leave(address: string, socket: Socket): void {
    const own = byAddress.get(address)
    if (own?.delete(socket) !== true) return
    count -= 1
    if (own.size === 0) byAddress.delete(address)
  }

  return {
    add(socket) {
      const address = socket.remoteAddress ?? ''
      const own = byAddress.get(address) ?? new Set()
      byAddress.set(address, own.add(socket))
      count += 1
      socket.once('close', () => leave(address, socket))
      if (count <= most) return
      const [from, crowd] = [...byAddress].reduce((a, b) => (b[1].size > a[1].size ? b : a))
      for (const oldest of crowd) {
        leave(from, oldest)
        oldest.destroy()
        return dropped()
      }
    },
  }
}
