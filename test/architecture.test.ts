// The house as a table: who may import whom, and who owns which package. This table is the documentation.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const SRC = fileURLToPath(new URL('../src', import.meta.url))

/** From the ground up; a floor may import itself and what is listed. `main.ts` and `app.ts` are floors of one file. */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  model: [],
  kms: ['model'],
  protocol: ['model'],
  config: ['model', 'kms'],
  io: ['model', 'protocol', 'config'],
  probes: ['model', 'kms', 'protocol', 'config', 'io'],
  diagnosis: ['model', 'kms', 'config', 'probes'],
  runbooks: ['model', 'kms', 'diagnosis'],
  engine: ['model', 'config', 'io', 'probes', 'diagnosis'],
  views: ['model', 'kms', 'config', 'probes', 'diagnosis', 'runbooks', 'engine'],
  server: ['model', 'config', 'protocol', 'probes', 'runbooks', 'engine', 'views'],
  'app.ts': ['model', 'kms', 'config', 'io', 'probes', 'diagnosis', 'engine', 'views'],
  lab: [],
  commands: [
    'model',
    'kms',
    'protocol',
    'config',
    'io',
    'probes',
    'engine',
    'views',
    'server',
    'app.ts',
    'lab',
  ],
  'main.ts': ['commands'],
}

/** Each third-party package has one owner. */
const OWNERS: Readonly<Record<string, RegExp>> = {
  'dns-packet': /^protocol\/dns\.ts$/,
  zod: /^config\//,
  yaml: /^config\//,
  'node-cron': /^engine\/cron\.ts$/,
  'prom-client': /^views\/prometheus\.ts$/,
  express: /^server\//,
  helmet: /^server\/guard\.ts$/,
  bcryptjs: /^server\/bcrypt\.ts$/,
  pino: /^commands\/logger\.ts$/,
  undici: /^io\/http\.ts$/,
  'fast-xml-parser': /^protocol\/xml\.ts$/,
  koffi: /^io\/koffi\.ts$/,
}

/** Node's own modules that touch the network or the disk belong to io, but for these. */
const IO_MODULES = /^node:(net|tls|dgram|dns|http|https|child_process|fs|fs\/promises)$/
const MAY_TOUCH: readonly RegExp[] = [
  /^io\//,
  /^lab\//,
  /^config\/files\.ts$/, // the configuration and the files that it names
  /^server\/listen\.ts$/,
  /^commands\/diagnose\.ts$/, // writes its report when asked to
  /^commands\/demo\.ts$/, // writes the demo's configuration when asked to
]

/** Pure functions of node:net: they parse text and open nothing. */
const PURE_NAMES = new Set(['isIP', 'isIPv4', 'isIPv6'])

