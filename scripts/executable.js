// `npm run build:executable`: one file that is the exporter and the Node.js that runs it (Node's single executable
// applications). By default of the Node.js that runs this; another one, of another system too, is given by its path:
//   node scripts/executable.js [--node FILE] [--maker FILE] [--out FILE]
// --maker: a Node.js of the very same version that runs here, where --node does not. Expects dist to be built.
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { inject } from 'postject'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({
  options: { node: { type: 'string' }, maker: { type: 'string' }, out: { type: 'string' } },
})
const node = values.node ?? process.execPath
const binary = readFileSync(node)

/** Platform and processor, from the head of an ELF or PE file. */
function targetOf(file) {
  const elf = { 0x3e: 'x64', 0xb7: 'arm64' }
  const pe = { 0x8664: 'x64', 0xaa64: 'arm64' }
  const header = file.readUInt32LE(0x3c)
  const [platform, arch] =
    file.readUInt32BE(0) === 0x7f454c46
      ? ['linux', elf[file.readUInt16LE(18)]]
      : file.toString('latin1', 0, 2) === 'MZ' && file.toString('latin1', header, header + 2) === 'PE'
        ? ['win32', pe[file.readUInt16LE(header + 4)]]
        : []
  if (arch === undefined) throw new Error(`${node} is no Node.js for Linux or Windows on x64 or arm64`)
  return { platform, arch }
}

const { platform, arch } = targetOf(binary)
const runsHere = platform === process.platform && arch === process.arch
const maker = values.maker ?? (runsHere ? node : process.execPath)
const made = JSON.parse(
  execFileSync(maker, ['--print', 'JSON.stringify([process.version, process.arch, process.versions.v8])'], {
    env: {},
  }),
)
const [version, makerArch, v8] = made
// What is put in is read by code of the same version only.
if (!binary.includes(version)) throw new Error(`${node} is not ${version}, as ${maker} is: give --maker`)

const exporter = JSON.parse(readFileSync(`${root}package.json`, 'utf8')).version
const suffix = platform === 'win32' ? '.exe' : ''
const out = values.out ?? `${root}executable/winkms-exporter-${exporter}-${platform}-${arch}${suffix}`

function nodeLicence() {
  const places = [node, maker].flatMap((file) => [
    join(dirname(file), '../LICENSE'),
    join(dirname(file), 'LICENSE'),
    join(dirname(file), '../share/doc/nodejs/LICENSE'),
    join(dirname(file), '../share/doc/nodejs/copyright'),
  ])
  const found = places.find(existsSync)
  if (found === undefined) throw new Error(`the licence of ${node} is in none of: ${places.join(', ')}`)
  return readFileSync(found, 'utf8')
}

/** koffi and its library for that system, where npm has installed it; without, it is looked for beside the executable. */
async function koffi(folder) {
  const name = `@koromix/koffi-${platform}-${arch}`
  const library = `${root}node_modules/${name}/${platform}_${arch}/koffi.node`
  if (!existsSync(library)) return {}
  await build({
    absWorkingDir: root,
    entryPoints: ['node_modules/koffi/index.cjs'],
    outfile: join(folder, 'koffi.cjs'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    charset: 'ascii',
    logLevel: 'warning',
    plugins: [
      {
        name: 'library',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^@koromix\// }, ({ path }) =>
            path === name ? { path, namespace: 'library' } : { path, external: true },
          )
          onResolve({ filter: /^koffi\.node$/ }, ({ path }) => ({ path, external: true }))
          onLoad({ filter: /./, namespace: 'library' }, () => ({
            contents: "module.exports = require('koffi.node')",
          }))
        },
      },
    ],
  })
  return { 'koffi.cjs': join(folder, 'koffi.cjs'), 'koffi.node': library }
}

/** Without Microsoft's signature of node.exe, which what is put in would break; it stands at the end of the file. */
function unsigned(file) {
  if (platform !== 'win32') return file
  const header = file.readUInt32LE(0x3c)
  // PE32+: the fifth of the data directories, which begin 112 bytes into the optional header.
  const entry = header + 24 + 112 + 4 * 8
  const [offset, size] = [file.readUInt32LE(entry), file.readUInt32LE(entry + 4)]
  if (offset === 0) return file
  if (offset + size !== file.length) throw new Error(`the signature of ${node} is not at its end`)
  const bare = Buffer.from(file.subarray(0, offset))
  bare.writeBigUInt64LE(0n, entry)
  return bare
}

const folder = mkdtempSync(join(tmpdir(), 'winkms-executable-'))
try {
  const assets = {
    'winkms.cjs': `${root}dist/winkms.cjs`,
    'undici.cjs': `${root}dist/undici.cjs`,
    'LEGAL.txt': join(folder, 'LEGAL.txt'),
    ...(await koffi(folder)),
  }
  const licences = [`${root}LICENSE`, `${root}dist/winkms.LEGAL.txt`].map((file) =>
    readFileSync(file, 'utf8'),
  )
  if (assets['koffi.node'] !== undefined)
    licences.push(`koffi\n\n${readFileSync(`${root}node_modules/koffi/LICENSE.txt`, 'utf8')}`)
  licences.push(`Node.js ${version}\n\n${nodeLicence()}`)
  writeFileSync(assets['LEGAL.txt'], licences.join(`\n${'-'.repeat(80)}\n\n`))
  // Compiled code is the processor's, and the system's.
  if (makerArch === arch && process.platform === platform) {
    execFileSync(maker, ['--random-seed=1', `${root}scripts/compile.js`, folder], {
      env: {},
      stdio: 'inherit',
    })
    assets['winkms.cache'] = join(
      folder,
      readdirSync(folder).find((name) => name === `winkms.${v8}-${platform}-${arch}.cache`),
    )
  }
  const config = {
    // Its name is put in, too.
    main: 'main.cjs',
    output: join(folder, 'blob'),
    disableExperimentalSEAWarning: true,
    assets,
  }
  writeFileSync(join(folder, 'sea.json'), JSON.stringify(config))
  copyFileSync(`${root}scripts/executable-main.cjs`, join(folder, 'main.cjs'))
  execFileSync(maker, ['--experimental-sea-config', 'sea.json'], { cwd: folder, env: {}, stdio: 'pipe' })

  mkdirSync(dirname(out), { recursive: true })
  rmSync(out, { force: true })
  copyFileSync(node, out)
  writeFileSync(out, unsigned(binary))
  await inject(out, 'NODE_SEA_BLOB', readFileSync(config.output), {
    sentinelFuse: 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2',
  })
  console.log(
    `${out}: Node.js ${version} for ${platform} on ${arch}, ${'koffi.node' in assets ? 'with' : 'without'} koffi`,
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
