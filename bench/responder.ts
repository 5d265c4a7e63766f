// The peers that are asked, in a process of their own so that their CPU is not counted.
import { startDns } from '../src/lab/dns.ts'
import { listenTcp } from '../src/lab/listener.ts'
import { startRpc } from '../src/lab/rpc.ts'
import { startSmb2 } from '../src/lab/smb2.ts'

export interface Ports {
  readonly rpc: number
  readonly smb2: number
  readonly dns: number
  /** Answers a line to whatever comes: blackbox_exporter can expect nothing else. */
  readonly line: number
}

const where = { address: '127.0.0.1', port: 0 }
const rpc = await startRpc('kms', where)
const smb2 = await startSmb2(Date.now, where)
const line = await listenTcp(where, (socket) => {
  socket.on('data', () => socket.write(`${'x'.repeat(59)}\n`))
})
const dns = await startDns(
  {
    zones: {
      'bench.example': [
        { name: 'kms01.bench.example', type: 'A', data: '127.0.0.1' },
        {
          name: '_vlmcs._tcp.bench.example',
          type: 'SRV',
          data: { priority: 0, weight: 0, port: rpc.port, target: 'kms01.bench.example' },
        },
      ],
    },
  },
  where,
)
const ports: Ports = { rpc: rpc.port, smb2: smb2.port, dns: dns.port, line: line.port }
process.send?.(ports)
process.on('disconnect', () => process.exit(0))
