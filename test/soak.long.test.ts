// An hour and a half of the built exporter over thousands of hosts that break and are repaired: npm run test:long. What comes
// of it is recorded in docs/soak.json and docs/images/soak.svg. SOAK_MINUTES and SOAK_HOSTS say otherwise.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const minutes = Number(process.env['SOAK_MINUTES'] ?? 90)
const hosts = Number(process.env['SOAK_HOSTS'] ?? 2000)
/** For the start, the end, and for a machine that is busy. */
const MORE_MINUTES = 15

it(
  `${hosts} hosts for ${minutes} minutes: nothing told wrongly, no run lost, nothing grows`,
  async () => {
    const args = ['bench/run.js', 'soak', String(hosts), String(minutes), 'soak', 'docs']
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' })
    expect(await once(child, 'exit')).toEqual([0, null])
  },
  (minutes + MORE_MINUTES) * 60_000,
)
