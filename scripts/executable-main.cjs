// What the single executable runs: scripts/loader.js for files that are inside the executable. It has no folder of its own,
// and nothing is unpacked but koffi's library, which the system loads from a file only, and only where it is wanted.
const { createHash } = require('node:crypto')
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs')
const { createRequire, isBuiltin } = require('node:module')
const { tmpdir } = require('node:os')
const { dirname, join } = require('node:path')
const { getAsset, getRawAsset } = require('node:sea')
const { Script } = require('node:vm')

process.noDeprecation = true

function asset(name) {
  try {
    return Buffer.from(getRawAsset(name))
  } catch {
    return undefined
  }
}

function compiled(source) {
  const file = asset('winkms.cache')
  if (file === undefined) return undefined
  const [digest, code] = [file.subarray(0, 32), file.subarray(32)]
  return createHash('sha256').update(source).update(code).digest().equals(digest) ? code : undefined
}

/** The exports of the library, whose file is gone again at once: Windows alone keeps it for as long as it is in use. */
function native() {
  const folder = mkdtempSync(join(tmpdir(), 'winkms-exporter-'))
  const file = join(folder, 'koffi.node')
  const module = { exports: {} }
  try {
    writeFileSync(file, asset('koffi.node'), { mode: 0o500 })
    process.dlopen(module, file)
  } finally {
    try {
      rmSync(folder, { recursive: true })
    } catch {
      // It is in use.
    }
  }
  return module.exports
}

const loaded = new Map()

function load(name) {
  if (isBuiltin(name)) return require(name)
  const known = loaded.get(name)
  if (known !== undefined) return known.exports
  const file = { './undici.cjs': 'undici.cjs', koffi: 'koffi.cjs' }[name]
  const text = file === undefined ? undefined : asset(file)?.toString('latin1')
  if (text === undefined && name !== 'koffi.node') {
    // An executable that has no koffi in it takes one that is installed beside it. What packages try their luck with
    // (supports-color) is nobody's.
    if (name === 'koffi') return createRequire(process.execPath)(name)
    throw Object.assign(new Error(`there is no ${name} in the executable`), { code: 'MODULE_NOT_FOUND' })
  }
  const module = { exports: {} }
  if (name === 'koffi.node') module.exports = native()
  else {
    const script = new Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, {
      filename: file,
    })
    script.runInThisContext()(module.exports, load, module, process.execPath, dirname(process.execPath))
  }
  loaded.set(name, module)
  return module.exports
}

const source = asset('winkms.cjs')
const script = new Script(source.toString('latin1'), { filename: 'winkms.cjs', cachedData: compiled(source) })
const module_ = { exports: {} }
script.runInThisContext()(module_.exports, load, module_, process.execPath, dirname(process.execPath))

const [, , ...argv] = process.argv
// What has to go along with every copy: ours, of the packages, and of Node.js.
if (argv.length === 1 && argv[0] === '--licenses') process.stdout.write(getAsset('LEGAL.txt', 'utf8'))
else void module_.exports.run(argv).then((code) => (process.exitCode = code))
