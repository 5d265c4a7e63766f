// The runbooks held against what they speak of: the table of causes, metrics and their labels, error codes, our own command
// line, and the languages of their commands.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parser as promql } from '@prometheus-io/lezer-promql'
import { beforeAll, describe, expect, it } from 'vitest'
import { watch } from '../../deploy/prometheus/rules/watch.ts'
import { configCommand } from '../../src/commands/config.ts'
import { diagnoseCommand } from '../../src/commands/diagnose.ts'
import { parse, type Command } from '../../src/commands/options.ts'
import { serveCommand } from '../../src/commands/serve.ts'
import { CAUSE_NAMES, rowOf } from '../../src/diagnosis/causes.ts'
import { CLIENT_ERRORS, sayPublishError } from '../../src/kms/error-codes.ts'
import { resultLabel } from '../../src/kms/known-results.ts'
import { LEVELS } from '../../src/kms/levels.ts'
import { SRV_FINDINGS } from '../../src/kms/srv.ts'
import { REASONS } from '../../src/model/failure.ts'
import { probes } from '../../src/probes/index.ts'
import { FURTHER_CODES } from '../../src/runbooks/codes.ts'
import { RUNBOOK_GROUPS, RUNBOOKS } from '../../src/runbooks/index.ts'
import { RUNBOOK_NAMES } from '../../src/runbooks/names.ts'
import { partsOf } from '../../src/runbooks/prose.ts'
import { lasting } from '../../src/runbooks/words.ts'
import { FAMILIES } from '../../src/views/catalogue.ts'
import { createSelfMetrics } from '../../src/views/prometheus.ts'
import { codesOf, commandsOf, each, proseOf, stepsOf, wordsOf } from './spoken.ts'

