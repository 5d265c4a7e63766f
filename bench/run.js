// Bundles a benchmark as the exporter itself is bundled (tsx would have it pay for names that it keeps), and runs it.
import { build } from 'esbuild'
import { pathToFileURL } from 'node:url'
import { resolve } from 'node:path'

const [name, ...rest] = process.argv.slice(2)
const outdir = resolve('dist/bench')
await build({
  entryPoints: [`bench/${name}.ts`, 'bench/responder.ts', 'bench/prom-client.ts', 'bench/soak-lab.ts'],
  outdir,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  logLevel: 'warning',
})
process.argv = [process.argv[0] ?? 'node', resolve(outdir, `${name}.js`), ...rest]
await import(pathToFileURL(process.argv[1]).href)
