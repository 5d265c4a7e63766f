// `health`: whether a running exporter is well, as an exit code. For images without a shell and without curl.
import { askHealth } from '../io/health.ts'
import { printable } from '../views/printable.ts'
import { EXIT, type Context } from './context.ts'
import { parse, UsageError, type Command } from './options.ts'

const SECONDS = 4

export const healthCommand: Command = {
  name: 'health',
  usage: 'winkms-exporter health [flags]',
  summary: `Asks a running exporter whether it is well. Exit code: 0 it is; 1 it is not, or does not answer within ${SECONDS} seconds.`,
  flags: {
    url: {
      value: 'URL',
      fallback: 'http://127.0.0.1:11688/-/healthy',
      help: 'where it answers; with https on loopback, any certificate will do',
    },
  },
}

export async function health(argv: readonly string[], context: Context): Promise<number> {
  const args = parse(healthCommand, argv)
  if (args.positionals.length > 0) throw new UsageError(`usage: ${healthCommand.usage}`)
  const url = args.text('url') ?? ''
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new UsageError(`--url is an http or https URL, not "${url}"`)
  try {
    const { status, says } = await askHealth(new URL(url), SECONDS)
    context.out(`${printable(says)}\n`)
    return status === 200 ? EXIT.ok : EXIT.failed
  } catch (error) {
    context.err(`${url}: ${error instanceof Error ? error.message : String(error)}\n`)
    return EXIT.failed
  }
}
