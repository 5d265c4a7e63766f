// `npm run build:deb`: a Debian package of dist, by dpkg-deb and nothing else. The same dist and SOURCE_DATE_EPOCH make the
// same bytes. It has koffi's binary in it, which Kerberos and sd_notify(3) take, and so it is for this machine's architecture.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { constants, gzipSync } from 'node:zlib'

const NAME = 'winkms-exporter'
const LIB = `usr/lib/${NAME}`
const DOC = `usr/share/doc/${NAME}`
const SHARE = `usr/share/${NAME}`

/** Where each shell looks for what it completes with. */
const COMPLETIONS = [
  ['bash', `usr/share/bash-completion/completions/${NAME}`],
  ['zsh', `usr/share/zsh/vendor-completions/_${NAME}`],
  ['fish', `usr/share/fish/vendor_completions.d/${NAME}.fish`],
]

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
const { values: options } = parseArgs({
  options: {
    /** What is packed anew of the same release counts up. */
    revision: { type: 'string', default: '1' },
    out: { type: 'string', default: root },
  },
})
const version = `${manifest.version}-${options.revision}`
const architecture = execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim()
const { DEBFULLNAME = `${NAME} packagers`, DEBEMAIL = `${NAME}@packages.example` } = process.env
const maintainer = `${DEBFULLNAME} <${DEBEMAIL}>`

