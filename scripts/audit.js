// `npm run audit`: whether a known weakness is in what production loads. Not every registry answers that question; one that
// does not fails nothing, since nothing was found out, and is named aloud. `--must` makes it a failure.
import { spawnSync } from 'node:child_process'

const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], { encoding: 'utf8' })

function answered() {
  try {
    const { vulnerabilities, metadata } = JSON.parse(stdout)
    return vulnerabilities && { found: Object.values(vulnerabilities), looked: metadata.dependencies.prod }
  } catch {
    return undefined
  }
}

const answer = answered()
if (answer === undefined) {
  console.error('NOT AUDITED: this registry does not say which versions have known weaknesses')
  process.exitCode = process.argv.includes('--must') ? 2 : 0
} else {
  for (const { name, severity, range } of answer.found) console.error(`${severity}: ${name} ${range}`)
  console.log(`${answer.looked} packages of production: ${answer.found.length} with known weaknesses`)
  process.exitCode = answer.found.length > 0 ? 1 : 0
}
