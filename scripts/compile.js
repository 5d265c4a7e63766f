// Has V8 compile dist/winkms.cjs (scripts/loader.js says what for). In a process of its own, which scripts/build.js starts
// with a seed: V8 writes out hash tables, and they differ from run to run otherwise. The seed is the one such flag that
// compiled code may be taken in spite of. `compile.js FOLDER` writes there what is not for dist.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))
const [, , folder = dist] = process.argv
const filename = `${dist}winkms.cjs`
const source = readFileSync(filename)
// Without its folder, which V8 would write out, too, and does not compare.
const script = new Script(source.toString('latin1'), { filename: 'winkms.cjs' })
// Loaded once first: what runs at every start is then compiled too, and the rest is when it is wanted.
const module = { exports: {} }
script.runInThisContext()(module.exports, createRequire(filename), module, filename, dist)
const code = script.createCachedData()
const digest = createHash('sha256').update(source).update(code).digest()
writeFileSync(
  join(folder, `winkms.${process.versions.v8}-${process.platform}-${process.arch}.cache`),
  Buffer.concat([digest, code]),
)