/** When the sources were last changed, unless told. */
function epoch() {
  const told = process.env['SOURCE_DATE_EPOCH']
  if (told !== undefined) return Number(told)
  return Number(execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' }))
}

const seconds = epoch()
if (!Number.isSafeInteger(seconds)) throw new Error('SOURCE_DATE_EPOCH is a number of seconds')

process.umask(0o022)
const stage = mkdtempSync(join(tmpdir(), 'winkms-deb-'))
const at = (path) => join(stage, path)

function folder(path, mode = 0o755) {
  mkdirSync(at(path), { recursive: true })
  chmodSync(at(path), mode)
}

function write(path, content, mode = 0o644) {
  folder(dirname(path))
  writeFileSync(at(path), content)
  chmodSync(at(path), mode)
}

function copy(from, path, mode = 0o644) {
  folder(dirname(path))
  copyFileSync(join(root, from), at(path))
  chmodSync(at(path), mode)
}

/** Files only, of those that `wanted` takes; folders as they stand. */
function copyFolder(from, path, wanted = () => true) {
  for (const entry of readdirSync(join(root, from), { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name).slice(join(root, from).length + 1)
    if (entry.isFile() && wanted(file)) copy(join(from, file), join(path, file))
  }
}

/** As gzip -9n: no name and no time. */
function writeCompressed(path, content) {
  write(`${path}.gz`, gzipSync(content, { level: constants.Z_BEST_COMPRESSION }))
}

function addProgram() {
  copyFolder('dist', LIB, (file) => !file.endsWith('.LEGAL.txt') && file !== 'main.js')
  const loader = readFileSync(`${root}dist/main.js`, 'utf8').replace(/^#!.*/, '#!/usr/bin/node')
  write(`${LIB}/main.js`, loader, 0o755)
  write(`${LIB}/package.json`, '{ "type": "module" }\n')
  folder('usr/bin')
  symlinkSync(`../lib/${NAME}/main.js`, at(`usr/bin/${NAME}`))
  addKoffi()
}

/** What of koffi runs, and the one binary of it that fits. */
function addKoffi() {
  const own = `linux_${process.arch}/koffi.node`
  const binary = `node_modules/@koromix/koffi-linux-${process.arch}`
  if (!existsSync(join(root, binary, own)))
    throw new Error(`${binary} is not installed: npm ci installs it with the optional packages`)
  const modules = `${LIB}/node_modules`
  const runs = ['package.json', 'index.cjs', 'src/koffi/index.cjs', 'src/koffi/src/static.cjs']
  for (const file of runs) copy(`node_modules/koffi/${file}`, `${modules}/koffi/${file}`)
  for (const file of ['package.json', 'index.js', own])
    copy(`${binary}/${file}`, `${modules}/@koromix/koffi-linux-${process.arch}/${file}`)
  // Without it the service would never be ready, for systemd hears the main process only.
  execFileSync(process.execPath, ['--input-type=commonjs', '--eval', 'require("koffi").load(null)'], {
    cwd: at(LIB),
    env: {},
  })
}

function addShared() {
  copy('deploy/prometheus/winkms.rules.yml', `${SHARE}/prometheus/winkms.rules.yml`)
  copyFolder('grafana/dashboards', `${SHARE}/grafana/dashboards`)
  copyFolder('docs/runbooks', `${SHARE}/runbooks`)
  writeCompressed(`usr/share/man/man1/${NAME}.1`, readFileSync(`${root}deploy/man/${NAME}.1`))
  for (const [shell, place] of COMPLETIONS)
    write(place, execFileSync(process.execPath, [`${root}dist/main.js`, 'completion', shell]))
}

function addService() {
  for (const kind of ['service', 'socket'])
    copy(`deploy/systemd/${NAME}.${kind}`, `lib/systemd/system/${NAME}.${kind}`)
  copy('deploy/debian/default', `etc/default/${NAME}`)
  copy('deploy/debian/winkms.yml', `etc/${NAME}/winkms.yml`)
  // Given to their owners by postinst, who are not known before.
  folder(`etc/${NAME}/credentials`, 0o750)
  folder(`var/lib/${NAME}`, 0o750)
}

function addDocuments() {
  copy('deploy/debian/README.Debian', `${DOC}/README.Debian`)
  const koffi = readFileSync(`${root}node_modules/koffi/LICENSE.txt`, 'utf8')
  const bundled = readFileSync(`${root}dist/winkms.LEGAL.txt`, 'utf8')
  const text = readFileSync(`${root}deploy/debian/copyright`, 'utf8')
  write(`${DOC}/copyright`, text)
  writeCompressed(`${DOC}/packages.LEGAL.txt`, `koffi (MIT)\n\n${koffi}\n${'-'.repeat(80)}\n\n${bundled}`)
  writeCompressed(`${DOC}/changelog`, readFileSync(`${root}CHANGELOG.md`))
  const date = new Date(seconds * 1000).toUTCString().replace('GMT', '+0000')
  const entry = `${NAME} (${version}) unstable; urgency=medium\n\n  * Release ${manifest.version}: what it changes is in changelog.gz.\n\n -- ${maintainer}  ${date}\n`
  writeCompressed(`${DOC}/changelog.Debian`, entry)
  copy('deploy/debian/lintian-overrides', `usr/share/lintian/overrides/${NAME}`)
}

function paths() {
  return readdirSync(stage, { recursive: true, encoding: 'utf8' }).sort()
}

function addControl() {
  const files = paths().filter((path) => lstatSync(at(path)).isFile())
  const kilobytes = files.reduce((sum, path) => sum + Math.ceil(lstatSync(at(path)).size / 1024), 0)
  const digest = (path) =>
    createHash('md5')
      .update(readFileSync(at(path)))
      .digest('hex')
  const sums = files.filter((path) => !path.startsWith('etc/')).map((path) => `${digest(path)}  ${path}\n`)
  const configuration = files.filter((path) => path.startsWith('etc/')).map((path) => `/${path}\n`)
  const control = readFileSync(`${root}deploy/debian/control`, 'utf8')
    .replace('@VERSION@', version)
    .replace('@ARCHITECTURE@', architecture)
    .replace('@MAINTAINER@', maintainer)
    .replace('@INSTALLED_SIZE@', String(kilobytes))
  write('DEBIAN/control', control)
  write('DEBIAN/conffiles', configuration.join(''))
  write('DEBIAN/md5sums', sums.join(''))
  for (const script of ['postinst', 'prerm', 'postrm'])
    copy(`deploy/debian/${script}`, `DEBIAN/${script}`, 0o755)
}

try {
  chmodSync(stage, 0o755)
  addProgram()
  addShared()
  addService()
  addDocuments()
  addControl()
  for (const path of paths().reverse())
    if (!lstatSync(at(path)).isSymbolicLink()) utimesSync(at(path), seconds, seconds)
  const file = resolve(options.out, `${NAME}_${version}_${architecture}.deb`)
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', stage, file], {
    env: { PATH: process.env['PATH'], LC_ALL: 'C', SOURCE_DATE_EPOCH: String(seconds) },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  process.stdout.write(`${file}\n`)
} finally {
  rmSync(stage, { recursive: true, force: true })
}
