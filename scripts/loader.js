#!/usr/bin/env node
// Becomes dist/main.js: runs the bundle from code that V8 compiled when the bundle was built. Compiling is most of what
// starting costs; where the compiled code is not there, or this V8 does not take it (another version, other flags, another system), V8
// compiles the bundle as it does any program, and nothing but the start is slower.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'

// What a package of ours should no longer use is for us to hear, in tests: among log lines of JSON it is one that nobody can read.
process.noDeprecation = true

const directory = fileURLToPath(new URL('.', import.meta.url))
const filename = `${directory}winkms.cjs`
const source = readFileSync(filename)

// V8 itself looks at the length of the source only, and dies of compiled code that is damaged: a digest of both comes first.
function compiled() {
  try {
    const file = readFileSync(
      `${directory}winkms.${process.versions.v8}-${process.platform}-${process.arch}.cache`,
    )
    const [digest, code] = [file.subarray(0, 32), file.subarray(32)]
    return createHash('sha256').update(source).update(code).digest().equals(digest) ? code : undefined
  } catch {
    return undefined
  }
}

// The bundle is pure ASCII, which V8 keeps at a byte a character; its last value is a function, as of any CommonJS module.
const script = new Script(source.toString('latin1'), { filename, cachedData: compiled() })
const module = { exports: {} }
script.runInThisContext()(module.exports, createRequire(import.meta.url), module, filename, directory)

process.exitCode = await module.exports.run(process.argv.slice(2))
