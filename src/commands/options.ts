// Flags as the exporter toolkit has them (`--web.listen-address`), from one table that parsing and `--help` share.
import { parseArgs } from 'node:util'
import { didYouMean } from '../config/nearest.ts'

export interface Flag {
  /** What stands for the value in help; a flag without is a switch. */
  readonly value?: string
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

export function parse(command: Command, argv: readonly string[]): Arguments {
  const flags = { ...command.flags, ...COMMON }
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

export function helpText({ usage, summary, flags, notes }: Command): string {
  const rows = Object.entries({ ...flags, ...COMMON }).map(
    ([name, { value, repeatable, fallback, help }]) => {
      const left = `  --${name}${value === undefined ? '' : `=${value}`}`
      const more = [
        repeatable === true ? 'repeatable' : '',
        fallback === undefined ? '' : `default ${fallback}`,
      ]
      const extra = more.filter((each) => each !== '').join('; ')
      return { left, right: extra === '' ? help : `${help} (${extra})` }
    },
  )
  const width = Math.max(...rows.map(({ left }) => left.length))
  const lines = rows.map(({ left, right }) => `${left.padEnd(width)}  ${right}`)
  return `usage: ${usage}\n\n${summary}\n\nflags:\n${lines.join('\n')}\n${notes === undefined ? '' : `\n${notes}\n`}`
}
