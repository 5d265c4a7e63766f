// The configuration from a file: all that is wrong with it at once, each fault with its place, or the whole of it with
// its defaults. Reads the files that it names, to say early that they are missing. Passwords are not kept.
import { dirname } from 'node:path'

import { detached } from '../model/detached.ts'
import { check } from './check.ts'
import { readYaml } from './document.ts'
import { located, readSmallFile } from './files.ts'
import { faultsOf, writtenFor } from './issues.ts'
import { configJsonSchema } from './json-schema.ts'
import { inOrder, placed, textProblems, unreadable } from './placing.ts'
import type { Problem } from './problem.ts'
import { schema, type ClientConfig, type Config, type Credential, type HostConfig } from './schema.ts'

export { formatProblem, type Problem } from './problem.ts'

export interface LoadOptions {
  /** What problems call the file; relative file names in it are relative to where it is. */
  readonly file: string
  /** What is wrong with a cron expression of 5 or 6 fields, or undefined: the scheduler's word. */
  readonly checkCron: (expression: string) => string | undefined
}

export type Loaded =
  | { readonly config: Config; readonly problems: readonly [] }
  | { readonly config: undefined; readonly problems: readonly Problem[] }

const LOGON_FILES = ['password_file', 'keytab_file', 'cache_file', 'certificate_file', 'key_file'] as const

const MAX_FILE_BYTES = 4 * 1024 * 1024

/** Like `parseConfig`, of the text in `file`. A file that cannot be read is a problem on its first line. */
export function readConfig(file: string, options: Omit<LoadOptions, 'file'>): Loaded {
  const read = readSmallFile(file, MAX_FILE_BYTES)
  if (read.problem === undefined) return parseConfig(read.text, { ...options, file })
  return { config: undefined, problems: [unreadable(read, file)] }
}

/** Never throws. Problems are in the order of the text; an empty text is a configuration. */
export function parseConfig(text: string, options: LoadOptions): Loaded {
  const directory = dirname(options.file)
  const yaml = readYaml(text.replace(/^\uFEFF/, ''))
  const faults = textProblems(yaml, options.file)
  // Only an empty document has null for its value; where the syntax is beyond use, there is none.
  const value = yaml.value === null ? {} : yaml.value
  if (value === undefined) return refused(faults)

  const parsed = schema.safeParse(value)
  const issues = parsed.error?.issues ?? []
  const written = writtenFor(value, configJsonSchema)
  const found = [
    ...issues.flatMap((issue) => faultsOf(issue, written)),
    ...check(value, { ...options, directory }),
  ]
  const problems = [...faults, ...found.map((fault) => placed(yaml, fault, options.file))]
  if (problems.length > 0 || parsed.data === undefined) return refused(problems)
  return { config: condensed(withAbsolutePaths(detached(parsed.data), directory)), problems: [] }
}

function refused(problems: readonly Problem[]): Loaded {
  return { config: undefined, problems: inOrder(problems) }
}

// Whoever reads them later does not know where the configuration was.
function withAbsolutePaths(config: Config, directory: string): Config {
  const credentials = Object.entries(config.credentials).map(([name, entry]): [string, Credential] => {
    const files = LOGON_FILES.flatMap((key) => {
      const file = entry[key]
      return file === undefined ? [] : [[key, located(directory, file)]]
    })
    return [name, { ...entry, ...Object.fromEntries(files) }]
  })
  const withAuthorities = <T extends HostConfig | ClientConfig>(owner: T): T => {
    const { windows } = owner
    const file = windows?.tls?.ca_file
    if (file === undefined) return owner
    return { ...owner, windows: { ...windows, tls: { ...windows?.tls, ca_file: located(directory, file) } } }
  }
  return {
    ...config,
    hosts: config.hosts.map(withAuthorities),
    clients: config.clients.map(withAuthorities),
    credentials: Object.fromEntries(credentials),
  }
}

/** Equal parts of hosts, clients and domains as one object: of thousands nearly all say the same. */
function condensed(config: Config): Config {
  const known = new Map<string, unknown>()
  const shared = (part: object): unknown => {
    const text = JSON.stringify(part)
    if (!known.has(text)) known.set(text, part)
    return known.get(text)
  }
  const withShared = <T extends object>(owner: T): T => {
    const parts: Record<string, unknown> = {}
    for (const [key, part] of Object.entries(owner)) {
      if (typeof part === 'object' && part !== null) parts[key] = shared(part)
    }
    return { ...owner, ...parts }
  }
  const { hosts, clients, domains } = config
  return {
    ...config,
    hosts: hosts.map(withShared),
    clients: clients.map(withShared),
    ...(domains && { domains: domains.map(withShared) }),
  }
}
