// The peer of bench/windows.ts, in a process of its own so that its CPU is not counted: a KMS host under simulated Windows
// with 300 unlicensed products. Each number that it is sent is so many more requests in its event log.
import { request12290 } from '../src/lab/event-log.ts'
import { kmsHost } from '../src/lab/windows-machine.ts'
import { READER, startWinrm } from '../src/lab/winrm.ts'

const machine = kmsHost({ name: 'kms01.bench.example' })
const server = await startWinrm(machine, { address: '127.0.0.1', port: 0 })
let client = 0
process.on('message', (more: number) => {
  const log = machine.log('Key Management Service')
  for (let index = 0; index < more; index++) {
    const number = client++ % 3000
    const cmid = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`
    log.append(request12290({ clientName: `pc-${number}.bench.example`, cmid }))
  }
  process.send?.({ done: true })
})
process.on('disconnect', () => process.exit(0))
process.send?.({ url: server.url, ...READER })
