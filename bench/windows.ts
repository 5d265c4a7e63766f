// CPU of this process and round trips for one run of the probes that ask Windows, whole: asked over a standing WinRM
// connection, judged, formatted, and (activity) its state written to the disk. Usage: npm run bench:windows [-- RUNS [ROUNDS]]
import { fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseConfig } from '../src/config/load.ts'
import { estateOf } from '../src/config/targets.ts'
import { plan, type Task } from '../src/engine/plan.ts'
import { run } from '../src/engine/run.ts'
import { createIo } from '../src/io/io.ts'
import { silentLog } from '../src/model/log.ts'
import { probes } from '../src/probes/index.ts'
import { FAMILIES } from '../src/views/catalogue.ts'
import { createBook } from '../src/views/book.ts'
import { tellResult } from '../src/views/subjects.ts'

const runs = Number(process.argv[2] ?? 200)
const rounds = Number(process.argv[3] ?? 5)

const responder = fileURLToPath(new URL('windows-responder.ts', import.meta.url))
const child = fork(responder, { execArgv: ['--import', 'tsx'] })
const heard = <T>(): Promise<T> =>
  new Promise((resolve) => child.once('message', (message) => resolve(message as T)))
const { url, username, password } = await heard<{ url: string; username: string; password: string }>()
const logged = async (more: number): Promise<void> => {
  const done = heard()
  child.send(more)
  await done
}

process.env['WINKMS_BENCH_PASSWORD'] = password
const yaml = `
hosts:
  - name: kms01.bench.example
    connect_to: 127.0.0.1
    windows: { via: winrm, url: '${url}', credentials: reader, allow_unencrypted: true }
domains: []
credentials: { reader: { auth: basic, username: ${username}, password_env: WINKMS_BENCH_PASSWORD } }
`
const { config, problems } = parseConfig(yaml, { file: 'bench', checkCron: () => undefined })
if (config === undefined) throw new Error(JSON.stringify(problems))
const tasks = plan(estateOf(config, { resolvers: [], searchDomains: [] }, []), Object.values(probes))
const taskOf = (name: string): Task => {
  const task = tasks.find(({ probe }) => probe.name === name)
  if (task === undefined) throw new Error(name)
  return task
}

const directory = await mkdtemp(join(tmpdir(), 'bench-'))
const io = createIo({ stateDirectory: directory })
const book = createBook(FAMILIES)

async function check(task: Task): Promise<number> {
  const result = await run(task, { io, log: silentLog })
  if (result.failure !== undefined) throw new Error(`${task.key}: ${result.failure.detail}`)
  book.set(task.key, tellResult(task, result))
  return (result.reading as { roundTrips?: number }).roundTrips ?? 1
}

interface Contest {
  readonly name: string
  readonly probe: string
  /** Events that are logged before each run. */
  readonly events: number
  readonly runs: number
}

const contests: readonly Contest[] = [
  { name: 'service', probe: 'service', events: 0, runs },
  { name: 'licensing', probe: 'licensing', events: 0, runs },
  { name: 'activity, nothing new', probe: 'activity', events: 0, runs },
  { name: 'activity, 10 new events', probe: 'activity', events: 10, runs },
  { name: 'activity, 1,000 new events', probe: 'activity', events: 1000, runs: Math.ceil(runs / 20) },
]

for (const { name, probe, events, runs: count } of contests) {
  const task = taskOf(probe)
  const figures: number[] = []
  let trips = 0
  // The first round only warms up.
  for (let round = 0; round <= rounds; round++) {
    let microseconds = 0
    for (let index = 0; index < count; index++) {
      if (events > 0) await logged(events)
      const before = process.cpuUsage()
      trips = await check(task)
      const { user, system } = process.cpuUsage(before)
      microseconds += user + system
    }
    if (round > 0) figures.push(microseconds / count)
  }
  const [least, median, most] = [0, 0.5, 1].map((part) => {
    const sorted = figures.toSorted((a, b) => a - b)
    return ((sorted[Math.floor(part * (sorted.length - 1))] ?? 0) / 1000).toFixed(2)
  })
  process.stdout.write(`${name.padEnd(28)} ${median} ms CPU (${least} to ${most}), ${trips} round trips\n`)
}
io.close()
child.disconnect()
await rm(directory, { recursive: true })
