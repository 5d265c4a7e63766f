// Flags and their help, and the values that only some flags take. Pure: nothing is started.
import { describe, expect, it } from 'vitest'
import { commands } from '../../src/commands/commands.ts'
import { helpText, parse, UsageError, type Command } from '../../src/commands/options.ts'
import { serveCommand } from '../../src/commands/serve.ts'
import { parseListenAddress, parseWebFlags } from '../../src/commands/web-flags.ts'

const COMMAND: Command = {
  name: 'try',
  usage: 'winkms-exporter try [flags] WHAT...',
  summary: 'Tries.',
  flags: {
    'config.file': { value: 'FILE', help: 'a file' },
    'web.listen-address': { value: 'ADDRESS', repeatable: true, fallback: ':1', help: 'where' },
    'log.level': { value: 'LEVEL', fallback: 'info', help: 'how much' },
    json: { help: 'for programs' },
  },
  notes: 'and that is all',
}

function complaint(argv: readonly string[], command = COMMAND): string {
  try {
    parse(command, argv)
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    return error instanceof Error ? error.message : ''
  }
  return 'none'
}

describe('parse', () => {
  it.each([[['--config.file=a b']], [['--config.file', 'a b']]])('reads the value of %j', (argv) => {
    const args = parse(COMMAND, argv)
    expect([args.text('config.file'), args.texts('config.file')]).toEqual(['a b', ['a b']])
    expect(args.has('config.file')).toBe(true)
  })

  it('keeps what stands beside flags, in order, and whatever follows --', () => {
    const args = parse(COMMAND, ['kms01', '--json', 'kms02', '--log.level', 'debug', '--', '--kms03'])
    expect(args.positionals).toEqual(['kms01', 'kms02', '--kms03'])
    expect([args.has('json'), args.text('log.level')]).toEqual([true, 'debug'])
  })

  it('takes a value with = in it, and one that looks like a flag', () => {
    expect(parse(COMMAND, ['--config.file=a=b']).text('config.file')).toBe('a=b')
    expect(parse(COMMAND, ['--config.file', '-1']).text('config.file')).toBe('-1')
  })

  it('gives what is not said its fallback, if it has one, and has() says that it was not said', () => {
    const args = parse(COMMAND, [])
    expect([args.text('log.level'), args.text('config.file')]).toEqual(['info', undefined])
    expect([args.texts('web.listen-address'), args.texts('config.file')]).toEqual([[':1'], []])
    expect([args.has('json'), args.has('log.level')]).toEqual([false, false])
  })

  it('collects a repeatable flag, whose fallback then does not count', () => {
    const args = parse(COMMAND, ['--web.listen-address=:2', '--web.listen-address', ':3'])
    expect(args.texts('web.listen-address')).toEqual([':2', ':3'])
  })

  it.each([
    [['--config.fiel=x'], 'unknown flag --config.fiel (did you mean "--config.file"?)'],
    [['--jsno'], 'unknown flag --jsno (did you mean "--json"?)'],
    [['--entirely-unlike=1'], 'unknown flag --entirely-unlike'],
    [['-x'], 'unknown flag -x'],
    [['--no-json'], 'unknown flag --no-json'],
    [['--constructor'], 'unknown flag --constructor'],
    [['--__proto__=1'], 'unknown flag --__proto__'],
    [['--config.file'], '--config.file needs a value: --config.file=FILE'],
    [['--config.file='], '--config.file needs a value: --config.file=FILE'],
    [['--config.file', ''], '--config.file needs a value: --config.file=FILE'],
    [['--json=true'], '--json takes no value'],
    [['--json='], '--json takes no value'],
    [['--json', '--json'], '--json is given twice'],
    [['--config.file=a', '--config.file=a'], '--config.file is given twice'],
  ])('refuses %j: %s', (argv, message) => {
    expect(complaint(argv)).toContain(message)
  })
})

describe('help', () => {
  it.each(commands.map((command) => [command.name, command] as const))(
    'of %s names every flag, its value, its default and --help',
    (_name, command) => {
      const text = helpText(command)
      expect(text.startsWith(`usage: ${command.usage}\n\n${command.summary}\n`)).toBe(true)
      const lines = text.split('\n')
      for (const [name, { value, fallback, help, repeatable }] of Object.entries(command.flags)) {
        const left = `  --${name}${value === undefined ? '' : `=${value}`} `
        const line = lines.find((each) => each.startsWith(left)) ?? ''
        expect(line, name).toContain(help)
        if (fallback !== undefined) expect(line, name).toContain(`default ${fallback}`)
        expect(line.includes('repeatable'), name).toBe(repeatable === true)
      }
      expect(lines.some((line) => line.startsWith('  --help '))).toBe(true)
      if (command.notes !== undefined) expect(text).toContain(command.notes)
    },
  )

  it('has its columns under each other', () => {
    expect(helpText(COMMAND)).toBe(`usage: winkms-exporter try [flags] WHAT...

Tries.

flags:
  --config.file=FILE            a file
  --web.listen-address=ADDRESS  where (repeatable; default :1)
  --log.level=LEVEL             how much (default info)
  --json                        for programs
  --help                        show this help and exit

and that is all
`)
  })
})