const SENTENCE = /[.!?:]["')`]*$/

describe('the runbooks', () => {
  it('are those that there are names for, and each stands once in the index', () => {
    expect(Object.keys(RUNBOOKS)).toEqual([...RUNBOOK_NAMES])
    expect(RUNBOOK_GROUPS.flatMap(({ names }) => names).toSorted()).toEqual(RUNBOOK_NAMES.toSorted())
  })

  it.each(each)('%s says all that a runbook has to say, in whole sentences', (name) => {
    const { title, meaning, clientsSee, confirm, fix, fixed, tables = [], related, sources } = RUNBOOKS[name]
    expect(title).toMatch(/^[A-Z].*[^.]$/)
    for (const some of [confirm, fix]) expect(some.length).toBeGreaterThanOrEqual(2)
    for (const some of [fixed, related, sources]) expect(some.length).toBeGreaterThanOrEqual(1)
    const sentences = [
      meaning,
      clientsSee,
      ...fixed,
      ...stepsOf(name).flatMap(({ says, changes }) => [says, changes ?? '.']),
    ]
    for (const text of sentences) expect(text).toMatch(SENTENCE)
    for (const text of proseOf(name)) {
      expect(text.trim()).toBe(text)
      expect(text).not.toBe('')
      expect(text).not.toMatch(/undefined|\[object|NaN| {2}|\n/)
    }
    for (const { head, rows } of tables) {
      expect(rows.length).toBeGreaterThan(0)
      for (const row of rows) expect(row).toHaveLength(head.length)
    }
  })

  it.each(each)(
    '%s is confirmed by more than words: its steps have commands, and say what is sick',
    (name) => {
      const { confirm } = RUNBOOKS[name]
      expect(confirm.filter(({ command }) => command !== undefined).length).toBeGreaterThanOrEqual(1)
      for (const { command, sick } of confirm) if (command !== undefined) expect(sick).toBeDefined()
    },
  )

  it.each(each)('%s leads on to others, and not to itself', (name) => {
    const { related } = RUNBOOKS[name]
    const names = related.map(([other]) => other)
    expect(names).not.toContain(name)
    expect(new Set(names).size).toBe(names.length)
    const linked = proseOf(name)
      .flatMap(partsOf)
      .flatMap((part) => (part.kind === 'runbook' ? [part.name] : []))
    // A table of all questions or findings may lead everywhere.
    if (RUNBOOKS[name].tables === undefined) expect(linked).not.toContain(name)
  })

  it('can all be reached from another', () => {
    const reached = new Set(RUNBOOK_NAMES.flatMap((name) => RUNBOOKS[name].related.map(([other]) => other)))
    expect(RUNBOOK_NAMES.filter((name) => !reached.has(name))).toEqual([])
  })

  it.each(CAUSE_NAMES.map((cause) => [cause] as const))('%s says what the table of causes says', (cause) => {
    const { title, clientError, remedy, command, stopsService, needs } = rowOf(cause)
    const own = RUNBOOKS[cause]
    const filled = (text: string): string =>
      text.replaceAll('{host}', 'HOST').replaceAll('{port}', '1688').replaceAll('{domain}', 'DOMAIN')
    expect(own.title).toBe(title)
    expect(own.cause).toEqual({
      clientError: clientError && CLIENT_ERRORS[clientError],
      remedy: filled(remedy),
      command: filled(command),
      stopsService,
      needs,
    })
    // The command itself, without what is said in brackets, is one of the steps.
    const [bare = ''] = filled(command).split(/ {3}\(| <|\$/)
    expect(wordsOf(cause)).toContain(bare)
    expect(wordsOf(cause)).toContain(`cause="${cause}"`)
    if (stopsService) expect(wordsOf(cause)).toMatch(/winkms-exporter diagnose HOST/)
  })

  it('quote the levels from which on somebody is told', () => {
    const { driftSeconds, clientExpirySeconds, dnsPublishFailedSeconds, idle, count } = LEVELS
    expect(wordsOf('drift_high')).toContain(lasting(driftSeconds.warning))
    expect(wordsOf('drift_high')).toContain(lasting(driftSeconds.critical))
    expect(wordsOf('client_expiry')).toContain(lasting(clientExpirySeconds.warning))
    expect(wordsOf('dns_publishing_failed')).toContain(lasting(dnsPublishFailedSeconds.critical))
    expect(wordsOf('host_idle')).toContain(lasting(idle.leastSeconds))
    expect(wordsOf('count_near_threshold')).toContain(`below ${count.clients.warning} where client systems`)
  })

  it.each([
    // A counter that is born at 1 never increases.
    ['storage_failing', /(?:increase|last_over_time)\(\w+\[1h\](?: offset 1h)?\)|unless on \([^)]*\)/g],
    // On a cause as well as on whether it serves.
    ['replicas_disagree', /winkms_host_serving|winkms_diagnosis(?=\{cause)/g],
  ] as const)('%s is confirmed by what its alert goes by', (name, essence) => {
    const { expr = '' } = watch.rules.find((rule) => 'runbook' in rule && rule.runbook === name) ?? {}
    const parts = expr.match(essence) ?? []
    expect(parts.length).toBeGreaterThan(1)
    const queries = commandsOf(name).flatMap(({ line, step }) => (step.at === 'prometheus' ? [line] : []))
    for (const part of parts) expect(queries.join('\n')).toContain(part)
    expect(queries.some((query) => /\) - min by |unless on /.test(query))).toBe(true)
  })

  it('explain every reason and every finding', () => {
    for (const reason of REASONS) expect(wordsOf('probe_unanswered')).toContain(`\`${reason}\``)
    for (const finding of Object.keys(SRV_FINDINGS))
      expect(wordsOf('srv_incorrect')).toContain(`\`${finding}\``)
    for (const code of Object.keys(CLIENT_ERRORS))
      expect(wordsOf('requests_failing')).toContain(`\`${code}\``)
    const kinds = FAMILIES.find(({ name }) => name === 'winkms_port_listener')?.help.split('one of ')[1]
    const listeners = kinds?.replace('.', '').split(', ') ?? []
    expect(listeners).toContain('silent')
    for (const kind of listeners) expect(wordsOf('not_kms_listener')).toMatch(new RegExp(`[\`"]${kind}["\`]`))
  })
})

describe('times', () => {
  it.each([
    [60, '1 minute'],
    [300, '5 minutes'],
    [3600, '1 hour'],
    [5400, '90 minutes'],
    [14_400, '4 hours'],
    [86_400, '1 day'],
    [129_600, '36 hours'],
    [5_184_000, '60 days'],
    [1, '1 second'],
    [90, '90 seconds'],
  ])('%d s is %s', (seconds, says) => {
    expect(lasting(seconds)).toBe(says)
  })
})

describe('prose', () => {
  it('is text, code and other runbooks', () => {
    expect(partsOf('see `a|b` and [[port_blocked]].')).toEqual([
      { kind: 'text', text: 'see ' },
      { kind: 'code', text: 'a|b' },
      { kind: 'text', text: ' and ' },
      { kind: 'runbook', name: 'port_blocked' },
      { kind: 'text', text: '.' },
    ])
    expect(partsOf('`x[[y]]`')).toEqual([{ kind: 'code', text: 'x[[y]]' }])
  })

  it('is refused with an open backtick, or a runbook that does not exist', () => {
    expect(() => partsOf('an `open one')).toThrow('an open backtick')
    expect(() => partsOf('[[no_such_thing]]')).toThrow('no runbook "no_such_thing"')
  })
})

// ---- Metrics

const self = createSelfMetrics({ version: '', revision: '' }, () => 0, { processMetrics: true })
const selfNames = (await self.registry.getMetricsAsJSON()).map(({ name }) => name)
const labelsOfFamily = new Map(FAMILIES.map(({ name, labels }) => [name, labels]))
/** Of series about domains and canaries, and those that Prometheus sets. */
const IDENTITY = ['host', 'domain', 'resolver', 'reference', 'client', 'instance', 'job', '__name__']
const CLOSED: Readonly<Record<string, readonly string[]>> = {
  cause: CAUSE_NAMES,
  reason: REASONS,
  finding: Object.keys(SRV_FINDINGS),
  probe: Object.keys(probes),
}

function familyOf(name: string): string | undefined {
  const bare = name.replace(/_(bucket|sum|count)$/, '')
  return [name, bare].find((each) => labelsOfFamily.has(each) || selfNames.includes(each))
}

describe('metrics in runbooks', () => {
  it.each(each)('%s names none that does not exist, and no label that it does not have', (name) => {
    for (const [, metric = '', , labels = ''] of wordsOf(name).matchAll(
      /\b((?:winkms|process)_[a-z0-9_]+)(\{([^}]*)\})?/g,
    )) {
      const family = familyOf(metric)
      expect(family, metric).toBeDefined()
      for (const [, label = '', , value = ''] of labels.matchAll(/(\w+)(=~?|!=)"([^"]*)"/g)) {
        const known = [...IDENTITY, ...(labelsOfFamily.get(family ?? '') ?? []), 'probe', 'why', 'kind']
        expect(known, `${metric}{${label}}`).toContain(label)
        if (CLOSED[label] !== undefined) expect(CLOSED[label], `${metric}{${label}}`).toContain(value)
      }
    }
  })

  it.each(each)('%s has queries that parse', (name) => {
    const inline = codesOf(name).filter((text) => /^[a-z_]+ ?(by )?[({].*\{|^winkms_\w+\{/.test(text))
    const queries = commandsOf(name).flatMap(({ line, step }) => (step.at === 'prometheus' ? [line] : []))
    for (const query of [...queries, ...inline]) {
      const faults: string[] = []
      promql.parse(query).iterate({
        enter: ({ type, from }) => {
          if (type.isError) faults.push(query.slice(from))
        },
      })
      expect(faults, query).toEqual([])
    }
  })
})

// ---- Codes and command lines

function isKnownCode(code: string): boolean {
  return (
    Object.hasOwn(CLIENT_ERRORS, code) ||
    Object.hasOwn(FURTHER_CODES, code) ||
    resultLabel(Number(code)) !== 'other' ||
    sayPublishError(code) !== code
  )
}

const COMMANDS: Readonly<Record<string, Command>> = { diagnose: diagnoseCommand, config: configCommand }

describe('what runbooks have people type', () => {
  it.each(each)('%s quotes no error code that no table knows', (name) => {
    const codes = wordsOf(name).match(/0x[0-9A-Fa-f]{8}/g) ?? []
    expect(codes.filter((code) => !isKnownCode(code))).toEqual([])
  })

  it('says of each further code what no other table says', () => {
    expect(Object.keys(FURTHER_CODES).filter((code) => Object.hasOwn(CLIENT_ERRORS, code))).toEqual([])
  })

  it.each(each)('%s has command lines of ours that our own parser takes', (name) => {
    const lines = [...commandsOf(name).map(({ line }) => line), ...codesOf(name)]
    const ours = lines.filter((line) => line.startsWith('winkms-exporter '))
    for (const line of ours) {
      const [, first = '', ...rest] = line.split(' ')
      const command = COMMANDS[first] ?? serveCommand
      const argv = command === serveCommand ? [first, ...rest] : rest
      const { positionals } = parse(command, argv)
      if (command === serveCommand) expect(positionals, line).toEqual([])
      if (command === diagnoseCommand) expect(positionals.length, line).toBeGreaterThanOrEqual(1)
      if (command === configCommand)
        expect(['check', 'check-web', 'schema', 'example'], line).toContain(positionals[0])
    }
    const flags = codesOf(name).filter((text) => /^--[a-z.]+/.test(text))
    for (const flag of flags) {
      const bare = flag.replace(/^--/, '').replace(/=.*/, '')
      const known = [serveCommand, diagnoseCommand].flatMap((command) => Object.keys(command.flags))
      expect(known, flag).toContain(bare)
    }
  })

  // Whatever does more than look.
  const CHANGES =
    /slmgr \/(?!dl[iv]\b|xpr\b|dti\b)|\b(?:Restart|Set|Remove|Add|Enable|Disable|Clear|New|Stop)-[A-Z]|^net |sc\.exe (?!query|qc)|w32tm \/(?:resync|config)|ipconfig \/(?!all)|wevtutil (?!gl|gli)\w|^kill|makestep|Grant-|^winkms-exporter --/

  it.each(each)('%s says what each command changes that changes something', (name) => {
    for (const { command, changes, says } of stepsOf(name)) {
      if (changes !== undefined) expect(command, says).toBeDefined()
      if (command === undefined) continue
      const isChange = command.split('\n').some((line) => CHANGES.test(line))
      expect([command, changes !== undefined]).toEqual([command, isChange])
    }
  })

  it('never tells anybody to set a licence back, or to throw licences away, without saying what that does', () => {
    for (const name of RUNBOOK_NAMES) {
      for (const { says, command, changes } of stepsOf(name)) {
        if (command?.includes('/rearm') === true) expect(changes).toMatch(/not activated until/)
        if (/\/rearm/.test(says)) expect(says).toMatch(/activates nothing/)
        if (/token store/.test(says)) expect(says).toMatch(/throws away all licences/)
      }
    }
  })
})

// ---- The languages of commands

interface Tree {
  readonly hasError: boolean
}

describe('commands on Windows', () => {
  let parsePowerShell: (text: string) => Tree
  beforeAll(async () => {
    const require = createRequire(import.meta.url)
    const folder = join(require.resolve('@vscode/tree-sitter-wasm/package.json'), '../wasm')
    const { Parser, Language } = require(join(folder, 'tree-sitter.js')) as {
      readonly Parser: {
        init(options: object): Promise<void>
        new (): { setLanguage(language: unknown): void; parse(text: string): { readonly rootNode: Tree } }
      }
      readonly Language: { load(file: string): Promise<unknown> }
    }
    await Parser.init({ locateFile: (file: string) => join(folder, file) })
    const parser = new Parser()
    parser.setLanguage(await Language.load(join(folder, 'tree-sitter-powershell.wasm')))
    parsePowerShell = (text) => parser.parse(text).rootNode
  })

  it.each(each)('%s has commands that PowerShell can read', (name) => {
    for (const { line, step } of commandsOf(name)) {
      if (step.at === 'prometheus' || step.at === 'exporter') continue
      // The grammar, unlike PowerShell, takes no list of bare words, and no word like -type=srv.
      const readable = line.replace(/(?<=\| Format-(?:List|Table)) .*/, '').replace('-type=srv', '-type:srv')
      expect([line, parsePowerShell(readable).hasError]).toEqual([line, false])
      expect(line.split("'").length % 2, line).toBe(1)
      expect(line.split('"').length % 2, line).toBe(1)
      // A redirection to it, and not what a person means.
      expect(line).not.toMatch(/[<>]/)
    }
  })

  it('would be seen if it could not', () => {
    expect(parsePowerShell("Get-NetFirewallRule -DisplayGroup 'Key").hasError).toBe(true)
  })

  it('never use plain sc, which writes a file in PowerShell', () => {
    const lines = RUNBOOK_NAMES.flatMap(commandsOf).map(({ line }) => line)
    expect(lines.filter((line) => /\bsc (query|qc|config|start|stop)\b/.test(line))).toEqual([])
    expect(lines.some((line) => line.startsWith('sc.exe query sppsvc'))).toBe(true)
  })
})
