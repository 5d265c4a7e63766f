// pino, as JSON or as logfmt, to stderr: stdout belongs to what a command prints.
import { Writable } from 'node:stream'
import { pino, stdTimeFunctions, type DestinationStream } from 'pino'
import type { Log } from '../model/log.ts'
import { printable, printableJson } from '../views/printable.ts'
import type { Context } from './context.ts'
import { UsageError, type Arguments, type Flag } from './options.ts'

const LEVELS = ['debug', 'info', 'warn', 'error']
const FORMATS = ['logfmt', 'json']

export const LOG_FLAGS = {
  'log.level': { value: 'LEVEL', kind: LEVELS, fallback: 'info', help: 'debug, info, warn or error' },
  'log.format': { value: 'FORMAT', kind: FORMATS, fallback: 'logfmt', help: 'logfmt or json' },
} as const satisfies Readonly<Record<string, Flag>>

/** `key=value`, quoted where needed; one line, whatever a peer put into a value. */
export function logfmt(record: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(record).map(([key, value]) => {
    const text = printable(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
    return `${key}=${/^[^\s"=\\]+$/.test(text) ? text : JSON.stringify(text)}`
  })
  return pairs.join(' ')
}

function logfmtStream(write: (text: string) => void): DestinationStream {
  return new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      write(`${logfmt(JSON.parse(line) as Record<string, unknown>)}\n`)
      done()
    },
  })
}

export function createLogger(level = 'info', format = 'logfmt', write: (text: string) => void): Log {
  if (!LEVELS.includes(level))
    throw new UsageError(`--log.level is one of ${LEVELS.join(', ')}, not "${level}"`)
  if (!FORMATS.includes(format)) throw new UsageError(`--log.format is json or logfmt, not "${format}"`)
  const stream: DestinationStream =
    format === 'json' ? { write: (line) => write(printableJson(line)) } : logfmtStream(write)
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  )
}

/** What is logged by a daemon: nobody waits for it to be read. `losses.lost` is told of lines that never will be. */
export function createDaemonLog(
  args: Arguments,
  context: Context,
): { readonly log: Log; readonly losses: { lost: () => void } } {
  const losses = { lost: (): void => {} }
  const write = context.logLines({
    lost: () => losses.lost(),
    recovered: (lines) => log.warn({ lines }, 'log lines were lost: nobody read them'),
  })
  const log: Log = createLogger(args.text('log.level'), args.text('log.format'), write)
  context.onFatal((error) => {
    log.error({ err: error instanceof Error ? error : new Error(String(error)) }, 'the exporter has to end')
  })
  return { log, losses }
}
