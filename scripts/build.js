// Bundles the command into one file, which starts in a fraction of the time that a folder of modules takes, and has V8
// compile it (scripts/compile.js). The same sources, packages and Node.js make the same files, byte by byte, wherever and
// whenever they are built.
import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { licencesOf, packagesIn } from './licences.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = `${root}dist/`
const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))

function revision() {
  // Where there are sources without their repository: in an image.
  const given = process.env['WINKMS_REVISION']
  if (given) return given.slice(0, 12)
  try {
    const options = { cwd: root, env: { ...process.env, GIT_CEILING_DIRECTORIES: dirname(root) } }
    // Not --short, whose length is each clone's own; and not of a repository in which this is only unpacked.
    return execFileSync('git', ['rev-parse', 'HEAD'], { ...options, stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .slice(0, 12)
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

const options = {
  absWorkingDir: root,
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
  legalComments: 'none',
  metafile: true,
  charset: 'ascii',
  logLevel: 'warning',
}

// `npm pack` keeps the rights of files.
process.umask(0o022)
rmSync(dist, { recursive: true, force: true })
// For the thread that src/server/bcrypt.ts starts: a text in the bundle.
const bcrypt = await build({
  ...options,
  entryPoints: ['bcryptjs'],
  outfile: 'dist/bcrypt.cjs',
  write: false,
})
const bundles = [
  await build({ ...options, entryPoints: ['undici'], outfile: 'dist/undici.cjs' }),
  bcrypt,
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
      __BCRYPT__: JSON.stringify(bcrypt.outputFiles[0].text),
      __VERSION__: JSON.stringify(version),
      __REVISION__: JSON.stringify(revision()),
      'import.meta.url': '__url',
    },
  }),
]
const packages = new Set(bundles.flatMap(({ metafile }) => packagesIn(metafile)))
writeFileSync(`${dist}winkms.LEGAL.txt`, licencesOf(root, [...packages].sort()))

// For whoever wants to know what is in the bundles: `node scripts/build.js FILE`.
const [, , file] = process.argv
if (file !== undefined) writeFileSync(file, JSON.stringify(bundles.map(({ metafile }) => metafile)))

// Nothing of the caller's environment has a say in what V8 makes.
execFileSync(process.execPath, ['--random-seed=1', `${root}scripts/compile.js`], {
  env: {},
  stdio: 'inherit',
})

// Last: where it is, all of it is.
copyFileSync(new URL('loader.js', import.meta.url), `${dist}main.js`)
