// What the fuzzer is tried on (fuzzer.test.ts), instrumented.
import { decodeGreedily, decodeInStages, decodeSlowly, decodeThrowing } from './planted.ts'
import type { Codec } from './promises.ts'

export { CODECS } from './codecs/index.ts'
export { createExplorer } from './explore.ts'
export { createRandom } from './mutate.ts'

const common = { seeds: [new Uint8Array(16)], mostBytes: 1024 }

export const PLANTED: readonly Codec[] = [
  { name: 'throwing', decode: decodeThrowing, ...common },
  { name: 'slow', decode: decodeSlowly, ...common },
  { name: 'greedy', decode: decodeGreedily, ...common },
  { name: 'sound', decode: decodeInStages, ...common, mostBytes: 8192 },
]
