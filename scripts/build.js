// Bundles the command into one file, which starts in a fraction of the time that a folder of modules takes, and has V8
// compile it (scripts/loader.js says what for).
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'
import { build } from 'esbuild'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

function revision() {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim()
  } catch {
    return 'unknown'
  }
}

/** What the routes answer with. */
const OUR_TYPES = [
  'application/json',
  'image/svg+xml',
  'text/css',
  'text/html',
  'text/javascript',
  'text/plain',
]

/**
 * What express and prom-client load at their start, and we never use: a third of the bundle. The exporter reads no request
 * body (body-parser, and with it iconv-lite's tables), parses no nested query (qs: express's default is the simple parser),
 * is no cluster and pushes nothing (prom-client). Whoever begins to use one of them finds no function there, at once.
 */
const UNUSED =
  /[\\/]node_modules[\\/](?:body-parser[\\/]index|qs[\\/]lib[\\/]index|prom-client[\\/]lib[\\/](?:cluster|pushgateway))\.js$/

const withoutUnused = {
  name: 'without-unused',
  setup({ onLoad }) {
    onLoad({ filter: UNUSED }, () => ({ contents: 'module.exports = {}' }))
    // mime-types sorts through all 2500 of them at its start. test/build.test.ts asks every route for its type.
    onLoad({ filter: /[\\/]mime-db[\\/]db\.json$/ }, ({ path }) => {
      const types = JSON.parse(readFileSync(path, 'utf8'))
      const ours = Object.fromEntries(OUR_TYPES.map((type) => [type, types[type]]))
      return { contents: JSON.stringify(ours), loader: 'json' }
    })
  },
}

/** Half as large as all the rest, and wanted only where HTTP is spoken: a file of its own. */
const undiciApart = {
  name: 'undici-apart',
  setup({ onResolve }) {
    onResolve({ filter: /^undici$/ }, () => ({ path: './undici.cjs', external: true }))
  },
}

const root = new URL('..', import.meta.url)
const dist = fileURLToPath(new URL('dist/', root))
const options = {
  absWorkingDir: fileURLToPath(root),
  bundle: true,
  platform: 'node',
  // V8 takes compiled code for scripts only, not for modules.
  format: 'cjs',
  target: 'node20',
  // A script made by node:vm cannot import(), but require().
  supported: { 'dynamic-import': false },
  // Native and optional: found at run time, or done without.
  external: ['koffi'],
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'linked',
  charset: 'ascii',
  logLevel: 'warning',
}

rmSync(dist, { recursive: true, force: true })
await build({ ...options, entryPoints: ['undici'], outfile: 'dist/undici.cjs' })
// For the thread that src/server/bcrypt.ts starts.
await build({ ...options, entryPoints: ['bcryptjs'], outfile: 'dist/bcrypt.cjs' })
await build({
  ...options,
  entryPoints: ['src/commands/run.ts'],
  outfile: 'dist/winkms.cjs',
  plugins: [withoutUnused, undiciApart],
  banner: {
    js: "(function (exports, require, module, __filename, __dirname) { const __url = require('node:url').pathToFileURL(__filename).href;",
  },
  footer: { js: '})' },
  define: {
    __BCRYPT__: JSON.stringify('./bcrypt.cjs'),
    __VERSION__: JSON.stringify(version),
    __REVISION__: JSON.stringify(revision()),
    'import.meta.url': '__url',
  },
})

// Loaded once first: what runs at every start is then compiled too, and the rest is when it is wanted.
const filename = `${dist}winkms.cjs`
const source = readFileSync(filename)
const script = new Script(source.toString('latin1'), { filename })
const module = { exports: {} }
script.runInThisContext()(module.exports, createRequire(filename), module, filename, dist)
const code = script.createCachedData()
const digest = createHash('sha256').update(source).update(code).digest()
writeFileSync(`${dist}winkms.${process.versions.v8}-${process.arch}.cache`, Buffer.concat([digest, code]))

// Last: where it is, all of it is.
copyFileSync(new URL('loader.js', import.meta.url), `${dist}main.js`)
