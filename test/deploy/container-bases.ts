// Stand-ins for the two base images that the Dockerfile names, since no registry is asked: this machine's Node.js and npm,
// MIT's Kerberos, what they need of libc, and of programs no more than the Dockerfile's own steps call. Paths are those of the
// originals. So the Dockerfile itself is built; that the originals are as assumed here, it does not show.
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { program } from '../real/servers/need.ts'

const PROGRAMS = ['sh', 'mkdir', 'cp', 'uname', 'env']
/** What Debian's libgssapi-krb5-2 brings, of which `libgssapi_krb5.so.2` needs the others. */
const KERBEROS = 'libgssapi_krb5.so.2'

function found(name: string): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const path = folders.map((folder) => join(folder, name)).find((each) => existsSync(each))
  if (path === undefined) throw new Error(`${name} is not in the PATH`)
  return path
}

function librariesOf(path: string): readonly string[] {
  const printed = execFileSync(program('ldd'), [path], { encoding: 'utf8' })
  return [...printed.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, library = '']) => library)
}

function libraryFolder(): string {
  const folder = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`
  if (!existsSync(join(folder, KERBEROS)))
    throw new Error(`not installed: libgssapi-krb5-2, which has ${KERBEROS}`)
  return folder
}

function copy(root: string, from: string, to = from): void {
  mkdirSync(join(root, dirname(to)), { recursive: true })
  cpSync(realpathSync(from), join(root, to), { recursive: true })
}

function copyProgram(root: string, from: string, to = from): void {
  copy(root, from, to)
  for (const library of librariesOf(from)) copy(root, library)
}

/** gcr.io/distroless/nodejs24-debian12:nonroot */
function makeRuntime(root: string): void {
  copyProgram(root, realpathSync(process.execPath), '/nodejs/bin/node')
  for (const name of ['libresolv.so.2', 'libnss_dns.so.2', 'libnss_files.so.2'])
    copy(root, join(libraryFolder(), name))
  mkdirSync(join(root, 'etc'))
  writeFileSync(join(root, 'etc/passwd'), 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n')
}

/** node:24-bookworm, which has libkrb5-dev from buildpack-deps. */
function makeBuilder(root: string): void {
  for (const folder of ['bin', 'lib', 'lib64']) {
    mkdirSync(join(root, 'usr', folder), { recursive: true })
    symlinkSync(`usr/${folder}`, join(root, folder))
  }
  for (const name of PROGRAMS) copyProgram(root, realpathSync(found(name)), `/usr/bin/${name}`)
  copyProgram(root, join(libraryFolder(), KERBEROS))
  copyProgram(root, realpathSync(process.execPath), '/usr/local/bin/node')
  copy(root, dirname(dirname(realpathSync(found('npm')))), '/usr/local/lib/node_modules/npm')
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'))
  for (const folder of ['etc', 'root', 'tmp']) mkdirSync(join(root, folder))
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
}

/** By the names in the Dockerfile. */
export const BASES: Readonly<Record<string, (root: string) => void>> = {
  'gcr.io/distroless/nodejs24-debian12:nonroot': makeRuntime,
  'node:24-bookworm': makeBuilder,
}

const npmConfig = (key: string): string =>
  execFileSync('npm', ['config', 'get', key], { encoding: 'utf8' }).trim()

/** Mounts for `npm ci` in the builder: this machine's way to its registry, and what it has of it already. */
export function npmMounts(folder: string): readonly string[] {
  const globalConfig = npmConfig('globalconfig')
  const own = join(folder, 'npmrc')
  const lines = existsSync(globalConfig) ? readFileSync(globalConfig, 'utf8') : ''
  writeFileSync(own, `${lines}\nregistry=${npmConfig('registry')}\nprefer-offline=true\n`)
  const [cache, user, authorities] = ['cache', 'userconfig', 'cafile'].map(npmConfig)
  const mounts: readonly (readonly [from: string | undefined, to: string | undefined])[] = [
    [own, '/usr/local/etc/npmrc:ro'],
    [cache, '/root/.npm'],
    [user, '/root/.npmrc:ro'],
    [authorities, `${authorities}:ro`],
  ]
  return mounts.flatMap(([from = '', to]) => (existsSync(from) ? ['--volume', `${from}:${to}`] : []))
}
