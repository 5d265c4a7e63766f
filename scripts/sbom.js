// `npm run sbom`: what the exporter is made of and what it may load, as CycloneDX, beside the bundle. npm writes the list;
// but its `--omit dev` leaves out what a tool of ours needs as well (yaml, zod), so that what production needs is followed
// from package.json here. Nothing in it says when or where it was made.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const { name, dependencies, optionalDependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
// Of all platforms, whatever is installed on this one.
const options = ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only']
const npm = execFileSync('npm', options, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
const { serialNumber: _number, metadata, ...sbom } = JSON.parse(npm)

const edges = new Map(sbom.dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]))
const own = metadata.component['bom-ref']
const wanted = Object.entries({ ...dependencies, ...optionalDependencies }).map(
  ([each, version]) => `${each}@${version}`,
)
const reached = new Set(wanted)
for (const ref of reached) for (const next of edges.get(ref) ?? []) reached.add(next)

const made = {
  ...sbom,
  metadata: {
    lifecycles: metadata.lifecycles,
    tools: metadata.tools,
    // npm takes the folder's name.
    component: { ...metadata.component, name },
  },
  components: sbom.components.filter((component) => reached.has(component['bom-ref'])),
  dependencies: [
    { ref: own, dependsOn: wanted.sort() },
    ...sbom.dependencies.filter(({ ref }) => reached.has(ref)),
  ],
}
// `npm pack` keeps the rights of files.
process.umask(0o022)
writeFileSync(`${root}dist/winkms.cdx.json`, `${JSON.stringify(made, null, 2)}\n`)