describe('parseListenAddress', () => {
  it.each([
    [':11688', undefined, 11688],
    ['127.0.0.1:0', '127.0.0.1', 0],
    ['localhost:65535', 'localhost', 65535],
    ['[::1]:9100', '::1', 9100],
    ['[::]:9100', '::', 9100],
  ])('%s', (text, host, port) => {
    expect(parseListenAddress(text)).toEqual({ host, port })
  })

  it.each(['', '11688', 'localhost', 'localhost:', ':65536', ':123456', '::1:9100', '[::1]', ':-1', 'a:b:1'])(
    'refuses "%s"',
    (text) => {
      expect(() => parseListenAddress(text)).toThrow(UsageError)
      expect(() => parseListenAddress(text)).toThrow(`not "${text}"`)
    },
  )
})

describe('parseWebFlags', () => {
  const settings = (...argv: string[]) => parseWebFlags(parse(serveCommand, argv))

  it('without flags', () => {
    expect(settings()).toEqual({
      addresses: [{ host: undefined, port: 11688 }],
      telemetryPath: '/metrics',
      routePrefix: '',
      linkPrefix: '',
      externalUrl: undefined,
      enableLifecycle: false,
      probeAllow: [],
      timeoutOffsetSeconds: 0.5,
      probeRate: { intervalSeconds: 1, burst: 5 },
      probesAtOnce: 64,
      maxRequests: 40,
      maxConnections: 512,
      allowHosts: [],
    })
  })

  it.each([
    [
      ['--web.external-url=https://mon.example/kms/'],
      { routePrefix: '/kms', linkPrefix: '/kms', externalUrl: 'https://mon.example/kms' },
    ],
    [['--web.external-url=http://mon.example'], { routePrefix: '', linkPrefix: '' }],
    [
      ['--web.external-url=https://mon.example/kms', '--web.route-prefix=/'],
      { routePrefix: '', linkPrefix: '/kms' },
    ],
    [['--web.route-prefix=/a/b/'], { routePrefix: '/a/b', linkPrefix: '/a/b' }],
    [['--web.telemetry-path=/m/'], { telemetryPath: '/m' }],
    [['--web.systemd-socket'], { addresses: undefined }],
    [['--web.enable-lifecycle'], { enableLifecycle: true }],
    [['--probe.allow=*.corp.example', '--probe.allow=x'], { probeAllow: ['*.corp.example', 'x'] }],
    [['--probe.timeout-offset=0'], { timeoutOffsetSeconds: 0 }],
    [['--probe.max-rate=0.5'], { probeRate: { intervalSeconds: 2, burst: 5 } }],
    [['--probe.max-at-once=300'], { probesAtOnce: 300 }],
    [['--web.max-requests=1', '--web.max-connections=9'], { maxRequests: 1, maxConnections: 9 }],
    [['--web.allow-host=*.mon.example'], { allowHosts: ['*.mon.example'] }],
    [
      ['--web.listen-address=:1', '--web.listen-address=[::1]:2'],
      {
        addresses: [
          { host: undefined, port: 1 },
          { host: '::1', port: 2 },
        ],
      },
    ],
  ])('%j', (argv, expected) => {
    expect(settings(...argv)).toMatchObject(expected)
  })

  it.each([
    ['--web.listen-address=nonsense', '--web.listen-address is'],
    ['--web.external-url=mon.example', 'is an http or https URL'],
    ['--web.external-url=http://', 'is an http or https URL'],
    ['--web.external-url=http://a:b/', 'is an http or https URL'],
    ['--web.external-url=https://mon.example/a%20b', 'is a path'],
    ['--web.route-prefix=kms', 'is a path'],
    ['--web.route-prefix=/:any', 'is a path'],
    ['--web.telemetry-path=/', 'cannot be the root'],
    ['--web.systemd-socket=yes', 'takes no value'],
    ['--web.telemetry-path=metrics', 'is a path'],
    ['--probe.max-rate=0', 'is a number above 0'],
    ['--probe.max-at-once=0', 'is a whole number from 1'],
    ['--probe.max-rate=often', 'is a number above 0'],
    ['--web.max-requests=0', 'is a whole number from 1'],
    ['--web.max-connections=1.5', 'is a whole number from 1'],
    ['--probe.timeout-offset=soon', 'is a number of seconds'],
    ['--probe.timeout-offset=-1', 'is a number of seconds'],
    ['--probe.timeout-offset=Infinity', 'is a number of seconds'],
  ])('refuses %s', (flag, message) => {
    expect(() => settings(flag)).toThrow(UsageError)
    expect(() => settings(flag)).toThrow(message)
  })
})
