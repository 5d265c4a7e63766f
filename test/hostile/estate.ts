// A process of its own: sixty good hosts, and bad peers of every kind for sixty others. Prints where they are, as JSON, and
// stays until its input ends.
import { BAD_TCP_PEERS, BAD_UDP_PEERS, startBadPeer, startBadUdpPeer } from '../../src/lab/bad-peer.ts'
import { startDns } from '../../src/lab/dns.ts'
import { startRpc } from '../../src/lab/rpc.ts'
import { startSmb2 } from '../../src/lab/smb2.ts'

const LOOPBACK = { address: '127.0.0.1', port: 0 }
const GOOD_HOSTS = 60

/** What a peer that drips or never ends begins with: it is of that protocol, as far as one can tell. */
const PREFIXES: Readonly<Record<string, Uint8Array>> = {
  rpc: Buffer.from('05000c0310000000d016000001000000', 'hex'),
  smb2: Buffer.from('0000fffffe534d424000', 'hex'),
  'http header': Buffer.from('HTTP/1.1 200 OK\r\nX: y'),
  'http body': Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\n\r\n'),
  'http chunks': Buffer.from('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;'),
  tls: Buffer.from('16030300ff02000000', 'hex'),
}

const tcpPeers = [
  ...BAD_TCP_PEERS.map((kind) => startBadPeer(kind, LOOPBACK, { dripMilliseconds: 50 })),
  ...(['drip', 'endless'] as const).flatMap((kind) =>
    Object.values(PREFIXES).map((prefix) => startBadPeer(kind, LOOPBACK, { prefix, dripMilliseconds: 50 })),
  ),
]
const starting = Array.from({ length: GOOD_HOSTS }, async (_, index) => {
  const [rpc, smb2] = await Promise.all([startRpc('kms', LOOPBACK), startSmb2(Date.now, LOOPBACK)])
  return { name: `good${index}.corp.example`, port: rpc.port, smb2: smb2.port }
})
const portOf = ({ port }: { port: number }): number => port

export interface HostileEstate {
  readonly good: readonly { readonly name: string; readonly port: number; readonly smb2: number }[]
  readonly tcp: readonly number[]
  readonly udp: readonly number[]
  readonly dns: number
}

const good = await Promise.all(starting)
const zone = good.flatMap(({ name, port }) => [
  { name, type: 'A', data: '127.0.0.1' } as const,
  {
    name: '_vlmcs._tcp.corp.example',
    type: 'SRV',
    data: { priority: 0, weight: 1, port, target: name },
  } as const,
])

const estate: HostileEstate = {
  good,
  tcp: (await Promise.all(tcpPeers)).map(portOf),
  udp: (await Promise.all(BAD_UDP_PEERS.map((kind) => startBadUdpPeer(kind, LOOPBACK)))).map(portOf),
  dns: (await startDns({ zones: { 'corp.example': zone } }, LOOPBACK)).port,
}
process.stdout.write(`${JSON.stringify(estate)}\n`)
process.stdin.resume().on('end', () => process.exit())
