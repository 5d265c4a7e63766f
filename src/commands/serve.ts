// The daemon: reads the configuration, probes on schedule, serves, reloads at SIGHUP, ends at SIGTERM.
import { hostname } from 'node:os'
import { createDaemon } from '../app.ts'
import type { Config } from '../config/schema.ts'
import { renderConfig } from '../config/mask.ts'
import type { Shard } from '../engine/shard.ts'
import { createIo } from '../io/io.ts'
import { findSupervisor } from '../io/systemd.ts'
import { readMachine } from '../io/machine.ts'
import type { StateProblem } from '../io/state.ts'
import type { Log } from '../model/log.ts'
import { createApp, listen, type Listening } from '../server/http.ts'
import { CONFIG_FLAG, loadConfiguration, problemsText } from './configuration.ts'
import { EXIT, type Context } from './context.ts'
import { createDaemonLog, LOG_FLAGS } from './logger.ts'
import { parse, UsageError, type Arguments, type Command, type Flag } from './options.ts'
import { createReloader, statusOf } from './reload.ts'
import { watch } from './watch.ts'

export const WEB_FLAGS: Readonly<Record<string, Flag>> = {
  'web.listen-address': {
    value: 'ADDRESS',
    repeatable: true,
    fallback: ':11688',
    help: '[host]:port to listen on',
  },
  'web.telemetry-path': { value: 'PATH', fallback: '/metrics', help: 'where the metrics are' },
  'web.external-url': { value: 'URL', help: 'the URL under which browsers reach the exporter' },
  'web.route-prefix': {
    value: 'PATH',
    help: 'what all paths begin with; by default the path of the external URL',
  },
  'web.enable-lifecycle': { help: 'let POST /-/reload reload the configuration' },
  'probe.allow': {
    value: 'PATTERN',
    repeatable: true,
    help: 'names beyond the watched hosts that /probe may ask; * stands for anything',
  },
  'probe.timeout-offset': {
    value: 'SECONDS',
    fallback: '0.5',
    help: "what /probe takes off Prometheus's scrape timeout",
  },
}

export const STORAGE_FLAG: Readonly<Record<string, Flag>> = {
  'storage.path': {
    value: 'PATH',
    fallback: 'data',
    help: 'where it is kept how far event logs were read; used only where Windows itself is asked',
  },
}

export const serveCommand: Command = {
  name: 'serve',
  stays: true,
  usage: 'winkms-exporter [serve] [flags]',
  summary: 'Watches KMS hosts and tells Prometheus whether clients can activate, and if not, why.',
  flags: {
    ...CONFIG_FLAG,
    ...WEB_FLAGS,
    ...STORAGE_FLAG,
    shard: {
      value: 'I/N',
      help: "watch only the hosts whose name falls to shard I of N (from 0), by Prometheus's hashmod",
    },
    ...LOG_FLAGS,
  },
  notes: `other commands: diagnose, config, demo; winkms-exporter COMMAND --help says more
signals: SIGHUP reloads the configuration, SIGTERM and SIGINT end the exporter`,
}

export function parseListenAddress(text: string): { host: string | undefined; port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    throw new UsageError(`--web.listen-address is host:port, [v6]:port or :port, not "${text}"`)
  }
  const host = match[1] ?? match[2] ?? ''
  return { host: host === '' ? undefined : host, port }
}

function parseShard(text: string | undefined): Shard | undefined {
  if (text === undefined) return undefined
  const [index, count] = /^(\d+)\/(\d+)$/.exec(text)?.slice(1).map(Number) ?? []
  if (index === undefined || count === undefined || count < 1 || index >= count) {
    throw new UsageError(`--shard is I/N with I from 0 to N - 1, not "${text}"`)
  }
  return { index, count }
}

function parsePath(flag: string, text: string): string {
  const path = text.replace(/\/+$/, '')
  if (path !== '' && !/^(\/[\w.~-]+)+$/.test(path))
    throw new UsageError(`--${flag} is a path like /kms, not "${text}"`)
  return path
}

export interface WebSettings {
  readonly addresses: readonly { host: string | undefined; port: number }[]
  readonly telemetryPath: string
  readonly routePrefix: string
  readonly linkPrefix: string
  /** Without a slash at the end. */
  readonly externalUrl: string | undefined
  readonly enableLifecycle: boolean
  readonly probeAllow: readonly string[]
  readonly timeoutOffsetSeconds: number
}

