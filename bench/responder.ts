// The peers that are asked, in a process of their own so that their CPU is not counted.
import { connect } from 'node:net'
import {
  decodeQuery,
  encodeAnswer,
  TYPE_CODES,
  type Answer,
  type DnsRecord,
  type Query,
} from '../src/lab/dns-wire.ts'
import { startFiltered } from '../src/lab/filtered.ts'
import { listenTcp, listenUdp, type Listener } from '../src/lab/listener.ts'
import { startRpc } from '../src/lab/rpc.ts'
import { startSmb2 } from '../src/lab/smb2.ts'
import { addressOf, nameOf } from './names.ts'

export interface Ports {
  readonly rpc: number
  readonly smb2: number
  readonly dns: number
  /** As `rpc`, but only after a second and a half. */
  readonly slow: number
  /** As `rpc`, every other half minute; in between it refuses. */
  readonly flapping: number
  /** Neither accepts nor refuses. */
  readonly filtered: number
  /** Answers a line to whatever comes: blackbox_exporter can expect nothing else. */
  readonly line: number
}

/** On every loopback address: a host is an address of its own. */
const everywhere = { address: '0.0.0.0', port: 0 }
const rpc = await startRpc('kms', everywhere)
const smb2 = await startSmb2(Date.now, everywhere)
const slow = await listenTcp(everywhere, (socket) => {
  const timer = setTimeout(() => {
    const onward = connect(rpc.port, '127.0.0.1').on('error', () => socket.destroy())
    socket
      .on('close', () => onward.destroy())
      .pipe(onward)
      .pipe(socket)
  }, 1500)
  socket.on('error', () => socket.destroy()).on('close', () => clearTimeout(timer))
})
let flapping: Listener | undefined = await startRpc('kms', everywhere)
const flappingPort = flapping.port
setInterval(() => void flap(), 30_000)
async function flap(): Promise<void> {
  const before = flapping
  flapping = undefined
  if (before === undefined) flapping = await startRpc('kms', { ...everywhere, port: flappingPort })
  else await before.stop()
}
const filtered = await startFiltered({ address: '127.0.0.1', port: 0 })
const line = await listenTcp(everywhere, (socket) => {
  socket.on('data', () => socket.write(`${'x'.repeat(59)}\n`))
})

/** `dN.example` names `kmsN.bench.example`, and that is 127.1.x.y: thousands of zones without a table of them. */
function answerTo({ name, type }: Query): Answer {
  const found = { rcode: 'noerror', authoritative: true, authority: [], additional: [] } as const
  const [, domain] = /^_vlmcs\._tcp\.d(\d+)\.example$/.exec(name) ?? []
  if (domain !== undefined && type === TYPE_CODES.SRV) {
    const data = { priority: 0, weight: 0, port: rpc.port, target: nameOf(Number(domain)) }
    return { ...found, answers: [{ name, type: 'SRV', data }] }
  }
  const [, host] = /^kms(\d+)\.bench\.example$/.exec(name) ?? []
  if (host === undefined) return { ...found, rcode: 'nxdomain', answers: [] }
  const answers: DnsRecord[] =
    type === TYPE_CODES.A ? [{ name, type: 'A', data: addressOf(Number(host)) }] : []
  return { ...found, answers }
}

const dns = await listenUdp({ address: '127.0.0.1', port: 0 }, (message, reply) => {
  const query = decodeQuery(message)
  const answer = query && encodeAnswer(query, answerTo(query), 1232)
  if (answer) reply(answer)
})
const ports: Ports = {
  rpc: rpc.port,
  smb2: smb2.port,
  dns: dns.port,
  slow: slow.port,
  flapping: flappingPort,
  filtered: filtered.port,
  line: line.port,
}
process.send?.(ports)
process.on('disconnect', () => process.exit(0))
