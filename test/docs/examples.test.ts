// Whatever the pages show is tried: configurations by whoever has to read them, commands against the flags that there are,
// keys against the schema, queries against the grammar, and what a command prints against what it prints.
import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { configCommand } from '../../src/commands/config.ts'
import { demoCommand } from '../../src/commands/demo.ts'
import { diagnoseCommand } from '../../src/commands/diagnose.ts'
import { helpText } from '../../src/commands/options.ts'
import { serveCommand } from '../../src/commands/serve.ts'
import { configJsonSchema } from '../../src/config/json-schema.ts'
import { parseConfig } from '../../src/config/load.ts'
import { schema } from '../../src/config/schema.ts'
import { readWebConfig } from '../../src/config/web-config.ts'
import { webSchema } from '../../src/config/web-schema.ts'
import { checkCron } from '../../src/engine/cron.ts'
import { get, until } from '../e2e/built.ts'
import { mistakes } from '../grafana/promql.ts'
import { program, realServer, type Program } from '../real/servers/need.ts'
import { makeSelfSigned } from '../real/servers/self-signed.ts'
import { blocksOf, codeOf, pages, readPage } from './pages.ts'
import { lacks, makeStage, stepsOf, type Stage } from './stage.ts'

const PAGES = pages()
const BLOCKS = PAGES.flatMap(blocksOf)
/** Of what others deploy (containers, Kubernetes): their own tests try it. */
const INSTALLATION = /^(?:docs\/(?:install\/|scaling\.md)|deploy\/(?!alertmanager|prometheus|windows))/
/** Followed from top to bottom, with what they print, by tests of their own. */
const FOLLOWED = ['docs/getting-started.md', 'docs/upgrading.md']

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'winkms-examples-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

afterEach(() => vi.unstubAllEnvs())

let files = 0
async function fileWith(text: string): Promise<string> {
  const file = join(folder, `${(files += 1)}.yml`)
  await writeFile(file, text)
  return file
}

/** What it complains of; empty when it has nothing to complain of. */
async function complaintOf(name: Program, ...args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(program(name), args, { timeout: 20_000 }, (error, out, err) =>
      resolve(error === null ? '' : `${out}${err}${error.message}`),
    )
  })
}

/** Of a file on the reader's machine. */
const NOT_THERE = 'names a file that does not exist'

type Keys = Readonly<Record<string, unknown>>

interface Kind {
  readonly name: string
  readonly is: (keys: readonly string[]) => boolean
  readonly needs?: Program
  readonly complaint: (text: string, keys: Keys) => Promise<string> | string
}

const among = (known: readonly string[]) => (keys: readonly string[]) =>
  keys.every((key) => known.includes(key))
const anyOf = (known: readonly string[]) => (keys: readonly string[]) =>
  keys.some((key) => known.includes(key))

/** A route and nothing else stands in a file that has receivers; so do those that it names. */
function completed(keys: Keys): string {
  const named = [...JSON.stringify(keys).matchAll(/"receiver":"([^"]+)"/g)].map(([, name = '']) => name)
  const { route } = keys as { route?: object }
  return stringify({
    receivers: [...new Set(['default', ...named])].map((name) => ({ name })),
    ...keys,
    route: { receiver: 'default', ...route },
  })
}