export function parseWebFlags(args: Arguments): WebSettings {
  const external = args.text('web.external-url')
  if (external !== undefined && !(/^https?:\/\//.test(external) && URL.canParse(external))) {
    throw new UsageError(`--web.external-url is an http or https URL, not "${external}"`)
  }
  const linkPrefix = parsePath('web.external-url', external === undefined ? '' : new URL(external).pathname)
  const prefix = args.text('web.route-prefix')
  const routePrefix = prefix === undefined ? linkPrefix : parsePath('web.route-prefix', prefix)
  const offset = Number(args.text('probe.timeout-offset'))
  if (!Number.isFinite(offset) || offset < 0)
    throw new UsageError('--probe.timeout-offset is a number of seconds')
  const telemetryPath = parsePath('web.telemetry-path', args.text('web.telemetry-path') ?? '')
  if (telemetryPath === '')
    throw new UsageError('--web.telemetry-path cannot be the root: the status page is there')
  return {
    addresses: args.texts('web.listen-address').map(parseListenAddress),
    telemetryPath,
    routePrefix,
    linkPrefix: external === undefined ? routePrefix : linkPrefix,
    externalUrl: external?.replace(/\/+$/, ''),
    enableLifecycle: args.has('web.enable-lifecycle'),
    probeAllow: args.texts('probe.allow'),
    timeoutOffsetSeconds: offset,
  }
}

export interface ServeOptions {
  readonly config: Config
  readonly web: WebSettings
  readonly log: Log
  /** `lost` is set to what is to hear of every log line that is lost. */
  readonly losses?: { lost: () => void } | undefined
  readonly shard?: Shard | undefined
  /** Without it, how far event logs were read is forgotten at the end. */
  readonly storagePath?: string | undefined
  /** Reads the configuration again; a text says what is wrong with it. */
  readonly reread: () => Config | string
  readonly listening?: (urls: readonly string[]) => void
}

/** Runs until the context has ended. Rejects when a listen address cannot be had. */
export async function runDaemon(context: Context, options: ServeOptions): Promise<void> {
  const { log, web } = options
  const io = createIo({
    stateDirectory: options.storagePath,
    onStateProblem: (problem) => {
      daemon.self.storageProblems.inc({ kind: problem.kind })
      logStateProblem(log, problem)
    },
  })
  const machine = await readMachine()
  const daemon = createDaemon({ ...options, machine, io, build: context.build })

  if (options.losses !== undefined) options.losses.lost = () => daemon.self.logLinesLost.inc()
  const supervisor = await findSupervisor((error) => {
    log.warn({ err: error }, 'systemd cannot be told how the exporter is')
  })
  const reload = createReloader(daemon, options.reread, log, supervisor)

  const app = createApp(
    daemon,
    {
      ...web,
      version: context.build.version,
      reload,
      configText: () => renderConfig(daemon.config),
    },
    log,
  )
  let listening: Listening | undefined
  const unwatch = watch(daemon, supervisor, log)
  try {
    listening = await listen(app, web.addresses)
    context.onHangup(() => void reload())
    daemon.self.externalUrl.set({ url: web.externalUrl ?? reachableUrl(web, listening.urls) }, 1)
    daemon.start()
    for (const url of listening.urls) log.info({ url: `${url}${web.routePrefix}/` }, 'listening')
    sayWhatIsWatched(daemon, log)
    options.listening?.(listening.urls)
    supervisor?.tell('READY=1', statusOf(daemon))
    await context.ended
    log.info({}, 'stopping')
    supervisor?.tell('STOPPING=1', 'STATUS=stopping')
  } finally {
    // Also when an address cannot be had: what ticks would keep the process alive.
    await daemon.stop(listening?.close())
    await io.state.settled()
    io.close()
    unwatch()
  }
  log.info({}, 'stopped')
}

/** Of an exporter that listens on all addresses, by the machine's name: it is others who follow the link. */
function reachableUrl({ addresses, routePrefix }: WebSettings, [first = '']: readonly string[]): string {
  const everywhere = [undefined, '0.0.0.0', '::'].includes(addresses[0]?.host)
  return `${everywhere ? first.replace('//localhost:', `//${hostname()}:`) : first}${routePrefix}`
}

function logStateProblem(log: Log, { kind, again, ...fields }: StateProblem): void {
  const says =
    kind === 'unusable'
      ? 'a file of the storage cannot be used: counters of its host begin anew'
      : 'the storage cannot be written: counters are kept in memory only'
  if (again) log.debug(fields, says)
  else log.error(fields, says)
}

function sayWhatIsWatched({ estate }: ReturnType<typeof createDaemon>, log: Log): void {
  const domains = estate.domains.map(({ name }) => name)
  log.info({ hosts: estate.hosts.length, domains }, 'watching')
  if (estate.hosts.length === 0 && domains.length === 0) {
    log.warn(
      {},
      'there is nothing to watch: this machine has no search domain, and no hosts or domains are configured',
    )
  }
}

export async function serve(argv: readonly string[], context: Context): Promise<number> {
  const args = parse(serveCommand, argv)
  if (args.positionals.length > 0) throw new UsageError(`unknown command "${args.positionals[0]}"`)
  const web = parseWebFlags(args)
  const shard = parseShard(args.text('shard'))
  const { log, losses } = createDaemonLog(args, context)
  const storagePath = args.text('storage.path')
  const file = args.text('config.file')
  const loaded = loadConfiguration(file)
  if (loaded.config === undefined) {
    context.err(`${problemsText(loaded)}\n`)
    return EXIT.failed
  }
  const reread = (): Config | string => {
    const again = loadConfiguration(file)
    return again.config ?? problemsText(again)
  }
  try {
    await runDaemon(context, { config: loaded.config, web, log, losses, shard, storagePath, reread })
  } catch (error) {
    log.error({ err: error instanceof Error ? error.message : String(error) }, 'the exporter could not start')
    return EXIT.failed
  }
  return EXIT.ok
}
