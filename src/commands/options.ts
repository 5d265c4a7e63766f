// Flags as the exporter toolkit has them (`--web.listen-address`), from one table that parsing and `--help` share.
import { parseArgs } from 'node:util'
import { didYouMean } from '../config/nearest.ts'

/** What a value may be, for shells that complete it. Nothing is checked by it. */
export type Kind = 'file' | 'folder' | readonly string[]

export interface Flag {
  /** What stands for the value in help; a flag without is a switch. */
  readonly value?: string
  readonly kind?: Kind
  readonly repeatable?: boolean
  readonly fallback?: string
  readonly help: string
}

export interface Command {
  readonly name: string
  readonly usage: string
  readonly summary: string
  readonly flags: Readonly<Record<string, Flag>>
  readonly notes?: string
  /** What stands beside flags: any number of hosts; or one of these words, and what comes after it. */
  readonly operands?: 'hosts' | Readonly<Record<string, 'file' | 'nothing'>>
  /** A daemon: a hangup does not end it, and what it logs is never waited for. */
  readonly stays?: boolean
}

/** Exit code 64, as in sysexits(3). */
export class UsageError extends Error {}

export interface Arguments {
  readonly positionals: readonly string[]
  has(flag: string): boolean
  text(flag: string): string | undefined
  texts(flag: string): readonly string[]
}

const COMMON: Readonly<Record<string, Flag>> = { help: { help: 'show this help and exit' } }

/** All flags that a command takes. */
export function flagsOf(command: Command): Readonly<Record<string, Flag>> {
  return { ...command.flags, ...COMMON }
}

export function parse(command: Command, argv: readonly string[]): Arguments {
  const flags = flagsOf(command)
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: {
      ...Object.fromEntries(
        Object.entries(flags).map(([name, { value }]) => [
          name,
          { type: value === undefined ? ('boolean' as const) : ('string' as const) },
        ]),
      ),
      help: { type: 'boolean', short: 'h' },
    },
  })
  const values = new Map<string, string[]>()
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined
    if (flag === undefined) {
      const hint = didYouMean(
        token.rawName,
        Object.keys(flags).map((name) => `--${name}`),
      )
      throw new UsageError(`unknown flag ${token.rawName}${hint === undefined ? '' : ` (${hint})`}`)
    }
    if (flag.value === undefined && token.value !== undefined) {
      throw new UsageError(`${token.rawName} takes no value`)
    }
    if (flag.value !== undefined && (token.value === undefined || token.value === '')) {
      throw new UsageError(`${token.rawName} needs a value: ${token.rawName}=${flag.value}`)
    }
    const known = values.get(token.name) ?? []
    if (known.length > 0 && flag.repeatable !== true) throw new UsageError(`${token.rawName} is given twice`)
    values.set(token.name, [...known, token.value ?? ''])
  }
  return {
    positionals,
    has: (name) => values.has(name),
    text: (name) => values.get(name)?.[0] ?? flags[name]?.fallback,
    texts: (name) => values.get(name) ?? (flags[name]?.fallback === undefined ? [] : [flags[name].fallback]),
  }
}

/** The first clause of the summary, for lists. */
export function briefOf({ summary }: Command): string {
  return summary.replace(/[.:].*$/s, '')
}

export function helpText(command: Command): string {
  const { usage, summary, notes } = command
  const rows = Object.entries(flagsOf(command)).map(([name, { value, repeatable, fallback, help }]) => {
    const left = `  --${name}${value === undefined ? '' : `=${value}`}`
    const more = [
      repeatable === true ? 'repeatable' : '',
      fallback === undefined ? '' : `default ${fallback}`,
    ]
    const extra = more.filter((each) => each !== '').join('; ')
    return { left, right: extra === '' ? help : `${help} (${extra})` }
  })
  const width = Math.max(...rows.map(({ left }) => left.length))
  const lines = rows.map(({ left, right }) => `${left.padEnd(width)}  ${right}`)
  return `usage: ${usage}\n\n${summary}\n\nflags:\n${lines.join('\n')}\n${notes === undefined ? '' : `\n${notes}\n`}`
}