const KINDS: readonly Kind[] = [
  {
    name: 'a configuration',
    is: among(Object.keys(schema.shape)),
    complaint: (text) => {
      for (const [, name = ''] of text.matchAll(/password_env: (\w+)/g)) vi.stubEnv(name, 'secret')
      const parsed = parseConfig(text, { file: 'page.yml', checkCron })
      const problems = parsed.problems.filter(({ message }) => message !== NOT_THERE)
      return problems.length === 0 ? '' : JSON.stringify(problems, null, 2)
    },
  },
  {
    name: 'a web configuration',
    is: among(Object.keys(webSchema.shape)),
    needs: 'openssl',
    complaint: async (text) => {
      const names = [...text.matchAll(/([\w-]+)\.(?:pem|crt|key)/g)].map(([, name = '']) => name)
      for (const name of new Set(names)) {
        const { certificateFile } = await makeSelfSigned(folder, name)
        await copyFile(certificateFile, certificateFile.replace(/pem$/, 'crt'))
      }
      const { problems: found } = readWebConfig(await fileWith(text))
      const problems = found.filter(({ message }) => !(/_file: *\//.test(text) && message === NOT_THERE))
      return problems.length === 0 ? '' : JSON.stringify(problems, null, 2)
    },
  },
  {
    name: "blackbox_exporter's modules",
    is: among(['modules']),
    needs: 'prometheus-blackbox-exporter',
    complaint: async (text) =>
      complaintOf('prometheus-blackbox-exporter', '--config.check', `--config.file=${await fileWith(text)}`),
  },
  {
    name: 'rules',
    is: among(['groups']),
    needs: 'promtool',
    complaint: async (text) => complaintOf('promtool', 'check', 'rules', await fileWith(text)),
  },
  {
    name: 'a piece of a scrape',
    is: among(['static_configs', 'relabel_configs', 'http_sd_configs']),
    needs: 'promtool',
    complaint: async (_text, keys) =>
      prometheusComplaint(stringify({ scrape_configs: [{ job_name: 'a', ...keys }] })),
  },
  {
    name: "Prometheus's configuration",
    is: anyOf(['scrape_configs', 'rule_files', 'alerting']),
    needs: 'promtool',
    complaint: prometheusComplaint,
  },
  {
    name: "Alertmanager's configuration",
    is: anyOf(['route', 'receivers', 'inhibit_rules']),
    needs: 'amtool',
    complaint: async (_text, keys) => complaintOf('amtool', 'check-config', await fileWith(completed(keys))),
  },
]

async function prometheusComplaint(text: string): Promise<string> {
  return complaintOf('promtool', 'check', 'config', '--syntax-only', await fileWith(text))
}

const kindOf = (text: string): { kind: Kind | undefined; keys: Keys } => {
  const documents = parseAllDocuments(text)
  const keys = documents.length === 1 ? (documents[0]?.toJS() as Keys | null) : null
  const isMap = typeof keys === 'object' && keys !== null && !Array.isArray(keys)
  return { kind: isMap ? KINDS.find(({ is }) => is(Object.keys(keys))) : undefined, keys: isMap ? keys : {} }
}

const YAML = BLOCKS.filter(({ language }) => language === 'yaml')

describe('what a page shows in YAML', () => {
  it.for(YAML)('$at', async (block, context) => {
    for (const { errors } of parseAllDocuments(block.text)) expect(errors).toEqual([])
    const { kind, keys } = kindOf(block.text)
    if (kind === undefined) {
      expect(block.at, 'nobody tries what this is').toMatch(INSTALLATION)
      return
    }
    if (kind.needs !== undefined) realServer(context, [kind.needs])
    expect(await kind.complaint(block.text, keys), `${block.at} as ${kind.name}`).toBe('')
  })

  it('is of every kind that is known here', () => {
    const seen = new Set(YAML.map(({ text }) => kindOf(text).kind?.name))
    expect(KINDS.map(({ name }) => name).filter((name) => !seen.has(name))).toEqual([])
  })
})

const COMMANDS = [serveCommand, diagnoseCommand, configCommand, demoCommand]
const flagsIn = (help: string): readonly string[] =>
  [...help.matchAll(/^ {2}--([\w.-]+)/gm)].map(([, name = '']) => name)
const FLAGS = new Map(COMMANDS.map((command) => [command.name, [...flagsIn(helpText(command)), 'version']]))
const ALL_FLAGS = new Set([...FLAGS.values()].flat())
/** Of other programs, and spelt like ours. */
const OTHERS = /^storage\.tsdb\./
/** To be told that it is none. */
const MISSPELT = 'web.listen-adress'

/** Ours as the program of a line, by whatever path and as whomever; not as somebody's argument. */
const OURS =
  /^(?:\$ |> )?(?:sudo (?:-u \S+ )?)?(?:\w+=\S+ )*(?:node dist\/main\.js|(?:\S*[\\/])?winkms-exporter(?:\.exe)?)( .*)$/

interface Call {
  readonly at: string
  readonly command: string
  readonly flags: readonly string[]
}

const CALLS = BLOCKS.filter(({ language }) =>
  ['sh', 'bash', 'console', 'powershell'].includes(language),
).flatMap(({ at, text }): readonly Call[] => {
  // Continued lines are one, and comments none.
  const lines = text
    .replaceAll(/[\\`]\n\s*/g, ' ')
    .replaceAll(/ #.*/g, '')
    .split(/\n|&& |; |\| /)
  return lines.flatMap((line): readonly Call[] => {
    const [, given] = OURS.exec(line.trim()) ?? []
    if (given === undefined) return []
    const [, first = ''] = /^ ([a-z]+)(?= |$)/.exec(given) ?? []
    const flags = [...given.matchAll(/(?<= )--([a-z][\w.-]*)/g)].map(([, name = '']) => name)
    return [{ at, command: FLAGS.has(first) ? first : 'serve', flags }]
  })
})

describe('commands', () => {
  it('are called in many places', () => {
    expect(CALLS.length).toBeGreaterThan(20)
  })

  it('have the flags with which pages call them', () => {
    const wrong = CALLS.flatMap(({ at, command, flags }) =>
      flags
        .filter((flag) => FLAGS.get(command)?.includes(flag) !== true)
        .map((flag) => `${at}: ${command} --${flag}`),
    )
    expect(wrong).toEqual([])
  })

  it.each(PAGES)('%s names no flag that there is not', (page) => {
    const named = codeOf(page).flatMap((code) => [
      ...code.matchAll(/--((?:web|probe|storage|config|log|demo)\.[a-z][a-z.-]*[a-z]|shard)\b/g),
    ])
    expect(
      named
        .map(([, name = '']) => name)
        .filter((name) => !ALL_FLAGS.has(name) && !OTHERS.test(name) && name !== MISSPELT),
    ).toEqual([])
  })

  it('of npm are in package.json', () => {
    const { scripts } = JSON.parse(readPage('package.json')) as { scripts: Record<string, string> }
    for (const page of PAGES) {
      const named = readPage(page).matchAll(/npm run (?:--silent )?([a-z][\w:-]*)/g)
      for (const [, name = ''] of named) expect(scripts, page).toHaveProperty([name])
    }
  })
})

type Shape = {
  properties?: Record<string, Shape>
  items?: Shape
  anyOf?: Shape[]
  additionalProperties?: Shape | boolean
}

/** Whether the schema has a key: `hosts[].windows`, `probes.clock.references`. */
function hasKey(shape: Shape | undefined, path: readonly string[]): boolean {
  if (shape === undefined) return false
  const [first, ...rest] = path
  if (first === undefined) return true
  const inner = [shape.properties?.[first], first === '[]' ? shape.items : undefined]
  if (typeof shape.additionalProperties === 'object') inner.push(shape.additionalProperties)
  return inner.some((each) => hasKey(each, rest)) || (shape.anyOf ?? []).some((each) => hasKey(each, path))
}

describe('keys of the configuration', () => {
  it.each(PAGES)('%s names none that there is not', (page) => {
    const paths = codeOf(page).filter((code) =>
      /^(?:hosts|clients|domains|credentials|probes|limits|discovery|resolvers)(?:\[\])?\.[a-z_.[\]]+$/.test(
        code,
      ),
    )
    const known = configJsonSchema() as Shape
    const unknown = paths.filter((path) => !hasKey(known, path.replaceAll('[]', '.[]').split('.')))
    expect(unknown).toEqual([])
  })

  it('are told from those that there are not', () => {
    const known = configJsonSchema() as Shape
    expect(hasKey(known, ['hosts', '[]', 'windows', 'tls', 'ca_file'])).toBe(true)
    expect(hasKey(known, ['hosts', '[]', 'windows', 'tls', 'no_such'])).toBe(false)
  })
})

/** What it is called among the services of Windows. */
const SERVICE = 'WinkmsExporter'

it.each(PAGES)('%s names no alert that there is not', (page) => {
  const rules = parse(readPage('deploy/prometheus/winkms.rules.yml')) as {
    groups: readonly { rules: readonly { alert?: string }[] }[]
  }
  const alerts = new Set(rules.groups.flatMap((group) => group.rules.map(({ alert }) => alert)))
  const named = [...readPage(page).matchAll(/\bWinkms[A-Z][A-Za-z]+\b/g)].map(([name]) => name)
  expect(named.filter((name) => !alerts.has(name) && name !== SERVICE)).toEqual([])
})

it.each(BLOCKS.filter(({ language }) => language === 'promql'))('$at is PromQL', ({ text }) => {
  // One query, or one a line.
  if (mistakes(text).length === 0) return
  for (const line of text.trim().split('\n')) expect(mistakes(line), line).toEqual([])
})

describe('what a page shows of a terminal', () => {
  it('is looked at by a test', () => {
    const shown = PAGES.filter((page) => stepsOf(page).some(({ kind }) => kind === 'shown'))
    expect(shown.filter((page) => !INSTALLATION.test(page)).toSorted()).toEqual(['README.md', ...FOLLOWED])
  })

  describe('README.md', () => {
    let stage: Stage
    beforeAll(async () => {
      stage = await makeStage()
      const demo = stage.begin('node dist/main.js demo --demo.write-config=demo.yml')
      await until(
        30,
        () => `the demo runs\n${demo.output()}`,
        async () => get(stage.here('http://127.0.0.1:11688/')),
      )
    })
    afterAll(() => stage.leave())

    it.each(stepsOf('README.md').filter(({ kind }) => kind === 'shown'))('$name', async ({ name, text }) => {
      const { output } = await stage.run(name)
      expect(lacks(stage.there(stage.here(text)), stage.there(output))).toEqual([])
    })

    it('would fail if it were shown otherwise', () => {
      expect(lacks('a\n...\nc\n', 'a\nb\nc\n')).toEqual([])
      expect(lacks('a\nd\n', 'a\nb\nc\n')).toEqual(['d'])
      expect(lacks('c\na\n', 'a\nb\nc\n')).toEqual(['a'])
    })
  })
})
