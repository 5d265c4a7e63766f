// `demo`: the daemon over a simulated estate on loopback, one host for every cause. No Windows, no privileges.
import { parseConfig, formatProblem } from '../config/load.ts'
import { checkCron } from '../engine/cron.ts'
import { writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { loadDoors } from './configuration.ts'
import { EXIT, type Context } from './context.ts'
import { createDaemonLog, LOG_FLAGS } from './logger.ts'
import { parse, UsageError, type Command } from './options.ts'
import { runDaemon } from './serve.ts'
import { parseWebFlags, WEB_FLAGS } from './web-flags.ts'

export const demoCommand: Command = {
  name: 'demo',
  stays: true,
  usage: 'winkms-exporter demo [flags]',
  summary:
    'The exporter over a simulated estate on loopback: healthy hosts, and one for every cause it can tell.',
  flags: {
    ...WEB_FLAGS,
    'web.listen-address': {
      value: 'ADDRESS',
      repeatable: true,
      fallback: '127.0.0.1:11688',
      help: '[host]:port to listen on',
    },
    'demo.exporter-clock-off': {
      value: 'SECONDS',
      fallback: '0',
      help: "how far to pretend the exporter's own clock is off",
    },
    'demo.network': {
      value: 'A.B',
      fallback: '127.88',
      help: 'the first two numbers of the loopback addresses to use',
    },
    'demo.write-config': {
      value: 'FILE',
      kind: 'file',
      help: 'write the configuration of the estate there, for other commands',
    },
    'demo.control': {
      value: 'ADDRESS:PORT',
      help: 'a loopback address that takes orders to break and repair hosts while the demo runs',
    },
    ...LOG_FLAGS,
    'log.level': { ...LOG_FLAGS['log.level'], fallback: 'error' },
  },
  notes: `while it runs, in another shell:
  winkms-exporter demo --demo.write-config=/tmp/demo.yml   (instead of plain demo)
  winkms-exporter diagnose --config.file=/tmp/demo.yml kms-stopped.plant.example
to break a host and repair it, with --demo.control=127.0.0.1:11689:
  curl -X POST 'http://127.0.0.1:11689/break?host=kms02.corp.example&how=stop_service'
  curl -X POST 'http://127.0.0.1:11689/repair?host=kms02.corp.example'
  curl http://127.0.0.1:11689/   (all the ways, and which hosts are broken)`,
}

export async function demo(argv: readonly string[], context: Context): Promise<number> {
  const args = parse(demoCommand, argv)
  if (args.positionals.length > 0) throw new UsageError(`usage: ${demoCommand.usage}`)
  const web = parseWebFlags(args)
  const { log, losses } = createDaemonLog(args, context)
  const off = Number(args.text('demo.exporter-clock-off'))
  if (!Number.isFinite(off)) throw new UsageError('--demo.exporter-clock-off is a number of seconds')
  const network = args.text('demo.network') ?? ''
  if (!/^127\.\d{1,3}$/.test(network)) throw new UsageError('--demo.network is like 127.88')

  const control = parseControl(args.text('demo.control'))
  const doors = loadDoors(args.text('web.config.file'), log, context)
  if (doors === undefined) return EXIT.failed

  // Loaded here and nowhere else: production never touches the simulator.
  const { startEstate } = await import('../lab/estate.ts')
  let estate: Awaited<ReturnType<typeof startEstate>>
  try {
    // An exporter that is ahead sees every true clock behind.
    estate = await startEstate({ network, exporterClockOffsetSeconds: -off, ...(control && { control }) })
  } catch (error) {
    context.err(
      `the simulated estate could not start: ${error instanceof Error ? error.message : String(error)}\n`,
    )
    return EXIT.failed
  }
  try {
    const loaded = parseConfig(estate.configYaml, { file: 'demo.yml', checkCron })
    if (loaded.config === undefined) throw new Error(loaded.problems.map(formatProblem).join('\n'))
    const { config } = loaded
    const file = args.text('demo.write-config')
    if (file !== undefined) await writeFile(file, estate.configYaml)
    const listening = (urls: readonly string[]): void => {
      const [url] = urls.map((each) => `${each}${web.routePrefix}`)
      const width = Math.max(...estate.hosts.map(({ name }) => name.length))
      const rows = estate.hosts.map(
        ({ name, cause, story }) => `  ${name.padEnd(width)}  ${(cause ?? 'healthy').padEnd(21)} ${story}`,
      )
      const canaries = estate.clients.map(({ name, story }) => `  ${name}: ${story}`)
      context.out(
        `A simulated estate is running. Open

  ${url}/          which hosts serve, and why the others do not
  ${url}${web.telemetryPath}   what Prometheus scrapes: look for winkms_host_serving and winkms_diagnosis
  ${url}/probe?target=${estate.hosts[0]?.name}&debug=true   one run, now

What there is to find:

${rows.join('\n')}

Canary clients, whose own word on their activation is read:

${canaries.join('\n')}
${estate.controlUrl === undefined ? '' : controlHelp(estate.controlUrl)}
Everything is asked once within ${FIRST_ROUND_SECONDS} seconds; what is filtered takes its timeout. Ctrl-C ends it.
`,
      )
    }
    await runDaemon(context, { config, web, doors, log, losses, reread: () => config, listening })
    return EXIT.ok
  } catch (error) {
    context.err(`${error instanceof Error ? error.message : String(error)}\n`)
    return EXIT.failed
  } finally {
    await estate.stop()
  }
}

/** Nobody but programs on this machine may break anything. */
function parseControl(text: string | undefined): { address: string; port: number } | undefined {
  if (text === undefined) return undefined
  const [, address, digits] = /^(127(?:\.\d{1,3}){3}):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (address === undefined || isIP(address) === 0 || port > 65_535)
    throw new UsageError(`--demo.control is a loopback address like 127.0.0.1:11689, not "${text}"`)
  return { address, port }
}

function controlHelp(url: string): string {
  return `
To break a host, and to repair it:

  curl -X POST '${url}/break?host=kms02.corp.example&how=stop_service'
  curl -X POST '${url}/repair?host=kms02.corp.example'
  curl ${url}/   all the ways, and which hosts are broken
`
}

const FIRST_ROUND_SECONDS = 6
