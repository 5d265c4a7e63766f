// All commands there are, the first of which is meant where none is named. Running, completing and the manual share it.
import { completion, completionCommand } from './completion.ts'
import { config, configCommand } from './config.ts'
import type { Context } from './context.ts'
import { demo, demoCommand } from './demo.ts'
import { diagnose, diagnoseCommand } from './diagnose.ts'
import { health, healthCommand } from './health.ts'
import type { Command } from './options.ts'
import { serve, serveCommand } from './serve.ts'

export const COMMANDS: readonly (readonly [
  Command,
  (argv: readonly string[], context: Context) => number | Promise<number>,
])[] = [
  [serveCommand, serve],
  [diagnoseCommand, diagnose],
  [configCommand, config],
  [healthCommand, health],
  [demoCommand, demo],
  [completionCommand, (argv, context) => completion(argv, context, commands)],
]

export const commands: readonly Command[] = COMMANDS.map(([command]) => command)
