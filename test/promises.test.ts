// What documents, examples and deployment files promise, held against what the code declares.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { exampleConfig } from '../src/config/example.ts'
import { parseConfig } from '../src/config/load.ts'
import { CAUSE_NAMES, TREE } from '../src/diagnosis/causes.ts'
import { checkCron } from '../src/engine/cron.ts'
import { RESIDENTS } from '../src/lab/estate-hosts.ts'
import { REASONS } from '../src/model/failure.ts'
import { probes } from '../src/probes/index.ts'
import { FAMILIES } from '../src/views/catalogue.ts'
import { createSelfMetrics } from '../src/views/prometheus.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8')
}

function filesUnder(folder: string): readonly string[] {
  if (!existsSync(join(ROOT, folder))) return []
  const all = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
  return all
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length))
}

/** Prose and configuration; what is generated from the declarations proves nothing. */
const written = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...['docs', 'deploy', 'grafana'].flatMap(filesUnder),
]
  .filter((file) => /\.(md|ya?ml|json|ts)$/.test(file))
  .filter((file) => !['docs/metrics.md', 'docs/winkms.schema.json'].includes(file))

const self = createSelfMetrics({ version: '', revision: '' }, () => 0, { processMetrics: false })
const selfNames = (await self.registry.getMetricsAsJSON()).map(({ name }) => name)
const known = new Set([...FAMILIES.map(({ name }) => name), ...selfNames])

describe('documents and deployment files', () => {
  it('are there to be read', () => {
    expect(written).toContain('README.md')
    expect(written).toContain('deploy/prometheus/prometheus.yml')
  })

  it.each(written)('%s names no metric that does not exist', (file) => {
    const names = [...read(file).matchAll(/(?<![\w/.-])winkms_[a-z0-9_]+/g)].map(([name]) => name)
    const unknown = names.filter(
      (name) => !known.has(name.replace(/_(bucket|sum|count)$/, '')) && !known.has(name),
    )
    expect(unknown).toEqual([])
  })

  it('name no metric in docs/metrics.md but those declared, and all of those', () => {
    const listed = [...read('docs/metrics.md').matchAll(/^\| `(winkms_\w+)` \|/gm)].map(([, name]) => name)
    expect(new Set(listed)).toEqual(known)
  })

  it('show every cause and every reason', () => {
    const page = read('docs/metrics.md')
    for (const word of [...CAUSE_NAMES, ...REASONS]) expect(page).toContain(word)
  })
})

describe('examples', () => {
  it('the example configuration is correct', () => {
    expect(parseConfig(exampleConfig, { file: 'example.yml', checkCron }).problems).toEqual([])
  })
})

describe('the table of causes', () => {
  it('is the tree, every cause once', () => {
    expect(TREE.flatMap(({ causes }) => causes).toSorted()).toEqual(CAUSE_NAMES.toSorted())
  })

  it('has a simulated host for every cause', () => {
    // A wrong exporter is no host: the demo shows it with --demo.exporter-clock-off.
    const simulated = new Set<string>([
      ...RESIDENTS.map(({ cause }) => String(cause)),
      'exporter_clock_wrong',
    ])
    expect(CAUSE_NAMES.filter((cause) => !simulated.has(cause))).toEqual([])
  })
})

describe('the list of probes', () => {
  it('names each probe by its key, with its stages and question', () => {
    for (const [key, probe] of Object.entries(probes)) {
      expect(probe.name).toBe(key)
      expect(probe.stages.length).toBeGreaterThan(0)
      expect(probe.question).toMatch(/\?$/)
    }
  })
})

describe('package.json', () => {
  it('pins every version exactly', () => {
    const manifest = JSON.parse(read('package.json')) as Record<
      'dependencies' | 'devDependencies',
      Record<string, string>
    >
    const versions = { ...manifest.dependencies, ...manifest.devDependencies }
    expect(
      Object.entries(versions).filter(([, version]) => !/^\d+\.\d+\.\d+(?:-alpha\.\d+)?$/.test(version)),
    ).toEqual([])
  })

  it('has a lockfile that names no registry', () => {
    expect(read('package-lock.json')).not.toContain('"resolved"')
  })
})
