// `config check FILE`, `config schema`, `config example`.
import { exampleConfig } from '../config/example.ts'
import { configJsonSchema } from '../config/json-schema.ts'
import { readWebConfig } from '../config/web-config.ts'
import { loadConfiguration, problemsText } from './configuration.ts'
import { EXIT, type Context } from './context.ts'
import { parse, UsageError, type Command } from './options.ts'

export const configCommand: Command = {
  name: 'config',
  usage: 'winkms-exporter config check FILE | check-web FILE | schema | example',
  summary:
    'What to write configurations by, and what is wrong with them. check: all that is wrong with a file. check-web: the same for --web.config.file. schema: JSON Schema for editors. example: a file to start from.',
  operands: { check: 'file', 'check-web': 'file', schema: 'nothing', example: 'nothing' },
  flags: {},
}

export function config(argv: readonly string[], context: Context): number {
  const [what, file, ...more] = parse(configCommand, argv).positionals
  if (what === 'schema' && file === undefined) context.out(`${JSON.stringify(configJsonSchema(), null, 2)}\n`)
  else if (what === 'example' && file === undefined) context.out(exampleConfig)
  else if (what === 'check' && file !== undefined && more.length === 0) {
    const loaded = loadConfiguration(file)
    if (loaded.config === undefined) {
      context.err(`${problemsText(loaded)}\n`)
      return EXIT.failed
    }
    const { hosts, domains } = loaded.config
    const where = domains === undefined ? "the machine's own search domains" : `${domains.length} domains`
    context.out(`${file}: correct (${hosts.length} hosts, ${where})\n`)
  } else if (what === 'check-web' && file !== undefined && more.length === 0) {
    const loaded = readWebConfig(file)
    if (loaded.config === undefined) {
      context.err(`${problemsText(loaded)}\n`)
      return EXIT.failed
    }
    const { config: web } = loaded
    const tls = web.tls === undefined ? 'no TLS' : `TLS, clients: ${web.tls.clientAuthType}`
    context.out(`${file}: correct (${tls}, ${web.users.size} users)\n`)
  } else throw new UsageError(`usage: ${configCommand.usage}`)
  return EXIT.ok
}
