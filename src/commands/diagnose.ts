// `diagnose HOST...`: everything about a host, now, for a person at a shell or a program.
import { writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import type { Config } from '../config/schema.ts'
import { estateOf, hostNamed, type Estate, type Host, type MachineFacts } from '../config/targets.ts'
import { examine, type Examination } from '../engine/examine.ts'
import { createIo, type Io } from '../io/io.ts'
import { readMachine } from '../io/machine.ts'
import { silentLog, type Log } from '../model/log.ts'
import type { ResultOf } from '../probes/index.ts'
import { checkName } from '../protocol/dns.ts'
import { diagnosisJson, resultJson } from '../views/json.ts'
import { printable, printableJson } from '../views/printable.ts'
import { reportPage } from '../views/report.ts'
import { diagnosisText, plainPaint, terminalPaint } from '../views/text.ts'
import { CONFIG_FLAG, loadConfiguration, problemsText } from './configuration.ts'
import { EXIT, type Context } from './context.ts'
import { createLogger } from './logger.ts'
import { parse, UsageError, type Command } from './options.ts'
import { STORAGE_FLAG } from './serve.ts'

export const diagnoseCommand: Command = {
  name: 'diagnose',
  usage: 'winkms-exporter diagnose HOST... [flags]',
  summary:
    "One run of everything, now: Microsoft's decision tree for 0xC004F074 with the evidence, the cause and the remedy.",
  operands: 'hosts',
  flags: {
    ...CONFIG_FLAG,
    domain: {
      value: 'DOMAIN',
      repeatable: true,
      help: 'a domain whose clients should find the host through _vlmcs._tcp',
    },
    port: { value: 'PORT', help: 'the KMS port of a host that the configuration does not have' },
    ...STORAGE_FLAG,
    json: { help: 'for programs' },
    report: {
      value: 'FILE.html',
      kind: 'file',
      help: 'write all of it to one HTML file too, to attach to a ticket',
    },
    debug: { help: 'log what goes wrong by our own fault, to stderr' },
  },
  notes: 'exit: 0 every host serves, 1 one does not, 2 it could not be told, 64 wrong usage',
}

interface Question {
  readonly host: Host
  readonly estate: Estate
}

/** Without a configuration, a host named with a domain is expected in that domain's records. */
function withDomains(config: Config, domains: readonly string[], names: readonly string[]): Config {
  if (domains.length === 0) return config
  const known = config.domains ?? []
  const added = domains
    .filter((name) => !known.some((domain) => domain.name === name))
    .map((name) => ({ name, unexpected: 'ignore' as const, expect: names.map((target) => ({ target })) }))
  return { ...config, domains: [...known.filter(({ name }) => domains.includes(name)), ...added] }
}

/** The port of a host that is not configured: what an SRV record says, unless the caller does. */
async function findPort(stranger: Host, estate: Estate, io: Io, log: Log): Promise<number> {
  const { results } = await examine(stranger, estate, { io, log, only: ['srv'] })
  for (const { reading } of results as readonly ResultOf<'srv'>[]) {
    const record = reading?.records.find(({ target }) => target === stranger.name)
    if (record !== undefined) return record.port
  }
  return stranger.port
}

async function questionOf(
  name: string,
  config: Config,
  machine: MachineFacts,
  io: Io,
  log: Log,
  port: number | undefined,
): Promise<Question> {
  const estate = estateOf(config, machine, [])
  const configured = estate.hosts.find((host) => host.name === name)
  if (configured !== undefined) return { host: configured, estate }
  const stranger = hostNamed(config, machine, name)
  const host = { ...stranger, port: port ?? (await findPort(stranger, estate, io, log)) }
  return { host, estate: { ...estate, hosts: [host] } }
}

function parseNames(given: readonly string[]): readonly string[] {
  if (given.length === 0) throw new UsageError(`usage: ${diagnoseCommand.usage}`)
  return given.map((text) => {
    try {
      return isIP(text) === 0 ? checkName(text) : text
    } catch {
      throw new UsageError(`"${text}" is not a host name`)
    }
  })
}

function parsePort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new UsageError(`--port is 1 to 65535, not "${text}"`)
  return port
}

function exitCode(examinations: readonly Examination[]): number {
  const states = examinations.map(({ diagnosis }) => diagnosis.serving)
  if (states.includes(false)) return EXIT.failed
  return states.includes(undefined) ? EXIT.unknown : EXIT.ok
}

export async function diagnose(argv: readonly string[], context: Context): Promise<number> {
  const args = parse(diagnoseCommand, argv)
  const names = parseNames(args.positionals)
  const port = parsePort(args.text('port'))
  const domains = args.texts('domain').map((name) => name.toLowerCase().replace(/\.$/, ''))
  const loaded = loadConfiguration(args.text('config.file'))
  if (loaded.config === undefined) {
    context.err(`${problemsText(loaded)}\n`)
    return EXIT.unknown
  }
  const log = args.has('debug') ? createLogger('debug', 'logfmt', context.err) : silentLog
  const config = withDomains(loaded.config, domains, names)
  const machine = await readMachine()
  // Read only: what the daemon has not read yet is the daemon's to read.
  const io = createIo({ stateDirectory: args.text('storage.path') })
  const progress = createProgress(context)
  let ended = false
  void context.ended.then(() => (ended = true))
  const examinations: Examination[] = []
  try {
    for (const name of names) {
      if (ended) break
      progress.say(`${name}: asking`)
      const { host, estate } = await questionOf(name, config, machine, io, log, port)
      const examination = await examine(host, estate, {
        io,
        log,
        onResult: ({ probe, target }, done, total) =>
          progress.say(`${name}: ${done} of ${total} answered (${probe} ${printable(target.key)})`),
      })
      progress.clear()
      examinations.push(examination)
      if (!args.has('json')) {
        const paint = context.outIsTerminal ? terminalPaint : plainPaint
        const { diagnosis, results } = examination
        const text = diagnosisText(diagnosis, results, paint, io.clock.wallSeconds())
        context.out(`${examinations.length > 1 ? '\n' : ''}${text}`)
      }
    }
  } finally {
    io.close()
  }
  if (args.has('json')) {
    const exporter = { ...context.build, node: process.version, platform: process.platform }
    const report = examinations.map(({ diagnosis, results }) => ({
      exporter,
      ...diagnosisJson(diagnosis),
      results: results.map(resultJson),
    }))
    context.out(`${printableJson(JSON.stringify(report, null, 2))}\n`)
  }
  const file = args.text('report')
  if (file !== undefined && examinations.length > 0) {
    const facts = {
      ...context.build,
      node: process.version,
      platform: process.platform,
      askedFrom: hostname(),
      configFile: args.text('config.file'),
      atSeconds: io.clock.wallSeconds(),
    }
    try {
      await writeFile(file, reportPage(examinations, facts))
    } catch (error) {
      context.err(
        `the report could not be written: ${error instanceof Error ? error.message : String(error)}\n`,
      )
      return EXIT.unknown
    }
  }
  return ended ? EXIT.unknown : exitCode(examinations)
}

function createProgress({ err, errIsTerminal }: Context): { say(text: string): void; clear(): void } {
  if (!errIsTerminal) return { say() {}, clear() {} }
  return { say: (text) => err(`\r\u001b[K${text}`), clear: () => err('\r\u001b[K') }
}
