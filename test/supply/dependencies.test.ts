// What production depends on: known by name, for a reason, pinned, licensed as we can take it, and installed without running
// anything. docs/decisions/008-dependencies.md is held to package.json and package-lock.json.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { locked, manifest, production, ROOT } from './copy.ts'

const PERMITTED = ['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD']

const direct = { ...manifest.dependencies, ...manifest.optionalDependencies }
const byFolder = new Map(locked)

/** Where Node.js would find `name` from `folder`: there, or in the nearest node_modules above. */
function folderOf(name: string, folder: string): string | undefined {
  for (let base = folder; ; base = base.slice(0, Math.max(0, base.lastIndexOf('/node_modules/')))) {
    const found = `${base === '' ? '' : `${base}/`}node_modules/${name}`
    if (byFolder.has(found)) return found
    if (base === '') return undefined
  }
}

/** How many packages come along, on any platform. */
function broughtBy(name: string): number {
  const reached = new Set([`node_modules/${name}`])
  for (const folder of reached) {
    const { dependencies, optionalDependencies } = byFolder.get(folder) ?? {}
    for (const each of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const found = folderOf(each, folder)
      if (found !== undefined) reached.add(found)
    }
  }
  return reached.size - 1
}

it('the decision has each of them, with its licence and what it brings along', () => {
  const text = readFileSync(join(ROOT, 'docs/decisions/008-dependencies.md'), 'utf8')
  const rows = [
    ...text.matchAll(/^\| `([^`]+)`(?: \(optional\))? \| ([^|]+) \| ([^|]+) \| (\d+) \| ([^|]+) \|$/gm),
  ]
  const told = rows.map(([, name = '', , licence = '', count]) => `${name}, ${licence.trim()}, ${count}`)
  const held = Object.keys(direct).map(
    (name) => `${name}, ${byFolder.get(`node_modules/${name}`)?.license}, ${broughtBy(name)}`,
  )
  expect(told.toSorted()).toEqual(held.toSorted())
  // Each with a reason and what could take its place, in words.
  for (const [, name = '', reason = '', , , instead = ''] of rows) {
    expect(reason.trim().split(' ').length, name).toBeGreaterThan(4)
    expect(instead.trim().split(' ').length, name).toBeGreaterThan(4)
  }
})

it('all are pinned, and locked to a content by its hash, from no registry in particular', () => {
  for (const [name, version] of Object.entries({ ...direct, ...manifest.devDependencies })) {
    expect(version, name).toMatch(/^\d+\.\d+\.\d+(?:-alpha\.\d+)?$/)
    expect(byFolder.get(`node_modules/${name}`)?.version, name).toBe(version)
  }
  for (const [folder, { integrity, resolved }] of locked) {
    expect(integrity, folder).toMatch(/^sha512-/)
    expect(resolved, folder).toBeUndefined()
  }
})

it('all that production may load has a licence that we can take', () => {
  const others = production.filter(([, { license }]) => !PERMITTED.includes(license ?? ''))
  expect(others).toEqual([])
  // What is installed says the same as the lock file.
  for (const [folder, { license }] of production) {
    const file = join(ROOT, folder, 'package.json')
    if (existsSync(file)) expect(JSON.parse(readFileSync(file, 'utf8')), folder).toMatchObject({ license })
  }
})

it('none but koffi wants to run anything when it is installed', () => {
  const scripts = production.filter(([, { hasInstallScript }]) => hasInstallScript === true)
  expect(scripts.map(([folder]) => folder)).toEqual(['node_modules/koffi'])
  const { scripts: named } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  expect(Object.keys(named).filter((name) => /^(?:pre|post)?install$|^prepare$/.test(name))).toEqual([])
})

it('koffi does without its script: what it would build comes as a package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'winkms-koffi-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const unpacked = production.filter(([path]) => /node_modules\/(?:koffi|@koromix\/.*)$/.test(path))
  for (const [path] of unpacked) {
    if (!existsSync(join(ROOT, path))) continue
    // `build` is where the script puts what it makes.
    cpSync(join(ROOT, path), join(folder, path), {
      recursive: true,
      filter: (from) => !from.endsWith('/koffi/build'),
    })
  }
  const program = `process.stdout.write(String(require('koffi').load(null).func('int getpid(void)')() === process.pid))`
  expect(execFileSync(process.execPath, ['--eval', program], { cwd: folder, encoding: 'utf8' })).toBe('true')
})
