// This exporter's own checks, whole: asked, judged, formatted, stored, with the very functions that the service runs.
import { parseConfig } from '../src/config/load.ts'
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
import type { Check } from './peers.ts'
import type { Ports } from './responder.ts'

export interface Ours {
  check(check: Check): Promise<void>
  /** Checks that were not answered as they should be: then the figures say nothing. */
  failed(): number
  close(): void
}

export function createOurs(ports: Ports): Ours {
  const yaml = `
resolvers: ["127.0.0.1:${ports.dns}"]
hosts:
  - name: kms01.bench.example
    port: ${ports.rpc}
    probes: { clock: { sources: [smb2], ports: { smb2: ${ports.smb2} } } }
  # By its address: what it costs to look up names is in the other rows.
  - { name: 127.0.0.1, port: ${ports.rpc} }
domains: [{ name: bench.example, expect: [kms01.bench.example] }]
`
  const { config, problems } = parseConfig(yaml, { file: 'bench', checkCron: () => undefined })
  if (config === undefined) throw new Error(JSON.stringify(problems))
  const estate = estateOf(config, { resolvers: [], searchDomains: [] }, [])
  const tasks = plan(estate, Object.values(probes))
  const taskOf = (name: string, target?: string): Task => {
    const task = tasks.find(({ probe, target: { key } }) => probe.name === name && (target ?? key) === key)
    if (task === undefined) throw new Error(name)
    return task
  }
  const [host] = estate.hosts
  if (host === undefined) throw new Error('no host')
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
  const [port, srv, clock, alone] = [
    taskOf('port', host.name),
    taskOf('srv'),
    taskOf('clock', host.name),
    taskOf('port', '127.0.0.1'),
  ]
  return {
    async check(check) {
      if (check === 'port') return ask(alone)
      if (check === 'srv') return ask(srv)
      await Promise.all([ask(port), ask(srv), ask(clock)])
      const diagnosis = diagnose(evidenceOf(host, store, sharedEvidence(store)))
      if (diagnosis.serving !== true) failed += 1
      book.set(`diagnosis/${host.name}`, tellDiagnosis(diagnosis))
    },
    failed: () => failed,
    close: () => io.close(),
  }
}
