// The peers of bench/checks.ts, in a process of their own so that their CPU is not counted.
import { startDns } from '../src/lab/dns.ts'
import { startRpc } from '../src/lab/rpc.ts'

const rpc = await startRpc('kms', { address: '127.0.0.1', port: 0 })
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
  { address: '127.0.0.1', port: 0 },
)
process.send?.({ rpc: rpc.port, dns: dns.port })
process.on('disconnect', () => process.exit(0))
