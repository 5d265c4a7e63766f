// argv → command; signals and exit codes. No logic. What the bundle gives out: loading it runs nothing yet.
import { COMMANDS } from './commands.ts'
import { EXIT, type Context } from './context.ts'
import { watchLife } from './life.ts'
import { createLineSink } from './line-sink.ts'
import { helpText, UsageError } from './options.ts'
import { serve, serveCommand } from './serve.ts'

declare const __VERSION__: string | undefined
declare const __REVISION__: string | undefined

const build = {
  version: typeof __VERSION__ === 'string' ? __VERSION__ : 'source',
  revision: typeof __REVISION__ === 'string' ? __REVISION__ : 'unknown',
}

/** Resolves with the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  // A reader that has seen enough (`| head`) and goes away is no error of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  process.stderr.on('error', () => {})
  if (argv.includes('--version')) {
    process.stdout.write(
      `winkms-exporter ${build.version} (revision ${build.revision}, node ${process.version})\n`,
    )
    return EXIT.ok
  }
  const [first = '', ...rest] = argv
  const named = COMMANDS.find(([{ name }]) => name === first)
  const [command, execute] = named ?? [serveCommand, serve]
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(helpText(command))
    return EXIT.ok
  }
  const context: Context = {
    build,
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    outIsTerminal: process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
    errIsTerminal: process.stderr.isTTY,
    logLines: (listener) => createLineSink(process.stderr, listener),
    ...watchLife(command.stays === true),
  }
  try {
    return await execute(named === undefined ? argv : rest, context)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    context.err(
      `winkms-exporter: ${error.message}\ntry: winkms-exporter ${named === undefined ? '' : `${command.name} `}--help\n`,
    )
    return EXIT.usage
  }
}
