// chronyd as a time server. It never touches the machine's clock (-x), asks nobody, and can be wrong by any number of
// seconds, or unsynchronised (RFC 5905: leap 3, stratum 0) while its timestamps are right.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { skewed } from './faketime.ts'
import { program } from './need.ts'
import { place } from './ports.ts'
import type { Placement } from './ports.ts'
import { launch, makeDirectory } from './process.ts'
import type { Server } from './process.ts'

export interface ChronyOptions extends Placement {
  /** How far its clock is ahead of ours; negative: behind. */
  readonly skewSeconds?: number
  /** False: it says of itself that its clock is not set. Otherwise it calls itself stratum 8. */
  readonly synchronised?: boolean
}

/** Rejects like launch(). */
export async function startChrony(options: ChronyOptions = {}): Promise<Server> {
  const command = program('chronyd')
  const env = skewed(options.skewSeconds)
  const at = await place(options, 123)
  const directory = await makeDirectory('chrony')
  const file = join(directory, 'chrony.conf')
  const lines = [
    `port ${at.port}`,
    `bindaddress ${at.address}`,
    'cmdport 0',
    'bindcmdaddress /',
    'allow all',
    `pidfile ${directory}/chronyd.pid`,
    ...(options.synchronised === false ? [] : ['local stratum 8']),
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  // For root: stay root, since the folder is root's. For others: do not ask to be root, which -x makes needless.
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : ['-U']
  const running = await launch({
    name: 'chronyd',
    command,
    args: ['-4', '-x', '-d', ...user, '-f', file],
    directory,
    env,
    within: options.within,
    listens: [{ protocol: 'udp', ...at }],
  })
  return { ...at, ...running }
}
