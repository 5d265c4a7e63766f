// CPU of this process for one check, whole (asked, judged, formatted, stored), beside the barest thing that Node can do
// for the same exchange, in turn within one run. Usage: npm run bench [-- CHECKS [ROUNDS]]
import { fork } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { parseConfig } from '../src/config/load.ts'
import { estateOf } from '../src/config/targets.ts'
import { plan, type Task } from '../src/engine/plan.ts'
import { run } from '../src/engine/run.ts'
import { createStore } from '../src/engine/store.ts'
import { createIo } from '../src/io/io.ts'
import { silentLog } from '../src/model/log.ts'
import { probes } from '../src/probes/index.ts'
import { encodeBind, KMS_INTERFACE } from '../src/protocol/dcerpc.ts'
import { encodeQuery } from '../src/protocol/dns.ts'
import { FAMILIES } from '../src/views/catalogue.ts'
import { createBook } from '../src/views/lines.ts'
import { linesOfResult } from '../src/views/subjects.ts'

const checks = Number(process.argv[2] ?? 4000)
const rounds = Number(process.argv[3] ?? 5)
const AT_ONCE = 32

const child = fork(fileURLToPath(new URL('responder.ts', import.meta.url)), { execArgv: ['--import', 'tsx'] })
const ports = await new Promise<{ rpc: number; dns: number }>((resolve) =>
  child.once('message', (message) => resolve(message as never)),
)

const yaml = `
resolvers: ["127.0.0.1:${ports.dns}"]
hosts: [{ name: kms01.bench.example, port: ${ports.rpc}, connect_to: 127.0.0.1 }]
domains: [{ name: bench.example, expect: [kms01.bench.example] }]
`
const { config } = parseConfig(yaml, { file: 'bench', checkCron: () => undefined })
if (config === undefined) throw new Error('the configuration of the benchmark is wrong')
const tasks = plan(estateOf(config, { resolvers: [], searchDomains: [] }, []), Object.values(probes))
const taskOf = (name: string): Task => {
  const task = tasks.find(({ probe }) => probe.name === name)
  if (task === undefined) throw new Error(name)
  return task
}

const io = createIo()
const store = createStore()
const book = createBook(FAMILIES)

async function check(task: Task): Promise<void> {
  const result = await run(task, { io, log: silentLog })
  if (result.failure !== undefined) throw new Error(result.failure.detail)
  store.put(result)
  book.set(task.key, linesOfResult(task, result))
}

const bind = encodeBind({ callId: 1, interfaces: [KMS_INTERFACE, KMS_INTERFACE] })

function bareTcp(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new Socket()
    socket.on('error', reject)
    socket.once('connect', () => socket.write(bind))
    socket.once('data', () => socket.destroy())
    socket.once('close', () => resolve())
    socket.connect(ports.rpc, '127.0.0.1')
  })
}

const shared = createSocket('udp4')
const waiting = new Map<number, () => void>()
shared.on('message', (bytes) => waiting.get(bytes.readUInt16BE(0))?.())
let nextId = 0

function bareDns(): Promise<void> {
  return new Promise((resolve) => {
    const id = (nextId = (nextId + 1) & 0xffff)
    waiting.set(id, () => {
      waiting.delete(id)
      resolve()
    })
    shared.send(encodeQuery({ id, name: '_vlmcs._tcp.bench.example', type: 'SRV' }), ports.dns, '127.0.0.1')
  })
}

async function cpuMicroseconds(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  let left = checks
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) await work()
    }),
  )
  const { user, system } = process.cpuUsage(before)
  return (user + system) / checks
}

const contests = {
  'port check': () => check(taskOf('port')),
  'bare net.Socket, same exchange': bareTcp,
  'srv check (3 queries)': () => check(taskOf('srv')),
  'bare shared UDP, 1 query': bareDns,
}
const figures = new Map<string, number[]>(Object.keys(contests).map((name) => [name, []]))
for (let round = 0; round <= rounds; round++) {
  for (const [name, work] of Object.entries(contests)) {
    const figure = await cpuMicroseconds(work)
    if (round > 0) figures.get(name)?.push(figure)
  }
}
for (const [name, all] of figures) {
  const sorted = all.toSorted((a, b) => a - b)
  const [least, median, most] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].map(
    (each) => each?.toFixed(1),
  )
  process.stdout.write(`${name.padEnd(34)} ${median} µs CPU (${least} to ${most})\n`)
}
io.close()
shared.close()
child.disconnect()
