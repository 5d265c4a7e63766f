// A checkout somewhere else, with what building takes and no more: the sources, production's packages and esbuild.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface Locked {
  readonly version: string
  readonly license?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly hasInstallScript?: boolean
  readonly resolved?: string
  readonly integrity?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

interface Manifest {
  readonly version: string
  readonly license: string
  readonly dependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

export const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest

/** By folder: `node_modules/express`. The project itself, which is '', apart. */
export const locked = Object.entries(
  (JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Record<string, Locked> })
    .packages,
).filter(([folder]) => folder !== '')

export const production = locked.filter(([, { dev }]) => dev !== true)

/** What git does not have, and what is in node_modules but not of production. */
function isNeeded(path: string): boolean {
  return !/^(?:node_modules|dist|data|coverage|\.git|test)(?:\/|$)/.test(path)
}

export interface Copy {
  readonly folder: string
  remove(): void
}

export function copyOfProject(name: string): Copy {
  const folder = mkdtempSync(join(tmpdir(), `winkms-copy-${name}-`))
  cpSync(ROOT, folder, { recursive: true, filter: (from) => isNeeded(relative(ROOT, from)) })
  const tools = locked.filter(([path]) => /^node_modules\/(?:esbuild|@esbuild\/.*)$/.test(path))
  for (const [path] of [...production, ...tools])
    if (existsSync(join(ROOT, path))) cpSync(join(ROOT, path), join(folder, path), { recursive: true })
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
