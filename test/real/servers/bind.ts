// BIND 9 (named) as an authoritative server or as a forwarder; it never recurses, so any name that is not in its zones is
// REFUSED. A zone text that does not load is SERVFAIL, and so is a forwarder whose upstream is dead.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Endpoint } from '../../../src/model/target.ts'
import { program } from './need.ts'
import { place } from './ports.ts'
import type { Placement } from './ports.ts'
import { launch, makeDirectory } from './process.ts'
import type { Server } from './process.ts'

/** Zone name → master file text, `$TTL` and SOA included: `{ 'corp.example': '...' }`. */
export type Zones = Readonly<Record<string, string>>

export interface BindOptions extends Placement {
  /** Bytes. Longer UDP answers are truncated (TC); BIND's least is 512. */
  readonly maxUdpSize?: number
  /** Ask this server about all other names instead of refusing them. */
  readonly forwardTo?: Endpoint
}

function configuration(
  directory: string,
  zones: readonly string[],
  at: Endpoint,
  options: BindOptions,
): string {
  const { maxUdpSize = 1232, forwardTo } = options
  // A forwarder's questions leave from the address that it listens on, so from loopback they can go nowhere else.
  const forwarding = forwardTo
    ? `recursion yes; forward only; forwarders { ${forwardTo.address} port ${forwardTo.port}; };
  query-source address ${at.address};`
    : 'recursion no;'
  const declared = zones.map((zone, i) => `zone "${zone}" { type primary; file "${directory}/${i}.zone"; };`)
  // The checks are off because a published record that is wrong is just what tests want to serve.
  return `options {
  directory "${directory}"; pid-file "${directory}/named.pid"; session-keyfile "${directory}/session.key";
  managed-keys-directory "${directory}"; lock-file none;
  listen-on port ${at.port} { ${at.address}; }; listen-on-v6 { none; };
  allow-query { any; }; notify no; dnssec-validation no; empty-zones-enable no; minimal-responses no;
  max-udp-size ${maxUdpSize};
  check-integrity no; check-names primary ignore; check-srv-cname ignore; check-mx-cname ignore; check-sibling no;
  ${forwarding}
};
controls { };
${declared.join('\n')}
`
}

/** Rejects like launch(). A zone that BIND cannot load does not stop it: that zone answers SERVFAIL. */
export async function startBind(zones: Zones, options: BindOptions = {}): Promise<Server> {
  const command = program('named')
  const at = await place(options, 53)
  const directory = await makeDirectory('bind')
  const names = Object.keys(zones)
  await Promise.all(Object.values(zones).map((text, i) => writeFile(join(directory, `${i}.zone`), text)))
  const file = join(directory, 'named.conf')
  await writeFile(file, configuration(directory, names, at, options))
  const running = await launch({
    name: 'named',
    command,
    args: ['-g', '-4', '-n', '1', '-c', file],
    directory,
    within: options.within,
    listens: [
      { protocol: 'tcp', ...at },
      { protocol: 'udp', ...at },
    ],
    ready: / running$/m,
  })
  return { ...at, ...running }
}
