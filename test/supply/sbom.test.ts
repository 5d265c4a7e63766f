// What the exporter is made of, as CycloneDX says it: valid by CycloneDX's own schema, true of the bundle, complete of what
// production may load. And the licences of all that is in the bundle are beside it.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { copyOfProject, manifest, production, ROOT, type Copy, type Locked } from './copy.ts'

interface Component {
  readonly 'bom-ref': string
  readonly name: string
  readonly version: string
  readonly scope: string
  readonly licenses?: readonly { readonly license?: { readonly id?: string } }[]
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[]
}

interface Sbom {
  readonly metadata: { readonly component: { readonly name: string; readonly version: string } }
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[]
}

interface Metafile {
  readonly outputs: Readonly<Record<string, { readonly inputs: Readonly<Record<string, unknown>> }>>
}

let copy: Copy
let text = ''
let sbom: Sbom
let legal = ''
/** `node_modules/ms` and the like, of which something is in a bundle. */
let bundled: readonly string[] = []

beforeAll(() => {
  copy = copyOfProject('sbom')
  const run = (...args: readonly string[]): unknown =>
    execFileSync(process.execPath, args, { cwd: copy.folder, stdio: 'pipe', timeout: 60_000 })
  run('scripts/build.js', 'metafile.json')
  run('scripts/sbom.js')
  text = readFileSync(join(copy.folder, 'dist/winkms.cdx.json'), 'utf8')
  sbom = JSON.parse(text) as Sbom
  legal = readFileSync(join(copy.folder, 'dist/winkms.LEGAL.txt'), 'utf8')
  const metafiles = JSON.parse(
    readFileSync(join(copy.folder, 'metafile.json'), 'utf8'),
  ) as readonly Metafile[]
  const inputs = metafiles.flatMap(({ outputs }) =>
    Object.values(outputs).flatMap((output) => Object.keys(output.inputs)),
  )
  bundled = [
    ...new Set(inputs.flatMap((input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? [])),
  ]
}, 120_000)

afterAll(() => copy.remove())

const refOf = (folder: string, { version }: Pick<Locked, 'version'>): string =>
  `${folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${version}`

function installed(folder: string): Locked & { readonly name: string } {
  return JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as Locked & { name: string }
}

it("is valid by CycloneDX's schema", () => {
  const require = createRequire(import.meta.url)
  const folder = join(dirname(require.resolve('@cyclonedx/cyclonedx-library/package.json')), 'res/schema')
  const read = (name: string): object => JSON.parse(readFileSync(join(folder, name), 'utf8')) as object
  const ajv = new Ajv({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addFormat('iri-reference', (given: string) => URL.canParse(given, 'https://a.example/'))
  ajv.addFormat('idn-email', /^[^@]+@[^@]+$/)
  for (const name of ['spdx.SNAPSHOT.schema.json', 'jsf-0.82.SNAPSHOT.schema.json'])
    ajv.addSchema(read(name), `http://cyclonedx.org/schema/${name}`)
  const validate = ajv.compile(read('bom-1.5.SNAPSHOT.schema.json'))
  expect(validate(sbom), JSON.stringify(validate.errors)).toBe(true)
  // It does say no.
  expect(validate({ ...sbom, specVersion: 1.5 })).toBe(false)
  expect(validate({ ...sbom, components: [{ name: 'a' }] })).toBe(false)
})

it('speaks of this version, and of nobody who made it', () => {
  expect(sbom.metadata.component).toMatchObject({ name: 'winkms-exporter', version: manifest.version })
  expect(text).not.toMatch(/timestamp|serialNumber|"file:|node_modules|\/tmp\/|registry/)
})

it('has what the lock file has for production, and nothing else', () => {
  const known = sbom.components.map((component) => component['bom-ref'])
  expect(known.toSorted()).toEqual(
    [...new Set(production.map(([folder, lock]) => refOf(folder, lock)))].toSorted(),
  )
})

it('has a licence and a hash of each, and leads to each from the exporter', () => {
  for (const { name, licenses, hashes } of sbom.components) {
    expect(licenses?.[0]?.license?.id, name).toMatch(/./)
    expect(hashes?.[0], name).toMatchObject({
      alg: 'SHA-512',
      content: expect.stringMatching(/^[0-9a-f]{128}$/),
    })
  }
  const [own] = sbom.dependencies
  expect(own?.dependsOn).toEqual(
    Object.entries({ ...manifest.dependencies, ...manifest.optionalDependencies })
      .map(([name, version]) => `${name}@${version}`)
      .toSorted(),
  )
})

it('has every package that is in the bundle', () => {
  expect(bundled.length).toBeGreaterThan(50)
  const known = new Set(sbom.components.map((component) => component['bom-ref']))
  const unknown = bundled.map((folder) => refOf(folder, installed(folder))).filter((ref) => !known.has(ref))
  expect(unknown).toEqual([])
})

it('comes with the licence of every package that is in the bundle, in full', () => {
  for (const folder of bundled) {
    const { name, version, license } = installed(folder)
    expect(legal, folder).toContain(`${name} ${version} (${license})\n`)
    const files = readdirSync(join(ROOT, folder)).filter((file) => /^licen[cs]e/i.test(file))
    for (const file of files) expect(legal).toContain(readFileSync(join(ROOT, folder, file), 'utf8').trim())
    // Only one leaves it out, and says that it is MIT's.
    if (files.length === 0) expect([name, license]).toEqual(['@nodable/entities', 'MIT'])
  }
  expect(existsSync(join(copy.folder, 'dist/winkms.cjs.LEGAL.txt'))).toBe(false)
})
