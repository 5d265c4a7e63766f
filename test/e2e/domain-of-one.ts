// Run inside a network namespace by zero-config.test.ts: a DNS server on the real port and one KMS host on the real
// port, as a machine in a domain would meet them.
import { startDns } from '../../src/lab/dns.ts'
import { startRpc } from '../../src/lab/rpc.ts'

const dns = await startDns(
  { zones: { 'corp.example': [], 'empty.example': [] } },
  { address: '127.0.0.53', port: 53 },
)
await startRpc('kms', { address: '127.0.7.1', port: 1688 })

/** The record is published a little later than the exporter starts, so that it is seen to keep looking. */
process.on('SIGUSR2', () => {
  dns.setRecords('corp.example', [
    { name: 'kms01.corp.example', type: 'A', data: '127.0.7.1' },
    {
      name: '_vlmcs._tcp.corp.example',
      type: 'SRV',
      data: { priority: 0, weight: 0, port: 1688, target: 'kms01.corp.example' },
    },
  ])
})
process.stdout.write('ready\n')
