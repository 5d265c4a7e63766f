// One codec's share of a run, in a thread of its own: run.ts ends it where an input never does. Bundled and instrumented.
import { readFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { CODECS } from './codecs/index.ts'
import { createExplorer } from './explore.ts'
import { createRandom } from './mutate.ts'
import { NOW_HEADER, type Task } from './task.ts'

const SLICE_MILLISECONDS = 100
const TELL_MILLISECONDS = 2000

/** Of the processor: what a busy machine gave to others was not spent on this. Where that is not told, by the clock. */
function spentSeconds(): number {
  try {
    return Number.parseInt(readFileSync('/proc/thread-self/schedstat', 'latin1'), 10) / 1e9
  } catch {
    return performance.now() / 1000
  }
}

function work(
  { codec: name, seconds, seed, inputs, now, mostBytes }: Task,
  tell: (message: object) => void,
): void {
  const codec = CODECS.find((each) => each.name === name)
  if (codec === undefined) throw new Error(`no codec ${name}`)
  const counts = new Int32Array(now, 0, 2)
  const bytes = new Uint8Array(now, NOW_HEADER)
  const explorer = createExplorer(codec, createRandom(seed), (input) => {
    counts[1] = input.length
    bytes.set(input)
    counts[0] = (counts[0] ?? 0) + 1
  })
  const start = spentSeconds()
  explorer.add(codec.seeds)
  const bySeeds = explorer.state.places
  explorer.add(inputs.filter(({ length }) => length <= codec.mostBytes))
  const before = explorer.state.places
  let told = performance.now()
  let executions = 16
  for (let at = told; spentSeconds() < start + seconds;) {
    explorer.explore(executions)
    const explored = performance.now()
    executions = Math.max(1, Math.round((executions * SLICE_MILLISECONDS) / Math.max(1, explored - at)))
    // A tenth of the time.
    while (performance.now() - explored < SLICE_MILLISECONDS / 10) explorer.stretch()
    at = performance.now()
    if (at - told < TELL_MILLISECONDS) continue
    told = at
    tell(explorer.state)
  }
  const corpora = mostBytes.map((most) => explorer.corpus(most))
  tell({ ...explorer.state, seconds: spentSeconds() - start, bySeeds, before, corpora })
}

if (parentPort !== null) {
  const port = parentPort
  work(workerData as Task, (message) => port.postMessage(message))
}
