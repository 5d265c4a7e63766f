// Samba as the independent implementation of two of Windows's protocols: smbd answers an SMB2 negotiation, with its clock
// in it (MS-SMB2 2.2.4); samba-dcerpcd answers RPC binds (MS-RPCE 2.2.2) for interfaces that have nothing to do with KMS.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Endpoint } from '../../../src/model/target.ts'
import { skewed } from './faketime.ts'
import { program } from './need.ts'
import { canBind, freePort, loopbackAddress, place } from './ports.ts'
import type { Placement } from './ports.ts'
import { launch, makeDirectory } from './process.ts'
import type { Server } from './process.ts'
import { bindInterface } from './wire.ts'
import type { RpcInterface } from './wire.ts'

export interface SambaOptions extends Placement {
  /** How far its clock is ahead of ours; negative: behind. */
  readonly skewSeconds?: number
}

export interface RpcServer extends Server {
  /** Accepted on this port; the other interfaces that tests make up are not. */
  readonly acceptedInterface: RpcInterface
  /** The endpoint mapper, on port 135, when this user may listen there. It refuses acceptedInterface. */
  readonly endpointMapper: (Endpoint & { readonly acceptedInterface: RpcInterface }) | undefined
}

/** MS-LSAT 2.1 and MS-LSAD 2.1: the local security authority. */
const LSA: RpcInterface = { uuid: '12345778-1234-abcd-ef00-0123456789ab', major: 0, minor: 0 }
/** C706, appendix O: the endpoint mapper. */
const ENDPOINT_MAPPER: RpcInterface = { uuid: 'e1af8308-5d1f-11c9-91a4-08002b14a0fa', major: 3, minor: 0 }
const MAPPER_PORT = 135

/** Settings that name a folder, and the folder: all of Samba's files stay in its own directory. */
const FOLDERS = {
  'private dir': 'private',
  'ncalrpc dir': 'ncalrpc',
  'lock directory': 'lock',
  'state directory': 'state',
  'cache directory': 'cache',
  'pid directory': 'pid',
}

async function writeConfiguration(
  directory: string,
  address: string,
  more: readonly string[],
): Promise<string> {
  const lines = [
    '[global]',
    'server role = standalone server',
    'netbios name = LAB',
    `interfaces = ${address}/8`,
    'bind interfaces only = yes',
    'disable netbios = yes',
    'disable spoolss = yes',
    'load printers = no',
    'server min protocol = SMB2_02',
    `log file = ${directory}/log`,
    ...Object.entries(FOLDERS).map(([setting, folder]) => `${setting} = ${directory}/${folder}`),
    ...more,
  ]
  await Promise.all(Object.values(FOLDERS).map((folder) => mkdir(join(directory, folder), { mode: 0o755 })))
  const file = join(directory, 'smb.conf')
  await writeFile(file, `${lines.join('\n')}\n`)
  return file
}

const FOREGROUND = ['--foreground', '--no-process-group', '--debug-stdout', '--debuglevel=1']

/** smbd: SMB2 without shares and users. Rejects like launch(). */
export async function startSamba(options: SambaOptions = {}): Promise<Server> {
  const command = program('smbd')
  const env = skewed(options.skewSeconds)
  const at = await place(options, 445)
  const directory = await makeDirectory('samba')
  const file = await writeConfiguration(directory, at.address, [`smb ports = ${at.port}`])
  const running = await launch({
    name: 'smbd',
    command,
    args: [...FOREGROUND, '-s', file],
    directory,
    env,
    within: options.within,
    listens: [{ protocol: 'tcp', ...at }],
  })
  return { ...at, ...running }
}

/**
 * samba-dcerpcd with the local security authority on one port and, for those who may, the endpoint mapper on 135, both on
 * a loopback address of their own. Rejects like launch(), or when the authority does not accept its own interface.
 */
export async function startSambaRpc(): Promise<RpcServer> {
  const command = program('samba-dcerpcd')
  const address = loopbackAddress()
  const port = await freePort(address)
  const hasMapper = await canBind({ address, port: MAPPER_PORT })
  const services = hasMapper ? ['rpcd_lsad', 'rpcd_epmapper'] : ['rpcd_lsad']
  const directory = await makeDirectory('samba-rpc')
  const file = await writeConfiguration(directory, address, [
    'rpc start on demand helpers = no',
    `rpc server dynamic port range = ${port}-${port}`,
  ])
  const ports = hasMapper ? [port, MAPPER_PORT] : [port]
  const running = await launch({
    name: 'samba-dcerpcd',
    command,
    args: [...FOREGROUND, '-s', file, ...services.map((service) => join(command, '..', service))],
    directory,
    listens: ports.map((each) => ({ protocol: 'tcp', address, port: each })),
  })
  const { result } = await bindInterface({ address, port }, LSA)
  if (result !== 0) {
    await running.stop()
    throw new Error(
      `samba-dcerpcd: LSA is not accepted on ${address}:${port} (result ${result})\n${running.output()}`,
    )
  }
  const endpointMapper = hasMapper
    ? { address, port: MAPPER_PORT, acceptedInterface: ENDPOINT_MAPPER }
    : undefined
  return { address, port, acceptedInterface: LSA, endpointMapper, ...running }
}
