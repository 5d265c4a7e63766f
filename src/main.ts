// The way in, from the sources. The built command has another, scripts/loader.js: the same, with compiled code.
import { run } from './commands/run.ts'

process.exitCode = await run(process.argv.slice(2))
