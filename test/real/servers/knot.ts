// Knot DNS (knotd) as an authoritative server: an implementation that shares no code with BIND. Names that are not in its
// zones are REFUSED; a zone text that does not load is SERVFAIL. It does not know BIND's $GENERATE.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Endpoint } from '../../../src/model/target.ts'
import type { Zones } from './bind.ts'
import { program } from './need.ts'
import { place } from './ports.ts'
import type { Placement } from './ports.ts'
import { launch, makeDirectory } from './process.ts'
import type { Server } from './process.ts'

export interface KnotOptions extends Placement {
  /** Bytes. Longer UDP answers are truncated (TC); Knot's least is 1220. */
  readonly maxUdpSize?: number
}

function configuration(
  directory: string,
  zones: readonly string[],
  at: Endpoint,
  maxUdpSize: number,
): string {
  const declared = zones.map((zone, i) => `  - domain: "${zone}"\n    file: "${i}.zone"`)
  return `server:
  rundir: "${directory}"
  listen: ${at.address}@${at.port}
  udp-max-payload: ${maxUdpSize}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "${directory}"
log:
  - target: stdout
    any: info
template:
  - id: default
    storage: "${directory}"
    zonefile-sync: -1
    journal-content: none
${declared.length > 0 ? `zone:\n${declared.join('\n')}\n` : ''}`
}

/** Rejects like launch(). A zone that Knot cannot load does not stop it: that zone answers SERVFAIL. */
export async function startKnot(zones: Zones, options: KnotOptions = {}): Promise<Server> {
  const command = program('knotd')
  const at = await place(options, 53)
  const directory = await makeDirectory('knot')
  const names = Object.keys(zones)
  await Promise.all(Object.values(zones).map((text, i) => writeFile(join(directory, `${i}.zone`), text)))
  const file = join(directory, 'knot.conf')
  await writeFile(file, configuration(directory, names, at, options.maxUdpSize ?? 1232))
  const running = await launch({
    name: 'knotd',
    command,
    args: ['-c', file],
    directory,
    within: options.within,
    listens: [
      { protocol: 'tcp', ...at },
      { protocol: 'udp', ...at },
    ],
    ready: /server started/,
  })
  return { ...at, ...running }
}
