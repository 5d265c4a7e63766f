// What is kept of fuzzing: inputs worth trying again, inputs that found something, and how long each codec has been at it.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const HOURS = join(HERE, 'hours.json')
/** Inputs of earlier runs on this machine, many more than are worth a place in the repository. */
const WORK = fileURLToPath(new URL('../../coverage/fuzz/', import.meta.url))

function read(file: string): readonly Uint8Array[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => Uint8Array.from(Buffer.from(line, 'base64')))
}

function write(file: string, inputs: readonly Uint8Array[]): void {
  mkdirSync(dirname(file), { recursive: true })
  const lines = inputs.map((input) => `${Buffer.from(input).toString('base64')}\n`).toSorted()
  // A file that is there is whole: a run may be ended at any time.
  writeFileSync(`${file}.new`, lines.join(''))
  renameSync(`${file}.new`, file)
}

/** An input a line, in base64: hundreds of files of a few bytes each would be in everybody's way. */
const corpusOf = (codec: string): string => join(HERE, 'corpus', `${codec}.txt`)
const workOf = (codec: string): string => join(WORK, `${codec}.txt`)

export const readCorpus = (codec: string): readonly Uint8Array[] => read(corpusOf(codec))
export const writeCorpus = (codec: string, inputs: readonly Uint8Array[]): void =>
  write(corpusOf(codec), inputs)
export const readWork = (codec: string): readonly Uint8Array[] => read(workOf(codec))
export const writeWork = (codec: string, inputs: readonly Uint8Array[]): void => write(workOf(codec), inputs)

export function readFindings(codec: string): readonly Uint8Array[] {
  const directory = join(HERE, 'findings', codec)
  if (!existsSync(directory)) return []
  const names = readdirSync(directory).toSorted()
  return names.map((name) => new Uint8Array(readFileSync(join(directory, name))))
}

/** The file that it is written to, named by what is in it. */
export function addFinding(codec: string, input: Uint8Array): string {
  const directory = join(HERE, 'findings', codec)
  mkdirSync(directory, { recursive: true })
  const file = join(directory, createHash('sha256').update(input).digest('hex').slice(0, 16))
  writeFileSync(file, input)
  return file
}

interface Hours {
  readonly seconds: number
  readonly executions: number
  /** Reached by the seeds alone, and by all that was ever kept. */
  readonly placesBySeeds: number
  readonly places: number
  readonly lastRun: string
}

export function addHours(codec: string, run: Omit<Hours, 'lastRun'>): void {
  const all = existsSync(HOURS) ? (JSON.parse(readFileSync(HOURS, 'utf8')) as Record<string, Hours>) : {}
  const before = all[codec]
  all[codec] = {
    seconds: Math.round((before?.seconds ?? 0) + run.seconds),
    executions: (before?.executions ?? 0) + run.executions,
    placesBySeeds: run.placesBySeeds,
    places: run.places,
    lastRun: new Date().toISOString().slice(0, 10),
  }
  const sorted = Object.entries(all).toSorted(([a], [b]) => (a < b ? -1 : 1))
  writeFileSync(HOURS, `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`)
}
