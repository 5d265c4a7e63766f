// The coverage-guided loop: an input that reaches what none before has reached, or reaches it another order of magnitude
// more often, is kept, and mutated in turn. Runs on instrumented code only (bundle.ts).
import { clear, counters, countSteps, createReached, files } from './coverage.ts'
import { hintsOf, mutated, wordsOf, type Hint, type Random } from './mutate.ts'
import { hold, joined, type Codec } from './promises.ts'

export interface Finding {
  readonly input: Uint8Array
  readonly message: string
}

interface Kept {
  readonly input: Uint8Array
  readonly hints: readonly Hint[]
}

export interface Explorer {
  /** Runs each of them, and keeps what is new. */
  add(inputs: readonly Uint8Array[]): void
  /** So many mutations, more or less, of what there is. */
  explore(executions: number): void
  /** A piece of one kept input over and over, ever longer: work must not grow faster than length. */
  stretch(): void
  /** Few inputs, short ones first, that reach what the seeds do not; of so many bytes in all. */
  corpus(mostBytes: number): readonly Uint8Array[]
  readonly state: {
    readonly executions: number
    readonly kept: number
    readonly places: number
    readonly findings: readonly Finding[]
  }
}

const NOTHING: Kept = { input: new Uint8Array(), hints: [] }
const MOST_FINDINGS = 10
/** Of what is tried by the thousand a second. `stretch` goes as far as the codec does. */
const MOST_EXPLORED_BYTES = 4096
/** Half a megabyte may take ten seconds, of the processor alone: what is not linear takes longer. */
const mostMilliseconds = (bytes: number): number => 250 + bytes / 50
/** Places passed. No decoder needs hundreds for a byte. */
const mostSteps = (bytes: number): number => 50_000 + 500 * bytes
const LEAST_STEPS_TO_COMPARE = 200_000

/** What many messages have in common. */
const general = (message: string): string => message.replaceAll(/\d+|".*"/g, '#')

// A decoder that refuses most of what it gets would spend most of its time on stack traces that nobody reads.
Error.stackTraceLimit = 0

