// What package.json says in the archive that `npm pack` makes. The bundle has all that production depends on, so that
// whoever installs the archive is asked to install none of it again: prepack takes it out, postpack puts the file back.
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const file = fileURLToPath(new URL('../package.json', import.meta.url))
const whole = fileURLToPath(new URL('../package.whole.json', import.meta.url))

function restore() {
  if (!existsSync(whole)) return
  // Over the file, which keeps its rights.
  writeFileSync(file, readFileSync(whole))
  rmSync(whole)
}

const [, , what] = process.argv
if (what === 'trim') {
  restore()
  copyFileSync(file, whole)
  const {
    dependencies: _bundled,
    devDependencies: _ours,
    scripts: _run,
    ...kept
  } = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, `${JSON.stringify(kept, null, 2)}\n`)
} else if (what === 'restore') restore()
else {
  // npm tells the registry what the folder's package.json says after postpack: all of it would be installed again.
  console.error('publish the archive, not the folder: npm pack && npm publish ./winkms-exporter-*.tgz')
  process.exitCode = 1
}
