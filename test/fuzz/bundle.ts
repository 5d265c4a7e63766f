// The codecs and the fuzzer in one file, the codecs (and the packages that they decode with) with counters in them.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, transform, type Plugin } from 'esbuild'
import { instrument } from './instrument.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Of packages, those that read what peers or people wrote. zod sees only values that `yaml` made. */
const COUNTED =
  /[\\/](?:src[\\/].*\.ts|test[\\/]fuzz[\\/]planted\.ts|node_modules[\\/](?:dns-packet|fast-xml-parser|strnum|yaml)[\\/].*\.[cm]?js)$/

export interface CountedFile {
  readonly path: string
  /** Its place in `Counters.touched`. */
  readonly number: number
  /** Its counters: from `first` to before `end`. */
  readonly first: number
  readonly end: number
  /** Of our own files only. */
  readonly texts: readonly string[]
  /** Decimal, with `n` behind a bigint. */
  readonly numbers: readonly string[]
}

/** `entry` beside this file becomes one module in the directory; its path. */
export async function bundle(entry: string, directory: string): Promise<string> {
  const files: CountedFile[] = []
  let places = 0
  const counting: Plugin = {
    name: 'counting',
    setup({ onLoad }) {
      onLoad({ filter: COUNTED }, async ({ path }) => {
        const source = readFileSync(path, 'utf8')
        const { code } = path.endsWith('.ts')
          ? await transform(source, { loader: 'ts', target: 'es2023', format: 'esm' })
          : { code: source }
        const number = files.length
        const { code: contents, ...found } = instrument(code, places, number)
        const isOurs = path.endsWith('.ts')
        files.push({
          path: path.slice(ROOT.length),
          number,
          first: places,
          end: places + found.places,
          texts: isOurs ? found.texts : [],
          numbers: isOurs ? found.numbers.map((each) => `${each}${typeof each === 'bigint' ? 'n' : ''}`) : [],
        })
        places += found.places
        return { contents, loader: 'js' }
      })
    },
  }
  const result = await build({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    define: { VERSION: '"fuzz"', REVISION: '"fuzz"' },
    plugins: [counting],
    logLevel: 'error',
  })
  // esbuild loads files in any order; what depends on their order should not.
  files.sort((a, b) => (a.path < b.path ? -1 : 1))
  const head = [
    "import{createRequire as $createRequire}from'node:module';const require=$createRequire(import.meta.url);",
    `globalThis.$fuzz={counts:new Uint32Array(${places}),touched:new Uint8Array(${files.length}),pairs:undefined};`,
    `globalThis.$fuzzFiles=${JSON.stringify(files)};`,
  ]
  const path = join(directory, `${entry.replace(/\.ts$/, '')}.mjs`)
  writeFileSync(path, head.join('\n') + (result.outputFiles[0]?.text ?? ''))
  return path
}
