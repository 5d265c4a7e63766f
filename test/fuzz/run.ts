// npm run fuzz -- [codec...] [--seconds 60] [--rounds 1] [--seed N]: fuzzes each codec in turn, for so many seconds of one
// core. Progress goes to stderr, a line a codec to stdout; what was found is written to test/fuzz/findings, and then the exit
// code is 1.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { bundle } from './bundle.ts'
import { CODECS } from './codecs/index.ts'
import type { Finding } from './explore.ts'
import { addFinding, addHours, readCorpus, readFindings, readWork, writeCorpus, writeWork } from './kept.ts'
import type { Codec } from './promises.ts'
import { NOW_HEADER, type Done, type Progress, type Task } from './task.ts'

/** In the repository, of one codec: 200 KB for all of them. */
const MOST_CORPUS_BYTES = 5 * 1024
const MOST_WORK_BYTES = 2 * 2 ** 20
/** Of one input. Generous: the machine may have better things to do. */
const HANGS_MILLISECONDS = 60_000
const WORKER_MEGABYTES = 1024

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    rounds: { type: 'string', default: '1' },
    seed: { type: 'string' },
  },
})

/** The outcome, or what was being decoded when it hung or ran out of memory. */
function fuzz(script: string, codec: Codec, seconds: number, seed: number): Promise<Done | Finding> {
  const now = new SharedArrayBuffer(NOW_HEADER + codec.mostBytes)
  const counts = new Int32Array(now, 0, 2)
  const task: Task = {
    codec: codec.name,
    seconds,
    seed,
    inputs: [...readCorpus(codec.name), ...readFindings(codec.name), ...readWork(codec.name)],
    now,
    mostBytes: [MOST_CORPUS_BYTES, MOST_WORK_BYTES],
  }
  const worker = new Worker(script, {
    workerData: task,
    // The stack that a main thread has, a quarter of a worker's own.
    resourceLimits: { maxOldGenerationSizeMb: WORKER_MEGABYTES, stackSizeMb: 1 },
  })
  return new Promise((resolve) => {
    let last = -1
    let since = performance.now()
    const end = (outcome: Done | Finding): void => {
      clearInterval(watch)
      void worker.terminate()
      resolve(outcome)
    }
    const input = (): Uint8Array => Uint8Array.from(new Uint8Array(now, NOW_HEADER, counts[1] ?? 0))
    const watch = setInterval(() => {
      if (counts[0] !== last) {
        last = counts[0] ?? 0
        since = performance.now()
      } else if (performance.now() - since > HANGS_MILLISECONDS)
        end({ input: input(), message: `no end within ${HANGS_MILLISECONDS / 1000} s` })
    }, 1000)
    worker.on('message', (message: Progress | Done) => {
      const { executions, kept, places, findings } = message
      process.stderr.write(
        `${codec.name}: ${executions} executions, ${kept} inputs, ${places} places, ${findings.length} findings\n`,
      )
      if ('corpora' in message) end(message)
    })
    worker.on('error', (error) => end({ input: input(), message: String(error) }))
  })
}

function tell(codec: string, { input, message }: Finding): void {
  console.log(`${codec}: FOUND ${message}\n  ${addFinding(codec, input)}`)
}

const unknown = positionals.filter((name) => !CODECS.some((codec) => codec.name === name))
if (unknown.length > 0)
  throw new Error(`no codec ${unknown.join(', ')}; there are ${CODECS.map(({ name }) => name).join(' ')}`)

const chosen = CODECS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
const directory = mkdtempSync(join(tmpdir(), 'fuzz-'))
try {
  const script = await bundle('worker.ts', directory)
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const codec of chosen) {
      const seed = values.seed === undefined ? Date.now() : Number(values.seed) + round
      const outcome = await fuzz(script, codec, Number(values.seconds), seed)
      if ('input' in outcome) {
        tell(codec.name, outcome)
        process.exitCode = 1
        continue
      }
      const { seconds, executions, bySeeds, before, places, findings, corpora } = outcome
      const [corpus = [], work = []] = corpora
      writeCorpus(codec.name, corpus)
      writeWork(codec.name, work)
      addHours(codec.name, { seconds, executions, placesBySeeds: bySeeds, places })
      for (const finding of findings) tell(codec.name, finding)
      if (findings.length > 0) process.exitCode = 1
      const bytes = corpus.reduce((sum, { length }) => sum + length, 0)
      console.log(
        `${codec.name.padEnd(17)} ${String(executions).padStart(9)} executions ${(executions / seconds).toFixed(0).padStart(7)}/s` +
          `  corpus ${corpus.length} (${bytes} bytes), ${work.length} for the next run` +
          `  places ${bySeeds} by seeds, ${before} before, ${places} now  ${findings.length} findings`,
      )
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true })
}
