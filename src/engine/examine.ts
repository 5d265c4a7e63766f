// Everything about one host, now: for `/probe` and for `diagnose`. Nothing is kept; the schedule goes on beside it.
import type { Estate, Host } from '../config/targets.ts'
import { diagnose, type Diagnosis } from '../diagnosis/diagnose.ts'
import type { Deadline } from '../io/deadline.ts'
import type { Io } from '../io/io.ts'
import type { Log } from '../model/log.ts'
import type { Result } from '../model/result.ts'
import { probes, type ProbeName, type ResultOf } from '../probes/index.ts'
import { evidenceOf, sharedEvidence } from './assess.ts'
import { plan, type Task } from './plan.ts'
import { run } from './run.ts'
import { createStore } from './store.ts'

export interface Examination {
  readonly diagnosis: Diagnosis
  readonly tasks: readonly Task[]
  readonly results: readonly Result[]
}

export interface ExamineOptions {
  readonly io: Io
  readonly log: Log
  readonly only?: readonly ProbeName[] | undefined
  readonly mostSeconds?: number | undefined
  readonly end?: Deadline | undefined
  /** What canaries have said before: they are asked on schedule only, for asking may start their sppsvc. */
  readonly clients?: readonly ResultOf<'client'>[] | undefined
  readonly onResult?: (result: Result, done: number, total: number) => void
}

/** `host` is one of the estate's. Never rejects for what a peer does. */
export async function examine(host: Host, estate: Estate, options: ExamineOptions): Promise<Examination> {
  const { log, only, mostSeconds, end, clients = [], onResult } = options
  // The bookmarks of the event logs are the schedule's: what is read here must not be missing there.
  const io = { ...options.io, state: options.io.state.readOnly() }
  const chosen = Object.values(probes).filter(({ name }) => only === undefined || only.includes(name))
  const tasks = plan({ ...estate, hosts: [host], clients: [] }, chosen)
  const store = createStore()
  let done = 0
  const results = await Promise.all(
    tasks.map(async (task) => {
      const result = await run(task, { io, log, mostSeconds, end })
      store.put(result)
      onResult?.(result, ++done, tasks.length)
      return result
    }),
  )
  const shared = { ...sharedEvidence(store), clients }
  return { diagnosis: diagnose(evidenceOf(host, store, shared)), tasks, results }
}
