// The built command from outside: what it prints where, and how it ends. Nothing here watches a host.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { exampleConfig } from '../../src/config/example.ts'
import { build, freeNetwork, MAIN, run } from '../e2e/built.ts'
import { freePort } from '../real/servers/ports.ts'

let folder: string
beforeAll(async () => {
  await build()
  folder = await mkdtemp(join(tmpdir(), 'winkms-cli-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function file(name: string, content: string): Promise<string> {
  await writeFile(join(folder, name), content)
  return join(folder, name)
}

/** A port that is taken, on 127.0.0.1, until the test has ended. */
async function takenPort(): Promise<number> {
  const server = createServer()
  const port = await freePort()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return port
}

const BAD = 'hosts:\n  - name: kms01.corp.example\n    prot: 1688\nprobes: { port: { schedule: 15 } }\n'

describe('help and version', () => {
  it('--version says the version, the revision and the Node.js that runs it', async () => {
    const { version } = JSON.parse(
      await readFile(new URL('../../package.json', import.meta.url), 'utf8'),
    ) as {
      version: string
    }
    const { ending, out, err } = await run(['--version'])
    expect([ending, err]).toEqual([0, ''])
    expect(out).toMatch(/^winkms-exporter \S+ \(revision \w+, node v\d+\.\d+\.\d+\)\n$/)
    expect(out).toContain(`winkms-exporter ${version} `)
    expect(out).toContain(`node ${process.version})`)
  })

  it.each([
    [['--help']],
    [['-h']],
    [['serve', '--help']],
    [['diagnose', '-h']],
    [['config', 'check', '--help']],
  ])('%j prints help to stdout', async (argv) => {
    const { ending, out, err } = await run(argv)
    expect([ending, err]).toEqual([0, ''])
    expect(out).toMatch(/^usage: winkms-exporter /)
    expect(out).toContain('--help')
  })
})

describe('wrong usage ends with 64 and one complaint on stderr', () => {
  it.each([
    [['frobnicate'], 'unknown command "frobnicate"', 'winkms-exporter --help'],
    [['--config.fiel=x'], 'did you mean "--config.file"?', 'winkms-exporter --help'],
    [['serve', 'now'], 'unknown command "now"', 'winkms-exporter serve --help'],
    [['--shard=2/2'], '--shard is I/N', 'winkms-exporter --help'],
    [['--log.level=loud'], '--log.level is one of', 'winkms-exporter --help'],
    [['--web.listen-address=nowhere'], 'not "nowhere"', 'winkms-exporter --help'],
    [['diagnose'], 'usage: winkms-exporter diagnose HOST...', 'winkms-exporter diagnose --help'],
    [['diagnose', 'two words'], '"two words" is not a host name', 'winkms-exporter diagnose --help'],
    [['diagnose', 'kms01', '--port=0'], '--port is 1 to 65535', 'winkms-exporter diagnose --help'],
    [['config'], 'usage: winkms-exporter config', 'winkms-exporter config --help'],
    [['config', 'check'], 'usage: winkms-exporter config', 'winkms-exporter config --help'],
    [['config', 'schema', 'more'], 'usage: winkms-exporter config', 'winkms-exporter config --help'],
    [['demo', '--demo.network=10.0'], '--demo.network is like 127.88', 'winkms-exporter demo --help'],
    [['demo', '--demo.exporter-clock-off=x'], 'a number of seconds', 'winkms-exporter demo --help'],
  ])('%j', async (argv, message, hint) => {
    const { ending, out, err } = await run(argv)
    expect([ending, out]).toEqual([64, ''])
    expect(err).toMatch(/^winkms-exporter: [^\n]+\ntry: [^\n]+\n$/)
    expect(err).toContain(message)
    expect(err).toContain(`try: ${hint}\n`)
  })
})

describe('config', () => {
  it('example prints a file that check finds correct', async () => {
    const { ending, out, err } = await run(['config', 'example'])
    expect([ending, out, err]).toEqual([0, exampleConfig, ''])
    const path = await file('example.yml', out)
    expect(await run(['config', 'check', path])).toEqual({
      ending: 0,
      out: `${path}: correct (2 hosts, 1 domains)\n`,
      err: '',
    })
  })

  it('check of an empty file is correct: it is zero configuration', async () => {
    const path = await file('empty.yml', '')
    const { ending, out } = await run(['config', 'check', path])
    expect([ending, out]).toEqual([0, `${path}: correct (0 hosts, the machine's own search domains)\n`])
  })

  it('check says all that is wrong, one line a fault, with its place, and ends with 1', async () => {
    const path = await file('bad.yml', BAD)
    const { ending, out, err } = await run(['config', 'check', path])
    expect([ending, out]).toEqual([1, ''])
    expect(err.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/bad\.yml:3:5: hosts\[0\]\.prot: .*did you mean "port"/),
      expect.stringMatching(/bad\.yml:4:\d+: probes\.port\.schedule: /),
    ])
    expect(err).toContain(`${path}:3:5: `)
  })

  it.each([
    ['does not exist', () => join(folder, 'nowhere.yml')],
    ['is a directory', () => folder],
  ])('check of what %s ends with 1 and says so', async (message, path) => {
    const { ending, err } = await run(['config', 'check', path()])
    expect([ending, err]).toEqual([1, `${path()}:1:1: ${message}\n`])
  })

  it('schema is a JSON Schema that knows the keys of the example', async () => {
    const { ending, out, err } = await run(['config', 'schema'])
    expect([ending, err]).toEqual([0, ''])
    const schema = JSON.parse(out) as { $schema: string; properties: object }
    expect(schema.$schema).toContain('json-schema.org')
    expect(Object.keys(schema.properties)).toEqual(
      expect.arrayContaining(['hosts', 'domains', 'resolvers', 'credentials', 'probes', 'limits']),
    )
  })

  it('a reader that goes away, as `| head` does, is met without a stack trace', async () => {
    const child = spawn('/bin/sh', ['-c', '"$0" "$1" config schema | true', process.execPath, MAIN], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let err = ''
    child.stderr.on('data', (text) => (err += String(text)))
    await once(child, 'close')
    expect(err).toBe('')
  })
})

describe('serve that cannot start ends with 1 and says why', () => {
  it.each([
    ['is wrong', () => file('serve-bad.yml', BAD), ':3:5: hosts[0].prot: '],
    ['is not there', async () => join(folder, 'nowhere.yml'), ':1:1: does not exist'],
    ['is a directory', async () => folder, ':1:1: is a directory'],
  ])('when its configuration %s', async (_what, path, place) => {
    const name = await path()
    const { ending, out, err } = await run([`--config.file=${name}`, '--web.listen-address=127.0.0.1:0'])
    expect([ending, out]).toEqual([1, ''])
    expect(err).toContain(`${name}${place}`)
    expect(err).not.toContain('    at ')
  })

  it('when the port is in use, also after another one could be had', async () => {
    const [free, taken] = [await freePort(), await takenPort()]
    const { ending, out, err } = await run([
      `--config.file=${await file('nothing.yml', 'domains: []\n')}`,
      `--web.listen-address=127.0.0.1:${free}`,
      `--web.listen-address=127.0.0.1:${taken}`,
    ])
    expect([ending, out]).toEqual([1, ''])
    expect(err).toContain('the exporter could not start')
    expect(err).toContain(`EADDRINUSE: address already in use 127.0.0.1:${taken}`)
    expect(err).not.toContain('    at ')
  })

  it('demo, too, when the port is in use', async () => {
    const taken = await takenPort()
    const { ending, out, err } = await run([
      'demo',
      `--web.listen-address=127.0.0.1:${taken}`,
      `--demo.network=${await freeNetwork()}`,
    ])
    expect([ending, out]).toEqual([1, ''])
    expect(err).toMatch(/^[^\n]*address already in use[^\n]*\n$/)
    expect(err).toContain(`127.0.0.1:${taken}`)
  })
})

describe('diagnose for programs', () => {
  it('says which exporter on which system it was, beside all that was asked and answered', async () => {
    const name = 'kms01.corp.example'
    const path = await file(
      'diagnose.yml',
      `hosts: [{ name: ${name}, connect_to: 127.0.0.1, port: ${await freePort()} }]
domains: []
probes: { clock: { sources: [http], ports: { http: ${await freePort()} } } }
`,
    )
    const storage = join(folder, 'nothing-kept')
    const argv = ['diagnose', name, '--json', `--config.file=${path}`, `--storage.path=${storage}`]
    const { ending, out, err } = await run(argv)
    expect([ending, err]).toEqual([1, ''])
    const [report] = JSON.parse(out) as [{ results: { probe: string }[] }]
    expect(report).toMatchObject({
      exporter: {
        version: expect.stringMatching(/^\d+\.\d+\.\d+/),
        revision: expect.any(String),
        node: process.version,
        platform: process.platform,
      },
      host: name,
      serving: false,
    })
    expect(report.results.map(({ probe }) => probe).toSorted()).toEqual(['clock', 'port'])
    // It reads what the daemon keeps, and makes nothing.
    expect(existsSync(storage)).toBe(false)
  })
})

describe('diagnose that cannot begin', () => {
  it('ends with 2 when the configuration is wrong: whether the host serves cannot be told', async () => {
    const path = await file('diagnose-bad.yml', BAD)
    const { ending, out, err } = await run(['diagnose', 'kms01.corp.example', `--config.file=${path}`])
    expect([ending, out]).toEqual([2, ''])
    expect(err).toContain(`${path}:3:5: hosts[0].prot: `)
  })
})
