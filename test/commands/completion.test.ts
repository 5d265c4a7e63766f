// What the shells complete, each asked itself; and that what they complete is what the commands take. There is no PowerShell
// here: its script is parsed by the grammar that editors use, and was never run.
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { commands } from '../../src/commands/commands.ts'
import { completion } from '../../src/commands/completion.ts'
import { flagsOf, UsageError } from '../../src/commands/options.ts'
import { realServer } from '../real/servers/need.ts'
import { faultsOf, loadGrammar } from '../deploy/powershell-tree.ts'
import { completedByFish, startShell, type Shell } from './completion-shells.ts'

function scriptFor(...argv: readonly string[]): string {
  let text = ''
  expect(completion(argv, { out: (more) => (text += more) }, commands)).toBe(0)
  return text
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'winkms-completion-'))
  for (const shell of ['bash', 'zsh', 'fish']) {
    mkdirSync(join(folder, shell, 'etc/sub'), { recursive: true })
    // Hosts that the shell knows: bash from $HOSTFILE, the others from what ssh has met.
    mkdirSync(join(folder, shell, '.ssh'))
    writeFileSync(join(folder, shell, '.ssh/known_hosts'), 'kms01.corp.example ssh-ed25519 AAAA\n')
    writeFileSync(join(folder, shell, 'hosts'), '192.0.2.10 kms01.corp.example\n')
    for (const file of ['winkms.yml', 'with space.yml']) writeFileSync(join(folder, shell, 'etc', file), '')
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const flagsNamed = (command: string): readonly string[] => {
  const found = commands.find(({ name }) => name === command)
  return Object.keys(found === undefined ? {} : flagsOf(found)).map((name) => `--${name}`)
}
const allNames = commands.map(({ name }) => name)
const LEVELS = ['debug', 'info', 'warn', 'error']

/** What is typed → all that is offered, and what then stands there. */
const CASES: readonly (readonly [string, readonly string[], string?])[] = [
  ['', allNames],
  ['diag', ['diagnose'], 'diagnose '],
  ['--', flagsNamed('serve')],
  ['serve --', flagsNamed('serve')],
  ['diagnose --', flagsNamed('diagnose')],
  ['demo --demo.', flagsNamed('demo').filter((name) => name.startsWith('--demo.'))],
  ['diagnose --j', ['--json'], 'diagnose --json '],
  ['diagnose --rep', ['--report'], 'diagnose --report='],
  ['--log.level=', LEVELS],
  ['--log.level=d', ['debug'], '--log.level=debug '],
  ['demo --log.level ', LEVELS],
  ['demo --log.format j', ['json'], 'demo --log.format json '],
  ['--log.level=info --log.', ['--log.format'], '--log.level=info --log.format='],
  ['--log.level info --log.', ['--log.format'], '--log.level info --log.format='],
  ['--probe.allow=x --probe.al', ['--probe.allow'], '--probe.allow=x --probe.allow='],
  ['config ', ['check', 'check-web', 'schema', 'example']],
  ['config sch', ['schema'], 'config schema '],
  ['completion ', ['bash', 'zsh', 'fish', 'powershell']],
  ['completion bash z', []],
  ['--config.file=etc/wink', ['etc/winkms.yml'], '--config.file=etc/winkms.yml '],
  ['--config.file etc/wink', ['etc/winkms.yml'], '--config.file etc/winkms.yml '],
  ['--web.listen-address=127.0.0.1:1 --web.config.file=etc/wink', ['etc/winkms.yml']],
  ['config check etc/wink', ['etc/winkms.yml'], 'config check etc/winkms.yml '],
  ['config schema etc/wink', []],
  ['--config.file=etc/with', ['etc/with space.yml'], String.raw`--config.file=etc/with\ space.yml `],
  ['--storage.path=et', ['etc'], '--storage.path=etc/'],
  ['--storage.path=etc/', ['etc/sub'], '--storage.path=etc/sub/'],
  ['diagnose kms', ['kms01.corp.example'], 'diagnose kms01.corp.example '],
  ['--web.max-requests=', []],
]

/** Shells show words with or without what stands before "=", and with what they do to blanks. */
const lastPart = (word: string): string =>
  word
    .replace(/=$/, '')
    .replace(/^--[^=]+=/, '')
    .replace(/\/$/, '')
    .replaceAll('\\', '')
const short = (words: readonly string[]): readonly string[] => [...new Set(words.map(lastPart))].toSorted()

describe.each(['bash', 'zsh'] as const)('%s', (name) => {
  let shell: Promise<Shell> | undefined
  afterAll(async () => (await shell)?.stop())

  it.for(CASES)('completes %j', { timeout: 60_000 }, async ([typed, offered, line], context) => {
    realServer(context, [name, 'script'])
    shell ??= startShell(name, join(folder, name), scriptFor(name))
    const completed = await (await shell).complete(`winkms-exporter ${typed}`)
    // zsh speaks of files by the last part of their path.
    const told = name === 'zsh' ? offered.map((word) => word.replace(/^etc\//, '')) : offered
    expect(short(completed.offered)).toEqual(short(told))
    if (line !== undefined) expect(completed.line).toBe(`winkms-exporter ${line}`)
  })
})

it('bash completes where "=" and ":" do not part words, too', { timeout: 60_000 }, async (context) => {
  realServer(context, ['bash', 'script'])
  const words = `COMP_WORDBREAKS=$' \\t\\n"\\'><;|&('\n`
  const shell = await startShell('bash', join(folder, 'bash'), scriptFor('bash'), words)
  onTestFinished(() => shell.stop())
  const typed = 'winkms-exporter --log.level=d'
  expect((await shell.complete(typed)).line).toBe('winkms-exporter --log.level=debug ')
})

describe('fish', () => {
  it.for(CASES)('completes %j', ([typed, offered], context) => {
    realServer(context, ['fish'])
    const completed = completedByFish(join(folder, 'fish'), scriptFor('fish'), `winkms-exporter ${typed}`)
    expect(short(completed)).toEqual(short(offered))
  })
})

describe('PowerShell', () => {
  it('parses, and has every flag with its values', async () => {
    const script = scriptFor('powershell')
    const parse = await loadGrammar()
    expect(faultsOf(parse(script))).toEqual([])
    for (const name of commands.flatMap(({ name: each }) => flagsNamed(each)))
      expect(script).toContain(`'${name}'`)
    expect(script).toContain("Takes = @('debug', 'info', 'warn', 'error')")
    expect(script).toMatch(/^[\n\x20-\x7e]*$/)
  })
})

describe('the command', () => {
  it.each([[[]], [['tcsh']], [['bash', 'zsh']], [['constructor']]])('refuses %j', (argv) => {
    expect(() => completion(argv, { out: () => {} }, commands)).toThrow(UsageError)
  })
})