export function createExplorer(
  codec: Codec,
  random: Random,
  onRun: (input: Uint8Array) => void = () => {},
): Explorer {
  const reached = createReached()
  const kept: Kept[] = []
  const findings = new Map<string, Finding>()
  let executions = 0
  let words: readonly Uint8Array[] = []
  let wordsOfFiles = 0

  function report(input: Uint8Array, message: string, kind: string): void {
    if (findings.size < MOST_FINDINGS && !findings.has(kind))
      findings.set(kind, { input: Uint8Array.from(input), message })
  }

  /** How it ended. Whether a promise was broken is noted here. */
  function run(input: Uint8Array): string {
    executions++
    onRun(input)
    const start = performance.now()
    const ending = execute(input)
    if (performance.now() - start > mostMilliseconds(input.length)) tryAgain(input)
    return ending
  }

  function execute(input: Uint8Array): string {
    clear()
    try {
      const ending = hold(codec, input)
      return 'malformed' in ending ? ending.malformed : 'a value'
    } catch (error) {
      const { name, message } = error instanceof Error ? error : { name: 'thrown', message: String(error) }
      report(input, `${name}: ${message}`, `${name} ${general(message)}`)
      return message
    }
  }

  /** By processor time: the clock on the wall counts what other programs do, too. */
  function tryAgain(input: Uint8Array): void {
    const tries = [1, 2, 3].map(() => {
      const before = process.cpuUsage()
      execute(input)
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1000
    })
    const least = Math.min(...tries)
    if (least > mostMilliseconds(input.length))
      report(input, `${least.toFixed(0)} ms of processor time for ${input.length} bytes`, 'slow')
  }

  /** Shorter, as long as it still reaches as much that is new. */
  function trimmed(input: Uint8Array): Uint8Array {
    const wanted = reached.countNew()
    let best = input
    let tries = 64
    for (let size = best.length >> 1; size >= 1 && tries > 0; size >>= 1) {
      for (let at = 0; at + size <= best.length && tries > 0; tries--) {
        const shorter = joined(best.subarray(0, at), best.subarray(at + size))
        run(shorter)
        if (reached.countNew() >= wanted) best = shorter
        else at += size
      }
    }
    return best
  }

  function keep(input: Uint8Array): void {
    const best = trimmed(input)
    counters.pairs = []
    run(best)
    const { pairs } = counters
    counters.pairs = undefined
    reached.note()
    const steps = countSteps()
    if (steps > mostSteps(best.length)) report(best, `${steps} steps for ${best.length} bytes`, 'steps')
    kept.push({ input: best, hints: hintsOf(pairs) })
    refreshWords()
  }

  /** The dictionary: of those of our files that anything was reached in. */
  function refreshWords(): void {
    const ours = files.filter((file) => file.texts.length + file.numbers.length > 0 && reached.hasAnyOf(file))
    if (ours.length === wordsOfFiles) return
    wordsOfFiles = ours.length
    words = wordsOf(
      ours.flatMap(({ texts }) => texts),
      ours.flatMap(({ numbers }) => numbers),
    )
  }

  /** Half of the time one of the newest; the shorter of two. */
  function chosen(): Kept {
    const from = random(2) === 0 ? Math.floor(kept.length * 0.8) : 0
    const one = kept[from + random(kept.length - from)] ?? NOTHING
    const other = kept[from + random(kept.length - from)] ?? NOTHING
    return one.input.length <= other.input.length ? one : other
  }

  return {
    add(inputs) {
      for (const input of inputs) {
        if (input.length > codec.mostBytes) throw new Error(`${codec.name}: a seed of ${input.length} bytes`)
        run(input)
        if (reached.countNew() > 0 || kept.length === 0) keep(input)
      }
    },

    explore(times) {
      const end = executions + times
      while (executions < end) {
        const { input, hints } = chosen()
        const next = mutated(input, {
          random,
          words,
          hints,
          other: () => chosen().input,
          mostBytes: Math.min(codec.mostBytes, MOST_EXPLORED_BYTES),
        })
        run(next)
        if (reached.countNew() > 0) keep(next)
      }
    },

    stretch() {
      const { input } = chosen()
      if (input.length === 0) return
      const at = random(input.length)
      const piece = input.subarray(at, at + 1 + random(Math.min(256, input.length - at)))
      let before = { steps: Infinity, ending: '' }
      let inARow = 0
      for (const part of [8, 4, 2, 1]) {
        const most = Math.floor(codec.mostBytes / part)
        const middle = new Uint8Array(Buffer.alloc(Math.max(piece.length, most - input.length), piece))
        const whole = joined(input.subarray(0, at), middle, input.subarray(at + piece.length))
        const long = whole.subarray(0, codec.mostBytes)
        const ending = general(run(long))
        const steps = countSteps()
        reached.note()
        // One that was cut off, and refused early for it, says nothing about one that was not.
        inARow = ending === before.ending && steps > 2.9 * before.steps ? inARow + 1 : 0
        before = { steps, ending }
        if (inARow >= 2 && steps > LEAST_STEPS_TO_COMPARE)
          report(
            long,
            `${steps} steps for ${long.length} bytes, thrice as many with each doubling`,
            'superlinear',
          )
      }
    },

    corpus(mostBytes) {
      const covered = createReached()
      // The seeds are tried anyhow.
      for (const seed of codec.seeds) {
        run(seed)
        covered.note()
      }
      const inputs = kept.map(({ input }) => input).toSorted((a, b) => a.length - b.length)
      const chosenInputs = new Set<Uint8Array>()
      let bytes = 0
      // First a place each, then orders of magnitude, as far as there is room.
      for (const count of [covered.countNewPlaces, covered.countNew]) {
        for (const input of inputs) {
          if (bytes + input.length > mostBytes || chosenInputs.has(input)) continue
          run(input)
          if (count() === 0) continue
          covered.note()
          chosenInputs.add(input)
          bytes += input.length
        }
      }
      return [...chosenInputs]
    },

    get state() {
      return { executions, kept: kept.length, places: reached.places, findings: [...findings.values()] }
    },
  }
}
