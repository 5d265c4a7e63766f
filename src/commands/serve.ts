// The daemon: reads the configuration, probes on schedule, serves, reloads at SIGHUP, ends at SIGTERM.
import { hostname } from 'node:os'
import { createDaemon } from '../app.ts'
import { formatProblem } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import type { MachineFacts } from '../config/targets.ts'
import { renderConfig } from '../config/mask.ts'
import type { Shard } from '../engine/shard.ts'
import { createIo } from '../io/io.ts'
import { findSupervisor } from '../io/systemd.ts'
import { passedSockets } from '../io/systemd-sockets.ts'
import { readMachine } from '../io/machine.ts'
import type { StateProblem } from '../io/state.ts'
import type { Log } from '../model/log.ts'
import { createBasicAuth } from '../server/basic-auth.ts'
import { createPasswords } from '../server/bcrypt.ts'
import { NO_DOORS, type Doors } from '../server/doors.ts'
import { createApp } from '../server/http.ts'
import { listen, type Listening } from '../server/listen.ts'
import { keepHeapSmall } from './collector.ts'
import { CONFIG_FLAG, loadConfiguration, loadDoors, problemsText } from './configuration.ts'
import { EXIT, type Context } from './context.ts'
import { createDaemonLog, LOG_FLAGS } from './logger.ts'
import { parse, UsageError, type Command, type Flag } from './options.ts'
import { createReloader, statusOf } from './reload.ts'
import { watch } from './watch.ts'
import { parseWebFlags, WEB_FLAGS, type WebSettings } from './web-flags.ts'

export const STORAGE_FLAG: Readonly<Record<string, Flag>> = {
  'storage.path': {
    value: 'PATH',
    kind: 'folder',
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
    version: { help: 'show the version and exit' },
  },
  notes: `other commands: diagnose, config, health, demo, completion; winkms-exporter COMMAND --help says more
signals: SIGHUP reloads the configuration, SIGTERM and SIGINT end the exporter; on Windows Ctrl-C, Ctrl-Break and closing
the window end it, and only POST /-/reload reloads`,
}

function parseShard(text: string | undefined): Shard | undefined {
  if (text === undefined) return undefined
  const [index, count] = /^(\d+)\/(\d+)$/.exec(text)?.slice(1).map(Number) ?? []
  if (index === undefined || count === undefined || count < 1 || index >= count) {
    throw new UsageError(`--shard is I/N with I from 0 to N - 1, not "${text}"`)
  }
  return { index, count }
}

export interface ServeOptions {
  readonly config: Config
  readonly web: WebSettings
  readonly doors?: Doors | undefined
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
  const { log, web, doors = NO_DOORS } = options
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
  const rereadDoors = (): readonly string[] => doors.reload().map(formatProblem)
  const reload = createReloader(daemon, { reread: options.reread, rereadDoors }, log, supervisor)

  const passwords = createPasswords()
  doors.onRead(daemon.webConfigRead)
  const app = createApp(
    daemon,
    {
      ...web,
      doors,
      basicAuth: createBasicAuth(passwords),
      hostNames: hostNames(web, machine),
      version: context.build.version,
      reload,
      configText: () => renderConfig(daemon.config),
    },
    log,
  )
  let listening: Listening | undefined
  const unwatch = watch(daemon, supervisor, log)
  try {
    listening = await listen(app, web.addresses ?? passedSockets(), {
      doors,
      log,
      maxConnections: web.maxConnections,
      refused: (why) => daemon.self.refused.inc({ why }),
    })
    context.onHangup(() => void reload())
    daemon.self.externalUrl.set({ url: web.externalUrl ?? reachableUrl(web, listening) }, 1)
    daemon.start()
    for (const url of listening.urls) log.info({ url: `${url}${web.routePrefix}/` }, 'listening')
    sayWhoMayComeIn(listening, doors, log)
    sayWhatIsWatched(daemon, options.shard, log)
    options.listening?.(listening.urls)
    supervisor?.tell('READY=1', statusOf(daemon))
    await context.ended
    log.info({}, 'stopping')
    supervisor?.tell('STOPPING=1', 'STATUS=stopping')
  } finally {
    // Also when an address cannot be had: what ticks would keep the process alive.
    await daemon.stop(Promise.all([listening?.close(), passwords.close()]))
    await io.state.settled()
    io.close()
    unwatch()
  }
  log.info({}, 'stopped')
}

/** Of an exporter that listens on all addresses, by the machine's name: it is others who follow the link. */
function reachableUrl({ routePrefix }: WebSettings, { urls: [first = ''], hosts }: Listening): string {
  const everywhere = hosts[0] === undefined
  return `${everywhere ? first.replace('//localhost:', `//${hostname()}:`) : first}${routePrefix}`
}

/** Names that are ours because we, or whoever runs this machine, gave them to us: nobody else's page has one. */
function hostNames({ externalUrl, allowHosts }: WebSettings, { searchDomains }: MachineFacts): string[] {
  const external = externalUrl === undefined ? [] : [new URL(externalUrl).hostname]
  return [hostname(), ...external, ...searchDomains.map((domain) => `*.${domain}`), ...allowHosts]
}

function sayWhoMayComeIn({ hosts }: Listening, { config: { users, tls } }: Doors, log: Log): void {
  const beyond = hosts.filter((host) => host === undefined || !LOOPBACK.test(host))
  if (beyond.length === 0) return
  const asksWho = users.size > 0 || (tls !== undefined && tls.clientAuthType.startsWith('Require'))
  if (!asksWho) {
    log.warn(
      {},
      'whoever reaches this port may read all of it: --web.config.file sets passwords or client certificates, and TLS',
    )
  } else if (tls === undefined) {
    log.warn({}, 'passwords come in clear: tls_server_config in --web.config.file sets TLS')
  }
}

const LOOPBACK = /^(?:127\.|::1$|localhost$)/

function logStateProblem(log: Log, { kind, again, ...fields }: StateProblem): void {
  const says =
    kind === 'unusable'
      ? 'a file of the storage cannot be used: counters of its host begin anew'
      : 'the storage cannot be written: counters are kept in memory only'
  if (again) log.debug(fields, says)
  else log.error(fields, says)
}

function sayWhatIsWatched(
  { estate }: ReturnType<typeof createDaemon>,
  shard: Shard | undefined,
  log: Log,
): void {
  const domains = estate.domains.map(({ name }) => name)
  const share = shard && { shard: `${shard.index}/${shard.count}` }
  log.info({ hosts: estate.hosts.length, domains, ...share }, 'watching')
  // A shard may have no host, where there are few.
  if (shard === undefined && estate.hosts.length === 0 && domains.length === 0) {
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
  keepHeapSmall()
  const loaded = loadConfiguration(file)
  if (loaded.config === undefined) {
    context.err(`${problemsText(loaded)}\n`)
    return EXIT.failed
  }
  const reread = (): Config | string => {
    const again = loadConfiguration(file)
    return again.config ?? problemsText(again)
  }
  const doors = loadDoors(args.text('web.config.file'), log, context)
  if (doors === undefined) return EXIT.failed
  try {
    await runDaemon(context, { doors, config: loaded.config, web, log, losses, shard, storagePath, reread })
  } catch (error) {
    log.error({ err: error instanceof Error ? error.message : String(error) }, 'the exporter could not start')
    return EXIT.failed
  }
  return EXIT.ok
}
