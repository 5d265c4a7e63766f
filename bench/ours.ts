// This exporter's own checks, whole: asked, judged, formatted, stored, with the very functions that the service runs.
import { parseConfig } from '../src/config/load.ts'
import type { Config } from '../src/config/schema.ts'
import { estateOf } from '../src/config/targets.ts'
import { diagnose } from '../src/diagnosis/diagnose.ts'
import { evidenceOf, sharedEvidence } from '../src/engine/assess.ts'
import { plan, type Task } from '../src/engine/plan.ts'
import { run } from '../src/engine/run.ts'
import { createStore } from '../src/engine/store.ts'
import { createIo } from '../src/io/io.ts'
import { silentLog } from '../src/model/log.ts'
import { probes } from '../src/probes/index.ts'
import { FAMILIES } from '../src/views/catalogue.ts'
import { createBook } from '../src/views/book.ts'
import { tellDiagnosis, tellResult } from '../src/views/subjects.ts'
import { domainOf, nameOf } from './names.ts'
import type { Check } from './peers.ts'
import type { Ports } from './responder.ts'

export interface Ours {
  /** Of the next host in turn, so that none is asked twice within the second in which lookups are shared. */
  check(check: Check): Promise<void>
  /** Checks that were not answered as they should be: then the figures say nothing. */
  failed(): number
  close(): void
}

/** As many hosts as are checked in a second or two. */
export function createOurs(ports: Ports, hosts: number): Ours {
  const all = Array.from({ length: hosts }, (_, index) => index)
  const config = configOf(`
resolvers: ["127.0.0.1:${ports.dns}"]
hosts:
${all.map((index) => `  - { name: ${nameOf(index)}, port: ${ports.rpc}, probes: { clock: { sources: [smb2], ports: { smb2: ${ports.smb2} } } } }`).join('\n')}
  # By its address: what it costs to look up names is in the other rows.
  - { name: 127.0.0.1, port: ${ports.rpc} }
domains:
${all.map((index) => `  - { name: ${domainOf(index)}, expect: [${nameOf(index)}] }`).join('\n')}
`)
  const estate = estateOf(config, { resolvers: [], searchDomains: [] }, [])
  const tasks = new Map(plan(estate, Object.values(probes)).map((task) => [task.key, task]))
  const taskOf = (name: string, target: string): Task => {
    const task = tasks.get(`${name}/${target}`)
    if (task === undefined) throw new Error(`${name} ${target}`)
    return task
  }
  const io = createIo()
  const store = createStore()
  const book = createBook(FAMILIES)

  let failed = 0
  async function ask(task: Task): Promise<void> {
    const result = await run(task, { io, log: silentLog })
    if (result.failure !== undefined) failed += 1
    store.put(result)
    book.set(task.key, tellResult(task, result))
  }
  const alone = taskOf('port', '127.0.0.1')
  const sets = all.map((index) => {
    const host = estate.hosts.find(({ name }) => name === nameOf(index))
    if (host === undefined) throw new Error(nameOf(index))
    const srv = taskOf('srv', `${domainOf(index)} @ 127.0.0.1:${ports.dns}`)
    return { host, srv, port: taskOf('port', host.name), clock: taskOf('clock', host.name) }
  })
  let turn = 0
  return {
    async check(check) {
      const set = sets[turn++ % sets.length]
      if (check === 'port' || set === undefined) return ask(alone)
      if (check === 'srv') return ask(set.srv)
      await Promise.all([ask(set.port), ask(set.srv), ask(set.clock)])
      const diagnosis = diagnose(evidenceOf(set.host, store, sharedEvidence(store)))
      if (diagnosis.serving !== true) failed += 1
      book.set(`diagnosis/${set.host.name}`, tellDiagnosis(diagnosis))
    },
    failed: () => failed,
    close: () => io.close(),
  }
}

function configOf(yaml: string): Config {
  const { config, problems } = parseConfig(yaml, { file: 'bench', checkCron: () => undefined })
  if (config === undefined) throw new Error(JSON.stringify(problems.slice(0, 3)))
  return config
}