interface Import {
  readonly from: string
  readonly specifier: string
  readonly names: readonly string[]
  readonly lazy: boolean
  readonly typeOnly: boolean
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts'))
  .toSorted()

function importsOf(file: string): readonly Import[] {
  const text = readFileSync(join(SRC, file), 'utf8')
  const clause = String.raw`\{[^}]*\}|\w+(?:,\s*\{[^}]*\})?|\*(?:\s+as\s+\w+)?`
  const eager = [
    ...text.matchAll(
      new RegExp(String.raw`^(?:import|export)\s+(type\s+)?(${clause})\s+from\s+'([^']+)'`, 'gm'),
    ),
  ]
  const lazy = [...text.matchAll(/\b(?:import|resolve)\('([^']+)'\)/g)]
  return [
    ...eager.map(([, type, names = '', specifier = '']) => ({
      from: file,
      specifier,
      names: [...names.matchAll(/(?:type\s+)?\b(\w+)\b/g)]
        .map(([, name = '']) => name)
        .filter((name) => name !== 'type'),
      lazy: false,
      typeOnly: type !== undefined,
    })),
    ...lazy.map(([, specifier = '']) => ({
      from: file,
      specifier,
      names: [],
      lazy: true,
      typeOnly: false,
    })),
  ]
}

const imports = files.flatMap(importsOf)

function resolved({ from, specifier }: Import): string {
  return relative('.', normalize(join(dirname(from), specifier))).replaceAll('\\', '/')
}

function floorOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : file
}

const local = imports.filter(({ specifier }) => specifier.startsWith('.'))

describe('the house', () => {
  it('has a floor for every file', () => {
    expect(files.length).toBeGreaterThan(60)
    expect(files.filter((file) => !(floorOf(file) in FLOORS))).toEqual([])
  })

  it('resolves every import to a file that is there', () => {
    expect(local.map(resolved).filter((file) => !files.includes(file))).toEqual([])
  })

  it('imports downwards only', () => {
    const wrong = local
      .map((each) => ({ from: each.from, to: resolved(each) }))
      .filter(
        ({ from, to }) => floorOf(from) !== floorOf(to) && !FLOORS[floorOf(from)]?.includes(floorOf(to)),
      )
    expect(wrong).toEqual([])
  })

  it('has no floor above itself in its own table', () => {
    const order = Object.keys(FLOORS)
    for (const [floor, below] of Object.entries(FLOORS)) {
      for (const other of below)
        expect(order.indexOf(other), `${floor} imports ${other}`).toBeLessThan(order.indexOf(floor))
    }
  })

  it('has no circle of files', () => {
    const graph = new Map(
      files.map((file) => [file, local.filter(({ from }) => from === file).map(resolved)]),
    )
    const done = new Set<string>()
    const visit = (file: string, path: readonly string[]): void => {
      expect(path, `a circle: ${[...path, file].join(' -> ')}`).not.toContain(file)
      if (done.has(file)) return
      for (const next of graph.get(file) ?? []) visit(next, [...path, file])
      done.add(file)
    }
    for (const file of files) visit(file, [])
  })

  it('lets nobody but the demo command into the lab, and that lazily', () => {
    const visitors = local.filter((each) => floorOf(resolved(each)) === 'lab' && floorOf(each.from) !== 'lab')
    expect(visitors.map(({ from, lazy }) => ({ from, lazy }))).toEqual([
      { from: 'commands/demo.ts', lazy: true },
    ])
  })

  it('has one owner for each package', () => {
    const packages = imports.filter(
      ({ specifier }) => !specifier.startsWith('.') && !specifier.startsWith('node:'),
    )
    const wrong = packages.filter(({ from, specifier }) => OWNERS[specifier]?.test(from) !== true)
    expect(wrong).toEqual([])
    const manifest = JSON.parse(readFileSync(join(SRC, '../package.json'), 'utf8')) as {
      dependencies: object
      optionalDependencies: object
    }
    const declared = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.optionalDependencies)]
    expect(new Set(packages.map(({ specifier }) => specifier))).toEqual(new Set(declared))
  })

  it('loads what is optional only when it is wanted', () => {
    const koffi = imports.filter(({ specifier }) => specifier === 'koffi')
    expect(koffi.map(({ lazy }) => lazy)).toEqual(koffi.map(() => true))
  })

  it('touches network and disk on the io floor only', () => {
    const wrong = imports.filter(
      ({ from, specifier, names, typeOnly }) =>
        !typeOnly &&
        IO_MODULES.test(specifier) &&
        !MAY_TOUCH.some((allowed) => allowed.test(from)) &&
        !names.every((name) => PURE_NAMES.has(name)),
    )
    expect(wrong).toEqual([])
  })

  it('has no request PDU: nothing outside the lab writes RPC packet type 0, and the lab has no KMS reply', () => {
    const dcerpc = readFileSync(join(SRC, 'protocol/dcerpc.ts'), 'utf8')
    const exported = [...dcerpc.matchAll(/^export function (\w+)/gm)].map(([, name]) => name)
    expect(new Set(exported)).toEqual(new Set(['decodeBindAnswer', 'encodeBind', 'frameRpc']))
  })

  it('says at the head of each file what it is', () => {
    const silent = files.filter((file) => !readFileSync(join(SRC, file), 'utf8').startsWith('// '))
    expect(silent).toEqual([])
  })
})
