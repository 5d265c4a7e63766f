// The same sources make the same files: in another folder, at another time, for another user.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { copyOfProject } from './copy.ts'

const run = promisify(execFile)
const digest = (file: string): string => createHash('sha512').update(readFileSync(file)).digest('hex')

interface Packed {
  readonly filename: string
  readonly integrity: string
  readonly files: readonly { readonly path: string }[]
}

async function pack(folder: string, umask: string, env: NodeJS.ProcessEnv): Promise<Packed> {
  const { stdout } = await run('sh', ['-c', `umask ${umask} && npm pack --json --silent`], {
    cwd: folder,
    env: { ...process.env, ...env },
    timeout: 100_000,
    maxBuffer: 16 * 1024 * 1024,
  })
  const told = JSON.parse(stdout.slice(stdout.indexOf('[\n'))) as readonly Packed[]
  if (told[0] === undefined) throw new Error(stdout)
  return told[0]
}

it('dist and the packed archive are the same, byte by byte', { timeout: 240_000 }, async () => {
  const copies = [copyOfProject('a'), copyOfProject('another-and-longer')] as const
  onTestFinished(() => copies.forEach((copy) => copy.remove()))
  const folders = [copies[0].folder, copies[1].folder] as const
  const one = await pack(folders[0], '022', { TZ: 'Asia/Tokyo', LC_ALL: 'C' })
  // Times of files have seconds.
  await pause(1_500)
  const two = await pack(folders[1], '077', { TZ: 'America/Lima', NODE_OPTIONS: '--stack-trace-limit=5' })

  const dists = folders.map((folder) =>
    Object.fromEntries(
      readdirSync(join(folder, 'dist')).map((name) => [name, digest(join(folder, 'dist', name))]),
    ),
  )
  expect(dists[1]).toEqual(dists[0])
  expect(Object.keys(dists[0] ?? {})).toEqual(
    expect.arrayContaining([
      'main.js',
      'undici.cjs',
      'winkms.cjs',
      'winkms.cdx.json',
      'winkms.LEGAL.txt',
      `winkms.${process.versions.v8}-${process.platform}-${process.arch}.cache`,
    ]),
  )
  expect(two.integrity).toBe(one.integrity)
  expect(digest(join(folders[1], two.filename))).toBe(digest(join(folders[0], one.filename)))
  const paths = one.files.map(({ path }) => path)
  for (const name of Object.keys(dists[0] ?? {})) expect(paths).toContain(`dist/${name}`)
  // Nothing that is the maker's own.
  for (const folder of folders)
    for (const name of readdirSync(join(folder, 'dist')))
      expect(readFileSync(join(folder, 'dist', name)).includes(folder), name).toBe(false)
})
